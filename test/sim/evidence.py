#!/usr/bin/env python3
"""Writes doc/evidence.md from what runs have printed, or checks that the page is what they give.

Usage: test/sim/evidence.py [--write]

Reads test/sim/evidence/:
  histories*.json   replica_sim --report, one file a run
  mutants*.jsonl    mutate.py --report, several runs, without the lines of mutants that were not
                    run; the reasons of survivors are in test/sim/survivors.md
  exhaustive.txt    what sim.exhaustive --bound 100000 printed
  fire*.txt         what fire.py printed, several runs in a row
  fuzz*.txt         what fuzz/run.sh printed, several runs in a row
and doc/defects.md. Nothing on the page is typed by hand. Without --write: exits with 1 if the page
is not what these files give.
"""
import collections
import json
import os
import pathlib
import re
import sys

sys.path.insert(0, str(pathlib.Path(__file__).parent))

from mutation import report  # noqa: E402

ROOT = pathlib.Path(os.environ.get("REPLICA_SOURCE_DIR",
                                   pathlib.Path(__file__).resolve().parents[2]))
RUNS = ROOT / "test/sim/evidence"
PAGE = ROOT / "doc/evidence.md"
SURVIVORS = ROOT / "test/sim/survivors.md"


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
        yield "## Every power cut, failure and lost message (`test/sim/exhaustive/exhaustive.cpp`)"
        text = file.read_text(encoding="utf-8")
        states = sum(int(count) for count in re.findall(r" (\d+) states,", text))
        seconds = sum(float(took) for took in re.findall(r" states,.*, ([\d.]+) s$", text, re.M))
        yield (f"{grouped(states)} states of a disk after a power cut, in {seconds:.0f} s; a run "
               "for each call that fails and each message that goes wrong:")
        yield "\n".join("- " + line.strip() for line in text.split("\n")
                        if re.search(r" (states|runs),", line))


def mutants():
    """Of a mutant that was in several runs, one that killed it counts, then one that did not."""
    ranks = ["killed", "survived", "does not compile", "not run", "not reached"]
    runs, results = [], {}
    for file in sorted(RUNS.glob("mutants*.jsonl")):
        lines = [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines()]
        ran = sum(each.get("result") in ranks[:2] for each in lines)
        runs += [mutant_run(each["run"], ran) for each in lines if each.get("run")]
        for each in lines:
            before = results.get(each.get("identity"), each)
            if "identity" in each and (ranks.index(each["result"])
                                       <= ranks.index(before["result"])):
                results[each["identity"]] = each
    if not results:
        return
    by_operator = collections.defaultdict(collections.Counter)
    for each in results.values():
        by_operator[each["operator"]][each["result"]] += 1
    all_of = collections.Counter(each["result"] for each in results.values())
    kinds = [kind for kind in ranks if all_of[kind]]
    yield "## Small mistakes, put in one by one (`test/sim/mutate.py`)"
    if runs:
        yield "\n".join("- " + run for run in runs)
    yield table(["operator"] + kinds, [[operator] + [counts[kind] for kind in kinds]
                                       for operator, counts in sorted(by_operator.items())] +
                [["all"] + [all_of[kind] for kind in kinds]])
    yield mutant_score(results)


def mutant_run(run, ran):
    which = f"{ran} mutants"
    if run["sample"]:
        which += f" of {run['reached']} that are reached, drawn by `{run['sample'][0]}`"
    elif run["only"]:
        which += ", chosen one by one"
    calls = run["arguments"] if isinstance(run["arguments"], list) else [run["arguments"]]
    first = f"`{run['program']} {calls[0]}`"
    more = f" and {len(calls) - 1} other calls" if len(calls) > 1 else ""
    return (f"{run['date']}: {which}, with {first}{more}, in each for "
            f"{run['seconds']:.0f} s of a processor at most.")


def mutant_score(results):
    reasons = report.reasons(SURVIVORS.read_text(encoding="utf-8"))
    survivors = [reasons.get(identity) or "" for identity, each in results.items()
                 if each["result"] == "survived"]
    killed = sum(each["result"] == "killed" for each in results.values())
    of = collections.Counter(reason.split(" ")[0] for reason in survivors)
    ran = killed + len(survivors)
    harmful = ran - of["equivalent"] - of["cost:"]
    return (f"Of {ran} that were run {killed} were killed: {100 * killed / max(1, ran):.0f} %. Of "
            f"the survivors {of['equivalent']} are no mistakes, {of['cost:']} change only what is "
            f"told or how much work is done, {of['gap:']} are gaps, all with their reasons in "
            f"`test/sim/survivors.md`; {of['']} have no reason yet. Of the mutants that can do "
            f"harm {100 * killed / max(1, harmful):.0f} % were killed.")


def printed(pattern, title, wanted):
    lines = []
    for file in sorted(RUNS.glob(pattern)):
        lines += [line.strip() for line in file.read_text(encoding="utf-8").split("\n")
                  if re.search(wanted, line)]
    if lines:
        yield title
        yield "\n".join("- " + line for line in lines)


def doors():
    """Of each door all runs together."""
    tried, seconds = collections.Counter(), collections.Counter()
    for file in sorted(RUNS.glob("fuzz*.txt")):
        for door, times, took in re.findall(r"^(\w+) +(\d+) executions in (\d+) s$",
                                            file.read_text(encoding="utf-8"), re.M):
            tried[door] += int(times)
            seconds[door] += int(took)
    if tried:
        yield "## Every door (`test/fuzz/run.sh`)"
        yield table(["door", "inputs tried", "minutes"],
                    [[door, grouped(tried[door]), grouped(seconds[door] / 60)]
                     for door in sorted(tried)])


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
    parts += doors()
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
