"""A client nobody here wrote: Debian's python3-zmq and python3-protobuf, and code that protoc makes from reeve.proto.

What it asks is what the contract allows, what it forbids, and what is no message at all; the node must answer the first,
refuse the second with a reason, and survive the third without the other clients noticing.
"""
import importlib
import itertools
import pathlib
import re
import subprocess
import sys
import time

import pytest
import zmq

from tests.support import harness

TOP = pathlib.Path(__file__).resolve().parents[2]
PATIENCE_MS = 5000  # for an answer that must come
QUIET_MS = 300  # for one that must not
LOOKUP_BYTES_MAX = 2 << 20

numbers = itertools.count()
POLICY = {"settings": {"greylist": {"mode": "enforce", "new_per_hour": 0}}}  # one client asks all of this


@pytest.fixture(scope="module")
def pb(tmp_path_factory):
    """What protoc makes of the contract."""
    return harness.wire_module(tmp_path_factory.mktemp("contract"))


@pytest.fixture(scope="module")
def raw(tmp_path_factory):
    """The contract's twin, whose texts are bytes, so that it can say what is no text."""
    folder = tmp_path_factory.mktemp("twin")
    text = (TOP / "proto" / "reeve.proto").read_text()
    twin = re.sub(r"\bstring (\w+ =)", r"bytes \1", text).replace("package reeve.v1;", "package reeve.raw;")
    (folder / "reeve_raw.proto").write_text(twin)
    subprocess.run(["protoc", f"--proto_path={folder}", f"--python_out={folder}", "reeve_raw.proto"], check=True)
    sys.path.insert(0, str(folder))
    yield importlib.import_module("reeve_raw_pb2")
    sys.path.remove(str(folder))


@pytest.fixture(scope="module")
def node(pb):
    """One node for the whole file, with its store there: until then everything passes, degraded."""
    servers = harness.Site()
    try:
        running = servers.node(policy=POLICY)
        with Client(pb, running.lookups) as one:
            harness.wait_for(lambda: not one.ask(check(pb, dry_run=True)).degraded, "the store to be there")
        yield running
    finally:
        servers.close()


class Client:
    """One socket. ask() sends a request and gives back the Reply; frames() is for what is none."""

    def __init__(self, pb, endpoint, kind=zmq.DEALER):
        self.pb = pb
        self.socket = zmq.Context.instance().socket(kind)
        self.socket.linger = 0
        self.socket.connect(endpoint)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.socket.close()

    def send(self, *frames):
        self.socket.send_multipart(frames)

    def hears(self, patience_ms=PATIENCE_MS):
        """The frames of the next answer, or None."""
        return self.socket.recv_multipart() if self.socket.poll(patience_ms) else None

    def ask_bytes(self, payload):
        delimiter = [b""] if self.socket.type == zmq.DEALER else []
        self.send(*delimiter, payload)
        frames = self.hears()
        assert frames is not None, "no answer"
        assert frames[:-1] == delimiter
        return self.pb.Reply.FromString(frames[-1])

    def ask(self, request):
        reply = self.ask_bytes(request.SerializeToString())
        assert reply.id == request.id
        return reply

    def ping(self, number=1):
        return self.ask(self.pb.Request(id=number, ping=self.pb.Ping()))


@pytest.fixture
def client(pb, node):
    with Client(pb, node.lookups) as one:
        yield one


@pytest.fixture
def fresh():
    """A sender that nobody has seen yet; told apart by letters, because numbers are folded."""
    return "new" + "".join(chr(ord("a") + digit) for digit in divmod(next(numbers), 26)) + "@sender.example"


def check(pb, **fields):
    """A Request with a Check of a mail from outside; fields of both kinds may be given."""
    outer = {name: fields.pop(name) for name in ("id", "budget_ms", "gateway", "at_ms") if name in fields}
    described = {"client_ip": "192.0.2.1", "sender": "ann@sender.example", "recipients": ["bob@recipient.example"], **fields}
    if pb.__name__ == "reeve_raw_pb2":
        described = {name: as_bytes(value) for name, value in described.items()}
        outer = {name: as_bytes(value) for name, value in outer.items()}
    return pb.Request(**{"id": 7, **outer}, check=pb.Check(**described))


def as_bytes(value):
    if isinstance(value, list):
        return [as_bytes(one) for one in value]
    return value.encode() if isinstance(value, str) else value


def metrics(pb, node, wanted):
    """The node's counters by name, from the first statistics that satisfy wanted."""
    socket = zmq.Context.instance().socket(zmq.SUB)
    socket.linger = 0
    socket.subscribe(b"stats")
    socket.connect(node.stats)
    deadline = time.monotonic() + PATIENCE_MS / 1000
    values = {}
    try:
        while time.monotonic() < deadline:
            if socket.poll(PATIENCE_MS):
                topic, payload = socket.recv_multipart()
                assert topic == b"stats"
                values = {metric.name: metric.value for metric in pb.Stats.FromString(payload).metrics}
                if wanted(values):
                    return values
    finally:
        socket.close()
    raise AssertionError(f"the statistics never said so: {values}")


# ---- what the contract allows


@pytest.mark.parametrize("kind", [zmq.REQ, zmq.DEALER], ids=["REQ", "DEALER"])
def test_ping(pb, node, kind):
    with Client(pb, node.lookups, kind) as one:
        for number in (0, 1, 2**64 - 1):
            reply = one.ping(number)
            assert reply.status == pb.STATUS_OK, reply.error
            assert reply.pong.version == (TOP / "scripts" / "version").read_text().strip()
            assert reply.WhichOneof("answer") == "pong"
            assert not reply.draining


def test_ping_at_the_admin_door(pb, node):
    with Client(pb, node.admin) as one:
        assert one.ping().status == pb.STATUS_OK


@pytest.mark.parametrize("kind", [zmq.REQ, zmq.DEALER], ids=["REQ", "DEALER"])
def test_check_defers_a_first_try(pb, node, kind, fresh):
    with Client(pb, node.lookups, kind) as one:
        reply = one.ask(check(pb, sender=fresh, trace=True))
    assert reply.status == pb.STATUS_OK, reply.error
    (verdict,) = reply.decision.verdicts
    assert (verdict.action, verdict.code, verdict.enhanced) == (pb.ACTION_DEFER, 451, "4.7.1")
    assert verdict.reason == "greylist_new"
    assert verdict.recipient == "bob@recipient.example"
    assert verdict.ticket and verdict.ticket in verdict.text
    assert 50 <= verdict.retry_after_s <= 60
    assert {step.step: step.outcome for step in verdict.trace}["greylist"] == "hit"


def test_same_question_twice_is_one(client, pb, fresh):
    one = client.ask(check(pb, sender=fresh, transaction="t-1")).decision.verdicts[0]
    two = client.ask(check(pb, sender=fresh, transaction="t-1")).decision.verdicts[0]
    assert (one.reason, two.reason) == ("greylist_new", "greylist_new")


def test_retry_too_early(client, pb, fresh):
    client.ask(check(pb, sender=fresh, transaction="t-1"))
    assert client.ask(check(pb, sender=fresh, transaction="t-2")).decision.verdicts[0].reason == "greylist_early"


def test_dry_run_writes_nothing(client, pb, fresh):
    for _ in range(3):
        verdict = client.ask(check(pb, sender=fresh, dry_run=True)).decision.verdicts[0]
        assert verdict.reason == "greylist_new"
    assert client.ask(check(pb, sender=fresh)).decision.verdicts[0].reason == "greylist_new"


@pytest.mark.parametrize("stage", ["STAGE_CONNECT", "STAGE_MAIL"])
def test_stage_without_recipients(client, pb, stage):
    reply = client.ask(check(pb, stage=pb.Stage.Value(stage), recipients=[]))
    assert reply.status == pb.STATUS_OK, reply.error
    assert [verdict.action for verdict in reply.decision.verdicts] == [pb.ACTION_ACCEPT]


def test_end_has_one_reply_for_the_message(client, pb, fresh):
    reply = client.ask(check(pb, stage=pb.STAGE_END, sender=fresh, recipients=["a@one.example", "b@two.example"]))
    assert reply.status == pb.STATUS_OK, reply.error
    assert len(reply.decision.verdicts) == 2
    assert reply.decision.message.recipient == ""
    assert reply.decision.message.code == 451


def test_each_recipient_has_its_verdict_in_order(client, pb, fresh):
    recipients = [f"user{index}@recipient{index}.example" for index in range(1000)]
    reply = client.ask(check(pb, sender=fresh, recipients=recipients, budget_ms=4000))
    assert reply.status == pb.STATUS_OK, reply.error
    assert [verdict.recipient for verdict in reply.decision.verdicts] == recipients


def test_fields_of_a_later_version_are_ignored(client, pb):
    """proto3: an unknown field is somebody's future. Field 500, wire type 2, five bytes."""
    request = pb.Request(id=9, ping=pb.Ping()).SerializeToString() + b"\xa2\x1f\x05later"
    assert client.ask_bytes(request).status == pb.STATUS_OK


def test_many_clients_at_once(pb, node):
    clients = [Client(pb, node.lookups) for _ in range(300)]
    try:
        for number, one in enumerate(clients, start=1):
            one.send(b"", pb.Request(id=number, ping=pb.Ping()).SerializeToString())
        for number, one in enumerate(clients, start=1):
            frames = one.hears()
            assert frames is not None, f"client {number} got no answer"
            assert pb.Reply.FromString(frames[-1]).id == number
    finally:
        for one in clients:
            one.socket.close()


def test_many_requests_of_one_client(client, pb):
    for number in range(1, 501):
        client.send(b"", check(pb, id=number, dry_run=True, budget_ms=4000).SerializeToString())
    answered = {pb.Reply.FromString(client.hears()[-1]).id for _ in range(500)}
    assert answered == set(range(1, 501))


def test_decisions_are_published(pb, node, client, fresh):
    socket = zmq.Context.instance().socket(zmq.SUB)
    socket.linger = 0
    socket.subscribe(b"decision.")
    socket.connect(node.stats)
    try:
        # Subscribing takes a moment that nobody can see; the first event that comes is as good as any.
        for attempt in range(50):
            client.ask(check(pb, sender=fresh, transaction=f"t{attempt}", gateway="mx1.test"))
            if socket.poll(100):
                break
        topic, payload = socket.recv_multipart(zmq.NOBLOCK)
    finally:
        socket.close()
    event = pb.DecisionEvent.FromString(payload)
    assert topic.decode() in ("decision.defer.greylist_new", "decision.defer.greylist_early")
    assert event.gateway == "mx1.test"
    assert event.verdict.code == 451
    # Addresses are hidden unless the node is set to show them.
    assert (event.client_ip, event.sender, event.verdict.recipient) == ("", "", "")


# ---- what it forbids


@pytest.mark.parametrize("verb", ["access", "held"])
def test_verb_of_a_later_version(client, pb, verb):
    request = pb.Request(id=3)
    getattr(request, verb).SetInParent()
    reply = client.ask(request)
    assert reply.status == pb.STATUS_BAD_REQUEST
    assert reply.error == "not supported by this version"


def test_sent_of_nobody_teaches_nothing(client, pb):
    request = pb.Request(id=3)
    request.sent.SetInParent()
    reply = client.ask(request)
    assert reply.status == pb.STATUS_OK
    assert (reply.ack.recorded, list(reply.ack.skipped_why)) == (0, ["untrusted"])


def test_report_with_all_its_fields(client, pb):
    report = pb.Report(event="e", evidence=pb.EVIDENCE_SPAM, client_ip="192.0.2.1", weight=float("nan"))
    assert client.ask(pb.Request(id=3, report=report)).status == pb.STATUS_BAD_REQUEST


def test_admin_is_not_for_the_lookups_door(client, pb):
    reply = client.ask(pb.Request(id=3, admin=pb.Admin(verb="grey.list")))
    assert reply.status == pb.STATUS_BAD_REQUEST
    assert "admin" in reply.error


def test_check_is_not_for_the_admin_door(pb, node):
    with Client(pb, node.admin) as one:
        reply = one.ask(check(pb))
    assert reply.status == pb.STATUS_BAD_REQUEST
    assert "lookups" in reply.error


def test_no_verb(client, pb):
    assert client.ask(pb.Request(id=3)).status == pb.STATUS_BAD_REQUEST


def test_time_is_not_the_callers(client, pb):
    reply = client.ask(check(pb, at_ms=1_800_000_000_000))
    assert reply.status == pb.STATUS_BAD_REQUEST
    assert "--replay" in reply.error


@pytest.mark.parametrize("text", ["not an address", "192.0.2.256", "192.0.2.1/24", "[2001:db8::1]", "fe80::1%eth0", "1" * 100000])
def test_client_ip_that_is_none(client, pb, text):
    reply = client.ask(check(pb, client_ip=text))
    assert reply.status == pb.STATUS_BAD_REQUEST
    assert "client_ip" in reply.error
    assert len(reply.error) < 600


@pytest.mark.parametrize("stage", ["STAGE_RCPT", "STAGE_END", "STAGE_UNSPECIFIED"])
def test_no_recipients_where_some_are_needed(client, pb, stage):
    assert client.ask(check(pb, stage=pb.Stage.Value(stage), recipients=[])).status == pb.STATUS_BAD_REQUEST


def test_more_recipients_than_the_contract_allows(client, pb):
    recipients = [f"u{index}@recipient.example" for index in range(1001)]
    assert client.ask(check(pb, recipients=recipients)).status == pb.STATUS_BAD_REQUEST


# What the gateway itself writes: field and limit in bytes.
WRITTEN = [("transaction", 128), ("gateway", 64), ("auth_user", 320)]


@pytest.mark.parametrize("field, limit", WRITTEN)
def test_gateways_own_text_at_its_limit(client, pb, field, limit):
    assert client.ask(check(pb, dry_run=True, **{field: "x" * limit})).status == pb.STATUS_OK


@pytest.mark.parametrize("field, limit", WRITTEN)
@pytest.mark.parametrize("length", ["limit + 1", "100 kB"])
def test_gateways_own_text_over_its_limit(client, pb, field, limit, length):
    reply = client.ask(check(pb, **{field: "x" * (limit + 1 if length == "limit + 1" else 100_000)}))
    assert reply.status == pb.STATUS_BAD_REQUEST
    assert field in reply.error
    assert str(limit) in reply.error


@pytest.mark.parametrize("field, limit", WRITTEN)
def test_gateways_own_text_that_is_none(client, pb, raw, field, limit):
    reply = client.ask_bytes(check(raw, **{field: b"x\xffy"}).SerializeToString())
    assert reply.status == pb.STATUS_BAD_REQUEST
    assert field in reply.error


# ---- what a mail client chose never fails a request


def address(length):
    """A valid address of that many bytes, up to the 320 that RFC 5321 makes of 64, @ and 255."""
    labels = ".".join(["d" * 63] * 3 + ["d" * 61, "x"])
    domain = labels[: length - 65] if length > 70 else "d.x"
    return "a" * (length - 1 - len(domain)) + "@" + domain


DAMAGE = {
    "limit + 1": lambda limit: b"h" * (limit + 1),
    "100 kB": lambda limit: b"h" * 100_000,
    "0xff": lambda limit: b"h\xffh",
    "NUL": lambda limit: b"h\0h",
    "a newline": lambda limit: b"h\nh",
    "half a character": lambda limit: "h\u00e9".encode()[:-1],
}


@pytest.mark.parametrize("field", ["helo", "client_name"])
@pytest.mark.parametrize("length", [0, 1, 254, 255])
def test_name_within_its_limit(client, pb, fresh, field, length):
    reply = client.ask(check(pb, sender=fresh, **{field: "h" * length}))
    assert (reply.status, reply.decision.verdicts[0].reason) == (pb.STATUS_OK, "greylist_new")


@pytest.mark.parametrize("field", ["helo", "client_name"])
@pytest.mark.parametrize("damage", DAMAGE)
def test_damaged_name_counts_as_absent(client, pb, raw, fresh, field, damage):
    payload = check(raw, sender=fresh, **{field: DAMAGE[damage](255)}).SerializeToString()
    reply = client.ask_bytes(payload)
    assert (reply.status, reply.decision.verdicts[0].reason) == (pb.STATUS_OK, "greylist_new")


@pytest.mark.parametrize("length", [319, 320])
@pytest.mark.parametrize("field", ["sender", "recipients"])
def test_address_within_its_limit(client, pb, field, length):
    text = address(length)
    assert len(text) == length
    reply = client.ask(check(pb, dry_run=True, **{field: [text] if field == "recipients" else text}))
    assert (reply.status, reply.decision.verdicts[0].reason) == (pb.STATUS_OK, "greylist_new")


@pytest.mark.parametrize("damage", DAMAGE)
def test_damaged_sender_is_judged(client, pb, raw, damage):
    local = DAMAGE[damage](320 - len("@sender.example"))
    reply = client.ask_bytes(check(raw, sender=local + b"@sender.example").SerializeToString())
    assert reply.status == pb.STATUS_OK, reply.error
    verdict = reply.decision.verdicts[0]
    assert (verdict.code, verdict.enhanced, verdict.reason) == (501, "5.1.7", "syntax")


@pytest.mark.parametrize("damage", DAMAGE)
def test_damaged_recipient_is_judged_alone(client, pb, raw, fresh, damage):
    local = DAMAGE[damage](320 - len("@recipient.example"))
    recipients = [b"one@recipient.example", local + b"@recipient.example", b"two@recipient.example"]
    reply = client.ask_bytes(check(raw, sender=fresh, recipients=recipients).SerializeToString())
    assert reply.status == pb.STATUS_OK, reply.error
    assert [(verdict.code, verdict.enhanced) for verdict in reply.decision.verdicts] == [
        (451, "4.7.1"),
        (501, "5.1.3"),
        (451, "4.7.1"),
    ]
    echoed = reply.decision.verdicts[1].recipient
    assert len(echoed.encode()) <= 320
    assert not re.search(r"[\x00-\x1f\x7f-\x9f]", echoed)


def test_everything_damaged_at_once(client, pb, raw):
    bad = b"\xff" * 5000
    payload = check(raw, sender=bad, helo=bad, client_name=bad, recipients=[bad] * 20).SerializeToString()
    reply = client.ask_bytes(payload)
    assert reply.status == pb.STATUS_OK, reply.error
    assert [verdict.code for verdict in reply.decision.verdicts] == [501] * 20


def test_names_in_headers_and_files_may_be_anything(client, pb, raw, fresh):
    bad = b"\xff\x00" * 2000
    payload = check(raw, sender=fresh, stage=raw.STAGE_END)
    message = payload.check.message
    message.headers.add(name=bad, value=bad)
    message.attachments.add(name=bad, declared_type=bad, inner_names=[bad])
    reply = client.ask_bytes(payload.SerializeToString())
    assert (reply.status, reply.decision.verdicts[0].reason) == (pb.STATUS_OK, "greylist_new"), reply.error


# ---- what is no message at all

GARBAGE = [
    ("empty", b""),
    ("zeros", bytes(64)),
    ("0xff", b"\xff" * 64),
    ("text", b"GET / HTTP/1.0\r\n\r\n"),
    ("an endless number", b"\x08" + b"\x80" * 20),
    ("a length beyond the end", b"\x52\xff\xff\xff\xff\x0f"),
    ("a group that never ends", b"\x0b" * 1000),
    ("a wrong wire type", b"\x0d\x01\x02\x03\x04"),
]


@pytest.mark.parametrize("payload", [row[1] for row in GARBAGE], ids=[row[0] for row in GARBAGE])
def test_garbage_is_refused(client, pb, payload):
    reply = client.ask_bytes(payload)
    assert reply.status == pb.STATUS_BAD_REQUEST
    assert reply.error
    assert client.ping().status == pb.STATUS_OK


def test_every_truncation_is_refused_or_understood(client, pb):
    whole = check(pb, gateway="mx", transaction="t", dry_run=True).SerializeToString()
    for length in range(len(whole)):
        reply = client.ask_bytes(whole[:length])
        assert reply.status in (pb.STATUS_OK, pb.STATUS_BAD_REQUEST)
    assert client.ping().status == pb.STATUS_OK


SHAPES = [
    ("no delimiter", lambda request: [request]),
    ("two payloads", lambda request: [b"", request, request]),
    ("a delimiter that is not empty", lambda request: [b"x", request]),
    ("a delimiter alone", lambda request: [b""]),
]


@pytest.mark.parametrize("shape", [row[1] for row in SHAPES], ids=[row[0] for row in SHAPES])
def test_wrong_frames_are_dropped_and_counted(client, pb, node, shape):
    before = metrics(pb, node, lambda values: "reeve_malformed" in values)["reeve_malformed"]
    client.send(*shape(pb.Request(id=1, ping=pb.Ping()).SerializeToString()))
    assert client.hears(QUIET_MS) is None
    metrics(pb, node, lambda values: values.get("reeve_malformed") == before + 1)
    assert client.ping().status == pb.STATUS_OK


def padded(pb, size):
    """A Ping of exactly that many bytes, by an unknown field."""
    head = pb.Request(id=5, ping=pb.Ping()).SerializeToString() + b"\xa2\x1f"
    body = size - len(head) - 4  # a length of this size takes four bytes
    length = bytes([body & 0x7F | 0x80, body >> 7 & 0x7F | 0x80, body >> 14 & 0x7F | 0x80, body >> 21])
    return head + length + b"p" * body


def test_largest_message(client, pb):
    payload = padded(pb, LOOKUP_BYTES_MAX)
    assert len(payload) == LOOKUP_BYTES_MAX
    assert client.ask_bytes(payload).status == pb.STATUS_OK


def test_one_byte_more_ends_that_connection_alone(client, pb, node):
    with Client(pb, node.lookups) as other:
        assert other.ping().status == pb.STATUS_OK
        client.send(b"", padded(pb, LOOKUP_BYTES_MAX + 1))
        assert client.hears(QUIET_MS) is None
        assert other.ping().status == pb.STATUS_OK
    with Client(pb, node.lookups) as after:
        assert after.ping().status == pb.STATUS_OK


def test_caller_that_is_gone_harms_nobody(pb, node, client):
    for _ in range(100):
        with Client(pb, node.lookups) as gone:
            gone.send(b"", check(pb, dry_run=True).SerializeToString())
    assert client.ping().status == pb.STATUS_OK


def test_node_still_stands(node, client, pb):
    """Last in this file: after all of the above, the same process answers."""
    assert node.is_running()
    assert client.ping().pong.uptime_ms > 0
