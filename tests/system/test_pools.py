"""Big senders' pools through real Postfix servers: every retry comes from another address, in another network, and at another MX.

Two MXs, each with a reeve-policyd and a node of its own, share one Redis. The delay is 1 s instead of 60 s, and so the published schedules
(tests/data/retry-schedules.csv) run 60 times as fast. Addresses are of 198.18.0.0/15, which nobody has; the names are the pools'."""
import re
import smtplib
import time

import pytest

from tests.support.harness import sample_policy, wait_for

SPEED = 60
BOB = "bob@rcpt.example"
STRANGER = "mail.stranger.example"

# Of each provider: the name of its machines, and the seconds of its first tries.
POOLS = {
    "ann@mail.ru": ("f{n}.i.mail.ru", [0, 78]),
    "ann@qq.com": ("out198-18-{n}-7.mail.qq.com", [0, 305, 311]),
    "ann@gmail.com": ("mail-lf1-f{n}.google.com", [0, 362]),
}


@pytest.fixture
def mxs(site):
    """Two MXs with their policy services, one store."""
    store = {"mode": "single", "address": site.redis().address}
    policy = sample_policy(greylist={"mode": "enforce", "delay": "1s"})
    policyds = [site.policyd(site.node(f"node{number}", policy=policy, store=store), f"policyd{number}", log_decisions="all")
                for number in (1, 2)]
    return [(site.mx(policyd, f"mx{number}"), policyd) for number, policyd in enumerate(policyds, 1)]


def machine(sender, number):
    """The pool's machine of that number, in a network of its own."""
    return {"client": f"198.18.{number}.7", "name": POOLS[sender][0].format(n=number)}


def submitted(mx, sender, subject, **client):
    """Tries to deliver; the reply to RCPT if it was deferred, else None."""
    try:
        mx.submit(sender, BOB, subject, **client)
    except smtplib.SMTPRecipientsRefused as refused:
        code, text = refused.recipients[BOB]
        return f"{code} {text.decode()}"
    return None


def is_deferred(reply):
    return bool(reply and re.match(r"451 4\.7\.1 <bob@rcpt\.example>: Recipient address rejected: Greylisted", reply))


def reasons(mxs, **fields):
    return sorted(row["reason"] for _, policyd in mxs for row in policyd.decisions(**fields))


def test_three_pools_on_their_schedules(mxs):
    """Of each pool the first retry after the delay passes, whichever machine makes it and whichever MX it finds."""
    tries = sorted((seconds / SPEED, sender, number)
                   for sender, (_, moments) in POOLS.items() for number, seconds in enumerate(moments, 1))
    deferred = {}
    for after, sender, number in tries:
        mx, _ = mxs[number % 2]
        subject = f"{sender} by machine {number}"
        if number == 1:
            assert is_deferred(submitted(mx, sender, subject, **machine(sender, number)))
            deferred[sender] = time.monotonic()
            continue
        due = deferred[sender] + after
        wait_for(lambda due=due: time.monotonic() > due, f"{sender}'s try {number} to be due")
        assert submitted(mx, sender, subject, **machine(sender, number)) is None
        wait_for(lambda mx=mx, subject=subject: mx.mailbox(subject), "the mail")
    assert reasons(mxs, **{"from": "ann@qq.com"}) == ["greylist_known", "greylist_new", "greylist_pass"]
    assert reasons(mxs, **{"from": "ann@gmail.com"}) == ["greylist_new", "greylist_pass"]
    assert reasons(mxs, **{"from": "ann@mail.ru"}) == ["greylist_new", "greylist_pass"]


def test_nobody_else_comes_in_by_a_pool(mxs):
    """At the moment at which the pool's own retry passes, each stranger is a first try."""
    (mx1, _), (mx2, _) = mxs
    sender = "ann@gmail.com"
    assert is_deferred(submitted(mx1, sender, "first", **machine(sender, 1)))
    deferred = time.monotonic()
    wait_for(lambda: time.monotonic() > deferred + 1.05, "the delay to be over")
    strangers = [
        {"client": "198.19.1.7", "name": STRANGER},
        {"client": "198.19.2.7"},  # no name
        {"client": "198.19.3.7", "reverse_name": "mail-lf1-f3.google.com"},  # a name that does not lead back
        {"client": "198.19.4.7", "name": "mail-lf1-f4.google.com.evil.example"},
        {"client": "198.19.5.7", "name": "mail-lf1-f5.yahoo.com"},  # the pool of another provider
        {"client": "198.19.6.7", "name": "host-6.dyn.google.com"},  # a line, not the owner's machine
    ]
    for stranger in strangers:
        assert is_deferred(submitted(mx2, sender, "forged", **stranger)), stranger
    assert is_deferred(submitted(mx2, "eve@gmail.com", "another sender", **machine(sender, 2)))
    assert reasons(mxs, to=BOB) == ["greylist_new"] * (len(strangers) + 2)
    assert submitted(mx2, sender, "retry", **machine(sender, 2)) is None
    wait_for(lambda: mx2.mailbox("retry"), "the mail")
    assert not mx2.mailbox("forged")
