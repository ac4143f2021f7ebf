#!/usr/bin/python3
"""A stock Swift cluster under load, whose nodes get our replicators one after the other, and lose
them again. Then every replica is compared with what was acknowledged.

Usage: with_swift.py --bin DIRECTORY [--keep]     run by quickstart.sh --with-swift
"""

import argparse
import os
import pathlib
import random
import sys
import threading
import time

from requests.exceptions import RequestException
from swiftclient.exceptions import ClientException

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2] / "test" / "swift"))
# pylint: disable=wrong-import-position
import rig as rig_module
from cloud import OURS, POLICIES, STOCK, SWIFT_CONF, Cloud, Ledger
from rig import KINDS, Rig, RigError

TAKE_OVER_SECONDS = 60
WHOSE = {OURS: "our", STOCK: "Swift's"}
SHOWN = {"attempted": "databases", "diff": "sent rows", "rsync": "copied", "remote_merge": "merged",
         "remove": "handoffs removed"}


class Load(threading.Thread):
    """Writes to an account until told to stop: new objects, new versions, deletions, containers."""

    def __init__(self, cloud, account):
        super().__init__(daemon=True)
        self.ledger, self.account, self.done = Ledger(cloud), account, threading.Event()
        self.random, self.number, self.refused = random.Random(account), 0, 0
        self.failure = None

    def run(self):
        try:
            while not self.done.is_set():
                self.write()
        except (ClientException, RequestException) as failure:
            self.failure = failure

    def write(self):
        """One write. A deletion is refused with 404 if most replicas of the object are away."""
        self.number += 1
        containers = [name for _, name in self.ledger.containers]
        if self.number % 20 == 1:
            self.ledger.put_container(self.account, f"container {self.number}",
                                      self.number // 20 % len(POLICIES))
            return
        container = self.random.choice(containers)
        names = sorted(self.ledger.containers[self.account, container].objects)
        name = f"object {self.number}"
        if names and self.number % 4 == 0:
            name = self.random.choice(names)
        try:
            if names and self.number % 8 == 0:
                self.ledger.delete_object(self.account, container, name)
            else:
                self.ledger.put_object(self.account, container, name, f"text {self.number}")
        except ClientException as failure:
            if failure.http_status not in (404, 503):
                raise
            self.refused += 1
            self.ledger.forget(self.account, container, name)


class Show:
    def __init__(self, cloud, loads):
        self.cloud, self.loads, self.began = cloud, loads, time.monotonic()

    def say(self, what):
        print(f"[{time.monotonic() - self.began:3.0f} s] {what}", flush=True)

    def acknowledged(self):
        return sum(load.ledger.acknowledged for load in self.loads)

    def change(self, node, whose):
        """The node is down while its replicators are exchanged, as in an upgrade. It is back when
        they have made two passes, the last of which has seen all that was there when they came."""
        before = self.acknowledged()
        node.stop()
        self.await_writes(before + 40)
        node.whose = whose
        for each in node.start() + node.start_replicators():
            each.wait()
        last = {kind: node.passes(kind)[0] for kind in KINDS}
        sums = dict.fromkeys(SHOWN, 0)
        for _ in range(2):
            for kind in KINDS:
                last[kind], counted = self.await_pass(node, kind, last[kind])
                for key in SHOWN:
                    sums[key] += counted.get(key, 0)
        done = ", ".join(f"{count} {SHOWN[key]}" for key, count in sums.items() if count)
        self.say(f"{node.name} was away and came back with {WHOSE[whose]} replicators: {done}; "
                 f"{self.acknowledged()} writes so far")

    def wait(self, what, reached):
        """Until `reached` gives something; that is given."""
        deadline = time.monotonic() + TAKE_OVER_SECONDS
        while not (result := reached()):
            for load in self.loads:
                if load.failure:
                    raise RigError(f"a client failed: {load.failure}")
            if time.monotonic() > deadline:
                raise RigError(f"{what}: not within {TAKE_OVER_SECONDS} s")
            time.sleep(0.1)
        return result

    def await_writes(self, count):
        self.wait(f"{count} writes", lambda: self.acknowledged() >= count)

    def await_pass(self, node, kind, after):
        def passed():
            when, counted = node.passes(kind)
            return (when, counted) if when > after else None
        return self.wait(f"a pass of the {kind} replicator of {node.name}", passed)


def run(cloud):
    loads = [Load(cloud, account) for account in ("AUTH_one", "AUTH_two")]
    show = Show(cloud, loads)
    show.say("starting a cluster of Swift: four nodes with two disks each, a proxy")
    cloud.start()
    for each in [each for node in cloud.nodes for each in node.start_replicators()]:
        each.wait()
    for load in loads:
        load.start()
    show.await_writes(100)
    show.say(f"two clients write through the proxy; {show.acknowledged()} writes so far")
    for whose in (OURS, STOCK):
        for node in cloud.nodes:
            show.change(node, whose)
    for load in loads:
        load.done.set()
        load.join(TAKE_OVER_SECONDS)
    for node in cloud.nodes:
        node.stop_replicators()
    show.say("the clients have stopped; last passes, until nothing differs")
    problems, lost = cloud.settle(), 0
    show.say("what is there is compared with what was acknowledged")
    for ledger in (load.ledger for load in loads):
        wrong = list(ledger.wrong())
        problems += [text for _, text in wrong] + ledger.unlisted()
        lost += ledger.lost(wrong)
    for problem in problems[:20]:
        print(f"  {problem}")
    containers, accounts = (len(cloud.databases(kind)) for kind in ("container", "account"))
    refused = sum(load.refused for load in loads)
    show.say(f"{containers} containers and {accounts} accounts are compared in all rows and columns"
             + (f"; {refused} writes were not acknowledged" if refused else ""))
    count = show.acknowledged()
    print(f"{count} writes acknowledged, {count - lost} found on every replica: "
          + ("SOMETHING IS WRONG" if problems else "nothing lost"), flush=True)
    return 1 if problems else 0


def main():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--bin", type=pathlib.Path, required=True)
    parser.add_argument("--keep", action="store_true", help="leave the nodes of a failure there")
    arguments = parser.parse_args()
    if arguments.keep:
        os.environ["REPLICA_RIG_KEEP"] = "yes"
    rig_module.enter_private()
    try:
        with Rig(SWIFT_CONF) as rig:
            return run(Cloud(rig, arguments.bin.resolve(), doors=True))
    except (RigError, ClientException, RequestException) as failure:
        print(f"with_swift.py: {failure}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130


if __name__ == "__main__":
    sys.exit(main())
