"""Nodes of a Swift cluster on loopback: stock Swift 2.30.1 as Debian installs it, ours, and rsync.

A Rig is a directory, a set of processes and, where the system allows it, namespaces of its own:
then the addresses and ports are nobody else's, and its swift.conf lies where Swift reads it. Else
free ports are looked for, and Swift's programs are started by this file, which tells them where
their swift.conf is (rig.py SWIFT_CONF PROGRAM ARGUMENT...).

All that is started is bounded in time and ended by its process id.
"""

import array
import contextlib
import http.client
import http.server
import json
import os
import pathlib
import pwd
import runpy
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time

KINDS = ("account", "container")
PRIVATE = "REPLICA_RIG_PRIVATE"
START_SECONDS = 30
PASS_SECONDS = 60


class RigError(Exception):
    """The rig could not do what was asked; nothing is said about what was to be tested."""


# ---- Namespaces

def enter_private():
    """Runs this program again in namespaces of its own, where that is allowed, and exits with its
    code; else returns. What runs there ends with this process, however that ends."""
    if PRIVATE in os.environ:
        return
    command = ["unshare", "--net", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc"]
    probe = ["sh", "-c", "ip link set lo up && mount --bind /etc/swift /etc/swift"]
    try:
        works = subprocess.run(command + probe, stdin=subprocess.DEVNULL, capture_output=True,
                               timeout=20, check=False).returncode == 0
    except (OSError, subprocess.TimeoutExpired):
        works = False
    if works:
        sys.stdout.flush()
        process = subprocess.Popen(
            ["setpriv", "--pdeathsig", "KILL"] + command + [sys.executable] + sys.argv,
            env={**os.environ, PRIVATE: "yes"})
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # It goes to all in the foreground.
        signal.signal(signal.SIGTERM, lambda *_: hand_on(process.pid, signal.SIGTERM))
        code = process.wait()
        sys.exit(code if code >= 0 else 128 - code)


def hand_on(pid, number):
    """A signal to the children of unshare, which ignores it itself."""
    for child in pathlib.Path(f"/proc/{pid}/task/{pid}/children").read_text().split():
        os.kill(int(child), number)


def is_private():
    return PRIVATE in os.environ


def use_swift_conf(directory):
    """Makes `directory`/swift.conf the one that Swift's modules read, here and in programs."""
    if is_private():
        subprocess.run(["ip", "link", "set", "lo", "up"], check=True, timeout=10)
        subprocess.run(["mount", "--bind", directory, "/etc/swift"], check=True, timeout=10)
    else:
        import swift.common.utils as utils
        utils.set_swift_dir(str(directory))


def run_with_swift_conf(swift_conf, program, *arguments):
    """What this file does as a program: Swift's own `program`, with another swift.conf."""
    import swift.common.utils as utils
    utils.SWIFT_CONF_FILE = swift_conf
    utils.HASH_PATH_PREFIX = utils.HASH_PATH_SUFFIX = b""
    utils.validate_hash_conf()
    sys.argv = [program, *arguments]
    runpy.run_path(program, run_name="__main__")


# ---- Rings

def write_ring(directory, kind, devices, rows=None):
    """{kind}.ring.gz, as Swift writes it.

    `devices`: dictionaries as in Swift's rings, in the order of their ids. `rows`: for each replica
    the device id of each partition. Without rows Swift's RingBuilder places three replicas in 256
    partitions.
    """
    from swift.common.ring import RingBuilder, RingData
    if rows is None:
        builder = RingBuilder(8, 3, 1)
        for device in devices:
            builder.add_dev(dict(device))
        builder.rebalance(seed=1)
        ring = builder.get_ring()
    else:
        power = len(rows[0]).bit_length() - 1
        ring = RingData([array.array("H", row) for row in rows], [dict(d) for d in devices],
                        32 - power)
    ring.save(str(directory / f"{kind}.ring.gz"))


def ring_device(number, ip, port, name, region=1):
    return {"id": number, "region": region, "zone": 1, "ip": ip, "port": port, "weight": 100.0,
            "replication_ip": ip, "replication_port": port, "device": name, "meta": ""}


# ---- What goes over the wire

class Relay:
    """Hands requests on to another port of the same address and notes each exchange.

    `note` gets a dictionary: door (the relay's name), method, path, body, status, reply.
    """

    def __init__(self, door, address, target_port, note):
        relay = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            timeout = 60

            def __getattr__(self, name):
                if name.startswith("do_"):
                    return self.hand_on
                raise AttributeError(name)

            def setup(self):
                super().setup()
                self.onward = http.client.HTTPConnection(address[0], target_port, timeout=60)

            def finish(self):
                self.onward.close()
                super().finish()

            def hand_on(self):
                body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
                try:
                    self.onward.request(self.command, self.path, body, dict(self.headers))
                    answer = self.onward.getresponse()
                    reply = answer.read()
                except (OSError, http.client.HTTPException):
                    self.close_connection = True  # As if the server itself had gone.
                    return
                note({"door": relay.door, "method": self.command, "path": self.path, "body": body,
                      "status": answer.status, "reply": reply})
                self.send_response_only(answer.status, answer.reason)
                for name, value in answer.getheaders():
                    if name.lower() not in ("connection", "transfer-encoding", "content-length"):
                        self.send_header(name, value)
                self.send_header("Content-Length", str(len(reply)))
                self.end_headers()
                self.wfile.write(reply)

            def log_message(self, *_):
                pass

        class Server(http.server.ThreadingHTTPServer):
            daemon_threads = True
            request_queue_size = 64

            def handle_error(self, *_):
                pass  # The client has closed; who cares tells by its own result.

        self.door = door
        self.server = Server(address, Handler)
        threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.05},
                         daemon=True).start()

    def close(self):
        self.server.shutdown()
        self.server.server_close()


# ---- Processes

class Rig:
    """The directory and the processes of a test. A context manager; keeps its files on failure if
    REPLICA_RIG_KEEP is set."""

    def __init__(self, swift_conf):
        self.root = pathlib.Path(tempfile.mkdtemp(prefix="replica-rig-"))
        self.user = pwd.getpwuid(os.geteuid()).pw_name
        self.etc = self.root / "etc"
        self.etc.mkdir()
        (self.etc / "swift.conf").write_text(swift_conf)
        self.processes = []
        self.relays = []
        use_swift_conf(self.etc)

    def __enter__(self):
        signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
        return self

    def __exit__(self, kind, *_):
        self.close(keep=kind is not None and "REPLICA_RIG_KEEP" in os.environ)

    def close(self, keep=False):
        for relay in self.relays:
            relay.close()
        end(self.processes)
        if keep:
            print(f"the nodes are left in {self.root}")
        else:
            shutil.rmtree(self.root, ignore_errors=True)

    def stock(self, program):
        """The command that runs a program of Swift's with this rig's swift.conf."""
        path = shutil.which(program)
        if path is None:
            raise RigError(f"{program} is not installed")
        if is_private():
            return [path]
        return [sys.executable, __file__, str(self.etc / "swift.conf"), path]

    def start(self, command, log, listens=()):
        """Starts a process, which is to listen on each address of `listens`."""
        with open(log, "ab") as out:
            process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=out,
                                       stderr=subprocess.STDOUT, start_new_session=True)
        self.processes.append(process)
        return Starting(process, command, log, listens)

    def run(self, *command_and_log):
        """Starts a process and waits until it has ended well."""
        self.finish([self.start(*command_and_log)])

    def finish(self, started):
        """Waits until all these have ended well."""
        deadline = time.monotonic() + PASS_SECONDS
        for each in started:
            try:
                code = each.process.wait(max(0.0, deadline - time.monotonic()))
            except subprocess.TimeoutExpired:
                code = f"no end after {PASS_SECONDS} s"
            self.end([each.process])
            if code != 0:
                raise RigError(f"{' '.join(each.command)}: {code}\n{tail(each.log)}")

    def end(self, processes):
        """Ends some of the processes before all others; empties the list."""
        self.processes[:] = [each for each in self.processes if each not in processes]
        end(processes)

    def free_port(self, *ips):
        """A port that is free on all these addresses."""
        for _ in range(100):
            with contextlib.ExitStack() as stack:
                first = stack.enter_context(socket.socket())
                first.bind((ips[0], 0))
                port = first.getsockname()[1]
                try:
                    for ip in ips[1:]:
                        stack.enter_context(socket.socket()).bind((ip, port))
                except OSError:
                    continue
                return port
        raise RigError(f"no port is free on all of {', '.join(ips)}")


class Starting:
    """A process that is on its way; wait() before its services are used."""

    def __init__(self, process, command, log, listens):
        self.process, self.command, self.log, self.listens = process, command, log, listens

    def wait(self):
        deadline = time.monotonic() + START_SECONDS
        for address in self.listens:
            while not accepts(address):
                if self.process.poll() is not None or time.monotonic() > deadline:
                    raise RigError(f"{' '.join(self.command)} does not listen on {address}:\n"
                                   f"{tail(self.log)}")
                time.sleep(0.02)


def accepts(address):
    with contextlib.suppress(OSError), socket.create_connection(address, timeout=1):
        return True
    return False


def end(processes):
    """Asks each to end, and ends those that have not after five seconds."""
    for process in processes:
        if process.poll() is None:
            process.terminate()
    deadline = time.monotonic() + 5
    for process in processes:
        try:
            process.wait(max(0.0, deadline - time.monotonic()))
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
    processes.clear()


def tail(log, lines=30):
    return "\n".join(pathlib.Path(log).read_text(errors="replace").splitlines()[-lines:])


# ---- Nodes

class Node:
    """One machine: an address, devices below `srv`, an rsync daemon, and servers on ports."""

    def __init__(self, rig, directory, ip, devices, rings, rsync_port, programs):
        self.rig, self.ip, self.rings, self.programs = rig, ip, rings, programs
        self.root, self.rsync_port = pathlib.Path(directory), rsync_port
        self.srv = self.root / "srv"
        for device in devices:
            (self.srv / device).mkdir(parents=True)
        for name in ("etc", "cache", "log"):
            (self.root / name).mkdir(parents=True)

    def defaults(self, port):
        return {"devices": self.srv, "mount_check": "false", "bind_ip": self.ip, "bind_port": port,
                "swift_dir": self.rings, "user": self.rig.user, "workers": 0,
                "log_address": self.root / "no-syslog", "log_level": "DEBUG"}

    def write_conf(self, name, **sections):
        """A file of ini sections; returns its path."""
        path = self.root / "etc" / name
        path.write_text("".join(
            f"[{section}]\n" + "".join(f"{key} = {value}\n" for key, value in options.items())
            for section, options in sections.items()))
        return path

    def start_rsync(self):
        lines = [f"uid = {os.getuid()}\ngid = {os.getgid()}\n" if os.getuid() == 0 else "",
                 "use chroot = no\nreverse lookup = no\nmax verbosity = 0\n"]
        lines += [f"[{kind}]\npath = {self.srv}\nread only = no\nlist = no\n" for kind in KINDS]
        conf = self.root / "etc" / "rsyncd.conf"
        conf.write_text("".join(lines))
        return self.rig.start(
            ["rsync", "--daemon", "--no-detach", f"--config={conf}", f"--address={self.ip}",
             f"--port={self.rsync_port}"], self.root / "log" / "rsync",
            [(self.ip, self.rsync_port)])

    def start_stock(self, kind, port, **options):
        """Swift's own server, listening on `port`."""
        conf = self.write_conf(
            f"{kind}-server-{port}.conf", DEFAULT=self.defaults(port),
            **{"pipeline:main": {"pipeline": f"recon {kind}-server"},
               "filter:recon": {"use": "egg:swift#recon", "recon_cache_path": self.root / "cache"},
               f"app:{kind}-server": {"use": f"egg:swift#{kind}", **options}})
        return self.rig.start(self.rig.stock(f"swift-{kind}-server") + [str(conf), "-v"],
                              self.root / "log" / f"{kind}-server", [(self.ip, port)])

    def start_ours(self, kind, ring_port, replica_port, **options):
        """Our daemon, answering REPLICATE on `replica_port`; it sends nothing by itself."""
        conf = self.replicator_conf(kind, "server", ring_port, replica_port=replica_port,
                                    interval=100000000, push_changes="no", **options)
        return self.rig.start([str(self.programs / f"{kind}_replicator"), str(conf), "-v"],
                              self.root / "log" / f"our-{kind}-server", [(self.ip, replica_port)])

    def replicator_conf(self, kind, name, ring_port, **options):
        """The same file for Swift's replicator and for ours."""
        return self.write_conf(
            f"{kind}-{name}.conf", DEFAULT=self.defaults(ring_port),
            **{f"{kind}-replicator": {
                "rsync_module": f"rsync://{{replication_ip}}:{self.rsync_port}/{kind}",
                "recon_cache_path": self.root / "cache", "databases_per_second": 0,
                "conn_timeout": 5, "node_timeout": 30, **options}})

    def run_pass(self, whose, kind, ring_port, **options):
        """One pass of the replicator that is `whose` (stock or ours). Returns what it counted."""
        conf = self.replicator_conf(kind, f"{whose}-once", ring_port, **options)
        command = (self.rig.stock(f"swift-{kind}-replicator") if whose == "stock"
                   else [str(self.programs / f"{kind}_replicator")])
        log = self.root / "log" / f"{whose}-{kind}-once"
        recon = self.root / "cache" / f"{kind}.recon"
        recon.unlink(missing_ok=True)
        self.rig.run(command + [str(conf), "--once", "-v"], log)
        if not recon.exists():
            raise RigError(f"{whose} {kind} pass on {self.ip} counted nothing\n{tail(log)}")
        return json.loads(recon.read_text())["replication_stats"]


if __name__ == "__main__":
    run_with_swift_conf(*sys.argv[1:])
