#!/usr/bin/python3
"""Our replicators among stock servers of Swift 2.30.1: the same words, the same databases.

Usage: matrix.py [--bin DIRECTORY] [--verbose] [NAME...]

Each case of cases.py is made once, copied, and replicated twice over by four pairs: stock to stock,
ours to stock, stock to ours, and ours to ours beside stock servers. What the stock pair says and
what it leaves on disk is what the other three must say and leave, down to every row, column, item
of metadata and sync point, but for what the case declares to deviate (doc/defects.md).
Afterwards stock servers take new rows on both sides while passes run; none may be missing.

With names only these cases run. DIRECTORY holds our daemons; else they are looked for in
$REPLICA_BUILD_DIR/example. Needs Swift's Debian packages and rsync. Exit status 0: all as expected.
"""

import argparse
import contextlib
import copy
import fnmatch
import http.client
import json
import os
import pathlib
import re
import shutil
import sqlite3
import subprocess
import sys
import tempfile
import threading
import time

import cases
import rig as rig_module
from cases import (FULL, HANDOFF, MAX_DIFFS, NO_REPLICATE, OURS_TO_OURS, OURS_TO_STOCK, PARTITIONS,
                   PER_DIFF, STOCK_TO_OURS, UNMOUNTED)
from rig import Node, Relay, Rig, RigError, ring_device, write_ring

STOCK_TO_STOCK = "stock to stock"
VARIANTS = {  # sender, receiver
    STOCK_TO_STOCK: ("stock", "stock"),
    OURS_TO_STOCK: ("ours", "stock"),
    STOCK_TO_OURS: ("stock", "ours"),
    OURS_TO_OURS: ("ours", "beside"),
}
SWIFT_CONF = "[swift-hash]\nswift_hash_path_suffix = rig\nswift_hash_path_prefix = of swift\n"
POLICY = "[storage-policy:{0}]\nname = policy{0}\ndefault = {1}\n"
ROUNDS = 2
DEVICES = ("sda", "sdb", "spare", "sdc", "sdd")


# ---- A cluster: a sends, b receives, c serves no REPLICATE, d is full

class Cluster:
    """The nodes of one variant and one kind, with the databases of the cases."""

    def __init__(self, rig, number, variant, kind, live, programs):
        self.rig, self.variant, self.kind, self.live = rig, variant, kind, live
        self.sender, self.receiver = VARIANTS[variant]
        self.root = rig.root / f"{variant.replace(' ', '-')}-{kind}"
        self.exchanges = []
        ips = [f"127.0.{number}.{node}" for node in range(1, 5)]
        ports = [rig.free_port(*ips) for _ in range(6)]
        self.ring_port, self.stock_port, self.our_port, self.our_door, rsync, front = ports
        rings = self.root / "rings"
        rings.mkdir(parents=True)
        shutil.copy(rig.etc / "swift.conf", rings)  # Ours reads it in swift_dir, with the rings.
        self.place(rings, ips)
        held = (("sda",), ("sdb", "spare"), ("sdc",), ("sdd",))
        self.a, self.b, self.c, self.d = (
            Node(rig, self.root / name, ip, devices, rings, rsync, programs)
            for name, ip, devices in zip("abcd", ips, held))
        for device in DEVICES:
            source = rig.root / "fixtures" / kind / device
            if source.exists():
                shutil.copytree(source, self.device(device), dirs_exist_ok=True)
        self.fronts = {self.a: front, self.b: front if self.receiver == "ours" else self.stock_port}
        self.starting = list(self.start())

    def node_of(self, device):
        return {"sda": self.a, "sdb": self.b, "spare": self.b, "sdc": self.c, "sdd": self.d}[device]

    def device(self, name):
        return self.node_of(name).srv / name

    def place(self, rings, ips):
        a, b, c, d = ips
        port = self.ring_port
        # The spare is alone in its region: the first handoff of any partition that it is not in.
        devices = [ring_device(0, a, port, "sda"), ring_device(1, b, port, "sdb"),
                   ring_device(2, b, port, "gone"), ring_device(3, c, port, "sdc"),
                   ring_device(4, d, port, "sdd"), ring_device(5, b, port, "spare", region=2)]
        held = {cases.PAIR: (0, 1), UNMOUNTED: (0, 2), NO_REPLICATE: (0, 3), FULL: (0, 4),
                HANDOFF: (1, 5)}
        rows = [[held[partition % 5][replica] for partition in range(PARTITIONS)]
                for replica in range(2)]
        write_ring(rings, self.kind, devices, rows)

    def start(self):
        for node in (self.a, self.b, self.d):
            yield node.start_rsync()
        kind, stock = self.kind, self.receiver != "ours"
        full = {"fallocate_reserve": "100%"}
        behind = {self.a: self.fronts[self.a]}
        if self.receiver == "stock":
            behind[self.c] = self.stock_port
            yield self.c.start_stock(kind, self.stock_port, replication_server="false")
            behind[self.d] = self.stock_port
            yield self.d.start_stock(kind, self.stock_port, **full)
        else:
            behind[self.d] = self.our_port
            yield self.d.start_ours(kind, self.ring_port, self.our_port, **full)
            yield self.b.start_ours(kind, self.ring_port, self.our_port)
        behind[self.b] = self.stock_port if stock else self.our_port
        if stock:
            yield self.b.start_stock(kind, self.stock_port)
        for node, port in behind.items():
            self.relay("ring", (node.ip, self.ring_port), port)
        if self.receiver == "beside":
            for node in (self.b, self.d):
                self.relay("ours", (node.ip, self.our_door), self.our_port)
        for node, port in self.fronts.items():
            if self.live and port != self.stock_port:
                yield node.start_stock(kind, port)

    def relay(self, door, address, port):
        self.rig.relays.append(Relay(door, address, port, self.exchanges.append))

    def run_pass(self, node=None, **options):
        ours = {"replica_port": self.our_door} if self.receiver == "beside" else {}
        # What goes between nodes of ours alone is another wire than Swift's.
        ours.update(push_files="no", rows_along=0, summaries="no")
        return (node or self.a).run_pass(self.sender, self.kind, self.ring_port,
                                         **{"per_diff": PER_DIFF, "max_diffs": MAX_DIFFS,
                                            **ours, **options})

    def databases(self, digest):
        found = {}
        for device in DEVICES:
            paths = list(self.device(device).glob(f"{self.kind}s/*/*/{digest}/*.db"))
            found[device] = [str(path) for path in sorted(paths)]
        return found

    def left_in_tmp(self):
        return [str(path) for device in DEVICES for path in self.device(device).glob("tmp/*")
                if path.suffix != ".brakes"]  # what may leave a device in an hour


# ---- What is compared

NOT_COMPARED = ("ROWID",)
ID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}(-.*)?", re.DOTALL)
TIME = re.compile(r"\d{10}\.\d{5}")


class Meaning:
    """Rids values of what differs from run to run: ids of databases and times of the run."""

    def __init__(self, ids, started):
        self.ids, self.started = ids, started

    def __call__(self, value):
        if isinstance(value, dict):
            return {self(key): self(item) for key, item in value.items()}
        if isinstance(value, (list, tuple)):
            return [self(item) for item in value]
        if not isinstance(value, str):
            return value
        if value in self.ids:
            return self.ids[value]
        if TIME.fullmatch(value) and float(value) >= self.started:
            return "(now)"
        if ID.fullmatch(value):
            return "(new id)"
        if value.startswith("{") and value.endswith("}"):
            with contextlib.suppress(ValueError):
                return self(json.loads(value))
        return value


# Under such ids ours note in outgoing_sync what they must know. Swift's keep it and tell nobody.
NOTE = "note/"


def by_name(rows):
    """Rows as text, without their ROWIDs: each database gives out its own, in whatever order a
    batch is merged."""
    return {f"{row['name']!r} {row['storage_policy_index']}":
            " ".join(f"{key}={value!r}" for key, value in row.items() if key != "ROWID")
            for row in rows}


def read_database(path, meaning):
    """All that a database says."""
    uri = "file:" + path.replace("?", "%3f") + "?mode=ro"
    with contextlib.closing(sqlite3.connect(uri, uri=True)) as connection:
        connection.row_factory = sqlite3.Row
        tables = {name for name, in connection.execute(
            "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%'")}
        out = {"pending": os.path.exists(path + ".pending") and os.path.getsize(path + ".pending")}
        for table in sorted(tables):
            rows = [dict(row)
                    for row in connection.execute(f"SELECT rowid AS ROWID, * FROM {table}")]
            if table.endswith("_sync"):
                out[table.removesuffix("_sync")] = {
                    meaning(row["remote_id"]): row["sync_point"] for row in rows
                    if not row["remote_id"].startswith(NOTE)}
            elif table in ("container_info", "account_stat"):
                out["stat"] = [meaning({k: v for k, v in row.items() if k not in NOT_COMPARED})
                               for row in rows]
                out["stat"] = out["stat"][0] if len(rows) == 1 else out["stat"]
            elif table in ("object", "container"):
                out["rows"] = by_name(rows)
                out["row count"] = len(rows)
            else:
                out[table] = sorted(
                    (meaning({k: v for k, v in row.items() if k != "ROWID"}) for row in rows),
                    key=repr)
        return out


def exchange_of(exchange, meaning):
    """A request and its answer as values. The order in a batch does not count."""
    verb, *arguments = json.loads(exchange["body"])
    if verb == "merge_syncs":
        arguments = [{meaning(p["remote_id"]): p["sync_point"] for p in arguments[0]}]
    if verb == "merge_items":
        rows, *source = arguments
        arguments = [by_name(rows), len(rows), max(row["ROWID"] for row in rows), *source]
    said = {"verb": f"{verb}:{exchange['status']}", "path": "/".join(
        exchange["path"].split("/")[1:3]), "arguments": meaning(arguments)}
    if verb == "sync" and exchange["status"] == 200:
        said["reply"] = meaning(json.loads(exchange["reply"]))
    return said


def flatten(value, path="", out=None):
    out = {} if out is None else out
    if isinstance(value, (dict, list)) and value:
        items = value.items() if isinstance(value, dict) else enumerate(value)
        for key, item in items:
            flatten(item, f"{path}.{key}" if path else str(key), out)
    else:
        out[path] = value
    return out


def snapshot(cluster, fixture, since, started):
    """What was said about a case since then, and what is there now."""
    meaning = Meaning({id_: f"(id of {side})" for id_, side in fixture.ids.items()}, started)
    found = {device: [read_database(path, meaning) for path in paths]
             for device, paths in cluster.databases(fixture.hash).items() if paths}
    state = {device: dbs[0] if len(dbs) == 1 else dbs for device, dbs in found.items()}
    said = [e for e in cluster.exchanges[since:] if fixture.hash in e["path"]]
    state["wire"] = [exchange_of(e, meaning) for e in said]
    state["doors"] = sorted({e["door"] for e in said})
    return state


def beside(cluster, fixtures):
    """What a pass has left beside the databases of the cases: queues for the reconciler, and the
    links by which container sync finds its containers."""
    known = {fixture.hash for fixture in fixtures}
    out = {}
    for device in DEVICES:
        root = cluster.device(device)
        for path in root.glob("containers/*/*/*/*.db"):
            if path.parent.name not in known:
                state = read_database(str(path), Meaning({}, 0))
                name = "/".join((state["stat"]["account"], state["stat"]["container"]))
                out[f"{device} {name}"] = state["rows"]
        for path in root.glob("sync_containers/*/*/*/*.db"):
            out[f"{device} {path.relative_to(root)}"] = os.readlink(path).removeprefix(str(root))
    return out


# ---- Judging

MISSING = "(nothing)"


class Judge:
    """Prints ok or FAIL with what differs, and remembers."""

    def __init__(self, verbose):
        self.verbose, self.failed, self.passed = verbose, [], 0

    def say(self, name, problems):
        if problems:
            self.failed.append(name)
            print(f"FAIL  {name}")
            for line in problems[:25] if not self.verbose else problems:
                print(f"        {line}")
            if len(problems) > 25 and not self.verbose:
                print(f"        and {len(problems) - 25} more")
        else:
            self.passed += 1
            print(f"ok    {name}")


def compare(want, got, deviates):
    """Paths at which two snapshots differ, without those that are meant to; and those that were
    meant to and do not."""
    want, got = flatten(want), flatten(got)
    problems, unseen = [], {(path, one.why) for one in deviates for path in one.paths}
    for path in sorted(set(want) | set(got)):
        if want.get(path, MISSING) == got.get(path, MISSING):
            continue
        meant = {(pattern, one.why) for one in deviates for pattern in one.paths
                 if fnmatch.fnmatchcase(path, pattern)}
        unseen -= meant
        if not meant:
            problems.append(f"{path}: stock {want.get(path, MISSING)!r}, "
                            f"here {got.get(path, MISSING)!r}")
    return problems + [f"{path} was meant to deviate and does not: {why}" for path, why in unseen]


def judge_oracle(judge, fixture, rounds):
    """The stock pair does what the case is about."""
    said = " ".join(e["verb"] for e in rounds["1"]["wire"])
    problems = [] if said == fixture.case.verbs else [f"the stock pair said: {said or 'nothing'}"]
    judge.say(f"{fixture.case.name}, {fixture.kind}: {STOCK_TO_STOCK}", problems)


def judge_beside(judge, fixtures, variant, want, got):
    """Queues and links; the cases that are about them have left some."""
    names = {fixture.case.name for fixture in fixtures}
    problems = [f"the stock pair left no {what}" for name, what in (
        ("rows_of_another_policy_wait_for_the_reconciler", ".misplaced_objects"),
        ("a_container_begins_to_be_synced_and_another_ends", "sync_containers"),
    ) if name in names and fixtures[0].kind == "container" and not any(what in key for key in want)]
    judge.say(f"queues of the reconciler and links of container sync, {fixtures[0].kind}: "
              + variant, problems + compare(want, got, ()))


def without_idle_points(rounds):
    """No row of a container with one policy is misplaced; our sender leaves its point alone."""
    for state in rounds.values():
        for each in state.values():
            if isinstance(each, dict) and len(each.get("policy_stat", ())) == 1:
                each["stat"].pop("reconciler_sync_point", None)
    return rounds


def judge_variant(judge, fixture, variant, want, got):
    want, got = (without_idle_points(copy.deepcopy(rounds)) for rounds in (want, got))
    doors = {r: s.pop("doors") for r, s in got.items()}
    for state in want.values():
        state.pop("doors", None)
    deviates = [one for one in fixture.case.deviates
                if variant in one.variants and fixture.kind in one.kinds]
    problems = compare(want, got, deviates)
    if variant == OURS_TO_OURS and fixture.case.group in (cases.PAIR, FULL, HANDOFF):
        problems += [f"round {r}: not only our server was asked: {door}"
                     for r, door in doors.items() if "ring" in door]
    judge.say(f"{fixture.case.name}, {fixture.kind}: {variant}", problems)


# ---- Rows that arrive while passes run

class Writer(threading.Thread):
    """Puts objects or containers through a stock server until told to stop; remembers each that was
    acknowledged."""

    def __init__(self, cluster, node, fixture, device, label):
        super().__init__(daemon=True)
        self.cluster, self.node, self.fixture, self.device = cluster, node, fixture, device
        self.label, self.done, self.acknowledged, self.trouble = label, threading.Event(), [], []
        self.most = 400

    def headers(self, number):
        stamp = cases.stamp(1000 + number, 1 if self.label == "a" else 2)
        if self.fixture.kind == "container":
            return {"X-Timestamp": stamp, "X-Size": str(number), "X-Etag": f"etag{number}",
                    "X-Content-Type": "text/plain", "X-Backend-Storage-Policy-Index": "0"}
        return {"X-Put-Timestamp": stamp, "X-Delete-Timestamp": "0", "X-Object-Count": str(number),
                "X-Bytes-Used": str(number), "X-Timestamp": stamp,
                "X-Backend-Storage-Policy-Index": "0"}

    def run(self):
        from urllib.parse import quote
        fixture = self.fixture
        base = "/".join(["", self.device, str(fixture.partition), quote(fixture.account)]
                        + ([quote(fixture.container)] if fixture.container else []))
        connection = http.client.HTTPConnection(self.node.ip, self.cluster.fronts[self.node],
                                                timeout=40)
        try:
            for number in range(self.most):
                if self.done.wait(0.005):  # Slow enough to go on for some passes.
                    break
                name = f"live {self.label} {number}"
                connection.request("PUT", f"{base}/{quote(name)}", b"", self.headers(number))
                answer = connection.getresponse()
                answer.read()
                if answer.status in (201, 202):
                    self.acknowledged.append(name)
                else:
                    self.trouble.append(f"PUT of {name}: {answer.status}")
        except (OSError, http.client.HTTPException) as failure:
            self.trouble.append(f"PUT at {self.label}: {failure!r}")
        finally:
            connection.close()


LIVE_PASSES = 2
QUIET_PASSES = 8


def rows_of(path, kind):
    with contextlib.closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as connection:
        rows = connection.execute(
            f"SELECT * FROM {'object' if kind == 'container' else 'container'} ORDER BY name")
        return {row[1]: row[1:] for row in rows}


def judge_live(judge, cluster, fixture):
    """Stock servers on both sides take rows while passes run. Then passes run until both sides are
    the same. Rows of b come to a by b's own passes, as in a cluster."""
    writers = [Writer(cluster, cluster.a, fixture, "sda", "a"),
               Writer(cluster, cluster.b, fixture, "sdb", "b")]
    for writer in writers:
        writer.start()
    most = {"max_diffs": 100}
    for _ in range(LIVE_PASSES):
        cluster.run_pass(**most)
    for writer in writers:
        writer.done.set()
        writer.join(60)
    problems = [trouble for writer in writers for trouble in writer.trouble]
    sides = []
    for _ in range(QUIET_PASSES):
        paths = cluster.databases(fixture.hash)
        sides = [rows_of(path, fixture.kind) for device in ("sda", "sdb") for path in paths[device]]
        pending = [path for device in ("sda", "sdb") for path in paths[device]
                   if os.path.exists(path + ".pending") and os.path.getsize(path + ".pending")]
        if len(sides) == 2 and sides[0] == sides[1] and not pending:
            break
        cluster.run_pass(**most)
        cluster.run_pass(node=cluster.b, **most)
    if len(sides) != 2:
        problems.append(f"{len(sides)} databases instead of 2")
    for side, rows in zip(("a", "b"), sides):
        for writer in writers:
            lost = [name for name in writer.acknowledged if name not in rows]
            if lost:
                problems.append(f"{side} lacks {len(lost)} of {len(writer.acknowledged)} rows "
                                f"acknowledged by {writer.label}: {lost[:3]}")
    if len(sides) == 2 and sides[0] != sides[1]:
        problems.append("the two sides differ")
    if min(len(writer.acknowledged) for writer in writers) < 10:
        problems.append("hardly any row was acknowledged")
    judge.say(f"{fixture.case.name}, {fixture.kind}: {cluster.variant}", problems)


def rows_arrive_during_passes(f):
    f.make("a").rows(0, 300)
    f.make("b").rows(0, 300)


# ---- One configuration

def build_fixtures(root, wanted, kinds, policies):
    fixtures = []
    for one in wanted:
        for kind in kinds:
            # Rows that arrive during passes take long; once for each kind is enough.
            skip = one.verbs == "live" and (kind, policies) == ("container", 1)
            if kind in one.kinds and policies in one.policies and not skip:
                fixture = cases.Fixture(one, kind, root / kind)
                one.make(fixture)
                fixtures.append(fixture)
    return fixtures


def run_rounds(cluster, fixtures, started):
    """Two passes; for each fixture what was said and what is there after each."""
    seen = {fixture: {} for fixture in fixtures}
    for number in range(1, ROUNDS + 1):
        since = len(cluster.exchanges)
        cluster.run_pass()
        for fixture in fixtures:
            seen[fixture][str(number)] = snapshot(cluster, fixture, since, started)
    return seen


def run_variant(rig, number, variant, kind, fixtures, programs, started):
    """Everything about one variant and kind; its processes are gone afterwards."""
    live = [fixture for fixture in fixtures if fixture.case.verbs == "live"]
    cluster = Cluster(rig, number, variant, kind, live, programs)
    try:
        for process in cluster.starting:
            process.wait()
        # Ours cannot be told not to serve REPLICATE.
        seen = run_rounds(cluster, [
            f for f in fixtures if f not in live and
            (cluster.receiver == "stock" or f.case.group != NO_REPLICATE)], started)
        yield seen, beside(cluster, fixtures), cluster, live
    finally:
        for relay in rig.relays:
            relay.close()
        rig.relays.clear()
        rig_module.end(rig.processes)


def run_configuration(policies, kinds, names, programs, verbose):
    swift_conf = SWIFT_CONF + "".join(POLICY.format(i, "no" if i else "yes")
                                      for i in range(policies))
    judge = Judge(verbose)
    wanted = [one for one in ALL_CASES if not names or one.name in names]
    with Rig(swift_conf) as rig:
        print(f"{policies} storage {'policy' if policies == 1 else 'policies'}, "
              + ("in namespaces of its own" if rig_module.is_private() else
                 "on free ports, since namespaces are not allowed here"))
        fixtures = build_fixtures(rig.root / "fixtures", wanted, kinds, policies)
        started = time.time()
        for kind in kinds:
            mine = [fixture for fixture in fixtures if fixture.kind == kind]
            oracle = oracle_left = None
            for number, variant in enumerate(VARIANTS, 1) if mine else ():
                for seen, left, cluster, live in run_variant(rig, number, variant, kind, mine,
                                                             programs, started):
                    oracle, oracle_left = oracle or seen, left if oracle is None else oracle_left
                    judge_beside(judge, mine, variant, oracle_left, left)
                    for fixture in seen:
                        if variant == STOCK_TO_STOCK:
                            judge_oracle(judge, fixture, seen[fixture])
                        else:
                            judge_variant(judge, fixture, variant, oracle[fixture], seen[fixture])
                    for fixture in live:
                        judge_live(judge, cluster, fixture)
                    judge.say(f"no upload is left in tmp, {kind}: {variant}", cluster.left_in_tmp())
    print(f"{policies} storage {'policy' if policies == 1 else 'policies'}: "
          f"{judge.passed} as expected, {len(judge.failed)} not, {time.time() - started:.1f} s")
    return 1 if judge.failed or judge.passed == 0 else 0


ALL_CASES = cases.CASES + [cases.Case(rows_arrive_during_passes, verbs="live")]
CONFIGURATIONS = {1: ("account", "container"), 2: ("container",)}


def main():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--bin", type=pathlib.Path)
    parser.add_argument("--verbose", action="store_true", help="print all that differs")
    parser.add_argument("--seconds", type=float, default=540, help="when to give up")
    parser.add_argument("--policies", type=int, choices=CONFIGURATIONS, help=argparse.SUPPRESS)
    parser.add_argument("names", nargs="*", metavar="NAME")
    arguments = parser.parse_args()
    programs = arguments.bin or pathlib.Path(os.environ.get("REPLICA_BUILD_DIR", ".")) / "example"
    for name in ("account_replicator", "container_replicator"):
        if not (programs / name).exists():
            sys.exit(f"{programs / name} is not there; give its directory with --bin")
    if unknown := set(arguments.names) - {one.name for one in ALL_CASES}:
        sys.exit(f"no such case: {', '.join(sorted(unknown))}; there are\n  "
                 + "\n  ".join(one.name for one in ALL_CASES))
    if arguments.policies:
        rig_module.enter_private()
        try:
            return run_configuration(arguments.policies, CONFIGURATIONS[arguments.policies],
                                     arguments.names, programs.resolve(), arguments.verbose)
        except RigError as error:
            print(f"FAIL  the rig: {error}")
            return 1
    return run_both(arguments)


def run_both(arguments):
    """Each configuration in a process of its own: Swift reads swift.conf when it is loaded."""
    code = 0
    deadline = time.monotonic() + arguments.seconds
    with tempfile.TemporaryDirectory(prefix="replica-matrix-") as scratch:
        started = [subprocess.Popen(
            [sys.executable, __file__, "--policies", str(policies)] + sys.argv[1:],
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL, text=True,
            env={**os.environ, "TMPDIR": scratch}) for policies in CONFIGURATIONS]
        for process in started:
            try:
                out, _ = process.communicate(timeout=max(1.0, deadline - time.monotonic()))
            except subprocess.TimeoutExpired:
                process.terminate()
                with contextlib.suppress(subprocess.TimeoutExpired):
                    process.wait(10)
                process.kill()  # unshare minds no other signal; what it runs goes with it.
                out, _ = process.communicate()
                out += f"no end after {arguments.seconds} s\n"
            print(out, end="")
            code = code or process.returncode
    return 1 if code else 0


if __name__ == "__main__":
    sys.exit(main())
