#!/usr/bin/env bash
# Throws bytes at the doors of replica: see door.hpp.
set -euo pipefail
cd "$(dirname "$0")/../.."

usage() {
    cat <<'TEXT'
Usage: test/fuzz/run.sh [--seconds N] [--keep] [DOOR...]

Builds the doors (all without DOOR) with clang++-16 and libFuzzer, in build/fuzz, and runs each for
N seconds (10), beginning with what is in test/fuzz/corpus. Prints how often each was tried. Exit
status 1 if one does not keep its word; then the input is named, and

  build/fuzz/DOOR INPUT     tries it again.

  --keep    adds the inputs that reach new code to test/fuzz/corpus, as few as possible
TEXT
}

seconds=10 keep=no doors=""
while [ $# -gt 0 ]; do
    case "$1" in
    --help | -h) usage; exit 0 ;;
    --seconds) [ $# -ge 2 ] || { usage >&2; exit 2; }; seconds="$2"; shift ;;
    --keep) keep=yes ;;
    -*) usage >&2; exit 2 ;;
    *) doors="$doors $1" ;;
    esac
    shift
done
sources=test/fuzz build=build/fuzz
[ -n "$doors" ] || doors=$(basename -s .cpp $(grep -l LLVMFuzzerTestOneInput "$sources"/*.cpp))

CLANG="${CLANG:-clang++-16}"
flags="-std=c++20 -g -O1 -Wall -Wextra -Wno-unused-parameter -Iinclude -Itest -MMD -MP
    -fsanitize=fuzzer,address,undefined,float-cast-overflow -fno-sanitize-recover=all"

# Builds anew what has changed, as its .d file knows.
make_door() {
    local name="$1" out="$build/$1" file
    for file in "$sources/$name.cpp" $( [ -f "$out.d" ] && sed 's/[^ ]*://; s/\\$//' "$out.d"); do
        if [ ! "$out" -nt "$file" ]; then
            ${CCACHE:-} "$CLANG" $flags -MF "$out.d" "$sources/$name.cpp" -o "$out" \
                -lboost_json -lsqlite3 -lcrypto -lz -lpthread
            return
        fi
    done
}

mkdir -p "$build"
jobs=$(nproc)
export -f make_door
export build sources CLANG flags
printf '%s\n' $doors | xargs -P "$jobs" -I {} bash -euc 'make_door {}'

status=0
for door in $doors; do
    found="$build/found.$door" corpus="$sources/corpus/$door" log="$build/$door.log"
    mkdir -p "$found"
    dictionary=""
    [ ! -f "$sources/${door#*_}.dict" ] || dictionary="-dict=$sources/${door#*_}.dict"
    # Leaks are looked for at the end only, and then no input is named. After each input that search
    # took up to four fifths of the time: what is kept from one to the next looks like a leak.
    begun=$(date +%s)
    if "$build/$door" "$found" "$corpus" $dictionary -max_total_time="$seconds" -timeout=10 \
        -detect_leaks=0 -rss_limit_mb=3000 -max_len=4096 -print_final_stats=1 -artifact_prefix="$build/$door-" \
        >"$log" 2>&1; then
        printf '%-16s %10d executions in %d s\n' "$door" \
            "$(sed -n 's/^stat::number_of_executed_units: *//p' "$log")" \
            $(($(date +%s) - begun))
    else
        status=1
        printf '%-16s does not keep its word: %s\n' "$door" "$log"
        grep -E '^==|ERROR|what\(\)|runtime error|Test unit written' "$log" | head -20 || true
    fi
    if [ "$keep" = yes ]; then
        rm -rf "$build/fewest"
        mkdir "$build/fewest"
        "$build/$door" -merge=1 -max_len=4096 "$build/fewest" "$corpus" "$found" >>"$log" 2>&1
        rm -rf "$corpus"
        mv "$build/fewest" "$corpus"
    fi
done
exit "$status"
