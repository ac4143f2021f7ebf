"""Two nodes of a cluster on this machine, each a container daemon with one device and a server of
its own, for tests that look at the daemons from outside."""
import hashlib
import json
import os
import pathlib
import pwd
import re
import socket
import sqlite3
import subprocess
import tempfile
import time
import unittest
import urllib.error
import urllib.request
import uuid

PROGRAMS = pathlib.Path(os.environ["REPLICA_BUILD_DIR"]) / "example"
PATIENCE = 30  # seconds until something counts as not happening
SUFFIX = "changeme"
STAMP = f"{time.time() - 60:.5f}"

HEADERS = pathlib.Path(__file__).resolve().parents[2] / "include" / "replica" / "sqlite"


def schema():
    """What a database of a container begins with: a receiver takes no other."""
    texts = [(HEADERS / name).read_text() for name in ("schema.hpp", "container_schema.hpp")]
    return "".join(re.search(r'R"sql\(\n(.*?)\)sql"', text, re.DOTALL)[1] for text in texts)


def connect(path):
    """As Swift does, whose triggers keep the hash of the rows."""
    connection = sqlite3.connect(path)

    def toggled(digest, name, stamp):
        own = hashlib.md5(f"{name}-{stamp}".encode()).hexdigest()
        return f"{int(digest, 16) ^ int(own, 16):032x}"

    connection.create_function("chexor", 3, toggled)
    return connection


def eventually(condition, patience=PATIENCE):
    """What `condition` returned last: something true, or too much time has passed."""
    end = time.monotonic() + patience
    while not (result := condition()) and time.monotonic() < end:
        time.sleep(0.05)
    return result


class Pair:
    """Use as a context. Nodes are 0 and 1, and their devices sda and sdb."""

    def __enter__(self):
        self.folder = tempfile.TemporaryDirectory()
        self.root = pathlib.Path(self.folder.name)
        self.reserved = []
        self.daemons = [None, None]
        (self.root / "swift.conf").write_text(f"[swift-hash]\nswift_hash_path_suffix = {SUFFIX}\n")
        # One port at two addresses: a daemon asks its peers at its own replica_port. The sockets
        # keep it while nobody listens there.
        self.ips = ["127.0.0.1", "127.0.0.2"]
        self.port = 0
        for ip in self.ips:
            reserved = socket.socket()
            reserved.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            reserved.bind((ip, self.port))
            self.port = reserved.getsockname()[1]
            self.reserved.append(reserved)
        self.devices = ["sda", "sdb"]
        self.ring = self.root / "ring.json"
        self.ring.write_text(json.dumps({
            "part_power": 2, "replicas": 2,
            "devices": [{"id": node, "ip": self.ips[node], "port": self.port,
                         "device": self.devices[node]} for node in range(2)]}))
        for node in range(2):
            (self.root / f"srv{node}" / self.devices[node]).mkdir(parents=True)
            (self.root / f"recon{node}").mkdir()
            self.configure(node)
        return self

    def __exit__(self, *_):
        for node in range(2):
            self.stop(node)
        for reserved in self.reserved:
            reserved.close()
        self.folder.cleanup()

    def config(self, node):
        return self.root / f"container{node}.conf"

    def configure(self, node, **changed):
        options = {
            "devices": self.root / f"srv{node}", "mount_check": "false", "bind_ip": self.ips[node],
            "bind_port": self.port, "replica_port": self.port,
            "swift_dir": self.root, "ring": self.ring,
            "recon_cache_path": self.root / f"recon{node}", "interval": "0.5",
            "push_changes": "no", "peer_hold": "0", "databases_per_second": "0",
            "log_address": self.root / "log", "user": pwd.getpwuid(os.getuid()).pw_name, **changed}
        lines = [f"{key} = {value}" for key, value in options.items()]
        self.config(node).write_text("\n".join(["[container-replicator]", *lines, ""]))

    def start(self, node):
        """Returns once the node answers."""
        self.daemons[node] = subprocess.Popen(
            [PROGRAMS / "container_replicator", self.config(node)], stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
        if not eventually(lambda: self.get(node, "/healthcheck")):
            self.daemons[node].kill()
            raise AssertionError(f"node {node} does not answer: {self.daemons[node].stderr.read()}")

    def stop(self, node):
        daemon, self.daemons[node] = self.daemons[node], None
        if daemon:
            daemon.terminate()
            try:
                daemon.wait(PATIENCE)
            finally:
                daemon.kill()
                daemon.stderr.close()

    def address(self, node):
        return f"{self.ips[node]}:{self.port}"

    def peer(self, node):
        """The name of a node's device among peers."""
        return f"{self.address(node)}/{self.devices[node]}"

    def get(self, node, page, with_type=False):
        """The text of a page; nothing if the node does not answer."""
        try:
            with urllib.request.urlopen(f"http://{self.address(node)}{page}",
                                        timeout=PATIENCE) as reply:
                text = reply.read().decode()
                return (text, reply.headers["Content-Type"]) if with_type else text
        except (urllib.error.URLError, ConnectionError):
            return None

    def database(self, node, name):
        """The path of a container's database."""
        digest = hashlib.md5(f"/a/{name}{SUFFIX}".encode()).hexdigest()
        partition = int(digest[:8], 16) >> 30
        device = self.root / f"srv{node}" / self.devices[node]
        return (device / "containers" / str(partition) / digest[-3:] / digest / f"{digest}.db")

    def create(self, node, name, rows=1):
        path = self.database(node, name)
        path.parent.mkdir(parents=True)
        connection = connect(path)
        with connection:
            connection.executescript(schema())
            connection.execute(
                "INSERT INTO container_info (account, container, created_at, put_timestamp, id,"
                " status_changed_at) VALUES ('a', ?, ?, ?, ?, ?)",
                (name, STAMP, STAMP, str(uuid.uuid4()), STAMP))
            connection.execute("INSERT INTO policy_stat (storage_policy_index) VALUES (0)")
        connection.close()
        self.put(node, name, *(f"row {i}" for i in range(rows)))
        return path

    def put(self, node, name, *rows):
        """Rows of one byte each."""
        connection = connect(self.database(node, name))
        with connection:
            connection.executemany(
                "INSERT INTO object (name, created_at, size, content_type, etag) VALUES"
                " (?, ?, 1, 'a/b', 'e')", ((row, STAMP) for row in rows))
        connection.close()

    def names(self, node, name):
        path = self.database(node, name)
        if not path.exists():
            return None
        connection = sqlite3.connect(f"file:{path}?mode=ro", uri=True)
        try:
            return {row for (row,) in connection.execute("SELECT name FROM object")}
        finally:
            connection.close()


# Exit codes of the tool `replica`.
FINE, CANNOT, USAGE, TROUBLE, SILENT = range(5)


class ToolTest(unittest.TestCase):
    """A test of the tool on a pair of its own."""

    def setUp(self):
        self.pair = self.enterContext(Pair())

    def run_tool(self, *arguments, code=FINE):
        """What it prints; what it complains of, if it has not even begun."""
        result = subprocess.run([PROGRAMS / "replica_tool", *map(str, arguments)],
                                capture_output=True, text=True, timeout=PATIENCE, check=False,
                                stdin=subprocess.DEVNULL)
        self.assertEqual(result.returncode, code, result.stdout + result.stderr)
        return result.stdout if code != CANNOT and code != USAGE else result.stderr
