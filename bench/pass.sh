#!/usr/bin/env bash
# Times whole passes: the real container replicator of one node against the real daemons of two
# others, on loopback. Says how long it takes to find nothing to do, to send rows, to send files.
set -euo pipefail
cd "$(dirname "$0")/.."
export LC_ALL=C
# shellcheck source=bench/measure.sh
. bench/measure.sh

usage() {
    cat <<'EOF'
Usage: bench/pass.sh [option...]

Builds the daemons and runs three nodes on 127.0.0.1 to 127.0.0.3. The first has all databases,
each with two replicas to care for; the others answer. Each run starts with empty peers and times
passes (--once) of the first node's replicator:

  missing   the peers have nothing: every database goes over as a whole file
  in sync   nothing to do: every database is opened, both peers say that they have all, and nothing
            is old enough to be reclaimed; each node has done a pass of its own before
  walked    the same in services with a pass in each second, on all three nodes: one of twenty
            passes in a row of the first, and what the peers' daemons used meanwhile. Databases that
            all have are not opened; what others know of them is asked for in one request
  at rest   the same, and no directory is walked, since the kernel tells what has changed. Left out
            where the kernel refuses that
  behind    every database has got ten rows more: they are sent to both peers

  --databases N  how many (default 1000)
  --rows N       rows of each database at the start (default 100)
  --runs N       repeat all three passes and print medians (default 3)
  --ports BASE   listen on BASE+1 to BASE+3 of each address (default: the first that are free
                 from 6300 up)
  --rsync        whole files go by rsync, as to stock peers, and not over HTTP (push_files = no)
  --small        20 databases, 20 rows, one run: for the tests
  --help         this text

Columns:

  wall s       from the start of the process to its end, databases in the kernel's cache
  replicator   CPU seconds of the replicator, user and system time
  servers      the same of both peers' daemons
  rsync        the same of all rsync programs: those that the replicator starts, and the daemons
  all CPU      the sum of these three
  peak MB      the most memory that the replicator itself had at once, looked at each 20 ms
  databases/s  databases by wall time

databases_per_second is off (Swift's default is 50) and concurrency is the default. All nodes share
this machine's processors. Every pass must have done exactly what its name says, by the counters in
the recon file, and in the end all replicas must be identical; else the exit status is 1.

With REPLICA_BUILD_DIR in the environment its programs are measured and nothing is built. What was
started is ended by process id, also when interrupted.
EOF
}

run_all_cases() {
    local both=$((2 * databases))
    empty_devices
    "$bin/quickstart.load" "$root" alike --databases "$databases" --rows "$rows"
    run_pass missing "${replicate[@]}"
    expect missing our_counters attempted="$databases" success="$both" rsync="$both" \
        bytes=$((2 * $(bytes_of_files)))
    settle "${replicate[@]}"
    run_pass "in sync" "${replicate[@]}"
    expect "in sync" our_counters attempted="$databases" success="$both" no_change="$both"
    restart_nodes 's/^interval = .*/interval = 1/' '$a walk_interval = 0'
    run_resting walked
    restart_nodes 's/^walk_interval = .*/walk_interval = 3600/' 's/^push_changes = .*/push_changes = yes/'
    if ! grep -q "Changes are not pushed" "$root/$here/log/container.log"; then
        run_resting "at rest"
    fi
    restart_nodes 's/^interval = .*/interval = 100000000/' 's/^push_changes = .*/push_changes = no/' \
        '/^walk_interval = /d'
    "$bin/quickstart.load" "$root" alike --databases "$databases" --from "$rows" --rows "$added"
    run_pass behind "${replicate[@]}"
    expect behind our_counters attempted="$databases" success="$both" diff="$both" \
        rows=$((both * added))
}

parse_options "$@"
settings+=$'\npeer_hold = 1' # a peer that is just being started is asked again soon
find_programs
stop_all_at_the_end
find_ports
make_root
make_nodes
for node in "${nodes[@]}"; do
    start_node "$node"
done
replicate=("$bin/container_replicator" "$root/$here/etc/container.conf" --once)
describe_run
for ((run = 1; run <= runs; run++)); do
    run_all_cases
done
table_head
for pass in missing "in sync" walked "at rest" behind; do
    [ -z "${walls[$pass]:-}" ] || table_row "$pass" "$pass" "$databases"
done
compare "$databases" $((rows + added))
echo "$verdict"
# shellcheck disable=SC2034 # for nodes.sh
finished=yes
