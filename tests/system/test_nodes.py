"""Several nodes on one Redis, asked by reeve-policyd while they are killed, stopped, drained and restarted.

What must hold whatever happens to one of them: every question is answered by a node, and all answers to one transaction about one
recipient are the same, whichever node gave them."""
import itertools
import re
import signal
import subprocess
import threading

import pytest

from tests.support.asking import stranger
from tests.support.harness import PolicyClient, program, wait_for

# A second try within the hour would be another answer: so a node that did not recognise a repeated question is found out.
POLICY = {"settings": {"greylist": {"mode": "enforce", "delay": "1h", "new_per_hour": 0}}}
WORKERS = 6
_instances = itertools.count(1)


class Cluster:
    def __init__(self, site, count, **settings):
        store = {"mode": "single", "address": site.redis().address}
        self.nodes = [site.node(f"node-{letter}", policy=POLICY, store=store) for letter in "abc"[:count]]
        settings = {"log_decisions": "all", "deadline": "5s", **settings}
        self.policyd = site.policyd(self.nodes[0], nodes=[node.lookups for node in self.nodes], **settings)
        self.wait_up(*self.nodes)

    def states(self):
        """What reeve-policyd thinks of its nodes: a dict a node, by its endpoint, and the sums under the key None."""
        before = len(self.policyd.log_lines(" questions questions="))
        self.policyd.signal(signal.SIGUSR1)
        sums = self.policyd.wait_log(" questions questions=", before + 1)
        lines = self.policyd.log().splitlines()
        until = lines.index(sums)
        rows = [dict(re.findall(r'(\w+)="?([^" ]*)', line)) for line in lines[max(0, until - len(self.nodes)):until + 1]]
        return {row.get("endpoint"): row for row in rows}

    def state(self, node):
        return self.states()[node.lookups]["state"]

    def wait_up(self, *nodes):
        wait_for(lambda: all(self.state(node) == "up" for node in nodes), "all nodes to be up", every=0.1)

    def sums(self):
        return {key: int(value) for key, value in self.states()[None].items() if value.isdigit()}

    def reasons(self):
        """sender -> the set of reasons with which he was told anything."""
        told = {}
        for row in self.policyd.decisions():
            if row["from"]:
                told.setdefault(row["from"], set()).add(row["reason"])
        return told


class Load:
    """Gateways that ask about one stranger after the other, about each twice in the same transaction."""

    def __init__(self, policyd):
        self.policyd = policyd
        self.asked = 0
        self.odd = []
        self.lock = threading.Lock()
        self.stopping = threading.Event()
        self.threads = [threading.Thread(target=self._run) for _ in range(WORKERS)]

    def __enter__(self):
        for thread in self.threads:
            thread.start()
        self.wait_for_more(20)
        return self

    def __exit__(self, *_):
        self.stopping.set()
        for thread in self.threads:
            thread.join(60)

    def wait_for_more(self, count=100):
        wanted = self.asked + count
        wait_for(lambda: self.asked >= wanted or self.odd, f"{count} more answers", seconds=60)

    def _run(self):
        with PolicyClient(("127.0.0.1", self.policyd.port), seconds=30) as client:
            while not self.stopping.is_set():
                with self.lock:
                    sender, instance = stranger(), f"load.{next(_instances)}"
                answers = [client.ask(sender=sender, instance=instance) for _ in range(2)]
                with self.lock:
                    self.asked += 2
                    if not all(answer.startswith("DEFER_IF_PERMIT 4.7.1 Greylisted") for answer in answers):
                        self.odd.append((sender, answers))
                if self.odd:
                    return


def check_history(cluster, load):
    """No question was lost, and nobody was told two things."""
    assert load.odd == []
    sums = cluster.sums()
    assert sums["fallbacks"] == 0 and sums["answered"] == sums["questions"] >= load.asked, sums
    told = cluster.reasons()
    assert len(told) >= load.asked // 2
    assert {sender: reasons for sender, reasons in told.items() if reasons != {"greylist_new"}} == {}
    return sums


def test_nodes_restarted_one_after_the_other(site):
    cluster = Cluster(site, 3)
    with Load(cluster.policyd) as load:
        for node in cluster.nodes:
            assert node.stop() == 0
            load.wait_for_more()
            node.start()
            cluster.wait_up(node)
            load.wait_for_more()
    check_history(cluster, load)
    for node in cluster.nodes:
        assert int(cluster.states()[node.lookups]["connects"]) == 2
    assert len(cluster.policyd.log_lines("a node is away")) == 3
    assert not cluster.policyd.log_lines("no node answers")


def test_a_node_that_is_killed(site):
    cluster = Cluster(site, 2)
    with Load(cluster.policyd) as load:
        for node in cluster.nodes:
            node.kill()
            load.wait_for_more()
            node.start()
            cluster.wait_up(node)
    check_history(cluster, load)


def test_a_node_that_hangs_for_a_while(site):
    """Its connections stay, so hedges must save what it has; afterwards it answers what it was asked long ago."""
    cluster = Cluster(site, 2)
    with Load(cluster.policyd) as load:
        for node in cluster.nodes:
            node.signal(signal.SIGSTOP)
            wait_for(lambda: cluster.state(node) in ("suspect", "away"), "the node to be avoided", every=0.1)
            load.wait_for_more(200)
            node.signal(signal.SIGCONT)
            cluster.wait_up(node)
            load.wait_for_more()
    sums = check_history(cluster, load)
    assert sums["hedges"] > 0


def test_two_of_three_nodes_are_lost_at_once(site):
    cluster = Cluster(site, 3)
    with Load(cluster.policyd) as load:
        cluster.nodes[0].signal(signal.SIGSTOP)
        cluster.nodes[1].kill()
        load.wait_for_more(200)
        cluster.nodes[0].signal(signal.SIGCONT)
        cluster.nodes[1].start()
        cluster.wait_up(*cluster.nodes)
    check_history(cluster, load)


def test_both_sides_of_a_hedge_say_the_same_and_it_counts_once(site):
    cluster = Cluster(site, 2)
    first, second = cluster.nodes
    first.signal(signal.SIGSTOP)
    senders = [stranger() for _ in range(10)]
    with PolicyClient(("127.0.0.1", cluster.policyd.port)) as client:
        for sender in senders:
            assert client.ask(sender=sender, instance=sender).startswith("DEFER_IF_PERMIT 4.7.1")
        assert cluster.sums()["hedges"] > 0
        first.signal(signal.SIGCONT)  # it works on what was asked, if that is not too old, and says the same too late
        cluster.wait_up(*cluster.nodes)
        second.kill()
        for sender in senders:  # of the one that did not answer before
            assert client.ask(sender=sender, instance=sender).startswith("DEFER_IF_PERMIT 4.7.1")
        assert cluster.reasons() == {sender: {"greylist_new"} for sender in senders}
        # Another transaction is another try.
        assert client.ask(sender=senders[0], instance="another").startswith("DEFER_IF_PERMIT 4.7.1")
    assert cluster.reasons()[senders[0]] == {"greylist_new", "greylist_early"}
    for sender in senders:
        shown = first.reevectl("grey", "show", "--from", sender, "--to", "bob@rcpt.example", "--json")
        assert shown.stdout.count('"first_seen"') == 1, shown.stdout


def test_a_question_without_a_transaction_is_one_try_wherever_it_goes(site):
    cluster = Cluster(site, 2)
    cluster.nodes[0].signal(signal.SIGSTOP)
    senders = [stranger() for _ in range(6)]
    with PolicyClient(("127.0.0.1", cluster.policyd.port)) as client:
        for sender in senders:
            client.ask(sender=sender, instance="")
    cluster.nodes[0].signal(signal.SIGCONT)
    cluster.wait_up(*cluster.nodes)
    assert cluster.reasons() == {sender: {"greylist_new"} for sender in senders}
    with PolicyClient(("127.0.0.1", cluster.policyd.port)) as client:
        client.ask(sender=senders[0], instance="")
    assert cluster.reasons()[senders[0]] == {"greylist_new", "greylist_early"}


def test_a_host_name_leads_to_its_addresses(site):
    node = site.node(policy=POLICY)
    policyd = site.policyd("tcp://localhost:" + node.lookups.rsplit(":", 1)[1], start=False)
    policyd.start()
    policyd.wait_log(f"a node is up endpoint={node.lookups}")
    with PolicyClient(("127.0.0.1", policyd.port)) as client:
        assert client.ask(sender=stranger()).startswith("DEFER_IF_PERMIT 4.7.1")


def test_a_name_that_nobody_knows_is_no_reason_not_to_start(site):
    policyd = site.policyd("tcp://no-such-name.invalid:7170", start=False, deadline="50ms")
    policyd.start()
    with PolicyClient(("127.0.0.1", policyd.port)) as client:
        assert client.ask() == "DUNNO"


@pytest.mark.parametrize("how", ["again", "list", "environment"])
def test_reevectl_asks_several_nodes(site, how):
    node = site.node(policy=POLICY)
    dead, alive = "tcp://127.0.0.1:1", node.lookups
    options = {"again": ["--node", dead, "--node", alive], "list": ["--node", f"{dead},{alive}"], "environment": []}[how]
    environment = {"REEVE_NODE": f"{dead}, {alive}"} if how == "environment" else {"REEVE_NODE": "tcp://127.0.0.1:2"}

    def reevectl(*words):
        return subprocess.run([program("reevectl"), *options, *words], capture_output=True, text=True, timeout=20,
                              env=environment)
    asked = reevectl("check", "--ip", "192.0.2.7", "--from", stranger(), "--to", "bob@rcpt.example")
    assert "greylist_new" in asked.stdout, asked
    pinged = reevectl("ping", "--deadline", "1s")
    assert pinged.returncode == 3
    assert f"node node at {alive} answered" in pinged.stdout and f"no answer from {dead}" in pinged.stderr


def test_reevectl_refuses_what_is_no_node():
    for words in (["--node", "7170", "ping"], ["--node", ",", "ping"], ["--node", "tcp://127.0.0.1:1,x", "check", "--ip", "192.0.2.7"]):
        done = subprocess.run([program("reevectl"), *words], capture_output=True, text=True, timeout=20)
        assert done.returncode == 2, done
