"""DNS lists: a real rbldnsd behind a name server that can be slow or silent. Whatever it does, mail is answered in time, a list that does not
answer or cannot be believed names nobody, and what it answers late is there for the retry."""
import time

import pytest

from tests.support.asking import Gateway, stranger, verdict
from tests.support.harness import wait_for
from tests.support.rbldnsd import RESULT, Before, Rbldnsd, ask

TESTS = "127.0.0.2\n"  # that every list has
ZONES = {
    "bl.test": ("ip4trie", RESULT + TESTS + "192.0.2.7\n198.51.100.0/24 :127.0.0.9:a network\n203.0.113.5 :127.0.0.50:not counted\n"),
    "v6.test": ("ip6trie", RESULT + "::ffff:127.0.0.2\n2001:db8:7::/48\n"),
    "dbl.test": ("dnset", RESULT + "test\nspam.example\n.mailer.example\n"),
    "light.test": ("ip4set", RESULT + TESTS + "192.0.2.20\n192.0.2.21\n"),
    "wl.test": ("ip4set", RESULT + TESTS + "192.0.2.30\n192.0.2.31\n"),
    "world.test": ("ip4trie", RESULT + "0.0.0.0/0\n"),
    "refusing.test": ("ip4trie", ":127.255.255.254:no public resolvers\n0.0.0.0/0\n"),
    "slow.test": ("ip4set", RESULT + TESTS + "192.0.2.40\n"),
    "silent.test": ("ip4set", RESULT + TESTS + "192.0.2.50\n192.0.2.51\n"),
    "short.test": ("ip4set", "$TTL 5\n" + RESULT + TESTS + "192.0.2.60\n"),
}
BUDGET_MS = 400
NOISE_S = 2.0  # what a busy machine may add


def policy(lists, good=(), **more):
    return {"domains": {"rcpt.example": {}}, "trusted_sources": [],
            "settings": {"greylist": {"mode": "enforce"}, "reputation": {"lists": list(lists), "good": list(good), **more}}}


@pytest.fixture
def lists(site):
    rbldnsd = Rbldnsd(site.folder, ZONES)
    site.servers.append(rbldnsd)
    before = Before(rbldnsd.start().port)
    before.rbldnsd = rbldnsd
    yield before
    before.close()


class Asked:
    """A node, and a gateway before it."""

    def __init__(self, site, lists, policy_set, name="node"):
        self.node = site.node(name, policy=policy_set, dns={"servers": [lists.address], "timeout": "1s"})
        self.gateway = Gateway(site.folder, self.node.lookups)

    def __enter__(self):
        return self

    def __exit__(self, *unused):
        self.gateway.__exit__()
        self.node.kill()  # nothing here is about leaving in good order

    def hear(self, ip, sender=None, budget_ms=5000, **fields):
        reply = self.gateway.check(sender or stranger(), ip=ip, budget_ms=budget_ms, patience_ms=10000, **fields)
        assert reply is not None and reply.status == 0, reply
        said = verdict(reply)
        return f"{said.code} {said.reason} {said.rule}".rstrip()


def test_a_real_list_is_heeded(site, lists):
    set_of_lists = policy([{"zone": "bl.test", "codes": ["127.0.0.2-11"]}, "v6.test", {"zone": "dbl.test", "of": "sender"},
                           {"zone": "light.test", "weight": 0.5}, {"zone": "short.test", "weight": 0.5}], ["wl.test"])
    with Asked(site, lists, set_of_lists) as asked:
        began = time.monotonic()
        assert asked.hear("192.0.2.60") == "451 greylist_new"  # half as much as is needed
        lists.rbldnsd.write("short.test", TESTS)  # and half of the rest from now on
        lists.rbldnsd.write("light.test", RESULT + TESTS + "192.0.2.20\n192.0.2.60\n192.0.2.61\n")
        lists.rbldnsd.reload()
        expected = {"192.0.2.7": "550 reputation bl.test", "192.0.2.8": "451 greylist_new", "198.51.100.255": "550 reputation bl.test",
                    "203.0.113.5": "451 greylist_new", "2001:db8:7::25": "550 reputation v6.test", "2001:db8:8::25": "451 greylist_new",
                    "192.0.2.20": "451 greylist_new", "192.0.2.30": "250 accept"}
        assert {ip: asked.hear(ip) for ip in expected} == expected
        assert asked.hear("192.0.2.9", "ann@mx.spam.example") == "550 reputation dbl.test"
        assert asked.hear("192.0.2.9", "ann@x.mailer.example") == "550 reputation dbl.test"
        assert asked.hear("192.0.2.9", "ann@nospam.example") == "451 greylist_new"
        count = len(lists.asked)
        assert {ip: asked.hear(ip) for ip in expected} == expected
        assert len([name for name in lists.asked[count:] if name.endswith(("bl.test", "v6.test", "wl.test"))
                    and not name.endswith("dbl.test")]) == 0  # all of that is kept
        assert lists.count("60.2.0.192.short.test") == 1
        wait_for(lambda: asked.hear("192.0.2.60") and lists.count("60.2.0.192.short.test") == 2, "the end of 5 s", 20)
        assert time.monotonic() - began >= 5


def test_a_list_that_cannot_be_believed_names_nobody(site, lists):
    with Asked(site, lists, policy(["world.test", "refusing.test", "bl.test"])) as asked:
        assert asked.hear("192.0.2.8") == "451 greylist_new"
        assert asked.hear("192.0.2.7") == "550 reputation bl.test"
        assert asked.hear("192.0.2.11") == "451 greylist_new"
        asked.node.wait_log('a DNS list is off .*list=world.test why="it lists 127.0.0.1" answer=127.0.0.2')
        asked.node.wait_log('a DNS list is off .*list=refusing.test why="it refuses to answer this resolver" answer=127.255.255.254')
        assert len(asked.node.log_lines("a DNS list is off")) == 2
        assert lists.count("11.2.0.192.world.test") == lists.count("11.2.0.192.refusing.test") == 0


def test_slow_and_silent_lists_hold_up_nobody(site, lists):
    with Asked(site, lists, policy(["slow.test", "silent.test", "bl.test"])) as asked:
        assert asked.hear("192.0.2.8") == "451 greylist_new"  # all are sound
        lists.silent.add("silent.test")
        lists.slow.add("slow.test")
        began = time.monotonic()
        sender = stranger()
        assert asked.hear("192.0.2.40", sender, BUDGET_MS) == "451 greylist_new"
        assert asked.hear("192.0.2.50", None, BUDGET_MS) == "451 greylist_new"
        assert asked.hear("192.0.2.7", None, BUDGET_MS) == "550 reputation bl.test"
        assert time.monotonic() - began < 3 * BUDGET_MS / 1000 + NOISE_S
        lists.release()
        wait_for(lambda: asked.hear("192.0.2.40", sender, BUDGET_MS) == "550 reputation slow.test", "the late answer")
        for number in range(8):  # in a row, in vain
            asked.hear(f"192.0.2.{100 + number}", None, 50)
        began = time.monotonic()
        for number in range(20):
            assert asked.hear(f"192.0.2.{120 + number}") == "451 greylist_new"
        assert time.monotonic() - began < 20 * BUDGET_MS / 1000  # of 5 s each, nobody waits any more
        assert asked.hear("192.0.2.7") == "550 reputation bl.test"
        lists.silent.clear()
        wait_for(lambda: asked.hear("192.0.2.51") == "550 reputation silent.test", "the list that was silent", 30, 0.1)


def test_without_dns_mail_goes_on(site, lists):
    lists.rbldnsd.stop()
    lists.close()
    with Asked(site, lists, policy(["bl.test"], ["wl.test"])) as asked:
        assert asked.hear("192.0.2.7", None, BUDGET_MS) == "451 greylist_new"
        assert asked.hear("192.0.2.30", None, BUDGET_MS) == "451 greylist_new"


def test_the_stand_in_for_a_resolver_sees_what_rbldnsd_says(lists):
    """Else the tests above could hold for want of a list."""
    port = lists.rbldnsd.port
    assert ask(port, "2.0.0.127.bl.test") == (0, ["127.0.0.2"])
    assert ask(port, "1.0.0.127.bl.test") == (3, [])
    assert ask(port, "5.113.0.203.bl.test") == (0, ["127.0.0.50"])
    assert ask(port, "spam.example.dbl.test") == (0, ["127.0.0.2"])
