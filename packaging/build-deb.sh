#!/usr/bin/env bash
# Builds the Debian packages from a copy of the tree. Usage: build-deb.sh DIRECTORY [BUILD]
# They are put into DIRECTORY. BUILD is a build of this tree whose target `daemons` is up to date:
# its programs are packaged as they are. Without it everything is compiled.
set -euo pipefail
root=$(cd "$(dirname "$0")/.." && pwd)
[ $# = 1 ] || [ $# = 2 ] || { sed -n 's/^# //p' "$0" >&2; exit 2; }
mkdir -p "$1"
into=$(cd "$1" && pwd)
[ $# = 1 ] || { REPLICA_BUILT=$(cd "$2" && pwd); export REPLICA_BUILT; }
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT

# Always the same place, time and umask in what is packaged: a second build is the same byte for byte.
mkdir "$scratch/replica"
cd "$root"
cp -a CMakeLists.txt LICENSE README.md CHANGELOG.md bench cmake doc example include packaging test "$scratch/replica"
cp -a packaging/debian "$scratch/replica/debian"
cd "$scratch/replica"
version=$(sed -n 's/^inline constexpr int version_[a-z]* = \([0-9]*\);/\1/p' include/replica/version.hpp | paste -sd.)
[ "$(dpkg-parsechangelog -S Version)" = "$version" ] ||
    { echo "packaging/debian/changelog is not of version $version" >&2; exit 1; }
umask 022
SOURCE_DATE_EPOCH=$(dpkg-parsechangelog -S Timestamp)
export SOURCE_DATE_EPOCH
# A build that is packaged as it is needs no compiler here, and has no debug symbols.
[ -z "${REPLICA_BUILT:-}" ] || export DEB_BUILD_OPTIONS=noautodbgsym
dpkg-buildpackage -us -uc -b ${REPLICA_BUILT:+-d}
mv ../*.deb ../*.buildinfo ../*.changes "$into"
