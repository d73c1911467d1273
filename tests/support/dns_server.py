"""A name server under a test's control, on UDP and TCP of one free port of loopback: records, aliases, delays, silence, errors and
garbage. It is authoritative for everything: what is not in its zone does not exist."""
import socket
import struct
import threading

from tests.support.processes import wait_for

TYPES = {"A": 1, "CNAME": 5, "PTR": 12, "MX": 15, "TXT": 16, "AAAA": 28}
NAMES = {number: name for name, number in TYPES.items()}
NOERROR, FORMERR, SERVFAIL, NXDOMAIN = 0, 1, 2, 3
UDP_MAX = 512
TTL_S = 300


def _name(text):
    labels = [label.encode() for label in text.rstrip(".").split(".") if label]
    return b"".join(bytes([len(label)]) + label for label in labels) + b"\0"


def rdata(kind, value):
    if kind in ("A", "AAAA"):
        return socket.inet_pton(socket.AF_INET if kind == "A" else socket.AF_INET6, value)
    if kind == "MX":
        return struct.pack(">H", value[0]) + _name(value[1])
    if kind == "TXT":
        strings = value if isinstance(value, (list, tuple)) else [value]
        strings = strings or [""]  # a TXT record has at least one
        pieces = [string.encode()[at:at + 255] for string in strings for at in range(0, max(len(string), 1), 255)]
        return b"".join(bytes([len(piece)]) + piece for piece in pieces)
    return _name(value)


class Question:
    """One question of a client, and the answers to it."""

    def __init__(self, packet):
        self.id, _, _, _, _, extra = struct.unpack(">6H", packet[:12])
        labels, at = [], 12
        while packet[at]:
            labels.append(packet[at + 1:at + 1 + packet[at]].decode())
            at += 1 + packet[at]
        self.name = ".".join(labels)
        self.type, = struct.unpack(">H", packet[at + 1:at + 3])
        self.kind = NAMES.get(self.type, str(self.type))
        self.section = packet[12:at + 5]
        self.udp_max = UDP_MAX
        if extra:  # EDNS: the OPT record has the root as its name, and the size as its class
            self.udp_max = max(UDP_MAX, struct.unpack(">H", packet[at + 8:at + 10])[0])

    def reply(self, code=NOERROR, answers=(), truncated=False):
        flags = 0x8580 | (0x0200 if truncated else 0) | code
        body = b"".join(_name(name) + struct.pack(">HHIH", TYPES[kind], 1, TTL_S, len(data)) + data
                        for name, kind, data in answers)
        return struct.pack(">6H", self.id, flags, 1, len(answers), 0, 0) + self.section + body


class DnsServer:
    """zone: {name: {type: [value, ...]}}, names in lower case. trouble: {name: what}, where what is "silent", "servfail", or a
    function from a Question to the bytes to send. held: names whose answers wait until release()."""

    def __init__(self, zone=None, port=0):
        self.zone = zone or {}
        self.trouble = {}
        self.held = set()
        self.asked = []  # (name, type), as they came
        self.tcp_count = 0
        self.peer = None  # who asked last, by UDP
        self._kept = []
        self._lock = threading.Lock()
        self._open(port)
        self._threads = [threading.Thread(target=run, daemon=True) for run in (self._serve_udp, self._serve_tcp)]
        for thread in self._threads:
            thread.start()

    def _open(self, port):
        """The same port for both. Port 0: the kernel chooses one for UDP, and now and then it is taken for TCP."""
        while True:
            self.udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
            self.udp.bind(("127.0.0.1", port))
            self.port = self.udp.getsockname()[1]
            self.tcp = socket.socket()
            try:
                self.tcp.bind(("127.0.0.1", self.port))
            except OSError:
                self.udp.close()
                self.tcp.close()
                continue
            self.tcp.listen(16)
            return

    @property
    def address(self):
        return f"127.0.0.1:{self.port}"

    def close(self):
        for sock in (self.udp, self.tcp):
            try:
                sock.shutdown(socket.SHUT_RDWR)  # wakes its thread
            except OSError:
                pass
            sock.close()

    def count(self, name, kind="TXT"):
        return self.asked.count((name, kind))

    def wait_asked(self, name, kind="TXT"):
        wait_for(lambda: self.count(name, kind), f"DNS to be asked for {name} {kind}: {self.asked}")

    def release(self):
        """Sends what was held back, and holds nothing back any more."""
        with self._lock:
            self.held.clear()
            kept, self._kept = self._kept, []
        for packet, address in kept:
            self.udp.sendto(packet, address)

    def _find(self, question):
        """Code and answers; aliases are followed, as a resolver does."""
        name, answers = question.name, []
        for _ in range(8):
            records = self.zone.get(name.lower())
            if records is None:
                return NXDOMAIN, answers
            if "CNAME" not in records:
                return NOERROR, answers + [(name, question.kind, rdata(question.kind, value))
                                           for value in records.get(question.kind, ())]
            answers.append((name, "CNAME", rdata("CNAME", records["CNAME"][0])))
            name = records["CNAME"][0]
        return SERVFAIL, answers

    def _answer(self, question):
        """The bytes of an answer, or None."""
        what = self.trouble.get(question.name.lower())
        if what == "silent":
            return None
        if what == "servfail":
            return question.reply(SERVFAIL)
        if what is not None:
            return what(question)
        return question.reply(*self._find(question))

    def _serve_udp(self):
        while True:
            try:
                packet, address = self.udp.recvfrom(65535)
            except OSError:
                return
            if len(packet) < 12:
                return  # closed
            self.peer = address
            question = Question(packet)
            self.asked.append((question.name, question.kind))
            reply = self._answer(question)
            if reply is not None and len(reply) > question.udp_max:
                reply = question.reply(truncated=True)
            with self._lock:
                if reply is not None and question.name.lower() in self.held:
                    self._kept.append((reply, address))
                    continue
            if reply is not None:
                self.udp.sendto(reply, address)

    def _serve_tcp(self):
        while True:
            try:
                client, _ = self.tcp.accept()
            except OSError:
                return
            self.tcp_count += 1
            threading.Thread(target=self._serve_connection, args=(client,), daemon=True).start()

    def _serve_connection(self, client):
        with client, client.makefile("rb") as stream:
            while len(size := stream.read(2)) == 2:
                reply = self._answer(Question(stream.read(struct.unpack(">H", size)[0])))
                if reply is None:
                    return
                client.sendall(struct.pack(">H", len(reply)) + reply)
