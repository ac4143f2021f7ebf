#!/usr/bin/env python3
"""Nothing of a daemon keeps a device busy two seconds after its last use: a failed disk can be
unmounted while the service runs. Newer Swifts close their databases for this (2.38).

Devices are file systems in memory, in a mount namespace of this test."""
import contextlib
import os
import pathlib
import signal
import subprocess
import sys
import time
import unittest

from pair import Pair, eventually

INSIDE = "REPLICA_TEST_IN_NAMESPACE"
SKIPPED = 77


def holders(device):
    """Names in /proc of what lies on the device and is open somewhere."""
    found = []
    for link in pathlib.Path("/proc").glob("[0-9]*/fd/*"):
        try:
            target = os.readlink(link)
        except OSError:
            continue
        if target.startswith(str(device)):
            found.append(f"{link} -> {target}")
    return found


class Unmount(unittest.TestCase):
    def unmount(self, device):
        """What umount says; empty if the device has gone within two seconds."""
        end = time.monotonic() + 2
        while True:
            done = subprocess.run(["umount", device], capture_output=True, text=True)
            if done.returncode == 0 or time.monotonic() > end:
                return done.stderr + "\n".join(holders(device)) if done.returncode else ""
            time.sleep(0.1)

    @contextlib.contextmanager
    def mounted(self, pair):
        """Node 0's device, a file system of its own."""
        device = pair.root / "srv0" / pair.devices[0]
        subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64m", "replica-test", device],
                       check=True)
        try:
            yield device
        finally:
            subprocess.run(["umount", "-l", device], capture_output=True)

    def use(self, pair, **options):
        """A pass of node 0, and passes of node 1, whose requests use the device of node 0."""
        for name in ("one", "two"):
            pair.create(0, name, rows=3)
        pair.create(1, "one", rows=1)
        pair.configure(0, **options)
        pair.configure(1, interval="0.2", recheck_passes="1")
        pair.start(1)
        pair.start(0)
        pair.put(1, "one", "came")
        self.assertTrue(eventually(lambda: "came" in (pair.names(0, "one") or ())))
        self.assertTrue(eventually(lambda: pair.names(1, "two")))
        pair.configure(0, interval="3600", **options)
        pair.daemons[0].send_signal(signal.SIGHUP)
        time.sleep(1)  # the pass that was due

    def test_a_device_in_use_by_requests_is_free_when_they_end(self):
        with Pair() as pair, self.mounted(pair) as device:
            self.use(pair)
            pair.stop(1)
            self.assertEqual(self.unmount(device), "")
            self.assertTrue(pair.get(0, "/healthcheck"))

    def test_a_device_whose_changes_are_followed_is_free_as_well(self):
        with Pair() as pair, self.mounted(pair) as device:
            self.use(pair, push_changes="yes")
            pair.put(0, "two", "pushed")
            self.assertTrue(eventually(lambda: "pushed" in (pair.names(1, "two") or ())))
            pair.stop(1)
            self.assertEqual(self.unmount(device), "")
            self.assertTrue(pair.get(0, "/healthcheck"))

    def test_an_open_file_is_what_the_other_tests_would_notice(self):
        with Pair() as pair, self.mounted(pair) as device:
            with open(device / "held", "w") as held:
                self.assertIn(held.name, self.unmount(device))
            self.assertEqual(self.unmount(device), "")


def main():
    if INSIDE in os.environ:
        unittest.main()
    inside = ["unshare", "--mount", "--propagation", "private", "--"]
    probe = subprocess.run([*inside, "sh", "-c", "mount -t tmpfs replica-test /mnt"],
                           capture_output=True, text=True)
    if probe.returncode:
        print(f"No mount namespace of our own: {probe.stderr.strip()}")
        return SKIPPED
    return subprocess.run([*inside, sys.executable, *sys.argv],
                          env={**os.environ, INSIDE: "yes"}).returncode


if __name__ == "__main__":
    sys.exit(main())
