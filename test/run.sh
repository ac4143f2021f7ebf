#!/usr/bin/env bash
# Installs what is missing, builds the release preset and runs the tests.
set -euo pipefail
cd "$(dirname "$0")/.."

usage() {
    cat <<'EOF'
Usage: test/run.sh [--preset PRESET] [NAME]

Without NAME: builds everything and runs all tests with ctest.
With NAME: builds and runs the tests whose name matches this regular expression, for example
           test/run.sh unit.send.decide

  --preset PRESET   one of release (default), debug, asan, tsan, clang; built in build/PRESET
  --no-install      do not look for missing packages
  --help            this text

On Debian 12, missing packages are installed with apt, as root or through sudo. Nothing is
downloaded when all of them are there.
EOF
}

preset=release install=yes name=""
while [ $# -gt 0 ]; do
    case "$1" in
    --help | -h) usage; exit 0 ;;
    --preset) [ $# -ge 2 ] || { usage >&2; exit 2; }; preset="$2"; shift ;;
    --no-install) install=no ;;
    -*) echo "test/run.sh: unknown option $1" >&2; usage >&2; exit 2 ;;
    *) [ -z "$name" ] || { usage >&2; exit 2; }; name="$1" ;;
    esac
    shift
done

. .ci/packages.sh
. .ci/stages.sh
build="build/$preset"
jobs=$(nproc)
log=$(mktemp)
trap 'rm -f "$log"' EXIT

# The targets of the tests matching $name.
targets() {
    awk -v name="$name" '$1 ~ name { print $2 }' "$build/test-targets.txt" | sort -u
}

configure() { cmake --preset "$preset" -Wno-dev >"$log" 2>&1 || { cat "$log"; return 1; }; }

build() {
    if [ -z "$name" ]; then
        cmake --build "$build" --parallel "$jobs" -- -k 0
    else
        local wanted
        mapfile -t wanted < <(targets)
        if [ -z "${wanted[*]}" ]; then
            echo "No test matches '$name'; all names: ctest --test-dir $build -N" >&2
            return 1
        fi
        cmake --build "$build" --parallel "$jobs" --target "${wanted[@]}" -- -k 0
    fi
}

# Some tests wait for daemons: all of them take 18 minutes of a processor, and three at a time 12 by
# the clock on two processors. So one more than there are processors.
run() {
    ctest --test-dir "$build" --parallel $((jobs + 1)) --output-on-failure --no-tests=error \
        ${name:+-R "$name"} </dev/null | tee "$log"
}

if [ "$install" = yes ]; then
    stage "packages" replica_install $replica_packages_build $replica_packages_run \
        $replica_packages_test
fi
stage "configure $preset" configure
stage "build $preset" build
status=0
stage "test $preset" run || status=$?
stages_summary
grep 'tests passed' "$log" || { echo "No test was run"; status=1; }
exit "$status"
