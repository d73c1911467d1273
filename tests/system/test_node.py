"""The node as a program: its files, its signals, its doors, its stats, replay."""
import os
import re
import signal
import subprocess
import threading
import time

import pytest

from tests.support import harness
from tests.support.asking import Gateway, listen, next_news, now_ms, stranger, verdict

ENFORCE = {"settings": {"greylist": {"mode": "enforce", "delay": "1s"}}}


def gateway(site, node, door="lookups"):
    return Gateway(site.folder, getattr(node, door))


def run_reeved(*words):
    return subprocess.run([harness.program("reeved"), *map(str, words)], capture_output=True, text=True, timeout=20)


# ---- files

@pytest.mark.parametrize("text, words", [
    ("stat_dir: /x\n", ["reeve.yaml:1:", "unknown key 'stat_dir'", "state_dir"]),
    ("lookups: {listen: 7170}\n", ["reeve.yaml:1:", "lookups.listen"]),
    ("lookups:\n  budget: 200\n", ["reeve.yaml:2:", "lookups.budget", "200"]),
    ("store: {mode: singel}\n", ["reeve.yaml:1:", "store.mode", "embedded", "single"]),
    ("store: {mode: single}\n", ["reeve.yaml:1:", "store.address"]),
    ("- a\n", ["reeve.yaml:1:"]),
    ("a: [1\n", ["reeve.yaml:"]),
])
def test_a_wrong_file_is_told_with_its_line(tmp_path, text, words):
    path = tmp_path / "reeve.yaml"
    path.write_text(text)
    done = run_reeved("-c", path, "-t")
    assert done.returncode == 78
    for word in words:
        assert word in done.stderr


def test_a_missing_file_is_told(tmp_path):
    done = run_reeved("-c", tmp_path / "none.yaml", "-t")
    assert done.returncode == 78
    assert "none.yaml" in done.stderr and "No such file" in done.stderr


def test_what_is_in_force_can_be_used_again(site):
    node = site.node(start=False, policy=ENFORCE)
    done = run_reeved("-c", node.config_path, "-T")
    assert done.returncode == 0, done.stderr
    config, policy = done.stdout.split("# version", 1)
    (node.folder / "again.yaml").write_text(config.replace(str(node.policy_path), str(node.folder / "policy-again.yaml")))
    (node.folder / "policy-again.yaml").write_text("# version" + policy)
    again = run_reeved("-c", node.folder / "again.yaml", "-T")
    assert again.returncode == 0, again.stderr

    def said(text):  # without who said it: in the second set all is said by one file
        return re.sub(r" # .*", "", text.split("\n", 1)[1])
    assert again.stdout.split("# version", 1)[1].split("\n", 1)[0] == policy.split("\n", 1)[0]
    assert said(again.stdout.split("# version", 1)[1]) == said(policy)
    assert run_reeved("-c", node.config_path, "-t").returncode == 0


def test_usage_errors_are_told():
    for words in (["--no-such"], ["surplus"]):
        done = run_reeved(*words)
        assert done.returncode == 64
        assert "usage:" in done.stderr
    assert run_reeved("--version").stdout.startswith("reeved ")
    assert run_reeved("--help").returncode == 0


def test_a_bad_reload_keeps_the_old_policy(site):
    node = site.node(policy=ENFORCE)
    with gateway(site, node) as asks, gateway(site, node, "admin") as admin:
        assert verdict(asks.check(stranger())).reason == "greylist_new"
        node.write_policy("settings: {greylist: {mode: of}}\n")
        node.signal(signal.SIGHUP)
        assert "policy.yaml:1" in node.wait_log("policy not reloaded")
        assert verdict(asks.check(stranger())).reason == "greylist_new"
        with pytest.raises(AssertionError, match="policy.yaml:1"):
            admin.admin("reload")
        node.write_policy({"settings": {"greylist": {"mode": "shadow"}}})
        node.signal(signal.SIGHUP)
        node.wait_log("policy reloaded")
        shadowed = verdict(asks.check(stranger()))
        assert (shadowed.code, shadowed.shadow) == (250, "greylist_new")
        node.write_policy(ENFORCE)
        before = asks.ping().pong.policy_version
        rows = admin.admin("reload")
        assert int(rows[0]["policy_version"]) != before
        assert verdict(asks.check(stranger())).reason == "greylist_new"


def test_a_reload_while_it_starts_is_no_reason_to_die(site):
    node = site.node(start=False)
    text = node.policy_path.read_text()
    node.policy_path.unlink()
    os.mkfifo(node.policy_path)  # reading it takes until somebody writes
    node.start(ready=False)
    with open(node.policy_path, "w") as policy:  # opens once the node reads
        node.signal(signal.SIGHUP)
        policy.write(text)
    node.wait_log("store is up")
    assert node.is_running()


def test_two_nodes_with_the_same_set_tell_the_same_version(site):
    one = site.node("one", policy="settings: {relay: ignore, fail: defer}\n# a comment\n")
    two = site.node("two", policy="settings:\n  fail: defer\n  relay: ignore\n")
    with gateway(site, one) as asks_one, gateway(site, two) as asks_two:
        version = asks_one.ping().pong.policy_version
        assert version > 0
        assert asks_two.ping().pong.policy_version == version


# ---- doors

def test_a_verb_at_the_wrong_door_is_sent_to_the_right_one(site):
    node = site.node()
    with gateway(site, node) as asks, gateway(site, node, "admin") as admin:
        request = asks.pb.Request()
        request.admin.verb = "help"
        assert "admin" in asks.ask(request).error
        reply = admin.check(stranger())
        assert reply.status == 1 and "lookups" in reply.error
        assert admin.ping().status == 0


def test_the_admin_socket_is_closed_to_others(site):
    node = site.node()
    path = node.admin.removeprefix("ipc://")
    assert oct(harness.os.stat(path).st_mode & 0o777) == "0o660"


def test_unknown_admin_words_and_arguments_are_named(site):
    node = site.node()
    with gateway(site, node, "admin") as admin:
        words = [row["verb"] for row in admin.admin("help")]
        assert {"grey.show", "track", "reload", "clock.show"} <= set(words)
        for verb, args, told in [("grey.shw", {}, "grey.shw"), ("grey.show", {"sender": "a@b.example"}, "recipient"),
                                 ("reload", {"now": "1"}, "now"), ("track", {"limit": "many"}, "limit"),
                                 ("track", {"ticket": "abc"}, "ticket"), ("track", {"client_ip": "1.2.3"}, "client_ip"),
                                 ("grey.show", {"sender": "a@b@c", "recipient": "x"}, "sender")]:
            with pytest.raises(AssertionError, match=told):
                admin.admin(verb, **args)


def test_an_address_in_use_is_told(site):
    first = site.node("first")
    second = site.node("second", start=False)
    text = second.config_path.read_text().replace(second.lookups, first.lookups)
    second.config_path.write_text(text)
    second.start(ready=False)
    assert second.wait() == 69
    assert "another process" in second.log() and first.lookups in second.log()


def test_an_admin_socket_in_use_is_not_taken_over(site):
    first = site.node("first")
    second = site.node("second", start=False)
    second.config_path.write_text(second.config_path.read_text().replace(second.admin, first.admin))
    second.start(ready=False)
    assert second.wait() == 69
    with gateway(site, first, "admin") as admin:
        assert admin.ping().status == 0


# ---- leaving

def test_a_draining_node_says_so_and_answers_to_the_end(site):
    node = site.node()
    with gateway(site, node) as asks:
        assert not asks.ping().draining
        node.signal(signal.SIGTERM)
        node.wait_log("draining")
        heard = []
        quiet_from = time.monotonic() + 1.5  # asked again and again it stays, though it was told to go
        while time.monotonic() < quiet_from:
            reply = asks.check(stranger())
            assert reply is not None and reply.draining
            heard.append(reply)
        asked_last = time.monotonic()
        assert node.wait(10) == 0
        assert time.monotonic() - asked_last > 0.9
        assert len(heard) > 3


def test_a_second_signal_leaves_at_once(site):
    node = site.node()
    node.signal(signal.SIGTERM)
    node.wait_log("draining")
    node.signal(signal.SIGTERM)
    began = time.monotonic()
    assert node.wait(5) == 0
    assert time.monotonic() - began < 0.9


def test_nothing_is_lost_under_load_when_a_node_drains(site):
    node = site.node()
    answers, lost = [], []

    def keep_asking():
        with gateway(site, node) as asks:
            while True:
                reply = asks.check(stranger(), patience_ms=3000)
                (answers if reply is not None else lost).append(reply)
                if reply is None or reply.draining:
                    return  # as libreeve does: a draining node is not asked again

    threads = [threading.Thread(target=keep_asking) for _ in range(4)]
    for thread in threads:
        thread.start()
    harness.wait_for(lambda: len(answers) > 100, "some load")
    node.signal(signal.SIGTERM)
    for thread in threads:
        thread.join(20)
    assert node.wait(10) == 0
    assert not lost
    assert sum(reply.draining for reply in answers) == 4


def test_what_waited_longer_than_its_budget_is_not_worked_on(site):
    node = site.node()
    with gateway(site, node) as asks:
        assert asks.check(stranger()).status == 0
        node.signal(signal.SIGSTOP)
        stopped = time.monotonic()
        request = asks.pb.Request(id=77, budget_ms=100)
        request.check.CopyFrom(asks.pb.Check(client_ip="192.0.2.7", sender=stranger(), recipients=["bob@rcpt.example"]))
        asks.socket.send(request.SerializeToString())
        # Its loop sleeps a second at most, so after three it knows that it was stopped for longer than the budget.
        harness.wait_for(lambda: time.monotonic() - stopped > 3, "the node to sleep", seconds=10)
        node.signal(signal.SIGCONT)
        assert asks.socket.poll(5000)
        reply = asks.pb.Reply.FromString(asks.socket.recv())
        assert (reply.id, reply.status) == (77, 4)
        harness.wait_for(lambda: asks.check(stranger()).status == 0, "the node to work as before", seconds=1)


# ---- stats

def test_stats_and_decisions_are_published_to_who_listens(site):
    node = site.node(policy=ENFORCE)
    pb = harness.wire_module(site.folder)
    stats, deferrals, everything = listen(node.stats, "stats"), listen(node.stats, "decision.defer"), listen(node.stats, "decision.")
    topic, first = next_news(stats, pb.Stats())
    assert topic == "stats" and first.node == "node"
    with gateway(site, node) as asks:
        sender = stranger()
        asks.check(sender)
        asks.check(sender, dry_run=True)
        asks.check("", recipient="postmaster@rcpt.example")
    topic, event = next_news(deferrals, pb.DecisionEvent())
    assert topic == "decision.defer.greylist_new"
    assert (event.verdict.reason, event.verdict.code, event.gateway) == ("greylist_new", 451, "tester")
    assert (event.client_ip, event.sender, event.verdict.recipient) == ("", "", "")  # hidden unless configured
    assert event.verdict.ticket
    topics = [next_news(everything, pb.DecisionEvent())[0] for _ in range(2)]
    assert topics == ["decision.defer.greylist_new", "decision.accept.greylist_exempt"]

    def counted():
        _, news = next_news(stats, pb.Stats())
        values = {metric.name: metric.value for metric in news.metrics if not metric.labels}
        assert news.sequence > first.sequence and news.epoch_ms == first.epoch_ms
        return values["reeve_checks"] == 2 and values["reeve_dry_runs"] == 1 and values["reeve_events"] == 2
    harness.wait_for(counted, "the counters to say two checks, one dry run and two events")


def test_addresses_are_published_where_the_node_is_set_to(site):
    node = site.node(start=False, policy=ENFORCE)
    node.config_path.write_text(node.config_path.read_text().replace("stats:\n", "stats:\n  addresses: shown\n"))
    node.start()
    pb = harness.wire_module(site.folder)
    news = listen(node.stats, "decision.")
    stats = listen(node.stats, "stats")
    next_news(stats, pb.Stats())
    with gateway(site, node) as asks:
        harness.wait_for(lambda: asks.check("ann@sender.example") and news.poll(50), "the subscription to arrive")
    _, event = next_news(news, pb.DecisionEvent())
    assert (event.client_ip, event.sender, event.verdict.recipient) == ("192.0.2.7", "ann@sender.example", "bob@rcpt.example")


# ---- replay

def test_replay_takes_its_time_from_requests(site):
    node = site.node(start=False, policy={"settings": {"greylist": {"mode": "enforce"}}})
    node.argv.append("--replay")
    node.start()
    assert node.log_lines("REPLAY")
    day_ms = 24 * 3600 * 1000
    start = 1000000000000  # in 2001
    story = [(0, "greylist_new"), (59_999, "greylist_early"), (60_000, "greylist_pass"), (60_000 + 36 * day_ms, "greylist_known"),
             (60_000 + 72 * day_ms + 1, "greylist_new")]
    with gateway(site, node) as asks:
        for at, reason in story:
            reply = asks.check("ann@sender.example", at_ms=start + at)
            assert (reply.status, verdict(reply).reason) == (0, reason), at
        refused = asks.check("ann@sender.example")
        assert refused.status == 1 and "at_ms" in refused.error
        earlier = asks.check("eve@sender.example", at_ms=start)  # time never runs backwards
        assert verdict(earlier).reason == "greylist_new"
        later = asks.check("eve@sender.example", at_ms=start + 60_000 + 72 * day_ms + 1 + 60_000)
        assert verdict(later).reason == "greylist_pass"
        pong = asks.ask(asks.pb.Request(at_ms=start + 80 * day_ms, ping=asks.pb.Ping()))
        assert "replay" in pong.pong.store
    keys = subprocess.run([harness.tool("redis-cli"), "-s", str(node.folder / "state" / "redis.sock"), "--scan"],
                          capture_output=True, text=True, check=True).stdout.split()
    assert any(key.startswith("p:") for key in keys)
    for key in keys:
        ttl = subprocess.run([harness.tool("redis-cli"), "-s", str(node.folder / "state" / "redis.sock"), "TTL", key],
                             capture_output=True, text=True, check=True).stdout.strip()
        assert ttl == "-1", f"{key} expires"


def test_replay_is_for_loopback_only(site):
    node = site.node(start=False)
    node.config_path.write_text(node.config_path.read_text().replace("tcp://127.0.0.1", "tcp://0.0.0.0"))
    done = run_reeved("-c", node.config_path, "--replay", "-t")
    assert done.returncode == 78 and "loopback" in done.stderr


def test_without_replay_at_ms_is_refused(site):
    node = site.node()
    with gateway(site, node) as asks:
        reply = asks.check(stranger(), at_ms=now_ms())
        assert reply.status == 1 and "--replay" in reply.error


# ---- what an operator asks

def test_release_now_and_forget(site):
    node = site.node(policy=ENFORCE)
    with gateway(site, node) as asks, gateway(site, node, "admin") as admin:
        sender = stranger()
        pair = {"sender": sender, "recipient": "bob@rcpt.example"}
        first = verdict(asks.check(sender))
        assert first.reason == "greylist_new"
        assert [row["state"] for row in admin.admin("grey.show", **pair)] == ["pending"]
        assert [row["identity"] for row in admin.admin("grey.pass", **pair)] == ["any"]
        assert verdict(asks.check(sender, ip="203.0.113.9")).reason == "greylist_known"
        assert {row["state"] for row in admin.admin("grey.show", **pair)} == {"pending", "passed"}
        admin.admin("grey.forget", **pair)
        assert admin.admin("grey.show", **pair) == []
        assert verdict(asks.check(sender)).reason == "greylist_new"
        rows = admin.admin("track", ticket=first.ticket)
        assert [(row["reason"], row["sender"], row["failed_to_retry"] if "failed_to_retry" in row else "") for row in rows] == [
            ("greylist_new", sender, "")]
        assert len(admin.admin("grey.list", sender=sender)) == 2


def test_a_first_try_that_never_came_back_is_called_so(site):
    node = site.node(start=False, policy={"settings": {"greylist": {"mode": "enforce"}}})
    node.argv.append("--replay")
    node.start()
    start = now_ms()
    with gateway(site, node) as asks, gateway(site, node, "admin") as admin:
        gone = verdict(asks.check("gone@sender.example", at_ms=start))
        kept = verdict(asks.check("kept@sender.example", at_ms=start))
        assert verdict(asks.check("kept@sender.example", at_ms=start + 60_000)).reason == "greylist_pass"
        later = start + 13 * 3600 * 1000
        for ticket, failed in ((gone.ticket, "true"), (kept.ticket, "false")):
            request = admin.pb.Request(at_ms=later)
            request.admin.verb = "track"
            request.admin.args["ticket"] = ticket
            rows = [dict(row.fields) for row in admin.ask(request).admin.rows]
            assert [row["failed_to_retry"] for row in rows] == [failed]
