"""Recipients that the host behind the gateway is asked for: a real Postfix with TLS, and peers that are silent, talk nonsense, dribble
or hang up. Whatever they do, the gateway hears in time, nobody else waits, and an answer that came is there for all nodes."""
import os
import subprocess
import time

import pytest

from tests.support.asking import Gateway, stranger, verdict
from tests.support.harness import Postfix, Process, tool, wait_for
from tests.support.smtp_peer import Peer, closing, dribbling, garbage, hanging_up, polite, silent

SITE = "corp.example"
BUDGET_MS = 400
NOISE_S = 2.0  # what a busy machine may add

TARGET_CF = """
virtual_mailbox_domains = {site}
virtual_mailbox_base = {{folder}}/mail
virtual_mailbox_maps = texthash:{{folder}}/users
virtual_uid_maps = static:{{uid}}
virtual_gid_maps = static:{{gid}}
virtual_minimum_uid = 1
smtpd_recipient_restrictions = check_recipient_access texthash:{{folder}}/access, permit
smtpd_tls_security_level = may
smtpd_tls_chain_files = {{folder}}/tls.pem
smtpd_tls_loglevel = 1
""".format(site=SITE)


def policy(hosts, **callforward):
    return {"domains": {domain: {"recipients": "callforward", "host": host} for domain, host in hosts.items()}
            | {"any.example": {}},
            "trusted_sources": [],
            "settings": {"callforward": {"reply_timeout": "1s", "timeout": "3s", **callforward}}}


def make_certificate(path):
    subprocess.run([tool("openssl"), "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2",
                    "-subj", "/CN=nobody.invalid", "-keyout", path, "-out", f"{path}.cert"], check=True, capture_output=True, timeout=60)
    path.write_text(path.read_text() + (path.parent / f"{path.name}.cert").read_text())
    os.chmod(path, 0o600)


def target(site):
    """A Postfix that knows ann alone, refuses some for now, and some because it does not like us."""
    folder = site.folder / "target"
    folder.mkdir()
    (folder / "users").write_text(f"ann@{SITE} box/\n")
    (folder / "access").write_text(f"busy@{SITE} 451 4.3.0 try later\nmute@{SITE} 550 5.7.1 not for you\n"
                                   f"former@{SITE} 550 5.1.6 has moved\n")
    make_certificate(folder / "tls.pem")
    postfix = Postfix(folder, "target", TARGET_CF)
    site.servers.append(postfix)
    return postfix.start()


class Asked:
    """A node and a gateway before it."""

    def __init__(self, site, name, store, policy_set):
        self.node = site.node(name, policy=policy_set, store={"mode": "single", "address": store.address})
        self.gateway = Gateway(site.folder, self.node.lookups)

    def __enter__(self):
        return self

    def __exit__(self, *unused):
        self.gateway.__exit__()
        self.node.kill()  # nothing here is about leaving in good order

    def hear(self, recipient, budget_ms=5000):
        reply = self.gateway.check(stranger(), recipient, budget_ms=budget_ms, patience_ms=10000)
        assert reply is not None and reply.status == 0, reply
        said = verdict(reply)
        return f"{said.code} {said.enhanced} {said.reason}"


EXISTS = "250 2.1.5 accept"
NOBODY = "550 5.1.1 rcpt_unknown"
UNSAID = "451 4.4.1 rcpt_tempfail"


def test_a_real_postfix_says_who_exists(site):
    store, postfix = site.redis(), target(site)
    policies = policy({SITE: f"127.0.0.1:{postfix.port}"})
    expected = {"ann": EXISTS, "nobody": NOBODY, "former": NOBODY, "busy": UNSAID, "mute": UNSAID, "Ann+news": EXISTS}
    with Asked(site, "a", store, policies) as first, Asked(site, "b", store, policies) as second:
        assert {name: first.hear(f"{name}@{SITE}") for name in expected} == expected
        assert len(postfix.log_lines("Anonymous TLS connection established")) == 1  # one connection for all of them
        postfix.kill()
        assert second.hear(f"ann@{SITE}") == EXISTS  # it was told by the first node
        assert second.hear(f"nobody@{SITE}") == NOBODY
        assert first.hear(f"other@{SITE}", BUDGET_MS) == UNSAID
        Process.start(postfix)  # its folders are there
        wait_for(lambda: first.hear(f"other@{SITE}", BUDGET_MS) == NOBODY, "the host to be asked again", 15)
        assert second.hear(f"other@{SITE}") == NOBODY


PEERS = {"silent": silent, "garbage": garbage, "closing": closing, "hanging-up": hanging_up, "slowest": dribbling(1.0)}


@pytest.fixture
def peer_of():
    """Makes peers, which stop with the test."""
    peers = []

    def make(talk):
        peers.append(Peer(talk))
        return peers[-1]

    yield make
    for peer in peers:
        peer.stop()


def test_peers_that_do_not_answer_hold_up_nobody(site, peer_of):
    peers = {f"{name}.example": peer_of(talk) for name, talk in PEERS.items()}
    store = site.redis()
    with Asked(site, "a", store, policy({domain: peer.host for domain, peer in peers.items()}, connections=1)) as asked:
        for domain in peers:
            began = time.monotonic()
            assert (domain, asked.hear(f"ann@{domain}", BUDGET_MS)) == (domain, UNSAID)
            assert asked.hear("ann@any.example", BUDGET_MS) == EXISTS  # meanwhile
            assert time.monotonic() - began < BUDGET_MS / 1000 + NOISE_S, domain
        wait_for(lambda: len(asked.node.log_lines("the host cannot be asked")) == len(peers), "each host to be given up", 15)
        for domain in peers:
            assert asked.hear(f"ann@{domain}", BUDGET_MS) == UNSAID
        assert store.command("--scan", "--pattern", "v:*") == ""


def is_kept(store, name):
    return store.command("EXISTS", f"v:{{{name}@{SITE}}}").strip() == "1"


def test_an_answer_that_comes_late_serves_the_retry(site, peer_of):
    peer, store = peer_of(dribbling(0.02)), site.redis()  # its greeting alone takes a third of a second
    policies = policy({SITE: peer.host})
    with Asked(site, "a", store, policies) as first, Asked(site, "b", store, policies) as second:
        assert first.hear(f"ann@{SITE}", 100) == UNSAID
        wait_for(lambda: is_kept(store, "ann"), "the answer to come", 15)
        assert first.hear(f"ann@{SITE}") == EXISTS
        assert second.hear(f"ann@{SITE}") == EXISTS
        assert len(peer.recipients) == 1


def test_a_node_that_is_killed_takes_no_answer_with_it(site, peer_of):
    """Killed after the host has answered: the other node knows. Before it: the retry there asks again."""
    mute = []

    def moody(peer, connection, line):
        if not (mute and line.startswith(b"RCPT")):
            polite(peer, connection, line)

    peer, store = peer_of(moody), site.redis()
    policies = policy({SITE: peer.host})
    with Asked(site, "a", store, policies) as first, Asked(site, "b", store, policies) as second:
        assert first.hear(f"nobody@{SITE}") == NOBODY
        wait_for(lambda: is_kept(store, "nobody"), "the answer to be kept")
        mute.append(True)
        assert first.hear(f"ann@{SITE}", BUDGET_MS) == UNSAID
        wait_for(lambda: len(peer.recipients) == 2, "the host to be asked")
        first.node.kill()
        mute.clear()
        assert second.hear(f"nobody@{SITE}") == NOBODY
        assert len(peer.recipients) == 2
        assert second.hear(f"ann@{SITE}") == EXISTS
        assert len(peer.recipients) == 3
