#!/usr/bin/env python3
"""check.py must not be satisfied by a file that fails for another reason, or not at all."""

import pathlib
import tempfile
import unittest

import check


class Nothing(check.Precompiled):
    """A text of this test includes no header."""

    def options(self, compiler):
        return []


class Check(unittest.TestCase):
    def problem(self, text):
        with tempfile.TemporaryDirectory() as folder:
            path = pathlib.Path(folder, "file.cpp")
            path.write_text(text)
            return check.check(path, Nothing())

    def test_the_named_error_and_a_twin_that_compiles(self):
        self.assertIsNone(self.problem(
            "// build error: 'nowhere' was not declared|undeclared identifier 'nowhere'\n"
            "#ifndef FIXED\nint x = nowhere;\n#endif\n"))

    def test_a_file_that_names_no_error(self):
        self.assertIn("first line", self.problem("int x = nowhere;\n"))
        self.assertIn("first line", self.problem("// build error:\nint x = nowhere;\n"))

    def test_a_file_that_compiles(self):
        self.assertIn("must not", self.problem("// build error: nowhere\nint x = 1;\n"))

    def test_another_error_than_the_named_one(self):
        self.assertIn("elsewhere", self.problem("// build error: elsewhere\nint x = nowhere;\n"))

    def test_a_twin_that_does_not_compile_either(self):
        self.assertIn("-DFIXED", self.problem("// build error: nowhere\nint x = nowhere;\n"))

    def test_a_lesson_is_in_the_first_lines_of_each_compiler(self):
        code = ("template <class T> void use_policy(T& t) { t.nowhere(); }\n"
                "struct Bad {\n#ifdef FIXED\nvoid nowhere() {}\n#endif\n};\n"
                "void f(Bad& b) { use_policy(b); }\n")
        self.assertIsNone(self.problem("// teaches: use_policy, nowhere\n" + code))
        self.assertIn("no 'elsewhere'", self.problem("// teaches: elsewhere\n" + code))
        self.assertIn("must not", self.problem("// teaches: nowhere\nint x = 1;\n"))
        self.assertIn("-DFIXED", self.problem("// teaches: nowhere\nint x = nowhere;\n"))


if __name__ == "__main__":
    unittest.main()
