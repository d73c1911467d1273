"""reevectl policy, explain and completion: what an operator types and what comes back; first of an admin door whose answers the
test chooses, then of a real node."""
import json
import os
import pathlib
import shutil
import stat
import subprocess
import threading
import zlib

import pytest
import zmq

from tests.support.harness import BUILD, DEPLOY, TOP, program, sample_policy, tool, wait_for, wire_module

FINE, NEGATIVE, USAGE, NO_NODE, REFUSED, NO_STORE = range(6)


def run(*words, stdin="", env=None, cwd=None):
    return subprocess.run([program("reevectl"), *map(str, words)], input=stdin, capture_output=True, text=True, timeout=60, cwd=cwd,
                          env=env or {"REEVE_NODE": "tcp://127.0.0.1:1", "REEVE_ADMIN": "ipc:///nowhere/admin"})


def bundle(**files):
    """The bytes of a bundle (proto/bundle.h) of YAML files; a name that ends in _txt is a list."""
    made = b"reeve-bundle 1\n"
    for name, text in sorted(files.items()):
        kind, end = (b"list", ".txt") if name.endswith("_txt") else (b"set", ".yaml")
        data = text.encode()
        made += b"%s %d %s\n%s\n" % (kind, len(data), (name.removesuffix("_txt") + end).encode(), data)
    return made + b"end %d\n" % len(files)


class FakeAdmin:
    """An admin door over a list of versions. What a test changes in `rows` or `refuse` is what it answers next."""

    def __init__(self, folder):
        self.pb = wire_module(folder)
        self.socket_path = str(folder / "admin")
        self.admin = f"ipc://{self.socket_path}"
        self.asked = []       # (verb, args, document, dry_run)
        self.refuse = {}      # verb -> (status, error)
        self.findings = []    # rows
        self.changes = [{"change": "added", "what": "policy h", "after": "mail from john", "file": "p.yaml", "line": "3"},
                        {"change": "removed", "what": "domain old.example", "before": "{}"},
                        {"change": "changed", "what": "settings.relay", "before": "judge", "after": "ignore"}]
        self.versions = []    # rows, newest first
        self.late = {}        # node -> how often it is still asked before it has it; None = never
        self.documents = {}   # version -> bytes
        self.used = []
        self.stopping = threading.Event()
        self.thread = threading.Thread(target=self._serve, daemon=True)
        self.bound = threading.Event()
        self.thread.start()
        assert self.bound.wait(10)

    @property
    def version(self):
        return int(self.versions[0]["version"]) if self.versions else 0

    def add(self, **row):
        row = {"version": str(self.version + 1), "at": "1795295581000", "by": "ann@mx1", "note": "", "document": "ab" * 16,
               "bytes": "120", "policies": "3", **row}
        self.versions.insert(0, row)

    def verbs(self):
        return [verb for verb, *_ in self.asked]

    def stop(self):
        self.stopping.set()
        self.thread.join(10)

    def _serve(self):
        door = zmq.Context.instance().socket(zmq.ROUTER)
        door.linger = 0
        door.bind(self.admin)
        self.bound.set()
        while not self.stopping.is_set():
            if door.poll(20):
                peer, empty, payload = door.recv_multipart()
                door.send_multipart([peer, empty, self._reply(self.pb.Request.FromString(payload)).SerializeToString()])
        door.close()

    def _reply(self, request):
        admin = request.admin
        self.asked.append((admin.verb, dict(admin.args), admin.document, admin.dry_run))
        reply = self.pb.Reply(id=request.id, node="fake")
        if admin.verb in self.refuse:
            reply.status, reply.error = self.refuse[admin.verb]
            return reply
        getattr(self, "on_" + admin.verb.replace(".", "_"))(reply.admin, admin)
        reply.admin.policy_version = self.version
        return reply

    @staticmethod
    def _rows(answer, rows):
        for row in rows:
            answer.rows.add(fields=row)

    def on_policy_stage(self, answer, admin):
        first = {"document": "cd" * 16, "base": str(self.version), "domains": "1", "groups": "2", "members": "30", "users": "4", "policies": "5"}
        self._rows(answer, [first, *self.findings])

    def on_policy_diff(self, answer, admin):
        self._rows(answer, self.changes)

    def on_policy_activate(self, answer, admin):
        self.add(by=admin.args["by"], note=admin.args["note"], document=admin.args["document"])

    def on_policy_undo(self, answer, admin):
        self.add(by=admin.args["by"], note=admin.args["note"])

    def on_policy_history(self, answer, admin):
        self._rows(answer, self.versions[:int(admin.args["limit"])])

    def on_policy_status(self, answer, admin):
        for node in ("mx1", "mx2", "mx3"):
            left = self.late.get(node, 0)
            has_it = left == 0
            if left:
                self.late[node] = left - 1
            self._rows(answer, [{"node": node, "version": str(self.version if has_it else self.version - 1), "seen": "1795295581000",
                                 "state": "in force" if has_it else "refused" if left is None else "preparing",
                                 "error": "p.yaml:3: no" if left is None else ""}])

    def on_policy_show(self, answer, admin):
        version = int(admin.args["version"] or self.version)
        if version in self.documents:
            answer.document = self.documents[version]
            self._rows(answer, [row for row in self.versions if row["version"] == str(version)])

    def on_policy_used(self, answer, admin):
        begin = int(admin.args["cursor"] or 0)
        self._rows(answer, self.used[begin:begin + 2])
        answer.cursor = str(begin + 2) if begin + 2 < len(self.used) else ""


@pytest.fixture
def fake(tmp_path):
    admin = FakeAdmin(tmp_path)
    yield admin
    admin.stop()


@pytest.fixture
def ctl(fake, tmp_path):
    """Runs a command in a folder of its own, with a file p.yaml in it."""
    (tmp_path / "p.yaml").write_text("policies: []\n")

    def ask(*words, **more):
        return run(*words, cwd=tmp_path, env={"REEVE_ADMIN": fake.admin, "REEVE_NODE": "tcp://127.0.0.1:1", "TZ": "UTC"}, **more)
    return ask


def documents(done):
    return [json.loads(line) for line in done.stdout.splitlines()]


# ---- apply

def test_apply_shows_and_activates_against_what_it_showed(fake, ctl, tmp_path):
    fake.add()
    fake.findings = [{"severity": "warning", "file": "p.yaml", "line": "7", "what": "policy x can never apply"}]
    done = ctl("policy", "apply", "p.yaml", "--note", "more room")
    assert done.returncode == FINE, done.stderr
    assert done.stdout.splitlines() == [
        "p.yaml:7: warning: policy x can never apply",
        "+ policy h: mail from john    (p.yaml:3)",
        "- domain old.example: {}",
        "~ settings.relay: judge -> ignore",
        "the set: 1 domains, 2 groups with 30 members, 4 users, 5 policies",
        "version 2 is in force (before: version 1); 3 of 3 nodes have it",
    ]
    assert fake.verbs() == ["policy.stage", "policy.diff", "policy.activate", "policy.status"]
    (_, stage, document, dry), (_, diff, _, _), (_, activate, _, _), _ = fake.asked
    assert stage == {"note": "more room"} and not dry and diff == {"document": "cd" * 16}
    by = activate.pop("by")
    assert activate == {"document": "cd" * 16, "base": "1", "note": "more room"} and "@" in by and len(by) <= 120
    assert (document if document.startswith(b"reeve-bundle") else zlib.decompress(document)) == bundle(p="policies: []\n")


def test_apply_as_json_is_one_document(fake, ctl):
    fake.add()
    done = ctl("--json", "policy", "apply", "p.yaml")
    [document] = documents(done)
    assert done.returncode == FINE and document["version"] == 2 and len(document["changes"]) == 3 and document["findings"] == []
    assert [node["node"] for node in document["nodes"]] == ["mx1", "mx2", "mx3"] and document["set"]["members"] == "30"


def test_a_dry_run_activates_nothing(fake, ctl):
    done = ctl("policy", "apply", "--dry-run", "p.yaml")
    assert done.returncode == FINE and "a dry run: nothing was changed" in done.stdout and "+ policy h" in done.stdout
    assert fake.verbs() == ["policy.stage", "policy.diff"]


def test_what_says_the_same_is_not_applied_again(fake, ctl):
    fake.add()
    fake.changes = []
    done = ctl("policy", "apply", "p.yaml")
    assert done.returncode == FINE and "nothing changes against version 1" in done.stdout
    assert "policy.activate" not in fake.verbs()


def test_files_are_applied_even_if_they_say_what_the_nodes_files_say(fake, ctl):
    fake.changes = []
    done = ctl("policy", "apply", "p.yaml")
    assert done.returncode == FINE and "version 1 is in force (before: the policy files)" in done.stdout


@pytest.mark.parametrize("base, versions, code", [("1", 1, FINE), ("0", 0, FINE), ("1", 2, REFUSED), ("2", 1, REFUSED), ("0", 1, REFUSED)])
def test_apply_in_place_of_one_version_only(fake, ctl, base, versions, code):
    for _ in range(versions):
        fake.add()
    done = ctl("policy", "apply", "p.yaml", "--base", base)
    assert done.returncode == code
    assert ("policy.activate" in fake.verbs()) == (code == FINE)
    assert code == FINE or ("--base: in force is" in done.stderr and "nothing was changed" in done.stderr)


def test_somebody_else_was_faster(fake, ctl):
    fake.refuse["policy.activate"] = (1, "version 2 is in force, not 1: apply again, against what it says now")
    done = ctl("--json", "policy", "apply", "p.yaml")
    [document] = documents(done)
    assert done.returncode == REFUSED and "version 2 is in force, not 1" in document["error"]["message"]
    assert ctl("policy", "apply", "p.yaml").returncode == REFUSED


def test_apply_waits_for_every_node(fake, ctl):
    fake.late = {"mx2": 3}
    done = ctl("policy", "apply", "p.yaml")
    assert done.returncode == FINE and "3 of 3 nodes have it" in done.stdout and fake.verbs().count("policy.status") == 4


def test_a_node_that_does_not_get_it_is_named(fake, ctl):
    fake.late = {"mx2": None, "mx3": 10**6}
    done = ctl("policy", "apply", "p.yaml")
    assert done.returncode == NEGATIVE and "1 of 3 nodes have it" in done.stdout
    assert "after 5 s these nodes do not have version 1: mx2 (refused: p.yaml:3: no), mx3 (preparing)" in done.stderr


@pytest.mark.parametrize("status, code", [(1, REFUSED), (5, NO_STORE)])
def test_what_the_node_refuses_is_told(fake, ctl, status, code):
    fake.refuse["policy.stage"] = (status, "p.yaml:3: policies[0].kind: expected one of ...")
    for command in ("apply", "diff", "lint"):
        done = ctl("policy", command, "p.yaml")
        assert done.returncode == code and done.stderr.endswith(": p.yaml:3: policies[0].kind: expected one of ...\n")
        assert done.stdout == ""


# ---- files and folders

@pytest.mark.parametrize("words, said", [
    (("apply",), "a file, or a directory of files, is missing"),
    (("lint",), "a file, or a directory of files, is missing"),
    (("diff",), "files, or the number of a version, are missing"),
    (("diff", "1", "p.yaml"), "'p.yaml' was not expected behind a version"),
    (("diff", "1", "2", "3"), "was not expected behind a version"),
    (("show", "one"), "'one' is no version"),
    (("show", "0"), "'0' is no version"),
    (("show", "1", "2"), "'2' was not expected here"),
    (("undo", "-1"), "unknown option -1"),
    (("undo", "1x"), "'1x' is no version"),
    (("history", "--limit", "101"), "at most 100"),
    (("status", "now"), "'now' was not expected here"),
    (("used", "--ever"), "unknown option --ever"),
    (("apply", "p.yaml", "--base", "new"), "--base: expected a whole number"),
    (("test",), "a file of expected decisions is missing"),
    (("apply", "nowhere.yaml"), "nowhere.yaml: No such file"),
    (("apply", "empty"), "empty: there is no file in it that ends in .yaml"),
    (("apply", "broken.yaml"), "broken.yaml:2: "),
    (("apply", "p.yaml", "p.yaml"), "p.yaml"),
    (("apply", "list.yaml"), "gone.txt: No such file"),
    (("test", "nowhere.yaml"), "nowhere.yaml"),
    (("test", "p.yaml"), "p.yaml:1: unknown key 'policies' (known: defaults, cases)"),
    (("test", "t.yaml", "--policy", "nowhere.yaml"), "nowhere.yaml: No such file"),
    (("fly",), "there is no command 'policy fly'"),
])
def test_what_is_wrong_here_never_reaches_a_node(fake, ctl, tmp_path, words, said):
    (tmp_path / "empty").mkdir()
    (tmp_path / "broken.yaml").write_text("a: 1\n  b: 2\n")
    (tmp_path / "list.yaml").write_text("groups: {staff: {file: gone.txt}}\n")
    (tmp_path / "t.yaml").write_text("cases: [{name: a, from: <>, to: a@b.example, expect: {code: 250}}]\n")
    done = ctl("policy", *words)
    assert done.returncode == USAGE and said in done.stderr, done.stderr
    assert fake.asked == []


def test_a_folder_its_lists_and_standard_input(fake, ctl, tmp_path):
    (tmp_path / "d" / "lists").mkdir(parents=True)
    (tmp_path / "d" / "b.yaml").write_text("groups: {staff: {file: lists/staff.txt}}\n")
    (tmp_path / "d" / "a.yaml").write_text("domains: {}\n")
    (tmp_path / "d" / ".hidden.yaml").write_text("no: no\n")
    (tmp_path / "d" / "b.yaml.bak").write_text("no: no\n")
    (tmp_path / "d" / "lists" / "staff.txt").write_text("ann@corp.example\n")
    assert ctl("policy", "lint", "d").returncode == FINE
    sent = fake.asked[0][2]
    sent = sent if sent.startswith(b"reeve-bundle") else zlib.decompress(sent)
    assert [line.split()[0] + b" " + line.split()[2] for line in sent.splitlines() if line.startswith((b"set ", b"list "))] == [
        b"set d/a.yaml", b"set d/b.yaml", b"list d/lists/staff.txt"]
    assert b"ann@corp.example" in sent
    assert ctl("policy", "lint", "-", stdin="policies: []\n").returncode == FINE


def test_a_large_set_travels_whole(fake, ctl, tmp_path):
    text = "".join(f"{os.urandom(12).hex()}@corp.example\n" for _ in range(200_000))
    (tmp_path / "all.txt").write_text(text)
    (tmp_path / "p.yaml").write_text("groups: {all: {file: all.txt}}\n")
    assert ctl("policy", "lint", "p.yaml").returncode == FINE
    assert len(fake.asked[0][2]) > 1 << 20 and text.encode() in zlib.decompress(fake.asked[0][2])


# ---- lint, diff

def test_lint_stores_nothing(fake, ctl):
    done = ctl("policy", "lint", "p.yaml")
    assert done.returncode == FINE and done.stdout == "the set: 1 domains, 2 groups with 30 members, 4 users, 5 policies\n"
    assert fake.asked[0][3] is True and fake.verbs() == ["policy.stage"]
    fake.findings = [{"severity": "warning", "file": "p.yaml", "line": "7", "what": "dead"}]
    done = ctl("policy", "lint", "p.yaml")
    assert done.returncode == NEGATIVE and done.stdout.startswith("p.yaml:7: warning: dead\n")
    assert documents(ctl("--json", "policy", "lint", "p.yaml"))[0]["findings"] == fake.findings
    fake.findings.append({"severity": "warning", "what": "7 more findings are not listed"})
    assert ctl("policy", "lint", "p.yaml").stdout.splitlines()[1] == "warning: 7 more findings are not listed"


def test_diff_of_files_and_of_versions(fake, ctl):
    assert ctl("policy", "diff", "p.yaml").returncode == NEGATIVE and fake.verbs() == ["policy.stage", "policy.diff"]
    fake.asked.clear()
    done = ctl("policy", "diff", "3")
    assert done.returncode == NEGATIVE and done.stdout.splitlines()[1] == "- domain old.example: {}"
    assert ctl("policy", "diff", "3", "5").returncode == NEGATIVE
    assert [args for _, args, _, _ in fake.asked] == [{"version": "3"}, {"version": "5", "against": "3"}]
    fake.changes = [{"change": "changed", "what": "7 more that are not listed"}]
    assert ctl("policy", "diff", "3").stdout == "~ 7 more that are not listed\n"
    fake.changes = []
    assert ctl("policy", "diff", "3").returncode == FINE and ctl("policy", "diff", "p.yaml").returncode == FINE


# ---- history, undo, show, status, used

def test_history(fake, ctl):
    assert ctl("policy", "history").returncode == NEGATIVE
    fake.add(note="first")
    fake.add(note="")
    done = ctl("policy", "history", "--limit", "1")
    assert done.returncode == FINE and [line.split() for line in done.stdout.splitlines()] == [
        ["VERSION", "WHEN", "BY", "POLICIES", "BYTES", "NOTE"], ["2", "2026-11-21", "21:13:01Z", "ann@mx1", "3", "120", "-"]]
    assert [row["note"] for row in documents(ctl("--json", "policy", "history"))[0]] == ["", "first"]


@pytest.mark.parametrize("words, version", [((), "2"), (("1",), "1"), (("1", "--base", "3"), "1"), (("--note", "sorry"), "2")])
def test_undo_goes_back_to(fake, ctl, words, version):
    for _ in range(3):
        fake.add()
    done = ctl("policy", "undo", *words)
    assert done.returncode == FINE and done.stdout.startswith(f"back to what version {version} said:\n+ policy h")
    assert "version 4 is in force (before: version 3)" in done.stdout
    diff, undo = [args for verb, args, _, _ in fake.asked if verb in ("policy.diff", "policy.undo")]
    assert diff == {"version": version} and undo["version"] == version and undo["base"] == "3" and "@" in undo["by"]


@pytest.mark.parametrize("versions, words, code, said", [
    (0, (), NEGATIVE, "there is no version before the one in force"),
    (1, (), NEGATIVE, "there is no version before the one in force"),
    (3, ("--base", "2"), REFUSED, "--base: in force is version 3, and not 2; nothing was changed"),
])
def test_undo_of_nothing(fake, ctl, versions, words, code, said):
    for _ in range(versions):
        fake.add()
    done = ctl("policy", "undo", *words)
    assert done.returncode == code and said in done.stderr and "policy.undo" not in fake.verbs()


def test_undo_dry(fake, ctl):
    fake.add()
    fake.add()
    done = ctl("policy", "undo", "--dry-run")
    assert done.returncode == FINE and "a dry run" in done.stdout and "policy.undo" not in fake.verbs()
    [document] = documents(ctl("--json", "policy", "undo"))
    assert (document["base"], document["as"], document["version"]) == (2, 1, 3)


def test_show(fake, ctl, tmp_path):
    assert ctl("policy", "show").returncode == NEGATIVE
    fake.add(note="one")
    fake.add()
    fake.documents = {1: bundle(a="domains: {}\n"), 2: zlib.compress(bundle(a="domains: {}\n", b="policies: []", staff_txt="ann@corp.example\n"))}
    assert ctl("policy", "show", "1").stdout == "# version 1, 2026-11-21 21:13:01Z, by ann@mx1: one\ndomains: {}\n"
    done = ctl("policy", "show")
    assert done.returncode == FINE and done.stdout == (
        "# version 2, 2026-11-21 21:13:01Z, by ann@mx1\n# ---- a.yaml\ndomains: {}\n\n# ---- b.yaml\npolicies: []\n\n"
        "# ---- staff.txt\nann@corp.example\n")
    [document] = documents(ctl("--json", "policy", "show"))
    assert document["version"]["version"] == "2" and [file["name"] for file in document["files"]] == ["a.yaml", "b.yaml", "staff.txt"]

    assert ctl("policy", "show", "--output", "new").stdout == "new/a.yaml\nnew/b.yaml\nnew/staff.txt\n"
    assert (tmp_path / "new" / "b.yaml").read_text() == "policies: []"
    for folder in ("new", "p.yaml", "no/where"):
        done = ctl("policy", "show", "--output", folder)
        assert done.returncode == USAGE and "expected a new or an empty directory" in done.stderr, folder
    (tmp_path / "empty").mkdir()
    assert ctl("policy", "show", "1", "--output", "empty").returncode == FINE


def test_what_a_node_calls_a_bundle_stays_in_its_folder(fake, ctl, tmp_path):
    fake.add()
    bad = [b"reeve-bundle 1\nset 3 ../out.yaml\nx: \nend 1\n", b"reeve-bundle 1\nset 3 /tmp/out.yaml\nx: \nend 1\n", b"", b"\x00" * 9,
           b"reeve-bundle 1\nset 99 a.yaml\nx\nend 1\n", zlib.compress(b"reeve-bundle 2\n"), b"reeve-bundle 1\nset 3 a/../b.yaml\nx: \nend 1\n"]
    for document in bad:
        fake.documents = {1: document}
        done = ctl("policy", "show", "--output", "new")
        assert done.returncode in (NEGATIVE, NO_NODE) and not (tmp_path / "new").exists() and not (tmp_path / "out.yaml").exists(), document


def test_status(fake, ctl):
    fake.add()
    done = ctl("policy", "status")
    assert done.returncode == FINE and done.stdout.splitlines()[1].split() == ["mx1", "1", "in", "force", "2026-11-21", "21:13:01Z", "-"]
    fake.late = {"mx3": 1}
    assert ctl("policy", "status").returncode == NEGATIVE
    assert len(documents(ctl("--json", "policy", "status"))[0]) == 3


def test_used(fake, ctl):
    assert "there are no policies" in ctl("policy", "used").stdout
    fake.used = [{"policy": f"p{i}", "kind": "block", "mode": "enforce", "hits": str(i), "shadow_hits": "0", **({"last": "1795295581000"} if i else {})}
                 for i in range(5)]
    done = ctl("policy", "used")
    assert done.returncode == FINE and len(done.stdout.splitlines()) == 6 and "2026-11-21 21:13:01Z" in done.stdout
    assert [row["policy"] for row in documents(ctl("--json", "policy", "used"))[0]] == ["p0", "p1", "p2", "p3", "p4"]
    assert [line.split()[0] for line in ctl("policy", "used", "--never").stdout.splitlines()] == ["POLICY", "p0"]


# ---- completion

BASH = r"""
source "$1"; shift
COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); COMPREPLY=()
_reevectl
printf '%s\n' "${COMPREPLY[@]}"
"""
# What zsh's own functions would show is printed instead.
ZSH = r"""
compdef() { :; }
compadd() { shift; for word in "$@"; do [[ $word == $current* ]] && print -r -- $word; done; }
_files() { print -r -- "files $*"; }
compset() { :; }
source $1; shift
words=("$@"); CURRENT=$#
_reevectl
"""


@pytest.fixture(scope="module")
def completions(tmp_path_factory):
    folder = tmp_path_factory.mktemp("completion")
    for shell in ("bash", "zsh"):
        done = run("completion", shell)
        assert done.returncode == FINE and done.stderr == ""
        (folder / shell).write_text(done.stdout)
    return folder


COMPLETED = [
    (("pol",), ["policy"]),
    (("policy", ""), ["apply", "diff", "lint", "test", "show", "history", "undo", "status", "used"]),
    (("policy", "u"), ["undo", "used"]),
    (("--node", "policy", "gr"), ["grey"]),
    (("--json", "grey", "f"), ["forget"]),
    (("policy", "apply", "--n"), ["--note", "--node"]),
    (("policy", "--json", "apply", "--b"), ["--base"]),
    (("explain", "--stage", "r"), ["rcpt"]),
    (("explain", "--spf", "p"), ["pass", "permerror"]),
    (("explain", "--from", "x"), []),
    (("completion", ""), ["bash", "zsh"]),
    (("help", "a"), ["admin"]),
    (("--v",), ["--version"]),
    (("fly", "--"), []),
    (("policy", "history", "x"), []),
]


@pytest.mark.parametrize("shell", ["bash", "zsh"])
def test_completion(completions, shell):
    script = {"bash": BASH, "zsh": ZSH}[shell]
    options = {"bash": ["--norc", "-c"], "zsh": ["-f", "-c"]}[shell]
    for words, expected in COMPLETED:
        done = subprocess.run([tool(shell), *options, script, shell, completions / shell, "reevectl", *words], capture_output=True, text=True,
                              timeout=20)
        assert done.stderr == "" and done.stdout.split() == expected, words


def test_completion_of_files(completions, tmp_path):
    for name in ("a b.yaml", "c.yaml"):
        (tmp_path / name).write_text("")
    (tmp_path / "folder").mkdir()

    def complete(*words):
        return subprocess.run([tool("bash"), "--norc", "-c", BASH, "bash", completions / "bash", "reevectl", *words], capture_output=True,
                              text=True, timeout=20, cwd=tmp_path).stdout.splitlines()
    assert sorted(complete("policy", "apply", "")) == ["a b.yaml", "c.yaml", "folder"]
    assert complete("policy", "test", "--policy", "a") == ["a b.yaml"]
    assert complete("policy", "test", "--policy", "=", "a") == ["a b.yaml"]
    assert complete("policy", "show", "--output", "") == ["folder"]
    registered = subprocess.run([tool("bash"), "--norc", "-c", f"source {completions / 'bash'}; complete -p reevectl"], capture_output=True, text=True)
    assert registered.stdout == "complete -F _reevectl reevectl\n"


def test_usage_and_options_are_one_list(completions):
    """Each option that a command reads stands in its line of usage, and the other way round."""
    common = {"--node", "--admin", "--stats", "--deadline", "--json", "--at", "--help"}
    rows = [line.strip() for line in (completions / "bash").read_text().splitlines() if ") _reevectl_words --node" not in line]
    found = 0
    for row in rows:
        if not (row.startswith("'") and ") _reevectl_words --" in row):
            continue
        command, options = row.removesuffix(" ;;").split("') _reevectl_words ")
        command, options = command[1:], set(options.split()) - common
        if command == "":
            continue
        done = run(*command.split(), "--help")
        used = {word.strip("[]|,") for word in done.stdout.splitlines()[0].split() if word.strip("[]|").startswith("--")} - common
        assert options == used, command
        found += 1
    assert found > 15


# ---- the socket of the admin door

@pytest.mark.skipif(os.geteuid() != 0, reason="needs root, to become somebody else")
@pytest.mark.parametrize("mode, group, lets_in", [("0660", None, False), ("0600", "nogroup", False), ("0660", "nogroup", True), ("0666", None, True)])
def test_who_may_use_the_admin_door(site, mode, group, lets_in):
    node = site.node(start=False)
    text = node.config_path.read_text().replace("admin:\n", f"admin:\n  mode: '{mode}'\n" + (f"  group: {group}\n" if group else ""))
    node.config_path.write_text(text)
    node.start()
    path = node.admin.removeprefix("ipc://")
    status = os.stat(path)
    assert stat.S_IMODE(status.st_mode) == int(mode, 8)
    done = subprocess.run([tool("setpriv"), "--reuid", "nobody", "--regid", "nogroup", "--clear-groups", program("reevectl"), "--admin",
                           node.admin, "clock", "show"], capture_output=True, text=True, timeout=20)
    assert done.returncode == (FINE if lets_in else NO_NODE), done.stderr
    if not lets_in:
        assert done.stderr == (f"reevectl: you may not use the admin socket {path}: it belongs to user root and group {group or 'root'}, with mode "
                               f"{mode}; become root, or a member of that group (admin.mode and admin.group in reeve.yaml say who may)\n")
    assert node.reevectl("clock", "show").returncode == FINE


# ---- explain and test, of a real node

ENFORCE = {"settings": {"greylist": {"mode": "enforce", "delay": "1h"}}, "domains": {"corp.example": {}}}
PAIR = ("--from", "ann@sender.example", "--to", "bob@corp.example", "--ip", "192.0.2.7")


def with_policies(*policies):
    return {**ENFORCE, "policies": list(policies)}


@pytest.fixture(scope="module")
def node():
    """One node for all that changes nothing but its policy file."""
    from tests.support.harness import Site
    site = Site()
    yield site.node(policy=ENFORCE)
    site.close()


@pytest.fixture
def ask(node):
    def ask(*words, **more):
        return run(*words, env={"REEVE_NODE": node.lookups, "REEVE_ADMIN": node.admin, "TZ": "UTC"}, **more)
    return ask


def reload(node, ask, policy):
    node.write_policy(policy)
    assert ask("reload").returncode == FINE


def test_the_sample_of_expected_decisions_holds(node, ask):
    reload(node, ask, (DEPLOY / "policy.yaml").read_text())
    done = ask("policy", "test", DEPLOY / "policy-test.yaml")
    cases = (DEPLOY / "policy-test.yaml").read_text().count("- name:")
    assert (done.returncode, done.stdout) == (FINE, f"{cases} passed, 0 failed\n") and cases >= 7


def test_what_fails_is_told_in_order_with_its_trace(node, ask, tmp_path):
    reload(node, ask, with_policies({"id": "eve", "kind": "block", "from": "eve@spam.example"}))
    cases = "\n".join(f"  - {{name: fine {n}, from: eve@spam.example, expect: {{reason: block_admin, rule: eve}}}}" for n in range(300))
    (tmp_path / "t.yaml").write_text(f"""defaults: {{client: 192.0.2.7, to: bob@corp.example}}
cases:
  - {{name: eve, from: eve@spam.example, expect: {{code: 250, rule: ""}}}}
{cases}
  - {{name: two, from: eve@spam.example, to: [bob@corp.example, "x@@y"], expect: [{{reason: block_admin}}, {{reason: block_admin}}]}}
""")
    done = ask("policy", "test", "t.yaml", cwd=tmp_path)
    lines = done.stdout.splitlines()
    assert done.returncode == NEGATIVE and lines[-1] == "300 passed, 2 failed"
    assert lines[:4] == ["t.yaml:3: FAILED: eve", "    bob@corp.example: code: wanted 250, came 550",
                         "    bob@corp.example: rule: wanted none, came eve", "    came for bob@corp.example: 550 5.7.1 block_admin by rule eve"]
    assert any("block_admin decides" in line and "[eve]" in line for line in lines)
    assert "t.yaml:304: FAILED: two" in lines and "    x@@y: reason: wanted block_admin, came syntax" in lines
    *rows, summary = documents(ask("--json", "policy", "test", "t.yaml", cwd=tmp_path))
    assert summary == {"passed": 300, "failed": 2} and [row["passed"] for row in rows] == [False, *[True] * 300, False]
    assert rows[0]["differences"][0] == {"verdict": 0, "field": "code", "wanted": "250", "came": "550"} and rows[0]["line"] == 3


def test_a_case_that_the_node_refuses_has_failed(ask, tmp_path):
    (tmp_path / "t.yaml").write_text("cases: [{name: a, from: <>, to: a@b.example, at: 2270-01-01, expect: {code: 250}}]\n")
    done = ask("policy", "test", "t.yaml", cwd=tmp_path)
    assert done.returncode == NEGATIVE and "the node refused the question: " in done.stdout and "2248" in done.stdout


def test_nobody_answers_the_cases(tmp_path):
    done = run("--deadline", "100", "policy", "test", DEPLOY / "policy-test.yaml")
    assert done.returncode == NO_NODE and done.stdout == "" and done.stderr.count("reevectl:") == 1


def test_explain_as_of_another_moment(node, ask):
    reload(node, ask, with_policies({"id": "fair", "kind": "block", "from": "sender.example", "valid": {"from": "2030-01-01", "until": "2030-02-01"}}))
    reasons = [json.loads(ask("--json", "explain", *PAIR, *more).stdout)["verdicts"][0]["reason"] for more in (
        (), ("--at", "2029-12-31T23:59:59Z"), ("--at", "2030-01-01"), ("--at", "2030-02-01"))]
    assert reasons == ["greylist_new", "greylist_new", "block_admin", "greylist_new"]
    done = ask("explain", *PAIR, "--at", "2030-01-15")
    assert "asked at RCPT, as of 2030-01-15 00:00:00Z" in done.stdout and done.returncode == NEGATIVE
    assert ask("check", *PAIR, "--at", "2030-01-15").returncode == REFUSED  # what counts has no other moment than now


def decide(ask, *words):
    """A decision that was made: its ticket, once its row is there."""
    verdict = json.loads(ask("--json", "check", *words).stdout)["verdicts"][0]
    wait_for(lambda: ask("track", verdict["ticket"]).returncode == FINE, "the tracking row")
    return verdict


def test_explain_a_decision_that_was_made(node, ask):
    reload(node, ask, with_policies({"id": "old", "kind": "block", "from": "ann@sender.example"}))
    verdict = decide(ask, *PAIR, "--helo", "mx.sender.example", "--tls", "--size", "5K", "--spf", "softfail", "--transaction", "t1")
    assert verdict["reason"] == "block_admin"
    ticket = verdict["ticket"]

    document = json.loads(ask("--json", "explain", ticket).stdout)
    assert document["then"]["reason"] == document["now"]["verdicts"][0]["reason"] == "block_admin"
    assert "the decision would be the same" in ask("explain", ticket).stdout

    reload(node, ask, with_policies({"id": "new", "kind": "permit", "from": "ann@sender.example", "note": "a partner now"}))
    done = ask("explain", ticket)
    assert done.returncode == FINE
    assert f"(ticket {ticket}), and what node {node.name} would decide" in done.stdout
    lines = [line.split() for line in done.stdout.splitlines()]
    assert ["OF", "THEN", "NOW"] in lines and ["verdict", "rejected", "accepted"] in lines and ["rule", "old", "new"] in lines
    assert ["reason", "block_admin", "permit_admin"] in lines and "the decision would be another one" in done.stdout
    assert "client 192.0.2.7, HELO mx.sender.example, with TLS, 5120 bytes, asked at RCPT, as of 20" in done.stdout

    line = f"postfix/smtpd[1]: NOQUEUE: reject: RCPT from x[192.0.2.7]: 550 5.7.1 <bob@corp.example>: {verdict['text']}; from=<ann@sender.example>"
    assert json.loads(ask("--json", "explain", *line.split()).stdout)["then"]["ticket"] == ticket
    assert json.loads(ask("--json", "explain", "from=<ann@sender.example>", "to=<bob@corp.example>").stdout)["then"]["ticket"] == ticket
    # what an option says wins
    other = json.loads(ask("--json", "explain", ticket, "--from", "eve@sender.example").stdout)
    assert other["now"]["verdicts"][0]["reason"] == "greylist_new"


def test_explain_asks_with_what_the_decision_was_asked_with(node, ask):
    """Login, recipients and stage are in the row as well: relaying is a matter of the login."""
    reload(node, ask, ENFORCE)
    verdict = decide(ask, "--user", "ann@corp.example", "--from", "x@else.example", "--to", "y@far.example", "--stage", "end", "--recipient-count", "7")
    document = json.loads(ask("--json", "explain", verdict["ticket"]).stdout)
    assert document["then"]["auth_user"] == "ann@corp.example" and document["then"]["recipient_count"] == "7"
    assert document["now"]["verdicts"][0]["reason"] == verdict["reason"] == "relay_denied" and document["now"]["message"]["code"] == 550
    shown = ask("track", "--reason", "relay_denied").stdout
    assert "x@else.example (ann@corp.example)" in shown and "files" in shown
    assert "as login ann@corp.example" in ask("why", verdict["ticket"]).stdout


@pytest.mark.parametrize("words, code, said", [
    (("explain", "what happened?"), USAGE, "it is no ticket, and no line of a log"),
    (("explain", "0123456789abcdefgh"), NEGATIVE, "no decision has the ticket 0123456789abcdefgh"),
    (("explain", "-", "0123456789abcdefgh"), USAGE, "was not expected here"),
    (("explain", "from=<nobody@nowhere.example>", "to=<bob@corp.example>"), NEGATIVE, "no ticket in that line, and no decision"),
    (("explain", *PAIR, "--policy", "nowhere.yaml"), USAGE, "nowhere.yaml: No such file"),
    (("explain", *PAIR, "--at", "soon"), USAGE, "--at: expected a time"),
    (("explain", "--at", "2030-01-01"), USAGE, "a --to is missing"),
    (("check", *PAIR, "0123456789abcdefgh"), USAGE, "was not expected here"),
    (("check", *PAIR, "--policy", "p.yaml"), USAGE, "unknown option --policy"),
])
def test_explain_nothing(ask, words, code, said):
    done = ask(*words)
    assert done.returncode == code and said in done.stderr


# ---- the whole of it, on two real nodes

def sent(sender):
    return ("--from", sender, "--to", "bob@corp.example", "--ip", "192.0.2.7")


BLOCKS = "domains: {corp.example: {}}\npolicies:\n  - {id: eve, kind: block, from: {group: bad}, note: \"a campaign\"}\n"


@pytest.fixture
def pair(site):
    redis = site.redis()
    store = {"mode": "single", "address": redis.address}
    return site.node("a", policy=ENFORCE, store=store), site.node("b", policy=ENFORCE, store=store)


def test_from_the_first_apply_to_undo(pair, tmp_path):
    a, b = pair
    (tmp_path / "lists").mkdir()
    (tmp_path / "lists" / "bad.txt").write_text("eve@spam.example\n")
    (tmp_path / "policy.yaml").write_text(BLOCKS + "groups: {bad: {file: lists/bad.txt}}\n")
    (tmp_path / "expected.yaml").write_text(
        "defaults: {client: 192.0.2.7, to: bob@corp.example}\n"
        "cases:\n  - {name: eve stays out, from: eve@spam.example, expect: {reason: block_admin, rule: eve}}\n"
        "  - {name: ann does not, from: ann@spam.example, expect: {rule: \"\"}}\n")

    def ask(node, *words):
        return run(*words, cwd=tmp_path, env={"REEVE_NODE": node.lookups, "REEVE_ADMIN": node.admin, "TZ": "UTC"})

    def reason(node):
        return documents(ask(node, "--json", "explain", *sent("eve@spam.example")))[0]["verdicts"][0]["reason"]

    # a decision by the files, asked again by what is not in force yet
    ticket = decide(lambda *words: ask(a, *words), *sent("eve@spam.example"))["ticket"]
    assert ask(a, "policy", "history").returncode == NEGATIVE and ask(a, "policy", "status").returncode == FINE
    assert ask(a, "policy", "test", "expected.yaml").stdout.endswith("1 passed, 1 failed\n")
    done = ask(a, "policy", "test", "expected.yaml", "--policy", "policy.yaml")
    assert (done.returncode, done.stdout) == (FINE, "2 passed, 0 failed\n"), done.stderr
    done = ask(a, "explain", ticket, "--policy", "policy.yaml")
    lines = [line.split() for line in done.stdout.splitlines()]
    assert done.returncode == NEGATIVE and ["OF", "THEN", "NOW", "BY", "THE", "FILES"] in lines, done.stderr
    assert ["reason", "greylist_new", "greylist_new", "block_admin"] in lines and ["rule", "-", "-", "eve"] in lines
    assert reason(a) == reason(b) == "greylist_early"  # nothing is in force by that

    done = ask(a, "policy", "apply", "policy.yaml", "--note", "fair")
    assert done.returncode == FINE and "version 1 is in force (before: the policy files); 2 of 2 nodes have it" in done.stdout, done.stderr
    assert "+ policy eve" in done.stdout
    assert reason(a) == reason(b) == "block_admin"
    done = ask(b, "policy", "apply", "policy.yaml")
    assert done.returncode == FINE and "nothing changes against version 1" in done.stdout
    assert ask(b, "policy", "apply", "policy.yaml", "--base", "0").returncode == REFUSED
    assert documents(ask(b, "--json", "explain", ticket))[0]["now"]["policy_version"] == 1

    # two files for one; a finding; a version shown and diffed
    (tmp_path / "more.yaml").write_text("policies: [{id: late, kind: permit, from: x.example, valid: {from: 2020-01-01, until: 2020-02-01}}]\n")
    assert ask(b, "policy", "diff", "policy.yaml", "more.yaml").returncode == NEGATIVE
    done = ask(b, "policy", "lint", "policy.yaml", "more.yaml")
    assert done.returncode == NEGATIVE and done.stdout.startswith("more.yaml:1: warning: "), done.stdout
    done = ask(b, "policy", "lint", "policy.yaml", "--unused", "30d")  # only explained until now
    assert done.returncode == NEGATIVE and done.stdout.startswith("policy.yaml:3: warning: policy eve has never decided\n"), done.stdout
    assert ask(b, "policy", "lint", "policy.yaml", "--unused", "soon").returncode == 2
    assert ask(b, "policy", "apply", "policy.yaml", "more.yaml").returncode == FINE
    assert ask(a, "policy", "show", "1", "--output", "one").returncode == FINE
    assert (tmp_path / "one" / "lists" / "bad.txt").read_text() == "eve@spam.example\n"
    assert "+ policy late" in ask(a, "policy", "diff", "1", "2").stdout and "- policy late" in ask(a, "policy", "diff", "1").stdout
    assert ask(a, "policy", "diff", "one").returncode == NEGATIVE and ask(a, "policy", "show").stdout.count("# ---- ") == 3

    done = ask(a, "policy", "undo", "--note", "sorry")
    assert done.returncode == FINE and "- policy late" in done.stdout and "version 3 is in force" in done.stdout, done.stderr
    assert [(row["version"], row["note"]) for row in documents(ask(b, "--json", "policy", "history"))[0]] == [("3", "sorry"), ("2", ""), ("1", "fair")]
    assert all(row["version"] == "3" for row in documents(ask(b, "--json", "policy", "status"))[0])
    (tmp_path / "broken.yaml").write_text("policies:\n  - {id: x, kind: blocking, from: y.example}\n")
    done = ask(a, "policy", "apply", "broken.yaml")
    assert done.returncode == REFUSED and "broken.yaml:2" in done.stderr and reason(a) == "block_admin"


def test_a_document_that_a_node_does_not_hold(pair, tmp_path):
    """Files are staged at one node's admin door; another one, asked at once, may not have them yet, and says so or answers."""
    a, b = pair
    (tmp_path / "p.yaml").write_text("policies: []\n")
    done = run("explain", *sent("ann@x.example"), "--policy", "p.yaml", cwd=tmp_path, env={"REEVE_NODE": b.lookups, "REEVE_ADMIN": a.admin})
    assert done.returncode in (FINE, NEGATIVE) or (done.returncode == REFUSED and "does not hold document" in done.stderr)
