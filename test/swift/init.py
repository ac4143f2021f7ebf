#!/usr/bin/python3
"""Our container daemon under Swift's program name, started, watched and stopped by swift-init.

Debian leaves the program swift-init out but installs the module behind it, swift.common.manager;
this file stands in for the program (init.py swift-init ETC RUN_DIR COMMAND).

Usage: init.py [UNITTEST ARGUMENTS]    with REPLICA_BUILD_DIR in the environment
"""

import json
import os
import pathlib
import pwd
import signal
import socket
import subprocess
import sys
import tempfile
import time
import unittest

PROGRAM = "swift-container-replicator"
PATIENCE = 30  # seconds until something counts as not happening


def swift_init(etc, run_dir, command):
    """What the program does with `container-replicator COMMAND --run-dir=RUN_DIR`."""
    from swift.common import manager
    manager.SWIFT_DIR = etc
    return manager.Manager(["container-replicator"], run_dir=run_dir).run_command(command)


def eventually(condition):
    end = time.monotonic() + PATIENCE
    while not condition():
        if time.monotonic() > end:
            return False
        os.sched_yield()
    return True


def stat_of(pid):
    """Fields 3 and up of /proc/PID/stat: state, parent, group, session... Empty when it is gone."""
    try:
        return pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    except OSError:
        return []


def running(pid):
    return stat_of(pid)[:1] not in ([], ["Z"])


class Init(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.root = pathlib.Path(folder.name)
        self.root.chmod(0o755)
        for name in ("etc", "run", "bin", "srv/sda", "recon"):
            (self.root / name).mkdir(parents=True)
        # As root the daemon becomes somebody else, who must be able to write there.
        self.user = "nobody" if os.getuid() == 0 else pwd.getpwuid(os.getuid()).pw_name
        for name in ("srv/sda", "recon"):
            (self.root / name).chmod(0o777)
        (self.root / "bin" / PROGRAM).symlink_to(
            pathlib.Path(os.environ["REPLICA_BUILD_DIR"]) / "example" / "container_replicator")
        self.port = self.free_port()
        (self.root / "etc" / "swift.conf").write_text(
            "[swift-hash]\nswift_hash_path_suffix = changeme\n")
        (self.root / "etc" / "ring.json").write_text(json.dumps({
            "part_power": 2, "replicas": 1,
            "devices": [{"id": 0, "region": 1, "zone": 1, "ip": "127.0.0.1", "port": self.port,
                         "device": "sda", "weight": 100}]}))
        self.config = self.root / "etc" / "container-server.conf"
        self.write_config()
        self.syslog = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.addCleanup(self.syslog.close)
        self.syslog.bind(str(self.root / "syslog"))
        (self.root / "syslog").chmod(0o777)
        self.syslog.settimeout(PATIENCE)
        self.addCleanup(self.end_all)

    def free_port(self):
        """One that nobody gets while the test runs, but whoever asks for exactly this."""
        reserved = socket.socket()
        self.addCleanup(reserved.close)
        reserved.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        reserved.bind(("127.0.0.1", 0))
        return reserved.getsockname()[1]

    def write_config(self, **changed):
        options = {
            "devices": self.root / "srv", "mount_check": "false", "bind_ip": "127.0.0.1",
            "bind_port": self.port, "swift_dir": self.root / "etc",
            "ring": self.root / "etc" / "ring.json", "recon_cache_path": self.root / "recon",
            "log_address": self.root / "syslog", "user": self.user, "interval": 3600, **changed}
        self.config.write_text("\n".join(
            ["[container-replicator]", *(f"{key} = {value}" for key, value in options.items()),
             ""]))

    def init(self, command):
        """Exit status and output."""
        environment = {**os.environ, "PATH": f"{self.root / 'bin'}:{os.environ['PATH']}"}
        result = subprocess.run(
            [sys.executable, "-W", "ignore", __file__, "swift-init", str(self.root / "etc"),
             str(self.root / "run"), command],
            env=environment, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT, text=True, timeout=PATIENCE, check=False)
        return result.returncode, result.stdout

    def pid(self):
        return int((self.root / "run" / "container-replicator.pid").read_text())

    def end_all(self):
        for path in (self.root / "run").glob("*.pid"):
            pid = int(path.read_text())
            if running(pid) and PROGRAM in pathlib.Path(f"/proc/{pid}/cmdline").read_text():
                os.kill(pid, signal.SIGKILL)

    def logged(self, until):
        """Syslog's lines up to the first with this text."""
        lines = []
        while not lines or until not in lines[-1]:
            lines.append(self.syslog.recv(65536).decode())
        return lines

    # ---- A service

    def test_a_service_is_started_watched_and_stopped(self):
        code, said = self.init("status")
        self.assertEqual((code, said), (1, "No container-replicator running\n"))

        code, said = self.init("start")
        self.assertEqual(code, 0, said)
        self.assertEqual(said.splitlines()[-1],
                         f"Starting container-replicator...({self.config})")
        pid = self.pid()
        self.assertTrue(running(pid))
        self.logged(f"Starting {pid}")
        code, said = self.init("status")
        self.assertEqual((code, said),
                         (0, f"container-replicator running ({pid} - {self.config})\n"))
        code, said = self.init("start")
        self.assertIn("container-replicator already started...", said)
        self.assertEqual(self.pid(), pid)

        code, said = self.init("stop")
        self.assertEqual(code, 0, said)
        self.assertIn(f"Signal container-replicator  pid: {pid}  signal: {signal.SIGTERM:d}",
                      said.replace("Signals.SIGTERM", "15"))
        self.assertIn(f"container-replicator ({pid}) appears to have stopped", said)
        self.assertFalse(running(pid))
        lines = self.logged(f"Exited {pid}")
        self.assertTrue(any(f"SIGTERM received ({pid})" in line for line in lines), lines)
        self.assertEqual(self.init("status")[0], 1)

    def test_a_service_leads_its_session_and_holds_on_to_nothing(self):
        self.assertEqual(self.init("start")[0], 0)
        pid = self.pid()
        proc = pathlib.Path(f"/proc/{pid}")
        self.assertEqual((proc / "cmdline").read_bytes().split(b"\0")[0].decode(), PROGRAM)
        self.assertEqual(stat_of(pid)[2:4], [str(pid)] * 2)  # group and session
        self.assertTrue(eventually(lambda: os.readlink(proc / "fd" / "2") == "/dev/null"))
        self.assertEqual([os.readlink(proc / "fd" / str(fd)) for fd in range(3)],
                         ["/dev/null"] * 3)
        self.assertEqual(os.readlink(proc / "cwd"), "/")
        status = dict(line.split(":", 1) for line in
                      (proc / "status").read_text().splitlines())
        user = pwd.getpwnam(self.user)
        self.assertEqual(status["Uid"].split(), [str(user.pw_uid)] * 4)
        self.assertEqual(status["Gid"].split(), [str(user.pw_gid)] * 4)
        self.assertEqual(status["Umask"].strip(), "0022")
        self.assertEqual(self.init("stop")[0], 0)

    def test_a_restart_ends_one_process_and_starts_another(self):
        self.assertEqual(self.init("start")[0], 0)
        first = self.pid()
        code, said = self.init("restart")
        self.assertEqual(code, 0, said)
        second = self.pid()
        self.assertNotEqual(first, second)
        self.assertFalse(running(first))
        self.assertTrue(running(second))
        self.assertEqual(self.init("kill")[0], 0)
        self.assertFalse(running(second))

    def test_a_service_that_died_is_not_reported_as_running(self):
        self.assertEqual(self.init("start")[0], 0)
        pid = self.pid()
        os.kill(pid, signal.SIGKILL)
        self.assertTrue(eventually(lambda: not running(pid)))
        self.assertEqual(self.init("status")[0], 1)
        self.assertEqual(self.init("start")[0], 0)  # its lock has gone with it
        self.assertEqual(self.init("stop")[0], 0)

    # ---- What does not start

    def test_what_is_wrong_with_the_configuration_is_said_to_who_started_it(self):
        self.write_config(concurrency="many")
        code, said = self.init("start")
        self.assertEqual(code, 1, said)
        self.assertIn("concurrency", said)

    def test_a_ring_that_is_not_there_is_said_to_who_started_it(self):
        (self.root / "etc" / "ring.json").unlink()
        code, said = self.init("start")
        self.assertEqual(code, 1, said)
        self.assertIn("ring.json", said)

    def test_a_port_in_use_is_said_to_who_started_it(self):
        with socket.create_server(("127.0.0.1", 0)) as other:
            port = other.getsockname()[1]
            self.write_config(replica_port=port)
            code, said = self.init("start")
        self.assertEqual(code, 1, said)
        self.assertIn(f"127.0.0.1:{port}: address already in use", said)

    # ---- One pass

    def test_once_returns_when_the_pass_is_over(self):
        code, said = self.init("once")
        self.assertEqual(code, 0, said)
        self.assertIn(f"Running container-replicator once...({self.config})", said)
        pid = self.pid()
        self.assertFalse(running(pid))
        recon = json.loads((self.root / "recon" / "container.recon").read_text())
        self.assertEqual(recon["replication_stats"]["attempted"], 0)
        lines = self.logged(f"Exited {pid}")
        for text in (f"Starting {pid}", "Replication run OVER"):
            self.assertTrue(any(text in line for line in lines), lines)

    def test_daemonize_false_means_once(self):
        self.write_config(daemonize="false")
        self.assertEqual(self.init("start")[0], 0)
        pid = self.pid()
        self.assertTrue(eventually(lambda: not running(pid)))
        self.assertTrue((self.root / "recon" / "container.recon").exists())

    def test_no_daemon_logs_to_the_terminal(self):
        self.write_config(daemonize="false")
        code, said = self.init("no-daemon")
        self.assertEqual(code, 0, said)
        self.assertIn(f"Starting {self.pid()}", said)
        self.assertIn("Replication run OVER", said)


if __name__ == "__main__":
    if sys.argv[1:2] == ["swift-init"]:
        sys.exit(swift_init(*sys.argv[2:]))
    unittest.main()
