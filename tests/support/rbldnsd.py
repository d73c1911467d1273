"""DNS lists of a test: a real rbldnsd in the foreground, and a name server before it that passes questions on, late or not at all.

rbldnsd answers for its own zones alone and refuses to run as root: its data lies in a folder that everybody may read."""
import os
import pathlib
import shutil
import signal
import socket
import tempfile
import threading

from tests.support.processes import Process, free_port, tool, wait_for

SOA = "$SOA 60 ns.invalid. postmaster.invalid. 0 10m 5m 1d 60\n"
RESULT = ":127.0.0.2:listed, as the test says\n"


class Rbldnsd(Process):
    """zones: {name: (type, data)}, data as rbldnsd(8) reads it, of type ip4set, ip4trie, ip6trie or dnset. ttl: of all answers."""

    def __init__(self, folder, zones, ttl="300", name="rbldnsd"):
        self.data = pathlib.Path(tempfile.mkdtemp(prefix="reeve-rbldnsd-"))
        self.data.chmod(0o755)
        self.port = free_port()
        for zone, (_, data) in zones.items():
            self.write(zone, data)
        run_as = ["-u", "rbldns"] if os.getuid() == 0 else []
        super().__init__(name, [tool("rbldnsd"), "-n", *run_as, "-w", self.data, "-b", f"127.0.0.1/{self.port}", "-4", "-t", ttl, "-c", "0",
                                *(f"{zone}:{kind}:{zone}" for zone, (kind, _) in zones.items())], pathlib.Path(folder) / f"{name}.log")

    def write(self, zone, data):
        """What the list has from now on, or from reload() on."""
        path = self.data / zone
        path.write_text(SOA + data)
        path.chmod(0o644)

    def reload(self):
        before = len(self.log_lines("zones reloaded"))
        self.signal(signal.SIGHUP)
        self.wait_log("zones reloaded", before + 1)

    def start(self):
        super().start()
        self.wait_log("rbldnsd .*started")
        return self

    def stop(self, seconds=40):
        code = super().stop(seconds)
        shutil.rmtree(self.data, ignore_errors=True)
        return code


def ask(port, name, kind=1, seconds=5):
    """The code of an answer, and its addresses: as a resolver would see it, without one."""
    labels = b"".join(bytes([len(label)]) + label.encode() for label in name.split("."))
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.settimeout(seconds)
        sock.connect(("127.0.0.1", port))
        sock.send(b"\x12\x34\x01\0\0\1\0\0\0\0\0\0" + labels + b"\0" + kind.to_bytes(2, "big") + b"\0\1")
        reply = sock.recv(4096)
    count, at, found = int.from_bytes(reply[6:8], "big"), 12 + len(labels) + 5, []
    for _ in range(count):
        at += 2 if reply[at] & 0xC0 else 1  # a pointer, or the root
        length = int.from_bytes(reply[at + 8:at + 10], "big")
        if int.from_bytes(reply[at:at + 2], "big") == 1:
            found.append(socket.inet_ntop(socket.AF_INET, reply[at + 10:at + 14]))
        at += 10 + length
    return reply[3] & 15, found


class Before:
    """Passes questions on to another name server, and its answers back. silent, slow: zones whose questions are dropped, or whose answers
    wait until release()."""

    def __init__(self, port):
        self.behind = port
        self.silent, self.slow = set(), set()
        self.asked = []
        self._kept = []
        self._lock = threading.Lock()
        self.udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.udp.bind(("127.0.0.1", 0))
        self.address = f"127.0.0.1:{self.udp.getsockname()[1]}"
        threading.Thread(target=self._serve, daemon=True).start()

    def close(self):
        try:
            self.udp.shutdown(socket.SHUT_RDWR)  # wakes its thread
        except OSError:
            pass
        self.udp.close()

    @staticmethod
    def _name(packet):
        labels, at = [], 12
        while packet[at]:
            labels.append(packet[at + 1:at + 1 + packet[at]].decode())
            at += 1 + packet[at]
        return ".".join(labels).lower()

    def count(self, name):
        return self.asked.count(name)

    def wait_asked(self, name, times=1):
        wait_for(lambda: self.count(name) >= times, lambda: f"DNS to be asked {times} times for {name}: {self.asked}")

    def release(self):
        with self._lock:
            self.slow.clear()
            kept, self._kept = self._kept, []
        for packet, address in kept:
            self._pass(packet, address)

    def _pass(self, packet, address):
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
            sock.settimeout(5)
            sock.connect(("127.0.0.1", self.behind))
            try:
                sock.send(packet)
                self.udp.sendto(sock.recv(4096), address)
            except OSError:
                pass  # nobody is there: who asked hears nothing

    def _serve(self):
        while True:
            try:
                packet, address = self.udp.recvfrom(4096)
            except OSError:
                return
            if len(packet) < 12:
                return  # closed
            name = self._name(packet)
            self.asked.append(name)
            if any(name.endswith("." + zone) for zone in self.silent):
                continue
            with self._lock:
                if any(name.endswith("." + zone) for zone in self.slow):
                    self._kept.append((packet, address))
                    continue
            self._pass(packet, address)
