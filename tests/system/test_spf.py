"""SPF as reeve-policyd evaluates it: what reaches the node, by the RFC's own test suite and through every kind of DNS trouble; and
what a real Postfix and a real node make of it."""
import pathlib
import re
import socket
import struct
import time

import pytest
import yaml

from tests.support.dns_server import NOERROR, SERVFAIL, DnsServer, rdata
from tests.support.harness import PolicyClient, free_port, sample_policy, wait_for

SUITE = pathlib.Path(__file__).resolve().parents[1] / "data" / "rfc7208-tests.yml"
OUTCOMES = ["", "none", "pass", "fail", "softfail", "neutral", "temperror", "permerror"]
PATIENT = {"deadline": "10s"}


@pytest.fixture
def dns():
    server = DnsServer()
    yield server
    server.close()


def spf_policyd(site, node, dns, **settings):
    return site.policyd(node, spf={"evaluate": True, "servers": [dns.address], **PATIENT, **settings})


def ask(policyd, fake, **attributes):
    """(outcome, domain) that the node heard."""
    with PolicyClient(("127.0.0.1", policyd.port)) as client:
        before = len(fake.checks)
        assert client.ask(**attributes) == "DUNNO"
    check, = fake.checks[before:]
    return OUTCOMES[check.authentication.spf], check.authentication.spf_domain


def outcome(policyd, fake, client="192.0.2.7", sender="ann@sender.example", **more):
    return ask(policyd, fake, client_address=client, sender=sender, **more)[0]


# ---- the RFC's test suite

def zone_of(data):
    """A scenario's zone: SPF records are TXT records unless the name has TXT records of its own; TIMEOUT is an error for what was
    not listed before it."""
    zone, trouble = {}, {}
    for name, entries in data.items():
        records, fails = {}, False
        for entry in entries:
            if entry == "TIMEOUT":
                fails = True
                continue
            (kind, value), = entry.items()
            records.setdefault(kind, []).append(value)
        records.setdefault("TXT", records.pop("SPF", []))
        records["TXT"] = [value for value in records["TXT"] if value != "NONE"]
        if "TIMEOUT" in records["TXT"]:
            records["TXT"], fails = [], True
        zone[name.lower()] = {kind: values for kind, values in records.items() if values}
        if fails:
            trouble[name.lower()] = trouble_without(zone[name.lower()])
    return zone, trouble


def trouble_without(records):
    def answer(question):
        values = records.get(question.kind)
        if not values:
            return question.reply(SERVFAIL)
        return question.reply(NOERROR, [(question.name, question.kind, rdata(question.kind, value)) for value in values])
    return answer


def scenarios():
    """Its clients of private networks, whom reeve-policyd does not look up, get addresses of public ones."""
    text = SUITE.read_text().replace("192.168.218", "192.169.218").replace("218.168.192", "218.169.192")
    return [pytest.param(data, id=re.sub(r"\W+", "-", data["description"])) for data in yaml.safe_load_all(text) if data]


# The c-ares of Debian 13 does not ask for names with these bytes, which then are names that do not exist.
UNASKABLE = re.compile(r"[^\w./*-]")
WITH_UNASKABLE = {"a-colon-domain", "a-colon-domain-ip4mapped", "mx-colon-domain", "mx-colon-domain-ip4mapped",
                  "macro-mania-in-domain"}


@pytest.mark.parametrize("scenario", scenarios())
def test_the_suite_of_rfc_7208(site, dns, scenario):
    dns.zone, dns.trouble = zone_of(scenario["zonedata"])
    fake = site.fake_node(lambda check: {})
    policyd = spf_policyd(site, fake, dns)
    wrong = []
    for name, case in scenario["tests"].items():
        dns.asked.clear()
        wanted = case["result"] if isinstance(case["result"], list) else [case["result"]]
        got = outcome(policyd, fake, client=case["host"], sender=case.get("mailfrom") or "", helo_name=case["helo"])
        is_asked = name not in WITH_UNASKABLE or any(UNASKABLE.search(asked) for asked, _ in dns.asked)
        if got not in wanted and is_asked:
            wrong.append(f"{name}: {got}, not {wanted}")
    assert not wrong


# ---- the outcomes, with names of our own

def spf(record, **more):
    return {"TXT": [record], **more}


ZONE = {
    "sender.example": spf("v=spf1 ip4:192.0.2.0/24 ~all"),
    "six.example": spf("v=spf1 ip6:2001:db8::/32 -all"),
    "a.example": spf("v=spf1 a:mail.a.example -all"),
    "mail.a.example": {"CNAME": ["host.a.example"]},
    "host.a.example": {"A": ["192.0.2.7"], "AAAA": ["2001:db8::7"]},
    "mx.example": spf("v=spf1 mx -all", MX=[(10, "gone.mx.example"), (20, "host.a.example")]),
    "include.example": spf("v=spf1 include:sender.example -all"),
    "redirect.example": spf("v=spf1 redirect=sender.example"),
    "fail.example": spf("v=spf1 -all"),
    "softfail.example": spf("v=spf1 ~all"),
    "neutral.example": spf("v=spf1 ?all"),
    "empty.example": spf("v=spf1"),
    "none.example": {"TXT": ["hello"]},
    "two.example": {"TXT": ["v=spf1 +all", "v=spf1 -all"]},
    "broken.example": spf("v=spf1 ip4:192.0.2.0/33 +all"),
    "unknown.example": spf("v=spf1 wibble +all"),
    "ten.example": spf("v=spf1 " + "a:elsewhere.example " * 10 + "+all"),
    "eleven.example": spf("v=spf1 " + "a:elsewhere.example " * 11 + "+all"),
    "elsewhere.example": {"A": ["198.51.100.1"]},
    "voids.example": spf("v=spf1 a:no1.example a:no2.example +all"),
    "toovoid.example": spf("v=spf1 a:no1.example a:no2.example a:no3.example +all"),
    "loop.example": spf("v=spf1 include:loop2.example -all"),
    "loop2.example": spf("v=spf1 include:loop.example -all"),
    "hollow.example": spf("v=spf1 include:nowhere.example +all"),
    "mx.helo.example": spf("v=spf1 ip4:192.0.2.0/24 -all"),
    "3k.example": spf("v=spf1 " + "ip4:198.51.100.1 " * 170 + "ip4:192.0.2.7 -all"),
    "60k.example": spf("v=spf1 " + "ip4:198.51.100.1 " * 3500 + "+all"),
}

EXPECTED = {
    "sender.example": "pass", "a.example": "pass", "mx.example": "pass", "include.example": "pass", "redirect.example": "pass",
    "six.example": "fail", "fail.example": "fail", "softfail.example": "softfail", "neutral.example": "neutral",
    "empty.example": "neutral", "none.example": "none", "nowhere.example": "none", "two.example": "permerror",
    "broken.example": "permerror", "unknown.example": "permerror", "ten.example": "pass", "eleven.example": "permerror",
    "voids.example": "pass", "toovoid.example": "permerror", "loop.example": "permerror", "hollow.example": "permerror",
    "3k.example": "pass", "60k.example": "permerror", "sick.example": "temperror", "babble.example": "temperror",
    "short.example": "temperror",
}


def babble(question):
    """An answer to this question whose record claims to be longer than the message."""
    reply = question.reply(NOERROR, [(question.name, "TXT", rdata("TXT", "v=spf1 +all"))])
    return reply[:-len(rdata("TXT", "v=spf1 +all")) - 2] + struct.pack(">H", 60000) + rdata("TXT", "v=spf1 +all")


@pytest.fixture
def stage(site, dns):
    """(policyd, node that accepts) with ZONE in DNS."""
    dns.zone = dict(ZONE)
    dns.trouble = {"sick.example": "servfail", "babble.example": babble,
                   "short.example": lambda question: question.reply(NOERROR, [(question.name, "TXT", b"\xffv=spf1 +all")])}
    fake = site.fake_node(lambda check: {})
    return spf_policyd(site, fake, dns), fake


def test_every_outcome_reaches_the_node_as_it_is(stage, dns):
    policyd, fake = stage
    heard = {domain: ask(policyd, fake, sender=f"ann@{domain}") for domain in EXPECTED}
    assert heard == {domain: (wanted, domain) for domain, wanted in EXPECTED.items()}
    assert dns.tcp_count >= 2  # what is too long for UDP
    assert policyd.is_running()


@pytest.mark.parametrize("attributes, heard", [
    ({"client_address": "2001:db8::7", "sender": "ann@six.example"}, ("pass", "six.example")),
    ({"client_address": "2001:db8::7", "sender": "ann@a.example"}, ("pass", "a.example")),
    ({"client_address": "::ffff:192.0.2.7"}, ("pass", "sender.example")),
    ({"sender": "", "helo_name": "mx.helo.example"}, ("pass", "mx.helo.example")),
    ({"sender": "", "helo_name": "localhost"}, ("none", "localhost")),
    ({"sender": "", "helo_name": "[192.0.2.7]"}, ("none", "")),
    ({"sender": "ann"}, ("none", "")),
    ({"sender": "Ann@Sender.EXAMPLE."}, ("pass", "sender.example")),
    ({"sender": b"\xff@sender.example"}, ("pass", "sender.example")),
    ({"protocol_state": "MAIL"}, ("pass", "sender.example")),
    ({"protocol_state": "END-OF-MESSAGE", "recipient_count": "1"}, ("pass", "sender.example")),
    ({"sasl_username": "ann"}, ("", "")),
    ({"client_address": ""}, ("", "")),
    ({"client_address": "unknown"}, ("", "")),
    ({"client_address": "127.0.0.1"}, ("", "")),
    ({"client_address": "10.1.2.3"}, ("", "")),
    ({"client_address": "fe80::1"}, ("", "")),
    ({"protocol_state": "CONNECT"}, ("", "")),
], ids=str)
def test_who_is_looked_up(stage, dns, attributes, heard):
    policyd, fake = stage
    assert ask(policyd, fake, **{"sender": "ann@sender.example", **attributes}) == heard
    assert heard[0] or not dns.asked


def test_off_asks_no_dns(site, dns):
    dns.zone = dict(ZONE)
    fake = site.fake_node(lambda check: {})
    policyd = spf_policyd(site, fake, dns, evaluate=False)
    assert ask(policyd, fake, sender="ann@sender.example") == ("", "")
    assert not dns.asked and not policyd.log_lines("spf asked")


# ---- asked once

def test_ten_connections_ask_dns_once(stage, dns):
    policyd, fake = stage
    dns.held = {"sender.example"}
    clients = [PolicyClient(("127.0.0.1", policyd.port)) for _ in range(10)]
    fake.checks.clear()
    for number, client in enumerate(clients):
        client.send(client.request(recipient=f"u{number}@rcpt.example"))
    dns.wait_asked("sender.example")
    with PolicyClient(("127.0.0.1", policyd.port)) as other:  # nobody else waits meanwhile
        assert other.ask(sender="ann@fail.example") == "DUNNO"
    assert len(fake.checks) == 1
    dns.release()
    assert [client.answer() for client in clients] == ["DUNNO"] * 10
    assert outcome(policyd, fake) == "pass"
    assert [OUTCOMES[check.authentication.spf] for check in fake.checks] == ["fail"] + ["pass"] * 11
    assert dns.count("sender.example") == 1
    for client in clients:
        client.close()
    assert policyd.stop() == 0
    line, = policyd.log_lines(" spf asked=")
    assert " asked=12 known=1 joined=9 late=0 full=0 evaluated=2 none=0 pass=1 fail=1 " in line


def test_what_depends_on_the_sender_is_kept_for_the_sender(stage, dns):
    policyd, fake = stage
    dns.zone["macro.example"] = spf("v=spf1 exists:%{l}.ok.example -all")
    dns.zone["ann.ok.example"] = {"A": ["127.0.0.2"]}
    dns.held = {"macro.example"}
    clients = [PolicyClient(("127.0.0.1", policyd.port)) for _ in range(3)]
    fake.checks.clear()
    for client, name in zip(clients, ("ann", "bob", "ann")):
        client.send(client.request(sender=f"{name}@macro.example", recipient=f"{name}@rcpt.example"))
    dns.wait_asked("macro.example")
    dns.release()
    assert [client.answer() for client in clients] == ["DUNNO"] * 3
    assert sorted((check.sender, OUTCOMES[check.authentication.spf]) for check in fake.checks) == [
        ("ann@macro.example", "pass"), ("ann@macro.example", "pass"), ("bob@macro.example", "fail")]
    asked = len(dns.asked)
    assert outcome(policyd, fake, sender="bob@macro.example") == "fail"
    assert outcome(policyd, fake, sender="ann@macro.example") == "pass"
    assert len(dns.asked) == asked
    for client in clients:
        client.close()


def test_another_address_is_another_question(stage, dns):
    policyd, fake = stage
    assert outcome(policyd, fake, client="192.0.2.7") == "pass"
    assert outcome(policyd, fake, client="198.51.100.7") == "softfail"
    assert policyd.stop() == 0
    assert " asked=2 known=0 joined=0 late=0 full=0 evaluated=2 " in policyd.log_lines(" spf asked=")[0]


# ---- late, too much, none at all

def test_a_late_answer_serves_the_next_question(site, dns):
    dns.zone = dict(ZONE)
    fake = site.fake_node(lambda check: {})
    policyd = spf_policyd(site, fake, dns, deadline="100ms")
    dns.held = {"sender.example"}
    began = time.monotonic()
    assert outcome(policyd, fake) == ""
    assert time.monotonic() - began > 0.09
    dns.release()
    wait_for(lambda: outcome(policyd, fake) == "pass", "the late answer to be known")
    assert dns.count("sender.example") == 1
    assert policyd.stop() == 0
    assert re.search(r" late=[1-9]", policyd.log_lines(" spf asked=")[0])


def test_a_client_that_hangs_up_while_it_waits_does_no_harm(stage, dns):
    policyd, fake = stage
    dns.held = {"sender.example"}
    with PolicyClient(("127.0.0.1", policyd.port)) as client:
        client.send(client.request())
        dns.wait_asked("sender.example")
    dns.release()
    with PolicyClient(("127.0.0.1", policyd.port)) as client:
        assert client.ask() == "DUNNO"
    assert OUTCOMES[fake.checks[-1].authentication.spf] == "pass"
    assert dns.count("sender.example") == 1


def test_a_stop_does_not_wait_for_dns(site, dns):
    dns.zone = dict(ZONE)
    fake = site.fake_node(lambda check: {})
    policyd = spf_policyd(site, fake, dns, deadline="100ms")
    dns.held = {"sender.example"}
    assert outcome(policyd, fake) == ""
    assert policyd.stop(5) == 0


def test_beyond_the_limit_mail_goes_on_without(site, dns):
    dns.zone = dict(ZONE)
    fake = site.fake_node(lambda check: {})
    policyd = spf_policyd(site, fake, dns, parallel=1)
    dns.held = {"sender.example"}
    with PolicyClient(("127.0.0.1", policyd.port)) as client:
        client.send(client.request())
        dns.wait_asked("sender.example")
        assert outcome(policyd, fake, sender="ann@fail.example") == ""
        dns.release()
        assert client.answer() == "DUNNO"
    assert outcome(policyd, fake, sender="ann@fail.example") == "fail"
    assert len(policyd.log_lines("warn .*too many SPF evaluations")) == 1
    assert policyd.stop() == 0
    assert " full=1 " in policyd.log_lines(" spf asked=")[0]


def test_slow_name_servers_of_some_take_spf_from_nobody_else(site, dns):
    dns.zone = dict(ZONE)
    dns.trouble = {f"slow{number}.example": "silent" for number in range(3)}
    fake = site.fake_node(lambda check: {})
    policyd = spf_policyd(site, fake, dns, parallel=3, deadline="200ms")
    for name in dns.trouble:
        assert outcome(policyd, fake, sender=f"ann@{name}") == ""
    wait_for(lambda: outcome(policyd, fake) == "pass", "a slow one to give way")
    wait_for(lambda: outcome(policyd, fake, sender="ann@fail.example") == "fail", "room for another")
    assert policyd.stop() == 0
    assert re.search(r" given_up=1$", policyd.log_lines(" spf asked=")[0])
    assert len(policyd.log_lines("warn .*slow SPF evaluations give way")) == 1


def test_without_dns_mail_goes_on_and_the_log_says_so_once(site):
    port = free_port()
    fake = site.fake_node(lambda check: {})
    policyd = site.policyd(fake, spf={"evaluate": True, "servers": [f"127.0.0.1:{port}"], **PATIENT})
    began = time.monotonic()
    for number in range(30):
        assert outcome(policyd, fake, sender=f"ann@d{number}.example") in ("", "temperror")
    assert time.monotonic() - began < 8  # not 30 times the deadline
    assert len(policyd.log_lines("warn .*no name server answers")) == 1
    dns = DnsServer(dict(ZONE), port)
    try:
        wait_for(lambda: outcome(policyd, fake) == "pass", "an answer of the name server that came back")
        assert len(policyd.log_lines("name servers answer again")) == 1
    finally:
        dns.close()


def test_packets_of_garbage_do_no_harm(stage, dns):
    policyd, fake = stage
    garbage = [b"", b"\0", bytes(range(256)) * 4, b"\xff" * 512]

    def pelt(question):
        for data in garbage + [question.reply()[:2] + data for data in garbage] + [question.reply()[:size] for size in range(12, 30)]:
            dns.udp.sendto(data, dns.peer)
        return question.reply(NOERROR, [(question.name, "TXT", rdata("TXT", "v=spf1 +all"))])
    dns.trouble["noisy.example"] = pelt
    assert outcome(policyd, fake, sender="ann@noisy.example") in ("pass", "temperror")
    assert outcome(policyd, fake) == "pass"
    assert policyd.is_running()


def test_an_answer_that_is_not_the_name_servers_own_does_not_count(stage, dns):
    """Well made, but from another port, with another number, or about another name; the true one comes last."""
    policyd, fake = stage
    lie = rdata("TXT", "v=spf1 -all")

    def forge(question):
        forged = question.reply(NOERROR, [(question.name, "TXT", lie)])
        number, = struct.unpack(">H", forged[:2])
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as elsewhere:
            elsewhere.sendto(forged, dns.peer)
        for distance in (1, 256, 32768):
            dns.udp.sendto(struct.pack(">H", number ^ distance) + forged[2:], dns.peer)
        dns.udp.sendto(forged.replace(b"\x06forged", b"\x06forget"), dns.peer)
        return question.reply(NOERROR, [(question.name, "TXT", rdata("TXT", "v=spf1 +all"))])
    dns.trouble["forged.example"] = forge
    assert outcome(policyd, fake, sender="ann@forged.example") == "pass"
    assert dns.count("forged.example") == 1


# ---- a greylist in front of a real Postfix

DELAY_S = 2


@pytest.mark.parametrize("evaluate, answer", [(True, "250 "), (False, "451 4.7.1 ")], ids=["spf", "no spf"])
def test_a_retry_from_another_network_passes_by_spf_alone(site, dns, evaluate, answer):
    dns.zone = {"pool.example": spf("v=spf1 ip4:192.0.2.7 ip4:198.51.101.7 -all")}
    node = site.node(policy=sample_policy(greylist={"mode": "enforce", "delay": f"{DELAY_S}s"}))
    policyd = spf_policyd(site, node, dns, evaluate=evaluate)
    mx = site.mx(policyd)

    def rcpt(client):
        reply, = mx.rcpt("ann@pool.example", "bob@rcpt.example", client=client)
        return reply
    assert rcpt("192.0.2.7").startswith("451 4.7.1 ")
    deferred = time.monotonic()
    wait_for(lambda: time.monotonic() > deferred + DELAY_S + 0.05, "the delay to be over")
    assert rcpt("203.0.113.7").startswith("451 4.7.1 ")  # SPF fails: a stranger who forges the sender
    assert rcpt("198.51.101.7").startswith(answer)
