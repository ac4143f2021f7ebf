#!/usr/bin/env python3
"""style.py must find each kind of fault, and nothing in a faultless tree."""

import pathlib
import tempfile
import unittest

import style

GOOD_HEADER = """\
// Why it exists.
#ifndef REPLICA_SQLITE_DATABASE_HPP
#define REPLICA_SQLITE_DATABASE_HPP

namespace replica {}

#endif // REPLICA_SQLITE_DATABASE_HPP
"""
GOOD_TEST = "#include <replica/sqlite/database.hpp>\n"
GOOD_LIST = "unit/sqlite/database sqlite\n"
GOOD_DOCUMENTS = {
    "doc/defects.md": "### 5. Lost\n\n### 13. Hidden\n",
    "doc/invariants.md": "### I4. Order\n",
}


class Style(unittest.TestCase):
    def problems(self, **changed):
        """What style.py says about a good tree in which some files are replaced or added."""
        tree = {
            "include/replica/sqlite/database.hpp": GOOD_HEADER,
            "test/unit/sqlite/database.cpp": GOOD_TEST,
            "test/list.txt": GOOD_LIST,
        }
        tree.update(changed.get("tree", {}))
        if "header" in changed:
            tree["include/replica/sqlite/database.hpp"] = changed["header"]
        if "body" in changed:
            tree["include/replica/sqlite/database.hpp"] = GOOD_HEADER.replace(
                "namespace replica {}", changed["body"])
        with tempfile.TemporaryDirectory() as folder:
            root = pathlib.Path(folder)
            for path, text in tree.items():
                (root / path).parent.mkdir(parents=True, exist_ok=True)
                (root / path).write_text(text)
            return [f"{path}:{number}: {what}" for path, number, what in style.check(root)]

    def expect(self, part, **changed):
        found = self.problems(**changed)
        self.assertEqual(len(found), 1, found)
        self.assertIn(part, found[0])

    def test_a_good_tree_has_no_problems(self):
        self.assertEqual(self.problems(), [])

    def test_a_long_line(self):
        self.expect("hpp:5: 101 columns", body="// " + "x" * 98)
        self.assertEqual(self.problems(body="// " + "x" * 97), [])

    def test_blanks_and_tabs(self):
        self.expect("blanks at the end", body="int x; ")
        self.expect("tab", body="\tint x;")

    def test_no_newline_at_the_end(self):
        self.expect("no newline", header=GOOD_HEADER.rstrip("\n"))

    def test_leftover_words_in_any_kind_of_file(self):
        for word in ("TO" "DO", "FIX" "ME", "XX" "X"):
            self.expect("left over", body=f"// {word}: later")
            self.expect("left over", tree={"README.md": f"{word}\n"})
        self.assertEqual(self.problems(body='char name[] = "/tmp/X' 'XXXXX";'), [])

    def test_a_header_that_grew(self):
        long_header = GOOD_HEADER.replace("namespace replica {}", "int x;\n" * 394)
        self.assertEqual(self.problems(header=long_header.replace("int x;\n", "", 1)), [])
        self.expect("split the header", header=long_header)

    def test_a_header_without_its_reason(self):
        self.expect("why it exists", header=GOOD_HEADER.replace("// Why it exists.\n", ""))

    def test_the_reason_may_stand_inside_the_guard(self):
        inside = GOOD_HEADER.replace("// Why it exists.\n", "")
        inside = inside.replace("namespace", "// Why it exists.\nnamespace")
        self.assertEqual(self.problems(header=inside), [])

    def test_a_comment_that_names_a_header_that_is_gone(self):
        self.expect("there is no header store.hpp", body="// See store.hpp.\nnamespace replica {}")
        for name in ("database.hpp", "sqlite/database.hpp", "replica/sqlite/database.hpp"):
            self.assertEqual(self.problems(body=f"// See {name}.\nnamespace replica {{}}"), [])

    def test_a_document_that_names_a_test_case_that_is_gone(self):
        tree = {"doc/x.md": "Test: `test/unit/sqlite/database.cpp`: `rows_stay`,\n  `rows_go`.\n",
                "test/unit/sqlite/database.cpp": GOOD_TEST + "void rows_go();\n"}
        self.expect("has no test case rows_stay", tree=tree)
        tree["test/unit/sqlite/database.cpp"] += "void rows_stay();\n"
        self.assertEqual(self.problems(tree=tree), [])

    def test_a_document_that_names_a_function_that_is_gone(self):
        tree = {"doc/x.md":
                "`include/replica/sqlite/database.hpp` (`merge`, which sorts; `copy`)\n"}
        self.expect("has no merge", tree=tree, body="void copy();")
        self.assertEqual(self.problems(tree=tree, body="void copy();\nvoid merge();"), [])

    def test_a_guard_that_is_not_named_after_the_path(self):
        found = self.problems(header=GOOD_HEADER.replace("SQLITE_DATABASE", "DATABASE"))
        self.assertEqual(len(found), 2)
        self.assertIn("no line '#ifndef REPLICA_SQLITE_DATABASE_HPP'", found[0])

    def test_file_calls_outside_the_disk(self):
        self.expect("file and process calls", body="int file = ::open(name, 0);")
        self.expect("file calls", body="bool there = std::filesystem::exists(name);")
        self.assertEqual(self.problems(body="int file = store.open(name);"), [])
        self.assertEqual(self.problems(body="// ::open() is left to the disk"), [])
        self.assertEqual(self.problems(body='char text[] = "::open(";'), [])
        self.assertEqual(self.problems(body="std::filesystem::path name;"), [])

    def test_file_calls_are_allowed_in_the_disk(self):
        header = GOOD_HEADER.replace("SQLITE_DATABASE", "DISK_POSIX")
        header = header.replace("namespace replica {}", "int file = ::open(name, 0);")
        self.assertEqual(self.problems(tree={"include/replica/disk/posix.hpp": header}), [])

    def test_time_outside_the_clock(self):
        self.expect("time comes from the Clock", body="auto t = std::chrono::steady_clock::now();")
        self.expect("time comes from the Clock", body="auto t = ::time(nullptr);")
        self.expect("only the Clock sleeps", body="std::this_thread::sleep_for(1s);")
        self.assertEqual(self.problems(body="using Time = std::chrono::system_clock;"), [])
        self.assertEqual(self.problems(body="clock.sleep_for(1s);"), [])

    def test_randomness_without_a_seed(self):
        self.expect("seeded source", body="std::random_device{}();")

    def test_macros_and_using_namespace(self):
        self.expect("no macros", body="#define MAX 3")
        self.expect("include guard", body="#pragma once")
        self.expect("no using namespace", body="using namespace std;")
        self.assertEqual(self.problems(body="using namespace std::chrono_literals;"), [])

    def test_a_function_that_grew(self):
        self.assertEqual(self.problems(body="void f() {\n" + "    g();\n" * 68 + "}"), [])
        self.expect("hpp:5: a function of 71", body="void f() {\n" + "    g();\n" * 69 + "}")
        constructor = "    S()\n        : x() {\n        g();\n    }\n" + "    int x;\n" * 90
        self.assertEqual(self.problems(body="struct S {\n" + constructor + "};"), [])
        self.assertEqual(self.problems(body="struct S {\n" + "    int x;\n" * 90 + "};"), [])

    def refers(self, text, path=None):
        """What is said of a reference in the comment of a header, or in another file."""
        tree = dict(GOOD_DOCUMENTS)
        if path:
            tree[path] = text + "\n"
            return self.problems(tree=tree)
        return self.problems(tree=tree, body=text)

    def test_a_defect_without_an_entry(self):
        word = "def" "ect"  # in two halves: this file is looked at as well
        for good in (f"{word} 5", f"{word}s 5 and 13", f"{word}s 5, 13", f"{word} 5, 99 times",
                     f"{word}s 5 to 13", f"a {word} in 99", f"{word}s 5,\n// 13"):
            self.assertEqual(self.refers(f"// {good}"), [], good)
        for bad in (f"{word} 6", f"({word} 6)", f"{word}s 5 and 6", f"{word}s 5, 6",
                    f"{word}s 5, 13 and 6", f"{word.title()} 6"):
            found = self.refers(f"// {bad}")
            self.assertEqual(len(found), 1, bad)
            self.assertIn(f"hpp:5: {word} 6 has no entry", found[0])
        for bad in (f"{word}\n// 6", f"{word}s 5,\n/// 6", f"{word}s 5\n// and 6"):
            self.assertIn(f"hpp:6: {word} 6 has no entry", self.refers(f"// {bad}")[0])
        for path in ("test/a.py", "example/a.sh", "bench/a.txt", "doc/other.md"):
            self.assertIn(f"{path}:1: {word} 6", self.refers(f"# {word} 6", path)[0])
        self.assertIn("has no entry", self.problems(body=f"// {word} 5")[0])  # no document at all

    def test_an_invariant_without_an_entry(self):
        number = "I" "7"
        self.assertEqual(self.refers("// invariant I4, I/O"), [])
        self.assertEqual(self.refers("template <class I7x> int x;"), [])
        for bad in (f"invariant {number}", f"({number})", f"invariants I4\n// and {number}"):
            found = self.refers(f"// {bad}")
            self.assertEqual(len(found), 1, bad)
            self.assertIn(f"{number} has no entry in doc/invariants.md", found[0])
        self.assertIn(f"doc/other.md:1: {number}", self.refers(number, "doc/other.md")[0])

    def test_the_old_name_of_swifts_module(self):
        word = "see" "d"
        for good in (f"drawn from the {word}", f"The {word} is printed", f"a {word} of its own",
                     f"the same {word}", f"with the {word}", f"for ({word} : all)"):
            self.assertEqual(self.refers(f"// {good}"), [], good)
        for good in (f"for (auto {word} : all) {{}}", f"int a = b ? {word}: 1;"):
            self.assertEqual(self.refers(good), [], good)
        self.assertEqual(self.refers(f"f = lambda {word}: {word}", "test/a.py"), [])
        for bad in (f"the {word}'s seven", f"The {word} reclaims", f"in the\n// {word}",
                    f"of the {word}."):
            found = self.refers(f"// {bad}")
            self.assertEqual(len(found), 1, bad)
            self.assertIn("say Swift", found[0])
        for bad in (f"({word}: _usync_db)", f"{word.title()}: newid.", f"({word}:\n/// sync)"):
            found = self.refers(f"/// {bad}")
            self.assertEqual(len(found), 1, bad)
            self.assertIn("hpp:5: name Swift's function", found[0])
        self.assertIn("name Swift's", self.refers(f"# {word}: sync", "test/a.py")[0])
        self.assertIn("name Swift's", self.refers(f"({word}: sync)", "doc/other.md")[0])

    def test_papers_that_are_not_in_the_tree(self):
        self.expect("is not in the tree", body="// peers-and" "-frontier, R1")

    def test_a_document_that_names_a_file_that_is_not_there(self):
        for document in ("README.md", "doc/other.md"):
            good = "`test/list.txt`, `include/replica/`, `test/list.txt --all`, `<device>/tmp`\n"
            self.assertEqual(self.problems(tree={document: good}), [])
            for bad in ("test/gone.cpp", "include/gone.hpp", "doc/gone.md", "example/gone.sh",
                        "bench/gone", ".ci/gone"):
                self.expect(f"{document}:2: '{bad}' does not exist",
                            tree={document: f"text\n`{bad} --all`\n"})
        self.assertEqual(self.problems(tree={"CHANGES.md": "`test/gone.cpp`\n"}), [])

    def test_a_unit_test_begins_with_its_own_header(self):
        wrong = {"test/unit/sqlite/database.cpp": "#include <string>\n" + GOOD_TEST}
        self.expect("its own header", tree=wrong)

    def test_a_header_may_have_more_than_one_unit_test(self):
        more = {"test/unit/sqlite/database_copy.cpp": GOOD_TEST,
                "test/list.txt": GOOD_LIST + "unit/sqlite/database_copy\n"}
        self.assertEqual(self.problems(tree=more), [])

    def test_a_test_that_sleeps(self):
        slow = {"test/unit/sqlite/database.cpp": GOOD_TEST + "std::this_thread::sleep_for(1s);\n"}
        self.expect("does not sleep", tree=slow)

    def test_the_tests_of_the_thread_sanitizer(self):
        other = {"test/unit/sqlite/sums.cpp": GOOD_TEST.replace("database", "sums"),
                 "test/list.txt": GOOD_LIST + "unit/sqlite/sums\n"}
        for names in ("sqlite", "sqlite.database", "sqlite.database\n    sqlite.sums"):
            self.assertEqual(self.problems(tree=other | {".ci/run": f'threaded="{names}"\n'}), [])
        for names in ("database", "sqlite.data", "sqlite sqlite.gone", "sqlite\n    pool"):
            self.expect(f".ci/run:2: no test is unit.{names.split()[-1]}",
                        tree={".ci/run": f'# x\nthreaded="{names}"\n'})
        other["test/unit/sqlite/sums.cpp"] += "std::jthread worker;\n"
        self.expect("sums.cpp:1: starts threads",
                    tree=other | {".ci/run": 'threaded="sqlite.database"\n'})

    def test_a_source_that_no_list_names(self):
        self.expect("not in test/list.txt", tree={"test/list.txt": "# unit/sqlite/database\n"})
        self.expect("not in bench/list.txt", tree={"bench/usync.cpp": "int x;\n"})
        self.expect("listed twice", tree={"test/list.txt": GOOD_LIST + GOOD_LIST})


if __name__ == "__main__":
    unittest.main()
