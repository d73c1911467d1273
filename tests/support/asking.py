"""A gateway for system tests: asks a node over ZeroMQ with the Python classes of the wire contract, and remembers what it heard."""
import itertools
import time

import zmq

from tests.support import harness

PATIENCE_MS = 5000
_numbers = itertools.count(1)


def letters(number):
    """A name without digits, because runs of digits are folded into one."""
    name = ""
    while True:
        number, digit = divmod(number, 26)
        name = chr(ord("a") + digit) + name
        if number == 0:
            return name


def stranger():
    """A sender that nobody has seen in this run."""
    return f"{letters(next(_numbers))}@sender.example"


class Gateway:
    """One REQ socket on a node's door."""

    def __init__(self, folder, endpoint, name="tester"):
        self.pb = harness.wire_module(folder)
        self.endpoint = endpoint
        self.name = name
        self.socket = None
        self._connect()

    def _connect(self):
        if self.socket is not None:
            self.socket.close()
        self.socket = zmq.Context.instance().socket(zmq.REQ)
        self.socket.linger = 0
        self.socket.connect(self.endpoint)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.socket.close()

    def ask(self, request, patience_ms=PATIENCE_MS):
        """The Reply, or None if none came (the socket is made anew then: a REQ that waits in vain is stuck)."""
        request.id = next(_numbers)
        self.socket.send(request.SerializeToString())
        if not self.socket.poll(patience_ms):
            self._connect()
            return None
        reply = self.pb.Reply.FromString(self.socket.recv())
        assert reply.id == request.id
        return reply

    def check(self, sender, recipient="bob@rcpt.example", ip="192.0.2.7", patience_ms=PATIENCE_MS, **fields):
        outer = {key: fields.pop(key) for key in ("budget_ms", "at_ms") if key in fields}
        request = self.pb.Request(gateway=self.name, **outer)
        request.check.CopyFrom(self.pb.Check(client_ip=ip, sender=sender, recipients=[recipient], **fields))
        return self.ask(request, patience_ms)

    def ping(self, patience_ms=PATIENCE_MS):
        request = self.pb.Request()
        request.ping.SetInParent()
        return self.ask(request, patience_ms)

    def admin(self, verb, **args):
        """Rows as dicts; the status must be OK."""
        request = self.pb.Request()
        request.admin.verb = verb
        for key, value in args.items():
            request.admin.args[key] = str(value)
        reply = self.ask(request)
        assert reply is not None, "no answer"
        assert reply.status == 0, reply.error
        return [dict(row.fields) for row in reply.admin.rows]


def verdict(reply):
    return reply.decision.verdicts[0]


def listen(endpoint, topic):
    """A SUB socket on a node's stats door."""
    socket = zmq.Context.instance().socket(zmq.SUB)
    socket.linger = 0
    socket.subscribe(topic.encode())
    socket.connect(endpoint)
    return socket


def next_news(socket, message, seconds=5):
    """(topic, message) of the next publication."""
    assert socket.poll(seconds * 1000), f"nothing was published within {seconds} s"
    topic, payload = socket.recv_multipart()
    message.ParseFromString(payload)
    return topic.decode(), message


def now_ms():
    return int(time.time() * 1000)
