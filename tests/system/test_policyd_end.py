"""The end of a message as reeve-policyd asks about it: Postfix says only how many recipients there are, so it is the service that
remembers which. The node is a FakeNode, which shows what it was asked."""
import signal

import pytest

from tests.support.harness import PolicyClient, wait_for

ACCEPT, DEFER, REJECT, HOLD = 1, 2, 3, 4
RCPT, END = 3, 4


def tcp(policyd):
    return PolicyClient(("127.0.0.1", policyd.port))


def by_name(check):
    """What the recipient's name says: refused@, late@ and held@ are that; everything else is accepted."""
    word = {"refused": {"action": REJECT, "code": 550, "enhanced": "5.7.1", "text": "No"},
            "late": {"action": DEFER, "code": 451, "enhanced": "4.7.1", "text": "Later"},
            "held": {"action": HOLD, "text": "Held"}}
    return [word.get(recipient.split("@")[0], {}) for recipient in check.recipients] or {}


def address(name):
    return f"{name}@rcpt.example"


def ask_each(client, *names, **attributes):
    return [client.ask(recipient=address(name), **attributes) for name in names]


def end_of(client, count, recipient="", **attributes):
    return client.ask(protocol_state="END-OF-MESSAGE", recipient=recipient, recipient_count=count, size=4321, **attributes)


@pytest.fixture
def scene(site):
    """A fake node that has not been asked anything yet, and its service."""
    fake = site.fake_node(by_name)
    policyd = site.policyd(fake, log_decisions="all")
    fake.checks.clear()
    return fake, policyd


def test_the_end_is_asked_with_all_recipients_that_were_accepted(scene):
    fake, policyd = scene
    with tcp(policyd) as client:
        answers = ask_each(client, "ann", "refused", "late", "held", "bob", sasl_username="carol")
        assert [answer.split()[0] for answer in answers] == ["DUNNO", "550", "DEFER_IF_PERMIT", "HOLD", "DUNNO"]
        assert end_of(client, 3, sasl_username="carol") == "HOLD Held"  # one held copy: Postfix holds the whole message
    # Each recipient is told its number among those that stay: what was refused is none of the mail's.
    assert [check.recipient_count for check in fake.checks] == [1, 2, 2, 2, 3, 3]
    end = fake.checks[-1]
    assert (end.stage, end.size_bytes, end.auth_user, end.transaction) == (END, 4321, "carol", "1.1")
    assert list(end.recipients) == [address(name) for name in ("ann", "held", "bob")]
    line, = policyd.decisions(action="hold", stage="end")
    assert (line["from"], line["to"], line["recipients"]) == ("ann@sender.example", "", "3")


def test_other_connections_take_part(scene):
    """Postfix opens a new connection now and then, and each smtpd has its own: a transaction has nothing to do with them."""
    fake, policyd = scene
    with tcp(policyd) as first, tcp(policyd) as second, PolicyClient(policyd.socket) as third:
        ask_each(first, "ann", instance="1.1")
        ask_each(second, "dora", instance="2.1")
        ask_each(second, "bob", instance="1.1")
        first.close()
        assert end_of(third, 2, instance="1.1") == "DUNNO"
        assert list(fake.checks[-1].recipients) == [address("ann"), address("bob")]
        assert end_of(third, 1, address("dora"), instance="2.1") == "DUNNO"
        assert list(fake.checks[-1].recipients) == [address("dora")]


MISSING = {
    "nobody asked about them": [],
    "one was permitted elsewhere": ["ann"],
    "one was refused here": ["ann", "refused"],
}


@pytest.mark.parametrize("case", MISSING)
def test_an_end_with_recipients_that_nobody_knows_is_not_asked(scene, case):
    fake, policyd = scene
    with tcp(policyd) as client:
        ask_each(client, *MISSING[case])
        fake.checks.clear()
        assert end_of(client, 2) == "DUNNO"
    assert not fake.checks
    policyd.wait_log(r'answered DUNNO at the end of a message whose recipients are not all known.* from="ann@sender.example" recipients=2$')
    policyd.signal(signal.SIGUSR1)
    policyd.wait_log(r" transactions .* missing=1$")


def test_a_message_is_forgotten_at_its_end(scene):
    fake, policyd = scene
    with tcp(policyd) as client:
        ask_each(client, "ann", "bob")
        assert end_of(client, 2) == "DUNNO" and fake.checks[-1].stage == END
        policyd.signal(signal.SIGUSR1)
        policyd.wait_log(r" transactions remembered=0 bytes=0 ")
        fake.checks.clear()
        assert end_of(client, 2) == "DUNNO" and not fake.checks
        ask_each(client, "ann")
        assert [check.recipient_count for check in fake.checks] == [1]  # a new one under the old name begins at nothing


def test_one_recipient_is_the_one_that_postfix_names(scene):
    fake, policyd = scene
    with tcp(policyd) as client:
        ask_each(client, "ann", "bob")  # Postfix refused bob after it had asked
        assert end_of(client, 1, address("ann")) == "DUNNO"
    assert list(fake.checks[-1].recipients) == [address("ann")] and fake.checks[-1].recipient_count == 1


def test_a_transaction_stays_at_its_node_to_the_end(site):
    fakes = [site.fake_node(by_name) for _ in range(2)]
    policyd = site.policyd(fakes[0], nodes=[fake.lookups for fake in fakes])
    policyd.wait_log("a node is up", 2)
    with tcp(policyd) as client:
        for number in range(40):
            ask_each(client, "ann", "bob", instance=f"1.{number}")
            end_of(client, 2, instance=f"1.{number}")
    seen = [{check.transaction: check.stage for check in fake.checks if check.recipients} for fake in fakes]
    assert not seen[0].keys() & seen[1].keys() and len(seen[0] | seen[1]) == 40
    assert all(stage == END for stages in seen for stage in stages.values())
    assert all(len(stages) > 1 for stages in seen)  # and both are asked


def test_who_was_accepted_by_the_fallback_is_among_them(site):
    silent = [True]
    fake = site.fake_node(lambda check: None if silent[0] and check.recipients else by_name(check))
    policyd = site.policyd(fake, deadline="200ms", hedge="0ms")
    with tcp(policyd) as client:
        assert ask_each(client, "ann") == ["DUNNO"]
        silent[0] = False
        ask_each(client, "bob")
        end_of(client, 2)
    assert list(fake.checks[-1].recipients) == [address("ann"), address("bob")]


def test_a_copy_that_cannot_be_taken_out_is_said(site):
    fake = site.fake_node(lambda check: [{}, {"action": REJECT, "text": "No"}] if check.stage == END else {})
    policyd = site.policyd(fake)
    with tcp(policyd) as client:
        ask_each(client, "ann", "bob")
        assert end_of(client, 2) == "DUNNO"
    policyd.wait_log(r"Postfix cannot take them out any more from=\S+ recipients=2 refused=1$")


def test_a_thousand_recipients(scene):
    fake, policyd = scene
    names = [f"user{number}" for number in range(1000)]
    with tcp(policyd) as client:
        ask_each(client, *names)
        assert [check.recipient_count for check in fake.checks] == list(range(1, 1001))
        assert end_of(client, 1000) == "DUNNO"
        assert list(fake.checks[-1].recipients) == [address(name) for name in names]
        ask_each(client, *names, "one-more", instance="1.2")
        assert end_of(client, 1001, instance="1.2") == "DUNNO"
        assert fake.checks[-1].stage == RCPT  # the contract has no room for more


def test_abandoned_transactions_push_out_no_other(scene):
    """A client that names recipients and gives up, again and again, does not make the service forget those of others."""
    fake, policyd = scene
    with tcp(policyd) as patient, tcp(policyd) as restless:
        ask_each(patient, "ann", "bob", instance="patient")
        requests = [restless.request(instance=f"r.{number}") for number in range(4500)]
        for begin in range(0, len(requests), 500):
            restless.send(b"".join(requests[begin:begin + 500]))
            for _ in range(500):
                restless.answer()
        assert end_of(patient, 2, instance="patient") == "DUNNO"
    assert list(fake.checks[-1].recipients) == [address("ann"), address("bob")]
    policyd.signal(signal.SIGUSR1)
    assert wait_for(lambda: policyd.log_lines(" transactions .* pushed_out=0 "), "the counters")


# ---- mail that was sent

INTERNAL, OUTBOUND = 3, 2


def outside(check):
    """As by_name, of a trusted source: who is called in... is one of our own, anybody else is outside."""
    return [{**verdict, "direction": INTERNAL if recipient.startswith("in") else OUTBOUND}
            for recipient, verdict in zip(check.recipients, by_name(check))] or {}


@pytest.fixture
def outward(site):
    fake = site.fake_node(outside)
    return fake, site.policyd(fake, log_decisions="all")


def report_of(policyd, count=1):
    policyd.signal(signal.SIGUSR1)
    return policyd.wait_log(" sent told=", count)


def test_what_was_sent_is_told_with_all_its_recipients(outward):
    fake, policyd = outward
    with tcp(policyd) as client:
        login = {"sasl_username": "carol", "sender": "carol@rcpt.example", "instance": "7.1"}
        ask_each(client, "ann", "inside", "late", "bob", **login)
        assert end_of(client, 3, **login) == "DUNNO"
    wait_for(lambda: fake.sents, "the node to be told")
    told, = fake.sents
    assert list(told.recipients) == [address("ann"), address("inside"), address("bob")]
    assert (told.auth_user, told.sender, told.transaction, told.client_ip) == ("carol", "carol@rcpt.example", "7.1", "192.0.2.7")
    assert not told.headers and told.at_ms == 0
    assert wait_for(lambda: "told=1 recorded=3 queued=0 lost=0" in report_of(policyd, len(policyd.log_lines(" sent told=")) + 1),
                    "the answer to be counted")


def test_what_was_held_is_not_told(outward):
    fake, policyd = outward
    with tcp(policyd) as client:
        ask_each(client, "ann", "held", sasl_username="carol")
        assert end_of(client, 2, sasl_username="carol") == "HOLD Held"
        ask_each(client, "refused", "inside", sasl_username="carol", instance="7.2")
        assert end_of(client, 1, sasl_username="carol", instance="7.2") == "DUNNO"
    assert "told=0 " in report_of(policyd) and not fake.sents


def test_whoever_tells_it_otherwise_can_say_so(site):
    fake = site.fake_node(outside)
    policyd = site.policyd(fake, report_sent=False)
    with tcp(policyd) as client:
        ask_each(client, "ann", sasl_username="carol")
        assert end_of(client, 1, sasl_username="carol") == "DUNNO"
    policyd.signal(signal.SIGTERM)
    assert policyd.wait() == 0
    assert not fake.sents and not policyd.log_lines(" sent told=") and policyd.log_lines(" ready .* sent=no")


def test_a_stop_waits_until_a_node_has_what_was_sent(outward):
    fake, policyd = outward
    fake.holds_sents.set()
    with tcp(policyd) as client:
        ask_each(client, "ann", sasl_username="carol")
        assert end_of(client, 1, sasl_username="carol") == "DUNNO"  # which waits for nothing
    policyd.signal(signal.SIGTERM)
    policyd.wait_log("stopping: ")
    wait_for(lambda: fake.sents, "the node to be told")
    assert policyd.is_running()
    fake.holds_sents.clear()
    assert policyd.wait() == 0
    assert policyd.log_lines(" sent told=1 recorded=1 queued=0 lost=0")
