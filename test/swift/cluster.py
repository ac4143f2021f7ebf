#!/usr/bin/python3
"""Two nodes with our replicators and two with Swift's, in one cluster with stock servers.

Usage: cluster.py [--bin DIRECTORY]

A client writes through the proxy while nodes go and come back, a disk is replaced, a container is
sharded, and another is made with two policies at once. In the end all replicas must be the same,
with all that was acknowledged, and nothing may be left where it does not belong.

DIRECTORY holds our daemons; else they are looked for in $REPLICA_BUILD_DIR/example. Needs Swift's
Debian packages with the proxy and its client, and rsync. Exit status 0: all as expected.
"""

import argparse
import os
import pathlib
import re
import subprocess
import sys
import time

from swiftclient.exceptions import ClientException

import rig as rig_module
from cloud import OURS, POLICIES, SWIFT_CONF, Cloud, Ledger, compared, read
from rig import KINDS, Rig, RigError

ONE, TWO = "AUTH_one", "AUTH_two"
GOLD, SILVER = 0, 1
BIG, SPLIT = (ONE, "big"), (ONE, "split")


class Report:
    """Says how far the test is, what holds and what does not."""

    def __init__(self):
        self.began, self.failed, self.passed = time.monotonic(), 0, 0

    def now(self, what):
        print(f"[{time.monotonic() - self.began:5.1f} s] {what}", flush=True)

    def check(self, what, problems):
        problems = list(problems)
        self.now(f"{'FAIL' if problems else 'ok'}  {what}")
        for line in problems[:20]:
            print(f"        {line}")
        if len(problems) > 20:
            print(f"        and {len(problems) - 20} more")
        self.passed += not problems
        self.failed += bool(problems)


# ---- What happens

def all_nodes_are_up(ledger):
    for number in range(4):
        name = f"c{number}"
        ledger.put_container(ONE, name, number % 2, Color="blue")
        for each in range(8):
            ledger.put_object(ONE, name, f"o{each}", f"first {each}")
    ledger.put_container(ONE, "emptied", GOLD)
    for each in range(5):
        ledger.put_object(ONE, "emptied", f"o{each}")
    ledger.put_container(ONE, "gone", SILVER)
    ledger.put_container(*BIG)
    for each in range(36):
        ledger.put_object(*BIG, f"o{each:03}", "before sharding")
    ledger.post_account(ONE, Owner="me", Color="blue")


def a_node_is_away(ledger, number):
    """What happens to things made before, and new ones."""
    ledger.put_container(ONE, f"new{number}", number % 2, Node=str(number))
    for each in range(15):
        ledger.put_object(ONE, f"new{number}", f"new {each}", "x" * each)
    for name in ("c0", "c1", "c2", "c3"):
        ledger.put_object(ONE, name, f"o{number}", f"again, without {number}")
        ledger.delete_object(ONE, name, f"o{number + 4}" if number < 4 else "o0")
        ledger.post_object(ONE, name, "o4", f"type/without-{number}")
    ledger.post_container(ONE, "c0", Color=f"without {number}", **{f"Only{number}": "yes"})
    ledger.post_account(ONE, Color=f"without {number}")


def containers_come_and_go(ledger):
    """While a node is away: one is deleted, one is emptied first, and an account is new."""
    ledger.delete_container(ONE, "gone")
    for name in list(ledger.containers[ONE, "emptied"].objects):
        ledger.delete_object(ONE, "emptied", name)
    ledger.delete_container(ONE, "emptied")
    ledger.put_container(TWO, "small", GOLD)
    ledger.put_object(TWO, "small", "only")
    ledger.post_account(TWO, Owner="you")


def make_two_policies(cloud, ledger):
    """One half of the cluster makes a container with one policy, later the other half makes it with
    the other: 2 of 3 replicas, or a replica and a handoff, suffice for that."""
    for away, policy in (((1, 2), SILVER), ((3, 4), GOLD)):
        with cloud.without(*away):
            cloud.forget()
            ledger.put_container(*SPLIT, policy)
            for name in [f"{POLICIES[policy]} {each}" for each in range(6)] + ["both"]:
                ledger.put_object(*SPLIT, name, f"{name} in {policy}")
    cloud.forget()


def policies(cloud, container):
    return {read(path)["stat"]["storage_policy_index"]
            for path in cloud.copies("container", *container)}


def queues(cloud):
    """What is in the reconciler's queue: for each replica of its containers, names."""
    found = []
    for digest, held in cloud.databases("container").items():
        for place in cloud.primaries("container", digest) & set(held):
            state = read(held[place][-1])
            if state["stat"]["account"] == ".misplaced_objects":
                found.append({row["name"] for row in state["object"] if not row["deleted"]})
    return found


def reconcile(cloud, ledger, report):
    """The first policy wins; what was written with the other is moved by Swift's reconciler."""
    report.check("the two policies have become one everywhere", cloud.settle()
                 + compared("the container", {SILVER}, policies(cloud, SPLIT)))
    wanted = {f"{GOLD}:/{'/'.join(SPLIT)}/{name}" for name in ledger.containers[SPLIT].objects
              if name == "both" or name.startswith(POLICIES[GOLD])}
    found = queues(cloud)
    report.check("what lies in the other policy is queued on each replica", [
        problem for each in found for problem in compared("a queue", wanted, each)]
        + ([] if found else ["there is no queue"]))
    for _ in range(4):
        cloud.rig.run(cloud.rig.stock("swift-container-reconciler")
                      + [str(cloud.reconciler), "--once", "-v"], cloud.rig.root / "reconciler")
        cloud.update()
        if not any(queues(cloud)):
            break
        cloud.replicate(("container",))
    report.check("Swift's reconciler has done all that was queued",
                 (f"left: {sorted(each)[:3]}" for each in queues(cloud) if each))
    cloud.forget()
    problems = []
    for name, (etag, *_) in ledger.containers[SPLIT].objects.items():
        found, _ = ledger.swift(SPLIT[0]).get_object(SPLIT[1], name)
        problems += compared(name, {etag}, {found["etag"]})
    report.check("all its objects are found, each in its last version", problems)


def enable_sharding(cloud):
    """Three shards of 12 rows, written into one replica. The sharders do the rest."""
    cloud.forget()
    path = cloud.copies("container", *BIG)[0]
    node = next(each for each in cloud.nodes if each.srv in path.parents)
    cloud.rig.run(cloud.rig.stock("swift-manage-shard-ranges")
                  + ["--config", str(node.conf["container"]), str(path), "find_and_replace",
                     "12", "--enable"], cloud.rig.root / "manage-shard-ranges")


def shard(cloud, report):
    files = []
    for _ in range(8):
        cloud.everywhere("container-sharder", "container")
        cloud.replicate(("container",))
        files = [paths for paths in cloud.databases("container")[cloud.hash(*BIG)].values()]
        if all(is_sharded(paths) for paths in files):
            break
    report.check("all replicas of the large container are sharded", (
        f"{[path.name for path in paths]}" for paths in files if not is_sharded(paths)))
    cloud.forget()


def is_sharded(paths):
    """Only the file of the new epoch is left."""
    return len(paths) == 1 and "_" in paths[0].name


# ---- What Swift's tools say

def told(cloud, program, *arguments):
    return subprocess.run(cloud.rig.stock(program) + [*map(str, arguments)], capture_output=True,
                          text=True, timeout=60, check=False).stdout


def recon_problems(cloud, kind):
    """swift-recon has figures of all nodes, without a failure."""
    text = told(cloud, "swift-recon", kind, "-r", "--swiftdir", cloud.rig.etc)
    found = dict(re.findall(r"^\[replication_(\w+)\] .* total: (\d+), Failed: 0.0%, "
                            r"no_result: 0, reported: 4$", text, re.M))
    attempted = sum(len(held) for held in cloud.databases(kind).values())
    wanted = {"failure": "0", "attempted": str(attempted), "success": str(2 * attempted)}
    if wanted.items() <= found.items() and "Oldest completion" in text:
        return []
    return [f"swift-recon {kind} does not say {wanted}:", text]


def info_problems(cloud, ledger, container):
    """swift-container-info says the same of each replica, and what the client knows."""
    wanted = f"Object Count: {len(ledger.containers[container].objects)}"
    seen = [{line.strip() for line in
             told(cloud, "swift-container-info", "-d", cloud.rig.etc, path).splitlines()
             if re.match(r"\s+(Account|Container|Deleted|Created|Put Tim|Delete|Object C|Bytes|"
                         r"Storage|Chexor|User Meta)", line)}
            for path in cloud.copies("container", *container)]
    if len(seen) != 3 or wanted not in seen[0]:
        return [f"not {wanted}: {seen}"]
    return [problem for other in seen[1:] for problem in compared("one replica", seen[0], other)]


def further_pass_problems(cloud):
    """A pass over what is settled moves nothing."""
    quiet = ("diff", "diff_capped", "rsync", "remote_merge", "ts_repl", "remove", "failure")
    return [f"{kind} on {node}: {key} {stats[key]}"
            for (node, kind), stats in cloud.replicate().items()
            for key in quiet if stats.get(key)] + cloud.differences()


# ---- The test

def run(cloud, report):
    ledger = Ledger(cloud)
    cloud.start()
    report.now("four nodes are up, two with our replicators")
    all_nodes_are_up(ledger)
    for number in (1, 3, 4, 2):
        node = cloud.nodes[number - 1]
        whose = "our" if node.whose == OURS else "stock"
        report.now(f"{node.name}, with {whose} replicators, is away")
        with cloud.without(number):
            a_node_is_away(ledger, number)
            if number == 3:
                containers_come_and_go(ledger)
            elif number == 1:
                enable_sharding(cloud)
                cloud.everywhere("container-sharder", "container")
            cloud.replicate()
            if number == 2:
                ledger.put_container(ONE, "gone", GOLD)  # Its deletion is known everywhere.
                node.wipe("sda")
    report.now("all nodes are back, one with a disk replaced")
    shard(cloud, report)
    for each in range(36, 44):
        ledger.put_object(*BIG, f"o{each:03}", "after sharding")
    for each in range(0, 36, 5):
        ledger.delete_object(*BIG, f"o{each:03}")
    make_two_policies(cloud, ledger)
    report.now(f"{ledger.acknowledged} writes are acknowledged")
    reconcile(cloud, ledger, report)
    cloud.everywhere("container-sharder", "container")
    report.check("all replicas are the same, and no handoff is left", cloud.settle())
    report.check("a further pass finds nothing to do", further_pass_problems(cloud))
    report.check("each acknowledged write is on each replica", ledger.problems(sharded={BIG}))
    report.check("the proxy lists each acknowledged write", ledger.unlisted())
    for kind in KINDS:
        report.check(f"swift-recon {kind} -r", recon_problems(cloud, kind))
    report.check("swift-container-info", info_problems(cloud, ledger, (ONE, "c1")))


def main():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--bin", type=pathlib.Path)
    arguments = parser.parse_args()
    programs = arguments.bin or pathlib.Path(os.environ.get("REPLICA_BUILD_DIR", ".")) / "example"
    for kind in KINDS:
        if not (programs / f"{kind}_replicator").exists():
            sys.exit(f"{programs}/{kind}_replicator is not there; give its directory with --bin")
    rig_module.enter_private()
    report = Report()
    try:
        with Rig(SWIFT_CONF) as rig:
            run(Cloud(rig, programs.resolve(), ours=(1, 2)), report)
    except (RigError, ClientException) as error:
        report.check("the cluster works", [str(error)])
    print(f"{report.passed} as expected, {report.failed} not")
    return 1 if report.failed or not report.passed else 0


if __name__ == "__main__":
    sys.exit(main())
