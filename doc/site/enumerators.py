#!/usr/bin/env python3
"""Each value of an enumeration of the reference has a comment, behind it or above it. Doxygen asks
for those of all entities but values (1.9.4), and shows values only on the page of their header: a
page of its own has them all.

Usage: enumerators.py ROOT PAGE     writes the page, in Doxygen's Markdown

Prints `file:line: what is wrong` and exits with 1 if there is anything.
"""

import pathlib
import re
import sys

HEADER = re.compile(r"include/replica/\S+\.hpp")
ENUM = re.compile(r"enum (?:class |struct )?(\w+)[^;{]*\{$")
VALUE = re.compile(r"(\w+)(?: = [^,/]+)?,?(?:\s*///< (.*))?$")


def above(lines, number):
    """The comment that ends above a line, as one text."""
    first = number
    while first and lines[first - 1].strip().startswith("///"):
        first -= 1
    return " ".join(line.strip()[3:].strip() for line in lines[first:number])


def enumerations(lines):
    """(name, comment, [(line number, value, comment)]) of each."""
    inner = False  # detail is left out of the reference
    number = 0
    while number < len(lines):
        line = lines[number]
        if line.startswith(("namespace detail", "} // namespace detail")):
            inner = line.startswith("namespace")
        found = ENUM.match(line)
        number += 1
        if inner or not found:
            continue
        comment, values = above(lines, number - 1), []
        while lines[number].strip() != "};":
            text = lines[number].strip()
            value = VALUE.match(text)
            if text.startswith("///<") and values:  # the comment goes on
                at, name, said = values.pop()
                values.append((at, name, f"{said} {text[4:].strip()}"))
            elif value:
                said = value[2] or above(lines, number)
                values.append((number + 1, value[1], said))
            elif text and not text.startswith("//"):
                sys.exit(f"no value: {text}")
            number += 1
        yield found[1], comment, values


def main():
    root, page = map(pathlib.Path, sys.argv[1:])
    problems = []
    text = ["# Values of enumerations {#enumerators}", ""]
    for path in HEADER.findall((root / "doc" / "site" / "Doxyfile").read_text(encoding="utf-8")):
        lines = (root / path).read_text(encoding="utf-8").split("\n")
        for name, comment, values in enumerations(lines):
            problems += [f"{path}:{number}: {name}::{value} has no comment"
                         for number, value, said in values if not said]
            header = path.removeprefix("include/replica/")
            text += [f"## replica::{name}", "", f"{comment} ({header})", "", "| value | |",
                     "| --- | --- |"]
            text += [f"| `{value}` | {said} |" for _, value, said in values] + [""]
    page.write_text("\n".join(text), encoding="utf-8")
    print("\n".join(problems), end="\n" if problems else "")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
