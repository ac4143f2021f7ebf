# Nodes on loopback addresses, each with its own disks, rings, configuration, rsync daemon and
# replicators. Sourced by quickstart.sh and bench/measure.sh, in the root of the tree. They say in
#
#   nodes      the addresses; the tools for the data read ring and swift.conf of 127.0.0.1
#   devices    of each node, by its address
#   kinds      whose replicators are started: container, account or both
#   push       push_changes of every replicator: no unless set
#   settings   lines for the configuration of every replicator
#   rings      how the names of ring files end after the kind: -ring.json unless set
#   options    arguments of every daemon
#   ports      the number before the three ports that daemons listen on
#   keep       the directory of the nodes; empty: a temporary one, removed unless something fails
#
# what they want, and set `finished` when all went well.

nodes=() kinds=() options=() passes=() # passes: ids of those that run now
declare -A devices=() processes=()     # processes: ids of rsync and the daemons of each node
settings="" rings=-ring.json root="" finished="" push=no
bin=build/release/example

die() {
    echo "${0##*/}: $*" >&2
    exit 1
}

# build_release TARGET...: the daemons and these programs.
build_release() {
    local log="build/${0##*/}"
    log="${log%.sh}.log"
    echo "Building the release preset"
    mkdir -p build
    cmake --preset release >"$log" 2>&1 || { cat "$log" >&2; die "cmake failed"; }
    cmake --build --preset release --target "${kinds[@]/%/_replicator}" "$@" || die "the build failed"
}

make_root() {
    if [ -n "$keep" ]; then
        mkdir -p "$keep" || die "--keep $keep: cannot be made"
        [ -z "$(ls -A "$keep")" ] || die "--keep $keep: is not empty"
        root="$(cd "$keep" && pwd -P)"
    else
        root="$(mktemp -d "${TMPDIR:-/tmp}/replica-$(basename "$0" .sh).XXXXXX")"
    fi
    [[ "$root" =~ ^[A-Za-z0-9./_+-]+$ ]] ||
        die "$root: only letters, digits and . / _ + - may be in the directory's name"
}

listens() { (exec 3<>"/dev/tcp/$1/$2") 2>/dev/null; }

# The first of our ports that somebody else has.
port_in_use() {
    local node port
    for node in "${nodes[@]}"; do
        for port in $((ports + 1)) $((ports + 2)) $((ports + 3)); do
            if listens "$node" "$port"; then
                echo "port $port of $node"
                return
            fi
        done
    done
}

check_ports() {
    local port
    port="$(port_in_use)"
    [ -z "$port" ] || die "$port is in use; choose others with --ports"
}

# port_of NAME
port_of() {
    case "$1" in
    container) echo $((ports + 1)) ;;
    account) echo $((ports + 2)) ;;
    rsync) echo $((ports + 3)) ;;
    esac
}

# write_ring KIND
write_ring() {
    local node device id=0 comma="" port
    port="$(port_of "$1")"
    echo '{"part_power": 8, "replicas": 3, "devices": ['
    for node in "${nodes[@]}"; do
        for device in ${devices[$node]}; do
            printf '%s {"id": %d, "zone": %d, "ip": "%s", "port": %d, "device": "%s", "weight": 100}' \
                "$comma" "$id" "${node##*.}" "$node" "$port" "$device"
            comma=$',\n' id=$((id + 1))
        done
    done
    printf '\n]}\n'
}

# write_conf NODE KIND
write_conf() {
    local port
    port="$(port_of "$2")"
    cat <<END
[DEFAULT]
devices = $root/$1/srv
mount_check = false
bind_ip = $1
bind_port = $port
swift_dir = $root/$1/etc
user = $(id -un)
log_address = $root/$1/no-syslog

[$2-replicator]
ring = $root/$1/etc/$2$rings
# In a cluster without Swift's servers ours answers at the ring's own port.
replica_port = $port
rsync_module = rsync://{replication_ip}:$(port_of rsync)/$2
recon_cache_path = $root/$1/cache
# Passes are run by the script, one after the other, so that it can count what each has done.
interval = 100000000
push_changes = $push
conn_timeout = 5
node_timeout = 30
$settings
END
}

write_rsyncd_conf() {
    local kind
    [ "$(id -u)" != 0 ] || printf 'uid = %s\ngid = %s\n' "$(id -u)" "$(id -g)"
    echo 'use chroot = no'
    echo 'reverse lookup = no'
    for kind in container account; do
        printf '[%s]\npath = %s\nread only = no\nlist = no\n' "$kind" "$root/$1/srv"
    done
}

make_nodes() {
    local node device kind
    for node in "${nodes[@]}"; do
        mkdir -p "$root/$node"/{etc,srv,cache,log}
        for device in ${devices[$node]}; do
            mkdir "$root/$node/srv/$device"
        done
        printf '[swift-hash]\nswift_hash_path_suffix = quickstart\n' >"$root/$node/etc/swift.conf"
        for kind in container account; do
            write_ring "$kind" >"$root/$node/etc/$kind-ring.json"
            write_conf "$node" "$kind" >"$root/$node/etc/$kind.conf"
        done
        write_rsyncd_conf "$node" >"$root/$node/etc/rsyncd.conf"
    done
}

# start NODE NAME COMMAND...
start() {
    local node="$1" port log="$root/$1/log/$2.log" tries
    port="$(port_of "$2")"
    shift 2
    "$@" </dev/null >>"$log" 2>&1 &
    processes[$node]+=" $!"
    for ((tries = 0; tries < 600; tries++)); do
        if ! kill -0 "$!" 2>/dev/null; then
            break
        fi
        if listens "$node" "$port"; then
            return
        fi
        sleep 0.05
    done
    tail -n 20 "$log" >&2
    die "$1 does not listen on $node:$port"
}

start_rsync() {
    start "$1" rsync rsync --daemon --no-detach --config="$root/$1/etc/rsyncd.conf" \
        --address="$1" --port="$(port_of rsync)"
}

start_node() {
    local kind
    start_rsync "$1"
    for kind in "${kinds[@]}"; do
        start "$1" "$kind" "$bin/${kind}_replicator" "$root/$1/etc/$kind.conf" "${options[@]}"
    done
}

# end_processes SIGNAL PID...: waits 5 s for each, then kills. Keeps Bash from reporting each end.
end_processes() {
    local signal="$1" pid tries
    shift
    {
        for pid in "$@"; do
            kill "-$signal" "$pid" || true
        done
        for pid in "$@"; do
            for ((tries = 0; tries < 50; tries++)); do
                kill -0 "$pid" || break
                sleep 0.1
            done
            kill -KILL "$pid" || true
            wait "$pid" || true
        done
    } 2>/dev/null
}

# end_node SIGNAL NODE
end_node() {
    # shellcheck disable=SC2086 # a list of numbers
    end_processes "$1" ${processes[$2]:-}
    unset "processes[$2]"
}

# shellcheck disable=SC2317 # the trap's
clean_up() {
    local code=$? node all=("${passes[@]}")
    trap '' INT TERM HUP
    for node in "${!processes[@]}"; do
        # shellcheck disable=SC2206 # a list of numbers
        all+=(${processes[$node]})
    done
    end_processes TERM "${all[@]}"
    if [ -n "$root" ] && [ -z "$keep" ] && [ -d "$root" ]; then
        if [ -n "$finished" ] || [ "$code" -gt 128 ]; then
            ! mountpoint -q "$root" || umount "$root" # of bench/scale.sh
            rm -rf "$root"
        else
            echo "${0##*/}: failed; nodes and logs are left in $root" >&2
        fi
    fi
    exit "$code"
}

stop_all_at_the_end() {
    trap clean_up EXIT
    trap 'exit 129' HUP
    trap 'exit 130' INT
    trap 'exit 143' TERM
}

# count FILE KEY: a number in a recon file.
count() { sed -n "s/.*\"$2\": \([0-9]*\).*/\1/p" "$1"; }
