#!/usr/bin/env python3
"""`replica undo` lists what was removed, and brings it back.

Usage: repair.py [UNITTEST ARGUMENTS]    with REPLICA_BUILD_DIR in the environment
"""
import json
import subprocess
import unittest

from pair import PATIENCE, PROGRAMS, Pair

FINE, CANNOT, USAGE, TROUBLE, SILENT = range(5)


class Changes(unittest.TestCase):
    def setUp(self):
        self.pair = self.enterContext(Pair())

    def run_tool(self, *arguments, code=FINE):
        result = subprocess.run([PROGRAMS / "replica_tool", *map(str, arguments)],
                                capture_output=True, text=True, timeout=PATIENCE, check=False,
                                stdin=subprocess.DEVNULL)
        self.assertEqual(result.returncode, code, result.stdout + result.stderr)
        return result.stdout if code != CANNOT and code != USAGE else result.stderr

    def lines(self, *arguments, code=FINE):
        return [json.loads(line) for line in
                self.run_tool(*arguments, "--json", code=code).splitlines()]

    def lose(self, *names):
        """Node 0 gives the databases away by a wrong ring."""
        for name in names:
            for node in range(2):
                if self.pair.names(node, name) is None:
                    self.pair.create(node, name, rows=2)
        right = self.pair.ring.read_text()
        wrong = json.loads(right)
        wrong["devices"][0]["weight"] = 0
        self.pair.ring.write_text(json.dumps({**wrong, "replicas": 1}))
        subprocess.run([PROGRAMS / "container_replicator", self.pair.config(0), "--once"],
                       check=True, timeout=PATIENCE, stdin=subprocess.DEVNULL)
        self.pair.ring.write_text(right)
        for name in names:
            self.assertIsNone(self.pair.names(0, name))

    def test_what_was_removed_is_listed_and_comes_back(self):
        self.pair.configure(1, interval=100_000)
        self.pair.start(1)
        undo = ("undo", self.pair.config(0))
        self.assertEqual(self.run_tool(*undo), "0 databases\n")
        self.lose("one", "two")
        found = {line["name"]: line for line in self.lines(*undo)}
        self.assertEqual(set(found), {"/a/one", "/a/two"})
        self.assertEqual({line["why"] for line in found.values()}, {"removed"})
        self.assertIsNone(self.pair.names(0, "one"))  # a list brings nothing back
        text = self.run_tool(*undo)
        self.assertTrue(text.endswith("\n2 databases\n"), text)
        self.assertIn(" /a/one " + found["/a/one"]["path"] + "\n", text)

        self.assertIn("back: ", self.run_tool(*undo, "/a/one"))
        self.assertEqual(len(self.pair.names(0, "one")), 2)
        self.assertIsNone(self.pair.names(0, "two"))
        self.run_tool(*undo, "/a/none", code=TROUBLE)
        (back,) = self.lines(*undo, "--all")
        self.assertEqual((back["name"], back["result"], back["reason"]), ("/a/two", "back", ""))
        self.assertEqual(len(self.pair.names(0, "two")), 2)
        self.assertEqual(self.run_tool(*undo, "--all"), "0 databases are back\n")

    def test_what_was_removed_since_a_time_comes_back(self):
        self.pair.configure(1, interval=100_000)
        self.pair.start(1)
        undo = ("undo", self.pair.config(0))
        self.lose("early")
        self.lose("late")
        when = {line["name"]: line["when"] for line in self.lines(*undo)}
        self.assertEqual([line["name"] for line in self.lines(*undo, "--since", when["/a/late"])],
                         ["/a/late"])
        self.assertIsNone(self.pair.names(0, "early"))
        self.assertIn("--since yesterday", self.run_tool(*undo, "--since", "yesterday",
                                                         code=CANNOT))

    def test_another_user_than_the_configured_one_is_refused(self):
        self.pair.configure(0, user="nobody-of-that-name")
        self.assertIn("nobody-of-that-name", self.run_tool("undo", self.pair.config(0),
                                                           code=CANNOT))


if __name__ == "__main__":
    unittest.main()
