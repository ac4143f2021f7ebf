"""What is left when the fire is out, compared with what was acknowledged. Reads the files with
Python's SQLite, and shares no code with the daemons."""

import collections
import contextlib
import hashlib
import os
import re
import sqlite3
import time

OWN = ("id", "status_changed_at", "reconciler_sync_point")  # each replica has its own
FIELDS = ("created_at", "size", "content_type", "etag", "deleted")
SETTLED = 120  # seconds
LONG_AGO = 30 * 86400  # seconds: longer than reclaim_age and every other age of the sweep
COUNTS = re.compile(r"tmp/container\.brakes(/.*)?")
PLACE = re.compile(r"containers/\d+/([0-9a-f]{3})/([0-9a-f]{29}\1)/(\2\.db|\.lock)")
LOGGED = re.compile("UNCAUGHT|CRITICAL|terminate called|did not agree with its rows|"
                    "holds pending rows|displaced|\\.kept|Quarantin|AddressSanitizer|runtime error")


class Replica:
    """All that must be equal on the three nodes."""

    def __init__(self, path):
        self.path = path
        with contextlib.closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as file:
            file.row_factory = sqlite3.Row
            self.sound = [row[0] for row in file.execute("PRAGMA integrity_check")] == ["ok"]
            info = dict(file.execute("SELECT * FROM container_info").fetchone())
            self.info = {key: value for key, value in info.items() if key not in OWN}
            self.rows = {}
            self.twice = 0
            for row in file.execute("SELECT * FROM object"):
                columns = dict(row)
                columns.pop("ROWID", None)
                self.twice += columns["name"] in self.rows
                self.rows[columns["name"]] = columns
            self.policies = [tuple(row) for row in file.execute("SELECT * FROM policy_stat")]

    def content(self):
        return self.info, self.rows, self.policies

    def hash(self):
        total = 0
        for row in self.rows.values():
            text = f"{row['name']}-{row['created_at']}".encode()
            total ^= int(hashlib.md5(text).hexdigest(), 16)
        return f"{total:032x}"

    def wrong(self):
        live = [row["size"] for row in self.rows.values() if not row["deleted"]]
        if not self.sound:
            yield f"{self.path}: SQLite finds it damaged"
        if self.twice:
            yield f"{self.path}: {self.twice} names are there twice"
        if self.hash() != self.info["hash"]:
            yield f"{self.path}: its hash is not that of its rows"
        if self.policies != [(0, len(live), sum(live))]:
            yield f"{self.path}: sums {self.policies}, and {len(live)}, {sum(live)} in its rows"


def databases(cluster):
    """Container's hash -> replicas, by their paths."""
    found = collections.defaultdict(list)
    for node in cluster.nodes:
        for device in node.devices():
            for path in sorted(device.glob("containers/*/*/*/*.db")):
                found[path.stem].append(path)
    return found


def differences(cluster):
    """What keeps the cluster from being at rest."""
    for name, paths in sorted(databases(cluster).items()):
        nodes = {path.relative_to(cluster.root).parts[0] for path in paths}
        if len(paths) != 3 or len(nodes) != 3:
            yield f"{name}: lies at {', '.join(map(str, paths))}"
            continue
        try:
            replicas = [Replica(path) for path in paths]
        except (sqlite3.Error, OSError) as error:
            yield f"{name}: {error}"
            continue
        for other in replicas[1:]:
            for part, here, there in zip(("info", "rows", "sums"), replicas[0].content(),
                                         other.content()):
                if here != there:
                    yield f"{replicas[0].path} and {other.path}: other {part}"


def await_rest(cluster, seconds):
    """Until nothing differs in two looks, a few passes apart; what differed in the last look."""
    deadline, before = time.monotonic() + seconds, ["no look yet"]
    while True:
        now = list(differences(cluster))
        if not now and not before or time.monotonic() > deadline:
            return now
        before = now
        time.sleep(3)


def records(cluster):
    """(container, name) -> (versions that were acknowledged, all that were tried)."""
    acknowledged, tried = collections.defaultdict(set), collections.defaultdict(set)
    for path in sorted((cluster.root / "record").iterdir()):
        for line in path.read_text().split("\n")[:-1]:
            what, container, name, *rest = line.split("\t")
            created, size, kind, etag, deleted = rest
            (acknowledged if what == "ack" else tried)[container, name].add(
                (created, int(size), kind, etag, int(deleted)))
    return acknowledged, tried


def lost(cluster):
    """Every row whose last acknowledged version, or a later one that was tried, is not on every
    replica; and every row that nobody has written. Then how many there are of each."""
    acknowledged, tried = records(cluster)
    problems = []
    held = {}
    for paths in databases(cluster).values():
        for path in paths:
            replica = Replica(path)
            held.setdefault(replica.info["container"], []).append(replica)
    for (container, name), versions in acknowledged.items():
        last = max(versions)[0]
        if len(held.get(container, [])) != 3:
            problems.append(f"{container}: {len(held.get(container, []))} replicas")
        for replica in held.get(container, []):
            row = replica.rows.get(name)
            if row is None or row["created_at"] < last:
                problems.append(f"LOST: {replica.path}: {name} of {last}; there is {row}")
    rows = 0
    for container, replicas in held.items():
        for replica in replicas:
            problems += replica.wrong()
            rows += len(replica.rows)
            for name, row in replica.rows.items():
                if tuple(row[field] for field in FIELDS) not in tried[container, name]:
                    problems.append(f"{replica.path}: nobody has written {row}")
    return problems, sum(map(len, acknowledged.values())), len(acknowledged), len(held), rows


def age(cluster):
    """All that lies beside databases seems to have been left a month ago."""
    past = time.time() - LONG_AGO
    for node in cluster.nodes:
        for device in node.devices():
            for folder, folders, files in os.walk(device, topdown=False):
                for name in files + folders:
                    path = os.path.join(folder, name)
                    if not name.endswith((".db", ".lock")) and not os.path.islink(path):
                        os.utime(path, (past, past))


def strays(cluster):
    """What nobody needs, and what was moved aside."""
    for node in cluster.nodes:
        for device in node.devices():
            for path in sorted(device.rglob("*")):
                name = str(path.relative_to(device))
                empty = path.is_dir() and not path.is_symlink()
                if empty and name != "quarantined" and any(path.iterdir()):
                    continue
                if empty and time.time() - path.stat().st_mtime < SETTLED:
                    continue  # a later walk removes it (defect 124)
                known = name in ("tmp", "quarantined", "containers") or (
                    name.startswith("trash/") or  # for a day
                    name.endswith(".db.pending") and not path.stat().st_size)
                if not (known or COUNTS.fullmatch(name) or PLACE.fullmatch(name)):
                    yield f"{path}: left over"


def logged(cluster):
    """Lines that no fire explains."""
    for node in cluster.nodes:
        with open(node.root / "log/daemon.log", encoding="utf-8", errors="replace") as log:
            for line in log:
                if LOGGED.search(line):
                    yield f"{node.ip}: {line.strip()[:300]}"
