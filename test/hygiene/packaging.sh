#!/usr/bin/env bash
# The Debian packages, from the daemons of this build: built twice and the same byte for byte, without
# fault to lintian; what is in them runs, and describes itself; the units are valid and confined.
set -euo pipefail
root=$(cd "$(dirname "$0")/../.." && pwd)

for tool in dpkg-buildpackage dh lintian systemd-analyze man; do
    command -v "$tool" >/dev/null || { echo "not run: $tool is not installed"; exit 77; }
done
[ -d "$REPLICA_BUILD_DIR/packaging" ] ||
    { echo "not run: only a build by CMake, without sanitizers, is packaged"; exit 77; }

scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
status=0
fail() { echo "FAILED: $*"; status=1; }
quiet() { "$@" >"$scratch/log" 2>&1 </dev/null || { cat "$scratch/log"; fail "$*"; return 1; }; }

for time in first second; do
    quiet "$root/packaging/build-deb.sh" "$scratch/$time" "$REPLICA_BUILD_DIR" || exit 1
done
for deb in "$scratch"/first/*.deb; do
    cmp "$deb" "$scratch/second/$(basename "$deb")" || fail "$deb is another one the second time"
done
quiet lintian --fail-on error,warning "$scratch"/first/*.changes || true

at="$scratch/root" control="$scratch/control"
mkdir "$at" "$control"
for deb in "$scratch"/first/*.deb; do
    dpkg-deb -x "$deb" "$at"
    dpkg-deb -e "$deb" "$control/$(basename "${deb%%_*}")"
done

# Nobody but the operator starts or enables anything, and Swift's is let alone. Only what runs is
# started anew after an upgrade, and stopped before it is removed.
scripts=("$control"/replica-*-replicator/{postinst,prerm,postrm})
! grep -nE 'dpkg-divert|deb-systemd-invoke (start|restart)|swift-' "${scripts[@]}" ||
    fail "a package's script does more than it should"
[ "$(grep -hoE 'deb-systemd-invoke [a-z-]+' "${scripts[@]}" | sort | uniq -c | xargs)" = \
    "2 deb-systemd-invoke stop 2 deb-systemd-invoke try-restart" ] || fail "an upgrade leaves a daemon as it is"
[ "$(grep -h -B1 -A2 'was-enabled' "${scripts[@]}" | grep -c 'helper enable')" = \
    "$(grep -h 'helper enable' "${scripts[@]}" | wc -l)" ] || fail "a service is enabled that was not"
[ -z "$(ls "$control"/libreplica-dev | grep -vx -e control -e md5sums)" ] || fail "libreplica-dev has a script"
! find "$at" -path '*swift-*' | grep . || fail "a file in the name of Swift's packages"
! find "$at" -path '*.wants/*' | grep . || fail "a service is enabled"

for kind in container account; do
    name=replica-$kind-replicator
    program="$at/usr/bin/$name" examples="$at/usr/share/doc/$name/examples"
    [ "$("$program" --version)" = "$REPLICA_VERSION" ] || fail "$name is of another version"
    "$program" --help >"$scratch/help"
    "$program" --print-config | diff - "$examples/$name.conf" || fail "$name.conf is stale"
    for page in man1/$name.1 man5/$name.conf.5; do
        LC_ALL=C.UTF-8 man --warnings -l "$at/usr/share/man/$page.gz" >"$scratch/page" 2>"$scratch/log" ||
            fail "$page cannot be read"
        [ ! -s "$scratch/log" ] || { cat "$scratch/log"; fail "$page has warnings"; }
        # Every word after -- and every option that the program knows is on its page.
        case "$page" in
        man1/*) sed -n '/^Options of the conf/q; s/^  \(-[a-z],\)\?\(--[a-z-]*\).*/\2/p' "$scratch/help" ;;
        man5/*) "$program" --print-config | sed -n 's/^#\([a-z_]*\) =.*/\1/p' ;;
        esac >"$scratch/words"
        [ "$(wc -l <"$scratch/words")" -gt 5 ] || fail "$name tells no options"
        while read -r word; do
            grep -q -- "^ \+\(-[a-z], \)\?$word" "$scratch/page" || fail "$page lacks $word"
        done <"$scratch/words"
    done
    got=$(bash -c '. "$1" && COMP_WORDS=(x --onc) COMP_CWORD=1 && $2 && echo "${COMPREPLY[@]}"' - \
        "$at/usr/share/bash-completion/completions/$name" "_${name//-/_}")
    [ "$got" = --once ] || fail "--onc is completed to '$got'"

    # verify looks for the program where the unit says.
    unit="$scratch/$name.service"
    found=$(find "$at" -name "$name.service")
    sed "s|=/usr/bin/$name|=$program|; /^Documentation=/d; /^Conflicts=/d" "$found" >"$unit"
    quiet systemd-analyze verify "$unit" || true
    [ ! -s "$scratch/log" ] || { cat "$scratch/log"; fail "$name.service has faults"; }
    grep -qx "ExecStart=/usr/bin/$name /etc/swift/$kind-server.conf" "$found" ||
        fail "$name.service starts another program"
    quiet systemd-analyze security --offline=true --threshold=20 "$found" || true
    mkdir -p "$unit.d"
    cp "$examples/passes-only.conf" "$unit.d/"
    quiet systemd-analyze security --offline=true --threshold=15 "$unit" || true
done

program="$at/usr/bin/replica"
[ "$("$program" --version)" = "$REPLICA_VERSION" ] || fail "replica is of another version"
LC_ALL=C.UTF-8 man --warnings -l "$at/usr/share/man/man1/replica.1.gz" >"$scratch/page" 2>"$scratch/log" ||
    fail "replica.1 cannot be read"
[ ! -s "$scratch/log" ] || { cat "$scratch/log"; fail "replica.1 has warnings"; }
for word in info rows status verify plan undo repair --json --config 'Exit codes'; do
    grep -q -- "$word" "$scratch/page" || fail "replica.1 lacks $word"
done
sed '1,/^EXAMPLES/d' "$scratch/page" >"$scratch/examples"
for command in info rows status verify plan undo repair; do
    grep -q "^ *replica $command " "$scratch/examples" || fail "replica.1 has no example of $command"
done
got=$(bash -c '. "$1" && COMP_WORDS=(x st) COMP_CWORD=1 && _replica && echo "${COMPREPLY[@]}"' - \
    "$at/usr/share/bash-completion/completions/replica")
[ "$got" = status ] || fail "st is completed to '$got'"

[ "$(PKG_CONFIG_PATH="$at/usr/share/pkgconfig" pkg-config --modversion replica)" = "$REPLICA_VERSION" ] ||
    fail "libreplica-dev is of another version"
diff <(cd "$root/include" && find . -name '*.hpp' | sort) <(cd "$at/usr/include" && find . -name '*.hpp' | sort) ||
    fail "not all headers are in libreplica-dev"
cmp "$root/packaging/gdb/replica.py" "$at/usr/share/replica/gdb/replica.py" ||
    fail "libreplica-dev has no printers for gdb"
# Who installs the tree without a component gets the headers only.
quiet cmake --install "$REPLICA_BUILD_DIR" --prefix "$scratch/plain" || true
[ "$(ls "$scratch/plain" | xargs)" = "include share" ] || fail "cmake --install brings more than the headers"
exit "$status"
