#!/usr/bin/python3
"""Swift's own swift-recon asks our servers, and our replicator asks a stock server's recon.

Usage: recon.py [UNITTEST ARGUMENTS]    with REPLICA_BUILD_DIR in the environment

Needs Swift's Debian packages and rsync.
"""

import http.client
import json
import os
import pathlib
import subprocess
import unittest

import rig as rig_module
from rig import Node, Rig, end, ring_device, write_ring

PROGRAMS = pathlib.Path(os.environ.get("REPLICA_BUILD_DIR", ".")) / "example"
SWIFT_CONF = "[swift-hash]\nswift_hash_path_suffix = recon\n"
STAMP = "1700000000.00000"


class Recon(unittest.TestCase):
    """Three nodes, one device each. Of partition 0 the first two are primaries, the third is the
    handoff."""

    @classmethod
    def setUpClass(cls):
        cls.rig = Rig(SWIFT_CONF)
        cls.addClassCleanup(cls.rig.close)

    def setUp(self):
        self.addCleanup(end, self.rig.processes)
        root = self.rig.root / self.id()
        ips = [f"127.0.9.{number}" for number in (1, 2, 3)]
        self.port, rsync = (self.rig.free_port(*ips) for _ in range(2))
        rings = root / "rings"
        rings.mkdir(parents=True)
        (rings / "swift.conf").write_text(SWIFT_CONF)
        write_ring(rings, "container", [ring_device(n, ip, self.port, f"sd{n}")
                                        for n, ip in enumerate(ips)],
                   [[0, 2, 2, 2], [1, 0, 1, 0]])
        self.rings = rings
        self.a, self.b, self.c = (
            Node(self.rig, root / f"node{n}", ip, [f"sd{n}"], rings, rsync, PROGRAMS)
            for n, ip in enumerate(ips))

    def make_container(self):
        """One on the first node; gives what its path ends in."""
        from swift.common.utils import hash_path, storage_directory
        from swift.container.backend import ContainerBroker
        digest = hash_path("a", "c")
        self.assertEqual(int(digest[:8], 16) >> 30, 0)
        below = storage_directory("containers", 0, digest)
        path = self.a.srv / "sd0" / below / f"{digest}.db"
        path.parent.mkdir(parents=True)
        broker = ContainerBroker(str(path), account="a", container="c")
        broker.initialize(STAMP, 0)
        broker.put_object("o", STAMP, 1, "text/plain", "etag")
        broker.get_info()  # takes the row out of the pending file
        return f"{below}/{digest}.db"

    def serve(self, *nodes):
        """Ours, in the place of stock servers."""
        started = [node.start_ours("container", self.port, self.port) for node in nodes]
        started += [node.start_rsync() for node in nodes]
        for each in started:
            each.wait()

    def pass_of(self, node):
        return node.run_pass("ours", "container", self.port)

    def swift_recon(self, *options):
        command = self.rig.stock("swift-recon") + ["container", "--swiftdir", str(self.rings)]
        result = subprocess.run([*command, *options], capture_output=True, text=True, timeout=30,
                                check=False)
        self.assertEqual(result.returncode, 0, result.stderr)
        self.assertNotIn("HTTP Error", result.stdout)
        return result.stdout

    def get(self, path, method="GET"):
        connection = http.client.HTTPConnection(self.a.ip, self.port, timeout=10)
        self.addCleanup(connection.close)
        connection.request(method, path)
        reply = connection.getresponse()
        return reply.status, reply.read().decode()

    # ---- Ours is asked.

    def test_swift_recon_sums_up_what_our_passes_did(self):
        self.make_container()
        self.serve(self.a, self.b, self.c)
        for node in (self.a, self.b, self.c):
            self.pass_of(node)
        told = self.swift_recon("-r")
        self.assertRegex(told, r"\[replication_attempted\] low: 0, high: 1, avg: 0\.7, total: 2, "
                               r"Failed: 0\.0%, no_result: 0, reported: 3")
        self.assertRegex(told, r"\[replication_success\] low: 0, high: 1, avg: 0\.7, total: 2,")
        self.assertRegex(told, r"\[replication_failure\] low: 0, high: 0, avg: 0\.0, total: 0,")
        self.assertRegex(told, r"\[replication_time\] .*, reported: 3")
        self.assertRegex(told, r"Most recent completion was \d{4}-.* by 127\.0\.9\.\d:")

    def test_swift_recon_finds_nothing_wrong_with_a_node_before_its_first_pass(self):
        self.serve(self.a, self.b, self.c)
        self.assertIn("[replication_time] - No hosts returned valid data.", self.swift_recon("-r"))
        if rig_module.is_private():  # else swift-recon would look for another swift.conf
            matched = self.swift_recon("--md5")
            self.assertEqual(matched.count("3/3 hosts matched, 0 error"), 2, matched)  # rings, conf
        self.assertRegex(self.swift_recon("--validate-servers"), r"3/3 hosts ok, 0 error")
        self.assertIn("Versions matched", self.swift_recon("--swift-versions"))
        self.assertIn("3/3 hosts matched, 0 error", self.swift_recon("-T", "--jitter", "20"))
        for option in ("-a", "-u", "--sharding"):
            self.swift_recon(option)

    def test_swift_recon_is_told_which_devices_are_mounted(self):
        self.serve(self.a, self.b, self.c)
        (self.a.srv / "sd0" / ".ismount").touch()
        told = self.swift_recon("--unmounted")
        self.assertIn(f"Not mounted: sd1 on {self.b.ip}", told)
        self.assertNotIn("sd0", told)
        self.assertRegex(self.swift_recon("-d"), r"space used: \d+ of \d+")
        usage, = json.loads(self.get("/recon/diskusage")[1])
        self.assertEqual(usage["size"], usage["used"] + usage["avail"])
        disk = os.statvfs(self.a.srv)
        self.assertEqual(usage["size"], disk.f_frsize * disk.f_blocks)

    def test_other_paths_and_methods_are_refused(self):
        self.serve(self.a)
        self.assertEqual(self.get("/healthcheck"), (200, "OK"))
        self.assertEqual(self.get("/recon/nothing"), (404, "Invalid path: /recon/nothing"))
        self.assertEqual(self.get("/sd0/1/a/c")[0], 404)
        for method in ("PUT", "HEAD", "DELETE", "POST"):
            self.assertEqual(self.get("/healthcheck", method)[0], 405)

    # ---- A stock server is asked.

    def serve_full(self, node):
        """A stock server with recon, whose device has no room for anybody."""
        node.start_rsync().wait()
        conf = node.write_conf("container-server.conf", DEFAULT={
            **node.defaults(self.port), "mount_check": "true"}, **{
                "pipeline:main": {"pipeline": "recon container-server"},
                "filter:recon": {"use": "egg:swift#recon", "recon_cache_path": node.root / "cache"},
                "app:container-server": {"use": "egg:swift#container",
                                         "fallocate_reserve": "100%"}})
        self.rig.start(self.rig.stock("swift-container-server") + [str(conf), "-v"],
                       node.root / "log" / "container-server", [(node.ip, self.port)]).wait()

    def test_a_full_stock_device_is_not_stood_in_for_and_an_unmounted_one_is(self):
        below = self.make_container()
        self.serve(self.c)
        self.serve_full(self.b)
        spare = self.c.srv / "sd2" / below
        mounted = self.b.srv / "sd1" / ".ismount"
        mounted.touch()
        self.assertEqual(self.pass_of(self.a)["failure"], 1)
        self.assertFalse(spare.exists())
        log = (self.a.root / "log" / "ours-container-once").read_text()
        self.assertIn("answered 507 and is mounted, so it is full", log)
        mounted.unlink()
        self.pass_of(self.a)
        self.assertTrue(spare.exists())


if __name__ == "__main__":
    rig_module.enter_private()
    unittest.main(warnings="ignore")  # Swift's imports are full of them
