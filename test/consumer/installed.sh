#!/usr/bin/env bash
# Installs with both builds into fake roots, compares what is there, and builds a foreign project
# from each: once with find_package, once with pkg-config.
. "$(dirname "$0")/common.sh"

quiet cmake -S "$root" -B "$scratch/build-cmake" -G Ninja --install-prefix "$scratch/cmake" \
    -DREPLICA_TESTS=OFF -DREPLICA_EXAMPLES=OFF -DREPLICA_BENCH=OFF
quiet cmake --install "$scratch/build-cmake"
quiet meson setup "$scratch/build-meson" "$root" --prefix "$scratch/meson" \
    -Dtests=disabled -Dexamples=disabled -Dbench=disabled -Dheaders=disabled
quiet meson install -C "$scratch/build-meson"

# Only Meson installs folders without a header, and git does not know them.
find "$scratch/meson" -type d -empty -delete
diff -r "$scratch/cmake" "$scratch/meson" || { echo "the builds install different files"; exit 1; }
cmp "$root/packaging/gdb/replica.py" "$scratch/cmake/share/replica/gdb/replica.py"
diff <(cd "$root/include" && find . -type f | sort) \
    <(cd "$scratch/cmake/include" && find . -type f | sort) ||
    { echo "not all headers installed"; exit 1; }

# expect_libraries COMPONENT LIBRARIES: pkg-config names them beside those of the core, and the headers.
expect_libraries() {
    local flags library
    flags=" $(pkg-config --cflags --libs "replica-$1") "
    for library in $2 -lboost_json -lcrypto "-I$scratch/moved/share/pkgconfig/../../include"; do
        [[ "$flags" = *" $library "* ]] ||
            { echo "pkg-config replica-$1 has no $library:$flags"; exit 1; }
    done
}

for build in cmake meson; do
    # Moved after installation: nothing may remember where it was.
    mv "$scratch/$build" "$scratch/moved"

    quiet cmake -S "$here/find_package" -B "$scratch/found-$build" -G Ninja \
        -DCMAKE_PREFIX_PATH="$scratch/moved" -DWANTED_VERSION="$want"
    quiet cmake --build "$scratch/found-$build"
    expect_version "$scratch/found-$build/consumer"

    export PKG_CONFIG_PATH="$scratch/moved/share/pkgconfig"
    [ "$(pkg-config --modversion replica)" = "$want" ]
    quiet ${CXX:-g++} -std=c++20 "$here/main.cpp" -o "$scratch/plain" \
        $(pkg-config --cflags --libs replica)
    expect_version "$scratch/plain"
    if ${CXX:-g++} -std=c++17 -E "$here/main.cpp" $(pkg-config --cflags replica) \
        >"$scratch/log" 2>&1; then
        echo "C++17 is enough"
        exit 1
    fi
    grep -q "replica needs C++20" "$scratch/log" || { cat "$scratch/log"; exit 1; }
    expect_libraries sqlite "-lsqlite3"
    expect_libraries ring "-lz"
    expect_libraries beast ""
    expect_libraries process "-lboost_filesystem"
    expect_libraries sim "-lsqlite3"
    expect_libraries daemon "-lsqlite3 -lz -lboost_filesystem -lspdlog"
    rm -r "$scratch/moved"
done

# The version file refuses what is not compatible.
quiet cmake --install "$scratch/build-cmake"
for version in 0.999 99; do
    if cmake -S "$here/find_package" -B "$scratch/refused" -G Ninja \
        -DCMAKE_PREFIX_PATH="$scratch/cmake" -DWANTED_VERSION=$version >"$scratch/log" 2>&1; then
        echo "find_package(replica $version) accepts $want"
        exit 1
    fi
    grep -q "version: $want" "$scratch/log" || { cat "$scratch/log"; exit 1; }
done
