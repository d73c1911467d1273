#!/usr/bin/python3
"""Writes the seed corpora of the fuzz targets endpoint, ip, mail, host, reputation, spf, dnslist and wire: one small file for each thing
that a parser tells apart.

Usage: tests/fuzz/make-seeds.py        (from the top; needs protoc and Debian's python3-protobuf)
Run it again after the contract has grown. It only adds and replaces files called seed-*; what a fuzzer found stays.
"""
import importlib
import math
import pathlib
import struct
import subprocess
import sys
import tempfile

CORPUS = pathlib.Path("tests/fuzz/corpus")
REQUEST, REPLY, STATS, EVENT = range(4)  # the first byte of an input of fuzz_wire: which decoder

IP = [
    "192.0.2.1", "192.0.2.0/24", "192.0.2.1/24", "0.0.0.0/0", "2001:db8::1", "2001:db8::/32", "::/0", "::1",
    "::ffff:192.0.2.1", "::ffff:192.0.2.0/120", "::ffff:0.0.0.0/95", "192.0.2.256", "1:2:3:4:5:6:7:8", "1::2::3", "10.0.0.0/33",
]

ENDPOINT = [
    "tcp://127.0.0.1:7170", "tcp://[::1]:7170", "tcp://[2001:db8::1%eth0]:1", "tcp://reeve.example:7170", "tcp://a_b-c.d.:65535",
    "tcp://localhost:0", "tcp://a..b:1", "tcp://10.0.0.1.5:1", "tcp://0x7f.1:1", "tcp://127.1:1", "tcp://*:1", "tcp://::1:7170", "tcp://[a]:1",
    "ipc:///run/reeve/lookups.sock", "ipc://@abstract", "ipc://", "inproc://x", "",
]

MAIL = [
    "", "ann@example.org", "Ann.Smith+tag@EXAMPLE.Org.", "postmaster", "ann", "a..b@docomo.example", "a@b@c", "@x", "ann@",
    '"ann smith+t"@x.example', '"a\\"b\\\\c"@x', '"ann"@x', '"ann', "ann@[192.0.2.1]", "ann@[IPv6:2001:db8::1]", "ann@[",
    "jürgen@münchen.example", "STRAßE@faß.example", "用户@例子.广告", "a@x。example", "a@x。。b", "a@☃.example", "\u037ea@x",
    "prvs=1234abcdef=ann@x", "prvs=ann/1234abcdef@x", "SRS0=HH=TT=x.example=ann@fwd", "SRS0+a+b=TT=x.example=ann1+t@fwd",
    "SRS1=HH=one.example==H2=TT=x.example=ann@two", "bounce-123-456@mx12.x", "list-bounces+ann=x.example@lists",
]

HOST = [  # address and name
    ("209.85.167.41", "mail-lf1-f41.google.com"), ("192.0.2.1", "MX1.Corp.Co.UK."), ("88.198.50.60", "static.60.50.198.88.clients.your-server.de"),
    ("203.205.221.173", "out203-205-221-173.mail.qq.com"), ("86.1.2.3", "pool-86-1-2-3.provider.example"), ("192.0.2.7", "0xc0000207.x.example"),
    ("192.0.2.7", "c0-00-02-07.x.example"), ("192.0.2.7", "192000002007.x.example"), ("200.68.167.39", "cr2006816739.cable.net.co"),
    ("200.68.167.39", "cr3916768200.cable.net.co"), ("192.0.2.7", "co.uk"), ("192.0.2.7", "localhost"), ("192.0.2.7", "[192.0.2.7]"),
    ("192.0.2.7", "a..example.net"), ("192.0.2.7", "ümlaut.faß.example"), ("0.0.0.0", "0.0.0.0.x.example"),
    ("255.255.255.255", "ffffffffffffffff.x.example"),
]

SPF = [  # the records of a domain, each of which is tried with an IPv4 and an IPv6 client, and with the null sender
    "v=spf1", "v=spf1 -all", "v=spf1 ip4:192.0.2.0/24 ip6:2001:db8::/32 ~all", "v=spf1 a mx ptr ?all", "v=spf1 a/24//64 mx:%{d}/0//0 -all",
    "v=spf1 include:_spf.%{d2} redirect=%{dr}.x", "v=spf1 exists:%{ir}.%{v}.%{lr-+}.%{h1}.%{p}.%{s}.%{o2r}.x.y -all",
    "v=spf1 exists:%{L}.%%%_%-.%{D2R.-+,/_=}.x.y exp=e.%{d} moo=%{i}", "v=spf1 ip4:192.0.2.0/33", "v=spf1 a:%{z}.x", "V=SPF1 A:x.y/",
    "v=spf1 " + "a:x%{i}.y " * 11, "v=spf1 " + "%{s}" * 60 + ".x.y",
]
VOID, FAILED, MESSAGE, RECORD = range(4)  # kinds of answers of fuzz_spf


def contract():
    """The module that protoc makes of the contract."""
    with tempfile.TemporaryDirectory() as made:
        subprocess.run(["protoc", "--proto_path=proto", f"--python_out={made}", "reeve.proto"], check=True)
        sys.path.insert(0, made)
        return importlib.import_module("reeve_pb2")


def full_check(pb):
    check = pb.Check(
        stage=pb.STAGE_END, transaction="4F2", client_ip="192.0.2.1", client_name="mail.example.net", helo="helo",
        auth_user="ann", tls=True, smtputf8=True, sender="bob@example.net", recipients=["ann@x.example", "jürgen@x.example"],
        recipient_count=2, size_bytes=1 << 40, dry_run=True, trace=True,
        policy="0123456789abcdef0123456789abcdef", at_ms=1795295581000,
    )
    check.authentication.spf = pb.AUTH_PASS
    check.authentication.spf_domain = "example.net"
    check.authentication.dkim.add(outcome=pb.AUTH_FAIL, domain="example.net")
    check.message.headers.add(name="Subject", value="hello")
    check.message.attachments.add(part=1, name="a.zip", sha256=b"\x00" * 4, inner_names=["a", "b"])
    check.message.spam_score = 1.5
    return check


def full_verdict(pb):
    verdict = pb.Verdict(
        recipient="ann@x.example", action=pb.ACTION_DEFER, code=451, enhanced="4.7.1", text="later (T1)",
        reason="greylist_new", rule="r", narrative="n", direction=pb.DIRECTION_INBOUND, skip_spam=True, ticket="T1",
        retry_after_s=60, score_known=True, score=12.5, hold_for="user", waited_s=9, shadow="block_admin",
    )
    verdict.trace.add(step="greylist", outcome="hit", rule="r", why="new")
    verdict.dispositions.add(part=1, what="strip")
    return verdict


def full_sent(pb):
    sent = pb.Sent(transaction="4F2", auth_user="ann", client_ip="192.0.2.1", sender="a@x", recipients=["b@y", "jürgen@y"], at_ms=1795295581000)
    sent.headers.add(name="Auto-Submitted", value="auto-replied (vacation)")
    sent.headers.add(name="Content-Type", value="multipart/report; report-type=delivery-status")
    return sent


def full_report(pb):
    report = pb.Report(
        event="mx1/4F2", evidence=pb.EVIDENCE_COMPLAINT, client_ip="192.0.2.1", sender="bob@example.net", recipient="jürgen@x.example",
        weight=0.75, at_ms=1795295581000, asn=64500, country="DE",
    )
    report.authentication.spf = pb.AUTH_PASS
    report.authentication.spf_domain = "example.net"
    return report


def requests(pb):
    yield "check", pb.Request(id=7, budget_ms=250, gateway="mx1", at_ms=1, check=full_check(pb))
    yield "mail", pb.Request(id=7, check=pb.Check(stage=pb.STAGE_MAIL, sender="a@x"))
    yield "rcpt", pb.Request(id=7, check=pb.Check(sender="a@x", recipients=["b@y"]))
    yield "rcpt-none", pb.Request(id=7, check=pb.Check(sender="a@x"))
    admin = pb.Admin(verb="grey.show", args={"sender": "a@x", "recipient": "b@y"}, document=b"a: b\n", as_user="ann")
    yield "admin", pb.Request(id=7, admin=admin)
    yield "report", pb.Request(id=7, report=full_report(pb))
    yield "report-short", pb.Request(id=7, report=pb.Report(event="e", evidence=pb.EVIDENCE_SPAM))
    yield "report-weight", pb.Request(id=7, report=pb.Report(event="e", evidence=pb.EVIDENCE_HAM, weight=float("nan")))
    yield "sent", pb.Request(id=7, sent=full_sent(pb))
    yield "access", pb.Request(id=7, access=pb.Access(user="ann", protocol=pb.PROTOCOL_IMAP))
    yield "ping", pb.Request(id=7, ping=pb.Ping())
    yield "held", pb.Request(id=7, held=pb.Held(done=[pb.HeldResult(ticket="T1", outcome="gone")]))


def replies(pb):
    decision = pb.Decision(verdicts=[full_verdict(pb)], policy_version=3, message=full_verdict(pb))
    yield "decision", pb.Reply(id=7, node="n", draining=True, degraded=True, degraded_why="store", decision=decision)
    yield "error", pb.Reply(id=7, status=pb.STATUS_BAD_REQUEST, error="why")
    yield "ack", pb.Reply(id=7, ack=pb.Ack(recorded=1, queued=True, skipped_why=["untrusted", "internal b@y"]))
    yield "rows", pb.Reply(id=7, admin=pb.AdminReply(rows=[pb.Row(fields={"a": "b"}), pb.Row()], cursor="c", document=b"d"))
    yield "pong", pb.Reply(id=7, pong=pb.Pong(version="0.1", uptime_ms=1, store="embedded"))
    yield "orders", pb.Reply(id=7, held=pb.HeldOrders(orders=[pb.HeldOrder(ticket="T1", what="release")]))


def wire(pb):
    """Pairs of a name and the bytes of an input."""
    for name, request in requests(pb):
        yield f"request-{name}", bytes([REQUEST]) + request.SerializeToString()
    for name, reply in replies(pb):
        yield f"reply-{name}", bytes([REPLY]) + reply.SerializeToString()
    stats = pb.Stats(node="n", epoch_ms=1, sequence=2, at_ms=3, metrics=[pb.Metric(name="m", value=1.5, labels={"a": "b"})])
    yield "stats", bytes([STATS]) + stats.SerializeToString()
    event = pb.DecisionEvent(node="n", at_ms=1, gateway="g", client_ip="::1", sender="a@x", verdict=full_verdict(pb), took_us=9)
    yield "event", bytes([EVENT]) + event.SerializeToString()
    check = pb.Request(id=7, check=full_check(pb)).SerializeToString()
    yield "request-small-arena", bytes([0xFC]) + check
    yield "request-cut-off", bytes([REQUEST]) + check[:-9]
    yield "request-two-verbs", bytes([REQUEST]) + check + pb.Request(ping=pb.Ping()).SerializeToString()
    yield "request-damaged-text", bytes([REQUEST]) + check.replace(b"helo", b"h\xff\x00o")
    yield "request-group", bytes([REQUEST]) + b"\x08\x07\x53\x54"
    yield "request-unknown-fields", bytes([REQUEST]) + b"\xa0\x1f\x01\xaa\x1f\x01x" + check


def labels(name):
    return b"".join(bytes([len(label)]) + label.encode() for label in name.split(".")) + b"\0"


def script(flags, *answers):
    """An input of fuzz_spf: kinds and bytes."""
    return bytes([flags]) + b"".join(bytes([kind]) + len(data).to_bytes(2, "big") + data for kind, data in answers)


def spf():
    address, mx, ptr = b"\xc0\x00\x02\x07", b"\0\x0a" + labels("mx.x"), labels("mail.sender.example")
    for number, record in enumerate(SPF):
        text = b"".join(bytes([len(piece)]) + piece for piece in [record.encode()[at:at + 255] for at in range(0, len(record), 255)])
        for flags in range(3):
            yield f"{number:02}-{flags}", script(flags, (RECORD, text), *[(RECORD, data) for data in (address, mx, ptr, address, text)] * 3)
    yield "failed", script(0, (FAILED, b""))
    yield "void", script(0, (VOID, b""))
    yield "included", script(0, (RECORD, b"\x11v=spf1 include:a.b"), (RECORD, b"\x0bv=spf1 -all"))
    head = bytes.fromhex("0000 8180 0001 0002 0000 0000".replace(" ", "")) + labels("sender.example") + b"\0\x10\0\1"
    row = b"\xc0\x0c\0\x10\0\1\0\0\0\x3c"
    yield "message", script(0, (MESSAGE, head + row + b"\0\x0c\x0bv=spf1 +all" + row + b"\0\x06\x05hello"))
    yield "message-cut", script(0, (MESSAGE, head + row + b"\0\xff\x0bv=spf1 +all"))
    yield "message-loop", script(0, (RECORD, b"\x09v=spf1 mx"), (MESSAGE, head + b"\xc0\x0c\0\x0f\0\1\0\0\0\x3c\0\x04\0\x0a\xc0\x2e" * 2))


CASES = [  # files of expected decisions
    "cases: [{name: a, from: <>, to: b@c.example, expect: {code: 250}}]",
    "defaults: {client: 192.0.2.7, from: a@b.example, to: [c@d.example, <e@d.example>], tls: yes}\ncases:\n"
    "  - {name: a, expect: [{code: 550, enhanced: 5.7.1, action: reject, reason: r, rule: x}, {shadow: '', skip: [greylist, spam]}]}\n"
    "  - {name: b, stage: mail, size: 5M, recipients: 9, spf: softfail, spf_domain: b.example, expect: {direction: inbound}}\n"
    "  - {name: c, stage: connect, client: '2001:db8::1', client_name: mx.b.example, helo: h, user: ann, smtputf8: on, expect: {skip: []}}\n"
    "  - {name: d, stage: end, at: 2026-11-21T21:13:01Z, expect: {code: 250}}\n",
    "cases: [{name: a, from: <>, to: b@c.example, at: 2h, expect: {code: 250}}]", "cases: [{name: a, to: [], expect: {}}]",
    "cases: [{name: a, from: a, to: b, expect: []}]", "cases: [a]", "cases: {}", "", "defaults: {name: a}", "case: []",
    "cases: [{name: a, from: <, to: <>, expect: {code: 42}}]", "cases: [{name: a, client: x, from: '', to: x, expect: {skip: virus}}]",
]


def resp(value):
    """A value as Redis writes it: a list, or a text."""
    if isinstance(value, list):
        return b"*%d\r\n" % len(value) + b"".join(map(resp, value))
    return b"$%d\r\n%s\r\n" % (len(value), value)


def track():
    """Tracking rows: of a version before, of this one, and of none."""
    old = [b"at", b"1000", b"a", b"defer", b"r", b"greylist_new", b"s", b"", b"g", b"rcpt", b"i", b"192.0.2.1", b"n", b"mx.x", b"h", b"h",
           b"f", b"a@x", b"t", b"b@y", b"w", b"mx1", b"x", b"q1", b"p", b"x", b"ra", b"60", b"wt", b"5"]
    new = old + [b"u", b"ann@y", b"o", b"softfail", b"fl", b"3", b"sz", b"1099511627776", b"rc", b"7", b"pv", b"9007199254740991"]
    yield "old", resp([b"1000-2", old])
    yield "new", resp([b"1000-2", new])
    yield "page", resp([[b"1000-2", new], [b"999-1", old], [b"998-1", [b"at", b"x", b"f", b"a\xff\r\nb", b"zz", b"later"]]])
    yield "long", resp([b"1000-2", [b"f", b"\x01" * 500, b"u", b"\xff" * 90]])
    yield "odd", resp([b"1000-2", [b"f"]])
    yield "no-id", resp([b"1000", [b"f", b"x"]])


def dnslist():
    """A byte for what the resolver made of it, and a message."""
    def message(kind, answers, authority=()):
        return bytes([kind]) + struct.pack(">6H", 0, 0x8180, 0, len(answers), len(authority), 0) + b"".join(answers) + b"".join(authority)

    def record(kind, data, ttl=300, at=1):
        return b"\0" + struct.pack(">HHIH", kind, at, ttl, len(data)) + data

    found, void, failed = range(3)
    hit, soa = record(1, b"\x7f\0\0\2"), record(6, b"\0\0" + struct.pack(">5I", 1, 2, 3, 4, 60))
    yield "hit", message(found, [hit])
    yield "hits", message(found, [record(1, bytes([127, 0, 0, code])) for code in range(2, 40)])
    yield "error", message(found, [hit, record(1, b"\x7f\xff\xff\xfe")])
    yield "elsewhere", message(found, [record(1, b"\xc0\0\2\1")])
    yield "alias", message(found, [record(5, b"\1a\0", ttl=7), hit])
    yield "alias-alone", message(found, [record(5, b"\1a\0")], [soa])
    yield "long-address", message(found, [record(1, b"\x7f\0\0\2" * 4)])
    yield "chaos", message(found, [record(1, b"\x7f\0\0\2", at=3)])
    yield "cut", message(found, [hit])[:-2]
    yield "nothing", message(void, [])
    yield "soa", message(void, [], [soa])
    yield "soa-behind-ns", message(void, [], [record(2, b"\0"), soa])
    yield "soa-cut", message(void, [], [soa])[:-4]
    yield "soa-loop", message(void, [], [record(6, b"\xc0\x17" * 2 + bytes(20))])
    yield "failed", message(failed, [hit])


def reputation():
    """Keys, entities and roots; the first byte says which."""
    keys = ["r:i:c0000201", "r:i:20010db8000000000000000000000001", "r:n:c00002", "r:w:20010db80001", "r:a:4294967295", "r:c:DE", "r:g:address",
            "r:g:sender", "r:e:64500/example.org", "r:d:xn--mnchen-3ya.example", "r:t:org", "r:a:0", "r:i:c00002", "r:e:1/", "r:x:1"]
    for number, key in enumerate(keys):
        yield f"key-{number:02}", b"\0" + key.encode()
    at = struct.pack(">IH", 1700000000, 19675)
    volumes = struct.pack(">f", 20)[:3] + struct.pack(">f", 25)
    slot = struct.pack(">H", 7) + (384 << 12 | 64).to_bytes(3, "big")
    entity = b"\1" + struct.pack(">d", 3)[:5] + struct.pack(">d", 0.5)[:5] + at + volumes + slot
    full = b"\1" + struct.pack(">d", 16)[:5] * 2 + at + volumes + b"\0\x01\xff\xff\xff\0\2\x10\0\1\0\3\0\x10\0\0\4\0\0\0"
    yield "entity", b"\1" + entity + bytes(15)
    yield "entity-full", b"\1" + full
    yield "entity-short", b"\1" + entity
    yield "entity-of-no-number", b"\1\1" + struct.pack(">d", math.nan)[:5] + full[6:]
    root = b"\2" + struct.pack(">dd", 60, 51.5) + at + volumes + struct.pack(">Hdd", 7, 60, 1.5)
    yield "root", b"\2" + root + bytes(18 * 15)
    yield "root-short", b"\2" + root
    yield "root-below-0", b"\2\2" + struct.pack(">d", -1) + root[9:] + bytes(18 * 15)


def write(target, name, data):
    folder = CORPUS / target
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"seed-{name}").write_bytes(data)


def main():
    for target, texts in (("cases", CASES), ("endpoint", ENDPOINT), ("ip", IP), ("mail", MAIL)):
        for number, text in enumerate(texts):
            write(target, f"{number:02}", text.encode())
    for number, (address, name) in enumerate(HOST):
        write("host", f"{number:02}", bytes(int(octet) for octet in address.split(".")) + name.encode())
    write("host", "not-utf8", b"\xc0\0\2\7a\xff\0.x.example")
    write("host", "too-long", b"\xc0\0\2\7" + b"7." * 200 + b"example")
    write("mail", "not-utf8", b"a\xff\x00@x.example\r\n")
    write("mail", "too-long", b"a" * 400 + b"@x.example")
    for name, data in spf():
        write("spf", name, data)
    for name, data in dnslist():
        write("dnslist", name, data)
    for name, data in reputation():
        write("reputation", name, data)
    for name, data in track():
        write("track", name, data)
    for name, data in wire(contract()):
        write("wire", name, data)


if __name__ == "__main__":
    main()
