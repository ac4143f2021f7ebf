#!/usr/bin/env python3
"""`replica repair` replicates some databases at once, beside a running service, and says what it
did; `replica undo` lists what was removed and brings it back.

Usage: repair.py [UNITTEST ARGUMENTS]    with REPLICA_BUILD_DIR in the environment
"""
import json
import signal
import subprocess
import time
import unittest

from pair import CANNOT, FINE, PATIENCE, PROGRAMS, SILENT, TROUBLE, ToolTest


class Changes(ToolTest):
    def lines(self, *arguments, code=FINE):
        return [json.loads(line) for line in
                self.run_tool(*arguments, "--json", code=code).splitlines()]

    # ---- repair.

    def repair(self, *names, code=FINE):
        return self.lines("repair", *(self.pair.database(0, name) for name in names), "--config",
                          self.pair.config(0), code=code)

    def quiet(self, **options):
        """Services on both nodes whose passes do not come in this test."""
        for node in range(2):
            self.pair.configure(node, interval=100_000, **options)
            self.pair.start(node)

    def test_the_named_databases_alone_are_replicated_beside_the_service(self):
        for name in ("one", "two", "three"):
            self.pair.create(0, name, rows=3)
        self.quiet(push_files="yes")
        one, two = self.repair("one", "two")
        for line, name in ((one, "one"), (two, "two")):
            self.assertEqual(line["database"], str(self.pair.database(0, name)))
            self.assertEqual(line["peer"], self.pair.peer(1))
            self.assertEqual((line["result"], line["afterwards"], line["rows"]),
                             ("done", "same", 0))
            self.assertGreater(line["file_bytes"], 0)
            self.assertEqual(self.pair.names(1, name), self.pair.names(0, name))
        self.assertIsNone(self.pair.names(1, "three"))
        for node in range(2):  # undisturbed
            self.assertIsNone(self.pair.daemons[node].poll())
            self.assertTrue(self.pair.get(node, "/healthcheck"))

    def test_all_rows_go_over_however_many_a_pass_may_send(self):
        self.pair.create(0, "long", rows=2)
        self.quiet(push_files="yes", per_diff=5, max_diffs=2)
        self.repair("long")
        connection_rows = [f"more {i}" for i in range(64)]
        self.pair.put(1, "long", *(f"theirs {i}" for i in range(60)))
        self.pair.put(0, "long", *connection_rows)
        (line,) = self.repair("long", code=TROUBLE)  # it does not have theirs: nobody has sent them
        self.assertEqual((line["result"], line["rows"], line["afterwards"]),
                         ("done", 64, "differs"))
        self.assertLessEqual(set(connection_rows), self.pair.names(1, "long"))
        text = self.run_tool("repair", self.pair.database(0, "long"), "--config",
                             self.pair.config(0), code=TROUBLE)
        self.assertIn(f"\n  {self.pair.peer(1)}  done, 0 rows, 0 bytes of files, differs in ", text)

    def test_a_peer_that_is_silent_is_told(self):
        self.pair.create(0, "one")
        (line,) = self.repair("one", code=SILENT)
        self.assertEqual((line["result"], line["afterwards"]), ("failed", "unknown"))
        self.assertIn("connect", line["why"])

    def test_what_is_not_there_is_told_by_name(self):
        self.pair.create(0, "one")
        self.quiet()
        (line,) = self.repair("none", code=TROUBLE)
        self.assertEqual((line["database"], line["result"]),
                         (str(self.pair.database(0, "none")), "held"))
        self.assertIn("/etc/passwd", self.run_tool(
            "repair", "/etc/passwd", "--config", self.pair.config(0), code=CANNOT))
        other = self.pair.database(1, "one")
        self.assertIn(str(other), self.run_tool("repair", other, "--config", self.pair.config(0),
                                                code=CANNOT))

    def test_a_copy_that_does_not_belong_here_leaves(self):
        self.pair.create(0, "away", rows=3)
        ring = json.loads(self.pair.ring.read_text())
        ring["devices"][0]["weight"] = 0
        self.pair.ring.write_text(json.dumps({**ring, "replicas": 1}))
        self.quiet(push_files="yes")
        here, there = self.repair("away")
        self.assertEqual((here["result"], there["result"]), ("gone", "done"))
        self.assertIsNone(self.pair.names(0, "away"))
        self.assertEqual(len(self.pair.names(1, "away")), 3)

    def test_a_copy_in_a_partition_that_the_ring_does_not_have_is_told(self):
        path = self.pair.create(0, "one")
        astray = path.parents[3] / "99" / path.parents[1].name / path.parent.name / path.name
        path.parents[2].rename(path.parents[3] / "99")
        (line,) = self.lines("repair", astray, "--config", self.pair.config(0), code=TROUBLE)
        self.assertEqual((line["database"], line["result"]), (str(astray), "held"))
        self.assertTrue(astray.exists())

    def test_whoever_is_stopped_has_not_done_it(self):
        self.pair.create(0, "one")
        self.pair.reserved[1].listen(8)  # and never answers
        for signal_number in (signal.SIGTERM, signal.SIGHUP):
            running = subprocess.Popen(
                [PROGRAMS / "replica_tool", "repair", self.pair.database(0, "one"), "--config",
                 self.pair.config(0)], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT)
            self.addCleanup(running.stdout.close)
            self.addCleanup(running.kill)
            time.sleep(1)
            self.assertIsNone(running.poll())
            running.send_signal(signal_number)
            self.assertEqual(running.wait(PATIENCE), CANNOT)

    # ---- undo.

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
        self.assertEqual(self.run_tool(*undo, "--all"),
                         "0 databases are back; 0 stay where they are\n")

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
