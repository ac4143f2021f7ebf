#!/usr/bin/env python3
"""mutate.py must kill what a program checks, name what it does not, and notice its own limits."""

import contextlib
import io
import json
import pathlib
import sys
import tempfile
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).parent))

import mutate  # noqa: E402
from mutation import operators, replayed, report, run, schemata, source  # noqa: E402

HEADER = """\
#ifndef REPLICA_KEEP_HPP
#define REPLICA_KEEP_HPP

#include <algorithm>
#include <mutex>
#include <vector>

namespace replica {

enum class Way { nothing, rows, whole };

/// Checked while it is compiled, too.
[[nodiscard]] constexpr Way choose(int ours, int theirs) {
    if (ours <= theirs) {
        return Way::nothing;
    }
    return ours - theirs > 2 && theirs == 0 ? Way::whole : Way::rows;
}
static_assert(choose(1, 0) == Way::rows);

struct Disk {
    std::vector<int> calls;
    void sync(int file) { calls.push_back(file); }
    void rename(int file) { calls.push_back(-file); }
};

/// The order is checked by the program, the second sync is not.
inline bool install(Disk& disk) {
    disk.sync(1);
    disk.rename(1); // after it is durable
    disk.sync(2);
    return true;
}

template <class T>
[[nodiscard]] T greatest(const std::vector<T>& all) {
    T most = T{};
    for (const T& each : all) {
        most = std::max(most, each);
    }
    return most;
}

inline int endless(int from) {
    int steps = 0;
    while (from != 0) {
        steps += 1;
        from = from - 1;
    }
    return steps;
}

inline void never_called(Disk& disk) { disk.sync(9); }

struct Told {
    explicit Told(int value_) : value(value_) {}
    int value;
};

/// One of its mutants does not compile: there is no Told by default.
inline Told told(bool yes) {
    const auto make = [](int value) { return Told(value); };
    return yes ? make(1) : make(2);
}

} // namespace replica

#endif // REPLICA_KEEP_HPP
"""
PROGRAM = """\
#include <replica/keep.hpp>

int main(int one, char**) {
    using namespace replica;
    Disk disk;
    const bool done = install(disk);
    const bool ordered = disk.calls.size() >= 2 && disk.calls[0] == 1 && disk.calls[1] == -1;
    // Of constants the compiler would choose, without any mutant.
    const bool chosen = choose(one, 1) == Way::nothing && choose(4 + one, 0) == Way::whole &&
                        choose(5, one) == Way::rows && choose(1 + one, 0) == Way::rows;
    const bool found = greatest(std::vector<int>{1, 7, 3}) == 7;
    return done && ordered && chosen && found && endless(3) == 3 && told(true).value == 1 ? 0 : 1;
}
"""
TABLE = [
    ("past one", "replica/keep.hpp", "ours <= theirs", "ours < theirs"),
    ("past one", "replica/keep.hpp", "disk.sync(1);\ndisk.rename(1);",
     "disk.rename(1);\n    disk.sync(1);"),
    ("past two", "replica/keep.hpp", "Told(value)", "Told()"),
]


class Tree(unittest.TestCase):
    """A tree with one header and a program, in a directory of its own."""

    def setUp(self):
        scratch = tempfile.TemporaryDirectory()
        self.addCleanup(scratch.cleanup)
        self.root = pathlib.Path(scratch.name)
        self.include = self.root / "include"
        self.write(HEADER)
        (self.root / "program.cpp").write_text(PROGRAM)

    def write(self, header):
        (self.include / "replica").mkdir(parents=True, exist_ok=True)
        (self.include / "replica/keep.hpp").write_text(header)

    def mutants(self, table=()):
        return schemata.collect(self.include, {"replica/keep.hpp": []}, table)

    def names(self, operator):
        return [(each.original, each.mutated) for _, each in self.mutants().values()
                if each.operator == operator]


class Mutants(Tree):
    def test_each_operator_finds_its_places(self):
        self.assertIn(("disk.sync(1);", ""), self.names("sync"))
        self.assertIn(("disk.rename(1);", ""), self.names("drop"))
        self.assertIn(("true", "false"), self.names("flip"))
        self.assertIn(("ours <= theirs", "ours < theirs"), self.names("bound"))
        self.assertIn(("from - 1", "from"), self.names("bound"))
        self.assertIn(("ours <= theirs", "false"), self.names("never"))
        self.assertIn(("std::max(most, each)", "std::min(most, each)"), self.names("minmax"))
        self.assertIn(("Way::rows", "Way::nothing"), self.names("enum"))
        self.assertIn(("ours - theirs > 2 && theirs == 0", "theirs == 0"), self.names("part"))
        self.assertIn(("disk.sync(1); disk.rename(1);", "disk.rename(1); disk.sync(1);"),
                      self.names("swap"))

    def test_a_lock_is_given_back_or_taken_later(self):
        self.write(HEADER.replace("    disk.sync(1);\n",
                                  "    const auto lock = lock_directory(disk);\n"
                                  "    disk.sync(1);\n"))
        self.assertEqual(self.names("unlock"), [("const auto lock = lock_directory(disk);", "")])
        self.assertEqual(len(self.names("late")), 1)

    def test_an_identity_survives_other_lines(self):
        before = {identity for identity, _ in self.mutants().values()}
        self.write(HEADER.replace("/// The order", "/// More words.\n///\n/// The order"))
        self.assertEqual({identity for identity, _ in self.mutants().values()}, before)
        self.assertEqual(len(before), len(self.mutants()))

    def test_a_function_can_be_left_out(self):
        found = schemata.collect(self.include, {"replica/keep.hpp": ["install"]})
        self.assertNotIn("install", {each.function for _, each in found.values()})

    def test_a_row_of_the_table_whose_text_is_gone_is_refused(self):
        with self.assertRaisesRegex(replayed.Misplaced, "is not there any more"):
            self.mutants([("past three", "replica/keep.hpp", "no_such(text)", "")])
        with self.assertRaisesRegex(replayed.Misplaced, "is there 2 times"):
            self.mutants([("past three", "replica/keep.hpp", "Disk& disk", "")])
        with self.assertRaisesRegex(schemata.Failed, "files that are not mutated"):
            self.mutants([("past three", "replica/other.hpp", "x", "")])

    def test_the_table_fits_the_tree(self):
        found = schemata.collect(mutate.ROOT / "include", mutate.targets.TARGETS, replayed.ROWS)
        self.assertGreater(len(found), 1000)

    def test_what_is_not_closed_is_refused(self):
        with self.assertRaises(source.Unreadable):
            source.Source("x.hpp", "void f() { g(; }")


class Runs(Tree):
    def run_tool(self, *more):
        out = io.StringIO()
        with contextlib.redirect_stdout(out):
            status = mutate.main(
                ["--program", str(self.root / "program.cpp"), "--arguments", "", "--seconds", "2",
                 "--scratch",
                 str(self.root / "scratch"), "--survivors", str(self.root / "survivors.md"),
                 "--report", str(self.root / "report"), *more],
                {"replica/keep.hpp": []}, TABLE, self.include)
        first, *lines = (self.root / "report").read_text().splitlines()
        self.header = json.loads(first)["run"]
        return status, out.getvalue(), [json.loads(line) for line in lines]

    def run_tool_again(self):
        """Goes on with a report, whatever it is of."""
        out = io.StringIO()
        with contextlib.redirect_stdout(out):
            status = mutate.main(
                ["--program", str(self.root / "program.cpp"), "--arguments", "", "--seconds", "2",
                 "--scratch", str(self.root / "scratch"), "--report", str(self.root / "report"),
                 "--resume"], {"replica/keep.hpp": []}, TABLE, self.include)
        return status, out.getvalue(), None

    def result(self, lines, original, operator):
        found = [each["result"] for each in lines
                 if each["original"] == original and each["operator"] == operator]
        self.assertEqual(len(found), 1, original)
        return found[0]

    def test_from_the_build_to_the_survivors(self):
        status, said, lines = self.run_tool()
        self.assertEqual(self.result(lines, "disk.sync(1); disk.rename(1);", "past one"), "killed")
        self.assertEqual(self.result(lines, "ours <= theirs", "past one"), "killed")
        self.assertEqual(self.result(lines, "from = from - 1;", "drop"), "killed")  # hangs
        self.assertEqual(self.result(lines, "std::max(most, each)", "minmax"), "killed")
        self.assertEqual(self.result(lines, "disk.sync(2);", "sync"), "survived")
        self.assertEqual(self.result(lines, "disk.sync(9);", "sync"), "not reached")
        self.assertEqual(self.result(lines, "Told(value)", "past two"), "does not compile")
        self.assertEqual(status, 1)
        self.assertIn("have no reason in survivors.md", said)

        survived = [each for each in lines if each["result"] == "survived"]
        entries = "".join(f"- `{each['identity']}` it\n  gap: nobody looks\n" for each in survived)
        (self.root / "survivors.md").write_text(entries)
        only = next(each for each in survived if each["original"] == "disk.sync(2);")
        status, said, lines = self.run_tool("--resume", "--only", only["identity"])
        self.assertEqual(status, 0, said)
        self.assertNotIn("SURVIVED", said)  # it was not run once more
        self.assertIn("0 of 1 killed", said)
        self.assertEqual(self.result(lines, "disk.sync(1);", "sync"), "not run")
        self.assertEqual(self.header["only"], only["identity"])
        self.assertEqual(self.header["seconds"], 2)
        self.assertRegex(self.header["date"], r"^\d{4}-\d\d-\d\d$")

        found = report.earlier(self.root / "report")
        self.assertEqual([*found], [only["identity"]])
        self.assertEqual(report.earlier(self.root / "report", ("killed",)), {})  # with --again

    def test_a_mutant_that_only_a_later_call_comes_to(self):
        (self.root / "program.cpp").write_text(
            PROGRAM.replace("endless(3) == 3", "(count == 1 || endless(3) == 3)")
            .replace("int one, char**) {", "int count, char**) {\n    volatile int number = 1;\n"
                     "    const int one = number;"))
        _, _, lines = self.run_tool()
        self.assertEqual(self.result(lines, "from = from - 1;", "drop"), "not reached")
        _, said, lines = self.run_tool("--arguments", "more")
        self.assertEqual(self.result(lines, "from = from - 1;", "drop"), "killed")
        self.assertEqual(self.result(lines, "ours <= theirs", "past one"), "killed")
        self.assertEqual(self.result(lines, "disk.sync(2);", "sync"), "survived")
        self.assertEqual(said.count("passes without a mutant"), 2)
        self.assertEqual(self.header["arguments"], ["", "more"])
        status, said, _ = self.run_tool_again()
        self.assertEqual(status, 2)
        self.assertIn("is of other calls: ['', 'more']", said)

    def test_the_worlds_are_arguments_of_the_simulator(self):
        worlds = mutate.parse(["--worlds"]).arguments[1:]
        self.assertGreater(len(worlds), 5)
        for world in worlds:
            self.assertRegex(world, r"^\d+ --count \d+ --quiet --config '[a-z_=0-9 ]+'$")

    def test_a_program_that_fails_by_itself(self):
        (self.root / "program.cpp").write_text(PROGRAM.replace("? 0 : 1", "? 1 : 0"))
        out = io.StringIO()
        with contextlib.redirect_stdout(out):
            status = mutate.main(
                ["--program", str(self.root / "program.cpp"), "--arguments", "", "--scratch",
                 str(self.root / "scratch")], {"replica/keep.hpp": []}, (), self.include)
        self.assertEqual(status, 2)
        self.assertIn("fails without a mutant", out.getvalue())


class Ends(unittest.TestCase):
    def ended(self, script, seconds=5.0):
        return run.run(["/bin/sh", "-c", script], seconds, mutant=1)

    def test_how_a_program_ends(self):
        self.assertTrue(self.ended("exit 0").passed)
        self.assertEqual(self.ended("exit 3").how, "exit 3")
        self.assertEqual(self.ended("kill -6 $$").how, "signal 6")
        coloured = r"printf 'x.cpp(9): \033[1;31;49merror: in y\n'; sleep 60"
        self.assertEqual(self.ended(coloured).how, "said error")
        self.assertEqual(self.ended("sleep 60", 0.05).how, "out of time")
        self.assertEqual(self.ended("while :; do :; done", 1).how, "out of time")


class Reports(unittest.TestCase):
    def test_reasons_of_survivors(self):
        text = ("# Survivors\n\n- `0123abcd` a.hpp f drop: `x;` -> `nothing`\n"
                "  equivalent because x does nothing\n"
                "- `89abcdef` a.hpp f drop: `y;` -> `nothing`\n"
                "- `00000000` a.hpp f drop: `z;` -> `nothing`\n  gap:\n"
                "- `11111111` a.hpp f drop: `u;` -> `nothing`\n  cost: u is read twice\n")
        self.assertEqual(report.reasons(text), {
            "0123abcd": "equivalent because x does nothing", "89abcdef": None, "00000000": None,
            "11111111": "cost: u is read twice"})

    def test_enumerations_with_values_and_comments(self):
        self.assertEqual(
            operators.enumerations(["enum class Way : int { one = 1, ///< a, b\n two, };"]),
            {"Way": ["one", "two"]})


if __name__ == "__main__":
    unittest.main()
