"""Several nodes on one Redis: known mail costs no command, and what one node forgets or expects, all of them do within a second,
whatever happened to them or to Redis meanwhile."""
import re
import signal
import time

import pytest

from tests.support import harness
from tests.support.asking import Gateway, stranger, verdict

# Without what is kept of recipients, known mail asks Redis nothing.
POLICY = {"settings": {"greylist": {"mode": "enforce", "delay": "1s"}, "tracking": {"sample": 0}, "personal_lists": False,
                       "auto_allow": {"scope": "off"}}}
RECIPIENT = "bob@rcpt.example"
NOISE_S = 1.0  # what a busy machine may add to any time that is measured here


@pytest.fixture
def store(site):
    return site.redis()


def calls(store, command):
    """How often Redis was asked with that command, by anybody."""
    found = re.search(rf"cmdstat_{command}:calls=(\d+)", store.command("INFO", "commandstats"))
    return int(found.group(1)) if found else 0


class Asked:
    """A node and a gateway on each of its doors."""

    def __init__(self, site, name, store, **more):
        self.node = site.node(name, policy=POLICY, store={"mode": "single", "address": store.address, **more})
        self.lookups = Gateway(site.folder, self.node.lookups)
        self.admin = Gateway(site.folder, self.node.admin)

    def reason(self, sender, client="192.0.2.7"):
        reply = self.lookups.check(sender, ip=client)
        assert reply.status == 0, reply.error
        return verdict(reply).reason

    def forget(self, sender):
        return self.admin.admin("grey.forget", sender=sender, recipient=RECIPIENT)

    def learn(self, sender):
        """The sender passes, and this node has it at hand."""
        harness.wait_for(lambda: self.reason(sender) in ("greylist_pass", "greylist_known"), "the sender to pass")
        harness.wait_for(lambda: self.reason(sender) == "greylist_known", "the sender to be known")

    def keep(self, store, sender):
        """The sender is known, and asking once more costs nothing."""
        self.learn(sender)
        harness.wait_for(lambda: self.costs(store, sender) == 0, f"{self.node.name} to need no Redis for {sender}")

    def costs(self, store, sender, times=1):
        before = calls(store, "hmget")
        for _ in range(times):
            assert self.reason(sender) == "greylist_known"
        return calls(store, "hmget") - before


@pytest.fixture
def asked(site, store):
    """Makes nodes, and ends them in a hurry: nothing is asked of them any more."""
    made = []

    def make(name, **more):
        made.append(Asked(site, name, store, **more))
        return made[-1]

    yield make
    for one in made:
        one.node.kill()


@pytest.fixture
def pair(asked):
    return asked("one"), asked("two")


def test_known_mail_costs_no_command(store, pair):
    one, two = pair
    sender = stranger()
    one.keep(store, sender)
    two.keep(store, sender)
    # HMGET is also asked once a minute for the counts of retries: a try without that must cost nothing at all.
    assert 0 in [one.costs(store, sender, 50) for _ in range(2)]
    assert 0 in [two.costs(store, sender, 50) for _ in range(2)]
    other = stranger()
    before = calls(store, "hmget")
    assert one.reason(other) == "greylist_new"
    assert calls(store, "hmget") > before, "what is not known must be asked for"


def test_without_a_cache_every_question_is_asked(asked, store):
    node = asked("bare", cache=0)
    sender = stranger()
    node.learn(sender)
    assert node.costs(store, sender, 10) >= 10


def test_what_one_forgets_all_forget_within_a_second(store, pair):
    one, two = pair
    for _ in range(3):
        sender = stranger()
        one.learn(sender)
        one.keep(store, sender)
        two.keep(store, sender)
        rows = one.forget(sender)
        told = time.monotonic()
        assert [row["state"] for row in rows if row["state"] == "passed"], "there was something to forget"
        assert one.reason(sender) == "greylist_new", "who forgets does it at once"
        harness.wait_for(lambda: two.reason(sender) != "greylist_known", "the other node to forget", every=0.005)
        assert time.monotonic() - told < 1 + NOISE_S


def test_a_node_that_slept_does_not_use_what_it_had(store, pair):
    one, two = pair
    sender = stranger()
    two.keep(store, sender)
    two.node.signal(signal.SIGSTOP)
    one.forget(sender)
    time.sleep(1.1)  # the sleep is what is tested: longer than the cache is trusted
    question = two.lookups.pb.Request(id=7)
    question.check.CopyFrom(two.lookups.pb.Check(client_ip="192.0.2.7", sender=sender, recipients=[RECIPIENT]))
    two.lookups.socket.send(question.SerializeToString())  # so that it is the first thing that it sees
    two.node.signal(signal.SIGCONT)
    reply = two.lookups.pb.Reply.FromString(two.lookups.socket.recv())
    if reply.status == 0:  # else it waited too long in the node's door
        assert verdict(reply).reason != "greylist_known"
    replies = []
    harness.wait_for(lambda: replies.append(two.lookups.check(sender)) or replies[-1].status == 0, "an answer in time")
    assert verdict(replies[-1]).reason != "greylist_known"


def test_a_restarted_redis_empties_the_cache(store, pair):
    one, _ = pair
    sender = stranger()
    one.keep(store, sender)
    store.kill()
    harness.wait_for(lambda: one.lookups.check(stranger()).degraded, "the store to be missed")
    for _ in range(5):
        reply = one.lookups.check(sender)
        assert (verdict(reply).reason, reply.degraded) == ("greylist_known", False), "it is known without a store"
    store.start()  # it kept nothing
    harness.wait_for(lambda: not one.lookups.check(stranger()).degraded, "the store to be used again")
    assert one.reason(sender) == "greylist_new"


@pytest.mark.parametrize("words", [("FLUSHALL",), ("DEL", "events:{p}"), ("XTRIM", "events:{p}", "MAXLEN", "0")],
                         ids=["flushall", "stream deleted", "stream trimmed"])
def test_a_stream_that_lost_rows_empties_the_cache(store, pair, words):
    one, two = pair
    sender = stranger()
    one.keep(store, sender)
    two.keep(store, sender)
    store.command(*words)
    lost = time.monotonic()
    if words[0] == "FLUSHALL":
        for node in pair:
            harness.wait_for(lambda: node.reason(sender) != "greylist_known", "what is gone to be asked for", every=0.005)
        assert time.monotonic() - lost < 1 + NOISE_S
        return
    for node in pair:
        harness.wait_for(lambda: node.costs(store, sender) > 0, "the cache to be empty", every=0.005)
        harness.wait_for(lambda: node.costs(store, sender) == 0, "the cache to be used again")
    one.forget(sender)
    harness.wait_for(lambda: two.reason(sender) != "greylist_known", "the new stream to be followed")


def test_what_stands_in_the_stream_does_no_harm(store, pair):
    one, two = pair
    sender = stranger()
    two.keep(store, sender)
    store.command("XADD", "events:{p}", "*", "kind", "of a later version")
    store.command("XADD", "events:{p}", "*", "\x01\xff", "x" * 5000)
    store.command("EVAL", "for i = 1, 300 do redis.call('XADD', 'events:{p}', '*', 'kind', 'start', 'n', i) end", "0")
    harness.wait_for(lambda: two.costs(store, sender) == 0, "the cache to be used again")
    one.forget(sender)
    harness.wait_for(lambda: two.reason(sender) != "greylist_known", "the stream to be followed still")
    store.command("SET", "events:{p}", "no stream")
    harness.wait_for(lambda: one.reason(stranger()) == "greylist_new", "mail to be judged without it")
    two.learn(sender)
    time.sleep(1.1)  # the last good poll is too long ago
    assert two.costs(store, sender, 3) >= 3, "without a stream nothing may come out of the cache"
    rows = one.admin.pb.Request()
    rows.admin.verb = "grey.forget"
    rows.admin.args["sender"] = sender
    rows.admin.args["recipient"] = RECIPIENT
    reply = one.admin.ask(rows)
    assert reply.status == 5 and "could not be told" in reply.error
    store.command("DEL", "events:{p}")
    harness.wait_for(lambda: two.reason(sender) in ("greylist_new", "greylist_early"), "it to be gone")


def test_a_node_that_is_cut_off(site, asked, store):
    """It knows what it knew, and whatever was forgotten meanwhile it forgets before it uses the store again."""
    secret = site.folder / "password"
    secret.write_text("b\n")
    secret.chmod(0o600)
    store.command("ACL", "SETUSER", "b", "on", ">b", "~*", "&*", "+@all")
    one = asked("one")
    two = asked("two", user="b", password_file=str(secret))
    sender, other = stranger(), stranger()
    for name in (sender, other):
        two.keep(store, name)
    store.command("ACL", "SETUSER", "b", "off")
    store.command("CLIENT", "KILL", "USER", "b")
    harness.wait_for(lambda: two.lookups.check(stranger()).degraded, "the node to be cut off")
    one.forget(sender)
    time.sleep(1.1)
    assert [two.reason(name) for name in (sender, other)] == ["greylist_known"] * 2
    store.command("ACL", "SETUSER", "b", "on")
    harness.wait_for(lambda: not two.lookups.check(stranger()).degraded, "the node to be back")
    assert two.reason(sender) in ("greylist_new", "greylist_early")
    assert two.reason(other) == "greylist_known"


# ---- expected mail

def test_what_one_expects_all_expect_within_a_second(store, pair):
    one, two = pair
    sender = stranger()
    assert two.reason(sender) == "greylist_new"
    rows = one.admin.admin("expect.add", recipient="Bob+code@rcpt.example", **{"for": 60000}, note="login code")
    told = time.monotonic()
    assert [(row["recipient"], row["note"]) for row in rows] == [(RECIPIENT, "login code")]
    assert one.reason(stranger()) == "greylist_exempt", "who says it heeds it at once"
    harness.wait_for(lambda: two.reason(sender) == "greylist_exempt", "the other node to hear of it", every=0.005)
    assert time.monotonic() - told < 1 + NOISE_S
    assert verdict(two.lookups.check(sender)).rule == "expect"
    before = calls(store, "hmget")
    assert two.reason(stranger()) == "greylist_exempt"
    assert calls(store, "hmget") - before in (0, 1), "it is asked for in memory"  # 1: the counts of retries, once a minute
    assert verdict(two.lookups.check(stranger(), recipient="carol@rcpt.example")).reason == "greylist_new"
    listed = two.admin.admin("expect.list")
    assert [(row["recipient"], row["note"]) for row in listed] == [(RECIPIENT, "login code")]
    store.kill()
    harness.wait_for(lambda: two.lookups.check(stranger(), recipient="carol@rcpt.example").degraded, "the store to be missed")
    reply = two.lookups.check(stranger())
    assert (verdict(reply).reason, reply.degraded) == ("greylist_exempt", False), "it holds while the store is away"
    store.start()
    harness.wait_for(lambda: two.reason(stranger()) == "greylist_new", "what an emptied store does not know to be over")


def test_it_is_over_when_it_was_said_to_be(store, pair):
    one, two = pair
    one.admin.admin("expect.add", recipient=RECIPIENT, **{"for": 1000})
    assert one.reason(stranger()) == "greylist_exempt"
    harness.wait_for(lambda: one.reason(stranger()) == "greylist_new", "its end")
    one.admin.admin("expect.add", recipient=RECIPIENT, **{"for": 60000})
    harness.wait_for(lambda: two.reason(stranger()) == "greylist_exempt", "the other node to hear of it")
    assert [row["recipient"] for row in two.admin.admin("expect.remove", recipient=RECIPIENT)] == [RECIPIENT]
    assert two.reason(stranger()) == "greylist_new"
    harness.wait_for(lambda: one.reason(stranger()) == "greylist_new", "the first node to hear of its end")


# ---- spared clients

def put_evidence(store, client, pairs):
    """As if so many pairs of the client had passed, the last of them yesterday: two days are long."""
    day = int(store.command("TIME").split()[0]) // 86400
    for n in range(pairs):
        store.command("HSET", f"w:{client}", f"pair{n:04}", str(day - 1))
    return day


def pass_one(gateway, client):
    """A retry of the client that passes."""
    sender = stranger()
    assert gateway.reason(sender, client) == "greylist_new"
    harness.wait_for(lambda: gateway.reason(sender, client) == "greylist_pass", "the retry to pass")


def spares(gateway, client):
    """Whether a node would let new mail of the client through; asked in a dry run, so nothing is stored and nothing renewed."""
    return verdict(gateway.lookups.check(stranger(), ip=client, dry_run=True)).reason == "greylist_spared"


def test_whom_one_spares_all_spare_within_a_second(store, pair):
    one, two = pair
    client = "192.0.2.77"
    put_evidence(store, client, 4)
    assert not spares(one, client) and not spares(two, client), "four pairs of one day are not enough"
    pass_one(one, client)
    told = time.monotonic()
    harness.wait_for(lambda: spares(two, client), "the other node to hear of it", every=0.005)
    assert time.monotonic() - told < 1 + NOISE_S
    harness.wait_for(lambda: spares(one, client), "who found it to spare it")
    before = {name: calls(store, name) for name in ("hget", "hgetall", "hsetnx")}
    assert [two.reason(stranger(), client) for _ in range(20)] == ["greylist_spared"] * 20
    assert calls(store, "hsetnx") == before["hsetnx"], "no first try is stored"
    assert calls(store, "hgetall") - before["hgetall"] < 10, "nobody asks for evidence on a lookup's way"
    assert not spares(two, "192.0.2.78")

    rows = one.admin.admin("spared.forget", client_ip=client)
    told = time.monotonic()
    assert len(rows) == 5 and not spares(one, client), "who forgets does so at once"
    harness.wait_for(lambda: not spares(two, client), "the other node to forget it", every=0.005)
    assert time.monotonic() - told < 1 + NOISE_S
    assert two.reason(stranger(), client) == "greylist_new"


def test_who_is_spared_stays_so_over_a_restart_and_an_outage(store, pair):
    one, two = pair
    client = "192.0.2.77"
    put_evidence(store, client, 4)
    pass_one(one, client)
    harness.wait_for(lambda: spares(two, client), "the other node to hear of it")
    two.node.stop()
    two.node.start()
    harness.wait_for(lambda: spares(two, client), "the node to have read it again")
    store.kill()
    harness.wait_for(lambda: two.lookups.check(stranger()).degraded, "the store to be missed")
    reply = two.lookups.check(stranger(), ip=client)
    assert (verdict(reply).reason, reply.degraded) == ("greylist_spared", False)
    store.start()  # empty: it has forgotten who is spared, and so do the nodes when they have read that
    for node in pair:
        harness.wait_for(lambda node=node: not spares(node, client), "the nodes to have read it")
    assert one.reason(stranger(), client) == "greylist_new"
