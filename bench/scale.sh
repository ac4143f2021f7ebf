#!/usr/bin/env bash
# What a database at rest costs, by the number of databases: so that a slope shows, and not a figure.
set -euo pipefail
cd "$(dirname "$0")/.."
export LC_ALL=C
# shellcheck source=bench/measure.sh
. bench/measure.sh

usage() {
    cat <<'EOF'
Usage: bench/scale.sh [option...] [NUMBER...]

For each NUMBER (default: 1000 10000) runs three daemons on 127.0.0.1 to 127.0.0.3 over so many empty
containers, each with a replica on every node, with a pass in each second. They are copies of one that
has been replicated, so nobody has anything to write. Prints one row each:

  first s      from the start of the daemons to the end of the first pass in which nothing is opened,
               with databases_per_second off: each node asks both others about all databases
  walked ms    CPU time of a daemon for one pass in which all directories are walked, its answers to
               the others with it
  at rest ms   the same if the kernel tells what has changed, and nothing is walked
  restart s    as first, after a clean restart
  MB           memory of a daemon
  bytes/db     what memory has grown by since the smallest NUMBER, by database
  files        open file descriptors of a daemon
  requests     that a daemon gets in one pass

  --million      1,000,000 as well, and all of them on an XFS of their own in a file below TMPDIR, where
                 copies share blocks: needs root, mkfs.xfs, 20 GB and more than an hour
  --ports BASE   listen on BASE+1 to BASE+3 of each address (default: the first that are free
                 from 6300 up)
  --small        20 and 40 databases, three passes: for the tests
  --help         this text

Each figure of passes is the mean of twenty passes, from 100,000 databases on of three, and of three
daemons. Where the kernel does not let the daemons watch files, the column says "-".
EOF
}

numbers=() million=""
while [ $# -gt 0 ]; do
    case "$1" in
    --help | -h) usage; exit 0 ;;
    --small) numbers+=(20 40) timed=3 ;;
    --million) numbers+=(1000000) million=yes ;;
    --ports)
        [ $# -ge 2 ] || { usage >&2; exit 2; }
        ports="$2"
        shift ;;
    *)
        [[ "$1" =~ ^[1-9][0-9]{1,6}$ ]] || {
            echo "scale.sh: $1: neither an option nor a number from 10 up" >&2
            exit 2
        }
        numbers+=("$1") ;;
    esac
    shift
done
[ "${#numbers[@]}" -gt 0 ] || numbers=(1000 10000)
if [ -z "${REPLICA_BUILD_DIR:-}" ]; then
    build_release quickstart.lag quickstart.copies
else
    bin="$REPLICA_BUILD_DIR/example"
fi
stop_all_at_the_end
find_ports

# Of one daemon and one pass: CPU time in milliseconds, and requests.
cost_of_a_pass() {
    local before requests_before
    cpu_of_daemons "${nodes[@]}"
    before=$reply requests_before="$(requests)"
    await_passes "$timed"
    cpu_of_daemons "${nodes[@]}"
    awk -v us=$((reply - before)) -v sent=$(($(requests) - requests_before)) -v passes="$timed" \
        'BEGIN { printf "%.2f %.1f", us / passes / 3 / 1000, sent / passes / 3 }'
}

requests() { cat "$root"/*/log/container.log | grep -c "REPLICATE " || true; }

# rest_after SED...: sets `seconds` to how long all nodes take after such a restart.
rest_after() {
    local began
    restart_nodes "$@"
    began="${EPOCHREALTIME/./}"
    await_rest $((120 + databases / 50))
    seconds="$(awk -v us=$((${EPOCHREALTIME/./} - began)) 'BEGIN { printf "%.1f", us / 1e6 }')"
}

# One, which is replicated, and then all others.
make_databases() {
    local number="$databases" node seconds
    databases=1
    "$bin/quickstart.lag" "$root" --fill --databases 1 --writes 0
    rest_after "${plain[@]}"
    databases="$number"
    for node in "${nodes[@]}"; do
        end_node TERM "$node"
        rm -rf "$root/$node"/cache/*
    done
    "$bin/quickstart.copies" "$root" --databases "$databases"
}

# Mounts a file system at $root whose files can share blocks. Its file has no name any more, so that
# its blocks are free when it is unmounted.
mount_file_system() {
    local file="$root.xfs"
    truncate -s 60G "$file"
    if ! { mkfs.xfs -q -m reflink=1 "$file" && mount -o loop,noatime "$file" "$root"; }; then
        rm -f "$file"
        die "--million: cannot make an XFS on $file and mount it"
    fi
    rm "$file"
}

# How the configuration of a node differs in the two parts of a row. What others ask is in the log of
# the second one.
plain=('/^walk_interval/d; /^log_level/d')
walking=("${plain[@]}" "\$a walk_interval = 0")
telling=("${plain[@]}" "\$a log_level = DEBUG")

measure() {
    local first walked rests sent pid memory files seconds
    for node in "${nodes[@]}"; do
        end_node TERM "$node"
        rm -rf "$root/$node/srv/sda" "$root/$node"/cache/*
        mkdir "$root/$node/srv/sda"
    done
    make_databases
    rest_after "${walking[@]}"
    first=$seconds
    read -r walked _ <<<"$(cost_of_a_pass)"
    rest_after "${telling[@]}"
    read -r rests sent <<<"$(cost_of_a_pass)"
    ! grep -q "Changes are not pushed" "$root"/*/log/container.log || rests="-"
    pid="$(daemons_of "$here")"
    memory="$(awk '$1 == "VmRSS:" { print $2 }' "/proc/$pid/status")"
    files="$(find "/proc/$pid/fd" -mindepth 1 | wc -l)"
    smallest="${smallest:-$databases $memory}"
    awk -v n="$databases" -v first="$first" -v rests="$rests" -v walked="$walked" \
        -v restart="$seconds" -v kb="$memory" -v files="$files" -v sent="$sent" \
        -v n0="${smallest% *}" -v kb0="${smallest#* }" 'BEGIN {
            grown = n > n0 ? sprintf("%.0f", (kb - kb0) * 1024 / (n - n0)) : "-"
            printf "%10d%9s%11s%12s%11s%8.1f%10s%7d%10s\n", n, first, walked, rests, restart,
                kb / 1024, grown, files, sent }'
}

# shellcheck disable=SC2034 # for nodes.sh
push=yes settings=$'databases_per_second = 0\npeer_hold = 1' options=(-v)
make_root
[ -z "$million" ] || mount_file_system
make_nodes
sed -i 's/^interval = .*/interval = 1/' "$root"/*/etc/container.conf
echo "$(nproc) processors, files in $root ($(stat -f -c %T "$root"))"
printf '\n%10s%9s%11s%12s%11s%8s%10s%7s%10s\n' databases "first s" "walked ms" "at rest ms" \
    "restart s" MB bytes/db files requests
smallest=""
for databases in "${numbers[@]}"; do
    [ "$databases" -lt 100000 ] || timed=3
    measure
done
# shellcheck disable=SC2034 # for nodes.sh
finished=yes
