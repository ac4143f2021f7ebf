#!/usr/bin/env python3
"""Copies the documents for MkDocs, and what they link to. README.md becomes the first page; paths
stay, so links stay as they are. MkDocs reads another Markdown than a code host:

- it knows no file behind the language of a code block;
- a list needs an empty line before it;
- what belongs to an item is indented by four blanks, and a code block there by four more.

Lists within lists are not converted: no document has one. A name in code that the reference has, of
a header, type or concept, leads there.

Usage: documents.py ROOT TARGET TAGS     TAGS is the tag file of Doxygen
"""

import pathlib
import re
import shutil
import sys
import xml.etree.ElementTree

DOCUMENTS = ["README.md", "CONTRIBUTING.md", "CHANGELOG.md", "SECURITY.md", "doc/*.md",
             "bench/README.md"]
LINK = re.compile(r"\]\(([^)\s#:]+)(?:#[^)\s]*)?\)")
FENCE = re.compile(r"( *)```(\w*)")
ITEM = re.compile(r"([-*]|\d+\.) ")
CODE = re.compile(r"(?<![\[`])`([\w/:.]+)`(?![\]`])")


def pages_of(tags):
    """The page of the reference for each name that a document may use."""
    pages = {}
    for compound in xml.etree.ElementTree.parse(tags).getroot().iter("compound"):
        name, page = compound.findtext("name"), compound.findtext("filename")
        if compound.get("kind") == "file" and name.endswith(".hpp"):
            path = (compound.findtext("path") + name).partition("replica/")[2]
            pages[path] = pages["replica/" + path] = pages["include/replica/" + path] = page
            for member in compound.iter("member"):  # a short one has no place of its own
                if member.get("kind") in ("typedef", "enumeration"):
                    pages[member.findtext("name").removeprefix("replica::")] = page
        elif compound.get("kind") in ("class", "struct", "concept"):
            pages[name.removeprefix("replica::")] = pages[name] = page
    return pages


def converted(lines, pages, up):
    """`up` leads from the document to the root of the site."""
    def linked(code):
        page = pages.get(code[1])
        return f"[`{code[1]}`]({up}reference/{page})" if page else code[0]

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
        yield line if fenced or line.startswith("#") else CODE.sub(linked, line)
        before = line


def main():
    root, target, tags = map(pathlib.Path, sys.argv[1:])
    pages = pages_of(tags)
    for document in sorted(path for glob in DOCUMENTS for path in root.glob(glob)):
        text = document.read_text(encoding="utf-8")
        copy = target / document.relative_to(root)
        copy.parent.mkdir(parents=True, exist_ok=True)
        up = "../" * (len(document.relative_to(root).parts) - 1)
        copy.write_text("\n".join(converted(text.split("\n"), pages, up)), encoding="utf-8")
        for link in LINK.findall(text):
            file = (document.parent / link).resolve()
            other = target / file.relative_to(root.resolve()) if file.is_file() else None
            if other and file.suffix != ".md" and root.resolve() in file.parents:
                other.parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(file, other)


if __name__ == "__main__":
    main()
