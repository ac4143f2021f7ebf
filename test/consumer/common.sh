# Sourced by the consumer tests: a scratch directory that is removed, and quiet commands that show
# what they printed only when they fail. Where the kernel lets us, without any network: a build that
# fetches something would fail.
set -euo pipefail
if [ -z "${REPLICA_OFFLINE:-}" ] && unshare -rn true 2>/dev/null; then
    REPLICA_OFFLINE=1 exec unshare -rn "$0" "$@"
fi
root=$(cd "$(dirname "$0")/../.." && pwd)
here="$root/test/consumer"
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
want=$(sed -n 's/^inline constexpr int version_[a-z]* = \([0-9]*\);/\1/p' \
    "$root/include/replica/version.hpp" | paste -sd.)

quiet() {
    "$@" >"$scratch/log" 2>&1 </dev/null || { echo "failed: $*"; cat "$scratch/log"; exit 1; }
}

# expect_version PROGRAM: it runs, and it was compiled with the headers of this tree.
expect_version() {
    local got
    got=$("$1")
    [ "$got" = "$want" ] || { echo "$1 says '$got', not '$want'"; exit 1; }
    echo "$1: $got"
}
