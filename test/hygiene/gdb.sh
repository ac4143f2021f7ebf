#!/usr/bin/env bash
# What packaging/gdb/replica.py shows of the values of a small program. Ends with 77 without gdb.
set -euo pipefail
root=$(cd "$(dirname "$0")/../.." && pwd)
command -v gdb >/dev/null || { echo "there is no gdb"; exit 77; }
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT

cat >"$scratch/values.cpp" <<'CPP'
#include <replica/error.hpp>
#include <replica/storage/place.hpp>
#include <replica/words/timestamp.hpp>
using namespace replica;
struct Slow { // may throw when it is moved
    std::string a;
    explicit Slow(std::string b) : a(b) {}
    Slow(const Slow& other) : a(other.a) {}
};
void stop() {}
int main() {
    const Timestamp time{140246467704188, 0};
    const Timestamp rewritten{140246467704188, 10};
    const Place place = Place::on("/srv/node/sda", "notes", 906, std::string(32, 'a'), "x.db");
    const Result<int> good = 7;
    const Result<int> bad = Fault{make_error_code(Error::timed_out), "10.0.0.1: timed out"};
    const Result<Slow> slow = Slow("copied");
    const Result<Slow> slow_bad = Fault{make_error_code(Error::stopped), "stopped"};
    stop();
    return time == rewritten && place.file.size() && good && bad && slow && slow_bad ? 1 : 0;
}
CPP
${CXX:-g++} -std=c++20 -g -O0 -I"$root/include" "$scratch/values.cpp" -o "$scratch/values" -lcrypto

prints=()
for name in time rewritten place good bad slow slow_bad; do
    prints+=(-ex "print $name")
done
gdb -batch -nx -iex "set auto-load safe-path /" -iex "set debuginfod enabled off" \
    -ex "source $root/packaging/gdb/replica.py" -ex "break stop" -ex run -ex up "${prints[@]}" \
    "$scratch/values" >"$scratch/out" 2>&1 </dev/null
grep '^\$' "$scratch/out" >"$scratch/got" || { cat "$scratch/out"; exit 1; }
hash=$(printf 'a%.0s' {1..32})
diff - "$scratch/got" <<SHOWN
\$1 = 1402464677.04188
\$2 = 1402464677.04188_000000000000000a
\$3 = /srv/node/sda/notes/906/aaa/$hash/x.db (partition 906)
\$4 = value = {it = 7}
\$5 = fault: 10.0.0.1: timed out
\$6 = value = {it = {a = "copied"}}
\$7 = fault: stopped
SHOWN
echo "Place, Timestamp and Result are shown"
