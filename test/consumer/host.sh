#!/usr/bin/env bash
# What the README tells a host programmer to do: copy three files of example/ into an empty folder,
# build them there, and run the program and its test.
. "$(dirname "$0")/common.sh"

mine="$scratch/mine"
mkdir "$mine"
cp "$root"/example/{host/CMakeLists.txt,notes.cpp,tutorial/app_test.cpp} "$mine"
quiet cmake -S "$mine" -B "$mine/build" -DREPLICA="$root"
quiet cmake --build "$mine/build"
ctest --test-dir "$mine/build" --output-on-failure

# The server listens on loopback, which a name space of our own has not brought up.
[ -z "${REPLICA_OFFLINE:-}" ] || ip link set lo up 2>/dev/null || true
(cd "$mine" && build/notes) >"$scratch/said"
grep -qx '2 notes; milk: buy oat milk' "$scratch/said" || { cat "$scratch/said"; exit 1; }

# Installed, the same project finds it under one line, with no list of components.
quiet cmake -S "$root" -B "$scratch/build" -DREPLICA_TESTS=OFF -DREPLICA_EXAMPLES=OFF \
    -DREPLICA_BENCH=OFF
quiet cmake --install "$scratch/build" --prefix "$scratch/prefix"
sed -i 's/^add_subdirectory(.*/find_package(replica REQUIRED)/' "$mine/CMakeLists.txt"
quiet cmake -S "$mine" -B "$mine/found" -DCMAKE_PREFIX_PATH="$scratch/prefix"
