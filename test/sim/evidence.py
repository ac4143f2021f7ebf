#!/usr/bin/env python3
"""Writes doc/evidence.md from what runs have printed, or checks that the page is what they give.

Usage: test/sim/evidence.py [--write]

Reads test/sim/evidence/:
  histories*.json   replica_sim --report, one file a run
  mutants.jsonl     mutate.py --report
  exhaustive.txt    what sim_exhaustive printed
  fire*.txt         what fire.py printed, several runs in a row
  fuzz.txt          what fuzz/run.sh printed
and doc/defects.md. Nothing on the page is typed by hand. Without --write: exits with 1 if the page
is not what these files give.
"""
import collections
import json
import os
import pathlib
import re
import sys

ROOT = pathlib.Path(os.environ.get("REPLICA_SOURCE_DIR",
                                   pathlib.Path(__file__).resolve().parents[2]))
RUNS = ROOT / "test/sim/evidence"
PAGE = ROOT / "doc/evidence.md"


def table(head, rows):
    lines = ["| " + " | ".join(head) + " |", "|" + " --- |" * len(head)]
    return "\n".join(lines + ["| " + " | ".join(str(cell) for cell in row) + " |" for row in rows])


def grouped(number):
    return f"{number:,}" if isinstance(number, int) else f"{number:,.1f}"


def histories():
    total, marks = collections.Counter(), collections.Counter()
    for file in sorted(RUNS.glob("histories*.json")):
        run = json.loads(file.read_text(encoding="utf-8"))
        marks.update(run.pop("marks"))
        total.update(run)
    names = {"histories": "histories, each of a seed of its own", "calls": "calls of a policy, a "
             "disk or SQLite's file system layer", "days": "simulated days",
             "cpu_minutes": "CPU minutes", "failures": "failures"}
    yield "## Random histories (`test/sim/replica_sim.cpp`)"
    yield table(["", "all runs"], [[text, grouped(total[name])] for name, text in names.items()])
    yield "How often each mark was reached:"
    yield table(["mark", "times"],
                [[mark, grouped(times)] for mark, times in sorted(marks.items())])


def exhaustive():
    file = RUNS / "exhaustive.txt"
    if file.exists():
        yield "## Every power cut, every lost message (`test/sim/exhaustive/exhaustive.cpp`)"
        lines = file.read_text(encoding="utf-8").split("\n")
        yield "\n".join("- " + line.strip() for line in lines
                        if re.search(r" (states|runs),", line))


def mutants():
    file = RUNS / "mutants.jsonl"
    if file.exists():
        results = {}
        for line in file.read_text(encoding="utf-8").split("\n"):
            if line:
                each = json.loads(line)
                if "identity" in each:
                    results[each["identity"]] = each
        by_operator = collections.defaultdict(collections.Counter)
        for each in results.values():
            by_operator[each["operator"]][each["result"]] += 1
        kinds = sorted({each["result"] for each in results.values()})
        all_of = collections.Counter(each["result"] for each in results.values())
        yield "## Small mistakes, put in one by one (`test/sim/mutate.py`)"
        yield table(["operator"] + kinds, [[operator] + [counts[kind] for kind in kinds]
                                           for operator, counts in sorted(by_operator.items())] +
                    [["all"] + [all_of[kind] for kind in kinds]])
        yield ("Not all mutants were run. Survivors that are no mistakes are in "
               "`test/sim/survivors.md`; the others are gaps.")


def printed(pattern, title, wanted):
    lines = []
    for file in sorted(RUNS.glob(pattern)):
        lines += [line.strip() for line in file.read_text(encoding="utf-8").split("\n")
                  if re.search(wanted, line)]
    if lines:
        yield title
        yield "\n".join("- " + line for line in lines)


def defects():
    text = (ROOT / "doc/defects.md").read_text(encoding="utf-8")
    rows = []
    for entry in re.split(r"\n(?=### \d+\. )", text)[1:]:
        number, title = re.match(r"### (\d+)\. (.*)", entry).groups()
        tests = re.search(r"^- Test: (.*?)(?=\n- |\n\n|\Z)", entry, re.M | re.S)
        said = " ".join(tests.group(1).split()).rstrip(".") if tests else ""
        rows.append([number, title, said.split("`; ")[0] + ("`" if "`; " in said else "")])
    yield "## Each defect and a test that shows it"
    yield table(["defect", "what", "test"], rows)


def page():
    parts = ["# Evidence",
             "What was tried to lose a row, and how much of it. Written by "
             "`test/sim/evidence.py` from what the runs\nhave printed (`test/sim/evidence/`)."]
    parts += histories()
    parts += exhaustive()
    parts += mutants()
    parts += printed("fire*.txt", "## Real processes, killed (`test/fire/fire.py`)",
                     r"processes killed|^seed \d+: ")
    parts += printed("fuzz.txt", "## Every door (`test/fuzz/run.sh`)", r"executions")
    parts += defects()
    return "\n\n".join(parts) + "\n"


def main():
    wanted = page()
    if "--write" in sys.argv[1:]:
        PAGE.write_text(wanted, encoding="utf-8")
        return 0
    if PAGE.read_text(encoding="utf-8") != wanted:
        print("doc/evidence.md is not what the runs give: test/sim/evidence.py --write",
              file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
