#!/usr/bin/env python3
"""The library as one header: single_include/replica/replica.hpp.

Usage: single_include.py OUTPUT [HEADER...]      default: all that a host program may use

Each header of ours stands once, before those that include it; includes of others stay where they
are. All names are in an inline namespace with the version, so that two parts of one program may
have two versions. The same tree gives the same bytes. What is left out has libraries of its own:
the daemons and tools (CLI11, spdlog), rsync (Boost.Process) and Swift's rings (zlib).
"""

import pathlib
import re
import sys

ROOT = pathlib.Path(__file__).parents[1] / "include"
OURS = re.compile(r'#include <(replica/[\w/]+\.hpp)>')
LEFT_OUT = re.compile(r"replica/(daemon/|tool/|process/|ring/(gzip|swift_ring|any_ring)|fwd)")


def all_headers():
    return sorted(path.relative_to(ROOT).as_posix() for path in ROOT.rglob("*.hpp")
                  if not LEFT_OUT.match(path.relative_to(ROOT).as_posix()))


def body(name):
    """The lines of a header without its guard, and the headers of ours that it includes."""
    lines = (ROOT / name).read_text(encoding="utf-8").split("\n")
    guard = re.sub(r"[/.]", "_", name).upper()
    kept, used = [], []
    for line in lines:
        match = OURS.match(line)
        if match:
            used.append(match.group(1))
        elif not re.match(rf"#\s*(ifndef|define) {guard}$|#endif( // {guard})?$", line):
            kept.append(line)
    return kept, used


def expand(name, done, out):
    if name in done:
        return
    done.add(name)
    lines, used = body(name)
    for each in used:
        expand(each, done, out)
    text = re.sub(r"\n{3,}", "\n\n", "\n".join(lines)).strip("\n")
    out.append(f"// ---- {name}\n\n{text}\n")


def version():
    header = (ROOT / "replica/version.hpp").read_text(encoding="utf-8")
    return re.findall(r"version_\w+ = (\d+);", header)


def made(headers):
    out = []
    done = set()
    for name in headers:
        expand(name, done, out)
    inner = "inline v" + "_".join(version())
    out = [re.sub(r"^namespace replica(?=[: ])", f"namespace replica::{inner}", text,
                  flags=re.MULTILINE) for text in out]
    head = (f"// replica {'.'.join(version())} as one header, made from those in include/.\n"
            "// Needs Boost 1.81, SQLite and OpenSSL; link boost_json, sqlite3, crypto.\n"
            "// SPDX-License-Identifier: Apache-2.0\n"
            "#ifndef REPLICA_REPLICA_HPP\n#define REPLICA_REPLICA_HPP\n\n")
    return head + "\n".join(out) + "\n#endif // REPLICA_REPLICA_HPP\n"


def main():
    if len(sys.argv) < 2:
        sys.exit(__doc__)
    output = pathlib.Path(sys.argv[1])
    output.parent.mkdir(parents=True, exist_ok=True)
    output.write_text(made(sys.argv[2:] or all_headers()), encoding="utf-8")


if __name__ == "__main__":
    main()
