#!/usr/bin/env python3
"""Several unit tests as one program, for both builds.

Usage: groups.py DIRECTORY

Writes DIRECTORY/GROUP.cpp for each group of tests of test/list.txt, untouched where it is the same
already, and prints a line `PATH GROUP` for each test that is in one.

Most of the time to compile a test goes into the headers and the instances that it shares with
others: eight of unit/send take 225 CPU seconds alone and 71 together. Each remains a test with a
name of its own, in a suite, and so in a namespace, of its own.

Tests with the same libraries are together, whatever their folder. Those that .ci/run has under the
thread sanitizer are for themselves: it builds their groups, and no others.
"""

import pathlib
import re
import sys

HERE = pathlib.Path(__file__).parent

# Small enough that one is compiled again soon after an edit. Tests with SQLite compile longest.
MOST = {"sqlite": 16, "beast": 16, "": 24}


def tests():
    for line in (HERE / "list.txt").read_text().splitlines():
        words = line.split("#")[0].split()
        if words and words[0].startswith("unit/"):
            yield words[0], words[1:], (HERE / f"{words[0]}.cpp").read_text()


def threaded():
    """Which paths .ci/run has under the thread sanitizer. An archive of ours may lack the file."""
    run = HERE.parent / ".ci/run"
    text = run.read_text() if run.exists() else ""
    names = " ".join(re.findall(r'^threaded="([^"]*)"', text, re.MULTILINE)).split()
    folders = [f"unit/{name.replace('.', '/')}/" for name in names]
    return lambda path: f"{path}/".startswith(tuple(folders))


def grouped():
    """The paths and texts of each group."""
    groups, counts, has_threads = {}, {}, threaded()
    for path, libraries, text in tests():
        if "BOOST_TEST_GLOBAL_FIXTURE" in text:
            continue  # it is one of a whole program
        heavy = next((one for one in ("sqlite", "beast") if one in libraries), "")
        # All but one of those with Beast have threads.
        threads = "threads" if heavy != "beast" and has_threads(path) else ""
        kind = ".".join(filter(None, ["unit", heavy, threads]))
        number = counts.get(kind, 0) // MOST[heavy] + 1
        counts[kind] = counts.get(kind, 0) + 1
        groups.setdefault(f"group.{kind}.{number}", []).append((path, text))
    return groups


def source(members):
    """Included first, before any namespace is open, no header is read again by the tests."""
    includes = dict.fromkeys(line for _, text in members for line in text.splitlines()
                             if line.startswith("#include "))
    parts = ["#define BOOST_TEST_MODULE group", *includes]
    for path, _ in members:
        parts += ["", "#undef BOOST_TEST_MODULE",
                  f"BOOST_AUTO_TEST_SUITE({path.replace('/', '_')})", f'#include "{path}.cpp"',
                  "BOOST_AUTO_TEST_SUITE_END()"]
    return "\n".join(parts) + "\n"


def main():
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    out = pathlib.Path(sys.argv[1])
    out.mkdir(parents=True, exist_ok=True)
    groups = grouped()
    for old in set(out.glob("group.*.cpp")) - {out / f"{name}.cpp" for name in groups}:
        old.unlink()
    for name, members in groups.items():
        file, text = out / f"{name}.cpp", source(members)
        if not file.exists() or file.read_text() != text:
            file.write_text(text)
        for path, _ in members:
            print(path, name)


if __name__ == "__main__":
    main()
