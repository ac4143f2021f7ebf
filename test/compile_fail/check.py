#!/usr/bin/env python3
"""A file that must not compile, for the reason it names; with -DFIXED it must compile.

Usage: check.py FILE.cpp...     with CXX from the environment, else g++

The first line of a file is `// build error: <regular expression>`, searched in what the compiler
prints; or `// teaches: <word>, <word>`, all of which stand in the first five lines, not counting
those that say who included whom, of g++ and of clang, with -DEXPLICIT as without. The twin under
-DFIXED proves that the named error is the only one: without it, a wrong include would pass for
ever.

A lesson is compiled five times, in 12 s each if lessons.hpp, which nearly all include, were read
each time. It is compiled once for each compiler and call: call with all lessons. The first five
lines are those of the first error, and there the compiler stops: 0.5 s in place of 6 for both.
"""

import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).parents[2]

# The option with which each compiler of lessons stops at the first error, after what explains it.
FIRST_ERROR = {"g++": "-fmax-errors=1", "clang++-16": "-ferror-limit=1"}


def run_compiler(compiler, *more):
    return subprocess.run(
        [*compiler, "-std=c++20", f"-I{ROOT}/include", f"-I{ROOT}/test", *more],
        capture_output=True, text=True, env={**os.environ, "LC_ALL": "C"})


def compile_only(path, *more, compiler=None):
    compiler = compiler or os.environ.get("CXX", "g++").split()
    return run_compiler(compiler, "-fsyntax-only", *more, path)


class Precompiled:
    """lessons.hpp for each compiler that is here, in a directory of its own."""

    def __init__(self):
        self.folder = tempfile.TemporaryDirectory()
        self.compilers = [each for each in FIRST_ERROR if shutil.which(each)]
        self.made = {}

    def options(self, compiler):
        """What makes the compiler take the header as read."""
        if compiler not in self.made:
            copy = pathlib.Path(self.folder.name, "lessons.hpp")
            shutil.copy(pathlib.Path(__file__).with_name("lessons.hpp"), copy)
            made = copy.with_suffix(".hpp.gch" if compiler == "g++" else ".pch")
            done = run_compiler([compiler], "-x", "c++-header", str(copy), "-o", str(made))
            if done.returncode:
                sys.exit(f"{compiler} on lessons.hpp:\n{done.stderr}")
            self.made[compiler] = (["-include", str(copy)] if compiler == "g++" else
                                   ["-include-pch", str(made)])
        return self.made[compiler]


def first_lines(output):
    """The first five lines beside the trail of includes."""
    trail = re.compile(r"In file included from |\s+from ")
    return "\n".join([line for line in output.split("\n") if not trail.match(line)][:5])


def check_lesson(path, words, precompiled):
    """None, or what is wrong with what a reader of the first lines learns."""
    for compiler in precompiled.compilers:
        known = precompiled.options(compiler)
        for more in ([], ["-DEXPLICIT"]):
            broken = compile_only(path, *known, FIRST_ERROR[compiler], *more, compiler=[compiler])
            if broken.returncode == 0:
                return "compiles, but must not"
            said = first_lines(broken.stderr)
            for word in words:
                if word not in said:
                    return f"{compiler} {more}: no '{word}' in its first lines:\n{said}"
    first = precompiled.compilers[0]
    fixed = compile_only(path, *precompiled.options(first), "-DFIXED", compiler=[first])
    return f"does not compile with -DFIXED:\n{fixed.stderr}" if fixed.returncode else None


def check(path, precompiled):
    """None, or what is wrong with the file."""
    first = pathlib.Path(path).read_text().split("\n", 1)[0]
    lesson = re.match(r"// teaches: (.+)$", first)
    if lesson:
        return check_lesson(path, lesson.group(1).split(", "), precompiled)
    match = re.match(r"// build error: (.+)$", first)
    if not match:
        return ("the first line is neither `// build error: <regular expression>` nor "
                "`// teaches: <word>, <word>`")
    broken = compile_only(path)
    if broken.returncode == 0:
        return "compiles, but must not"
    if not re.search(match.group(1), broken.stderr):
        return f"no /{match.group(1)}/ in the errors:\n{broken.stderr}"
    fixed = compile_only(path, "-DFIXED")
    if fixed.returncode != 0:
        return f"does not compile with -DFIXED:\n{fixed.stderr}"
    return None


def main():
    precompiled = Precompiled()
    problems = {path: check(path, precompiled) for path in sys.argv[1:]}
    for path, problem in problems.items():
        print(f"{path}: {problem or 'fails to compile as it should'}")
    return 1 if not problems or any(problems.values()) else 0


if __name__ == "__main__":
    sys.exit(main())
