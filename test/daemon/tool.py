#!/usr/bin/env python3
"""The tool `replica` on the databases and nodes of running daemons: what it says, how it exits, and
that it changes nothing.

Usage: tool.py [UNITTEST ARGUMENTS]    with REPLICA_BUILD_DIR in the environment
"""
import json
import pathlib
import subprocess
import unittest

from pair import (CANNOT, FINE, PATIENCE, PROGRAMS, SILENT, STAMP, TROUBLE, USAGE, ToolTest,
                  connect, eventually)


class Tool(ToolTest):
    def tree(self):
        return {str(path): (path.stat().st_mtime_ns, path.stat().st_size)
                for path in self.pair.root.rglob("*")}

    # ---- Databases.

    def test_info_says_what_a_database_is_and_whether_it_is_in_its_place(self):
        path = self.pair.create(0, "photos", rows=3)
        conf = self.pair.root / "swift.conf"
        before = self.tree()
        about = json.loads(self.run_tool("info", path, "--json", "--swift-conf", conf))
        self.assertEqual((about["account"], about["container"], about["count"]), ("a", "photos", 3))
        self.assertEqual((about["kind"], about["in_place"], about["pending"]),
                         ("container", True, False))
        text = self.run_tool("info", path, "--swift-conf", conf)
        self.assertIn("\ncontainer: photos\n", text)
        self.assertRegex(text, rf"\ncreated_at: {STAMP} \(\d{{4}}-\d\d-\d\d \d\d:\d\d:\d\d UTC\)\n")
        conf.write_text("[swift-hash]\nswift_hash_path_suffix = another\n")
        about = json.loads(self.run_tool("info", path, "--json", "--swift-conf", conf))
        self.assertFalse(about["in_place"])
        about = json.loads(self.run_tool("info", path, "--json", "--swift-conf", "/none"))
        self.assertNotIn("in_place", about)
        after = self.tree()
        for each in (before, after):
            del each[str(conf)]
        self.assertEqual(after, before)

    def test_rows_are_printed_and_one_that_is_not_there_is_said(self):
        path = self.pair.create(0, "photos", rows=3)
        before = self.tree()
        lines = self.run_tool("rows", path, "--json").splitlines()
        self.assertEqual([json.loads(line)["name"] for line in lines], ["row 0", "row 1", "row 2"])
        self.assertIn("name: row 1\n", self.run_tool("rows", path, "--name", "row 1"))
        self.assertEqual(self.run_tool("rows", path, "--name", "row 9", code=TROUBLE), "")
        self.assertEqual(len(self.run_tool("rows", path, "--json", "--limit", 2).splitlines()), 2)
        self.assertEqual(self.run_tool("rows", path, "--deleted"), "")
        self.run_tool("rows", path, "--deleted", "--live", code=USAGE)
        self.assertEqual(self.tree(), before)

    def test_what_is_no_database_is_named(self):
        path = self.pair.create(0, "photos")
        path.write_text("no database")
        self.assertIn(str(path), self.run_tool("info", path, code=CANNOT))
        path.unlink()
        self.assertIn(str(path), self.run_tool("rows", path, code=CANNOT))

    # ---- Nodes.

    def test_all_nodes_of_the_ring_are_shown_side_by_side(self):
        self.pair.create(0, "photos")
        for node in range(2):
            self.pair.start(node)

        def status(code, *arguments):
            return self.run_tool("status", "--config", self.pair.config(0), *arguments, code=code)

        def code():
            return subprocess.run([PROGRAMS / "replica_tool", "status", "--config",
                                   self.pair.config(0)], capture_output=True, check=False,
                                  timeout=PATIENCE, stdin=subprocess.DEVNULL).returncode

        def on_both():
            nodes = json.loads(status(FINE, "--json"))["nodes"]
            return all(each["pass"]["databases"] for each in nodes.values())

        self.assertTrue(eventually(lambda: code() == FINE and on_both()))
        text = status(FINE)
        lines = text.splitlines()
        self.assertEqual(len(lines), 3, text)
        for node in range(2):
            self.assertRegex(lines[1 + node],
                             rf"^{self.pair.address(node)} +container +\S+ +\S.* 1 +1/1 ")

        self.pair.stop(1)
        self.pair.put(0, "photos", "first")
        self.assertTrue(eventually(lambda: "fails: " in status(SILENT)))
        text = status(SILENT)
        self.assertIn(f"\n{self.pair.address(1)}: ", text)
        self.assertNotIn(f"{self.pair.address(1)}: {self.pair.address(1)}", text)
        self.assertIn(f"\n{self.pair.address(0)}: peer {self.pair.peer(1)} fails: ", text)
        nodes = json.loads(status(SILENT, "--json"))["nodes"]
        self.assertEqual(nodes[self.pair.address(0)]["peers"][0]["databases_behind"], 1)
        self.assertIn("fault", nodes[self.pair.address(1)])
        # Asked alone, the node is there, and in trouble.
        self.run_tool("status", self.pair.address(0), code=TROUBLE)

    def test_a_node_outside_its_ring_is_in_trouble(self):
        self.pair.configure(0, replica_port=self.pair.port, bind_port=self.pair.port + 1)
        self.pair.start(0)
        told = "no device of its ring is one of this node"

        def status():
            return subprocess.run([PROGRAMS / "replica_tool", "status", self.pair.address(0)],
                                  capture_output=True, text=True, check=False, timeout=PATIENCE,
                                  stdin=subprocess.DEVNULL)

        self.assertTrue(eventually(lambda: told in status().stdout), status().stdout)
        self.assertEqual(status().returncode, TROUBLE)

    def test_verify_proves_what_is_equal_and_finds_what_is_not(self):
        for name in ("one", "two", "three"):
            self.pair.create(0, name, rows=20)
        for node in range(2):
            self.pair.start(node)
        self.assertTrue(eventually(lambda: all(self.pair.names(1, name) for name in
                                               ("one", "two", "three"))))
        for node in range(2):  # no pass mends what is planted
            self.pair.stop(node)
            self.pair.configure(node, interval=100_000)
        self.pair.start(1)

        def verify(code, *arguments):
            return self.run_tool("verify", self.pair.config(0), "--again", 0, *arguments, code=code)

        before = self.tree()
        self.assertIn("container: 3 databases, 3 comparisons, 0 differ, 0 unknown\n",
                      verify(FINE))
        for name in ("a/two", "/a/two"):
            self.assertEqual(verify(FINE, "--json", "--container", name), "")
        self.assertEqual({path: state for path, state in self.tree().items()
                          if "srv0" in path}, {path: state for path, state in before.items()
                                               if "srv0" in path})
        for column, value in {"name": "x", "created_at": STAMP[:-1], "size": 2, "etag": "x",
                              "content_type": "x/y", "deleted": 1, "storage_policy_index": 1,
                              }.items():
            connection = connect(self.pair.database(1, "two"))
            with connection:
                (trigger,) = connection.execute("SELECT sql FROM sqlite_master WHERE name ="
                                                " 'object_update'").fetchone()
                connection.execute("DROP TRIGGER object_update")
                (was,) = connection.execute(f"SELECT {column} FROM object"
                                            " WHERE ROWID = 7").fetchone()
                connection.execute(f"UPDATE object SET {column} = ? WHERE ROWID = 7", (value,))
            with self.subTest(column):
                (line,) = verify(TROUBLE, "--json").splitlines()
                found = json.loads(line)
                self.assertEqual((found["verdict"], found["peer"], found["path"]),
                                 ("differs", self.pair.peer(1), str(self.pair.database(0, "two"))))
                self.assertIn("rows", found["in"])
                verify(FINE, "--container", "a/one")
            with connection:
                connection.execute(f"UPDATE object SET {column} = ? WHERE ROWID = 7", (was,))
                connection.execute(trigger)
            connection.close()

        self.assertIn("this node has no container a/none\n",
                      verify(CANNOT, "--container", "a/two", "--container", "a/none"))
        # Nothing differs where nothing is looked at.
        self.pair.configure(0, devices=self.pair.root)
        text = verify(SILENT)
        self.assertIn(f"UNKNOWN  {self.pair.root}/sda  is not a directory\n", text)
        self.assertIn("container: 0 databases, 0 comparisons, 0 differ, 1 unknown\n", text)
        self.pair.configure(0)
        self.pair.stop(1)
        text = verify(SILENT)
        self.assertEqual(text.count("UNKNOWN  "), 3, text)
        self.assertIn("3 comparisons, 0 differ, 3 unknown\n", text)

    def test_without_a_port_for_pages_it_says_so(self):
        self.pair.configure(0, replica_port="off")
        told = self.run_tool("status", "--config", self.pair.config(0), code=CANNOT)
        self.assertIn("replica_port", told)
        self.pair.create(0, "one")
        hint = "replica_port is not set, and rows can be compared with"
        for port, told in (("off", 1), (self.pair.port, 0)):
            self.pair.configure(0, replica_port=port)
            result = subprocess.run([PROGRAMS / "replica_tool", "verify", self.pair.config(0)],
                                    capture_output=True, text=True, timeout=PATIENCE, check=False,
                                    stdin=subprocess.DEVNULL)
            self.assertEqual((result.returncode, result.stderr.count(hint)), (SILENT, told),
                             result.stdout + result.stderr)

    # ---- The command line.

    def test_a_configuration_that_nobody_named_is_explained(self):
        # It is not there, or has no such device: these ones are of no configuration below /etc.
        database = self.pair.create(0, "photos")
        told = self.run_tool("repair", database, code=CANNOT)
        self.assertIn("/etc/swift/container-server.conf", told)
        self.assertIn(f"\n  replica repair --config /etc/swift/another.conf {database}\n", told)
        told = self.run_tool("repair", "--config", self.pair.config(1), database, code=CANNOT)
        self.assertEqual(told, f"replica: {database}: is on no device below "
                               f"{self.pair.root / 'srv1'}, where {self.pair.config(1)} has them\n")
        if not pathlib.Path("/etc/swift/container-server.conf").exists():
            told = self.run_tool("status", code=CANNOT)
            self.assertIn("\n  replica status --config /etc/swift/another.conf\n", told)
        told = self.run_tool("plan", "/none.conf", code=CANNOT)
        self.assertEqual(told.count("\n"), 1, told)  # it was named

    def test_a_configuration_of_another_daemon_is_named(self):
        conf = self.pair.root / "object-server.conf"
        conf.write_text("[object-replicator]\n")
        for command in ("plan", "verify", "undo"):
            self.assertIn(f"{conf}: has no section [container-replicator] or [account-replicator]",
                          self.run_tool(command, conf, code=CANNOT))

    def test_help_names_all_commands_and_their_exit_codes(self):
        text = self.run_tool("--help")
        for word in ("info", "rows", "status", "verify", "plan", "undo", "repair", "Exit codes"):
            self.assertIn(word, text)
        for command in ("info", "rows", "status", "verify", "plan", "undo", "repair"):
            text = self.run_tool(command, "--help")
            self.assertIn("--json", text)
            self.assertIn("Exit codes: ", text)
            self.assertRegex(text, rf"\nExample, .*:\n  replica {command} ")
        self.run_tool(code=USAGE)
        self.run_tool("nothing", code=USAGE)
        self.run_tool("info", code=USAGE)


if __name__ == "__main__":
    unittest.main()
