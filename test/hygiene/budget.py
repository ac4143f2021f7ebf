#!/usr/bin/env python3
"""What a header costs its user, as preprocessed lines: unlike compile time, the same on every run.

Usage: budget.py             compare with budget.txt, 3 % slack
       budget.py --update    rewrite budget.txt; the difference is what a review looks at

Always measured with g++, because the numbers belong to one compiler and one version of Boost.
"""

import concurrent.futures
import os
import pathlib
import subprocess
import sys

ROOT = pathlib.Path(__file__).parents[2]
TABLE = ROOT / "test/hygiene/budget.txt"
SLACK = 1.03


def lines_of(header):
    out = subprocess.run(
        ["g++", "-std=c++20", f"-I{ROOT}/include", "-E", "-P", ROOT / "include" / header],
        check=True, capture_output=True).stdout
    return out.count(b"\n")


def measure():
    headers = sorted(path.relative_to(ROOT / "include").as_posix()
                     for path in (ROOT / "include").rglob("*.hpp"))
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        return dict(zip(headers, pool.map(lines_of, headers)))


def read_table():
    table = {}
    for line in TABLE.read_text().splitlines():
        count, header = line.split()
        table[header] = int(count)
    return table


def compare(table, measured):
    """One sentence per header that is over its budget, has none, or is gone."""
    for header, count in measured.items():
        if header not in table:
            yield f"{header}: {count} lines, not in the table"
        elif count > table[header] * SLACK:
            yield f"{header}: {count} lines, the budget is {table[header]}"
    for header in sorted(table.keys() - measured.keys()):
        yield f"{header}: in the table, but not in include/"


def main():
    measured = measure()
    if sys.argv[1:] == ["--update"]:
        TABLE.write_text("".join(f"{count:7} {header}\n" for header, count in measured.items()))
        return 0
    problems = list(compare(read_table(), measured))
    for problem in problems:
        print(problem)
    if problems:
        print("If that is the price of something worth it: test/hygiene/budget.py --update")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
