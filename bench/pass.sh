#!/usr/bin/env bash
# Times whole passes: the real container replicator of one node against the real daemons of two
# others, on loopback. Says how long it takes to find nothing to do, to send rows, to send files.
set -euo pipefail
cd "$(dirname "$0")/.."
export LC_ALL=C
# shellcheck source=example/quickstart/nodes.sh
. example/quickstart/nodes.sh

usage() {
    cat <<'EOF'
Usage: bench/pass.sh [option...]

Builds the daemons and runs three nodes on 127.0.0.1 to 127.0.0.3. The first has all databases,
each with two replicas to care for; the others answer. Each run starts with empty peers and times
three passes (--once) of the first node's replicator:

  missing   the peers have nothing: every database goes over as a whole file, by rsync
  in sync   nothing to do: every database is opened, and both peers say that they have all
  behind    every database has got ten rows more: they are sent to both peers

  --databases N  how many (default 1000)
  --rows N       rows of each database at the start (default 100)
  --runs N       repeat all three passes and print medians (default 3)
  --ports BASE   listen on BASE+1 to BASE+3 of each address (default: the first that are free
                 from 6300 up)
  --small        20 databases, 20 rows, one run: for the tests
  --help         this text

Columns:

  wall s         from the start of the process to its end, databases in the kernel's cache
  own CPU s      user and system time of the replicator and of the rsync programs it has started
  peers' CPU s   the same of both peers' daemons and rsync daemons
  peak MB        the most memory that the replicator itself had at once
  databases/s    databases by wall time

databases_per_second is off (Swift's default is 50) and concurrency is the default. All nodes share
this machine's processors. Every pass must have done exactly what its name says, by the counters in
the recon file, and in the end all replicas must be identical; else the exit status is 1.

With REPLICA_BUILD_DIR in the environment its programs are measured and nothing is built. What was
started is ended by process id, also when interrupted.
EOF
}

databases=1000 rows=100 runs=3 ports="" keep="" added=10
while [ $# -gt 0 ]; do
    case "$1" in
    --help | -h) usage; exit 0 ;;
    --small) databases=20 rows=20 runs=1 ;;
    --databases | --rows | --runs | --ports)
        [ $# -ge 2 ] || { usage >&2; exit 2; }
        [[ "$2" =~ ^[1-9][0-9]{0,5}$ ]] || die "$1 $2: not a whole number from 1 to 999999"
        declare "${1#--}=$2"
        shift ;;
    *) echo "pass.sh: unknown option $1" >&2; usage >&2; exit 2 ;;
    esac
    shift
done
[ -z "$ports" ] || [[ "$ports" -ge 1023 && "$ports" -le 65532 ]] ||
    die "--ports $ports: not a number from 1023 to 65532"

nodes=(127.0.0.1 127.0.0.2 127.0.0.3)
devices=([127.0.0.1]=sda [127.0.0.2]=sda [127.0.0.3]=sda)
# shellcheck disable=SC2034 # for nodes.sh
kinds=(container) settings="databases_per_second = 0"
here="${nodes[0]}" peers=("${nodes[@]:1}")

# --- measuring --------------------------------------------------------------------------------------

# Of each case, all runs: microseconds and kB.
declare -A walls=() own_cpus=() peer_cpus=() peaks=()
cases=()

# CPU time of all children that this shell has waited for, in microseconds. In `reply`, since a
# subshell would be one more child.
cpu_of_children() {
    local times time minutes seconds
    times >"$root/times"
    { read -r _ && read -r -a times; } <"$root/times"
    reply=0
    for time in "${times[@]}"; do # 1m2.345s
        time="${time%s}" minutes="${time%m*}" seconds="${time#*m}"
        reply=$((reply + minutes * 60000000 + 10#${seconds/./} * 1000))
    done
}

# CPU time of both peers' daemons, in microseconds; the kernel counts in steps of 10 ms.
cpu_of_peers() {
    local node pid stat fields total=0
    for node in "${peers[@]}"; do
        for pid in ${processes[$node]}; do
            stat="$(<"/proc/$pid/stat")"
            # shellcheck disable=SC2206 # a list of numbers, from the process's state on
            fields=(${stat##*)})
            total=$((total + fields[11] + fields[12] + fields[13] + fields[14]))
        done
    done
    echo $((total * 1000000 / $(getconf CLK_TCK)))
}

# watch PID FILE: writes the highest amount of memory that the process has had, in kB, and ends
# the process after ten minutes. It only stops looking when it is ended itself, so that its own CPU
# time does not count for the pass. Uses no other program: it would slow down what is measured.
watch() {
    local key value peak=0 until=$((SECONDS + 600)) idle
    exec {idle}<> <(:)
    while :; do
        while read -r key value _; do
            if [ "$key" = VmHWM: ] && [ "$value" != "$peak" ]; then
                peak="$value"
                echo "$peak" >"$2"
            fi
        done <"/proc/$1/status"
        [ "$SECONDS" -lt "$until" ] || kill -KILL "$1"
        read -r -t 0.02 -u "$idle" || true
    done 2>/dev/null
}

# One pass of the first node, measured. Afterwards nothing of it is counted twice: the watcher is
# waited for only when the figures are taken.
run_pass() {
    local case="$1" began ended cpu peer_cpu status=0
    rm -f "$root/$here/cache/container.recon"
    echo 0 >"$root/peak"
    peer_cpu="$(cpu_of_peers)"
    cpu_of_children
    cpu=$reply
    began="${EPOCHREALTIME/./}"
    "$bin/container_replicator" "$root/$here/etc/container.conf" --once </dev/null \
        >>"$root/$here/log/once.log" 2>&1 &
    passes=("$!")
    watch "$!" "$root/peak" &
    passes+=("$!")
    wait "${passes[0]}" || status=$?
    ended="${EPOCHREALTIME/./}"
    cpu_of_children
    end_processes TERM "${passes[1]}"
    passes=()
    [ "$status" = 0 ] || { cat "$root/$here/log/once.log" >&2; die "$case: the replicator's status was $status"; }
    [ -n "${walls[$case]:-}" ] || cases+=("$case")
    walls[$case]+=" $((ended - began))"
    own_cpus[$case]+=" $((reply - cpu))"
    peer_cpus[$case]+=" $(($(cpu_of_peers) - peer_cpu))"
    peaks[$case]+=" $(<"$root/peak")"
}

# --- what a pass has done ---------------------------------------------------------------------------

counters=(attempted success failure no_change hashmatch rsync remote_merge diff diff_capped remove
    deferred rows bytes quarantined kept reidentified diverged errors)

# expect CASE COUNTER=NUMBER...: these, and 0 for all others.
expect() {
    local case="$1" key value wrong="" recon="$root/$here/cache/container.recon"
    shift
    [ -s "$recon" ] || die "the pass '$case' has left no figures"
    local -A wanted=()
    for value in "$@"; do
        wanted[${value%=*}]="${value#*=}"
    done
    for key in "${counters[@]}"; do
        value="$(count "$recon" "$key")"
        if [ "$value" != "${wanted[$key]:-0}" ]; then
            wrong+="  $key is ${value:-missing}, not ${wanted[$key]:-0}"$'\n'
        fi
    done
    [ -z "$wrong" ] || die "the pass '$case' was another one:"$'\n'"$wrong"
}

bytes_of_files() {
    find "$root/$here/srv" -name '*.db' -printf '%s\n' | awk '{ sum += $1 } END { print sum + 0 }'
}

run_all_cases() {
    local both=$((2 * databases)) node
    for node in "${nodes[@]}"; do
        rm -rf "$root/$node/srv/sda"
        mkdir "$root/$node/srv/sda"
    done
    "$bin/quickstart.load" "$root" alike --databases "$databases" --rows "$rows"
    run_pass missing
    expect missing attempted="$databases" success="$both" rsync="$both" bytes=$((2 * $(bytes_of_files)))
    run_pass "in sync"
    expect "in sync" attempted="$databases" success="$both" no_change="$both"
    "$bin/quickstart.load" "$root" alike --databases "$databases" --from "$rows" --rows "$added"
    run_pass behind
    expect behind attempted="$databases" success="$both" diff="$both" rows=$((both * added))
}

# All replicas, row by row, by a program that shares no code with the replicator.
compare() {
    local verdict wanted
    wanted="$databases databases, $((databases * (rows + added))) rows, 3 replicas each: identical"
    verdict="$("$bin/quickstart.compare" "$root")" || die "the replicas differ: $verdict"
    [ "$verdict" = "$wanted" ] || die "the end should be '$wanted', not '$verdict'"
    echo "$verdict"
}

# --- figures ----------------------------------------------------------------------------------------

# median NUMBER...
median() {
    printf '%s\n' "$@" | sort -n | awk '
        { value[NR] = $1 }
        END { print int((value[int((NR + 1) / 2)] + value[int((NR + 2) / 2)]) / 2) }'
}

table() {
    local case wall own theirs peak
    printf '\n%-9s%10s%12s%14s%10s%13s\n' case "wall s" "own CPU s" "peers' CPU s" "peak MB" \
        "databases/s"
    for case in "${cases[@]}"; do
        # shellcheck disable=SC2086 # lists of numbers
        wall="$(median ${walls[$case]})" own="$(median ${own_cpus[$case]})" \
            theirs="$(median ${peer_cpus[$case]})" peak="$(median ${peaks[$case]})"
        awk -v case="$case" -v wall="$wall" -v own="$own" -v theirs="$theirs" -v peak="$peak" \
            -v databases="$databases" 'BEGIN {
                printf "%-9s%10.2f%12.2f%14.2f%10.1f%13.0f\n", case, wall / 1e6, own / 1e6,
                    theirs / 1e6, peak / 1024, databases / wall * 1e6 }'
    done
}

# --- all of it --------------------------------------------------------------------------------------

if [ -n "${REPLICA_BUILD_DIR:-}" ]; then
    bin="$REPLICA_BUILD_DIR/example"
else
    build_release quickstart.load quickstart.compare
fi
if [ -z "$ports" ]; then
    for ((ports = 6300; ports < 6900; ports += 10)); do
        [ -n "$(port_in_use)" ] || break
    done
fi
stop_all_at_the_end
check_ports
make_root
make_nodes
for node in "${peers[@]}"; do
    start_node "$node"
done
echo "$databases databases of $rows rows; medians, runs: $runs, $(nproc) processors," \
    "files in $root ($(stat -f -c %T "$root"))"
for ((run = 1; run <= runs; run++)); do
    run_all_cases
done
table
compare
finished=yes
