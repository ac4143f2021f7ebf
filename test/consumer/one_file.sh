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

# Two parts of one program, each with a version of its own: were the names the same, the linker would
# take one function for both.
cp -r "$root/include" "$root/packaging" "$scratch"
sed -i 's/version_patch = [0-9]*;/version_patch = 77;/' "$scratch/include/replica/version.hpp"
for part in ours other; do
    tree="$root"
    [ $part = ours ] || tree="$scratch"
    quiet "$tree/packaging/single_include.py" "$scratch/$part/replica/replica.hpp" replica/replica.hpp
    cat >"$scratch/$part.cpp" <<CPP
#include <replica/replica.hpp>
std::string ${part}_version() { return replica::version_text(); }
CPP
    quiet ${CXX:-g++} -std=c++20 -I"$scratch/$part" -c "$scratch/$part.cpp" -o "$scratch/$part.o"
done
cat >"$scratch/both.cpp" <<'CPP'
#include <iostream>
#include <string>
std::string ours_version();
std::string other_version();
int main() { std::cout << ours_version() << ' ' << other_version() << '\n'; }
CPP
quiet ${CXX:-g++} -std=c++20 "$scratch/both.cpp" "$scratch/ours.o" "$scratch/other.o" \
    -o "$scratch/both" -lboost_json -lcrypto
[ "$("$scratch/both")" = "$want ${want%.*}.77" ] ||
    { echo "two versions in one program say: $("$scratch/both")"; exit 1; }
