"""The policy set on three nodes and one Redis: what one node takes is in force on all of them within a second, whatever happens
to a node, to its disk or to Redis meanwhile; of two changes at once one is made."""
import signal
import threading
import time

import pytest
import yaml

from tests.support import harness
from tests.support.asking import Gateway, stranger, verdict

FILES = {"settings": {"greylist": {"mode": "enforce", "delay": "1h"}}}
NOISE_S = 1.0  # what a busy machine may add to any time that is measured here
REFUSED, UNAVAILABLE = 1, 5


def blocks(*senders, **more):
    """A set that blocks these senders; everybody else is new to it."""
    policy = {**FILES, "policies": [{"id": f"b{n}", "kind": "block", "from": sender} for n, sender in enumerate(senders)]}
    policy.update(more)
    return yaml.safe_dump(policy).encode()


class Member:
    """A node with gateways on both doors."""

    def __init__(self, site, name, store, policy=FILES, **settings):
        self.name = name
        self.store = store
        self.node = site.node(name, policy=policy, store=store, **settings)
        self.folder = site.folder
        self.lookups = Gateway(site.folder, self.node.lookups)

    def admin(self, verb, body=b"", dry=False, patience_ms=30000, **args):
        """The whole reply."""
        with Gateway(self.folder, self.node.admin) as gateway:
            request = gateway.pb.Request()
            request.admin.verb = verb
            request.admin.document = body
            request.admin.dry_run = dry
            for key, value in args.items():
                request.admin.args[key] = str(value)
            reply = gateway.ask(request, patience_ms)
        assert reply is not None, f"{verb}: no answer"
        return reply

    def rows(self, verb, body=b"", dry=False, **args):
        reply = self.admin(verb, body, dry, **args)
        assert reply.status == 0, reply.error
        return [dict(row.fields) for row in reply.admin.rows]

    def stage(self, document):
        return self.rows("policy.stage", document)[0]

    def apply(self, document, by="ann", note=""):
        """The version that it made."""
        staged = self.stage(document)
        return int(self.activate(staged, by, note)["version"])

    def activate(self, staged, by="ann", note=""):
        return self.rows("policy.activate", document=staged["document"], base=staged["base"], by=by, note=note)[0]

    def version(self):
        reply = self.lookups.ping()
        return reply.pong.policy_version if reply is not None else None

    def decided(self, sender):
        """Reason and version of a question that leaves no trace."""
        reply = self.lookups.check(sender, dry_run=True)
        return (verdict(reply).reason, reply.decision.policy_version) if reply is not None and reply.status == 0 else None

    def wait_version(self, version, seconds=15):
        harness.wait_for(lambda: self.version() == version, lambda: f"{self.name} to have version {version}", seconds, every=0.005)

    def status(self):
        return {row["node"]: row for row in self.rows("policy.status")}

    @property
    def copy(self):
        return self.node.folder / "state" / "policy.set"


@pytest.fixture
def redis(site):
    return site.redis()


@pytest.fixture
def member(site, redis):
    """Makes nodes, and ends them in a hurry: nothing is asked of them any more."""
    made = []

    def make(name, **more):
        made.append(Member(site, name, more.pop("store", {"mode": "single", "address": redis.address}), **more))
        return made[-1]

    yield make
    for one in made:
        one.lookups.socket.close()
        one.node.kill()


@pytest.fixture
def three(member):
    return [member(name) for name in ("a", "b", "c")]


class Load:
    """Questions all the time, each answered by one version or the other; how long the longest took."""

    def __init__(self, *members):
        self.members = members
        self.answers = []
        self.worst_s = 0
        self.failed = []
        self.stopping = threading.Event()
        self.threads = [threading.Thread(target=self._ask, args=(one,)) for one in members]

    def __enter__(self):
        for thread in self.threads:
            thread.start()
        return self

    def __exit__(self, *_):
        self.stopping.set()
        for thread in self.threads:
            thread.join(20)

    def _ask(self, member):
        with Gateway(member.folder, member.node.lookups) as gateway:
            while not self.stopping.is_set():
                began = time.monotonic()
                reply = gateway.check("eve@spam.example", dry_run=True, budget_ms=1000)
                self.worst_s = max(self.worst_s, time.monotonic() - began)
                if reply is None or reply.status != 0:
                    self.failed.append("no answer" if reply is None else reply.error)
                else:
                    self.answers.append((member.name, reply.decision.policy_version, verdict(reply).reason))
                time.sleep(0.002)


# ---- in force

def test_what_one_applies_is_in_force_everywhere_within_a_second(three):
    one, two, three_ = three
    assert {member.decided("eve@spam.example")[0] for member in three} == {"greylist_new"}
    with Load(*three) as load:
        staged = one.stage(blocks("eve@spam.example"))
        assert (staged["base"], staged["policies"]) == ("0", "1")
        row = one.activate(staged, "ann", "spam from eve")
        told = time.monotonic()
        assert (row["version"], row["by"], row["note"]) == ("1", "ann", "spam from eve")
        assert one.decided("eve@spam.example") == ("block_admin", 1), "who takes it has it when it answers"
        for member in (two, three_):
            member.wait_version(1)
        assert time.monotonic() - told < 1 + NOISE_S
    assert not load.failed
    assert {(version > 1000, reason) for _, version, reason in load.answers} == {(True, "greylist_new"), (False, "block_admin")}, \
        "a decision is of one set or the other, and carries its version"
    assert load.worst_s < 1
    status = one.status()
    assert {name: (row["version"], row["state"], row["error"]) for name, row in status.items()} == {
        name: ("1", "in force", "") for name in "abc"}
    for member in three:
        assert member.node.log_lines("from now on the policy files are not read")
        assert "1" == member.rows("policy.history")[0]["version"]
        harness.wait_for(member.copy.exists, f"{member.name}'s copy")


def test_files_do_not_count_any_more(member):
    one = member("a")
    one.node.write_policy(blocks("eve@spam.example").decode())
    assert one.rows("reload"), "without a version the files count"
    assert one.decided("eve@spam.example")[0] == "block_admin"
    one.apply(blocks("bob@other.example"))
    assert one.decided("eve@spam.example") == ("greylist_new", 1)
    reply = one.admin("reload")
    assert reply.status == REFUSED and "version 1 (ann, 20" in reply.error and "policy apply" in reply.error
    one.node.signal(signal.SIGHUP)
    one.node.wait_log("policy not reloaded: version 1")
    assert one.decided("eve@spam.example") == ("greylist_new", 1)


def test_a_wrong_set_is_refused_where_it_is_wrong(three):
    one = three[0]
    reply = one.admin("policy.stage", b"policies:\n  - {id: a, kind: block, from: eve@@x}\n")
    assert reply.status == REFUSED and "policy.yaml:2:" in reply.error, reply.error
    for body, args, words in [(b"", {}, "needs a document"),
                              (b"x" * (16 << 20), {}, "policy.yaml:"),
                              (b"{}", {"nonsense": "1"}, "takes no argument")]:
        reply = one.admin("policy.stage", body, **args)
        assert reply.status == REFUSED and words in reply.error, reply.error
    for args, words in [({"document": "0" * 32}, "needs the argument 'base'"),
                        ({"document": "zz", "base": 0}, "expected the 32 hex digits"),
                        ({"document": "0" * 32, "base": 0}, "does not have this document"),
                        ({"document": "0" * 32, "base": 1}, "the newest version in the store is 0, not 1"),
                        ({"document": "0" * 32, "base": "x"}, "expected a whole number"),
                        ({"document": "0" * 32, "base": 0, "by": "a\nb"}, "control character"),
                        ({"document": "0" * 32, "base": 0, "note": "n" * 501}, "note: expected at most 500 bytes")]:
        reply = one.admin("policy.activate", **args)
        assert reply.status == REFUSED and words in reply.error, reply.error
    for verb, args, words in [("policy.undo", {"base": 0}, "there is no version before 0"),
                              ("policy.undo", {"base": 0, "version": 7}, "version 7 is not kept"),
                              ("policy.show", {}, "no policy set was ever applied"),
                              ("policy.show", {"version": 9}, "version 9 is not kept"),
                              ("policy.history", {"limit": "x"}, "limit: expected a whole number"),
                              ("policy.diff", {}, "needs a document or a version"),
                              ("policy.diff", {"document": "0" * 32, "version": 1}, "and not both"),
                              ("policy.diff", {"document": "0" * 31}, "expected the 32 hex digits"),
                              ("policy.diff", {"document": "0" * 32}, "does not have this document"),
                              ("policy.diff", {"version": 1}, "version 1 is not kept")]:
        reply = one.admin(verb, **args)
        assert reply.status == REFUSED and words in reply.error, reply.error
    assert one.rows("policy.history") == []
    assert {row["state"] for row in one.status().values()} == {"files"}


def test_a_rehearsal_keeps_nothing(three, redis):
    one = three[0]
    assert one.rows("policy.stage", blocks("a@b.example"), dry=True)[0]["policies"] == "1"
    assert redis.command("KEYS", "policy:*").split() == []


def test_of_two_at_once_one_wins_and_the_other_learns_who(three):
    one, two, _ = three
    one.apply(blocks("first@spam.example"))
    for round_ in range(6):
        staged = [member.stage(blocks(f"{name}{round_}@spam.example")) for member, name in ((one, "ann"), (two, "bob"))]
        base = str(1 + round_)
        replies = [None, None]
        gate = threading.Barrier(2)

        def activate(at, member, by):
            gate.wait()
            replies[at] = member.admin("policy.activate", document=staged[at]["document"], base=base, by=by)

        threads = [threading.Thread(target=activate, args=args) for args in ((0, one, "ann"), (1, two, "bob"))]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(40)
        statuses = [reply.status for reply in replies]
        assert sorted(statuses) == [0, REFUSED], [reply.error for reply in replies]
        winner = ("ann", "bob")[statuses.index(0)]
        loser = replies[statuses.index(REFUSED)]
        assert f"version {round_ + 2} ({winner}, 20" in loser.error, loser.error
        for member in three:
            member.wait_version(round_ + 2)
            assert member.decided(f"{winner}{round_}@spam.example")[0] == "block_admin"
    assert len(one.rows("policy.history")) == 7


# ---- history

def test_history_show_and_undo(three):
    one, two, _ = three
    sets = [blocks(f"{name}@spam.example") for name in ("one", "two", "three")]
    for number, document in enumerate(sets):
        assert three[number].apply(document, by=f"by{number}", note=f"note {number}") == number + 1
        for member in three:
            member.wait_version(number + 1)
    rows = two.rows("policy.history")
    assert [(row["version"], row["by"], row["note"]) for row in rows] == [
        ("3", "by2", "note 2"), ("2", "by1", "note 1"), ("1", "by0", "note 0")]
    assert [row["version"] for row in two.rows("policy.history", limit=1)] == ["3"]
    assert two.admin("policy.show").admin.document == sets[2]
    assert two.admin("policy.show", version=1).admin.document == sets[0]
    assert [(row["change"], row["what"]) for row in two.rows("policy.diff", version=3, against=1)] == [("changed", "policy b0")]
    assert two.rows("policy.diff", version=2)[0]["before"] == two.rows("policy.diff", version=3, against=1)[0]["after"]
    assert two.rows("policy.diff", version=3) == [] == two.rows("policy.diff", version=2, against=2)
    row = two.rows("policy.undo", base=3, by="dan")[0]
    assert (row["version"], row["note"], row["document"]) == ("4", "back to version 2", rows[1]["document"])
    for member in three:
        member.wait_version(4)
        assert member.decided("two@spam.example") == ("block_admin", 4)
    assert one.rows("policy.undo", base=4, version=1, by="dan", note="why not")[0]["version"] == "5"
    assert one.decided("one@spam.example") == ("block_admin", 5)
    reply = one.admin("policy.undo", base=4, by="dan")
    assert reply.status == REFUSED and "version 5 (dan, 20" in reply.error


# ---- a node that was away

def test_a_node_that_was_cut_off_catches_up(site, member, redis):
    secret = site.folder / "password"
    secret.write_text("c\n")
    secret.chmod(0o600)
    redis.command("ACL", "SETUSER", "c", "on", ">c", "~*", "&*", "+@all")
    one, two = member("a"), member("b")
    cut = member("c", store={"mode": "single", "address": redis.address, "user": "c", "password_file": str(secret)})
    one.apply(blocks("one@spam.example"))
    for each in (one, two, cut):
        each.wait_version(1)
    redis.command("ACL", "SETUSER", "c", "off")
    redis.command("CLIENT", "KILL", "USER", "c")
    for name in ("two", "three", "four"):
        one.apply(blocks(f"{name}@spam.example"))
    two.wait_version(4)
    assert cut.decided("one@spam.example") == ("block_admin", 1), "it goes on with what it has"
    reply = cut.admin("policy.stage", blocks("x@spam.example"))
    assert reply.status == UNAVAILABLE and "nothing was changed" in reply.error
    reply = cut.admin("policy.activate", document="0" * 32, base=1)
    assert reply.status == UNAVAILABLE
    assert cut.admin("policy.show").admin.document == blocks("one@spam.example")
    assert "nothing is known of other nodes" in cut.status()["c"]["error"]
    redis.command("ACL", "SETUSER", "c", "on")
    cut.wait_version(4)
    assert cut.decided("four@spam.example") == ("block_admin", 4)


def test_a_node_that_slept_catches_up(three):
    one, _, slept = three
    one.apply(blocks("one@spam.example"))
    slept.wait_version(1)
    slept.node.signal(signal.SIGSTOP)
    one.apply(blocks("two@spam.example"))  # a node that does not answer is waited for, but not for ever
    slept.node.signal(signal.SIGCONT)
    slept.wait_version(2)


def test_a_node_begins_with_its_own_copy_while_redis_is_away(site, member, redis):
    secret = site.folder / "secret"  # else a node that never met this Redis may give the empty one another
    secret.write_text("00112233445566778899aabbccddeeff\n")
    secret.chmod(0o600)
    three = [member(name, secret_file=str(secret)) for name in ("a", "b", "c")]
    one = three[0]
    one.apply(blocks("one@spam.example"))
    harness.wait_for(one.copy.exists, "the copy")
    one.node.stop()
    redis.kill()
    one.node.write_policy("policies: [{id: broken")  # nobody reads it
    one.node.start(ready=False)
    one.node.wait_log(" ready ", 2)
    assert one.decided("one@spam.example") == ("block_admin", 1)
    assert one.node.log_lines("out of this node's own copy: version 1")
    redis.start()  # empty: it gets the set back
    harness.wait_for(lambda: harness.accepts(redis.socket), "redis")
    harness.wait_for(lambda: "1-0" in redis.command("XRANGE", "policy:{p}", "-", "+"), "the set to be offered again", 30)
    harness.wait_for(lambda: redis.command("HGET", f"policy:{{p}}:doc:{one.status()['a']['document']}", "head").strip(),
                     "its document, too")
    harness.wait_for(lambda: three[1].admin("policy.history").status == 0, "the other node to be back")
    assert [(row["version"], row["by"]) for row in three[1].rows("policy.history")] == [("1", "ann")]
    assert three[1].apply(blocks("two@spam.example")) == 2
    for member in three:
        member.wait_version(2)


@pytest.mark.parametrize("damage", ["cut", "changed", "nonsense"])
def test_a_damaged_copy_is_named_and_ignored(member, damage):
    one = member("a", policy=yaml.safe_load(blocks("files@spam.example")))
    one.apply(blocks("one@spam.example"))
    harness.wait_for(one.copy.exists, "the copy")
    one.node.stop()
    copy = one.copy.read_bytes()
    one.copy.write_bytes({"cut": copy[:-1], "changed": copy.replace(b"one@spam", b"two@spam"), "nonsense": b"\0\1"}[damage])
    one.node.start()
    assert one.node.log_lines("copy of the policy set cannot be used.*policy.set")
    one.wait_version(1)  # out of the store
    assert one.decided("one@spam.example") == ("block_admin", 1)
    harness.wait_for(lambda: one.copy.read_bytes() == copy, "the copy to be whole again")


def test_a_version_that_a_node_cannot_read_changes_nothing_there(three, redis):
    one, two, _ = three
    one.apply(blocks("one@spam.example"))
    for member in three:
        member.wait_version(1)
    # Another release would have written it: nobody here can read it.
    document = "0123456789abcdef0123456789abcdef"
    redis.command("HSET", f"policy:{{p}}:doc:{document}", "head", "3", "0", "x: ")
    redis.command("XADD", "policy:{p}", "2-0", "at", "1795000000000", "by", "eve", "note", "", "document", document, "bytes", "3",
                  "hash", "1", "policies", "0")
    redis.command("XADD", "events:{p}", "*", "kind", "activated", "version", "2")
    harness.wait_for(lambda: {row["state"] for row in two.status().values()} == {"refused"}, lambda: str(two.status()))
    assert "does not have this document" in two.status()["a"]["error"]
    assert one.decided("one@spam.example") == ("block_admin", 1)
    assert "version 2 refused" in one.lookups.ping().pong.store
    time.sleep(0.5)
    assert len(one.node.log_lines("policy set cannot be used.*version 2 \\(eve")) == 1, "it is said once"
    assert one.apply(blocks("three@spam.example")) == 3, "and the next one is taken"
    for member in three:
        member.wait_version(3)
    harness.wait_for(lambda: not any(row["error"] for row in two.status().values()), lambda: str(two.status()))


def test_an_emptied_redis_gets_the_set_back_and_never_another_one(three, redis):
    one, two, _ = three
    for number in range(1, 4):
        one.apply(blocks(f"v{number}@spam.example"))
    for member in three:
        member.wait_version(3)
    redis.command("FLUSHALL")
    harness.wait_for(lambda: redis.command("XRANGE", "policy:{p}", "-", "+").startswith("3-0"), "the set to be back", 30)
    assert [member.version() for member in three] == [3, 3, 3]
    assert two.apply(blocks("v4@spam.example")) == 4
    for member in three:
        member.wait_version(4)
    # A backup of before: nodes that know more tell it.
    redis.command("XDEL", "policy:{p}", "4-0")
    redis.command("XADD", "events:{p}", "*", "kind", "activated", "version", "3")
    redis.command("DEL", "policy:{p}")  # its last id must go, too
    harness.wait_for(lambda: redis.command("XRANGE", "policy:{p}", "-", "+").startswith("4-0"), "the newest to be back", 30)


# ---- large ones, and death in the middle

def large(size):
    """A set of that many bytes, nearly all of them comments: it travels like any other, and is compiled in no time."""
    body = blocks("large@spam.example")
    line = b"# " + b"x" * 997 + b"\n"
    return body + line * ((size - len(body)) // len(line))


def test_a_large_document_delays_no_lookup(three):
    one = three[0]
    with Load(*three) as load:
        version = one.apply(large(10 << 20))
        for member in three:
            member.wait_version(version)
    assert not load.failed
    assert load.worst_s < 1
    assert one.decided("large@spam.example") == ("block_admin", 1)
    assert one.admin("policy.show").admin.document == large(10 << 20)
    reply = one.admin("policy.stage", b"#" * ((16 << 20) + 1))
    assert reply.status == REFUSED and "Admin.document" in reply.error
    assert one.apply(large(16 << 20)) == 2


def test_a_node_that_dies_while_it_stages_leaves_nothing_half_done(three, redis):
    one, two, _ = three
    two.apply(blocks("one@spam.example"))
    with Gateway(one.folder, one.node.admin) as gateway:
        request = gateway.pb.Request(id=1)
        request.admin.verb = "policy.stage"
        request.admin.document = large(12 << 20)
        gateway.socket.send(request.SerializeToString())
        harness.wait_for(lambda: redis.command("KEYS", "policy:{p}:stage:*").strip(), "a piece to be there", every=0)
        one.node.kill()
    key = redis.command("KEYS", "policy:{p}:stage:*").strip()
    assert 0 < int(redis.command("TTL", key)) <= 3601
    if not redis.command("HGET", key, "head").strip():  # else it was quicker
        reply = two.admin("policy.activate", document=key.rsplit(":", 1)[1], base=1)
        assert reply.status == REFUSED and "does not have this document" in reply.error
    staged = two.stage(large(12 << 20))
    assert staged["document"] == key.rsplit(":", 1)[1]
    one.node.start()
    one.wait_version(1)
    assert two.activate(staged)["version"] == "2"
    one.wait_version(2)


# ---- as an operator does it

def test_reevectl_applies_a_directory_and_takes_it_back(site, three):
    """Files and a group's list travel as one bundle; what would be is asked before it is."""
    one, two, _ = three
    folder = site.folder / "set"
    (folder / "groups").mkdir(parents=True)
    (folder / "a.yaml").write_text("settings: {greylist: {mode: enforce}}\ngroups: {bad: {file: groups/bad.txt}}\n")
    (folder / "b.yaml").write_text("policies: [{id: b, kind: block, from: {group: bad}}, {id: c, kind: block, from: bad.example}]\n")
    (folder / "groups" / "bad.txt").write_text("eve@spam.example\nbad.example\n")
    files = [str(folder / "a.yaml"), str(folder / "b.yaml")]

    def ctl(*words, code=0):
        done = one.node.reevectl(*words)
        assert done.returncode == code, done.stdout + done.stderr
        return done.stdout + done.stderr

    assert "b.yaml:1: " in ctl("policy", "lint", *files, code=1), "both block the same"
    assert "+ policy b" in ctl("policy", "apply", "--dry-run", *files)
    assert one.decided("eve@spam.example")[0] == "greylist_new"
    document = one.stage((folder / "b.yaml").read_bytes().replace(b"{group: bad}", b"eve@spam.example"))["document"]
    reply = one.lookups.check("eve@spam.example", dry_run=True, policy=document)
    assert reply.status == 0, reply.error
    assert verdict(reply).reason == "block_admin", "what would be"
    assert "version 1 is in force (before: the policy files" in ctl("policy", "apply", "--note", "spam", *files)
    for member in three:
        member.wait_version(1)
        assert member.decided("eve@spam.example") == ("block_admin", 1)
    (folder / "groups" / "bad.txt").write_text("bad.example\n")
    assert "version 2 is in force" in ctl("policy", "apply", *files)
    two.wait_version(2)
    assert two.decided("eve@spam.example") == ("greylist_new", 2)
    assert "version 3" in ctl("policy", "undo")
    two.wait_version(3)
    assert two.decided("eve@spam.example") == ("block_admin", 3)
    assert [line.split()[0] for line in ctl("policy", "history").splitlines()[1:]] == ["3", "2", "1"]
    assert len([line for line in ctl("policy", "status").splitlines() if "in force" in line]) == 3
    assert "reload" not in ctl("policy", "show")
