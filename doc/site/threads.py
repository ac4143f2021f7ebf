#!/usr/bin/env python3
"""Each class and each concept of the reference says which threads may use it: in the paragraphs
above it, with a word as "thread" or "belongs to one task". A struct is a value and need not, nor
a concept that refines another one, which has said it.

Usage: threads.py ROOT     prints `file:line: what is wrong` and exits with 1 if there is anything.
"""

import pathlib
import re
import sys

HEADER = re.compile(r"include/replica/\S+\.hpp")
ENTITY = re.compile(r"(?:class|concept) (\w+)(?! *;|\w)")
REFINES = re.compile(r"=\s+[A-Z]\w+<[A-Z]> &&")
BETWEEN = re.compile(r"template <| +requires |[^/\s].*>$")
SAID = re.compile(r"[Tt]hread|to one (?:task|worker)")


def check(lines):
    inner = False  # detail is left out of the reference
    for number, line in enumerate(lines):
        if line.startswith(("namespace detail", "} // namespace detail")):
            inner = line.startswith("namespace")
        entity = ENTITY.match(line)
        if inner or not entity or line.endswith(";"):
            continue
        if REFINES.search("\n".join(lines[number:number + 2])):
            continue
        first = number
        while first and (lines[first - 1].startswith("///") or BETWEEN.match(lines[first - 1])):
            first -= 1
        if not SAID.search("\n".join(lines[first:number])):
            yield number + 1, f"{entity[1]} does not say which threads may use it"


def main():
    root = pathlib.Path(sys.argv[1])
    problems = []
    for path in HEADER.findall((root / "doc" / "site" / "Doxyfile").read_text(encoding="utf-8")):
        lines = (root / path).read_text(encoding="utf-8").split("\n")
        problems += [f"{path}:{number}: {what}" for number, what in check(lines)]
    print("\n".join(problems), end="\n" if problems else "")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
