"""What every system test stands on: programs, ports, servers in the foreground, and waiting without sleeping."""
import ctypes
import os
import pathlib
import random
import re
import resource
import shutil
import signal
import socket
import subprocess
import time

TOP = pathlib.Path(__file__).resolve().parents[2]
DEPLOY = TOP / "deploy"
BUILD = pathlib.Path(os.environ.get("REEVE_BUILD", "build"))
PR_SET_PDEATHSIG = 1


def program(name):
    """The path of a program of ours. That it was not built is a failure, not a reason to skip."""
    path = (TOP / BUILD / name).resolve()
    assert path.exists(), f"{path} is missing: run make, or set REEVE_BUILD to the build folder"
    return str(path)


def tool(name):
    """The path of a program of the system's."""
    path = shutil.which(name, path=os.environ.get("PATH", "") + ":/usr/sbin:/sbin")
    assert path, f"{name} is missing: scripts/install-deps installs what the tests need"
    return path


def wait_for(condition, what, seconds=15.0, every=0.02):
    """Asks until condition() is true and returns what it gave; AssertionError with what was waited for when time is over."""
    deadline = time.monotonic() + seconds
    while True:
        result = condition()
        if result:
            return result
        assert time.monotonic() < deadline, f"waited {seconds:g} s in vain: {what() if callable(what) else what}"
        time.sleep(every)


_ports_given = set()


def free_ports(count):
    """The first of so many TCP ports of loopback in a row, that nobody uses now and that were not given before in this run.
    They lie below those that the kernel gives to outgoing connections: one of these would take the port of a server that is
    down, or worse, connect to itself there."""
    outgoing = int(pathlib.Path("/proc/sys/net/ipv4/ip_local_port_range").read_text().split()[0])
    while True:
        first = random.randrange(10000, max(outgoing, 12000) - count)
        ports = range(first, first + count)
        if not _ports_given.intersection(ports) and all(map(_is_free, ports)):
            _ports_given.update(ports)
            return first


def _is_free(port):
    with socket.socket() as probe:
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
        return True


def free_port():
    return free_ports(1)


def accepts(address):
    """True if somebody listens there: a (host, port) or the path of a unix socket."""
    family = socket.AF_INET if isinstance(address, tuple) else socket.AF_UNIX
    with socket.socket(family) as probe:
        probe.settimeout(1)
        return probe.connect_ex(address) == 0


def _die_with_parent():
    """A server must not outlive a test run that was killed."""
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGTERM)


class Process:
    """A server in the foreground, whose output goes to a file."""

    def __init__(self, name, argv, log_path, open_files=None):
        self.name = name
        self.argv = [str(arg) for arg in argv]
        self.log_path = pathlib.Path(log_path)
        self.open_files = open_files
        self.child = None

    def start(self):
        assert not self.is_running(), f"{self.name} runs already"

        def prepare():
            _die_with_parent()
            if self.open_files is not None:
                resource.setrlimit(resource.RLIMIT_NOFILE, (self.open_files, self.open_files))

        with open(self.log_path, "ab") as log:
            self.child = subprocess.Popen(self.argv, stdin=subprocess.DEVNULL, stdout=log, stderr=log, cwd="/",
                                          start_new_session=True, preexec_fn=prepare)
        return self

    def __enter__(self):
        return self if self.is_running() else self.start()

    def __exit__(self, *unused):
        self.stop()

    def is_running(self):
        return self.child is not None and self.child.poll() is None

    @property
    def pid(self):
        return self.child.pid

    def signal(self, number):
        self.child.send_signal(number)

    def wait(self, seconds=10):
        """The exit code; negative = the signal that ended it."""
        try:
            return self.child.wait(seconds)
        except subprocess.TimeoutExpired:
            raise AssertionError(f"{self.name} did not end within {seconds} s") from None

    def stop(self, seconds=40):
        """SIGTERM; returns the exit code."""
        if not self.is_running():
            return self.child.returncode if self.child else None
        self.signal(signal.SIGTERM)
        return self.wait(seconds)

    def kill(self):
        """SIGKILL: no chance to tidy up."""
        if self.is_running():
            self.signal(signal.SIGKILL)
            self.wait()

    def log(self):
        return self.log_path.read_text(errors="replace") if self.log_path.exists() else ""

    def log_lines(self, pattern):
        return [line for line in self.log().splitlines() if re.search(pattern, line)]

    def wait_log(self, pattern, count=1, seconds=15):
        """The first line (or the count-th) that matches; fails when the process ends before."""
        def look():
            lines = self.log_lines(pattern)
            assert len(lines) >= count or self.is_running(), f"{self.name} has ended:\n{self.log()}"
            return lines[count - 1] if len(lines) >= count else None
        return wait_for(look, f"line {count} like '{pattern}' in the log of {self.name}", seconds)
