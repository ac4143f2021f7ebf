#!/usr/bin/env python3
"""A mutation test of a test: which small mistakes in include/ does a program notice?

Usage: mutate.py [--program NAME] [--arguments TEXT]... [--worlds] [--seconds N] [--jobs N]
                 [--only REGEX] [--sample WORD COUNT] [--report FILE [--resume [--again]]] [--list]

The program is built once, against a copy of include/ in which all mutants are compiled in behind a
switch (mutation/schemata.py), and is then run once for each mutant. A mutant is killed if the
program fails. One whose place the program never comes to is not reached, and not run. Survivors
belong into survivors.md, with a reason: what has none is named, and the exit status is 1.

  --program    a test of test/list.txt, or the path of a .cpp file; sim/replica_sim
  --arguments  what the program is called with; several times: one call after the other, until one
               of them fails
  --worlds     adds calls with the arguments that stand in the lines of mutation/worlds.txt
  --seconds    how long a mutant has in each call, on a processor; 30. A program that passes in half
               of that and does not end with a mutant hangs, which counts as killed; else it has
               survived
  --only       mutants whose line in --list matches: `identity file:line operator: text -> mutated`
  --sample     so many of those that are reached; another WORD, such as a commit, draws others
  --report     JSON, one line for each mutant, written as they are run
  --resume     takes over what the report has of an earlier run that was broken off
  --again      with --resume: runs the survivors once more, as after a change of the program
  --list       prints the mutants, and builds nothing
"""

import argparse
import concurrent.futures
import dataclasses
import hashlib
import os
import pathlib
import re
import shlex
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).parent))

from mutation import replayed, report, run, schemata, targets  # noqa: E402

ROOT = pathlib.Path(__file__).parents[2]
WORLDS = pathlib.Path(__file__).with_name("mutation") / "worlds.txt"
LIBRARIES = {"json": ["-lboost_json"], "sqlite": ["-lsqlite3"], "crypto": ["-lcrypto"],
             "zlib": ["-lz"], "process": ["-lboost_filesystem"], "spdlog": ["-lspdlog", "-lfmt"],
             "fiber": ["-lboost_context"], "beast": [], "cli": []}


def parse(arguments):
    parser = argparse.ArgumentParser(usage=__doc__)
    parser.add_argument("--program", default="sim/replica_sim")
    parser.add_argument("--arguments", action="append")
    parser.add_argument("--worlds", action="store_true")
    parser.add_argument("--seconds", type=float, default=30)
    parser.add_argument("--jobs", type=int, default=1)
    parser.add_argument("--only", type=re.compile)
    parser.add_argument("--sample", nargs=2, metavar=("WORD", "COUNT"))
    parser.add_argument("--report", type=pathlib.Path)
    parser.add_argument("--resume", action="store_true")
    parser.add_argument("--again", action="store_true")
    parser.add_argument("--survivors", type=pathlib.Path,
                        default=pathlib.Path(__file__).with_name("survivors.md"))
    parser.add_argument("--scratch", type=pathlib.Path, default=ROOT / "build/mutants")
    parser.add_argument("--list", action="store_true")
    options = parser.parse_args(arguments)
    options.arguments = options.arguments or ["1 --count 90 --quiet"]
    if options.worlds:
        options.arguments += [line for line in WORLDS.read_text().splitlines()
                              if line and not line.startswith("#")]
    return options


def source_and_libraries(program):
    """Of a test in the list, or all libraries for a file that is not there."""
    if program.endswith(".cpp"):
        return pathlib.Path(program).resolve(), [*LIBRARIES]
    for line in (ROOT / "test/list.txt").read_text().splitlines():
        words = line.split("#")[0].split()
        if words and words[0] == program:
            used = [word for word in words[1:] if not word.startswith("timeout=")]
            return ROOT / f"test/{program}.cpp", ["json", *used]
    sys.exit(f"mutate.py: test/list.txt has no {program}")


def command_for(program, binary):
    """compile(copy, only_check): the command that builds the program against a copy."""
    file, used = source_and_libraries(program)
    if missing := [each for each in used if each not in LIBRARIES]:
        sys.exit(f"mutate.py: knows no flags for {', '.join(missing)}")
    links = [flag for each in used for flag in LIBRARIES[each]]

    def command(copy, only_check):
        compiler = os.environ.get("CXX", "g++").split()
        out = ["-fsyntax-only"] if only_check else ["-O2", "-o", str(binary)]
        return [*compiler, "-std=c++20", "-w", "-fmax-errors=0", "-DBOOST_TEST_DYN_LINK",
                "-D_GLIBCXX_ASSERTIONS", *out, f"-I{copy}", f"-I{ROOT}/test", str(file),
                "-lboost_unit_test_framework", *links, "-pthread"]

    return command


def chosen(numbers, mutants, only, sample):
    """Of these mutants those that match, and of those as many as the sample has."""
    found = [number for number in numbers
             if not only or only.search(f"{mutants[number][0]} {report.name(mutants[number][1])}")]
    if sample:
        word, count = sample[0], int(sample[1])
        found.sort(key=lambda number: hashlib.sha1(
            (word + mutants[number][0]).encode()).hexdigest())
        found = sorted(found[:count])
    return found


@dataclasses.dataclass
class Call:
    """One way to call the program, and what it does without a mutant."""

    command: list
    asked: set  # the mutants whose place it comes to
    hangs: bool  # passes so fast that one which does not end hangs


def call_without(command, seconds, scratch):
    """A Call, or what the program said as it failed."""
    asked_file = scratch / "asked"
    asked_file.unlink(missing_ok=True)
    whole = run.run(command, max(seconds, 600), asked=asked_file)
    if not whole.passed:
        return f"{whole.how}: {whole.words}"
    asked = {int(line) for line in asked_file.read_text().split()}
    hangs = whole.seconds * 2 <= seconds
    print(f"passes without a mutant in {whole.seconds:.1f} s and comes to "
          f"{len(asked)} mutants" + ("" if hangs else "; too slow to tell who hangs"), flush=True)
    return Call(command, asked, hangs)


def run_calls(calls, seconds, number):
    """Whether one of the calls that come to the mutant fails, and how the last one ended."""
    took = 0
    for call in calls:
        if number in call.asked:
            ended = run.run(call.command, seconds, number)
            took += ended.seconds
            killed = not ended.passed and (ended.how != "out of time" or call.hangs)
            if killed:
                break
    return killed, dataclasses.replace(ended, seconds=took)


def run_all(calls, numbers, options, tell):
    with concurrent.futures.ThreadPoolExecutor(options.jobs) as pool:
        runs = {pool.submit(run_calls, calls, options.seconds, number): number
                for number in numbers}
        for done in concurrent.futures.as_completed(runs):
            tell(runs[done], *done.result())


def main(arguments=None, targets_=targets.TARGETS, table=replayed.ROWS, include=ROOT / "include"):
    options = parse(arguments)
    mutants = schemata.collect(include, targets_, table)
    if options.list:
        for number in chosen([*mutants], mutants, options.only, None):
            print(mutants[number][0], report.name(mutants[number][1]))
        return 0
    options.scratch.mkdir(parents=True, exist_ok=True)
    binary = options.scratch / "program"
    began = time.monotonic()
    dropped = schemata.build(include, options.scratch, mutants,
                             command_for(options.program, binary))
    print(f"{len(mutants)} mutants, {len(dropped)} do not compile, "
          f"built in {time.monotonic() - began:.0f} s", flush=True)

    calls = [call_without([str(binary), *shlex.split(each)], options.seconds, options.scratch)
             for each in options.arguments]
    if failed := [each for each in calls if isinstance(each, str)]:
        print(f"the program fails without a mutant: {failed[0]}")
        return 2
    asked = set().union(*(call.asked for call in calls))
    if options.resume and (before := report.arguments(options.report)) not in (
            None, options.arguments):
        print(f"{options.report} is of other calls: {before}")
        return 2
    taken = ("killed",) if options.again else ("killed", "survived")
    earlier = report.earlier(options.report, taken) if options.resume else {}
    out = report.Report(options.report, mutants, {
        "date": time.strftime("%Y-%m-%d", time.gmtime()), "program": options.program,
        "arguments": options.arguments, "seconds": options.seconds, "sample": options.sample,
        "only": options.only and options.only.pattern, "reached": len(asked)})
    for number, words in dropped.items():
        out.add(number, "does not compile", why=words)
    for number in sorted(mutants.keys() - asked - dropped.keys()):
        out.add(number, "not reached")
    numbers = chosen(sorted(asked), mutants, options.only, options.sample)
    for number in numbers:
        if mutants[number][0] in earlier:
            out.add(number, **earlier[mutants[number][0]])

    def tell(number, killed, ended):
        out.add(number, "killed" if killed else "survived", how=ended.how,
                seconds=round(ended.seconds, 2), why=ended.words)
        print(f"{'killed' if killed else 'SURVIVED'} {mutants[number][0]} "
              f"{report.name(mutants[number][1])} ({ended.how}, {ended.seconds:.1f} s)", flush=True)

    run_all(calls, [number for number in numbers if number not in out.results], options, tell)
    return out.conclude(options.survivors)


if __name__ == "__main__":
    sys.exit(main())
