#!/usr/bin/env python3
"""A wrong ring, with the brake off, empties a device. One command brings its databases back, while
the service of the peer runs, and what came to one of them meanwhile stays."""
import json
import pathlib
import subprocess
import sys
import unittest

from pair import CANNOT, PROGRAMS, Pair

COUNT = 100


def run(pair, *arguments):
    """Exit code and output of one call of node 0's daemon."""
    done = subprocess.run([PROGRAMS / "container_replicator", pair.config(0), *arguments],
                          stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=120)
    return done.returncode, done.stdout + done.stderr


class Undo(unittest.TestCase):
    def drain(self, pair):
        """Node 0 gives all away by a ring in which it has no partition."""
        right = pair.ring.read_text()
        wrong = json.loads(right)
        wrong["devices"][0]["weight"] = 0
        wrong["replicas"] = 1
        pair.ring.write_text(json.dumps(wrong))
        pair.configure(0, leave_share="100", replica_port="0")
        pair.start(1)
        code, text = run(pair, "--once", "-v")
        self.assertEqual(code, 0, text)
        pair.ring.write_text(right)

    def test_a_hundred_drained_databases_come_back_by_one_command(self):
        with Pair() as pair:
            names = [f"c{at}" for at in range(COUNT)]
            for name in names:
                pair.create(0, name, rows=3)
                pair.create(1, name, rows=2)
            self.drain(pair)
            self.assertTrue(all(pair.names(0, name) is None for name in names))
            pair.create(0, "c7")  # a client has made it anew
            pair.put(0, "c7", "late")

            code, text = run(pair, "--trash")
            self.assertEqual(code, 0, text)
            self.assertEqual(text.count(" removed "), COUNT, text)
            self.assertIn(" /a/c42 ", text)

            code, text = run(pair, "--undo", "all")
            self.assertEqual(code, 0, text)
            self.assertIn(f"\n{COUNT} databases are back; 0 stay where they are\n", text)
            rows = {f"row {i}" for i in range(3)}
            for name in names:
                self.assertLessEqual(rows, pair.names(0, name), name)
            self.assertIn("late", pair.names(0, "c7"))
            self.assertEqual(list(pathlib.Path(pair.root, "srv0/sda/tmp").glob("*.copy")), [])

            code, text = run(pair, "--trash")
            self.assertTrue(text.startswith("0 databases"), text)

    def test_one_database_comes_back_by_its_name_and_a_wrong_name_is_told(self):
        with Pair() as pair:
            for name in ("one", "two"):
                pair.create(0, name)
                pair.create(1, name)
            self.drain(pair)
            code, text = run(pair, "--undo", "/a/one", "--undo", "/a/none")
            self.assertEqual(code, 1, text)
            self.assertIn("/a/none: is neither in the trash nor in quarantine", text)
            self.assertIsNotNone(pair.names(0, "one"))
            self.assertIsNone(pair.names(0, "two"))

    def tool(self, pair, *arguments):
        """Exit code, output and complaints of `replica undo` of node 0."""
        done = subprocess.run([PROGRAMS / "replica_tool", "undo", pair.config(0), *arguments],
                              stdin=subprocess.DEVNULL, capture_output=True, text=True,
                              timeout=120, check=False)
        return done.returncode, done.stdout, done.stderr

    def test_under_the_wrong_ring_it_is_told_that_all_will_leave_again(self):
        with Pair() as pair:
            pair.create(0, "one")
            pair.create(1, "one")
            self.drain(pair)
            right = pair.ring.read_text()
            wrong = json.loads(right)
            wrong["devices"][0]["weight"] = 0
            wrong["replicas"] = 1
            pair.ring.write_text(json.dumps(wrong))
            told = "1 of them belongs elsewhere by this ring and will leave again"
            code, text, complaints = self.tool(pair, "--all")
            self.assertEqual(code, 0, complaints)
            self.assertIn(f"1 database is to come back, {told}\n", complaints)
            self.assertTrue(text.startswith("back, leaves: "), text)
            self.assertEqual(text.splitlines()[-1],
                             f"1 database is back, {told}; 0 stay where they are")
            self.assertIsNotNone(pair.names(0, "one"))

    def test_a_ring_that_is_no_good_is_told_at_once_and_a_name_needs_no_slash(self):
        with Pair() as pair:
            pair.create(0, "one")
            pair.create(1, "one")
            self.drain(pair)
            pair.configure(0, interval="100000", replica_port=pair.port)
            pair.start(0)  # by the right ring; it would be waited for
            right = pair.ring.read_text()
            pair.ring.write_text("{")
            code, text, complaints = self.tool(pair, "--all")
            self.assertEqual((code, text), (CANNOT, ""), complaints)
            self.assertIn(str(pair.ring), complaints)
            self.assertNotIn("waiting", complaints)
            pair.stop(0)
            pair.ring.write_text(right)
            code, text, complaints = self.tool(pair, "a/one", "--json")
            self.assertEqual((code, complaints), (0, ""))
            found = json.loads(text)
            self.assertEqual((found["name"], found["result"], found["afterwards"]),
                             ("/a/one", "back", "remains"))

    def test_without_a_trash_nothing_is_kept(self):
        with Pair() as pair:
            pair.create(0, "one")
            pair.create(1, "one")
            plain = pair.configure
            pair.configure = lambda node, **changed: plain(node, trash_age="0", **changed)
            self.drain(pair)
            self.assertIsNone(pair.names(0, "one"))
            code, text = run(pair, "--trash")
            self.assertEqual((code, text.split(";")[0]), (0, "0 databases"))


if __name__ == "__main__":
    sys.exit(unittest.main())
