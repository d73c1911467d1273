"""A real Redis in every kind of trouble, mail all the time, and afterwards the history of every triplet.

What must hold whatever happens: every question is answered in its budget; nobody is deferred without a first try that the store
holds; nobody is deferred who tried long enough ago; and when the trouble is over, everything is as before, without anybody's help.
"""
import signal
import subprocess
import threading
import time

import pytest

from tests.support import harness
from tests.support.asking import Gateway, stranger, verdict

DELAY_MS = 1000
POLICY = {"settings": {"greylist": {"mode": "enforce", "delay": "1s"}}}
BUDGET_MS = 250
PATIENCE_MS = 2000  # a noisy machine's share on top of the budget


class Traffic:
    """Gateways that keep trying: each takes a sender, tries until it passed, and takes the next one."""

    def __init__(self, site, *nodes, senders=4):
        harness.wire_module(site.folder)  # once, before the threads want it
        self.site = site
        self.nodes = nodes
        self.history = []  # (sender, asked at, answered at, reply)
        self.unanswered = []
        self.lock = threading.Lock()
        self.stopping = threading.Event()
        self.threads = [threading.Thread(target=self._keep_trying, args=(i,)) for i in range(senders)]

    def __enter__(self):
        for thread in self.threads:
            thread.start()
        return self

    def __exit__(self, *_):
        self.stopping.set()
        for thread in self.threads:
            thread.join(30)

    def _keep_trying(self, number):
        node = self.nodes[number % len(self.nodes)]
        with Gateway(self.site.folder, node.lookups) as gateway:
            while not self.stopping.is_set():
                self._try_until_accepted(gateway, stranger())

    def _try_until_accepted(self, gateway, sender):
        while not self.stopping.is_set():
            asked = time.time() * 1000
            reply = gateway.check(sender, budget_ms=BUDGET_MS, patience_ms=PATIENCE_MS)
            answered = time.time() * 1000
            with self.lock:
                if reply is None:
                    self.unanswered.append((sender, asked))
                else:
                    self.history.append((sender, asked, answered, reply))
            if reply is not None and verdict(reply).action == 1:
                return
            self.stopping.wait(0.15)

    def count(self, wanted):
        with self.lock:
            return sum(1 for _, _, _, reply in self.history if wanted(reply))

    def wait_for_more(self, wanted, what, more=5, seconds=20):
        before = self.count(wanted)
        harness.wait_for(lambda: self.count(wanted) >= before + more, what, seconds)


def is_degraded(reply):
    return reply.degraded and verdict(reply).reason == "degraded" and verdict(reply).code == 250


def is_first_try(reply):
    return not reply.degraded and verdict(reply).reason == "greylist_new"


def is_retry(reply):
    return not reply.degraded and verdict(reply).reason == "greylist_pass"


def check_history(site, node, traffic):
    """Every deferral stands on a stored first try, and none comes after the delay."""
    assert not traffic.unanswered
    first_tries = {}
    with Gateway(site.folder, node.admin) as admin:
        for sender, asked, answered, reply in traffic.history:
            assert reply.status == 0, reply.error
            if verdict(reply).action == 1:
                continue
            assert verdict(reply).reason in ("greylist_new", "greylist_early"), "only greylisting defers"
            assert not reply.degraded, "what is not known must not defer"
            if verdict(reply).reason == "greylist_new":
                assert sender not in first_tries, f"{sender} was called new twice: its first try was forgotten"
                first_tries[sender] = answered
                rows = admin.admin("grey.show", sender=sender, recipient="bob@rcpt.example")
                assert "pending" in [row["state"] for row in rows], f"{sender} was deferred without a stored first try"
            assert asked <= first_tries[sender] + DELAY_MS, f"{sender} was deferred {asked - first_tries[sender]} ms after its first try"
    assert first_tries, "nobody was deferred: the test shows nothing"


# ---- the troubles: each makes one, waits until it is felt, and ends it

def killed(redis, traffic):
    redis.kill()
    traffic.wait_for_more(is_degraded, "mail to pass while the store is dead")
    redis.start()


def stopped(redis, traffic):
    redis.signal(signal.SIGSTOP)
    traffic.wait_for_more(is_degraded, "mail to pass while the store is stopped")
    redis.signal(signal.SIGCONT)


def full(redis, traffic):
    redis.command("CONFIG", "SET", "maxmemory", "1")
    traffic.wait_for_more(is_degraded, "mail to pass while the store is full")
    redis.command("CONFIG", "SET", "maxmemory", "0")


def read_only(redis, traffic):
    redis.command("REPLICAOF", "127.0.0.1", "1")
    traffic.wait_for_more(is_degraded, "mail to pass while the store is a replica")
    redis.command("REPLICAOF", "NO", "ONE")


def locked(redis, traffic):
    redis.command("CONFIG", "SET", "requirepass", "another")
    redis.command_as("another", "CLIENT", "KILL", "TYPE", "normal")
    traffic.wait_for_more(is_degraded, "mail to pass while the store refuses our password")
    redis.command_as("another", "CONFIG", "SET", "requirepass", "")


def loading(redis, traffic):
    """Restarted, and slow to load: it answers -LOADING until it has read everything."""
    redis.command("EVAL", "for i = 1, 6000 do redis.call('SET', 'ballast:' .. i, i) end", "0")
    redis.stop()
    redis.argv += ["--key-load-delay", "1000", "--loading-process-events-interval-bytes", "1024"]
    harness.Process.start(redis)
    traffic.wait_for_more(lambda reply: is_degraded(reply) and "loading" in reply.degraded_why, "mail to pass while the store loads")


TROUBLES = [killed, stopped, full, read_only, locked, loading]


class Store(harness.Redis):
    """A Redis that keeps what it answered, also when it is killed (appendfsync everysec may lose two seconds of it)."""

    def __init__(self, folder):
        super().__init__(folder, "redis", "--appendonly", "yes", "--appendfsync", "always", "--enable-debug-command", "yes")

    def command_as(self, password, *words):
        return subprocess.run([harness.tool("redis-cli"), "-s", self.socket, "-a", password, "--no-auth-warning", *words],
                              capture_output=True, text=True, check=True, timeout=10).stdout


@pytest.fixture
def store(site):
    return site._add(Store(site._folder("redis")), True)


@pytest.mark.parametrize("trouble", TROUBLES, ids=lambda trouble: trouble.__name__)
def test_mail_flows_through_trouble_and_the_history_is_right(site, store, trouble):
    settings = {"mode": "single", "address": store.address}
    one = site.node("one", policy=POLICY, store=settings)
    two = site.node("two", policy=POLICY, store=settings)
    with Traffic(site, one, two) as traffic:
        traffic.wait_for_more(is_retry, "mail to be greylisted and to pass", more=4)
        trouble(store, traffic)
        traffic.wait_for_more(is_first_try, "greylisting to come back by itself", more=4)
        traffic.wait_for_more(is_retry, "retries to pass again", more=4)
    check_history(site, one, traffic)
    assert one.is_running() and two.is_running()


def test_every_trouble_in_turn(site, store):
    """One after the other on the same nodes: a trouble leaves nothing behind that makes the next one worse."""
    node = site.node(policy=POLICY, store={"mode": "single", "address": store.address})
    with Traffic(site, node, senders=3) as traffic:
        for trouble in (full, stopped, read_only, locked, killed, stopped):
            traffic.wait_for_more(is_first_try, f"greylisting before the store is {trouble.__name__}", more=2)
            trouble(store, traffic)
        traffic.wait_for_more(is_retry, "retries to pass at the end", more=2)
    check_history(site, node, traffic)


@pytest.mark.parametrize("cache, in_trouble", [("0", "degraded"), ("8M", "greylist_known")], ids=["without a cache", "with a cache"])
def test_what_passed_is_never_deferred_in_trouble(site, store, cache, in_trouble):
    node = site.node(policy=POLICY, store={"mode": "single", "address": store.address, "cache": cache})
    with Gateway(site.folder, node.lookups) as gateway:
        sender = stranger()
        gateway.check(sender)
        harness.wait_for(lambda: verdict(gateway.check(sender)).reason == "greylist_pass", "the retry to pass")
        store.command("CONFIG", "SET", "maxmemory", "1")
        assert verdict(gateway.check(sender)).reason == "greylist_known"  # a full store can still be read
        store.signal(signal.SIGSTOP)
        for _ in range(20):
            reply = gateway.check(sender)
            assert verdict(reply).code == 250
            assert verdict(reply).reason in (in_trouble, "degraded")  # slow, and not yet known to be away: the cache rests
        harness.wait_for(lambda: verdict(gateway.check(sender)).reason == in_trouble, "the store to be known to be away")
        store.signal(signal.SIGCONT)
        harness.wait_for(lambda: verdict(gateway.check(sender)).reason == "greylist_known", "the store to be used again")


def test_the_answer_takes_no_longer_than_its_budget(site, store):
    """A stopped Redis: the first question waits for the store's deadline, the others for nothing."""
    node = site.node(policy=POLICY, store={"mode": "single", "address": store.address})
    with Gateway(site.folder, node.lookups) as gateway:
        assert not gateway.check(stranger()).degraded
        store.signal(signal.SIGSTOP)
        took = []
        for _ in range(30):
            began = time.monotonic()
            assert gateway.check(stranger(), budget_ms=BUDGET_MS).degraded
            took.append((time.monotonic() - began) * 1000)
        store.signal(signal.SIGCONT)
    took.sort()
    assert took[len(took) // 2] < BUDGET_MS / 2, took
    assert took[-1] < BUDGET_MS + PATIENCE_MS, took


def test_fail_defer_defers_what_is_not_known(site, store):
    policy = {"settings": {"fail": "defer", "greylist": {"mode": "enforce", "delay": "1s"}}}
    node = site.node(policy=policy, store={"mode": "single", "address": store.address})
    with Gateway(site.folder, node.lookups) as gateway:
        store.kill()
        reply = harness.wait_for(lambda: (lambda r: r if r.degraded else None)(gateway.check(stranger())), "the store to be missed")
        assert (verdict(reply).code, verdict(reply).enhanced, verdict(reply).reason) == (451, "4.3.0", "store_down")
        assert "down" in reply.degraded_why


def test_a_store_of_another_cluster_is_refused(site, store):
    one = site.node("one", store={"mode": "single", "address": store.address})
    secret = site.folder / "secret"
    secret.write_text("00112233445566778899aabbccddeeff\n")
    secret.chmod(0o600)
    two = site.node("two", start=False, store={"mode": "single", "address": store.address})
    two.config_path.write_text(two.config_path.read_text() + f"secret_file: {secret}\n")
    two.start(ready=False)
    assert two.wait() == 78
    assert "another cluster" in two.log() and "secret" in two.log()
    with Gateway(site.folder, one.lookups) as gateway:
        assert not gateway.check(stranger()).degraded


def test_admin_words_are_refused_without_a_store(site, store):
    node = site.node(policy=POLICY, store={"mode": "single", "address": store.address})
    store.kill()
    with Gateway(site.folder, node.admin) as admin:
        for verb in ("grey.show", "grey.pass", "grey.forget"):
            request = admin.pb.Request()
            request.admin.verb = verb
            request.admin.args["sender"] = "ann@sender.example"
            request.admin.args["recipient"] = "bob@rcpt.example"
            harness.wait_for(lambda: admin.ask(request).status == 5, f"{verb} to be unavailable")
        assert admin.ping().pong.store.startswith("single")
        assert "down" in admin.ping().pong.store
