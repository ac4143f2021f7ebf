#!/usr/bin/env python3
"""How the container daemon begins and ends, seen from outside: what it refuses to start with and
what it says then, what it leaves alone, and what is left when it is told to go.

Usage: ends.py [UNITTEST ARGUMENTS]    with REPLICA_BUILD_DIR in the environment
"""
import hashlib
import http.server
import json
import os
import pathlib
import pwd
import re
import signal
import socket
import socketserver
import sqlite3
import subprocess
import tempfile
import threading
import time
import unittest

PROGRAM = pathlib.Path(os.environ["REPLICA_BUILD_DIR"]) / "example" / "container_replicator"
PATIENCE = 30  # seconds until something counts as not happening

TABLES = """
CREATE TABLE object (ROWID INTEGER PRIMARY KEY AUTOINCREMENT, name, created_at, size, content_type,
    etag, deleted, storage_policy_index);
CREATE TABLE policy_stat (storage_policy_index PRIMARY KEY, object_count, bytes_used);
CREATE TABLE container_info (account, container, created_at, put_timestamp, delete_timestamp,
    reported_put_timestamp, reported_delete_timestamp, reported_object_count, reported_bytes_used,
    hash, id, status, status_changed_at, metadata, x_container_sync_point1,
    x_container_sync_point2, reconciler_sync_point, storage_policy_index);
CREATE TABLE incoming_sync (remote_id UNIQUE, sync_point, updated_at);
CREATE TABLE outgoing_sync (remote_id UNIQUE, sync_point, updated_at);
"""
STAMP = "1700000000.00000"


def free_port():
    """A port that refuses connections for as long as the socket lives."""
    reserved = socket.socket()
    reserved.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    reserved.bind(("127.0.0.1", 0))
    return reserved


def tree(root):
    """Every path below `root` with its bytes and the time of its last change."""
    found = {}
    for path in sorted(root.rglob("*")):
        content = hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() else ""
        found[str(path)] = (content, path.stat().st_mtime_ns)
    return found


def eventually(condition):
    end = time.monotonic() + PATIENCE
    while not condition():
        if time.monotonic() > end:
            return False
        os.sched_yield()
    return True


def running(pid):
    try:
        return pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except OSError:
        return False


def descendants(pid):
    found = []
    for task in pathlib.Path(f"/proc/{pid}/task").iterdir():
        for child in map(int, (task / "children").read_text().split()):
            found += [child, *descendants(child)]
    return found


class NoDatabase(http.server.BaseHTTPRequestHandler):
    """A peer that lacks every database: the whole file is sent to it."""

    protocol_version = "HTTP/1.1"

    def do_REPLICATE(self):
        self.rfile.read(int(self.headers["Content-Length"]))
        self.send_response(404)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *arguments):
        pass


class HeldRsync(socketserver.ThreadingTCPServer):
    """A real rsync daemon behind a wire that goes dead after 64 KiB."""

    daemon_threads = True

    def __init__(self, folder):
        super().__init__(("127.0.0.1", 0), None)
        self.config = folder / "rsyncd.conf"
        self.config.write_text(
            f"use chroot = no\nlog file = {folder}/rsyncd.log\nuid = {os.getuid()}\n"
            f"gid = {os.getgid()}\n[container]\npath = {folder}\nread only = no\n")
        self.held = threading.Event()
        self.cut = threading.Event()
        self.over = threading.Event()

    def shutdown(self):
        self.cut.set()
        super().shutdown()

    def finish_request(self, request, client_address):
        ours, theirs = socket.socketpair()
        with ours, subprocess.Popen(["rsync", "--daemon", f"--config={self.config}"],
                                    stdin=theirs, stdout=theirs) as rsync:
            theirs.close()
            back = threading.Thread(target=self.pump, args=(ours, request))
            back.start()
            self.pump(request, ours, 65536)
            self.held.set()
            self.cut.wait()
            ours.shutdown(socket.SHUT_RDWR)
            back.join()
            rsync.wait(PATIENCE)
        self.over.set()

    @staticmethod
    def pump(source, target, most=float("inf")):
        try:
            while most > 0 and (data := source.recv(4096)):
                target.sendall(data)
                most -= len(data)
        except OSError:
            pass  # the other side has gone


class Ends(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.root = pathlib.Path(folder.name)
        self.here = self.reserve()
        self.there = self.reserve()
        self.device = self.root / "srv" / "sda"
        self.device.mkdir(parents=True)
        (self.root / "recon").mkdir()
        (self.root / "swift.conf").write_text("[swift-hash]\nswift_hash_path_suffix = changeme\n")
        self.config = self.root / "container.conf"
        self.ring = self.root / "ring.json"
        self.write_ring()
        self.write_config()

    def reserve(self):
        reserved = free_port()
        self.addCleanup(reserved.close)
        return reserved.getsockname()[1]

    def write_ring(self, devices=(), meta=""):
        devices = [(0, "sda", self.here), (1, "sdb", self.there), *devices]
        self.ring.write_text(json.dumps({
            "part_power": 2, "replicas": len(devices),
            "devices": [{"id": id, "region": 1, "zone": 1, "ip": "127.0.0.1", "port": port,
                         "device": name, "weight": 100, "meta": meta}
                        for id, name, port in devices]}))

    def write_config(self, section="container-replicator", **changed):
        options = {
            "devices": self.root / "srv", "mount_check": "false", "bind_ip": "127.0.0.1",
            "bind_port": self.here, "swift_dir": self.root, "ring": self.ring,
            "recon_cache_path": self.root / "recon", "interval": "0.1",
            "log_address": self.root / "log",
            "node_timeout": 2 * PATIENCE,  # no rsync ends by itself
            "rsync_module": "rsync://127.0.0.1:{meta}/container",
            "user": pwd.getpwuid(os.getuid()).pw_name, **changed}
        lines = [f"{key} = {value}" for key, value in options.items() if value is not None]
        self.config.write_text("\n".join([f"[{section}]", *lines, ""]))

    def database(self, rows=1):
        """A container on the local device, of about 100 bytes a row."""
        digest = hashlib.md5(b"/a/c" + b"changeme").hexdigest()
        partition = int(digest[:8], 16) >> 30
        path = self.device / "containers" / str(partition) / digest[-3:] / digest / f"{digest}.db"
        path.parent.mkdir(parents=True)
        with sqlite3.connect(path) as database:
            database.executescript(TABLES)
            database.execute("INSERT INTO policy_stat VALUES (0, ?, ?)", (rows, rows))
            database.execute(
                "INSERT INTO container_info VALUES ('a', 'c', ?, ?, '0', '0', '0', 0, 0, ?, 'id',"
                " '', ?, '', -1, -1, -1, 0)", (STAMP, STAMP, "0" * 32, STAMP))
            database.executemany(
                "INSERT INTO object (name, created_at, size, content_type, etag, deleted,"
                " storage_policy_index) VALUES (?, ?, 1, 'a/b', 'e', 0, 0)",
                ((hashlib.sha256(str(i).encode()).hexdigest(), STAMP) for i in range(rows)))
        database.close()
        return path

    def run_program(self, *arguments):
        return subprocess.run([PROGRAM, *arguments], capture_output=True, text=True,
                              timeout=PATIENCE, stdin=subprocess.DEVNULL)

    def refused(self, *named):
        """A pass with the configuration as it is fails, and says why."""
        before = tree(self.root / "srv")
        result = self.run_program(self.config, "--once")
        self.assertEqual(result.returncode, 1, result.stderr)
        for each in named:
            self.assertIn(str(each), result.stderr)
        self.assertEqual(tree(self.root / "srv"), before)

    def begin(self, *arguments, environment=None):
        daemon = subprocess.Popen([PROGRAM, self.config, *arguments], stdin=subprocess.DEVNULL,
                                  stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
                                  env={**os.environ, **(environment or {})})

        def end():
            if daemon.poll() is None:
                daemon.kill()
            daemon.wait()

        self.addCleanup(end)
        return daemon

    def recon(self):
        return json.loads((self.root / "recon" / "container.recon").read_text())

    # ---- What it refuses to start with.

    def test_help_lists_options_with_their_defaults(self):
        result = self.run_program("--help")
        self.assertEqual(result.returncode, 0)
        self.assertRegex(result.stdout, r"--once\b")
        self.assertRegex(result.stdout, r"\n  per_diff = 1000 ")
        self.assertRegex(result.stdout, r"\n\+ ring = ")

    def test_an_unknown_option_is_an_error_of_usage(self):
        result = self.run_program(self.config, "--onec")
        self.assertEqual(result.returncode, 2)
        self.assertIn("--onec", result.stderr)

    def test_a_config_file_that_is_not_there_is_named(self):
        self.config.unlink()
        self.refused(self.config)

    def test_a_config_file_without_the_section_is_named_with_the_section(self):
        self.write_config(section="account-replicator")
        self.refused(self.config, "container-replicator")

    def test_a_bad_value_is_named_with_file_and_key(self):
        for key, value in {"per_diff": "0", "concurrency": "many", "interval": "-1",
                           "rsync_module": "{nothing}::container"}.items():
            with self.subTest(key):
                self.write_config(**{key: value})
                self.refused(key, value, *[self.config] * (key != "rsync_module"))

    def test_a_swift_conf_that_is_not_there_is_named(self):
        (self.root / "swift.conf").unlink()
        self.refused(self.root / "swift.conf")

    def test_a_config_without_a_ring_says_what_is_missing(self):
        self.write_config(ring=None)
        self.refused("ring")

    def test_a_ring_that_is_not_there_or_broken_is_named(self):
        good = self.ring.read_text()
        for name, text in {"none": None, "empty": "", "cut off": good[:-20], "a list": "[]",
                           "no devices": '{"part_power": 2, "replicas": 2}'}.items():
            with self.subTest(name):
                self.ring.unlink(missing_ok=True)
                if text is not None:
                    self.ring.write_text(text)
                self.refused(self.ring)

    # ---- What it leaves alone.

    def test_explain_says_what_it_would_do_and_writes_nothing(self):
        database = self.database(rows=3)
        before = tree(self.root)
        result = self.run_program(self.config, "--explain", database)
        self.assertEqual(result.returncode, 0, result.stderr)
        self.assertIn(f"127.0.0.1:{self.there}", result.stdout)
        self.assertEqual(tree(self.root), before)

    def test_explain_does_not_bring_an_old_database_up_to_date(self):
        database = self.database()
        with sqlite3.connect(database) as connection:
            connection.execute("ALTER TABLE object DROP COLUMN storage_policy_index")
        connection.close()
        before = tree(self.root)
        result = self.run_program(self.config, "--explain", database)
        self.assertEqual(result.returncode, 1)
        self.assertIn(f"{database}: is made by an old Swift, and only looked at here",
                      result.stdout + result.stderr)
        self.assertEqual(tree(self.root), before)

    def test_explain_of_what_is_no_database_names_it(self):
        database = self.database()
        database.write_text("no database")
        before = tree(self.root)
        result = self.run_program(self.config, "--explain", database)
        self.assertEqual(result.returncode, 1)
        self.assertIn(str(database), result.stdout + result.stderr)
        self.assertEqual(tree(self.root), before)

    # ---- A pass.

    def test_a_pass_over_an_empty_device_writes_recon(self):
        result = self.run_program(self.config, "--once")
        self.assertEqual(result.returncode, 0, result.stderr)
        stats = self.recon()["replication_stats"]
        self.assertEqual((stats["attempted"], stats["failure"]), (0, 0))
        self.assertGreater(self.recon()["replication_last"], 1.7e9)

    def test_a_device_of_the_ring_that_is_not_there_costs_only_itself(self):
        self.write_ring(devices=[(2, "sdc", self.here)])
        self.database()
        result = self.run_program(self.config, "--once")
        self.assertEqual(result.returncode, 0, result.stderr)
        self.assertEqual(self.recon()["replication_stats"]["attempted"], 1)
        self.assertIn("sdc", self.recon()["replication_stats"]["failure_nodes"]["127.0.0.1"])
        self.assertFalse((self.root / "srv" / "sdc").exists())

    # ---- The end.

    def test_a_stop_between_passes_ends_the_daemon(self):
        daemon = self.begin()
        self.assertTrue(eventually((self.root / "recon" / "container.recon").exists))
        daemon.terminate()
        self.assertEqual(daemon.wait(5), 0)

    def test_a_hangup_has_the_next_pass_go_by_the_new_configuration(self):
        recon = self.root / "recon" / "container.recon"
        systemd = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.addCleanup(systemd.close)
        systemd.bind(str(self.root / "systemd"))
        systemd.settimeout(PATIENCE)
        self.write_config(interval="100000")
        daemon = self.begin(environment={"NOTIFY_SOCKET": str(self.root / "systemd")})

        def hears(message):
            while not (heard := systemd.recv(4096).decode()).startswith(message):
                pass
            return heard

        hears("READY=1")
        hears("STATUS=Resting, before the first pass")
        self.write_config(interval="0.1", per_diff="0")
        daemon.send_signal(signal.SIGHUP)
        hears("RELOADING=1")
        hears("READY=1")
        self.assertIsNone(daemon.poll())
        self.assertFalse(recon.exists())
        self.write_config(interval="0.1")
        daemon.send_signal(signal.SIGHUP)
        hears("READY=1")
        self.assertTrue(eventually(recon.exists))
        daemon.terminate()
        hears("STOPPING=1")
        self.assertEqual(daemon.wait(5), 0)

    def test_a_second_daemon_of_a_node_does_not_start(self):
        first = self.begin()
        self.assertTrue(eventually((self.root / "recon" / "container.recon").exists))
        second = self.run_program(self.config)
        self.assertEqual(second.returncode, 1)
        self.assertRegex(second.stderr, re.escape(str(self.root / "recon")) + r"\S+ is locked")
        self.assertIsNone(first.poll())

    def test_a_stop_in_the_middle_of_a_transfer_leaves_nothing_behind(self):
        self.stop_during_transfer(signal.SIGTERM)

    def test_an_interrupt_in_the_middle_of_a_transfer_leaves_nothing_behind(self):
        self.stop_during_transfer(signal.SIGINT)

    def stop_during_transfer(self, by):
        tmp = self.root / "peer" / "sdb" / "tmp"
        tmp.mkdir(parents=True)
        rsync = self.serve(HeldRsync(self.root / "peer"))
        peer = self.serve(http.server.ThreadingHTTPServer(("127.0.0.1", 0), NoDatabase))
        self.there = peer.server_address[1]
        self.write_ring(meta=str(rsync.server_address[1]))
        source = self.database(rows=10_000)
        before = source.read_bytes()

        daemon = self.begin("--once")
        self.assertTrue(rsync.held.wait(PATIENCE), "no transfer began")
        self.assertTrue(eventually(lambda: any(tmp.iterdir())), "nothing has arrived")
        children = descendants(daemon.pid)
        self.assertTrue(children, "no rsync is running")
        daemon.send_signal(by)
        self.assertEqual(daemon.wait(5), 0)
        self.assertTrue(eventually(lambda: not any(map(running, children))), "rsync is left")

        rsync.cut.set()
        self.assertTrue(rsync.over.wait(PATIENCE))
        self.assertEqual(list(tmp.iterdir()), [])
        self.assertEqual(source.read_bytes(), before)
        files = {path.name for path in self.device.rglob("*") if path.is_file()}
        self.assertLessEqual(files, {source.name, ".lock"})

    def serve(self, server):
        threading.Thread(target=server.serve_forever, daemon=True).start()
        self.addCleanup(server.server_close)
        self.addCleanup(server.shutdown)
        return server


if __name__ == "__main__":
    unittest.main()
