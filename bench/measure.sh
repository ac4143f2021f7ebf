# Whole passes of one node's container replicator, measured: what pass.sh and versus_swift.sh have
# in common. Sourced in the root of the tree. Three nodes on 127.0.0.1 to 127.0.0.3: the first has
# all databases, each with two replicas to care for, the others answer.

# shellcheck source=example/quickstart/nodes.sh
. example/quickstart/nodes.sh

databases=1000 rows=100 runs=3 timed=20 many=100000 ports="" keep="" added=10
nodes=(127.0.0.1 127.0.0.2 127.0.0.3)
devices=([127.0.0.1]=sda [127.0.0.2]=sda [127.0.0.3]=sda)
# shellcheck disable=SC2034 # for nodes.sh
kinds=(container) settings="databases_per_second = 0"
here="${nodes[0]}" peers=("${nodes[@]:1}")

# parse_options ARGUMENT...: sets databases, rows, many, runs and ports. The caller has a usage().
parse_options() {
    while [ $# -gt 0 ]; do
        case "$1" in
        --help | -h) usage; exit 0 ;;
        --small) databases=20 rows=20 runs=1 timed=3 many=200 ;;
        --rsync) settings+=$'\npush_files = no' ;;
        --databases | --rows | --many | --runs | --ports)
            [ $# -ge 2 ] || { usage >&2; exit 2; }
            [[ "$2" =~ ^[1-9][0-9]{0,5}$ ]] || die "$1 $2: not a whole number from 1 to 999999"
            declare -g "${1#--}=$2"
            shift ;;
        *) echo "${0##*/}: unknown option $1" >&2; usage >&2; exit 2 ;;
        esac
        shift
    done
    [ -z "$ports" ] || [[ "$ports" -ge 1023 && "$ports" -le 65532 ]] ||
        die "--ports $ports: not a number from 1023 to 65532"
}

# The programs of $REPLICA_BUILD_DIR, or new ones.
find_programs() {
    if [ -n "${REPLICA_BUILD_DIR:-}" ]; then
        bin="$REPLICA_BUILD_DIR/example"
    else
        build_release quickstart.load quickstart.compare
    fi
}

# The first ports that are free from 6300 up, unless they were said. A run that begins at the same
# time would find them free as well, so a lock that ends with this run stands for them.
find_ports() {
    if [ -z "$ports" ]; then
        for ((ports = 6300; ports < 6900; ports += 10)); do
            exec {ports_lock}>>"${TMPDIR:-/tmp}/replica-bench-$UID-$ports"
            flock -n "$ports_lock" && [ -z "$(port_in_use)" ] && break
            exec {ports_lock}>&-
        done
    fi
    check_ports
}

# What a run says of itself, before it begins.
describe_run() {
    echo "$databases databases of $rows rows; medians, runs: $runs, $(nproc) processors," \
        "files in $root ($(stat -f -c %T "$root"))"
}

# --- measuring --------------------------------------------------------------------------------------

# Of each pass by its name, all runs: microseconds and kB. CPU time is user and system time.
declare -A walls=() replicator_cpus=() server_cpus=() rsync_cpus=() peaks=()

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

# ticks_of PID: CPU time of a process in `own`, and of its children that have ended and been waited
# for in `ended_children`, both in steps of 10 ms. Uses no other program.
ticks_of() {
    local stat fields
    read -r stat <"/proc/$1/stat" || return
    # shellcheck disable=SC2206 # a list of numbers, from the process's state on
    fields=(${stat##*)})
    own=$((fields[11] + fields[12])) ended_children=$((fields[13] + fields[14]))
}

# Microseconds of one step.
tick=$((1000000 / $(getconf CLK_TCK)))

# CPU time of the peers, in microseconds: `servers` of daemons with their workers, `rsyncs` of rsync
# daemons.
cpu_of_peers() {
    local node pid each name own ended_children workers
    servers=0 rsyncs=0
    for node in "${peers[@]}"; do
        for pid in ${processes[$node]}; do
            read -r name <"/proc/$pid/comm"
            workers=""
            read -r workers <"/proc/$pid/task/$pid/children" || true
            for each in $pid $workers; do
                ticks_of "$each" || continue # it has just ended, and counts with its parent
                if [ "$name" = rsync ]; then
                    rsyncs=$((rsyncs + (own + ended_children) * tick))
                else
                    servers=$((servers + (own + ended_children) * tick))
                fi
            done
        done
    done
}

# watch PID FILE: adds a line to the file whenever one of these has changed: the highest amount of
# memory that the process has had, in kB, and the CPU time of its children. Ends the process after
# ten minutes. It only stops looking when it is ended itself, so that its own CPU time does not
# count for the pass. Uses no other program: it would slow down what is measured.
watch() {
    local key value own ended_children idle seen="" until=$((SECONDS + 600))
    exec {idle}<> <(:)
    while :; do
        while read -r key value _; do
            [ "$key" != VmHWM: ] || break
        done <"/proc/$1/status"
        if [ "$key" = VmHWM: ] && ticks_of "$1" && [ "$seen" != "$value $ended_children" ]; then
            seen="$value $ended_children"
            echo "$seen" >>"$2"
        fi
        [ "$SECONDS" -lt "$until" ] || kill -KILL "$1"
        read -r -t 0.02 -u "$idle" || true
    done 2>/dev/null
}

# run_pass NAME COMMAND...: one pass of the first node, measured under this name. In a session of
# its own, since Swift's programs end their whole process group. Afterwards nothing of the pass is
# counted twice: the watcher is waited for only when the figures are taken.
run_pass() {
    local name="$1" began ended cpu servers_before rsyncs_before seen peak clients status=0
    shift
    rm -f "$root/$here/cache/container.recon"
    echo 0 0 >"$root/seen"
    cpu_of_peers
    servers_before=$servers rsyncs_before=$rsyncs
    cpu_of_children
    cpu=$reply
    began="${EPOCHREALTIME/./}"
    setsid "$@" </dev/null >>"$root/$here/log/once.log" 2>&1 &
    passes=("$!")
    watch "$!" "$root/seen" &
    passes+=("$!")
    wait "${passes[0]}" || status=$?
    ended="${EPOCHREALTIME/./}"
    cpu_of_children
    end_processes TERM "${passes[1]}"
    passes=()
    [ "$status" = 0 ] || { cat "$root/$here/log/once.log" >&2; die "$name: the replicator's status was $status"; }
    mapfile -t seen <"$root/seen"
    peak="${seen[-1]% *}" clients=$((${seen[-1]#* } * tick))
    cpu_of_peers
    walls[$name]+=" $((ended - began))"
    replicator_cpus[$name]+=" $((reply - cpu - clients))"
    server_cpus[$name]+=" $((servers - servers_before))"
    rsync_cpus[$name]+=" $((rsyncs - rsyncs_before + clients))"
    peaks[$name]+=" $peak"
}

# --- services ---------------------------------------------------------------------------------------

# restart_nodes SED...: ends all daemons, changes their configuration, and starts them again. What
# they said of their last passes is gone.
restart_nodes() {
    local node change
    for node in "${nodes[@]}"; do
        end_node TERM "$node"
        rm -f "$root/$node/cache/container.recon"
        for change in "$@"; do
            sed -i "$change" "$root/$node/etc/container.conf"
        done
        start_node "$node"
    done
}

# Ids of the daemons of some nodes, without those of rsync.
daemons_of() {
    local node pid name
    for node in "$@"; do
        for pid in ${processes[$node]}; do
            read -r name <"/proc/$pid/comm"
            [ "$name" = rsync ] || echo "$pid"
        done
    done
}

# CPU time of the daemons of some nodes in microseconds, in `reply`.
cpu_of_daemons() {
    local pid own ended_children sum=0
    for pid in $(daemons_of "$@"); do
        ticks_of "$pid"
        sum=$((sum + own * tick))
    done
    reply=$sum
}

# last_pass NODE KEY: a number that a service says of its last pass; empty before that.
last_pass() {
    local line recon="$root/$1/cache/container.recon"
    [ -f "$recon" ] || return 0
    line="$(<"$recon")"
    [[ ! "$line" =~ \"$2\":\ ?(-?[0-9.]+) ]] || echo "${BASH_REMATCH[1]}"
}

# await_rest SECONDS: until on no node a pass opens a database.
await_rest() {
    local node until=$((SECONDS + $1))
    for node in "${nodes[@]}"; do
        until [[ "$(last_pass "$node" at_rest)" -ge "$databases" ]]; do
            [ "$SECONDS" -lt "$until" ] || die "the databases of $node do not come to rest"
            sleep 0.2
        done
    done
}

# await_passes NUMBER: until the first node has ended so many more passes.
await_passes() {
    local ended=0 last now until=$((SECONDS + 60 + $1 * (10 + databases / 5000)))
    last="$(last_pass "$here" replication_last)"
    while [ "$ended" -lt "$1" ]; do
        sleep 0.05
        now="$(last_pass "$here" replication_last)"
        [ "$now" = "$last" ] || ended=$((ended + 1))
        last="$now"
        [ "$SECONDS" -lt "$until" ] || die "the passes of $here do not come to an end"
    done
}

# run_resting NAME: all nodes are services with a pass in each second. Waits until all databases rest,
# and measures `timed` passes. The figures are of one pass; each node's are those of its daemon.
run_resting() {
    local name="$1" own_before peers_before memory pid
    await_rest 120
    cpu_of_daemons "$here"
    own_before=$reply
    cpu_of_daemons "${peers[@]}"
    peers_before=$reply
    await_passes "$timed"
    cpu_of_daemons "$here"
    replicator_cpus[$name]+=" $(((reply - own_before) / timed))"
    cpu_of_daemons "${peers[@]}"
    server_cpus[$name]+=" $(((reply - peers_before) / timed))"
    rsync_cpus[$name]+=" 0"
    walls[$name]+=" $(awk -v s="$(last_pass "$here" replication_time)" 'BEGIN { print int(s * 1e6) }')"
    pid="$(daemons_of "$here")"
    memory="$(awk '$1 == "VmHWM:" { print $2 }' "/proc/$pid/status")"
    peaks[$name]+=" $memory"
}

# settle COMMAND...: one pass of each peer, so that the first node knows that nobody has anything for
# it. Without it ours would not look for what can be reclaimed, which Swift always does. Then one of
# the first node, in which ours notes in each database that it agrees with its peers: it does so
# twice in a reclaim_age, and otherwise a pass with nothing to do writes nothing.
settle() {
    local node log
    for node in "${peers[@]}" "$here"; do
        log="$root/$node/log/once.log"
        setsid "${@//"$root/$here"/"$root/$node"}" </dev/null >>"$log" 2>&1 &
        passes=("$!")
        wait "${passes[0]}" || { cat "$log" >&2; die "the pass of $node failed"; }
        passes=()
    done
}

# --- what a pass has done ---------------------------------------------------------------------------

# What a replicator of ours writes into its recon file, and what Swift's does.
our_counters=(attempted at_rest success failure no_change hashmatch rsync remote_merge diff
    diff_capped remove deferred rows bytes quarantined kept reidentified diverged errors)
# shellcheck disable=SC2034 # for expect's callers
stock_counters=(attempted success failure no_change hashmatch rsync remote_merge diff diff_capped
    remove deferred empty)

# expect PASS COUNTERS COUNTER=NUMBER...: of the counters in the array of this name these, and 0 for
# all others.
expect() {
    local pass="$1" key value wrong="" recon="$root/$here/cache/container.recon"
    local -n known="$2"
    shift 2
    [ -s "$recon" ] || die "the pass '$pass' has left no figures"
    local -A wanted=()
    for value in "$@"; do
        wanted[${value%=*}]="${value#*=}"
    done
    for key in "${known[@]}"; do
        value="$(count "$recon" "$key")"
        if [ "$value" != "${wanted[$key]:-0}" ]; then
            wrong+="  $key is ${value:-missing}, not ${wanted[$key]:-0}"$'\n'
        fi
    done
    [ -z "$wrong" ] || die "the pass '$pass' was another one:"$'\n'"$wrong"
}

bytes_of_files() {
    find "$root/$here/srv" -name '*.db' -printf '%s\n' | awk '{ sum += $1 } END { print sum + 0 }'
}

empty_devices() {
    local node
    for node in "${nodes[@]}"; do
        rm -rf "$root/$node/srv/sda"
        mkdir "$root/$node/srv/sda"
    done
}

# compare DATABASES ROWS: all replicas of so many databases with so many rows each, row by row, by a
# program that shares no code with the replicators.
compare() {
    local wanted="$1 databases, $(($1 * $2)) rows, 3 replicas each: identical"
    verdict="$("$bin/quickstart.compare" "$root")" || die "the replicas differ: $verdict"
    [ "$verdict" = "$wanted" ] || die "the end should be '$wanted', not '$verdict'"
}

# --- figures ----------------------------------------------------------------------------------------

# median NUMBER...
median() {
    printf '%s\n' "$@" | sort -n | awk '
        { value[NR] = $1 }
        END { print int((value[int((NR + 1) / 2)] + value[int((NR + 2) / 2)]) / 2) }'
}

# medians PASS: wall, replicator, servers, rsync, sum of the last three, peak.
medians() {
    local wall replicator server rsync peak
    # shellcheck disable=SC2086 # lists of numbers
    wall="$(median ${walls[$1]})" replicator="$(median ${replicator_cpus[$1]})" \
        server="$(median ${server_cpus[$1]})" rsync="$(median ${rsync_cpus[$1]})" \
        peak="$(median ${peaks[$1]})"
    echo "$wall $replicator $server $rsync $((replicator + server + rsync)) $peak"
}

table_head() {
    printf '\n%-24s%9s%12s%9s%8s%9s%9s%13s\n' "" "wall s" replicator servers rsync "all CPU" \
        "peak MB" databases/s
}

# table_row LABEL PASS DATABASES
table_row() {
    medians "$2" | awk -v label="$1" -v databases="$3" '{
        printf "%-24s%9.2f%12.2f%9.2f%8.2f%9.2f%9.1f%13.0f\n", label, $1 / 1e6, $2 / 1e6, $3 / 1e6,
            $4 / 1e6, $5 / 1e6, $6 / 1024, databases / $1 * 1e6 }'
}

# ratio_row LABEL PASS OTHER: the second's figures by the third's.
ratio_row() {
    { medians "$2"; medians "$3"; } | awk -v label="$1" '
        function ratio(i) { return $i > 0 ? sprintf("%.1f", top[i] / $i) : "-" }
        NR == 1 { for (i = 1; i <= NF; i++) top[i] = $i }
        NR == 2 { printf "%-24s%9s%12s%9s%8s%9s%9s\n", label, ratio(1), ratio(2), ratio(3),
            ratio(4), ratio(5), ratio(6) }'
}
