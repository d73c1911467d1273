"""Reputation as an operator sees it, through two real nodes over one Redis: what gateways report at one is explained by the other, a
gateway that lies does not get far and is taken out again, and what is known leaves as a DNS list, which a real rbldnsd serves."""
import json
import math
import pathlib
import re
import socket
import struct
import subprocess
import time

import pytest
import zmq

from tests.support import harness
from tests.support.harness import Site, program, sample_policy, wait_for
from tests.support.processes import Process, free_port, tool

FINE, NEGATIVE, USAGE, NO_NODE, REFUSED, NO_STORE = range(6)
EVE, BOB = "eve@sender.example", "bob@rcpt.example"


class Nodes:
    def __init__(self, site):
        self.site = site
        policy = sample_policy(greylist={"mode": "enforce"}, domains={"rcpt.example": {}}, trusted_sources=["100.127.0.0/16"])
        policy["settings"]["reputation"] = {"mode": "enforce"}
        self.redis = site.redis()
        store = {"mode": "single", "address": self.redis.address}
        self.a, self.b = [site.node(f"node-{name}", policy=policy, store=store) for name in "ab"]
        self.pb = harness.wire_module(site.folder)
        self.count = 0

    def report(self, evidence, ip, gateways, times=1, sender=EVE, node=None, in_flight=1):
        """Tells a node so often, in turn from these gateways, so many at a time. Each must be taken."""
        door = zmq.Context.instance().socket(zmq.DEALER)
        door.linger = 0
        door.connect((node or self.a).lookups)
        waiting = 0
        for number in range(times):
            self.count += 1
            request = self.pb.Request(id=self.count, gateway=gateways[number % len(gateways)], budget_ms=10000)
            request.report.CopyFrom(self.pb.Report(event=f"event-{self.count}", evidence=getattr(self.pb, f"EVIDENCE_{evidence}"),
                                                   client_ip=ip, sender=sender))
            door.send_multipart([b"", request.SerializeToString()])
            waiting += 1
            if waiting == in_flight:
                waiting -= self.answered(door)
        while waiting:
            waiting -= self.answered(door)
        door.close()

    def answered(self, door):
        assert door.poll(20000), "a report was not answered"
        reply = self.pb.Reply.FromString(door.recv_multipart()[1])
        assert reply.status == self.pb.STATUS_OK, reply.error
        return 1

    def ctl(self, *words, node=None):
        node = node or self.b
        return subprocess.run([program("reevectl"), "--node", node.lookups, "--admin", node.admin, "--stats", node.stats, *map(str, words)],
                              capture_output=True, text=True, timeout=60)

    def ask(self, *words, code=FINE, node=None):
        done = self.ctl("--json", *words, node=node)
        assert done.returncode == code, done
        return json.loads(done.stdout)

    def explain(self, ip, *words, node=None):
        return self.ask("reputation", "explain", "--ip", ip, "--from", EVE, "--to", BOB, *words, node=node)["reputation"]

    def p(self, ip, node=None):
        return self.explain(ip, node=node)["p"]


@pytest.fixture(scope="module")
def site():
    servers = Site()
    yield servers
    servers.close()


@pytest.fixture(scope="module")
def nodes(site):
    return Nodes(site)


# ---- nothing is known, and what is asked wrongly


def test_nobody_has_reported_anything(nodes):
    done = nodes.ctl("reputation", "explain", "--ip", "192.0.2.1", "--from", EVE, "--to", BOB)
    assert done.returncode == FINE and "made of it: nothing" in done.stdout and "p        = 0.5\n" in done.stdout
    done = nodes.ctl("reputation", "explain", "--ip", "100.127.0.1", "--from", EVE, "--to", BOB)
    assert done.returncode == NEGATIVE and "no reputation: trusted source" in done.stdout
    assert nodes.ask("reputation", "explain", "--ip", "100.127.0.1", "--from", EVE, "--to", BOB, code=NEGATIVE)["reputation"] is None
    done = nodes.ctl("reputation", "show", "--ip", "192.0.2.1")
    assert done.returncode == NEGATIVE and "nothing is kept of it" in done.stdout and "(0 + 1) / (0 + 0 + 2)" in done.stdout
    assert "no gateway has reported" in nodes.ctl("reputation", "gateways").stdout
    assert nodes.ask("reputation", "top", code=NEGATIVE) == [] and nodes.ask("reputation", "gateways", code=NEGATIVE) == []
    done = nodes.ctl("reputation", "export", "--format", "rbldnsd", "--kind", "domain")
    assert done.returncode == FINE and done.stdout == "$TTL 600\n$DATASET dnset @\n:127.0.0.2:listed\ntest\n"
    done = nodes.ctl("reputation", "undo", "--gateway", "mx1")
    assert done.returncode == REFUSED and "no gateway is called 'mx1'" in done.stderr


@pytest.mark.parametrize("words, said", [
    (("show",), "expected --ip, --asn, --country or --domain"),
    (("show", "192.0.2.1"), "was not expected here"),
    (("explain", "--ip", "192.0.2.1"), "a --to is missing"),
    (("explain", "nonsense", "--to", BOB), "no ticket"),
    (("top", "--kind", "world"), "--kind: expected one of ip, net, wide"),
    (("top", "--by", "size"), "--by: expected one of worst, best, mails"),
    (("top", "--evidence", "-1"), "--evidence: expected a number like 0.5"),
    (("top", "--evidence", "1e3"), "--evidence: expected"),
    (("top", "--evidence", "."), "--evidence: expected"),
    (("top", "--limit", "0"), "--limit: expected 1 to 10000"),
    (("top", "--limit", "10001"), "--limit: expected"),
    (("gateways", "mx1"), "was not expected here"),
    (("undo",), "--gateway is missing"),
    (("undo", "mx1"), "was not expected here"),
    (("export",), "--format is missing"),
    (("export", "--format", "csv"), "--format: expected one of rbldnsd, bind-dnsbl, reputon"),
    (("export", "--format", "rbldnsd", "--kind", "sender"), "--kind: expected one of ip, net, wide, domain"),
    (("export", "--format", "rbldnsd", "--p", "1.1"), "--p: expected a number like 0.5, at most 1"),
    (("export", "--format", "rbldnsd", "--lower", "x"), "--lower: expected"),
    (("export", "--format", "rbldnsd", "--zone", "bad zone"), "--zone: expected a domain name"),
    (("export", "--format", "rbldnsd", "--server", "a\nb"), "--server: expected a domain name"),
    (("export", "--format", "reputon", "--rater", "."), "--rater: expected a domain name"),
    (("export", "--format", "bind-dnsbl", "--contact", "me@x.example"), "--contact: expected a domain name"),
    (("export", "--format", "reputon", "--ttl", "8d"), "--ttl: expected"),
    (("export", "--format", "reputon", "--output", "/no/such/folder/x"), "/no/such/folder/x.new: No such file"),
])
def test_what_is_asked_wrongly(nodes, words, said):
    done = nodes.ctl("reputation", *words)
    assert done.returncode == USAGE and said in done.stderr, done


# ---- who changes his mind, and who lies


def test_a_hijacked_address_is_noticed_within_100_reports(nodes):
    ip = "203.0.113.50"
    nodes.report("HAM", ip, ["mx1", "mx2", "mx3", "mx4"], 200, sender="ann@hijacked.example", in_flight=64)
    wait_for(lambda: nodes.explain(ip)["address"] < 0.1, "the other node to have heard of it")
    nodes.report("SPAM", ip, ["mx1", "mx2", "mx3", "mx4"], 100, sender="ann@hijacked.example", in_flight=64)
    assert nodes.explain(ip)["address"] >= 0.9
    assert all(float(trust_of(nodes, gateway, nodes.a)["trust"]) == 1 for gateway in ("mx1", "mx2", "mx3", "mx4"))  # who noticed it is no liar


def trust_of(nodes, gateway, node=None):
    return {row["gateway"]: row for row in nodes.ask("reputation", "gateways", node=node)}[gateway]


def metrics(nodes, node):
    """Of one snapshot: how far each gateway is trusted."""
    rows = nodes.ask("stats", node=node)["metrics"]
    return {row["labels"]["gateway"]: row["value"] for row in rows if row["name"] == "reeve_reputation_gateway_trust"}


def test_ten_thousand_reports_of_a_gateway_that_lies(nodes):
    ip, honest = "203.0.113.99", ["mx1", "mx2", "mx3", "mx4"]
    nodes.report("HAM", ip, honest, 200, sender="ann@partner.example")
    before = nodes.explain(ip)["address"]
    assert before < 0.1
    nodes.report("SPAM", ip, ["liar"], 10000, sender="ann@partner.example", in_flight=64)
    assert nodes.explain(ip)["address"] <= 0.34
    for node in (nodes.a, nodes.b):
        wait_for(lambda: float(trust_of(nodes, "liar", node)["trust"]) < 0.5, "the liar to lose trust")
        node.wait_log("gateway contradicts what others know")
        assert len(node.log_lines("contradicts what others know")) == 1 and 'gateway="liar"' in node.log_lines("contradicts")[0]
    assert trust_of(nodes, "liar")["alarm"] == "true" and trust_of(nodes, "mx1")["alarm"] == ""
    told = metrics(nodes, nodes.b)
    assert told["liar"] < 0.5 and told["mx1"] == 1 and set(told) == {"liar", *honest}

    held = nodes.ask("reputation", "undo", "--gateway", "liar", "--dry-run")
    assert held["dry_run"] and held["spam"] > 1 and held["kinds"]["ip"] == 1 and {row["name"] for row in held["most"]} >= {ip, "partner.example"}
    again = nodes.ask("reputation", "undo", "--gateway", "liar", "--dry-run")
    assert abs(again["spam"] - held["spam"]) < 0.1
    done = nodes.ctl("reputation", "undo", "--gateway", "liar")
    assert done.returncode == FINE and "it is taken out" in done.stdout and ip in done.stdout and "-> " in done.stdout
    assert abs(nodes.explain(ip)["address"] - before) <= 0.02
    assert not any(reporter["gateway"] == "liar" for level in nodes.explain(ip)["levels"][:1] for reporter in level["reporters"])
    wait_for(lambda: trust_of(nodes, "liar")["trust"] == "1.000", "its record to be new")
    nodes.b.wait_log('gateway is trusted again gateway="liar"')
    assert nodes.ctl("reputation", "undo", "--gateway", "liar").returncode == NEGATIVE


# ---- the whole computation

NUMBER = r"[0-9.e+-]+"


def chains_of(text):
    """Of each chain, root first: spam, ham and m, as they stand in the lines of the computation."""
    chains = []
    for line in text.splitlines():
        root = re.fullmatch(rf"    (\w+) +({NUMBER}) = \(({NUMBER}) \+ 1\) / \(({NUMBER}) \+ ({NUMBER}) \+ 2\)", line)
        level = re.fullmatch(rf"    (\w+) +({NUMBER}) = \(({NUMBER}) \+ ({NUMBER}) \* ({NUMBER})\) / \({NUMBER} \+ ({NUMBER}) \+ {NUMBER}\)", line)
        if root:
            chains.append([(float(root[3]), float(root[5]), 0)])
        elif level:
            chains[-1].append((float(level[3]), float(level[6]), float(level[4])))
    return chains


def computed(chain):
    spam, ham, _ = chain[0]
    p = (spam + 1) / (spam + ham + 2)
    for spam, ham, m in chain[1:]:
        p = (spam + m * p) / (spam + ham + m)
    return p


def logit(p):
    return math.log(p / (1 - p))


def recomputed(text):
    """p and its bounds, from the text alone."""
    address, sender = [computed(chain) for chain in chains_of(text)]
    weight = float(re.search(rf"the sender counts ({NUMBER}) times", text)[1])
    p = 1 / (1 + math.exp(-(logit(address) + weight * logit(sender)) / (1 + weight)))
    spam, ham, m = chains_of(text)[0][-1]
    spread = 1.645 * math.sqrt(p * (1 - p) / (spam + ham + m + 1))
    return p, max(0, p - spread), min(1, p + spread)


def said(text):
    """What the text says of p and its bounds."""
    lower, upper = re.search(rf"^certainty: ({NUMBER}) to ({NUMBER}) = ", text, re.M).groups()
    return float(re.search(rf"^    p        = ({NUMBER})$", text, re.M)[1]), float(lower), float(upper)


def test_the_explanation_is_the_whole_computation(nodes):
    nodes.report("NOT_SPAM", "192.0.2.1", ["mx3"], 2)
    nodes.report("SPAM", "192.0.2.1", ["mx1", "mx2", "mx3"], 7)
    nodes.report("HAM", "192.0.2.2", ["mx1", "mx2"], 5, sender="ann@other.example", node=nodes.b)
    nodes.report("TRAP", "198.51.100.9", ["mx2"], 1)
    wait_for(lambda: nodes.explain("192.0.2.3")["levels"][1]["known"], "the network to have heard of it")
    for case in (("192.0.2.1",), ("192.0.2.3",), ("198.51.100.1",), ("2001:db8::7",), ("192.0.2.1", "--spf", "pass"), ("192.0.2.1", "--spf", "neutral")):
        words = ("reputation", "explain", "--ip", *case, "--from", EVE, "--to", BOB)
        done, told = nodes.ctl(*words), nodes.ask(*words)["reputation"]
        assert done.returncode == FINE
        for mine, theirs in zip(recomputed(done.stdout), said(done.stdout)):
            assert abs(mine - theirs) < 1e-6, (case, done.stdout)
        levels = [[(level["spam"], level["ham"], level["strength"]) for level in reversed(chain)] for chain in (told["levels"][:4], told["levels"][4:])]
        assert abs(computed(levels[0]) - told["address"]) < 1e-12 and abs(computed(levels[1]) - told["sender"]) < 1e-12
        assert told["sender_weight"] == (1 if "pass" in case else 0.5) and told["address_levels"] == 4
        kinds = [level["kind"] for level in told["levels"]]
        assert kinds == ["ip", "net", "wide", "world"] + ([] if "neutral" in case else ["domain"]) + ["tld", "senders"]
        for chain in (told["levels"][:4], told["levels"][4:]):
            assert abs(sum(level["share"] for level in chain) - 1) < 1e-9
    text = nodes.ctl("reputation", "explain", "--ip", "192.0.2.1", "--from", EVE, "--to", BOB).stdout
    assert re.search(r"^ip +mx1 +3\.000 +0\.000 +1\.000", text, re.M) and "made of it: greylist" in text and "cold start" in text
    done = nodes.ctl("reputation", "explain", "--ip", "192.0.2.1", "--from", EVE, "--to", BOB, "--spf", "fail")
    assert "that of the address alone" in done.stdout and "the sender" not in done.stdout.split("together")[0]


def test_both_nodes_and_every_command_say_the_same(nodes):
    told = nodes.explain("192.0.2.1")
    for key in ("spam", "ham"):  # of the address itself, which no node keeps
        assert abs(told["levels"][0][key] - nodes.explain("192.0.2.1", node=nodes.a)["levels"][0][key]) < 1e-4
    verdict, = nodes.ask("explain", "--ip", "192.0.2.1", "--from", EVE, "--to", BOB, code=NEGATIVE)["verdicts"]
    assert abs(verdict["score"] - 100 * (1 - verdict["reputation"]["p"])) < 1e-9

    def of_all():
        leaf = nodes.ask("reputation", "show", "--ip", "192.0.2.1")[0]
        row, = [row for row in nodes.ask("reputation", "top", "--evidence", "0.5") if row["name"] == "192.0.2.1"]
        assert leaf["kind"] == "ip" and row["gateways"] == 3
        return nodes.explain("192.0.2.1")["address"], float(leaf["p"]), row["p"]
    wait_for(lambda: max(of_all()) - min(of_all()) < 1e-6, "no parent to be read again between two questions")


def test_top(nodes):
    rows = nodes.ask("reputation", "top", "--evidence", "0.5")
    assert {row["name"] for row in rows} >= {"192.0.2.1", "198.51.100.9", "192.0.2.2"} and all(row["kind"] == "ip" for row in rows)
    assert [row["lower"] for row in rows] == sorted((row["lower"] for row in rows), reverse=True)
    best = nodes.ask("reputation", "top", "--by", "best", "--evidence", "0.5")
    assert [row["upper"] for row in best] == sorted(row["upper"] for row in best) and len(best) == len(rows)
    assert [row["name"] for row in nodes.ask("reputation", "top", "--limit", "2", "--evidence", "0.5")] == [row["name"] for row in rows[:2]]
    assert {row["kind"] for row in nodes.ask("reputation", "top", "--kind", "net", "--kind", "domain", "--evidence", "0")} == {"net", "domain"}
    assert "KIND" in nodes.ctl("reputation", "top").stdout


# ---- as a DNS list


def query(port, name, kind=1):
    """RCODE, and the texts or addresses of the answer."""
    question = b"".join(bytes([len(label)]) + label.encode() for label in name.split(".")) + b"\0" + struct.pack(">HH", kind, 1)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as udp:
        udp.settimeout(5)
        udp.sendto(struct.pack(">HHHHHH", 7, 0, 1, 0, 0, 0) + question, ("127.0.0.1", port))
        packet = udp.recv(4096)
    count, at, found = struct.unpack(">H", packet[6:8])[0], 12 + len(question), []
    for _ in range(count):
        size, = struct.unpack(">H", packet[at + 10:at + 12])
        value = packet[at + 12:at + 12 + size]
        found.append(socket.inet_ntoa(value) if kind == 1 else value[1:].decode())
        at += 12 + size
    return packet[3] & 15, found


def reverse(ip):
    return ".".join(reversed(ip.split("."))) if "." in ip else ".".join(reversed(socket.inet_pton(socket.AF_INET6, ip).hex()))


@pytest.fixture(scope="module")
def listed(nodes):
    """A bad network with a good address in it, a bad IPv6 address and a bad domain."""
    spammers = ["spam@bad.example", ["mx1", "mx2", "mx3", "mx4"]]
    for ip in ("100.64.7.1", "100.64.7.2", "100.64.7.3", "100.64.7.4", "100.64.7.5", "2001:db8:7::1"):
        nodes.report("SPAM", ip, spammers[1], 60, sender=spammers[0])
    nodes.report("HAM", "100.64.7.9", ["mx1", "mx2", "mx3", "mx4"], 40, sender="ann@good.example")
    wait_for(lambda: [row["p"] > 0.8 for row in nodes.ask("reputation", "top", "--kind", "net") if row["name"] == "100.64.7.0/24"] == [True],
             "the network to have heard of it")
    return nodes


def test_a_real_rbldnsd_serves_what_is_exported(listed, site):
    file = pathlib.Path(site.folder) / "bl.rbldnsd"
    done = listed.ctl("reputation", "export", "--format", "rbldnsd", "--kind", "ip", "--kind", "net", "--kind", "domain", "--p", "0.8", "--lower", "0.5",
                      "--evidence", "2", "--server", "ns.example", "--output", file)
    assert done.returncode == FINE and re.search(r"bl\.rbldnsd: \d+ entries, of \d+", done.stdout), done
    assert not file.with_suffix(".rbldnsd.new").exists()
    port = free_port()
    server = Process("rbldnsd", [tool("rbldnsd"), "-n", "-b", f"127.0.0.1/{port}", "-w", site.folder, f"bl.example:combined:{file.name}"],
                     pathlib.Path(site.folder) / "rbldnsd.log")
    server.start()
    try:
        server.wait_log("started")
        for name, is_listed in ((reverse("100.64.7.1"), True), (reverse("100.64.7.77"), True), (reverse("100.64.7.9"), False),
                                (reverse("2001:db8:7::1"), True), (reverse("2001:db8:8::1"), False), (reverse("203.0.113.99"), False),
                                ("bad.example", True), ("mail.bad.example", True), ("good.example", False),
                                ("2.0.0.127", True), ("1.0.0.127", False), ("test", True), ("invalid", False)):
            expected = (0, ["127.0.0.2"]) if is_listed else (3, [])
            assert query(port, f"{name}.bl.example") == expected, name
        _, texts = query(port, f"{reverse('2001:db8:7::1')}.bl.example", 16)
        assert re.fullmatch(r"spam probability 0\.[89]\d\d, evidence \d+\.\d, 4 gateways", texts[0])
    finally:
        server.stop()


def test_the_same_for_bind(listed):
    text = listed.ctl("reputation", "export", "--format", "bind-dnsbl", "--kind", "ip", "--kind", "net", "--p", "0.8", "--lower", "0.5",
                      "--zone", "bl.example")
    assert text.returncode == FINE and "1 networks are left out" in text.stderr
    lines = text.stdout.splitlines()
    assert lines[0] == "$ORIGIN bl.example." and f"{reverse('100.64.7.1')} A 127.0.0.2" in lines
    assert not any(line.startswith(("*.7.64.100", reverse("100.64.7.9"))) for line in lines)


def test_reputons(listed):
    document = listed.ask("reputation", "export", "--format", "reputon", "--rater", "mx.rcpt.example", "--ttl", "1h")
    assert document["application"] == "email-id"
    rated = {reputon["rated"]: reputon for reputon in document["reputons"]}
    for reputon in rated.values():
        assert reputon["rater"] == "mx.rcpt.example" and reputon["assertion"] == "spam"
        assert 0 <= reputon["rating"] <= 1 and 0 <= reputon["confidence"] <= 1 and reputon["expires"] == reputon["generated"] + 3600
        assert isinstance(reputon["sample-size"], int) and isinstance(reputon["generated"], int)
    assert rated["100.64.7.1"]["rating"] > 0.9 and rated["100.64.7.1"]["email-id-identity"] == "ipv4"
    assert rated["100.64.7.9"]["rating"] < 0.1 and rated["100.64.7.9"]["sources"] == 4
    assert rated["2001:db8:7::1"]["email-id-identity"] == "ipv6" and rated["bad.example"]["email-id-identity"] == "rfc5321.mailfrom"


def test_more_gateways_than_a_page_holds(site):
    nodes = Nodes(site)
    now = int(time.time() * 1000)
    rows = [word for number in range(1, 1201) for word in (f"g{number}", f"{number} {now} 0 0 0 0 0 0")]
    nodes.redis.command("HSET", "gateways:{p}", "", "1200", *rows)
    nodes.report("SPAM", "192.0.2.1", ["last"])
    wait_for(lambda: len(json.loads(nodes.ctl("--json", "reputation", "gateways").stdout)) == 1201, "1201 gateways")
    assert "it would be taken out" in nodes.ctl("reputation", "undo", "--gateway", "last", "--dry-run").stdout


def test_a_node_that_drains_has_told_what_it_learnt(site):
    """Told a moment before: what climbs has a second to wait at each level, and the node leaves after one."""
    nodes = Nodes(site)
    nodes.report("SPAM", "192.0.2.1", ["mx1"], times=3)
    nodes.a.stop()
    assert nodes.redis.command("EXISTS", "r:w:c000", "r:g:address", "r:t:example", "r:g:sender") == "4\n"
    assert nodes.redis.command("HGET", "gateways:{p}", "mx1").split()[2].startswith(("3", "2.99"))
    assert "forgotten" not in nodes.a.log_path.read_text()


def test_without_the_store_nothing_is_exported(listed, site):
    """Last: the store goes away. A file that is there stays as it was."""
    file = pathlib.Path(site.folder) / "kept"
    file.write_text("as it was")
    listed.redis.stop()
    for node in (listed.a, listed.b):
        node.wait_log("store is down")
    done = listed.ctl("reputation", "export", "--format", "rbldnsd", "--output", file)
    assert done.returncode == NO_STORE and file.read_text() == "as it was", done
    assert listed.ctl("reputation", "top").returncode == NO_STORE and listed.ctl("reputation", "show", "--ip", "192.0.2.1").returncode == NO_STORE
    assert listed.ctl("reputation", "undo", "--gateway", "mx1").returncode == NO_STORE
    assert listed.ctl("reputation", "gateways").returncode == FINE
