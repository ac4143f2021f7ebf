#!/usr/bin/python3
"""How long a client waits for a stock server while our server merges rows into the same container.

Usage: puts.py [UNITTEST ARGUMENTS]    with REPLICA_BUILD_DIR in the environment

Needs Swift's Debian packages.
"""

import http.client
import os
import pathlib
import threading
import time
import unittest

import rig as rig_module
from rig import Node, Rig, end, ring_device, write_ring

PROGRAMS = pathlib.Path(os.environ.get("REPLICA_BUILD_DIR", ".")) / "example"
SWIFT_CONF = "[swift-hash]\nswift_hash_path_suffix = puts\n"
KNOWN = 110_000  # of both copies: over half, else the file would go
NEW = 100_000


def put_rows(brokers, first, last):
    rows = [{"name": f"row-{number}", "created_at": f"{time.time():.5f}", "size": 1,
             "content_type": "text/plain", "etag": "etag", "deleted": 0, "storage_policy_index": 0,
             "ctype_timestamp": None, "meta_timestamp": None} for number in range(first, last)]
    for broker in brokers:
        broker.merge_items(rows)


class Puts(unittest.TestCase):
    """Two nodes with a copy of one container each; the first gets rows that the second lacks."""

    @classmethod
    def setUpClass(cls):
        cls.rig = Rig(SWIFT_CONF)
        cls.addClassCleanup(cls.rig.close)

    def setUp(self):
        self.addCleanup(end, self.rig.processes)
        ips = ["127.0.9.1", "127.0.9.2"]
        self.port, self.stock_port, rsync = (self.rig.free_port(*ips) for _ in range(3))
        rings = self.rig.root / "rings"
        rings.mkdir()
        (rings / "swift.conf").write_text(SWIFT_CONF)
        write_ring(rings, "container", [ring_device(n, ip, self.port, f"sd{n}")
                                        for n, ip in enumerate(ips)], [[0, 0], [1, 1]])
        self.nodes = [Node(self.rig, self.rig.root / f"node{n}", ip, [f"sd{n}"], rings, rsync,
                           PROGRAMS) for n, ip in enumerate(ips)]

    def make_copy(self, number):
        from swift.common.utils import hash_path, storage_directory
        from swift.container.backend import ContainerBroker
        digest = hash_path("a", "c")
        self.partition = int(digest[:8], 16) >> 31
        below = storage_directory("containers", self.partition, digest)
        path = self.nodes[number].srv / f"sd{number}" / below / f"{digest}.db"
        path.parent.mkdir(parents=True)
        broker = ContainerBroker(str(path), account="a", container="c")
        broker.initialize(f"{time.time() - 60:.5f}", 0)
        return broker

    def put_until(self, ended, broker):
        """One object after another by the stock server of the second node, which notes it beside
        the database; then the whole of these notes go into the database, under its lock. Returns
        how long each took, by name, and how long each of the latter."""
        took, commits = {}, []
        connection = http.client.HTTPConnection(self.nodes[1].ip, self.stock_port, timeout=60)
        while not took or not ended.is_set():
            name = f"put-{len(took)}"
            began = time.monotonic()
            connection.request("PUT", f"/sd1/{self.partition}/a/c/{name}", headers={
                "X-Timestamp": f"{time.time():.5f}", "X-Size": "1", "X-Content-Type": "text/plain",
                "X-Etag": "etag"})
            reply = connection.getresponse()
            reply.read()
            self.assertEqual(reply.status, 201)
            took[name] = time.monotonic() - began
            began = time.monotonic()
            broker.get_info()
            commits.append(time.monotonic() - began)
        connection.close()
        return took, commits

    def test_a_put_waits_for_one_batch_and_not_for_the_whole_merge(self):
        sender, receiver = self.make_copy(0), self.make_copy(1)
        put_rows([sender, receiver], 0, KNOWN)
        for each in [node.start_ours("container", self.port, self.port) for node in self.nodes] + [
                self.nodes[1].start_stock("container", self.stock_port)]:
            each.wait()
        self.nodes[0].run_pass("ours", "container", self.port)  # notes the points
        put_rows([sender], KNOWN, KNOWN + NEW)
        ended, counted = threading.Event(), {}

        def replicate():
            try:
                counted.update(self.nodes[0].run_pass("ours", "container", self.port))
            finally:
                ended.set()

        one_pass = threading.Thread(target=replicate)
        one_pass.start()
        began = time.monotonic()
        took, commits = self.put_until(ended, receiver)
        one_pass.join()
        whole = time.monotonic() - began
        for what, times in ("PUTs", sorted(took.values())), ("commits", sorted(commits)):
            print(f"{len(times)} {what}: median {times[len(times) // 2]:.3f} s, "
                  f"worst {times[-1]:.3f} s")
            # A batch that takes over 0.4 s is halved (send/batch_size.hpp).
            self.assertLess(times[-1], whole / 3)
        self.assertEqual((counted["failure"], counted["diff"]), (0, 1))
        self.assertGreater(len(took), 20)  # all along, not only before and after
        names = {row[0] for row in receiver.list_objects_iter(10**6, "", "", None, "")}
        self.assertEqual(len(names), KNOWN + NEW + len(took))
        self.assertLessEqual(set(took), names)


if __name__ == "__main__":
    rig_module.enter_private()
    unittest.main(warnings="ignore")  # Swift's imports are full of them
