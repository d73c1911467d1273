"""What mail turned out to be, told to one of two nodes over one Redis: an event counts once, the other node hears of it, spam ends what its sender
had earned, `reevectl report` finds a mail by its ticket, nothing is lost while Redis is away, and the nodes report by themselves."""
import json
import re
import subprocess

import pytest

from tests.support.harness import Site, program, sample_policy, wait_for

FINE, NEGATIVE, USAGE, NO_NODE, REFUSED, NO_STORE = range(6)
ANN = "ann@rcpt.example"
POLICY = sample_policy(domains={"rcpt.example": {"recipients": "directory"}}, trusted_sources=["203.0.113.0/28"],
                       settings={"greylist": {"mode": "enforce"}, "reputation": {"gateways": "mute=0"}})


class Nodes:
    def __init__(self, site):
        self.redis = site.redis()
        store = {"mode": "single", "address": self.redis.address}
        self.a, self.b = [site.node(f"node-{name}", policy=POLICY, store=store) for name in "ab"]
        done = subprocess.run([program("reevectl"), "--admin", self.a.admin, "directory", "import", "--format", "csv", "--domain", "rcpt.example", "-"],
                              input=f"{ANN}\n", capture_output=True, text=True, timeout=60)
        assert done.returncode == FINE, done.stdout + done.stderr

    def held(self, address):
        """What is stored of an IPv4 address."""
        return self.redis.command("exists", "r:i:" + "".join(f"{int(part):02x}" for part in address.split("."))).strip()

    def stats(self, node=None):
        """Counters of reports, as they are published once a second."""
        metrics = ctl(node or self.a, "--stats", (node or self.a).stats, "stats")[1]["metrics"]
        return {metric["name"][len("reeve_reports_"):]: metric["value"] for metric in metrics if metric["name"].startswith("reeve_reports_")}


@pytest.fixture(scope="module")
def nodes():
    site = Site()
    yield Nodes(site)
    site.close()


def ctl(node, *words, stdin=None):
    """The exit code, the JSON document and what was said."""
    done = subprocess.run([program("reevectl"), "--node", node.lookups, "--admin", node.admin, "--json", *map(str, words)], input=stdin,
                          capture_output=True, text=True, timeout=60)
    return done.returncode, json.loads(done.stdout.splitlines()[-1]) if done.stdout else None, done.stderr


def report(node, *words):
    code, told, said = ctl(node, "report", *words)
    assert told is not None and "recorded" in told, said
    return code, told["recorded"], told["skipped_why"]


def verdict(node, *words):
    code, answer, said = ctl(node, "check", *words)
    assert answer is not None and "verdicts" in answer, said
    return answer["verdicts"][0]


def test_an_event_counts_once_at_whichever_node(nodes):
    words = ("spam", "--ip", "192.0.2.1", "--from", "x@spam.example", "--event", "mx1/4F2")
    assert report(nodes.a, *words) == (FINE, 1, "")
    assert report(nodes.b, *words) == (FINE, 0, "seen")
    assert report(nodes.b, *words, "--gateway", "mx2") == (FINE, 0, "seen")
    assert report(nodes.b, *words[:-1], "mx1/4F3", "--gateway", "mx2", "--weight", "0.5", "--came", "1d") == (FINE, 1, "")


def test_what_is_not_counted_says_why(nodes):
    assert report(nodes.a, "spam", "--ip", "203.0.113.7") == (NEGATIVE, 0, "nobody")
    assert report(nodes.a, "spam", "--ip", "192.0.2.2", "--gateway", "mute") == (NEGATIVE, 0, "weightless")
    done = nodes.a.reevectl("report", "spam", "--ip", "203.0.113.7")
    assert done.returncode == NEGATIVE and done.stdout.startswith("spam of client 203.0.113.7\nnot counted: of trusted sources"), done.stdout


def test_a_mail_is_found_by_its_ticket_or_its_line(nodes):
    pair = ("--from", "z@shop.example", "--to", ANN)
    deferred = verdict(nodes.a, "--ip", "198.51.100.9", *pair)
    assert deferred["reason"] == "greylist_new"
    wait_for(lambda: ctl(nodes.b, "track", deferred["ticket"])[0] == FINE, "the decision to be found")
    done = nodes.b.reevectl("report", "complaint", deferred["ticket"])
    assert done.returncode == FINE, done.stderr
    assert re.fullmatch(rf"complaint of client 198\.51\.100\.9 from <z@shop\.example> to <{ANN}> at 20[-0-9]+ [:0-9]+Z\ncounted\n", done.stdout)
    assert report(nodes.a, "complaint", deferred["ticket"]) == (FINE, 0, "seen")
    line = f"NOQUEUE: reject: RCPT from x[198.51.100.9]: 451; from=<z@shop.example> to=<{ANN}> proto=ESMTP"
    assert report(nodes.a, "complaint", line) == (FINE, 0, "seen")
    assert report(nodes.a, "not-spam", line) == (FINE, 1, "")
    code, told, _ = ctl(nodes.a, "report", "trap", deferred["ticket"], "--ip", "198.51.100.10", "--dry-run")
    assert code == FINE and (told["client_ip"], told["sender"], told["recorded"]) == ("198.51.100.10", "z@shop.example", 0)
    assert nodes.held("198.51.100.9") == "1" and nodes.held("198.51.100.10") == "0"


@pytest.mark.parametrize("words, said", [
    ((), "what it was is missing"),
    (("junk", "--ip", "192.0.2.1"), "'junk' is no evidence; expected ham, spam,"),
    (("spam",), "of whom? --ip or --from"),
    (("spam", "--from", "<>"), "of whom? --ip or --from"),
    (("spam", "nonsense"), "is no ticket"),
    (("spam", "0j2c5v8m1x9d3f7k2q"), "no decision has the ticket"),
    (("spam", "--ip", "192.0.2"), "'192.0.2' is no IPv4 or IPv6 address"),
    (("spam", "--ip", "192.0.2.1", "--weight", "3.5"), "--weight: expected a number above 0 and at most 3"),
    (("spam", "--ip", "192.0.2.1", "--weight", "nan"), "--weight: expected"),
    (("spam", "--ip", "192.0.2.1", "--came", "31d"), "is not within 30 days before"),
    (("spam", "--ip", "192.0.2.1", "--event", "e" * 129), "129 bytes given, at most 128"),
    (("spam", "--ip", "192.0.2.1", "--gateway", "g" * 65), "gateway: expected at most 64 bytes"),
])
def test_misuse_is_explained(nodes, words, said):
    code, _, stderr = ctl(nodes.a, "report", *words)
    assert code in (USAGE, REFUSED, NEGATIVE) and said in stderr, stderr


def test_spam_ends_that_the_pair_is_let_through(nodes):
    pair = ("--user", ANN, "--external", "joe@partner.example")
    assert ctl(nodes.a, "sent", "--from", ANN, "--to", "joe@partner.example", "--ip", "203.0.113.1")[0] == FINE
    assert ctl(nodes.b, "allow", "show", *pair)[1][0]["holds"] == "true"
    assert report(nodes.b, "ham", "--ip", "198.51.100.20", "--from", "joe@partner.example", "--to", ANN) == (FINE, 1, "")
    assert ctl(nodes.b, "allow", "show", *pair)[1][0]["holds"] == "true"
    assert report(nodes.b, "spam", "--ip", "198.51.100.20", "--from", "joe@partner.example", "--to", ANN) == (FINE, 1, "")
    shown = ctl(nodes.a, "allow", "show", *pair)[1][0]
    assert (shown["holds"], shown["disabled"]) == ("false", "true")


def test_recipients_that_do_not_exist_are_reported_by_the_chain(nodes):
    before, seen = nodes.stats(), nodes.stats(nodes.b)["seen"]
    assert before["own"] == 0
    assert verdict(nodes.a, "--ip", "198.51.100.30", "--from", "h@bot.example", "--to", "nobody@rcpt.example")["reason"] == "greylist_new"
    wait_for(lambda: nodes.stats()["recorded"] == before["recorded"] + 1, "the report to be counted")
    assert nodes.held("198.51.100.30") == "1"
    verdict(nodes.b, "--ip", "198.51.100.30", "--from", "h2@bot.example", "--to", "nobody@rcpt.example")
    wait_for(lambda: nodes.stats(nodes.b)["seen"] == seen + 1, "node B to have heard that it was counted")
    assert nodes.stats()["own"] == 1


# ---- the store is away: the last test of these servers

def test_what_is_reported_while_redis_is_away_is_counted_afterwards(nodes):
    before = nodes.stats()["recorded"]
    nodes.redis.kill()
    wait_for(lambda: '"up"' not in nodes.a.reevectl("--json", "store", "show").stdout, "node A to notice")
    for event in ("o1", "o2", "o1"):
        code, told, said = ctl(nodes.a, "report", "spam", "--ip", "198.51.100.40", "--event", event)
        assert (code, told["recorded"], told["queued"]) == (FINE, 0, True), said
    assert nodes.a.reevectl("report", "spam", "--ip", "198.51.100.41").stdout == (
        "spam of client 198.51.100.41\nqueued: the store is away; it is counted when that is back\n")
    assert nodes.stats()["waiting"] == 4
    nodes.redis.start()
    wait_for(lambda: nodes.stats()["waiting"] == 0, "all to be counted")
    after = nodes.stats()
    assert (after["recorded"], after["lost"]) == (before + 3, 0)
    assert nodes.held("198.51.100.40") == "1" and nodes.held("198.51.100.41") == "1"
