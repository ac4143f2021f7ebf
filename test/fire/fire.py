#!/usr/bin/python3
"""The real thing under fire: three nodes of real daemons, rsyncs and writers on loopback, whose
processes are killed at random, hang, and have evil peers, while rows are written. Then everything
comes to rest, and each row that was acknowledged must be on all three replicas.

Usage: fire.py [--kills N] [--seconds S] [--seed X] [--containers C] [--pause MS]

Daemons and writer are looked for in $REPLICA_BUILD_DIR/example. Exit status 0: nothing was lost;
else nodes and logs are left. A seed gives the same choices, but not the same run: processes take
the time they take.
"""

import argparse
import collections
import contextlib
import pathlib
import random
import shutil
import signal
import sys
import tempfile
import time

import evil
import nodes
import verdict

REST = 120  # seconds in which the cluster must come to rest
EVENTS = {"daemon": 28, "writer": 22, "rsync": 8, "transfer": 25, "node": 5, "hang": 4, "evil": 4,
          "pester": 4, "full": 4}


class Fire:
    """Decides what happens when, and undoes it when its time is over."""

    def __init__(self, cluster, small):
        self.cluster, self.chance = cluster, cluster.random
        self.kills, self.events = collections.Counter(), collections.Counter()
        self.undo = []  # (when, what to call)
        self.taken = {}  # (node's address, slot) -> the evil peer there
        self.problems = []
        self.small = small  # a device that can be filled
        self.clients = []

    def later(self, least, most, call):
        self.undo.append((time.monotonic() + self.chance.uniform(least, most), call))

    def kill(self, node, slot, *, away=(0, 1.5)):
        if node.kill(slot):
            self.kills[slot] += 1
            node.due[slot] = time.monotonic() + self.chance.uniform(*away)

    def kill_transfer(self):
        """An rsync at work, of either side; they do not live long, so it may take a moment."""
        until = time.monotonic() + 0.3
        while time.monotonic() < until:
            if found := self.cluster.transfers():
                if nodes.send(self.chance.choice(found), signal.SIGKILL):
                    self.kills["transfer"] += 1
                return
            time.sleep(0.002)

    def hang(self, node, slot):
        """Neither reads nor answers, and its sockets stay open."""
        process = node.running.get(slot)
        pid = node.pid(slot)
        if pid and nodes.send(pid, signal.SIGSTOP):
            def wake():
                if process.poll() is None:
                    process.send_signal(signal.SIGCONT)
            self.later(0.5, 5, wake)

    def be_evil(self, node, slot):
        if slot == "writer" or (node.ip, slot) in self.taken:
            return
        self.kill(node, slot, away=(0, 0))
        node.due[slot] = float("inf")
        port = self.cluster.port if slot == "daemon" else self.cluster.rsync_port
        peer = evil.Evil(node.ip, port, self.chance.random())
        self.taken[node.ip, slot] = peer

        def leave():
            if not peer.close():
                self.problems.append("a thread of an evil peer has not ended")
            self.events["tricks"] += peer.tricked
            del self.taken[node.ip, slot]
            node.due[slot] = time.monotonic()
        self.later(1, 5, leave)

    def fill(self):
        """Not a byte is left on one device of the last node."""
        if not self.small or (self.small / "filler").exists():
            return
        path = self.small / "filler"
        with contextlib.suppress(OSError), open(path, "wb", buffering=0) as file:
            while True:
                file.write(bytes(1 << 16))
        self.later(0.5, 4, path.unlink)

    def act(self):
        """One event. Some of them kill several processes, some none."""
        what = self.chance.choices(list(EVENTS), EVENTS.values())[0]
        node = self.chance.choice(self.cluster.nodes)
        self.events[what] += 1
        if what in nodes.SLOTS:
            self.kill(node, what)
        elif what == "transfer":
            self.kill_transfer()
        elif what == "node":
            for slot in nodes.SLOTS:
                self.kill(node, slot, away=(0.5, 3))
        elif what == "hang":
            self.hang(node, self.chance.choice(nodes.SLOTS))
        elif what == "evil":
            self.be_evil(node, self.chance.choice(("daemon", "daemon", "rsync")))
        elif what == "pester":
            self.clients += filter(None, (evil.pester(node.ip, self.cluster.port, self.chance)
                                          for _ in range(5)))
        else:
            self.fill()

    def tend(self):
        """Starts what is due, ends what is over, and looks for processes that ended unasked."""
        now = time.monotonic()
        for entry in [entry for entry in self.undo if entry[0] <= now]:
            self.undo.remove(entry)
            entry[1]()
        for node in self.cluster.nodes:
            for slot in nodes.SLOTS:
                process = node.running.get(slot)
                if process and (code := process.poll()) is not None:
                    self.problems.append(f"{node.ip}: {slot} ended by itself with {code}")
                    del node.running[slot]
                if slot not in node.running and node.due[slot] <= now:
                    node.start(slot)
        self.cluster.reap()
        while len(self.clients) > 20:
            self.clients.pop(0).close()

    def burn(self, kills, seconds):
        """Until so many processes are killed, or so much time is over."""
        began = time.monotonic()
        wait = seconds / kills
        following = began + wait
        while (now := time.monotonic()) < began + seconds and self.kills.total() < kills:
            self.tend()
            if now >= following:
                self.act()
                left = max(1, kills - self.kills.total())
                wait = max(0.0, began + seconds - now) / left * 0.75
                following = now + self.chance.uniform(0, 2) * wait
            time.sleep(0.01)
        return time.monotonic() - began

    def put_out(self):
        """Writers are killed, everything else is up and left alone."""
        for node in self.cluster.nodes:
            node.due["writer"] = float("inf")
            self.kill(node, "writer", away=(float("inf"), float("inf")))
        for _, call in self.undo:
            call()
        self.undo.clear()
        for client in self.clients:
            client.close()
        for node in self.cluster.nodes:
            for slot in ("daemon", "rsync"):
                node.due[slot] = 0
        self.tend()


def end_in_order(cluster):
    """What goes wrong when everything is told to go."""
    for node in cluster.nodes:
        node.running["daemon"].send_signal(signal.SIGTERM)
    for node in cluster.nodes:
        process = node.running["daemon"]
        try:
            code = process.wait(nodes.PATIENCE)
        except nodes.subprocess.TimeoutExpired:
            code = "no end"
        if code != 0:
            yield f"{node.ip}: told to go, the daemon ended with {code}"
        node.kill("rsync")
        del node.running["daemon"]
    deadline = time.monotonic() + 5
    while (left := cluster.orphans()) and time.monotonic() < deadline:
        cluster.reap()
        time.sleep(0.05)
    yield from (f"process {pid}, {nodes.name_of(pid)}, is left" for pid in left)


def judge(cluster, fire):
    """Every problem, with the counts of what was compared."""
    fire.put_out()
    began = time.monotonic()
    problems = verdict.await_rest(cluster, REST)
    print(f"at rest after {time.monotonic() - began:.0f} s" if not problems else
          f"NOT at rest after {REST} s", flush=True)
    verdict.age(cluster)
    deadline = time.monotonic() + nodes.PATIENCE
    while (left := list(verdict.strays(cluster))) and time.monotonic() < deadline:
        time.sleep(1)
    fire.tend()
    problems += left + list(end_in_order(cluster)) + list(verdict.differences(cluster))
    lost, versions, objects, containers, rows = verdict.lost(cluster)
    print(f"{versions} acknowledged versions of {objects} objects in {containers} containers; "
          f"{rows} rows compared on all replicas")
    if not versions:
        problems.append("nothing was acknowledged")
    return lost + problems + list(verdict.logged(cluster))


def run(arguments, root):
    """Every problem."""
    chance = random.Random(arguments.seed)
    may_mount = nodes.enter_private_mounts()
    nodes.adopt_orphans()
    cluster = nodes.Cluster(root, chance, arguments.containers, arguments.pause)
    small = cluster.nodes[-1].devices()[-1]
    if not (may_mount and nodes.mount_small(small)):
        small = None
        print("not run: a full disk (a file system cannot be mounted here)")
    fire = Fire(cluster, small)
    try:
        seconds = fire.burn(arguments.kills, arguments.seconds)
        print(f"{fire.kills.total()} processes killed in {seconds:.0f} s: {dict(fire.kills)}; "
              f"events: {dict(fire.events)}", flush=True)
        problems = fire.problems + judge(cluster, fire)
        if fire.kills.total() < arguments.kills / 2:
            problems.append(f"only {fire.kills.total()} processes were killed")
    finally:
        for peer in fire.taken.values():
            peer.close()
        cluster.end()
        if small:
            shutil.copytree(small, f"{small}.left", symlinks=True)
            nodes.unmount_small(small)
    return problems


def main():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--seconds", type=float, default=20)
    parser.add_argument("--seed", type=int, default=random.randrange(1 << 32))
    parser.add_argument("--containers", type=int, default=12)
    parser.add_argument("--pause", type=int, default=20, help="ms between the writes of a node")
    arguments = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    print(f"seed {arguments.seed}", flush=True)
    root = pathlib.Path(tempfile.mkdtemp(prefix="replica-fire-"))
    problems = run(arguments, root)
    for problem in problems[:40]:
        print(f"  {problem}")
    if problems:
        print(f"seed {arguments.seed}: {len(problems)} problems; the nodes are left in {root}")
        return 1
    shutil.rmtree(root)
    print(f"seed {arguments.seed}: every acknowledged row is on all replicas")
    return 0


if __name__ == "__main__":
    sys.exit(main())
