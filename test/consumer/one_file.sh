#!/usr/bin/env bash
# A foreign project that has the library as one header, made by packaging/single_include.py, and
# nothing else of this tree.
. "$(dirname "$0")/common.sh"

one="$scratch/single_include/replica/replica.hpp"
quiet "$root/packaging/single_include.py" "$one"
quiet "$root/packaging/single_include.py" "$scratch/again.hpp"
cmp "$one" "$scratch/again.hpp" || { echo "the same tree gives two different files"; exit 1; }
! grep -n '#include <replica/' "$one" || { echo "a header of ours is not in the file"; exit 1; }
[ "$(grep -c '^#define' "$one")" = 1 ] || { echo "more than the guard is defined"; exit 1; }

cp "$here/main.cpp" "$scratch"
quiet ${CXX:-g++} -std=c++20 -I"$scratch/single_include" "$scratch/main.cpp" -o "$scratch/consumer" \
    -lboost_json -lsqlite3 -lcrypto -lpthread
expect_version "$scratch/consumer"
