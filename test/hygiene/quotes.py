#!/usr/bin/env python3
"""A quote in a document is what the file says: the compiler sees the file, nobody sees the quote.

A code block of README.md or doc/*.md that names a file behind its language, as in

    ```cpp example/models.cpp

must stand in that file line by line. Blanks at the start of its lines may be fewer, by the same
number in each line.

Usage: quotes.py [ROOT]     prints `file:line: what is wrong` and exits with 1 if there is anything.

quotes_test.py breaks every rule once and expects the message.
"""

import pathlib
import re
import sys
import textwrap

FENCE = re.compile(r"^( *)(```+|~~~+)\s*(\S*)\s*(.*?)\s*$")


def blocks(lines):
    """(line number, file that is named or "", lines) of each code block; None for lines: no end."""
    number = 0
    while number < len(lines):
        opening = FENCE.match(lines[number])
        number += 1
        if not opening:
            continue
        indent, fence, _, named = opening.groups()
        first = number
        closing = re.compile(rf"^ *{fence[0]}{{{len(fence)},}}\s*$")
        while number < len(lines) and not closing.match(lines[number]):
            number += 1
        if number == len(lines):
            yield first, named, None
            return
        yield first, named, [line.removeprefix(indent) for line in lines[first:number]]
        number += 1


def stands_in(quote, text):
    """Whether the lines of `quote` follow each other somewhere in `text`."""
    wanted = textwrap.dedent("\n".join(quote))
    for first in range(len(text) - len(quote) + 1):
        if textwrap.dedent("\n".join(text[first:first + len(quote)])) == wanted:
            return True
    return False


def check_document(root, path):
    for number, named, quote in blocks((root / path).read_text(encoding="utf-8").split("\n")):
        if quote is None:
            yield number, "a code block without an end"
        elif named and not quote:
            yield number, f"an empty quote of {named}"
        elif named and not (root / named).is_file():
            yield number, f"there is no file {named}"
        elif named:
            text = (root / named).read_text(encoding="utf-8").split("\n")
            if not stands_in(quote, text):
                yield number, f"not what {named} says"


def check(root):
    documents = [path for path in [root / "README.md"] if path.is_file()]
    documents += sorted((root / "doc").rglob("*.md"))
    problems = []
    for document in documents:
        path = document.relative_to(root).as_posix()
        problems += [(path, number, what) for number, what in check_document(root, path)]
    return problems


def main():
    root = pathlib.Path(sys.argv[1] if len(sys.argv) > 1 else pathlib.Path(__file__).parents[2])
    problems = check(root)
    for path, number, what in problems:
        print(f"{path}:{number}: {what}")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
