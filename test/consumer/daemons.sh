#!/usr/bin/env bash
# Both builds install the same files of the daemons and the tool, each part under the name of its
# package. The programs, and the pages that they make of themselves, are empty files here: to build
# them takes minutes, and hygiene/packaging.sh looks at what is in them.
. "$(dirname "$0")/common.sh"

programs=(account_replicator container_replicator replica_tool)
pages=(replica.{1,bash} replica-{account,container}-replicator.{1,bash,conf,conf.5})
components=(libreplica-dev replica-tools replica-{account,container}-replicator)

quiet cmake -S "$root" -B "$scratch/build-cmake" -G Ninja -DREPLICA_TESTS=OFF -DREPLICA_BENCH=OFF
touch "${programs[@]/#/$scratch/build-cmake/example/}" "${pages[@]/#/$scratch/build-cmake/packaging/}"
for component in "${components[@]}"; do
    DESTDIR="$scratch/cmake" quiet cmake --install "$scratch/build-cmake" --prefix /usr \
        --component "$component"
done

meson_options=(--prefix /usr -Dtests=disabled -Dbench=disabled -Dheaders=disabled)
quiet meson setup "$scratch/build-meson" "$root" "${meson_options[@]}" -Ddaemons=true
touch "$scratch"/build-meson/example/replica{,-account-replicator,-container-replicator} \
    "${pages[@]/#/$scratch/build-meson/packaging/}" \
    "$scratch"/build-meson/packaging/replica{,-account-replicator,-container-replicator}
DESTDIR="$scratch/meson" quiet meson install -C "$scratch/build-meson" --no-rebuild

# Only Meson installs folders without a header, and git does not know them.
find "$scratch/meson" -type d -empty -delete
diff -r "$scratch/cmake" "$scratch/meson" || { echo "the builds install different files"; exit 1; }
modes() { (cd "$1" && find . -type f -printf '%m %p\n' | sort); }
diff <(modes "$scratch/cmake") <(modes "$scratch/meson") || { echo "of other modes"; exit 1; }
for page in "${pages[@]}"; do
    find "$scratch/meson" -name "${page%.bash}" | grep -q . || { echo "$page is not there"; exit 1; }
done
# What the operator's page leads to is installed beside it.
manuals=$(find "$scratch/cmake" -name operations.md)
[ "$(wc -w <<<"$manuals")" = 2 ] || { echo "operations.md is not in both packages"; exit 1; }
for manual in $manuals; do
    links=$(grep -oE '\]\([^)#:]+\)' "$manual" | sed 's/^](//; s/)$//' | sort -u)
    [ -n "$links" ]
    for link in $links; do
        [ -f "$(dirname "$manual")/$link" ] || { echo "$manual: $link leads nowhere"; exit 1; }
    done
done
grep -qx "ExecStart=/usr/bin/replica-account-replicator /etc/swift/account-server.conf" \
    "$scratch/meson/usr/lib/systemd/system/replica-account-replicator.service"

# A part alone, by the name of its package; and nothing of a daemon for who did not ask for any.
for component in replica-tools replica-{account,container}-replicator; do
    DESTDIR="$scratch/one-cmake/$component" quiet cmake --install "$scratch/build-cmake" \
        --prefix /usr --component "$component"
    DESTDIR="$scratch/one-meson/$component" quiet meson install -C "$scratch/build-meson" \
        --no-rebuild --tags "$component"
done
diff -r "$scratch/one-cmake" "$scratch/one-meson" || { echo "a tag is no component"; exit 1; }
quiet meson setup "$scratch/plain" "$root" "${meson_options[@]}"
meson introspect "$scratch/plain" --installed >"$scratch/installed"
! grep -oE '/usr/(bin|lib|share/man|share/bash-completion)/[^"]*' "$scratch/installed" ||
    { echo "daemons are installed unasked"; exit 1; }
echo "$(find "$scratch/meson" -type f | wc -l) files, from both builds"
