#!/usr/bin/env bash
# Builds a foreign project that contains ours: with add_subdirectory, and as a Meson subproject.
. "$(dirname "$0")/common.sh"

quiet cmake -S "$here/subdirectory" -B "$scratch/build-cmake" -G Ninja \
    -DREPLICA_SOURCE_DIR="$root"
quiet cmake --build "$scratch/build-cmake"
expect_version "$scratch/build-cmake/consumer"

# A host installs its own files only.
quiet cmake --install "$scratch/build-cmake" --prefix "$scratch/installed"
[ ! -e "$scratch/installed/include" ] || { echo "add_subdirectory installs our headers"; exit 1; }

mkdir -p "$scratch/host/subprojects"
cp "$here/main.cpp" "$here/meson/meson.build" "$scratch/host"
ln -s "$root" "$scratch/host/subprojects/replica"
quiet meson setup "$scratch/build-meson" "$scratch/host" --wrap-mode=forcefallback
quiet meson compile -C "$scratch/build-meson"
expect_version "$scratch/build-meson/consumer"

tests=$(meson introspect "$scratch/build-meson" --tests)
[ "$tests" = "[]" ] || { echo "our tests appear in a host project: $tests"; exit 1; }
