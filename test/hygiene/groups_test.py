#!/usr/bin/env python3
"""Tests of test/groups.py: no test is lost, and what is the same is not compiled again."""

import collections
import os
import pathlib
import subprocess
import tempfile
import unittest

ROOT = pathlib.Path(__file__).parents[2]


def run(directory):
    lines = subprocess.run([ROOT / "test/groups.py", directory], check=True, capture_output=True,
                           text=True).stdout.splitlines()
    return dict(line.split() for line in lines)


class Groups(unittest.TestCase):
    def setUp(self):
        scratch = tempfile.TemporaryDirectory()
        self.addCleanup(scratch.cleanup)
        self.out = pathlib.Path(scratch.name, "made")

    def test_every_unit_test_is_in_one_group_or_has_a_fixture_of_its_whole_program(self):
        group_of = run(self.out)
        listed = [line.split()[0] for line in (ROOT / "test/list.txt").read_text().splitlines()
                  if line.startswith("unit/")]
        alone = [path for path in listed
                 if "BOOST_TEST_GLOBAL_FIXTURE" in (ROOT / f"test/{path}.cpp").read_text()]
        self.assertEqual(sorted([*group_of, *alone]), sorted(listed))
        self.assertEqual(alone, ["unit/beast/server_crowd"])

    def test_a_group_has_the_suites_of_its_tests_and_is_small(self):
        members = collections.defaultdict(list)
        for path, group in run(self.out).items():
            members[group].append(path)
        self.assertEqual({file.stem for file in self.out.iterdir()}, set(members))
        for group, paths in members.items():
            text = (self.out / f"{group}.cpp").read_text()
            self.assertLessEqual(len(paths), 24)
            for path in paths:
                self.assertEqual(text.count(f'#include "{path}.cpp"'), 1)
                self.assertEqual(text.count(f"TEST_SUITE({path.replace('/', '_')})\n"), 1)

    def test_every_header_comes_before_the_first_suite(self):
        run(self.out)
        for file in self.out.iterdir():
            head, _, rest = file.read_text().partition("BOOST_AUTO_TEST_SUITE")
            self.assertIn("#include <replica/", head)
            self.assertNotIn("#include <", rest)

    def test_a_file_that_is_the_same_stays_and_a_group_that_is_no_more_goes(self):
        group_of = run(self.out)
        kept = self.out / f"{group_of['unit/stats']}.cpp"
        os.utime(kept, (1, 1))
        (self.out / "group.unit.gone.1.cpp").touch()
        self.assertEqual(run(self.out), group_of)
        self.assertEqual(kept.stat().st_mtime, 1)
        self.assertFalse((self.out / "group.unit.gone.1.cpp").exists())


if __name__ == "__main__":
    unittest.main()
