"""A site's own users: two real Postfix submission hosts with SASL, set up as deploy/mta/postfix/submission.cf says, each with a policy
service and a node of its own over one Redis. What users may send as, to whom and how much, is one truth for both."""
import re
import subprocess

import pytest

from tests.support.harness import PolicyClient, Site, program, sample_policy, wait_for

SITE = "corp.example"
OUT = "friend@elsewhere.example"
SIZE_MAX = 100_000

USERS = ("ann", "bob", "boss", "daily", "few", "gone", "leaver", "mails", "power")

POLICY = {
    "domains": {SITE: {}},
    "settings": {"relay": "judge", "limits": {"message_size": SIZE_MAX, "recipients": 12},
                 "leaving": {"rcpt_per_mail": 2}},
    "users": {
        f"ann@{SITE}": {"aliases": [f"a.smith@{SITE}"], "send_as": [f"info@{SITE}"]},
        f"leaver@{SITE}": {"state": "leaving"},
        f"gone@{SITE}": {"state": "disabled"},
    },
    "groups": {"board": [f"{name}@{SITE}" for name in ("boss", "cfo", "cto", "cio")]},
    "policies": [
        {"id": "few", "kind": "limit", "from": f"few@{SITE}", "rcpt_per_mail": 3},
        {"id": "daily", "kind": "limit", "from": f"daily@{SITE}", "rcpt_per_day": 5},
        {"id": "mails", "kind": "limit", "from": f"mails@{SITE}", "mail_per_day": 2},
        {"id": "power", "kind": "limit", "from": f"power@{SITE}", "rcpt_per_mail": 1,
         "exempt": [{"user": f"power@{SITE}", "source": ["203.0.113.0/24"]}]},
        {"id": "one-by-one", "kind": "mail", "from": "*", "when": {"rcpt_in_group": {"group": "board", "at_least": 3}},
         "action": "hold", "except": [{"from": {"group": "board"}}]},
        {"id": "not-there", "kind": "mail", "from": f"bob@{SITE}", "default": "allow", "except": [{"to": "rival.example"}]},
    ],
}


class Pair:
    """Two submission hosts, a and b."""

    def __init__(self, site):
        store = {"mode": "single", "address": site.redis().address}
        policy = sample_policy(**{**POLICY, "trusted_sources": []})
        self.nodes = [site.node(f"node-{name}", policy=policy, store=store) for name in "ab"]
        self.policyds = [site.policyd(node, f"policyd-{name}", log_decisions="all") for name, node in zip("ab", self.nodes)]
        self.hosts = [site.submission(policyd, *(address(user) for user in USERS), name=f"submission-{name}")
                      for name, policyd in zip("ab", self.policyds)]

    def send(self, user, *recipients, host=0, sender=None, **more):
        """The replies of a transaction of that user, who is logged in."""
        return self.hosts[host].talk(sender or address(user), *recipients, login=address(user), **more)


@pytest.fixture(scope="module")
def site():
    servers = Site()
    yield servers
    servers.close()


@pytest.fixture(scope="module")
def pair(site):
    return Pair(site)


def address(user):
    return f"{user}@{SITE}"


def outsiders(count, begin=0):
    return [f"friend{number}@elsewhere.example" for number in range(begin, begin + count)]


def codes(replies):
    """The code and the enhanced code of each reply."""
    return [" ".join(reply.split()[:2]) for reply in replies]


def is_held(host, sender, recipients):
    return (sender, tuple(sorted(recipients))) in host.held()


TAKEN = "250 2.1.5"
QUEUED = "250 2.0.0"

SENDERS = {
    "her own address": (address("ann"), [TAKEN, QUEUED]),
    "written otherwise": ("Ann@CORP.Example", [TAKEN, QUEUED]),
    "with a tag": (f"ann+shop@{SITE}", [TAKEN, QUEUED]),
    "an alias": (f"a.smith@{SITE}", [TAKEN, QUEUED]),
    "granted by send_as": (f"info@{SITE}", [TAKEN, QUEUED]),
    "a colleague's": (address("bob"), ["553 5.7.1"]),
    "nobody's": (f"sales@{SITE}", ["553 5.7.1"]),
    "of another domain": ("ann@elsewhere.example", ["553 5.7.1"]),
}


@pytest.mark.parametrize("case", SENDERS)
def test_a_login_sends_as_itself(pair, case):
    sender, expected = SENDERS[case]
    replies = pair.send("ann", OUT, sender=sender)
    assert codes(replies) == expected, replies


def test_a_login_mismatch_is_said_at_mail_or_at_rcpt(pair):
    """submission.cf lets Postfix ask at MAIL; whoever has left smtpd_delay_reject at its default hears the same at RCPT."""
    reply, = pair.send("ann", OUT, sender=address("bob"))
    assert re.match(r"553 5\.7\.1 <bob@corp\.example>: Sender address rejected: .*\(ticket \w+\)$", reply)
    assert pair.policyds[0].decisions(stage="mail", reason="login_mismatch", action="reject")
    with PolicyClient(("127.0.0.1", pair.policyds[0].port)) as client:
        at_rcpt = client.ask(sasl_username=address("ann"), sender=address("bob"), recipient=OUT, instance="at-rcpt")
    assert re.match(r"553 5\.7\.1 .*\(ticket \w+\)$", at_rcpt), at_rcpt


def test_who_does_not_log_in_is_nobody(pair):
    replies = pair.hosts[0].talk(address("ann"), OUT)
    assert replies == [f"554 5.7.1 <{OUT}>: Recipient address rejected: Access denied"]  # Postfix's own words
    assert not pair.policyds[0].decisions(to=OUT, reason="relay_denied")


def test_a_limit_of_a_mail_is_counted_over_its_recipients(pair):
    replies = pair.send("few", *outsiders(5))
    assert codes(replies) == [TAKEN] * 3 + ["550 5.5.3"] * 2 + [QUEUED], replies
    again = pair.send("few", *outsiders(3))  # another mail begins anew
    assert codes(again) == [TAKEN] * 3 + [QUEUED], again


def test_a_limit_of_a_day_is_counted_over_both_hosts(pair):
    first = pair.send("daily", *outsiders(3), host=0)
    assert codes(first) == [TAKEN] * 3 + [QUEUED], first
    second = pair.send("daily", *outsiders(3, begin=3), host=1)
    assert codes(second) == [TAKEN] * 2 + ["550 5.7.1", QUEUED], second
    for host in (0, 1):
        third, = pair.send("daily", OUT, host=host)
        assert re.match(r"550 5\.7\.1 <friend@elsewhere\.example>: Recipient address rejected: .*\(ticket \w+\)$", third)
    assert pair.policyds[1].decisions(reason="limit_day", action="reject")


def test_mails_of_a_day_are_counted_over_both_hosts(pair):
    for host in (0, 1):
        replies = pair.send("mails", *outsiders(3), host=host)
        assert codes(replies) == [TAKEN] * 3 + [QUEUED], replies
    for host in (0, 1):
        assert codes(pair.send("mails", OUT, host=host)) == ["550 5.7.1"]


def test_a_power_user_has_no_limit_from_his_own_network(pair):
    inside = pair.send("power", *outsiders(3), client="203.0.113.77")
    assert codes(inside) == [TAKEN] * 3 + [QUEUED], inside
    outside = pair.send("power", *outsiders(3), client="203.0.114.77")
    assert codes(outside) == [TAKEN] + ["550 5.5.3"] * 2 + [QUEUED], outside


def test_outbound_mail_of_a_leaver_is_held(pair):
    host = pair.hosts[0]
    assert codes(pair.send("leaver", OUT)) == [TAKEN, QUEUED]
    assert is_held(host, address("leaver"), [OUT])
    line = host.wait_log(r"hold: RCPT from .*Ok, held for review \(ticket \w+\)")
    told = subprocess.run([program("reevectl"), "--admin", pair.nodes[1].admin, "why", line], capture_output=True, text=True, timeout=20)
    assert told.returncode == 0 and f"as login {address('leaver')}, to <{OUT}>" in told.stdout, told.stdout + told.stderr
    assert codes(pair.send("leaver", address("bob"))) == [TAKEN, QUEUED]  # inside nothing is held
    wait_for(lambda: address("bob") not in host.queue(), "the internal mail to leave the queue")
    assert codes(pair.send("leaver", *outsiders(3), host=1)) == [TAKEN] * 2 + ["550 5.5.3", QUEUED]
    assert is_held(pair.hosts[1], address("leaver"), outsiders(2))


def test_a_disabled_user_sends_nothing(pair):
    for recipient in (OUT, address("ann")):
        reply, = pair.send("gone", recipient)
        assert re.match(r"550 5\.7\.1 .*\(ticket \w+\)$", reply), reply
    assert {row["reason"] for row in pair.policyds[0].decisions(action="reject", **{"from": address("gone")})} == {"policy_sender"}


def test_a_user_may_not_write_to_some(pair):
    replies = pair.send("bob", "ceo@rival.example", OUT)
    assert codes(replies) == ["550 5.7.1", TAKEN, QUEUED], replies


BOARD = [address(name) for name in ("cfo", "cto", "cio")]


@pytest.mark.parametrize("user, recipients, held", [
    ("ann", BOARD, True),
    ("ann", [*BOARD, OUT], True),  # and everybody else's copy with them
    ("ann", [*BOARD[:2], OUT], False),
    ("ann", [BOARD[0], BOARD[0], BOARD[0]], False),  # one member, named thrice
    ("boss", BOARD, False),
], ids=["all", "all and a stranger", "two of three", "one thrice", "by a member"])
def test_members_named_one_by_one_are_found_at_the_end(pair, user, recipients, held):
    """No RCPT tells: only at the end of the message are all recipients known."""
    host, policyd = pair.hosts[1], pair.policyds[1]
    before = len(policyd.decisions(stage="end"))
    replies = pair.send(user, *recipients, host=1)
    assert codes(replies) == [TAKEN] * len(recipients) + [QUEUED], replies
    row = policyd.decisions(stage="end")[before]
    assert (row["action"], row.get("recipients", "1")) == ("hold" if held else "accept", str(len(set(recipients))))
    assert is_held(host, address(user), recipients) == held


def test_a_message_that_is_too_large(pair):
    announced = pair.hosts[0].smtp(login=address("ann"))
    code, text = announced.mail(address("ann"), [f"size={SIZE_MAX + 1}"])
    announced.close()
    assert (code, text[:5]) == (552, b"5.3.4"), text
    silent = pair.send("ann", OUT, lines=SIZE_MAX // 70)
    assert codes(silent) == [TAKEN, "552 5.3.4"], silent
    assert pair.policyds[0].decisions(stage="end", reason="size")


def test_more_recipients_than_a_mail_may_have_wait_for_the_next_one(pair):
    replies = pair.send("ann", *outsiders(14))
    assert codes(replies) == [TAKEN] * 12 + ["452 4.5.3"] * 2 + [QUEUED], replies


def test_a_service_that_was_restarted_meanwhile_says_what_it_does_not_know(pair, site):
    """Nothing of a mail under way is kept elsewhere: its end passes, and the log says so."""
    host, policyd = pair.hosts[1], pair.policyds[1]
    smtp = host.smtp(login=address("ann"))
    smtp.mail(address("ann"))
    assert [smtp.rcpt(recipient)[0] for recipient in BOARD] == [250] * 3
    assert policyd.stop() == 0
    policyd.start()
    site.wait_connected(policyd)
    code, text = smtp.data("Subject: a test\r\n\r\nHello.\r\n")
    smtp.close()
    assert code == 250, text
    policyd.wait_log(rf'whose recipients are not all known.* from="{re.escape(address("ann"))}" recipients=3$')
    assert codes(pair.send("ann", *BOARD, host=1)) == [TAKEN] * 3 + [QUEUED]  # the next one is judged again
    assert policyd.decisions(stage="end", action="hold", recipients="3")
