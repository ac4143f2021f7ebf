"""Runs the program once for each mutant: killed if it fails, or if it hangs.

Time is the program's own on a processor, since others may use the machine as well. One that only
waits is ended after ten times as long by the clock.
"""

import dataclasses
import math
import os
import re
import resource
import signal
import subprocess
import threading

# What a failing test prints long before it ends: Boost.Test, assert, sanitizers, our simulator.
FAILING = re.compile(rb": (\x1b\[[\d;]*m)?(fatal )?error: |: Assertion `|^terminate called |"
                     rb"^==\d+==ERROR|^FAILED ", re.MULTILINE)
COLOUR = re.compile(r"\x1b\[[\d;]*m")
MEMORY_MAX = 4 << 30  # bytes of one program: a mutant may never stop to collect
KEPT = 4000


@dataclasses.dataclass
class Ended:
    passed: bool
    how: str  # exit 1, signal 6, said error, out of time
    seconds: float  # on a processor
    words: str  # the line that tells why


def limit(seconds):
    whole = math.ceil(seconds)
    resource.setrlimit(resource.RLIMIT_CPU, (whole, whole + 1))
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY_MAX, MEMORY_MAX))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def run(program, seconds, mutant=0, asked=None):
    """Runs the program for so long at most. Ends it as soon as it says that something failed."""
    environment = {**os.environ, "REPLICA_MUTANT": str(mutant)}
    environment.pop("REPLICA_ASKED", None)
    if asked:
        environment["REPLICA_ASKED"] = str(asked)
    process = subprocess.Popen(
        program, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        env=environment, start_new_session=True, preexec_fn=lambda: limit(seconds))

    def end():
        try:
            os.killpg(process.pid, signal.SIGKILL)
        except ProcessLookupError:
            pass

    late = threading.Event()
    timer = threading.Timer(10 * seconds, lambda: (late.set(), end()))
    timer.start()
    said = b""
    last = b""
    try:
        for line in process.stdout:
            last = line if line.strip() else last
            if not said and FAILING.search(line):
                said = line
                if mutant:
                    end()
                    break
        process.stdout.close()
        os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
        end()  # what it has started and left behind
        _, status, used = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    finally:
        timer.cancel()
    took = used.ru_utime + used.ru_stime
    status = process.returncode
    words = COLOUR.sub("", (said or last).decode("utf-8", "replace")).strip()[:KEPT]
    if said:
        return Ended(False, "said error", took, words)
    if late.is_set() or status == -signal.SIGXCPU:
        return Ended(False, "out of time", took, words)
    if status < 0:
        return Ended(False, f"signal {-status}", took, words)
    return Ended(status == 0, f"exit {status}", took, words if status else "")
