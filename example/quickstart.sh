#!/usr/bin/env bash
# Shows the replicators at work on this machine: four nodes on loopback, the installed Debian
# packages as data, a lost disk, a node that was away, a deletion. Ends with a comparison of all.
set -euo pipefail
cd "$(dirname "$0")/.."
export LC_ALL=C
# shellcheck source=example/quickstart/nodes.sh
. example/quickstart/nodes.sh

usage() {
    cat <<'EOF'
Usage: example/quickstart.sh [option...]

Builds the daemons and runs four nodes on 127.0.0.1 to 127.0.0.4, each with its own disks, an rsync
daemon, a container replicator and an account replicator. Every installed Debian package becomes a
container and each of its files a row. The databases start incomplete or in the wrong place; passes
run until there is nothing left to do. Then a disk is lost, a node is away for a while, and a
container is deleted. In the end every replica is compared with every other.

  --max-objects N  load N files at most (default 200000)
  --ports BASE     listen on BASE+1, BASE+2 and BASE+3 of each address (default 6200)
  --keep DIR       make the nodes in DIR, which is new or empty, and leave them there
  --with-swift     instead of all this: a stock Swift cluster under load, each of whose nodes gets our
                   replicators for a while; in the end nothing that was acknowledged may be missing.
                   Needs Swift's Debian packages; none of their services is started
  --no-install     do not look for missing packages
  --help           this text

Needs Debian 12; missing packages are installed with apt, as root or through sudo. Takes less than
five minutes. What it started is stopped at the end, also when it is interrupted.
EOF
}

max_objects=200000 ports=6200 keep="" install=yes with_swift=""
while [ $# -gt 0 ]; do
    case "$1" in
    --help | -h) usage; exit 0 ;;
    --no-install) install=no ;;
    --with-swift) with_swift=yes ;;
    --max-objects | --ports | --keep)
        [ $# -ge 2 ] || { usage >&2; exit 2; }
        case "$1" in
        --max-objects) max_objects="$2" ;;
        --ports) ports="$2" ;;
        --keep) keep="$2" ;;
        esac
        shift ;;
    *) echo "quickstart.sh: unknown option $1" >&2; usage >&2; exit 2 ;;
    esac
    shift
done
[[ "$max_objects" =~ ^[1-9][0-9]{0,8}$ ]] || die "--max-objects $max_objects: not a whole number from 1 up"
[[ "$ports" =~ ^[1-9][0-9]{0,4}$ && "$ports" -ge 1023 && "$ports" -le 65532 ]] ||
    die "--ports $ports: not a number from 1023 to 65532"
[ -d /var/lib/dpkg/info ] || die "/var/lib/dpkg/info is not there: the data are Debian's packages"

# shellcheck disable=SC2034 # for nodes.sh
options=(-v)
nodes=(127.0.0.1 127.0.0.2 127.0.0.3 127.0.0.4)
kinds=(container account)
devices=([127.0.0.1]="sda sdb" [127.0.0.2]="sda sdb" [127.0.0.3]="sda" [127.0.0.4]="sda")
settings='databases_per_second = 0
concurrency = 4
# All nodes send at once, and each has few disks to receive on.
receiver_limit = 32
# Smaller than usual, so that some of our small databases take the way of large ones.
per_diff = 100
'

# --- what is needed ---------------------------------------------------------------------------------

prepare() {
    # shellcheck source=.ci/packages.sh
    . .ci/packages.sh
    if [ "$install" = yes ]; then
        # shellcheck disable=SC2086 # lists of words
        replica_install $replica_packages_build $replica_packages_run \
            ${with_swift:+$replica_packages_swift} || exit 1
    fi
    # shellcheck disable=SC2046 # nothing or two words
    build_release $([ -n "$with_swift" ] || echo quickstart.load quickstart.compare)
}

# --- passes -----------------------------------------------------------------------------------------

# What is counted, by the names of the recon files, and how it is called here.
counters=(attempted no_change hashmatch diff rsync remote_merge remove failure rows bytes)
titles=("looked at" "no change" "same hash" "rows sent" "copied" "merged" "removed" "failed" rows "file bytes")
declare -A round=() total=() overall=()

# line LABEL ARRAY
line() {
    local -n figures="$2"
    local key
    printf '  %-10s' "$1"
    for key in "${counters[@]}"; do
        printf '%11d' "${figures[$key]:-0}"
    done
    printf '%9.1f\n' "$((${figures[us]:-0} / 1000))e-3"
}

heading() {
    printf '\n%s  [after %d s]\n' "$1" "$SECONDS"
}

table_head() {
    printf '  %-10s' ""
    printf '%11s' "${titles[@]}"
    printf '%9s\n' seconds
    total=([us]=0)
}

# One pass of every replicator of the nodes that are up.
run_round() {
    local node kind key pid value who began="${EPOCHREALTIME/./}" failed="" names=()
    round=() passes=()
    for node in "${nodes[@]}"; do
        for kind in "${kinds[@]}"; do
            [ -n "${processes[$node]:-}" ] || continue
            rm -f "$root/$node/cache/$kind.recon"
            timeout -k 5 200 "$bin/${kind}_replicator" "$root/$node/etc/$kind.conf" --once -v \
                </dev/null >>"$root/$node/log/$kind-once.log" 2>&1 &
            passes+=("$!") names+=("$node $kind")
        done
    done
    for pid in "${!passes[@]}"; do
        wait "${passes[$pid]}" || failed="${names[$pid]}"
    done
    passes=()
    if [ -n "$failed" ]; then
        tail -n 20 "$root/${failed% *}/log/${failed#* }-once.log" >&2
        die "the pass of the ${failed#* } replicator on ${failed% *} failed"
    fi
    round[us]=$((${EPOCHREALTIME/./} - began))
    for who in "${names[@]}"; do
        for key in "${counters[@]}" diff_capped kept errors; do
            value="$(count "$root/${who% *}/cache/${who#* }.recon" "$key")"
            round[$key]=$((${round[$key]:-0} + ${value:?"no $key in the recon file of $who"}))
        done
    done
    for key in "${!round[@]}"; do
        total[$key]=$((${total[$key]:-0} + round[$key]))
        overall[$key]=$((${overall[$key]:-0} + round[$key]))
    done
}

# Rounds until one finds nothing to do.
converge() {
    local number most=10
    table_head
    for ((number = 1; number <= most; number++)); do
        run_round
        line "pass $number" round
        if [ $((round[diff] + round[rsync] + round[remote_merge] + round[remove] + round[failure] + \
            round[diff_capped] + round[kept] + round[errors])) = 0 ]; then
            line sum total
            return
        fi
    done
    "$bin/quickstart.compare" "$root" || true
    grep -hiE 'error|fail|refuse' "$root"/*/log/*-once.log | tail -n 10 >&2 || true
    die "there is still something to do after $most passes"
}

# Not what is in the trash of the device, which may have neither directory yet.
databases_in() { { find "$1/containers" "$1/accounts" -name '*.db' 2>/dev/null || true; } | wc -l; }

# watch_refill DEVICE WANTED: says how far the refill is, from a tenth on, and how long it will
# take; at the end, how good the first of these guesses was. The time counts from the first database.
watch_refill() {
    local have began="" past step=1 guess=""
    while [ "$2" -gt 0 ]; do
        have="$(databases_in "$1")"
        if [ "$have" -gt 0 ]; then
            : "${began:=${EPOCHREALTIME/./}}"
            past=$((${EPOCHREALTIME/./} - began))
            if [ "$have" = "$2" ]; then
                printf '  refilled in %4.1f s' "$((past / 1000))e-3"
                [ -z "$guess" ] || printf '; at a tenth it was said to be %4.1f s' "$((guess / 1000))e-3"
                echo
                return
            fi
            if [ "$((have * 10 / $2))" -ge "$step" ]; then
                : "${guess:=$((past * $2 / have))}"
                printf '  refilling: %5d of %d databases, about %4.1f s more\n' "$have" "$2" \
                    "$((past * ($2 - have) / have / 1000))e-3"
                step=$((have * 10 / $2 + 1))
            fi
        fi
        sleep 0.1
    done
}

compare() { "$bin/quickstart.compare" "$root" || die "the replicas differ"; }

# --- the show ---------------------------------------------------------------------------------------

prepare
[ -z "$with_swift" ] || exec example/quickstart/with_swift.py --bin "$bin"
stop_all_at_the_end
check_ports
make_root
make_nodes
heading "Starting 4 nodes in $root, ports $((ports + 1)), $((ports + 2)) and $((ports + 3))"
for node in "${nodes[@]}"; do
    start_node "$node"
done

heading "Loading the packages of this machine, $max_objects files at most"
"$bin/quickstart.load" "$root" fill --max-objects "$max_objects"
echo "  $(du -sm "$root" | cut -f1) MB in $root"

heading "Replicating"
cat <<'EOF'
  no change, same hash: the peer had all rows, known by the sync point or by the hash of the rows
  rows sent: the peer got the rows that it did not have ("diff"; Swift calls it usync)
  copied:    the peer had nothing, and the whole file was sent to it
  merged:    the peer had little, got the whole file and merged its own rows into it
  failed:    the peer was busy with this database, by another sender; the next pass tries again
EOF
converge
compare

lost=127.0.0.2
heading "The disk sda of $lost is lost and replaced by an empty one"
wanted="$(databases_in "$root/$lost/srv/sda")"
rm -rf "${root:?}/$lost/srv/sda"
mkdir "$root/$lost/srv/sda"
watch_refill "$root/$lost/srv/sda" "$wanted" &
processes[refill]="$!"
converge
end_node TERM refill
compare

away=127.0.0.3
heading "Node $away is killed, its peers get new rows for databases that it has too"
end_node KILL "$away"
"$bin/quickstart.load" "$root" add --down "$away" --rows 1000
table_head
run_round
line "pass" round
echo "  (failed: what could not be told to $away)"
heading "Node $away is back"
start_node "$away"
converge
compare

deleted="$("$bin/quickstart.load" "$root" remove)"
heading "Container AUTH_debian/$deleted has been deleted, on one of its nodes"
"$bin/quickstart.compare" "$root" --show "/AUTH_debian/$deleted"
converge
"$bin/quickstart.compare" "$root" --show "/AUTH_debian/$deleted"
echo "  Its databases stay until reclaim_age (a week): a node that is away now must hear of it."

heading "All passes together"
table_head
line "sum" overall
[ -z "$keep" ] || echo "  The nodes are left in $root"

heading "Comparing every row and column of every replica"
finished=yes
"$bin/quickstart.compare" "$root"
