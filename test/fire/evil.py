"""A peer that hangs, answers slowly or talks nonsense, in the place of a daemon or of rsync; and a
client that does the same to a daemon. It never says that rows have arrived: who lies about that
cannot be told from an honest peer."""

import contextlib
import random
import socket
import struct
import threading
import time

TRICKS = ("hang", "mute", "slow", "garbage", "reset", "short", "huge", "status", "nonsense")
STATUSES = ("302 Found", "404 Not Found", "409 Conflict", "500 Oops", "503 Busy", "507 Full",
            "100 Continue", "999 What")
NONSENSE = (b"", b"{}", b"[]", b"null", b"{\"id\": 7}", b"\xff\xfe\x00", b"[" * 100000,
            b"{\"max_row\": 99999999999999999999999, \"point\": -5, \"id\": \"../x\"}",
            b"{\"max_row\": \"many\", \"hash\": 3, \"id\": null, \"point\": []}")


class Evil:
    """Listens until it is closed. Every connection is a trick of its own."""

    def __init__(self, ip, port, seed):
        self.random, self.over = random.Random(seed), threading.Event()
        self.listener = socket.socket()
        self.listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.listener.bind((ip, port))
        self.listener.listen(64)
        self.listener.settimeout(0.1)
        self.tricked = 0
        self.threads = [threading.Thread(target=self.serve, daemon=True)]
        self.threads[0].start()

    def serve(self):
        while not self.over.is_set():
            with contextlib.suppress(OSError):
                connection, _ = self.listener.accept()
                self.tricked += 1
                thread = threading.Thread(target=self.trick, daemon=True,
                                          args=(connection, self.random.choice(TRICKS),
                                                random.Random(self.random.random())))
                thread.start()
                self.threads.append(thread)

    def trick(self, connection, which, chance):
        with connection, contextlib.suppress(OSError):
            connection.settimeout(0.5)
            if which != "hang":
                getattr(self, which)(connection, chance)
            self.over.wait(chance.uniform(0, 6))

    @staticmethod
    def request(connection):
        with contextlib.suppress(TimeoutError):
            return connection.recv(65536)
        return b""

    @staticmethod
    def answer(connection, status, body, length=None):
        length = len(body) if length is None else length
        connection.sendall(f"HTTP/1.1 {status}\r\nContent-Length: {length}\r\n\r\n".encode() + body)

    def mute(self, connection, _):
        self.request(connection)

    def slow(self, connection, chance):
        for each in b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n" + b"{" * 60:
            if self.over.wait(chance.uniform(0, 0.2)):
                return
            connection.sendall(bytes([each]))

    def garbage(self, connection, chance):
        connection.sendall(chance.randbytes(chance.randrange(1, 65536)))

    def reset(self, connection, _):
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        connection.close()

    def short(self, connection, _):
        self.request(connection)
        self.answer(connection, "200 OK", b"{\"max_row\":", 4096)
        connection.close()

    def huge(self, connection, _):
        self.request(connection)
        self.answer(connection, "200 OK", b"", 1 << 50)
        until = time.monotonic() + 1
        while not self.over.is_set() and time.monotonic() < until:
            connection.sendall(b" " * 65536)

    def status(self, connection, chance):
        self.request(connection)
        self.answer(connection, chance.choice(STATUSES), chance.choice(NONSENSE))

    def nonsense(self, connection, chance):
        """An answer of success, but only to a question."""
        asked = b"[\"sync\"" in self.request(connection)
        self.answer(connection, "200 OK" if asked else "500 Oops", chance.choice(NONSENSE))

    def close(self):
        """Whether every thread has ended."""
        self.over.set()
        self.listener.close()
        for thread in self.threads:
            thread.join(10)
        return not any(thread.is_alive() for thread in self.threads)


def pester(ip, port, chance):
    """A connection to a daemon with garbage or half a request on it; nothing if there is none."""
    texts = (chance.randbytes(2000),
             b"REPLICATE /sda/1/x HTTP/1.1\r\nContent-Length: 9999\r\n\r\n[",
             b"REPLICATE /sda/0/" + b"0" * 32 + b" HTTP/1.1\r\nContent-Length: 9\r\n\r\n[\"merge_",
             b"GET /" + b"x" * 60000, b"REPLICATE ", b"")
    client = socket.socket()
    client.settimeout(1)
    try:
        client.connect((ip, port))
        client.sendall(chance.choice(texts))
    except OSError:
        client.close()
        return None
    return client
