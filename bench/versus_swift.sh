#!/usr/bin/env bash
# Times stock Swift's container replicator and ours in one run, on copies of the same databases: what
# an operator gains by switching one node, and what by switching all.
set -euo pipefail
arguments=("$@")
cd "$(dirname "$0")/.."
export LC_ALL=C
# shellcheck source=bench/measure.sh
. bench/measure.sh

usage() {
    cat <<'EOF'
Usage: bench/versus_swift.sh [option...]

Runs three nodes on loopback. The first has all databases, each with two replicas to care for; the
others answer. Passes (--once) of the first node's container replicator are timed for three pairs:

  stock to stock  Swift as Debian packages it (python3-swift, swift-container) on all nodes
  ours to stock   our replicator on the first node, Swift's container servers on the others: what an
                  operator gets who has switched one node
  ours to ours    our replicator, and our daemons on the others

Each pair starts with a copy of the same databases on the first node and with empty peers:

  empty     no databases at all: the start of a process, which is in every other figure too
  missing   the peers have nothing: every database goes over as a whole file, from ours to ours over
            HTTP, else by rsync
  in sync   nothing to do: every database is opened, both peers say that they have all, and nothing
            is old enough to be reclaimed; each node has done a pass of its own before
  behind    every database has got ten rows more: they are sent to both peers
  rows      one database of many rows has got as many more: they are sent to both peers

  --databases N  how many (default 500)
  --rows N       rows of each database at the start (default 100)
  --many N       rows that the one database of case "rows" gets (default 100000; Swift sends no more
                 in one pass)
  --runs N       repeat everything, the pairs in turns, and print medians (default 3)
  --ports BASE   listen on BASE+1 to BASE+3 of each address (default: the first that are free
                 from 6300 up)
  --small        20 databases, 20 rows, one run: for the tests
  --help         this text

Columns:

  wall s       from the start of the process to its end, databases in the kernel's cache
  replicator   CPU seconds of the replicator, user and system time
  servers      the same of both peers' container servers with their workers, or of our daemons
  rsync        the same of all rsync programs: those that the replicator starts, and the daemons
  all CPU      the sum of these three
  peak MB      the most memory that the replicator itself had at once, looked at each 20 ms
  databases/s  databases by wall time

Below each pair of ours stands how many times its figure stock to stock took. A last table has the
goals of this project: how many times less processor time all together than stock to stock (for
"empty": time), the least, the median and the most of all runs, and whether the median is there. Both sides read one
configuration file: databases_per_second is off (Swift's default is 50), everything else that bears
on speed is the default of each, so Swift's servers have one worker for each processor. All nodes
share this machine's processors. Every pass must have done exactly what its name says, by the
counters in the recon file, and in the end of each pair all replicas must be identical; else the
exit status is 1.

Where the system allows it everything runs in a network and mount namespace of its own, in which
swift.conf lies where Swift reads it; else Swift's programs are started through test/swift/rig.py,
which adds a little to their start. With REPLICA_BUILD_DIR in the environment its programs are
measured and nothing is built. What was started is ended by process id, also when interrupted.
EOF
}

databases=500
parse_options "$@"
for program in swift-container-replicator swift-container-server; do
    [ -x "/usr/bin/$program" ] || die "/usr/bin/$program is missing: install swift-container"
done

# --- a place where swift.conf is ours ---------------------------------------------------------------

# Runs this script again in namespaces of its own where that is allowed; else returns.
enter_namespaces() {
    local enter=(unshare --net --mount)
    if [ -n "${REPLICA_VERSUS_PRIVATE:-}" ]; then
        ip link set lo up
    elif "${enter[@]}" sh -c 'ip link set lo up && mount --bind /etc/swift /etc/swift' \
        >/dev/null 2>&1; then
        REPLICA_BUILD_DIR="${bin%/example}" REPLICA_VERSUS_PRIVATE=yes \
            exec "${enter[@]}" bench/versus_swift.sh "${arguments[@]}"
    fi
}

# Sets `stock`: what a program of Swift's is started by.
use_swift_conf() {
    stock=(/usr/bin/python3 test/swift/rig.py "$root/$here/etc/swift.conf")
    if [ -n "${REPLICA_VERSUS_PRIVATE:-}" ]; then
        mount --bind "$root/$here/etc" /etc/swift
        stock=()
    fi
}

# --- nodes ------------------------------------------------------------------------------------------

# The ring by Swift's own builder, which both sides read. The tools for the data read the other one:
# three devices hold all partitions, so that both place every database alike.
write_stock_rings() {
    local node
    PYTHONPATH=test/swift /usr/bin/python3 - "$root" "$(port_of container)" "${nodes[@]}" <<'EOF'
import pathlib
import sys
import rig
root, port, *ips = sys.argv[1:]
rig.write_ring(pathlib.Path(root), "container",
               [rig.ring_device(i, ip, int(port), "sda") for i, ip in enumerate(ips)])
EOF
    for node in "${nodes[@]}"; do
        cp "$root/container.ring.gz" "$root/$node/etc/"
    done
}

# Swift's sections beside the replicator's, the pipeline as Debian ships it. One more file without
# the port that ours answers on: for a sender whose peers are all stock.
write_stock_confs() {
    local conf
    for node in "${nodes[@]}"; do
        conf="$root/$node/etc/container.conf"
        cat >>"$conf" <<'EOF'

[pipeline:main]
pipeline = healthcheck recon container-server

[app:container-server]
use = egg:swift#container

[filter:healthcheck]
use = egg:swift#healthcheck

[filter:recon]
use = egg:swift#recon
EOF
        grep -v '^replica_port' "$conf" >"$root/$node/etc/alone.conf"
    done
}

start_stock_node() {
    start_rsync "$1"
    # Its parent ends its whole process group.
    start "$1" container setsid "${stock[@]}" /usr/bin/swift-container-server \
        "$root/$1/etc/container.conf" -v
}

# --- passes -----------------------------------------------------------------------------------------

# The databases that every pair begins with.
make_seed() {
    "$bin/quickstart.load" "$root" alike --databases "$databases" --rows "$rows"
    mv "$root/$here/srv/sda" "$root/seed"
}

# run_pair PAIR COUNTERS COMMAND...: all cases of a pair, whose peers are running.
run_pair() {
    local pair="$1" counters="$2" both=$((2 * databases))
    shift 2
    empty_devices
    run_pass "empty $pair" "$@"
    expect "empty $pair" "$counters"
    rm -rf "$root/$here/srv/sda"
    cp -a "$root/seed" "$root/$here/srv/sda"
    run_pass "missing $pair" "$@"
    expect "missing $pair" "$counters" attempted="$databases" success="$both" rsync="$both" \
        bytes=$((2 * $(bytes_of_files)))
    settle "$@"
    run_pass "in sync $pair" "$@"
    expect "in sync $pair" "$counters" attempted="$databases" success="$both" no_change="$both"
    "$bin/quickstart.load" "$root" alike --databases "$databases" --from "$rows" --rows "$added"
    run_pass "behind $pair" "$@"
    expect "behind $pair" "$counters" attempted="$databases" success="$both" diff="$both" \
        rows=$((both * added))
    compare "$databases" $((rows + added))
    empty_devices
    "$bin/quickstart.load" "$root" alike --databases 1 --rows "$many"
    settle "$@"
    "$bin/quickstart.load" "$root" alike --databases 1 --from "$many" --rows "$many"
    run_pass "rows $pair" "$@"
    expect "rows $pair" "$counters" attempted=1 success=2 diff=2 rows=$((2 * many))
    compare 1 $((2 * many))
}

# All pairs in turns, so that what else the machine does hits them alike.
run_all_pairs() {
    local node ours="$bin/container_replicator" etc="$root/$here/etc"
    for node in "${nodes[@]}"; do
        start_node "$node"
    done
    run_pair "ours to ours" our_counters "$ours" "$etc/container.conf" --once
    for node in "${nodes[@]}"; do
        end_node TERM "$node"
        start_stock_node "$node"
    done
    run_pair "stock to stock" stock_counters "${stock[@]}" /usr/bin/swift-container-replicator \
        "$etc/container.conf" --once -v
    run_pair "ours to stock" our_counters "$ours" "$etc/alone.conf" --once
    for node in "${nodes[@]}"; do
        end_node TERM "$node"
    done
}

table() {
    local case pair count
    table_head
    for case in empty missing "in sync" behind rows; do
        count="$databases"
        case "$case" in
        empty) count=0 ;;
        rows) count=1 ;;
        esac
        table_row "$case, stock to stock" "$case stock to stock" "$count"
        for pair in "ours to stock" "ours to ours"; do
            table_row "$case, $pair" "$case $pair" "$count"
            ratio_row "  stock takes, times" "$case stock to stock" "$case $pair"
        done
    done
}

# figures NAME: of each run, in microseconds: CPU time of all programs, or wall time where nothing is
# done.
figures() {
    local wall replicator server rsync i
    read -r -a wall <<<"${walls[$1]}"
    read -r -a replicator <<<"${replicator_cpus[$1]}"
    read -r -a server <<<"${server_cpus[$1]}"
    read -r -a rsync <<<"${rsync_cpus[$1]}"
    for ((i = 0; i < ${#wall[@]}; i++)); do
        case "$1" in
        empty*) echo "${wall[i]}" ;;
        *) echo $((replicator[i] + server[i] + rsync[i])) ;;
        esac
    done
}

# The ratios that this project wants, and those of this run.
goals() {
    local case goal
    printf '\n%-10s%10s%16s%15s%24s%7s\n' "" stock "ours to stock" "ours to ours" "ratio, all runs" goal
    while read -r goal case; do
        paste <(figures "$case stock to stock") <(figures "$case ours to stock") \
            <(figures "$case ours to ours") | awk -v label="$case" -v goal="$goal" '
            function median(of, n) { return (of[int((n + 1) / 2)] + of[int((n + 2) / 2)]) / 2 }
            function sort(of, n,   i, j, t) {
                for (i = 2; i <= n; i++)
                    for (j = i; j > 1 && of[j - 1] > of[j]; j--) {
                        t = of[j]; of[j] = of[j - 1]; of[j - 1] = t
                    }
            }
            { stock[NR] = $1; beside[NR] = $2; ours[NR] = $3; ratio[NR] = $3 > 0 ? $1 / $3 : 0 }
            END {
                sort(stock, NR); sort(beside, NR); sort(ours, NR); sort(ratio, NR)
                printf "%-10s%8.2f s%14.2f s%13.2f s%10.1f %6.1f %6.1f%7d  %s\n", label,
                    median(stock, NR) / 1e6, median(beside, NR) / 1e6, median(ours, NR) / 1e6,
                    ratio[1], median(ratio, NR), ratio[NR], goal,
                    (median(ratio, NR) >= goal ? "reached" : "not reached")
            }'
    done <<'END'
47 empty
20 missing
8 in sync
6 behind
4 rows
END
}

# --- all of it --------------------------------------------------------------------------------------

find_programs
enter_namespaces
stop_all_at_the_end
find_ports
make_root
# shellcheck disable=SC2034 # for nodes.sh
rings=.ring.gz
make_nodes
write_stock_rings
write_stock_confs
use_swift_conf
make_seed
describe_run
for ((run = 1; run <= runs; run++)); do
    run_all_pairs
done
table
goals
echo "Each pair in the end: $verdict"
# shellcheck disable=SC2034 # for nodes.sh
finished=yes
