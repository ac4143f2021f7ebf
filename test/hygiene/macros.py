#!/usr/bin/env python3
"""No macro leaks: of the macros that a program has after including all headers, those that a header
of ours has defined are its guard, and none that was there before is gone.

Usage: macros.py     with CXX from the environment, else g++
"""

import os
import pathlib
import re
import subprocess
import sys

ROOT = pathlib.Path(os.environ.get("REPLICA_SOURCE_DIR", pathlib.Path(__file__).parents[2]))
INCLUDE = ROOT / "include"


def macros(source):
    """The names that are defined at the end of `source`."""
    run = subprocess.run(
        [*os.environ.get("CXX", "g++").split(), "-std=c++20", "-dM", "-E", "-x", "c++",
         f"-I{INCLUDE}", "-"], input=source, capture_output=True, text=True, check=True)
    return set(re.findall(r"^#define (\w+)", run.stdout, re.MULTILINE))


def main():
    headers = sorted(INCLUDE.rglob("*.hpp"))
    others = set()
    for header in headers:
        others.update(re.findall(r"^#include <(?!replica/)[^>]+>",
                                 header.read_text(encoding="utf-8"), re.MULTILINE))
    before = macros("\n".join(sorted(others)) + "\n")
    after = macros("\n".join(sorted(others)) + "\n" + "\n".join(
        f"#include <{header.relative_to(INCLUDE).as_posix()}>" for header in headers) + "\n")
    guards = {re.sub(r"[/.]", "_", header.relative_to(INCLUDE).as_posix()).upper()
              for header in headers}
    problems = [f"{name} is defined" for name in sorted(after - before - guards)]
    problems += [f"{name} is gone" for name in sorted(before - after)]
    problems += [f"{name} is no guard that is used" for name in sorted(guards - after)]
    print("\n".join(problems) or f"{len(guards)} guards, and no other macro")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
