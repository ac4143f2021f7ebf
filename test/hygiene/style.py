#!/usr/bin/env python3
"""Style as a test: what a reader should never have to point out in a review.

Usage: style.py [ROOT]     prints `file:line: what is wrong` and exits with 1 if there is anything.

style_test.py breaks every rule below once and expects the message.
"""

import os
import pathlib
import re
import sys

COLUMNS_MAX = 100
SHELL_COLUMNS_MAX = 120  # messages for people cannot be wrapped there without harm
HEADER_LINES_MAX = 400
FUNCTION_LINES_MAX = 70

FOLDERS = ["include", "test", "example", "bench", "doc", "cmake", "packaging", ".ci"]
TEXT = {".hpp", ".cpp", ".py", ".sh", ".cmake", ".txt", ".build", ".in", ".md", ".json", ""}
CODE = {".hpp", ".cpp", ".py", ".sh", ".cmake", ".build"}

# Written in two halves so that this file does not contain what it looks for.
LEFTOVERS = re.compile(r"\b(TO" r"DO|FIX" r"ME|XX" r"X)\b")

# References to what a reader can look up. A list may go on in the next line of a comment.
REFERRING = ("include/", "example/", "test/", "bench/", "doc/")
GAP = r"[\s/*#]+"
DEFECTS = re.compile(rf"\bdefect{GAP}\d+"
                     rf"|\bdefects{GAP}\d+(?:(?:,{GAP}|,?{GAP}(?:and|to){GAP})\d+)*",
                     re.IGNORECASE)
INVARIANT = re.compile(r"\bI\d+\b")
PAPERS = re.compile(r"peers-and" r"-frontier")

# Swift's module was called that once. A generator has one as well, but there it does nothing and
# owns nothing: one is drawn, given or printed, and what is random comes from it.
OLD_NAME = re.compile(rf"(?:\b(?P<from>from|by|with){GAP})?\bthe{GAP}see" r"d\b"
                      rf"(?!{GAP}(?:is|was)\b)", re.IGNORECASE)
OLD_NAME_FIRST = re.compile(r"\bsee" r"d:(?=\s|$)", re.IGNORECASE)

# A path in a document: `test/run.sh unit.send.decide`.
PATH = re.compile(r"`((?:include|test|example|bench|doc|\.ci)/[^\s`]*)[^`]*`")

# (what, where it is allowed, what to use): paths are relative to include/replica.
POSIX = ("open|openat|stat|fstat|lstat|statvfs|rename|renameat|link|symlink|readlink|unlink|"
         "fsync|fdatasync|flock|mkdir|rmdir|opendir|readdir|ftruncate|fopen|mkstemp|mkdtemp|fork|"
         "execv|execvp|kill|pipe")
SLEEP = r"\bthis_thread::sleep_\w+|(?<!\w)::sleep\s*\(|\b(usleep|nanosleep)\b"
BANNED = [
    (rf"(?<![\w:])::({POSIX})\s*\(", ("disk/", "process/", "daemon/", "local/"),
     "file and process calls belong to the Disk, process/, daemon/ or local/"),
    (r"\bstd::filesystem::(?!path\b)|\bstd::[io]?fstream\b",
     ("disk/", "process/", "daemon/", "local/"),
     "file calls belong to the Disk"),
    (r"\b(system_clock|steady_clock|high_resolution_clock|utc_clock)::now\b|::time\s*\("
     r"|\b(clock_gettime|gettimeofday)\b",
     ("clock.hpp", "disk/", "beast/", "process/", "daemon/"), "time comes from the Clock"),
    (SLEEP, ("clock.hpp",), "only the Clock sleeps"),
    (r"\b(random_device|rand)\s*[({]", ("clock.hpp", "seed.hpp", "disk/", "daemon/"),
     "randomness comes from the seeded source"),
    (r"^\s*#\s*pragma\s+once", (), "use an include guard"),
    (r"^\s*#\s*define\s+(?!REPLICA_\w+_HPP$)", (), "no macros in headers"),
    (r"^\s*using namespace (?!\w+(::\w+)*_literals\b)", (), "no using namespace in headers"),
]


def without_comments(line):
    """The line without text literals and without what follows //."""
    line = re.sub(r'"(\\.|[^"\\])*"', '""', line)
    return re.sub(r"//.*$", "", line)


def comment_of(path, line):
    """What follows // in the line, or # where that begins a comment."""
    mark = "//" if path.endswith((".hpp", ".cpp")) else "#"
    return line.partition(mark)[2]


def guard_of(path):
    """include/replica/sqlite/database.hpp -> REPLICA_SQLITE_DATABASE_HPP"""
    return re.sub(r"[/.]", "_", path.removeprefix("include/")).upper()


def check_text(path, lines):
    suffix = pathlib.PurePath(path).suffix
    for number, line in enumerate(lines, 1):
        columns = SHELL_COLUMNS_MAX if suffix == ".sh" else COLUMNS_MAX
        if suffix in CODE and len(line) > columns:
            yield number, f"{len(line)} columns, at most {columns}"
        if line != line.rstrip() and suffix != ".md":
            yield number, "blanks at the end of the line"
        if "\t" in line and pathlib.PurePath(path).name != "rules":  # make wants them
            yield number, "tab"
        if match := LEFTOVERS.search(line):
            yield number, f"'{match.group()}' left over: do it, or say in words what does not work"


def entries(root, name, heading):
    """The numbers that have an entry in a document."""
    path = root / "doc" / name
    text = path.read_text(encoding="utf-8") if path.exists() else ""
    return {int(number) for number in re.findall(rf"^### {heading}(\d+)\. ", text, re.MULTILINE)}


def check_references(path, text, defects, invariants):
    """Whatever a comment or a document refers to can be looked up in the tree."""
    def at(match):
        return text.count("\n", 0, match.end()) + 1

    for match in DEFECTS.finditer(text):
        for number in map(int, re.findall(r"\d+", match.group())):
            if number not in defects:
                yield at(match), f"defect {number} has no entry in doc/defects.md"
    for match in INVARIANT.finditer(text):
        if int(match.group()[1:]) not in invariants:
            yield at(match), f"{match.group()} has no entry in doc/invariants.md"
    for match in PAPERS.finditer(text):
        yield at(match), f"'{match.group()}' is not in the tree: name a defect or an invariant"
    for match in OLD_NAME.finditer(text):
        if not match["from"]:
            yield at(match), f"'{' '.join(match.group().split())}': say Swift, and its version"
    for number, line in enumerate(text.split("\n"), 1):
        if OLD_NAME_FIRST.search(line if path.endswith(".md") else comment_of(path, line)):
            yield number, "name Swift's function as (Swift: function)"


def check_paths(root, lines):
    """A document names only files that are there."""
    for number, line in enumerate(lines, 1):
        for name in PATH.findall(line):
            if not (root / name).exists():
                yield number, f"'{name}' does not exist"


def check_named_headers(path, lines, headers):
    """A comment that names a header of ours names it so that it can be found."""
    for number, line in enumerate(lines, 1):
        for name in re.findall(r"(?<![\w/<.])[a-z]\w*(?:/\w+)*\.hpp\b", comment_of(path, line)):
            if not any(header == name or header.endswith("/" + name) for header in headers):
                yield number, f"there is no header {name}"


NAMED = [  # what a document gives beside a file, and what the file must have
    # `test/unit/x.cpp`: `a_case`, `another`
    (r"`(test/[\w/]+\.[ch]pp)`:((?:,?\s*`\w+`)+)", "test case "),
    # `include/replica/x.hpp` (`name`, which does this; `other`)
    (r"`(include/[\w/]+\.hpp)` \(((?:[^()`]*`\w+`)+)", ""),
]


def check_names(root, text):
    """The names that a document gives beside a file are in that file."""
    for pattern, kind in NAMED:
        for match in re.finditer(pattern, text):
            file = root / match.group(1)
            code = file.read_text(encoding="utf-8") if file.exists() else ""
            for name in re.findall(r"`(\w+)`", match.group(2)):
                if not re.search(rf"\b{name}\b", code):
                    at = text.count("\n", 0, match.start()) + 1
                    yield at, f"{match.group(1)} has no {kind}{name}"


def check_functions(lines):
    """Code is formatted, so a body opens at the end of a line; braces are counted to its end."""
    not_functions = re.compile(
        r"^\s*(inline )?(namespace|class|struct|union|enum|template|extern)\b")
    code = [without_comments(re.sub(r"'\\?.'", "", line)) for line in lines]
    for start, line in enumerate(code):
        if not line.rstrip().endswith("{") or not_functions.match(line):
            continue
        if "(" not in line + code[start - 1]:
            continue
        depth, end = 1, start
        while depth > 0 and end + 1 < len(code):
            end += 1
            depth += code[end].count("{") - code[end].count("}")
        if end - start + 1 > FUNCTION_LINES_MAX:
            length = end - start + 1
            yield start + 1, f"a function of {length} lines, at most {FUNCTION_LINES_MAX}"


def check_header(path, lines):
    if len(lines) > HEADER_LINES_MAX:
        yield 1, f"{len(lines)} lines, at most {HEADER_LINES_MAX}: split the header"
    guard = guard_of(path)
    opening = [f"#ifndef {guard}", f"#define {guard}"]
    first = next((line for line in lines if line and line not in opening), "")
    if not first.startswith("// "):
        yield 1, "a header starts with a // paragraph that says why it exists"
    for wanted in opening:
        if wanted not in lines:
            yield 1, f"no line '{wanted}'"
    inner = path.removeprefix("include/replica/")
    for number, line in enumerate(lines, 1):
        code = without_comments(line)
        for pattern, allowed, instead in BANNED:
            if re.search(pattern, code) and not inner.startswith(allowed or ("?",)):
                yield number, f"'{re.search(pattern, code).group().strip()}': {instead}"


def check_test(path, lines):
    for number, line in enumerate(lines, 1):
        if re.search(SLEEP, without_comments(line)):
            yield number, "a test waits for what it expects, it does not sleep"
    if not path.startswith("test/unit/"):
        return
    # sqlite/database.cpp and sqlite/database_copy.cpp begin with <replica/sqlite/database.hpp>.
    first = next((line for line in lines if line.startswith("#include")), "")
    match = re.match(r"#include <replica/(.*)\.hpp>$", first)
    own = match.group(1) if match else None
    name = path.removeprefix("test/unit/").removesuffix(".cpp")
    if own is None or not (name == own or name.startswith(own + "_")):
        yield 1, "the first include of a unit test is its own header"


def check_listed(root, paths):
    """Every source is in its list, so that no test or example is silently not built."""
    for folder in ("test", "example", "bench"):
        listed = set()
        list_file = root / folder / "list.txt"
        if list_file.exists():
            for line in list_file.read_text().splitlines():
                words = line.split("#")[0].split()
                if words and words[0] in listed:
                    yield f"{folder}/list.txt", 1, f"'{words[0]}' is listed twice"
                listed.update(words[:1])
        elsewhere = re.compile(r"test/(support|compile_fail|consumer|odr)/|test/fuzz/(?!replay)")
        for path in paths:
            if not path.startswith(folder + "/") or not path.endswith(".cpp"):
                continue
            if elsewhere.match(path):
                continue
            if path.removeprefix(folder + "/").removesuffix(".cpp") not in listed:
                yield path, 1, f"not in {folder}/list.txt"


def check_threaded(root, paths):
    """The tests that .ci/run has under the thread sanitizer exist; all that start threads are."""
    run = root / ".ci/run"
    text = run.read_text(encoding="utf-8") if run.exists() else ""
    match = re.search(r'^threaded="([^"]*)"', text, re.MULTILINE)
    if not match:
        return
    names = match.group(1).split()

    def covers(name, path):
        return f"{path.removesuffix('.cpp')}/".startswith(f"test/unit/{name.replace('.', '/')}/")

    tests = [path for path in paths if path.startswith("test/unit/") and path.endswith(".cpp")]
    for name in names:
        if not any(covers(name, path) for path in tests):
            yield ".ci/run", text.count("\n", 0, match.start()) + 1, f"no test is unit.{name}"
    for path in tests:
        starts = re.search(r"\bstd::(j?thread|async)\b", (root / path).read_text(encoding="utf-8"))
        if starts and not any(covers(name, path) for name in names):
            yield path, 1, "starts threads, and .ci/run does not name it in `threaded`"


def files(root):
    for folder in FOLDERS:
        for where, folders, names in os.walk(root / folder):
            folders[:] = [name for name in folders if name not in ("__pycache__", "corpus")]
            for name in names:
                path = pathlib.Path(where, name).relative_to(root)
                if path.suffix in TEXT:
                    yield path.as_posix()
    for path in root.iterdir():
        if path.is_file() and path.suffix in TEXT - {""}:
            yield path.name


def check(root):
    paths = sorted(files(root))
    problems = list(check_listed(root, paths)) + list(check_threaded(root, paths))
    defects = entries(root, "defects.md", "")
    invariants = entries(root, "invariants.md", "I")
    headers = [path for path in paths if path.endswith(".hpp")]
    for path in paths:
        text = (root / path).read_text(encoding="utf-8")
        lines = text.split("\n")
        if lines and lines[-1] == "":
            lines.pop()
        elif text:
            problems.append((path, len(lines), "no newline at the end of the file"))
        found = list(check_text(path, lines))
        if path.startswith(REFERRING):
            found += check_references(path, text, defects, invariants)
        if path == "README.md" or path.startswith("doc/"):
            found += check_paths(root, lines)
            found += check_names(root, text)
        if path.endswith((".hpp", ".cpp")):
            found += check_functions(lines)
            found += check_named_headers(path, lines, headers)
        if path.startswith("include/replica/"):
            found += check_header(path, lines)
        elif path.startswith("test/") and path.endswith(".cpp"):
            found += check_test(path, lines)
        problems += [(path, number, what) for number, what in found]
    return problems


def main():
    root = pathlib.Path(sys.argv[1] if len(sys.argv) > 1 else pathlib.Path(__file__).parents[2])
    problems = check(root)
    for path, number, what in problems:
        print(f"{path}:{number}: {what}")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
