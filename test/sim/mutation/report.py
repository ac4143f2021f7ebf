"""What came of the mutants: JSON lines for programs, tables for people, and the known survivors."""

import collections
import json
import re

ENTRY = re.compile(r"^- `(?P<identity>[0-9a-f]{8})`.*?\n((?:  .*\n?)*)", re.MULTILINE)
REASON = re.compile(r"^  (equivalent because|cost:|gap:) *(\S.*)", re.MULTILINE)


def name(each):
    mutated = each.mutated or "nothing"
    return f"{each.path.removeprefix('replica/')}:{each.line} {each.operator}: " \
           f"{each.original} -> {mutated}"


def shortened(text, most=160):
    return text if len(text) <= most else text[:most - 3] + "..."


def earlier(path, results=("killed", "survived")):
    """{identity: result and how} of the mutants that a report has as run, with these results."""
    found = {}
    if path and path.exists():
        for text in path.read_text(encoding="utf-8").splitlines():
            line = json.loads(text)
            if line.get("result") in results:
                found[line["identity"]] = {
                    key: line[key] for key in ("result", "how", "seconds", "why")}
    return found


def arguments(path):
    """What the program was called with in the run that a report is of; None if there is none."""
    if not path or not path.exists():
        return None
    first = path.read_text(encoding="utf-8").split("\n", 1)[0]
    return json.loads(first or "{}").get("run", {}).get("arguments")


class Report:
    """The results by mutant, each in the report as soon as it is known."""

    def __init__(self, path, mutants, run=None):
        """`run`: what the report says of the whole of it, in a line before the mutants."""
        self.mutants = mutants
        self.results = {}
        self.path = path
        if path:
            path.write_text(json.dumps({"run": run or {}}) + "\n", encoding="utf-8")

    def add(self, number, result, **more):
        self.results[number] = result
        if not self.path:
            return
        identity, each = self.mutants[number]
        fields = {"identity": identity, "file": each.path, "line": each.line,
                  "function": each.function, "operator": each.operator,
                  "original": each.original, "mutated": each.mutated, "result": result, **more}
        with self.path.open("a", encoding="utf-8") as out:
            print(json.dumps(fields), file=out)

    def conclude(self, list_of_survivors):
        """Prints the tables, and the survivors that nobody has looked at: then returns 1."""
        for number in self.mutants.keys() - self.results.keys():
            self.add(number, "not run")
        print(table([(each, self.results[number]) for number, (_, each) in self.mutants.items()]))
        of = {result: sorted(number for number in self.results if self.results[number] == result)
              for result in ("killed", "survived")}
        ran = len(of["killed"]) + len(of["survived"])
        if ran:
            print(f"{len(of['killed'])} of {ran} killed: {100 * len(of['killed']) / ran:.0f} %")
        known = {}
        if list_of_survivors.exists():
            known = reasons(list_of_survivors.read_text(encoding="utf-8"))
        for number in of["killed"]:
            if self.mutants[number][0] in known:
                print(f"{self.mutants[number][0]} is in {list_of_survivors.name} and was killed")
        unknown = [number for number in of["survived"] if not known.get(self.mutants[number][0])]
        if unknown:
            print(f"{len(unknown)} survivors have no reason in {list_of_survivors.name}:")
        for number in unknown:
            print(entry(*self.mutants[number]))
        return 1 if unknown else 0


def table(results):
    """Killed, survived and the rest, by file and by operator. `results`: (mutant, result)."""
    columns = ["killed", "survived", "not reached", "not run", "does not compile"]
    out = []
    for title, key in (("file", lambda each: each.path.removeprefix("replica/")),
                       ("operator", lambda each: each.operator.split(" ")[0])):
        counts = collections.defaultdict(collections.Counter)
        for each, result in results:
            counts[key(each)][result] += 1
            counts["all"][result] += 1
        out.append(f"{title:24}" + "".join(f"{column:>18}" for column in columns))
        total = counts.pop("all", collections.Counter())
        for which, count in [*sorted(counts.items()), ("all", total)]:
            out.append(f"{which:24}" + "".join(f"{count[column]:18}" for column in columns))
        out.append("")
    return "\n".join(out)


def reasons(text):
    """{identity: reason} of a list of survivors; an entry without a reason has none."""
    found = {}
    for match in ENTRY.finditer(text):
        reason = REASON.search(match.group(2))
        found[match["identity"]] = f"{reason[1]} {reason[2]}" if reason else None
    return found


def entry(identity, each):
    """What to put into the list of survivors, and to complete."""
    mutated = each.mutated or "nothing"
    where = f"{each.path.removeprefix('replica/')} {each.function}".rstrip()
    return f"- `{identity}` {where} {each.operator}: `{shortened(each.original)}` -> " \
           f"`{shortened(mutated)}`"
