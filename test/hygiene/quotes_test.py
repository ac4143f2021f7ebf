#!/usr/bin/env python3
"""quotes.py must find each kind of wrong quote, and nothing in documents without one."""

import pathlib
import tempfile
import unittest

import quotes

PROGRAM = """\
int main() {
    if (true) {
        one();
        two();
    }
    return 0;
}
"""


def block(quote, named="example/program.cpp", fence="```"):
    return f"Text.\n\n{fence}cpp {named}\n{quote}{fence}\n\nMore text.\n"


class Quotes(unittest.TestCase):
    def problems(self, document, path="README.md"):
        tree = {"example/program.cpp": PROGRAM, path: document}
        with tempfile.TemporaryDirectory() as folder:
            root = pathlib.Path(folder)
            for name, text in tree.items():
                (root / name).parent.mkdir(parents=True, exist_ok=True)
                (root / name).write_text(text)
            return [f"{name}:{number}: {what}" for name, number, what in quotes.check(root)]

    def test_a_whole_file_and_a_part_of_it(self):
        self.assertEqual(self.problems(block(PROGRAM)), [])
        self.assertEqual(self.problems(block("    return 0;\n}\n")), [])

    def test_a_quote_may_begin_further_to_the_left(self):
        self.assertEqual(self.problems(block("one();\ntwo();\n")), [])
        self.assertEqual(self.problems(block("if (true) {\n    one();\n")), [])

    def test_another_form_is_another_text(self):
        wrong = ["README.md:3: not what example/program.cpp says"]
        self.assertEqual(self.problems(block("if (true) {\none();\n")), wrong)
        self.assertEqual(self.problems(block("one();\n    two();\n")), wrong)

    def test_a_word_that_is_other(self):
        self.assertEqual(self.problems(block("one();\nthree();\n")),
                         ["README.md:3: not what example/program.cpp says"])

    def test_lines_that_do_not_follow_each_other(self):
        self.assertEqual(self.problems(block("    if (true) {\n    return 0;\n")),
                         ["README.md:3: not what example/program.cpp says"])

    def test_a_file_that_is_not_there(self):
        self.assertEqual(self.problems(block("one();\n", "example/gone.cpp")),
                         ["README.md:3: there is no file example/gone.cpp"])

    def test_a_quote_of_nothing(self):
        self.assertEqual(self.problems(block("")),
                         ["README.md:3: an empty quote of example/program.cpp"])

    def test_a_block_that_has_no_end(self):
        self.assertEqual(self.problems("```cpp example/program.cpp\none();\n"),
                         ["README.md:1: a code block without an end"])

    def test_blocks_that_name_no_file_may_say_anything(self):
        self.assertEqual(self.problems("```cpp\nfour();\n```\n\n```\nfive\n```\n"), [])

    def test_a_block_behind_another_one_is_seen(self):
        self.assertEqual(self.problems("```console\n$ true\n```\n" + block("four();\n")),
                         ["README.md:6: not what example/program.cpp says"])

    def test_a_longer_fence_ends_with_one_as_long(self):
        inner = "one();\n```\n"
        self.assertEqual(self.problems(block(inner, fence="````")),
                         ["README.md:3: not what example/program.cpp says"])

    def test_a_block_in_a_list(self):
        text = "1. Step\n\n   ```cpp example/program.cpp\n   one();\n   two();\n   ```\n"
        self.assertEqual(self.problems(text), [])

    def test_documents_in_doc_are_read(self):
        self.assertEqual(self.problems(block("four();\n"), "doc/more.md"),
                         ["doc/more.md:3: not what example/program.cpp says"])

    def test_other_documents_are_not(self):
        self.assertEqual(self.problems(block("four();\n"), "test/more.md"), [])


if __name__ == "__main__":
    unittest.main()
