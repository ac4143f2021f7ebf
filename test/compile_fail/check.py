#!/usr/bin/env python3
"""A file that must not compile, for the reason it names; with -DFIXED it must compile.

Usage: check.py FILE.cpp...     with CXX from the environment, else g++

The first line of a file is `// build error: <regular expression>`, searched in what the compiler
prints. The twin under -DFIXED proves that the named error is the only one: without it, a wrong
include would pass for ever.
"""

import os
import pathlib
import re
import subprocess
import sys

ROOT = pathlib.Path(__file__).parents[2]


def compile_only(path, *more):
    compiler = os.environ.get("CXX", "g++").split()
    return subprocess.run(
        [*compiler, "-std=c++20", "-fsyntax-only", f"-I{ROOT}/include", f"-I{ROOT}/test", *more,
         path], capture_output=True, text=True, env={**os.environ, "LC_ALL": "C"})


def check(path):
    """None, or what is wrong with the file."""
    first = pathlib.Path(path).read_text().split("\n", 1)[0]
    match = re.match(r"// build error: (.+)$", first)
    if not match:
        return "the first line is not `// build error: <regular expression>`"
    broken = compile_only(path)
    if broken.returncode == 0:
        return "compiles, but must not"
    if not re.search(match.group(1), broken.stderr):
        return f"no /{match.group(1)}/ in the errors:\n{broken.stderr}"
    fixed = compile_only(path, "-DFIXED")
    if fixed.returncode != 0:
        return f"does not compile with -DFIXED:\n{fixed.stderr}"
    return None


def main():
    problems = {path: check(path) for path in sys.argv[1:]}
    for path, problem in problems.items():
        print(f"{path}: {problem or 'fails to compile as it should'}")
    return 1 if not problems or any(problems.values()) else 0


if __name__ == "__main__":
    sys.exit(main())
