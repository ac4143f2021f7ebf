#!/usr/bin/env python3
"""Copies the documents for MkDocs, and what they link to. README.md becomes the first page; paths
stay, so links stay as they are. MkDocs reads another Markdown than a code host:

- it knows no file behind the language of a code block;
- a list needs an empty line before it;
- what belongs to an item is indented by four blanks, and a code block there by four more.

Lists within lists are not converted: no document has one.

Usage: documents.py ROOT TARGET
"""

import pathlib
import re
import shutil
import sys

DOCUMENTS = ["README.md", "CONTRIBUTING.md", "CHANGELOG.md", "SECURITY.md", "doc/*.md",
             "bench/README.md"]
LINK = re.compile(r"\]\(([^)\s#:]+)(?:#[^)\s]*)?\)")
FENCE = re.compile(r"( *)```(\w*)")
ITEM = re.compile(r"([-*]|\d+\.) ")


def converted(lines):
    fenced = in_item = False
    before = ""
    for line in lines:
        fence = FENCE.match(line)
        if fence:
            fenced = not fenced
        if fence and in_item and fence[1]:
            line = ""
        elif fence:
            line = f"```{fence[2]}"
        elif fenced and in_item:
            line = " " * 6 + line
        elif not fenced and ITEM.match(line):
            if before and not in_item:
                yield ""
            in_item = True
        elif not fenced and in_item and line.startswith("  "):
            line = " " * 4 + line.lstrip()
        elif line and before == "":
            in_item = False
        yield line
        before = line


def main():
    root, target = map(pathlib.Path, sys.argv[1:])
    for document in sorted(path for glob in DOCUMENTS for path in root.glob(glob)):
        text = document.read_text(encoding="utf-8")
        copy = target / document.relative_to(root)
        copy.parent.mkdir(parents=True, exist_ok=True)
        copy.write_text("\n".join(converted(text.split("\n"))), encoding="utf-8")
        for link in LINK.findall(text):
            file = (document.parent / link).resolve()
            other = target / file.relative_to(root.resolve()) if file.is_file() else None
            if other and file.suffix != ".md" and root.resolve() in file.parents:
                other.parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(file, other)


if __name__ == "__main__":
    main()
