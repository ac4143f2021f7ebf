#!/usr/bin/env python3
"""A program that brings its own policies must not pay for ours: what the flow includes, directly or
not, contains no Beast, no Process, no SQLite and no logger; what decides is free of I/O entirely.

Usage: isolation.py        with CXX from the environment, else g++
"""

import os
import pathlib
import re
import subprocess
import sys

ROOT = pathlib.Path(__file__).parents[2]
HEAVY = r"boost/(beast|asio|process)|sqlite3\.h|spdlog/|CLI/|zlib\.h"
RULES = {
    "replica.hpp": HEAVY,
    "replicator.hpp": HEAVY,
    "send/decide.hpp": HEAVY + r"|boost/(json|filesystem)|bits/fs_|c\+\+/\d+/(thread|fstream)$",
}


def included(header):
    """Every file that the header pulls in, from the compiler's own list of dependencies."""
    compiler = os.environ.get("CXX", "g++").split()
    out = subprocess.run(
        [*compiler, "-std=c++20", f"-I{ROOT}/include", "-M", ROOT / "include/replica" / header],
        check=True, capture_output=True, text=True).stdout
    return out.replace("\\\n", " ").split()[1:]


def main():
    failed = False
    for header, forbidden in RULES.items():
        paths = included(header)
        bad = [path for path in paths if re.search(forbidden, path)]
        print(f"{header}: {len(paths)} files")
        for path in bad[:5]:
            print(f"  must not include {path}")
        failed = failed or bool(bad)
    return failed


if __name__ == "__main__":
    sys.exit(main())
