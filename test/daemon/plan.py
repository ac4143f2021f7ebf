#!/usr/bin/env python3
"""`replica plan` says what a pass would do, changes nothing on any node, and the daemon's next pass
does just that: each decision for each database and peer, and each count.

Usage: plan.py [UNITTEST ARGUMENTS]    with REPLICA_BUILD_DIR in the environment
"""
import json
import os
import pty
import re
import select
import socket
import subprocess
import time
import unittest

from pair import PATIENCE, PROGRAMS, Pair

COUNTED = ("attempted", "success", "failure", "no_change", "hashmatch", "rsync", "remote_merge",
           "diff", "diff_capped", "remove", "deferred", "at_rest", "quarantined", "kept",
           "reidentified", "diverged", "stale", "errors")

# What the daemon logs of each deed; the database is before, the peer behind the words.
LOGGED = {
    r"Replicating db": None,
    r"^(\S+) in sync with (\S+), nothing to do": "in_sync",
    r"^(\S+) usyncing chunks to (\S+), starting": "rows",
    r"^(\S+) compared with (\S+): ": "rows",
    r"^(\S+) sent to (\S+): .* merged there": "merge",
    r"^(\S+) sent to (\S+): [^,]*$": "file",
    r"^Successfully deleted db (\S+) ()": "gone",
    r"^Not deleting db (\S+) ()": "keep",
    r"^ERROR syncing (\S+) with node (\S+): ": "fail",
}
SAID = {"nothing": "in_sync", "note_point": "in_sync", "send_rows": "rows", "compare": "rows",
        "send_file": "file", "send_file_to_merge": "merge", "hand_off": "gone", "expire": "gone",
        "keep": "keep", "fail": "fail"}


class Plan(unittest.TestCase):
    def setUp(self):
        self.pair = self.enterContext(Pair())

    def tree(self):
        """All names, bytes and times below the devices of all nodes."""
        found = {}
        for node in range(2):
            for path in (self.pair.root / f"srv{node}").rglob("*"):
                status = path.lstat()
                found[str(path)] = (status.st_mtime_ns, status.st_ctime_ns, status.st_size,
                                    status.st_ino, path.read_bytes() if path.is_file() else b"")
        return found

    def plan(self):
        result = subprocess.run([PROGRAMS / "replica_tool", "plan", self.pair.config(0)],
                                capture_output=True, text=True, timeout=PATIENCE, check=False,
                                stdin=subprocess.DEVNULL)
        self.assertEqual((result.returncode, result.stderr), (0, ""))
        *lines, last = map(json.loads, result.stdout.splitlines())
        return lines, last["pass"]

    def once(self):
        """What a single pass of node 0 has logged of each database and peer, and its counts."""
        result = subprocess.run(
            [PROGRAMS / "container_replicator", self.pair.config(0), "--once", "-v"],
            capture_output=True, text=True, timeout=PATIENCE, check=False,
            stdin=subprocess.DEVNULL)
        self.assertEqual(result.returncode, 0, result.stderr)
        deeds = []
        for line in result.stderr.splitlines():
            for pattern, deed in LOGGED.items():
                text = line[line.find(str(self.pair.root)):] if pattern.startswith("^(") else \
                    re.sub(r"^.*?(Successfully|Not deleting|ERROR syncing)", r"\1", line)
                match = re.search(pattern, text)
                if match and deed:
                    deeds.append((match[1], match[2].rstrip(":,"), deed))
        recon = json.loads((self.pair.root / "recon0" / "container.recon").read_text())
        return sorted(deeds), recon["replication_stats"], result.stderr

    def both(self):
        """The plan, after it was compared with the pass that follows."""
        before = self.tree()
        lines, counts = self.plan()
        self.assertEqual(self.tree(), before)
        deeds, stats, log = self.once()
        said = sorted((line["database"], line.get("peer", ""), SAID[line["do"]])
                      for line in lines)
        self.assertEqual(said, deeds, log)
        self.assertEqual({name: counts[name] for name in COUNTED if name in stats},
                         {name: stats[name] for name in COUNTED if name in stats}, log)
        return lines

    def start(self, **options):
        self.pair.configure(0, log_level="DEBUG", **options)
        self.pair.configure(1, interval=100_000, **options)
        self.pair.start(1)
        (self.pair.root / "srv1" / "sdb" / "tmp").mkdir(exist_ok=True)  # a server has it at once

    def test_a_pass_does_just_what_the_plan_has_said(self):
        for name in ("equal", "behind", "little", "absent", "apart", "alike"):
            self.pair.create(0, name, rows=3)
        self.start(per_diff=5, push_files="yes", compare_rows=0)
        before = self.tree()
        deeds = {line["do"] for line in self.both()}
        self.assertEqual(deeds, {"send_file"})
        self.assertNotEqual(self.tree(), before)  # what a pass changes is seen
        self.pair.put(0, "behind", "new")
        self.pair.put(0, "little", *(f"more {i}" for i in range(40)))
        self.pair.put(0, "apart", "mine")
        self.pair.put(1, "apart", "yours")
        self.pair.put(0, "alike", "same")
        self.pair.put(1, "alike", "same")
        path = self.pair.database(1, "absent")
        path.unlink()
        lines = self.both()
        found = {line["name"][3:]: line["do"] for line in lines}
        self.assertEqual(found, {"equal": "nothing", "behind": "send_rows", "absent": "send_file",
                                 "little": "send_file_to_merge", "apart": "send_rows",
                                 "alike": "note_point"})
        (behind,) = (line for line in lines if line["name"] == "/a/behind")
        self.assertEqual((behind["from_row"], behind["to_row"]), (4, 4))
        self.assertEqual(behind["peer"], self.pair.peer(1))
        self.assertIn("does not have them", behind["why"])
        self.assertEqual(self.pair.names(1, "little"), self.pair.names(0, "little"))

    def test_what_leaves_and_what_stays_is_foretold(self):
        names = [f"c{i}" for i in range(8)]
        for name in names:
            self.pair.create(0, name, rows=2)
        ring = json.loads(self.pair.ring.read_text())
        self.pair.ring.write_text(json.dumps({**ring, "replicas": 1}))
        self.start(push_files="yes")
        deeds = [line["do"] for line in self.both()]
        self.assertIn("hand_off", deeds)
        self.assertEqual(deeds.count("hand_off"), deeds.count("send_file"))
        self.pair.stop(1)
        name = next(name for name in names if self.pair.names(0, name) is None)
        self.pair.create(0, name + "again", rows=2)
        while not any(line["do"] == "fail" for line in self.plan()[0]):
            name += "again"
            self.pair.create(0, name + "again", rows=2)
        self.assertEqual({line["do"] for line in self.both()}, {"fail", "keep"})

    def test_a_damaged_database_is_a_line_and_the_rest_is_foretold(self):
        self.pair.create(0, "good")
        self.pair.create(0, "bad")
        self.start()
        self.pair.database(0, "bad").write_bytes(b"no database" * 1000)
        before = self.tree()
        lines, counts = self.plan()
        self.assertEqual(self.tree(), before)
        self.assertEqual(sorted(line["do"] for line in lines), ["quarantine", "send_file"])
        self.assertEqual((counts["quarantined"], counts["rsync"]), (1, 1))
        self.once()
        self.assertFalse(self.pair.database(0, "bad").exists())

    def on_terminal(self, *arguments):
        """What the tool writes to a terminal that is its stderr, while a peer is silent."""
        for name in ("one", "two", "three", "four", "five", "six"):
            self.pair.create(0, name)
        self.pair.configure(0, node_timeout=1, conn_timeout=1)
        listening = socket.socket()
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.pair.reserved.pop(1).close()
        listening.bind((self.pair.ips[1], self.pair.port))
        listening.listen(50)  # and never answers
        self.pair.reserved.append(listening)
        master, slave = pty.openpty()
        tool = subprocess.Popen([PROGRAMS / "replica_tool", *arguments], stdin=subprocess.DEVNULL,
                                stdout=subprocess.DEVNULL, stderr=slave)
        os.close(slave)
        shown = b""
        end = time.monotonic() + PATIENCE
        while time.monotonic() < end and select.select([master], [], [], PATIENCE)[0]:
            try:
                shown += os.read(master, 4096)
            except OSError:  # the last one has closed it
                break
        os.close(master)
        tool.wait(PATIENCE)
        return shown.decode()

    def test_progress_is_shown_on_a_terminal_once_it_takes_long(self):
        shown = self.on_terminal("plan", str(self.pair.config(0)))
        self.assertRegex(shown, r"\r\d of \d partitions, \d databases(, about \d+ s left)?\x1b\[K")
        self.assertIn(" left", shown)
        self.assertTrue(shown.endswith("\r\x1b[K"), repr(shown))

    def test_progress_of_verify_is_shown_on_a_terminal(self):
        shown = self.on_terminal("verify", str(self.pair.config(0)), "--again", "0")
        self.assertRegex(shown, r"\r\d of \d partitions, \d databases, \d in doubt")
        self.assertIn(" left", shown)


if __name__ == "__main__":
    unittest.main()
