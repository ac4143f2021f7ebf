#!/usr/bin/env python3
"""Copies the headers for Doxygen. The copy has the same lines, in which

- the opening paragraph, a plain comment, is the description of the file;
- a member that a concept names, in a header that models the concept, refers to the concept's laws.
  Without this a model would repeat them, or have twenty comments that say nothing.
- a move says that it moves.

Line numbers stay as they are, so that a warning names the line that is wrong.

Usage: headers.py ROOT TARGET        copies ROOT/include to TARGET/include
"""

import pathlib
import re
import sys

CONCEPT = re.compile(r"^concept (\w+) =(.*?)\n\n", re.MULTILINE | re.DOTALL)
NAMED = re.compile(r"(?:\.|\b[A-Z]::)(\w+)")
HOOK = re.compile(r"^    (?:\[\[nodiscard\]\] )?static [^=;]*?\b(\w+)\(", re.MULTILINE)
MODELS = re.compile(r"\bModels ((?:\w+(?:, | and )?)+)|static_assert\((\w+)<|: (PlainKind)<")
REFINED = re.compile(r"\b([A-Z]\w+)<[A-Z]> &&")
# How a type is made known to Boost.
FOREIGN = re.compile(r"^BOOST_HANA_\w+\(.*?\);$|^template <>\nstruct boost::.*?;$",
                     re.MULTILINE | re.DOTALL)
DECLARED = re.compile(r"^ {4,8}(?:using (\w+) =|(?!return\b|friend\b)\S.*?\b(\w+)(?:\(| = |;$))")
MOVE = re.compile(r"^ {4,8}(?:\w+& operator=|(?:explicit )?\w+)\(\w+&&[ )]")


def contracts(folder):
    """What each concept names. PlainKind has no concept's words but those of its own members."""
    names = {}
    for header in sorted(folder.glob("*.hpp")):
        text = header.read_text(encoding="utf-8")
        for concept, body in CONCEPT.findall(text):
            names[concept] = set(NAMED.findall(body))
            for base in REFINED.findall(body):
                names[concept] |= names.get(base, set())
    kind = (folder / "kind.hpp").read_text(encoding="utf-8")
    names["PlainKind"] = {"name", "datadir", "default_port", "pass_state", *HOOK.findall(kind)}
    return names


def member_of(lines, number):
    """The name that a line declares, also if the line is only the head of a template."""
    line = lines[number]
    if re.match(r" +template <[^()]*>$", line) and number + 1 < len(lines):
        line = lines[number + 1]
    found = DECLARED.match(line)
    return found and (found[1] or found[2])


def filtered(lines, known):
    modelled = [each for found in MODELS.findall("\n".join(lines))
                for each in re.findall(r"\w+", " ".join(found)) if each in known]
    opening = "before"
    for number, line in enumerate(lines):
        before = lines[number - 1] if number else ""
        if opening == "before" and line.startswith("// "):
            opening = "within"
            yield "/// @file"
        if opening == "within":
            if line.startswith("//"):
                yield "///" + re.sub(r"^ {3,}", "      ", line[2:])
                continue
            opening = "after"
            if line == "":
                continue  # the line that the command took
        if not before.lstrip().startswith(("///", "template <")) and "///<" not in line:
            indent = line[:len(line) - len(line.lstrip())]
            name = member_of(lines, number)
            concept = next((each for each in modelled if name in known[each]), None)
            if MOVE.match(line):
                line = f"{indent}/** Takes over what the other one has. */ {line.lstrip()}"
            elif concept:
                line = f"{indent}/** As @ref replica::{concept} says. */ {line.lstrip()}"
        yield line


def main():
    root, target = map(pathlib.Path, sys.argv[1:])
    known = contracts(root / "include" / "replica")
    for header in sorted((root / "include").rglob("*.hpp")):
        text = FOREIGN.sub(lambda found: "\n" * found[0].count("\n"),
                           header.read_text(encoding="utf-8"))
        copy = target / header.relative_to(root)
        copy.parent.mkdir(parents=True, exist_ok=True)
        copy.write_text("\n".join(filtered(text.split("\n"), known)), encoding="utf-8")


if __name__ == "__main__":
    main()
