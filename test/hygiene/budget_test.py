#!/usr/bin/env python3
"""budget.py must notice what it is there for."""

import unittest

import budget


class Budget(unittest.TestCase):
    def problems(self, table, measured):
        return list(budget.compare(table, measured))

    def test_up_to_three_percent_more_is_no_problem(self):
        self.assertEqual(self.problems({"a.hpp": 1000}, {"a.hpp": 1030}), [])
        self.assertEqual(self.problems({"a.hpp": 1000}, {"a.hpp": 10}), [])

    def test_a_header_over_its_budget(self):
        self.assertEqual(
            self.problems({"a.hpp": 1000}, {"a.hpp": 1031}),
            ["a.hpp: 1031 lines, the budget is 1000"])

    def test_a_header_without_a_budget(self):
        self.assertEqual(self.problems({}, {"a.hpp": 9}), ["a.hpp: 9 lines, not in the table"])

    def test_a_budget_without_a_header(self):
        self.assertEqual(
            self.problems({"a.hpp": 9}, {}), ["a.hpp: in the table, but not in include/"])

    def test_lines_are_counted_after_the_preprocessor(self):
        lines = budget.lines_of("replica/version.hpp")
        self.assertGreater(lines, 1000)  # <string> alone
        self.assertGreater(budget.lines_of("replica/replica.hpp"), lines)


if __name__ == "__main__":
    unittest.main()
