#!/usr/bin/env python3
"""What a database costs in calls of the system, on both sides, counted by strace.

Usage: calls.py [UNITTEST ARGUMENTS]
       with REPLICA_BUILD_DIR in the environment

A pass over twice as many databases makes so many calls more, and no other number: times tell of a
machine, these tell of the program. A number that has grown is to be explained or mended; one that
has become smaller is written down here. The numbers are those of SQLite 3.40; with another one, and
where the kernel lets nobody trace, the exit status is 77.
"""
import collections
import contextlib
import pathlib
import re
import signal
import sqlite3
import subprocess
import sys
import tempfile
import unittest

from pair import PATIENCE, PROGRAMS, Pair

FEW = 20  # databases, in all partitions; the other pass has twice as many

GROUPS = {
    "open": ("open", "openat"),
    "list": ("getdents64",),
    "look": ("newfstatat", "fstat", "stat", "lstat", "statx", "readlink", "access"),
    "lock": ("fcntl",),
    "read": ("pread64",),
    "write": ("pwrite64",),
    "sync": ("fdatasync", "fsync"),
    "remove": ("unlink", "unlinkat"),
    "send": ("sendmsg",),  # requests and answers; log lines go by sendto
}
GROUP_OF = {call: group for group, calls in GROUPS.items() for call in calls}
TRACE = ["strace", "-f", "-c", "-e", "trace=" + ",".join(f"?{call}" for call in GROUP_OF)]


@contextlib.contextmanager
def traced(process, path):
    """Counts the calls of a process that runs into `path`. Raises OSError where nobody may."""
    watcher = subprocess.Popen([*TRACE, "-o", path, "-p", str(process.pid)],
                               stdin=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    with watcher:
        said = watcher.stderr.readline().strip()
        if "attached" not in said:
            raise OSError(f"strace: {said}")
        yield
        watcher.send_signal(signal.SIGINT)
        watcher.communicate(timeout=PATIENCE)


def read_counts(path):
    """Calls by group, of what `strace -c` has written."""
    counts = collections.Counter()
    for line in pathlib.Path(path).read_text().splitlines():
        if match := re.match(r"\s*[\d.]+\s+[\d.]+\s+\d+\s+(\d+)\s+(?:\d+\s+)?(\w+)$", line):
            if match[2] in GROUP_OF:
                counts[GROUP_OF[match[2]]] += int(match[1])
    return counts


class Nodes:
    """Two nodes. What a pass of the first costs the first, and the second."""

    def __init__(self, databases):
        self.databases = [f"c{number}" for number in range(databases)]

    def __enter__(self):
        self.closing = contextlib.ExitStack()
        self.pair = self.closing.enter_context(Pair())
        self.folder = pathlib.Path(self.closing.enter_context(tempfile.TemporaryDirectory()))
        self.pair.configure(0, concurrency=1)
        self.pair.configure(1, interval=100000)
        for name in self.databases:
            self.pair.create(0, name, rows=20)
        self.pair.start(1)
        return self

    def __exit__(self, *error):
        self.closing.close()

    def run(self, *tracer):
        """A pass of the first."""
        subprocess.run([*tracer, PROGRAMS / "container_replicator", self.pair.config(0), "--once"],
                       check=True, stdin=subprocess.DEVNULL)

    def count(self):
        """A pass of the first: the calls of both."""
        here, there = self.folder / "here", self.folder / "there"
        with traced(self.pair.daemons[1], there):
            self.run(*TRACE, "-o", here)
        return {"sender": read_counts(here), "receiver": read_counts(there)}


def passes(databases):
    """The calls of passes in which every database is missing, in sync, ten rows behind, and in sync
    again: what a pass has sent the next one does not."""
    with Nodes(databases) as nodes:
        counted = {"missing": nodes.count()}
        for _ in range(2):  # the first notes that both agree
            nodes.run()
        counted["in sync"] = nodes.count()
        for name in nodes.databases:
            nodes.pair.put(0, name, *(f"new {i}" for i in range(10)))
        counted["behind"] = nodes.count()
        counted["in sync again"] = nodes.count()
        for name in nodes.databases:
            if len(nodes.pair.names(1, name)) != 30:
                raise AssertionError(f"{name} lacks rows")
        return counted


IN_SYNC = {
    "sender": {"list": 6, "open": 4, "look": 28, "lock": 4, "read": 15, "send": 1},
    "receiver": {"list": 4, "open": 4, "look": 23, "lock": 4, "read": 13, "send": 1},
}


class Calls(unittest.TestCase):
    maxDiff = None

    EXPECTED = {
        "missing": {
            "sender": {"list": 6, "open": 4, "look": 38, "lock": 8, "read": 19, "send": 2},
            "receiver": {"list": 2, "open": 14, "look": 68, "lock": 37, "read": 24, "write": 6,
                         "sync": 6, "remove": 1, "send": 2},
        },
        "in sync": IN_SYNC,
        # A question, then one with the rows: a single pass has no ledger, which would tell where
        # they begin. There is one commit, the receiver's, of five syncs.
        "behind": {
            "sender": {"list": 6, "open": 5, "look": 60, "lock": 12, "read": 27, "send": 2},
            "receiver": {"list": 8, "open": 12, "look": 80, "lock": 21, "read": 40, "write": 30,
                         "sync": 5, "remove": 1, "send": 2},
        },
        "in sync again": IN_SYNC,
    }

    def test_each_database_costs_so_many_calls(self):
        for _ in range(3):  # on a busy machine a question may be asked twice
            found = difference(passes(FEW), passes(2 * FEW))
            if found == self.EXPECTED:
                break
        self.assertEqual(found, self.EXPECTED)


def difference(few, many):
    """What each database more has cost, by pass and node."""
    def each(more, fewer):
        more.subtract(fewer)
        return {group: count / FEW if count % FEW else count // FEW
                for group, count in more.items() if count}

    return {name: {node: each(many[name][node], few[name][node]) for node in many[name]}
            for name in many}


def why_not():
    """Why nothing can be said here; empty if it can."""
    if not sqlite3.sqlite_version.startswith("3.40."):
        return f"SQLite {sqlite3.sqlite_version} has other numbers"
    other = subprocess.Popen(["sleep", str(PATIENCE)], stdin=subprocess.DEVNULL)
    try:
        with traced(other, "/dev/null"):
            return ""
    except FileNotFoundError:
        return "strace is missing"
    except OSError as failure:
        return str(failure)
    finally:
        other.kill()
        other.wait()


if __name__ == "__main__":
    if WHY_NOT := why_not():
        print(WHY_NOT)
        sys.exit(77)
    unittest.main()
