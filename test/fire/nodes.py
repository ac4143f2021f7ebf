"""The nodes that fire.py burns: each with an address on loopback, two devices, a container daemon,
an rsync daemon and a writer. Every process is started, signalled and reaped by its id."""

import contextlib
import ctypes
import getpass
import json
import os
import pathlib
import random
import shutil
import signal
import socket
import subprocess
import time

BIN = pathlib.Path(os.environ["REPLICA_BUILD_DIR"]) / "example"
DEVICES = ("sda", "sdb")
PATIENCE = 30  # seconds until something counts as not happening
SLOTS = ("daemon", "rsync", "writer")
SMALL = 32 << 20  # bytes of the device that can be filled

LIBC = ctypes.CDLL(None, use_errno=True)
PR_SET_PDEATHSIG, PR_SET_CHILD_SUBREAPER = 1, 36
CLONE_NEWNS, MS_REC, MS_PRIVATE, MNT_DETACH = 0x20000, 0x4000, 0x40000, 2


def die_with_us():
    LIBC.prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


def adopt_orphans():
    """What a killed process has started becomes ours, and can be ended by its id."""
    LIBC.prctl(PR_SET_CHILD_SUBREAPER, 1)


def enter_private_mounts():
    """Whether this process may mount; what it mounts nobody else sees, and goes with it."""
    return (LIBC.unshare(CLONE_NEWNS) == 0
            and LIBC.mount(b"none", b"/", None, MS_REC | MS_PRIVATE, None) == 0)


def mount_small(path):
    size = f"size={SMALL}".encode()
    return LIBC.mount(b"fire", str(path).encode(), b"tmpfs", 0, size) == 0


def unmount_small(path):
    LIBC.umount2(str(path).encode(), MNT_DETACH)


def children(pid):
    found = []
    with contextlib.suppress(OSError):
        for task in pathlib.Path(f"/proc/{pid}/task").iterdir():
            found += map(int, (task / "children").read_text().split())
    return found


def descendants(pid):
    found = children(pid)
    return found + [deeper for child in found for deeper in descendants(child)]


def name_of(pid):
    try:
        return pathlib.Path(f"/proc/{pid}/comm").read_text().strip()
    except OSError:
        return ""


def send(pid, which):
    """Whether there was a process to get the signal."""
    try:
        os.kill(pid, which)
    except ProcessLookupError:
        return False
    return True


def free_base(ips):
    """A port that is free on all addresses, with the next one."""
    while True:
        base = random.randrange(10000, 32000, 2)
        with contextlib.ExitStack() as held, contextlib.suppress(OSError):
            for ip in ips:
                for port in (base, base + 1):
                    held.enter_context(socket.socket()).bind((ip, port))
            return base


class Node:
    """A node with its files; `running` has the process of each slot."""

    def __init__(self, cluster, ip):
        self.cluster, self.ip, self.root = cluster, ip, cluster.root / ip
        self.running, self.due = {}, dict.fromkeys(SLOTS, 0.0)
        self.incarnation = 0
        for name in ("etc", "cache", "log", *(f"srv/{device}" for device in DEVICES)):
            (self.root / name).mkdir(parents=True)
        etc = self.root / "etc"
        (etc / "swift.conf").write_text("[swift-hash]\nswift_hash_path_suffix = fire\n")
        (etc / "container-ring.json").write_text(json.dumps(cluster.ring()))
        become = "uid = 0\ngid = 0\n" if os.getuid() == 0 else ""
        (etc / "rsyncd.conf").write_text(
            f"use chroot = no\nreverse lookup = no\n{become}"
            f"log file = {self.root}/log/rsyncd.log\ntimeout = 20\n"
            f"[container]\npath = {self.root}/srv\nread only = no\nlist = no\n")
        (etc / "container.conf").write_text(f"""[DEFAULT]
devices = {self.root}/srv
mount_check = false
bind_ip = {ip}
bind_port = {cluster.port}
swift_dir = {etc}
user = {getpass.getuser()}
log_address = {self.root}/no-syslog
[container-replicator]
ring = {etc}/container-ring.json
replica_port = {cluster.port}
rsync_module = rsync://{{replication_ip}}:{cluster.rsync_port}/container
recon_cache_path = {self.root}/cache
interval = 1
walk_interval = 5
databases_per_second = 0
concurrency = 4
per_diff = 30
conn_timeout = 1
node_timeout = 3
peer_hold = 2
leave_share = 100
fallocate_reserve = 0
""")

    def devices(self):
        return [self.root / "srv" / device for device in DEVICES]

    def command(self, slot):
        if slot == "daemon":
            return [BIN / "container_replicator", self.root / "etc/container.conf", "-v"]
        if slot == "rsync":
            return [shutil.which("rsync"), "--daemon", "--no-detach",
                    f"--config={self.root}/etc/rsyncd.conf", f"--address={self.ip}",
                    f"--port={self.cluster.rsync_port}"]
        self.incarnation += 1
        wish = self.cluster
        wish.containers += wish.more
        return [BIN / "quickstart.write", wish.root, "--node", self.ip,
                "--record", wish.root / "record" / f"{self.ip}-{self.incarnation}",
                "--seed", str(wish.random.randrange(1 << 50)),
                "--containers", str(int(wish.containers)), "--pause", str(wish.pause_ms)]

    def start(self, slot):
        with open(self.root / "log" / f"{slot}.log", "ab") as log:
            self.running[slot] = subprocess.Popen(
                list(map(str, self.command(slot))), stdin=subprocess.DEVNULL, stdout=log,
                stderr=log, env=self.cluster.environment,
                preexec_fn=die_with_us)  # pylint: disable=subprocess-popen-preexec-fn

    def pid(self, slot):
        """Of a process that has not been waited for, so that the id is nobody else's."""
        process = self.running.get(slot)
        return process.pid if process and process.poll() is None else None

    def kill(self, slot):
        """Whether there was something to kill."""
        pid = self.pid(slot)
        if pid is None:
            return False
        self.running[slot].kill()
        self.running[slot].wait(PATIENCE)
        del self.running[slot]
        return True

    def listens(self, port):
        with socket.socket() as probe:
            probe.settimeout(1)
            return probe.connect_ex((self.ip, port)) == 0


class Cluster:
    """Three nodes, three replicas: each node has one of the three copies, on one of its devices."""

    def __init__(self, root, chance, containers, pause_ms):
        self.root, self.random = root, chance
        self.containers, self.more, self.pause_ms = containers, 0.5, pause_ms
        self.ips = [f"127.0.0.{number}" for number in (1, 2, 3)]
        self.port = free_base(self.ips)
        self.rsync_port = self.port + 1
        (root / "record").mkdir()
        self.environment = self.slow_rsync(root / "bin")
        self.nodes = [Node(self, ip) for ip in self.ips]

    def ring(self):
        devices = [{"ip": ip, "port": self.port, "device": device, "zone": zone, "weight": 1}
                   for zone, ip in enumerate(self.ips) for device in DEVICES]
        return {"part_power": 6, "replicas": 3,
                "devices": [{"id": number, **each} for number, each in enumerate(devices)]}

    @staticmethod
    def slow_rsync(folder):
        """An environment in which daemons find an rsync that takes its time, so that there is some
        to be killed in the middle of its work."""
        folder.mkdir()
        slow = folder / "rsync"
        program = shutil.which("rsync")
        slow.write_text(f'#!/bin/sh\nexec {program} --bwlimit=100 "$@"\n')
        slow.chmod(0o755)
        return {**os.environ, "PATH": f"{folder}:{os.environ['PATH']}"}

    def orphans(self):
        """Children of ours that we have not started: of a process that was killed."""
        known = {process.pid for node in self.nodes for process in node.running.values()}
        return [pid for pid in children(os.getpid()) if pid not in known]

    def reap(self):
        for pid in self.orphans():
            with contextlib.suppress(ChildProcessError):
                os.waitpid(pid, os.WNOHANG)

    def transfers(self):
        """Every rsync that is at work now: a daemon's client, and a server for one connection."""
        above = [pid for node in self.nodes for slot in ("daemon", "rsync")
                 if (pid := node.pid(slot))]
        orphans = self.orphans()
        found = orphans + [deeper for pid in above + orphans for deeper in descendants(pid)]
        return [pid for pid in found if name_of(pid) == "rsync"]

    def end(self):
        """Kills what is left, with what that has started, and waits for it."""
        for node in self.nodes:
            for slot in SLOTS:
                node.kill(slot)
        deadline = time.monotonic() + PATIENCE
        while (left := self.orphans()) and time.monotonic() < deadline:
            for pid in left:
                send(pid, signal.SIGKILL)
            self.reap()
            time.sleep(0.02)
