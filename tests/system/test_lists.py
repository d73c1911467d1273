"""Personal lists: an operator changes them with reevectl, and every node heeds them with its next question."""
import csv
import io
import json
import os
import subprocess

import pytest

from tests.support.harness import PolicyClient, program

POLICY = """\
domains: {rcpt.example: {}}
users:
  bob@rcpt.example: {aliases: [b.smith@rcpt.example]}
settings: {greylist: {mode: enforce}}
"""
FINE, NEGATIVE, USAGE, REFUSED, NO_STORE = 0, 1, 2, 4, 5
COUNT = 20000


@pytest.fixture
def redis(site):
    return site.redis()


@pytest.fixture
def node(site, redis):
    return site.node(policy=POLICY, store={"mode": "single", "address": redis.address})


def ask(policyd, sender, recipient="bob@rcpt.example"):
    with PolicyClient(("127.0.0.1", policyd.port)) as client:
        return client.ask(client_address="192.0.2.1", client_name="unknown", sender=sender, recipient=recipient,
                          instance=os.urandom(4).hex())


def run(node, *words):
    done = node.reevectl("managed", *map(str, words))
    return done.returncode, done.stdout, done.stderr


def test_a_list_is_changed_at_one_node_and_heeded_at_the_other(site, redis, node):
    other = site.node("other", policy=POLICY, store={"mode": "single", "address": redis.address})
    policyd = site.policyd(other)

    code, said, _ = run(node, "add", "--user", "B.Smith+x@rcpt.example", "--block", "@Spam.example", "--note", "a pest")
    assert code == FINE and said == "bob@rcpt.example: spam.example is blocked\n"
    assert "550" in ask(policyd, "eve@spam.example") and "550" in ask(policyd, "eve@spam.example", "b.smith@rcpt.example")
    assert "DEFER" in ask(policyd, "eve@spam.example", "carol@rcpt.example")

    code, said, _ = run(node, "add", "--user", "bob@rcpt.example", "--permit", "ann@spam.example", "--for", "1d")
    assert code == FINE and "ann@spam.example is permitted until 2" in said
    assert "DEFER" not in ask(policyd, "ann@spam.example") and "550" not in ask(policyd, "ann@spam.example")

    code, said, _ = run(node, "add", "--user", "bob@rcpt.example", "--permit", "spam.example", "--dry-run")
    assert code == FINE and "would be permitted" in said and "it would replace: block, said by " in said and ": a pest" in said
    assert "550" in ask(policyd, "eve@spam.example")
    code, said, _ = run(node, "add", "--user", "bob@rcpt.example", "--permit", "spam.example")
    assert code == FINE and "it replaces: block, said by " in said
    assert "DEFER" not in ask(policyd, "eve@spam.example") and "550" not in ask(policyd, "eve@spam.example")

    code, said, _ = run(node, "list", "--user", "bob@rcpt.example")
    assert code == FINE and [line.split()[:3] for line in said.splitlines()[1:]] == [
        ["bob@rcpt.example", "ann@spam.example", "permit"], ["bob@rcpt.example", "spam.example", "permit"]]
    assert run(node, "del", "--user", "bob@rcpt.example", "--pattern", "spam.example")[0] == FINE
    assert "DEFER" in ask(policyd, "eve@spam.example")
    assert run(node, "del", "--user", "bob@rcpt.example", "--pattern", "spam.example")[0] == NEGATIVE
    assert run(node, "list", "--user", "carol@rcpt.example")[0] == NEGATIVE

    redis.kill()
    node.wait_log("store is")
    assert run(node, "add", "--user", "bob@rcpt.example", "--block", "x.example")[0] == NO_STORE
    redis.start()
    assert run(node, "list", "--user", "nobody")[0] == REFUSED


def test_many_entries_come_from_a_file_and_go_back_into_one(node, tmp_path):
    """Export and import are each other's inverse; what is left is named with file and line."""
    source = tmp_path / "lists.csv"
    with open(source, "w", encoding="utf-8", newline="") as out:
        rows = csv.writer(out)
        rows.writerow(["Pattern", "User", "Note", "Action", "Until"])
        for n in range(COUNT):
            rows.writerow([f"s{n}.example", f"u{n % 500}@rcpt.example", 'he, "again"' if n % 2 else "", "block" if n % 3 else "allow",
                           "2100-01-31" if n % 5 else ""])
        rows.writerow(["s.example", "u@other.example", "", "block", ""])
        rows.writerow(["s.example", "u1@rcpt.example", "", "shun", ""])
        rows.writerow(["s.example", "u1@rcpt.example", "", "block", "2001-01-01"])
    code, said, _ = run(node, "import", source, "--dry-run")
    assert code == FINE and f"{COUNT}  would be taken" in said
    assert run(node, "list")[0] == NEGATIVE

    done = node.reevectl("--json", "managed", "import", str(source))
    counted = json.loads(done.stdout)
    assert done.returncode == FINE and counted["taken"]["count"] == COUNT and counted["read"] == COUNT + 3
    assert counted["not_ours"] == {"count": 1, "example": f"{source}:{COUNT + 2}: user: other.example is none of the policy "
                                   "set's domains, so that nothing of anybody there is ever asked for"}
    assert counted["malformed"]["example"] == f"{source}:{COUNT + 3}: its action is neither permit nor block"
    assert counted["over"]["count"] == 1

    code, exported, _ = run(node, "list", "--csv")
    rows = list(csv.DictReader(io.StringIO(exported)))
    assert code == FINE and len(rows) == COUNT and [row["user"] for row in rows] == sorted(row["user"] for row in rows)
    assert {row["note"] for row in rows} == {"", 'he, "again"'}
    back = tmp_path / "back.csv"
    back.write_text(exported, encoding="utf-8")
    code, said, _ = run(node, "import", back)
    assert code == FINE and "         0  taken" in said and f"{COUNT}  said already" in said

    back.write_text(exported.replace(",block,", ",permit,", 1), encoding="utf-8")
    code, said, _ = run(node, "import", back)
    assert code == FINE and "         1  replaced what was said" in said and ": block s" in said


@pytest.mark.parametrize("words, said", [
    (("add", "--block", "x.example"), "--user is missing"),
    (("add", "--user", "a@b.example"), "expected one of --permit and --block"),
    (("add", "--user", "a@b.example", "--block", "x", "--permit", "y"), "expected one of --permit and --block"),
    (("add", "--user", "a@b.example", "--block", "x", "--until", "2001-01-01"), "that moment is over"),
    (("add", "--user", "a@b.example", "--block", "x", "--until", "2100-01-01", "--for", "1d"), "one of --until and --for"),
    (("del", "--user", "a@b.example"), "--pattern is missing"),
    (("list", "a@b.example"), "a@b.example"),
    (("import",), "name a file"),
    (("import", "/nowhere"), "/nowhere: No such file"),
])
def test_misuse_is_explained(words, said):
    done = subprocess.run([program("reevectl"), "--admin", "ipc:///nowhere/admin", "managed", *words], capture_output=True,
                          text=True, timeout=30)
    assert done.returncode == USAGE and said in done.stderr, done.stderr


def test_a_file_without_the_columns_is_none(tmp_path):
    none = tmp_path / "none.csv"
    none.write_text("user,pattern\na@rcpt.example,x.example\n", encoding="ascii")
    done = subprocess.run([program("reevectl"), "--admin", "ipc:///nowhere/admin", "managed", "import", str(none)],
                          capture_output=True, text=True, timeout=30)
    assert done.returncode == USAGE and f"{none}:1: the columns user, pattern and action are needed" in done.stderr
