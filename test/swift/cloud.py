"""A whole Swift cluster on loopback: four nodes with two devices each, a proxy, and a client that
remembers all that was acknowledged to it.

Everything is stock Swift, with configuration files as Swift documents them, but for the account and
container replicators: on each node they are Swift's or ours, and both read the same files. Used by
cluster.py and by example/quickstart/with_swift.py.
"""

import collections
import configparser
import contextlib
import json
import pathlib
import shutil
import socket
import sqlite3

import rig as rig_module
from rig import KINDS, Rig, RigError, ring_device, write_ring

POLICIES = ("gold", "silver")
SWIFT_CONF = "[swift-hash]\nswift_hash_path_suffix = cloud\n" + "".join(
    f"[storage-policy:{index}]\nname = {name}\ndefault = {'no' if index else 'yes'}\n"
    for index, name in enumerate(POLICIES))
PORTS = {"object": 6200, "container": 6201, "account": 6202, "rsync": 873, "proxy": 8080,
         "memcached": 11211, "our_container": 6301, "our_account": 6302}
DEVICES = ("sda", "sdb")
STOCK, OURS = "stock", "ours"

# A loaded machine must not look like a dead one: what is down refuses a connection at once.
PATIENT = {"conn_timeout": 20, "node_timeout": 60}
# No node is left out for errors it had while it was down.
PROXY = {**PATIENT, "recoverable_node_timeout": 60, "error_suppression_limit": 1000000,
         "account_autocreate": "true", "allow_account_management": "true"}
# Our databases are small: so some of them take the ways of large ones.
PASSES = {"per_diff": 10, "databases_per_second": 0, "interval": 3, **PATIENT}


class Node(rig_module.Node):
    """One machine of the cluster. `whose` says whose account and container replicators it has."""

    def __init__(self, cloud, number, programs):
        super().__init__(cloud.rig, cloud.rig.root / f"node{number}", cloud.ip(number), DEVICES,
                         cloud.rig.etc, cloud.ports["rsync"], programs)
        self.cloud, self.name, self.whose = cloud, f"node{number}", STOCK
        self.servers, self.replicators = [], []
        self.conf = {kind: self.server_conf(kind) for kind in ("object", *KINDS)}

    def server_conf(self, kind):
        """All of a kind's daemons, in one file."""
        recon = {"recon_cache_path": self.root / "cache"}
        module = {"rsync_module": f"rsync://{{replication_ip}}:{self.rsync_port}/{kind}"}
        internal = {"internal_client_conf_path": self.cloud.internal_client}
        per_kind = {
            "object": {"object-updater": {**PATIENT, **recon}},
            "account": {
                "account-replicator": {**PASSES, **recon, **module, **self.door("account")}},
            "container": {
                "container-replicator": {**PASSES, **recon, **module, **self.door("container")},
                "container-updater": {**PATIENT, **recon, "account_suppression_time": 0},
                "container-sharder": {**PASSES, **recon, **module, **internal,
                                      "cleave_batch_size": 10, "shard_container_threshold": 50},
            }}
        return self.write_conf(
            f"{kind}-server.conf", DEFAULT=self.defaults(self.cloud.ports[kind]),
            **{"pipeline:main": {"pipeline": f"healthcheck recon {kind}-server"},
               "filter:healthcheck": {"use": "egg:swift#healthcheck"},
               "filter:recon": {"use": "egg:swift#recon", **recon},
               f"app:{kind}-server": {"use": f"egg:swift#{kind}", **PATIENT,
                                      "container_update_timeout": 20}},
            **per_kind[kind])

    def door(self, kind):
        """Where our daemon answers REPLICATE beside Swift's server; which minds no such option."""
        return {"replica_port": self.cloud.ports[f"our_{kind}"]} if self.cloud.doors else {}

    def start(self):
        """The servers and rsync; the caller waits for what this gives."""
        starting = [self.start_rsync()]
        for kind in ("object", *KINDS):
            starting.append(self.rig.start(
                self.rig.stock(f"swift-{kind}-server") + [str(self.conf[kind]), "-v"],
                self.root / "log" / f"{kind}-server", [(self.ip, self.cloud.ports[kind])]))
        self.servers += [each.process for each in starting]
        return starting

    def stop(self):
        self.stop_replicators()
        self.rig.end(self.servers)

    @property
    def is_up(self):
        return bool(self.servers)

    def wipe(self, device):
        """As if the disk had been replaced by an empty one."""
        shutil.rmtree(self.srv / device)
        (self.srv / device).mkdir()

    def replicator(self, kind):
        return (self.rig.stock(f"swift-{kind}-replicator") if self.whose == STOCK
                else [str(self.programs / f"{kind}_replicator")]) + [str(self.conf[kind]), "-v"]

    def start_replicators(self):
        """As daemons, which make passes of their own."""
        starting = [self.rig.start(self.replicator(kind), self.log(f"{self.whose}-{kind}"),
                                   [(self.ip, self.cloud.ports[f"our_{kind}"])]
                                   if self.whose == OURS and self.cloud.doors else [])
                    for kind in KINDS]
        self.replicators += [each.process for each in starting]
        return starting

    def stop_replicators(self):
        self.rig.end(self.replicators)

    def passes(self, kind):
        """When the last pass ended and what it counted, or nothing."""
        with contextlib.suppress(OSError, ValueError):
            told = json.loads((self.root / "cache" / f"{kind}.recon").read_text())
            return told["replication_last"], told["replication_stats"]
        return 0, {}

    def log(self, name):
        return self.root / "log" / name

    def run_passes(self, kinds):
        """One pass of the replicators of these kinds; gives what they counted."""
        recon = {kind: self.root / "cache" / f"{kind}.recon" for kind in kinds}
        for file in recon.values():
            file.unlink(missing_ok=True)
        self.rig.finish([self.rig.start(self.replicator(kind) + ["--once"],
                                        self.log(f"{self.whose}-{kind}-replicator"))
                         for kind in kinds])
        return {kind: json.loads(file.read_text())["replication_stats"]
                for kind, file in recon.items()}

    def once(self, program, kind):
        """Starts one pass of another daemon of Swift's."""
        return self.rig.start(self.rig.stock(f"swift-{program}")
                              + [str(self.conf[kind]), "--once", "-v"], self.log(program))


class Cloud:
    def __init__(self, rig, programs, ours=(), doors=False):
        """`ours`: numbers of the nodes, 1 to 4, whose replicators are ours. `doors`: our daemons
        answer REPLICATE, each at a port of its own."""
        from swift.common.ring import Ring
        self.rig, self.doors = rig, doors
        numbers = range(1, 5)
        self.ips = {number: f"127.0.1.{number}" for number in numbers}
        self.ports = PORTS if rig_module.is_private() else {
            name: rig.free_port("127.0.0.1", *self.ips.values()) for name in PORTS}
        self.internal_client = self.write_client_conf("internal-client.conf")
        self.reconciler = self.write_client_conf("container-reconciler.conf", **{
            "container-reconciler": {"interval": 1}})
        self.proxy = self.write_client_conf("proxy-server.conf")
        self.nodes = [Node(self, number, programs) for number in numbers]
        for number in ours:
            self.nodes[number - 1].whose = OURS
        for name in ("object", "object-1", *KINDS):
            places = [(node, device) for node in self.nodes for device in DEVICES]
            write_ring(rig.etc, name, [
                ring_device(id_, node.ip, self.ports[name.split("-")[0]], device)
                for id_, (node, device) in enumerate(places)])
        self.rings = {kind: Ring(str(rig.etc), ring_name=kind) for kind in KINDS}
        self.by_ip = {node.ip: node for node in self.nodes}

    def ip(self, number):
        return self.ips[number]

    def url(self, account):
        return f"http://127.0.0.1:{self.ports['proxy']}/v1/{account}"

    def write_client_conf(self, name, **sections):
        """Of the proxy and of what contains one."""
        conf = configparser.RawConfigParser()
        conf.read_dict({
            "DEFAULT": {"bind_ip": "127.0.0.1", "bind_port": self.ports["proxy"], "workers": 0,
                        "swift_dir": self.rig.etc, "user": self.rig.user, "log_level": "DEBUG",
                        "log_address": self.rig.root / "no-syslog"},
            "pipeline:main": {"pipeline": "catch_errors proxy-logging cache proxy-server"},
            "app:proxy-server": {"use": "egg:swift#proxy", **PROXY},
            "filter:cache": {"use": "egg:swift#memcache",
                             "memcache_servers": f"127.0.0.1:{self.ports['memcached']}"},
            "filter:proxy-logging": {"use": "egg:swift#proxy_logging"},
            "filter:catch_errors": {"use": "egg:swift#catch_errors"}, **sections})
        path = self.rig.etc / name
        with open(path, "w", encoding="utf-8") as out:
            conf.write(out)
        return path

    def start(self):
        port = self.ports["memcached"]
        log = self.rig.root / "proxy"
        starting = [
            self.rig.start(["memcached", "-l", "127.0.0.1", "-p", str(port), "-m", "16", "-t", "1",
                            "-u", self.rig.user], log, [("127.0.0.1", port)]),
            self.rig.start(self.rig.stock("swift-proxy-server") + [str(self.proxy), "-v"], log,
                           [("127.0.0.1", self.ports["proxy"])])]
        for node in self.nodes:
            starting += node.start()
        for each in starting:
            each.wait()

    def forget(self):
        """Empties the cache of the proxy, as time would."""
        with socket.create_connection(("127.0.0.1", self.ports["memcached"]), 10) as connection:
            connection.sendall(b"flush_all\r\n")
            if connection.recv(100) != b"OK\r\n":
                raise RigError("memcached did not forget")

    @contextlib.contextmanager
    def without(self, *numbers):
        """These nodes are down meanwhile."""
        nodes = [self.nodes[number - 1] for number in numbers]
        for node in nodes:
            node.stop()
        yield nodes
        for each in [each for node in nodes for each in node.start()]:
            each.wait()

    # ---- What runs

    def everywhere(self, program, kind):
        """One pass of a daemon of Swift's on all nodes at once."""
        self.rig.finish([node.once(program, kind) for node in self.nodes if node.is_up])

    def replicate(self, kinds=KINDS):
        """A pass of the replicators of each node, one node after the other; what they counted."""
        counted = {}
        for node in self.nodes:
            if node.is_up:
                counted.update(((node.name, kind), stats)
                               for kind, stats in node.run_passes(kinds).items())
        return counted

    def update(self):
        """Rows that object servers could not deliver."""
        while any(self.updates()):
            before = sum(1 for _ in self.updates())
            self.everywhere("object-updater", "object")
            if sum(1 for _ in self.updates()) >= before:
                raise RigError("the object updaters deliver nothing")

    def updates(self):
        return (path for node in self.nodes for path in node.srv.glob("*/async_pending*/*/*")
                if path.is_file())

    def settle(self):
        """Passes until no copy differs from another and none is where it does not belong; gives
        what does in the end. Accounts come after what containers report to them."""
        self.update()
        self.settle_kind("container")
        self.everywhere("container-updater", "container")
        self.settle_kind("account")
        return self.differences()

    def settle_kind(self, kind, most=6):
        for _ in range(most):
            self.replicate((kind,))
            if not self.differences((kind,)):
                break

    # ---- What is there

    def databases(self, kind):
        """{hash: {(node, device): [path]}} of all that is on the disks."""
        found = {}
        for node in self.nodes:
            for path in sorted(node.srv.glob(f"*/{kind}s/*/*/*/*.db")):
                device = path.relative_to(node.srv).parts[0]
                copies = found.setdefault(path.parent.name, {})
                copies.setdefault((node, device), []).append(path)
        return found

    def hash(self, account, container=None):
        from swift.common.utils import hash_path
        return hash_path(account, container)

    def partition(self, kind, digest):
        return int(digest[:8], 16) >> self.rings[kind]._part_shift

    def primaries(self, kind, digest):
        """{(node, device)}"""
        return {(self.by_ip[each["ip"]], each["device"]) for each in
                self.rings[kind].get_part_nodes(self.partition(kind, digest))}

    def copies(self, kind, account, container=None):
        """The newest database file of each primary that has one."""
        digest = self.hash(account, container)
        found = []
        for node, device in sorted(self.primaries(kind, digest), key=lambda place: place[0].name):
            files = sorted((node.srv / device / f"{kind}s" / str(self.partition(kind, digest))
                            / digest[-3:] / digest).glob("*.db"))
            found += files[-1:]
        return found

    def differences(self, kinds=KINDS):
        """Of the copies of each database, and what is not where it belongs."""
        problems = [f"not delivered: {path}" for path in self.updates()]
        for kind in kinds:
            for digest, held in self.databases(kind).items():
                problems += self.differences_of(kind, digest, held)
        return problems

    def differences_of(self, kind, digest, held):
        states = {place: [read(path) for path in paths] for place, paths in held.items()}
        stat = next(iter(states.values()))[0]["stat"]
        name = "/".join(stat[key] for key in KINDS if key in stat)
        primaries = self.primaries(kind, digest)
        label = {place: f"{kind} {name} on {place[0].name}/{place[1]}"
                 for place in primaries | set(held)}
        problems = [f"{label[place]}: missing" for place in primaries - set(held)]
        problems += [f"{label[place]}: is a handoff" for place in set(held) - primaries]
        problems += [f"{path}: not empty" for paths in held.values() for path in paths
                     if pending(path)]
        first, *others = [place for place in primaries if place in held] or [None]
        for place in others:
            problems += [f"{label[place]} differs from that on {first[0].name}/{first[1]}: {each}"
                         for each in unlike(states[first], states[place])]
        return problems


# Of each copy for itself: its name, and what it has reported to whom. Not a deviation.
OWN = {"id", "x_container_sync_point1", "x_container_sync_point2", "reconciler_sync_point",
       "status_changed_at", "reported_put_timestamp", "reported_delete_timestamp",
       "reported_object_count", "reported_bytes_used", "ROWID"}


def read(path):
    """All that a database says, but for what is its own."""
    with contextlib.closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as connection:
        connection.row_factory = sqlite3.Row
        tables = [name for name, in connection.execute(
            "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%'"
            " AND name NOT LIKE '%_sync'")]
        out = {}
        for table in tables:
            rows = [{key: row[key] for key in row.keys() if key not in OWN}
                    for row in connection.execute(f"SELECT * FROM {table}")]
            if table in ("container_info", "account_stat"):
                out["stat"], = rows
                out["stat"]["metadata"] = json.loads(out["stat"]["metadata"] or "{}")
                if table == "container_info":
                    del out["stat"]["status"]  # Kept where the request came; times say it.
            else:
                # A policy without objects is listed only where it once had some.
                out[table] = sorted((row for row in rows if table != "policy_stat" or any(
                    row[key] for key in row if key != "storage_policy_index")), key=repr)
        return out


def pending(path):
    file = pathlib.Path(f"{path}.pending")
    return file.exists() and file.stat().st_size > 0


def unlike(left, right):
    """What differs between two copies, a few words for each."""
    if len(left) != len(right):
        return [f"{len(right)} files instead of {len(left)}"]
    found = []
    for one, other in zip(left, right):
        for table in sorted(set(one) | set(other)):
            a, b = one.get(table, []), other.get(table, [])
            if a == b:
                continue
            if isinstance(a, dict):
                found += [f"{key} {b.get(key)!r} instead of {a.get(key)!r}"
                          for key in sorted(set(a) | set(b)) if a.get(key) != b.get(key)]
            else:
                lacks, has = [r for r in a if r not in b], [r for r in b if r not in a]
                found.append(f"{table}: lacks {len(lacks)}, e.g. {lacks[:1]}, has {len(has)}, "
                             f"e.g. {has[:1]}")
    return found


# ---- The client

class Ledger:
    """Writes through the proxy, and what must be there because they were acknowledged.

    `containers`: {(account, name): Container}; `accounts`: {name: metadata}. A write that fails
    raises ClientException; then it is not known what is there, which forget() notes.
    """

    def __init__(self, cloud):
        self.cloud, self.containers, self.accounts = cloud, {}, {}
        self.writes = collections.Counter()
        self.connections = {}

    @property
    def acknowledged(self):
        return self.writes.total()

    def swift(self, account):
        import swiftclient
        if account not in self.connections:
            self.connections[account] = swiftclient.Connection(
                preauthurl=self.cloud.url(account), preauthtoken="none", retries=0, timeout=120)
        return self.connections[account]

    def forget(self, account, container, name):
        """Its last write failed."""
        self.writes.pop((account, container, name), None)
        self.containers[account, container].objects.pop(name, None)
        self.containers[account, container].unknown.add(name)

    def post_account(self, account, **meta):
        self.swift(account).post_account(headers("Account", meta))
        self.accounts.setdefault(account, {}).update(meta)
        self.writes[account] += 1

    def put_container(self, account, name, policy=None, **meta):
        policies = {"X-Storage-Policy": POLICIES[policy]} if policy is not None else {}
        self.swift(account).put_container(name, {**headers("Container", meta), **policies})
        self.accounts.setdefault(account, {})
        self.containers.setdefault((account, name), Container()).meta.update(meta)
        self.writes[account, name] += 1

    def post_container(self, account, name, **meta):
        self.swift(account).post_container(name, headers("Container", meta))
        self.containers[account, name].meta.update(meta)
        self.writes[account, name] += 1

    def delete_container(self, account, name):
        self.swift(account).delete_container(name)
        del self.containers[account, name]
        self.writes[account, name] += 1

    def put_object(self, account, container, name, text="", content_type="text/plain"):
        etag = self.swift(account).put_object(container, name, text, content_type=content_type)
        self.containers[account, container].objects[name] = (etag, len(text), content_type)
        self.writes[account, container, name] += 1

    def post_object(self, account, container, name, content_type):
        self.swift(account).post_object(container, name, {"Content-Type": content_type})
        etag, size, _ = self.containers[account, container].objects[name]
        self.containers[account, container].objects[name] = (etag, size, content_type)
        self.writes[account, container, name] += 1

    def delete_object(self, account, container, name):
        self.swift(account).delete_object(container, name)
        del self.containers[account, container].objects[name]
        self.writes[account, container, name] += 1

    # ---- What is missing

    def names(self, account):
        return {name for owner, name in self.containers if owner == account}

    def wrong(self, sharded=()):
        """What is not as acknowledged, for each replica: what was written, what is wrong."""
        for account, meta in self.accounts.items():
            for path, state in self.replicas("account", account):
                listed = {row["name"] for row in state["container"] if not row["deleted"]}
                for name in listed ^ self.names(account):
                    yield (account, name), f"{path} {'has' if name in listed else 'lacks'} {name}"
                if metadata_of(state, "Account") != metadata("Account", meta):
                    yield account, f"{path} has metadata {metadata_of(state, 'Account')}"
        for key, container in self.containers.items():
            for path, state in self.replicas("container", *key):
                if metadata_of(state, "Container") != metadata("Container", container.meta):
                    yield key, f"{path} has metadata {metadata_of(state, 'Container')}"
                if key not in sharded:
                    for name, text in container.wrong(rows_of(state)):
                        yield (*key, name), f"{path}: {text}"

    def replicas(self, kind, *names):
        """The path and content of each of three. One that is missing is empty."""
        paths = self.cloud.copies(kind, *names)
        for path in paths:
            yield path, read(path)
        for number in range(len(paths), 3):
            yield f"{'/'.join(names)}, replica {number + 1}", {
                "stat": {"metadata": {}}, "container": [], "object": []}

    def problems(self, sharded=()):
        return [text for _, text in self.wrong(sharded)]

    def lost(self, wrong):
        """How many of the acknowledged writes are among what wrong() gave."""
        return sum(self.writes[key] for key in {key for key, _ in wrong})

    def unlisted(self):
        """As a client sees it: what the listings of the proxy lack or have beyond."""
        found = []
        for account in self.accounts:
            _, listing = self.swift(account).get_account(full_listing=True)
            found += compared(f"the listing of {account}", self.names(account),
                              {each["name"] for each in listing})
        for (account, name), container in self.containers.items():
            _, listing = self.swift(account).get_container(name, full_listing=True)
            found += [f"the listing of {account}/{name}: {text}" for _, text in container.wrong({
                each["name"]: (each["hash"], each["bytes"], each["content_type"])
                for each in listing})]
        return found


class Container:
    """What one holds. `unknown`: names of objects of which it is not known what is there."""

    def __init__(self):
        self.meta, self.objects, self.unknown = {}, {}, set()

    def wrong(self, rows):
        for name in sorted({*rows, *self.objects} - self.unknown):
            if rows.get(name) != self.objects.get(name):
                yield name, f"{name} is {rows.get(name)}, acknowledged {self.objects.get(name)}"


def headers(kind, meta):
    return {f"X-{kind}-Meta-{name}": value for name, value in meta.items()}


def metadata(kind, meta):
    return {f"X-{kind}-Meta-{name}".title(): value for name, value in meta.items() if value}


def metadata_of(state, kind):
    return {name: value for name, (value, _) in state["stat"]["metadata"].items()
            if value and name.startswith(f"X-{kind}-Meta-")}


def rows_of(state):
    """Listed rows of a container: {name: (etag, size, content type)}"""
    return {row["name"]: (row["etag"], row["size"], row["content_type"])
            for row in state["object"] if not row["deleted"]}


def compared(where, want, got):
    """What `where` lacks of one set and has beyond it."""
    return ([f"{where} lacks {each}" for each in sorted(want - got)]
            + [f"{where} has {each}" for each in sorted(got - want)])
