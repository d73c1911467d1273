"""The main job on real input: a greylist that several real Postfix servers share.

Two MXs, a sending Postfix with a queue of its own, reeve-policyd with the main.cf that is shipped, and real nodes. The delay is
2 s instead of 60 s; everything else is deploy/policy.yaml as it stands, but for the trusted sources, which must not contain
loopback here."""
import os
import re
import signal
import subprocess
import time

import pytest

from tests.support.harness import program, sample_policy, tool, wait_for

DELAY_S = 2
ANN = "ann@sender.example"
BOB = "bob@rcpt.example"
CLIENT = "192.0.2.7"
DEFERRED = re.compile(r"^451 4\.7\.1 <bob@rcpt\.example>: Recipient address rejected: Greylisted")


def enforcing(**changes):
    return sample_policy(greylist={"mode": "enforce", "delay": f"{DELAY_S}s"}, **changes)


def pair(site, first, second, **settings):
    """Two MXs, each with a policy service of its own, which ask the two nodes (or the same one twice)."""
    policyds = [site.policyd(node, f"policyd{number}", log_decisions="all", **settings)
                for number, node in enumerate((first, second), 1)]
    return policyds, [site.mx(policyd, f"mx{number}") for number, policyd in enumerate(policyds, 1)]


def single(site, **settings):
    """One MX, one policy service, one node."""
    node = site.node(policy=enforcing())
    policyd = site.policyd(node, log_decisions="all", **settings)
    return node, policyd, site.mx(policyd)


def reply(mx, client=CLIENT, sender=ANN, recipient=BOB, **more):
    answer, = mx.rcpt(sender, recipient, client=client, **more)
    return answer


def assert_deferred(mx, **who):
    """Returns when it was: a retry must pass DELAY_S later."""
    answer = reply(mx, **who)
    assert DEFERRED.match(answer), answer
    return time.monotonic()


def wait_out(deferred):
    """Until a retry must pass. The store's clock may tick a moment later than ours."""
    wait_for(lambda: time.monotonic() > deferred + DELAY_S + 0.05, "the delay to be over")


# ---- several servers, one memory

def test_two_mx_share_one_node(site):
    node = site.node(policy=enforcing())
    (policyd1, policyd2), (mx1, mx2) = pair(site, node, node, prepend=True)
    sender = site.sender(mx1)

    sender.submit(ANN, BOB, "through the greylist")
    sender.wait_log(r"to=<bob@rcpt\.example>.* status=deferred .*451 4\.7\.1 .*Greylisted, please try again in \d+ s \(ticket \w+\)")
    assert not mx1.mailbox("through the greylist")
    mail, = wait_for(lambda: mx1.mailbox("through the greylist"), "the sender's queue to deliver the mail", 30)
    sender.wait_log(r"to=<bob@rcpt\.example>.* status=sent")

    first, *again = policyd1.decisions(to=BOB)
    assert (first["action"], first["reason"], first["client"]) == ("defer", "greylist_new", "127.0.0.1")
    assert first["ticket"] in sender.log()
    assert {row["reason"] for row in again[:-1]} <= {"greylist_early"}
    assert again[-1]["reason"] == "greylist_pass" and int(again[-1]["waited_s"]) >= DELAY_S
    assert re.search(r"^X-Greylist: delayed \d+ seconds by reeve at node; ", mail, re.M)

    assert reply(mx2, client=None).startswith("250 ")  # the other one knows it at once
    assert [row["reason"] for row in policyd2.decisions(to=BOB)] == ["greylist_known"]
    sender.submit(ANN, BOB, "second mail")
    wait_for(lambda: mx1.mailbox("second mail"), "the second mail")
    assert not sender.log_lines("second.*deferred") and len(policyd1.decisions(action="defer")) == len(again)


def test_two_mx_ask_two_nodes_on_one_redis(site):
    store = {"mode": "single", "address": site.redis().address}
    nodes = [site.node(f"node{number}", policy=enforcing(), store=store) for number in (1, 2)]
    (policyd1, policyd2), (mx1, mx2) = pair(site, *nodes)
    sender = site.sender(mx1, mx2)  # goes on to the other MX when one defers, as senders do

    sender.submit(ANN, BOB, "from two nodes")
    wait_for(lambda: policyd1.decisions(action="defer") and policyd2.decisions(action="defer"), "both MXs to be tried")
    wait_for(lambda: mx1.mailbox("from two nodes") + mx2.mailbox("from two nodes"), "the mail", 30)

    decisions = policyd1.decisions(to=BOB) + policyd2.decisions(to=BOB)
    assert [row["reason"] for row in decisions].count("greylist_new") == 1  # one memory: the second MX has seen the first try
    assert [row["reason"] for row in decisions].count("greylist_pass") == 1
    for mx in (mx1, mx2):
        assert reply(mx, client=None).startswith("250 ")


def test_a_first_try_at_one_mx_counts_at_the_other(site):
    store = {"mode": "single", "address": site.redis().address}
    nodes = [site.node(f"node{number}", policy=enforcing(), store=store) for number in (1, 2)]
    (_, policyd2), (mx1, mx2) = pair(site, *nodes)
    deferred = assert_deferred(mx1)
    assert_deferred(mx2)
    wait_out(deferred)
    assert reply(mx2).startswith("250 ")
    assert [row["reason"] for row in policyd2.decisions(to=BOB)] == ["greylist_early", "greylist_pass"]


@pytest.mark.parametrize("first, second, stranger", [
    (CLIENT, "192.0.2.200", "192.0.3.7"),
    ("IPV6:2001:db8:0:1::7", "IPV6:2001:db8:0:1:ffff::9", "IPV6:2001:db8:0:2::7"),
])
def test_a_retry_from_the_same_network_passes(site, first, second, stranger):
    _, policyd, mx = single(site)
    deferred = assert_deferred(mx, client=first)
    wait_out(deferred)
    assert_deferred(mx, client=stranger)  # a first try of its own
    assert reply(mx, client=second).startswith("250 ")
    assert [row["reason"] for row in policyd.decisions(to=BOB)] == ["greylist_new", "greylist_new", "greylist_pass"]


def test_a_retry_from_another_machine_of_the_same_pool_passes(site):
    _, policyd, mx = single(site)
    deferred = assert_deferred(mx, client="192.0.2.7", name="mail-a.pool-owner.co.uk")
    wait_out(deferred)
    assert_deferred(mx, client="198.51.101.7", name="mail-a.pool-stranger.co.uk")
    assert_deferred(mx, client="203.0.113.7", name="dsl-7.pool-owner.co.uk")  # a customer's line, not the owner's pool
    assert reply(mx, client="203.0.114.7", name="mail-z.pool-owner.co.uk").startswith("250 ")
    assert reply(mx, client="203.0.114.8").startswith("250 ")  # known by its network from now on
    assert [row["reason"] for row in policyd.decisions(to=BOB)] == ["greylist_new"] * 3 + ["greylist_pass", "greylist_known"]


def test_what_makes_a_triplet(site):
    _, _, mx = single(site)
    deferred = assert_deferred(mx)
    wait_out(deferred)
    assert_deferred(mx, sender="carol@sender.example")
    assert reply(mx, recipient="eve@rcpt.example").startswith("451 4.7.1 ")
    assert_deferred(mx, sender="")
    assert reply(mx, sender="ANN@Sender.EXAMPLE", recipient="Bob+tag@RCPT.example").startswith("250 ")


# ---- crashes

def crash_node(node):
    node.kill()


def crash_node_and_redis(node):
    """Its redis-server gets no chance to tidy up either. What Redis acknowledged while an fsync was under way may be in its memory
    alone, which is the second that the loss budget allows: that is over before."""
    redis_pid = int((node.folder / "state" / "redis.pid").read_text())

    def is_written():
        info = subprocess.run([tool("redis-cli"), "-s", str(node.folder / "state" / "redis.sock"), "INFO", "persistence"],
                              capture_output=True, text=True, check=True, timeout=10).stdout
        return "\naof_buffer_length:0" in info and "\naof_pending_bio_fsync:0" in info
    wait_for(is_written, "the embedded store to write its file")
    node.signal(signal.SIGSTOP)  # or it would start another
    os.kill(redis_pid, signal.SIGKILL)
    node.kill()


@pytest.mark.parametrize("embedded, crash", [(True, crash_node), (True, crash_node_and_redis), (False, crash_node)],
                         ids=["embedded", "embedded, its redis too", "single"])
def test_a_killed_node_forgets_nothing(site, embedded, crash):
    store = None if embedded else {"mode": "single", "address": site.redis().address}
    node = site.node(policy=enforcing(), store=store)
    policyd = site.policyd(node, log_decisions="all")
    mx = site.mx(policyd)

    deferred = assert_deferred(mx)
    crash(node)
    node.start()
    site.wait_connected(policyd)
    wait_out(deferred)
    assert reply(mx).startswith("250 ")
    assert policyd.decisions(to=BOB)[-1]["reason"] == "greylist_pass"

    crash(node)
    node.start()
    site.wait_connected(policyd)
    assert reply(mx).startswith("250 ")
    assert policyd.decisions(to=BOB)[-1]["reason"] == "greylist_known"


def test_two_nodes_refuse_to_share_one_state_directory(site):
    first = site.node("first", policy=enforcing())
    policyd = site.policyd(first, log_decisions="all")
    second = site.node("second", start=False, policy=enforcing(), state_dir=first.folder / "state")
    second.start(ready=False)
    assert second.wait() not in (0, -signal.SIGKILL)
    assert str(first.folder / "state") in second.log()
    mx = site.mx(policyd)
    deferred = assert_deferred(mx)  # the first one has not noticed
    wait_out(deferred)
    assert reply(mx).startswith("250 ")


def test_mail_passes_while_the_node_is_away_and_is_greylisted_when_it_is_back(site):
    node, policyd, mx = single(site)
    assert_deferred(mx)
    node.kill()
    assert reply(mx, sender="carol@sender.example").startswith("250 ")
    assert policyd.decisions()[-1]["reason"] == "fallback"
    node.start()
    site.wait_connected(policyd)
    assert_deferred(mx, sender="carol@sender.example")


def test_mail_passes_while_the_policy_service_is_away(site):
    node, policyd, mx = single(site)
    assert_deferred(mx)
    assert policyd.stop() == 0
    assert reply(mx, sender="carol@sender.example").startswith("250 ")  # smtpd_policy_service_default_action
    policyd.start()
    site.wait_connected(policyd)
    assert_deferred(mx, sender="dave@sender.example")
    assert node.is_running()


# ---- the other answers

def test_shadow_defers_nobody_and_says_whom_it_would(site):
    node = site.node(policy=sample_policy(greylist={"delay": f"{DELAY_S}s"}))  # shadow is what a new installation has
    policyd = site.policyd(node)
    mx = site.mx(policyd)
    sender = site.sender(mx)
    sender.submit(ANN, BOB, "unhindered")
    wait_for(lambda: mx.mailbox("unhindered"), "the mail")
    assert not sender.log_lines("status=deferred")
    row, = policyd.decisions(to=BOB)
    assert (row["action"], row["shadow"]) == ("accept", "greylist_new")


def test_trusted_sources_never_wait(site):
    _, policyd, mx = single(site)
    for number in range(3):
        assert reply(mx, client="198.51.100.9", sender=f"new{number}@elsewhere.example").startswith("250 ")
    assert_deferred(mx, client="198.51.101.9")
    assert "defer" not in {row["action"] for row in policyd.decisions(client="198.51.100.9")}


def test_what_postfix_refuses_itself_is_not_asked(site):
    _, policyd, mx = single(site)
    assert re.match("[45]54 .*Relay access denied", reply(mx, recipient="bob@nowhere.example"))
    assert not policyd.decisions(to="bob@nowhere.example")


def test_a_rejection_is_550_with_the_reason(site):
    policy = enforcing(domains={"rcpt.example": {"recipients": "any"}})
    policy["settings"]["relay"] = "judge"
    policyd = site.policyd(site.node(policy=policy))
    mx = site.mx(policyd)
    assert re.match(r"550 5\.7\.1 <bob@other\.example>: Recipient address rejected: ", reply(mx, recipient="bob@other.example"))
    assert policyd.decisions(to="bob@other.example", action="reject", reason="relay_denied")
    assert_deferred(mx)


def test_a_unix_socket_serves_as_well(site):
    policyd = site.policyd(site.node(policy=enforcing()), log_decisions="all")
    mx = site.mx(policyd, unix=True)
    assert_deferred(mx)
    assert [row["reason"] for row in policyd.decisions(to=BOB)] == ["greylist_new"]


def test_several_recipients_of_one_mail(site):
    _, policyd, mx = single(site)
    first = mx.rcpt(ANN, "a@rcpt.example", "b@rcpt.example", "c@other.example", client=CLIENT)
    assert [answer[:9] for answer in first] == ["451 4.7.1"] * 3
    assert len({row["ticket"] for row in policyd.decisions(reason="greylist_new")}) == 3


def test_a_deferral_is_explained_by_its_log_line(site):
    """What a postmaster has in hand is a line of the mail log: the ticket in it finds the story."""
    node, _, mx = single(site)
    assert_deferred(mx)
    line = mx.wait_log(r"reject: RCPT from .*Greylisted")
    ticket = re.search(r"\(ticket (\w+)\)", line).group(1)
    result = subprocess.run([program("reevectl"), "--admin", node.admin, "why"], input=line, capture_output=True, text=True,
                            timeout=20)
    assert result.returncode == 0, result.stderr
    assert f"mail from <{ANN}> to <{BOB}> through {CLIENT} was deferred" in result.stdout
    unknown = subprocess.run([program("reevectl"), "--admin", node.admin, "why"], input=line.replace(ticket, ticket[::-1]),
                             capture_output=True, text=True, timeout=20)
    assert unknown.returncode != 0
