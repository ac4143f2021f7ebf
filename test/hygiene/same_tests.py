#!/usr/bin/env python3
"""Two builds drift apart unless something compares them: both must know the same tests.

Usage: same_tests.py     with REPLICA_BUILD_DIR, the build that runs this, in the environment

The other build is configured in a directory of its own, and removed.
"""

import json
import os
import pathlib
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).parents[2]


def run(*command):
    result = subprocess.run(command, capture_output=True, text=True, stdin=subprocess.DEVNULL)
    if result.returncode != 0:
        sys.exit(f"{' '.join(map(str, command))}:\n{result.stdout}{result.stderr}")
    return result.stdout


def cmake_tests(build):
    tests = json.loads(run("ctest", "--test-dir", build, "--show-only=json-v1"))["tests"]
    properties = {test["name"]: test.get("properties", []) for test in tests}
    return {name: any(one["name"] == "TIMEOUT" for one in some)
            for name, some in properties.items()}


def meson_tests(build):
    tests = json.loads(run("meson", "introspect", build, "--tests"))
    return {test["name"]: test["timeout"] > 0 for test in tests}


def main():
    here = os.environ.get("REPLICA_BUILD_DIR", "")
    with tempfile.TemporaryDirectory() as other:
        from_cmake, from_meson = here, here
        if not pathlib.Path(here, "CTestTestfile.cmake").exists():
            run("cmake", "-S", ROOT, "-B", other, "-G", "Ninja")
            from_cmake = other
        else:
            run("meson", "setup", other, ROOT)
            from_meson = other
        cmake, meson = cmake_tests(from_cmake), meson_tests(from_meson)
    problems = [f"{name}: only CMake has it" for name in sorted(cmake.keys() - meson.keys())]
    problems += [f"{name}: only Meson has it" for name in sorted(meson.keys() - cmake.keys())]
    problems += [f"{name}: no timeout" for name, limited in sorted(cmake.items()) if not limited]
    problems += [f"{name}: no timeout" for name, limited in sorted(meson.items()) if not limited]
    if not cmake:
        problems.append("no tests at all")
    print("\n".join(problems) or f"{len(cmake)} tests in both builds")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
