"""All mutants of a tree in one copy of it, each behind a switch, and the program built against it.

A place of a mutant becomes `if (mutant(7)) { changed } else { original }`, or for an expression
`(mutant(7) ? (changed) : (original))`. Places lie within each other; only the original of an outer
one contains inner ones, since never more than one mutant is on. What does not compile is found by
the lines of the compiler's errors and left out.
"""

import collections
import dataclasses
import hashlib
import pathlib
import re
import shutil
import subprocess

from mutation import operators, replayed, source

SWITCH = """\
#ifndef REPLICA_MUTANT_HPP
#define REPLICA_MUTANT_HPP

#include <atomic>
#include <cstddef>
#include <cstdio>
#include <cstdlib>
#include <type_traits>

namespace replica {

/// Which mutant is on, by REPLICA_MUTANT, and which were asked for, to the file REPLICA_ASKED.
class MutantSwitch {
public:
    bool on(int number) noexcept {
        if (report_ != nullptr) {
            asked_[static_cast<std::size_t>(number)].store(true, std::memory_order_relaxed);
        }
        return number == on_;
    }
    ~MutantSwitch() {
        if (std::FILE* const file = report_ != nullptr ? std::fopen(report_, "a") : nullptr) {
            for (std::size_t i = 0; i < @COUNT@; ++i) {
                if (asked_[i]) {
                    std::fprintf(file, "%zu\\n", i);
                }
            }
            std::fclose(file);
        }
    }

private:
    static int chosen() {
        const char* const text = std::getenv("REPLICA_MUTANT");
        return text != nullptr ? std::atoi(text) : 0;
    }

    int on_ = chosen();
    const char* report_ = std::getenv("REPLICA_ASKED");
    std::atomic<bool> asked_[@COUNT@] = {};
};

inline MutantSwitch mutant_switch;

constexpr bool mutant(int number) noexcept {
    if (std::is_constant_evaluated()) {
        return false;
    }
    return mutant_switch.on(number);
}

} // namespace replica

#endif // REPLICA_MUTANT_HPP
"""
BEGIN, END = "/*<{}*/", "/*>{}*/"
ERROR = re.compile(r"^(?P<file>[^\s:]+):(?P<line>\d+):\d+: (?:fatal )?error: (?P<what>.*)$",
                   re.MULTILINE)


class Failed(Exception):
    """The copy cannot be built, or the table of replayed mutants does not fit the tree."""


@dataclasses.dataclass
class Place:
    """Where mutants are: an extent of the text that has alternatives."""
    start: int
    end: int
    kind: str
    alternatives: list  # (number, text)
    inner: list = dataclasses.field(default_factory=list)

    def holds(self, other):
        return self.start <= other.start and other.end <= self.end


def identify(mutants):
    """Eight digits for each mutant, which stay while other lines of its file change."""
    seen = collections.Counter()
    for each in mutants:
        text = "\0".join([each.path, each.function, each.operator, each.original, each.mutated])
        seen[text] += 1
        yield hashlib.sha1(f"{text}\0{seen[text]}".encode()).hexdigest()[:8], each


def nest(one, two):
    """Whether two extents lie within each other or apart."""
    apart = one.end <= two.start or two.end <= one.start
    return apart or (one.start <= two.start and two.end <= one.end) or (
        two.start <= one.start and one.end <= two.end)


def collect(include, targets, table=()):
    """All mutants, as {number: (identity, mutant)}: those of the table first in their files."""
    enums = operators.enumerations(
        path.read_text(encoding="utf-8") for path in sorted(include.rglob("*.hpp")))
    found = []
    for path, skipped in targets.items():
        read = source.Source(path, (include / path).read_text(encoding="utf-8"))
        here = [replayed.place(read, name, original, replacement)
                for name, where, original, replacement in table if where == path]
        given = list(here)
        known = {(each.start, each.end, each.splice) for each in here}
        made = [] if skipped is None else operators.Operators(read, enums, skipped).mutants
        for each in made:
            change = (each.start, each.end, each.splice)
            if change not in known and all(nest(each, other) for other in given):
                known.add(change)
                here.append(each)
        found += here
    unknown = sorted({row[1] for row in table} - set(targets))
    if unknown:
        raise Failed(f"the table names files that are not mutated: {', '.join(unknown)}")
    return dict(enumerate(identify(found), 1))


# ---- the copy

def places_of(mutants):
    """The outermost places of one file, each with those inside."""
    by_extent = {}
    for number, each in mutants:
        place = by_extent.setdefault((each.start, each.end, each.kind),
                                     Place(each.start, each.end, each.kind, []))
        place.alternatives.append((number, each.splice))
    outer = []
    for place in sorted(by_extent.values(), key=lambda each: (each.start, -each.end, each.kind)):
        siblings = outer
        while siblings and siblings[-1].holds(place):
            siblings = siblings[-1].inner
        if siblings and siblings[-1].end > place.start:
            raise Failed(f"two places overlap at {place.start}")
        siblings.append(place)
    return outer


def render(text, places, start, end):
    """The text between two offsets with its switches."""
    out = []
    for place in places:
        out.append(text[start:place.start])
        out.append(render_place(place, render(text, place.inner, place.start, place.end)))
        start = place.end
    out.append(text[start:end])
    return "".join(out)


def render_place(place, original):
    first = place.alternatives[0][0]
    out = [BEGIN.format(f"place {first}")]
    if place.kind == "statement":
        for number, splice in place.alternatives:
            out += [BEGIN.format(number), f"if (::replica::mutant({number})) {{", splice,
                    "} else", END.format(number)]
        out += ["{", original, "}"]
    else:
        wrap = "static_cast<bool>({})" if place.kind == "bool" else "({})"
        out.append("(")
        for number, splice in place.alternatives:
            out += [BEGIN.format(number), f"::replica::mutant({number}) ? " + wrap.format(splice),
                    ":", END.format(number)]
        out += [wrap.format(original), ")"]
    out.append(END.format(f"place {first}"))
    return "\n" + "\n".join(out) + "\n"


def write_copy(include, scratch, mutants, dropped=()):
    """Copies the headers, with the switches of all mutants but the dropped ones."""
    copy = scratch / "include"
    if copy.exists():
        shutil.rmtree(copy)
    shutil.copytree(include, copy)
    switch = SWITCH.replace("@COUNT@", str(max(mutants, default=0) + 1))
    (copy / "replica").mkdir(exist_ok=True)
    (copy / "replica/mutant.hpp").write_text(switch, encoding="utf-8")
    by_path = collections.defaultdict(list)
    for number, (_, each) in mutants.items():
        if number not in dropped:
            by_path[each.path].append((number, each))
    for path, those in by_path.items():
        text = (include / path).read_text(encoding="utf-8")
        changed = render(text, places_of(those), 0, len(text))
        at = changed.index("#include") if "#include" in changed else 0
        changed = f"{changed[:at]}#include <replica/mutant.hpp>\n{changed[at:]}"
        (copy / path).write_text(changed, encoding="utf-8")
    return copy


# ---- the build

def blamed(copy, output):
    """The mutants in whose lines the compiler found errors, with its words; all of the place around
    it, if the line is in none's."""
    found = {}
    texts = {}
    for match in ERROR.finditer(output):
        if not match["file"].startswith(str(copy)):
            continue
        if match["file"] not in texts:
            texts[match["file"]] = pathlib.Path(match["file"]).read_text("utf-8").split("\n")
        lines = texts[match["file"]]
        opened = []
        for line in lines[:int(match["line"])]:
            for mark, name in re.findall(r"/\*([<>])([\w ]+)\*/", line):
                if mark == "<":
                    opened.append(name)
                elif opened and opened[-1] == name:
                    opened.pop()
        if opened:
            name = opened[-1]
            numbers = numbers_of(lines, name) if name.startswith("place ") else [int(name)]
            found.update(dict.fromkeys(numbers, match["what"]))
    return found


def numbers_of(lines, name):
    """The mutants of a place, but not of those inside it."""
    text = "\n".join(lines)
    inside = text[text.index(BEGIN.format(name)):text.index(END.format(name))]
    first = int(name.removeprefix("place "))
    found = [first]
    for number in map(int, re.findall(r"/\*<(\d+)\*/", inside)):
        before = inside[:inside.index(BEGIN.format(number))]
        opened = len(re.findall(r"/\*<place", before)) - len(re.findall(r"/\*>place", before))
        if opened == 1:
            found.append(number)
    return found


def compiler_errors(output):
    return "\n".join(match.group() for match in ERROR.finditer(output))


def build(include, scratch, mutants, command, log=print):
    """Writes the copy and runs `command(copy, only_check)` until it compiles. Returns the mutants
    that had to be left out, with the compiler's words."""
    dropped = {}
    for only_check in (True, False):
        while True:
            copy = write_copy(include, scratch, mutants, dropped)
            run = subprocess.run(command(copy, only_check), capture_output=True, text=True)
            if run.returncode == 0:
                break
            guilty = {number: what for number, what in blamed(copy, run.stderr).items()
                      if number not in dropped}
            if not guilty:
                raise Failed("the copy does not compile, and no mutant is to blame:\n"
                             + (compiler_errors(run.stderr) or run.stderr)[:4000])
            log(f"{len(guilty)} mutants do not compile and are left out")
            dropped.update(guilty)
    return dropped
