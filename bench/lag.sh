#!/usr/bin/env bash
# Times pushes: how long a row that is written on one node takes to be on all replicas, and what the
# daemons cost while nobody writes. Three real daemons on loopback.
set -euo pipefail
cd "$(dirname "$0")/.."
export LC_ALL=C
# shellcheck source=bench/measure.sh
. bench/measure.sh

usage() {
    cat <<'EOF'
Usage: bench/lag.sh [option...]

Builds the daemons and runs three nodes on 127.0.0.1 to 127.0.0.3, each with one replica of every
container. No pass is run: a row goes over by a push, or not at all. Rows are written on the first
node by another process than its daemon, each second one into .pending, as stock servers do.

  --databases N  how many containers (default 1000)
  --writes N     rows, one after the other, each into a container by chance (default 200)
  --idle N       seconds without a write (default 20)
  --ports BASE   listen on BASE+1 to BASE+3 of each address (default: the first that are free
                 from 6300 up)
  --small        20 containers, 20 rows, 2 s: for the tests
  --help         this text

Lines:

  idle     CPU time of all three daemons in per cent of one processor, and what was pushed: nothing
  lag      from the end of a write to the row's being in the files of the two other replicas
  busy     the same, while another container gets 20 rows before each of these
  storm    turns that all daemons have given databases for these rows, and how many are needed

Pushes need fanotify, and CAP_SYS_ADMIN to use it. Where the kernel refuses, that is said, and the
exit status is 0: there is nothing to time.
EOF
}

writes=200 idle_seconds=20
parse_lag_options() {
    while [ $# -gt 0 ]; do
        case "$1" in
        --help | -h) usage; exit 0 ;;
        --small) databases=20 writes=20 idle_seconds=2 ;;
        --databases | --writes | --idle | --ports)
            [ $# -ge 2 ] || { usage >&2; exit 2; }
            [[ "$2" =~ ^[1-9][0-9]{0,6}$ ]] || die "$1 $2: not a whole number from 1 to 9999999"
            case "$1" in
            --databases) databases="$2" ;;
            --writes) writes="$2" ;;
            --idle) idle_seconds="$2" ;;
            --ports) ports="$2" ;;
            esac
            shift ;;
        *) echo "${0##*/}: unknown option $1" >&2; usage >&2; exit 2 ;;
        esac
        shift
    done
    [ "$databases" -ge 2 ] || die "--databases $databases: at least 2"
}

# Turns that the daemons have begun so far, by their logs.
turns() { cat "$root"/*/log/container.log | grep -c "Replicating db" || true; }

measure_idle() {
    local before turns_before
    cpu_of_daemons "${nodes[@]}"
    before=$reply turns_before="$(turns)"
    sleep "$idle_seconds"
    cpu_of_daemons "${nodes[@]}"
    awk -v us=$((reply - before)) -v s="$idle_seconds" -v turns=$(($(turns) - turns_before)) \
        'BEGIN { printf "idle     %.2f %% of a processor, %d turns\n", us / s / 1e4, turns }'
}

parse_lag_options "$@"
if [ -z "${REPLICA_BUILD_DIR:-}" ]; then
    build_release quickstart.lag
else
    bin="$REPLICA_BUILD_DIR/example"
fi
stop_all_at_the_end
find_ports
# shellcheck disable=SC2034 # for nodes.sh
push=yes settings="log_level = DEBUG" options=(-v)
make_root
make_nodes
"$bin/quickstart.lag" "$root" --fill --databases "$databases" --writes 0
for node in "${nodes[@]}"; do
    start_node "$node"
done
echo "$databases containers, $(nproc) processors, files in $root ($(stat -f -c %T "$root"))"
if why="$(grep -h -m1 "Changes are not pushed" "$root"/*/log/container.log)"; then
    echo "$why"
    # shellcheck disable=SC2034 # for nodes.sh
    finished=yes
    exit 0
fi
measure_idle
before="$(turns)"
echo "lag      $("$bin/quickstart.lag" "$root" --databases "$databases" --writes "$writes")"
sleep 1
echo "storm    $(($(turns) - before)) turns for $writes writes"
echo "busy     $("$bin/quickstart.lag" "$root" --databases "$databases" --writes "$writes" \
    --busy 20)"
# shellcheck disable=SC2034 # for nodes.sh
finished=yes
