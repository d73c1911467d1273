"""reevectl directory import: a million users into a real Redis beside lookups, which see the old directory until the switch and
the new one after it, on both nodes; what the formats say; and what is not put into force."""
import json
import os
import signal
import subprocess
import threading
import time

from tests.support.asking import Gateway
from tests.support.harness import program, sample_policy, wait_for

FINE, NEGATIVE, USAGE, NO_NODE, REFUSED, NO_STORE = range(6)
MILLION = 1000000
POLICY = sample_policy(
    greylist={"mode": "enforce", "recipient_check_first": True},
    domains={"rcpt.example": {"recipients": "directory"}, "other.example": {"recipients": "directory", "unknown": "defer"},
             "any.example": {}})


def nodes_of(site):
    redis = site.redis()
    store = {"mode": "single", "address": redis.address}
    return [site.node(name, policy=POLICY, store=store) for name in ("a", "b")] + [redis]


def reevectl(node, *words, stdin=None):
    """The exit code, the JSON document and standard error."""
    done = subprocess.run([program("reevectl"), "--admin", node.admin, "--json", *map(str, words)], input=stdin,
                          capture_output=True, text=True, timeout=120)
    return done.returncode, json.loads(done.stdout.splitlines()[-1]) if done.stdout else {}, done.stderr


def show(node, address):
    """What the node says of an address."""
    return reevectl(node, "directory", "show", address)[1][0]


def entries(node, domain):
    """How many addresses its directory has; 0 = it has none."""
    return {row["domain"]: int(row["entries"]) for row in reevectl(node, "directory", "status")[1]}[domain]


def reason(gateway, recipient):
    """What mail to it gets in a dry run: a stranger's is greylisted if the recipient exists."""
    return gateway.check("ann@sender.example", recipient, dry_run=True).decision.verdicts[0].reason


class Asker(threading.Thread):
    """Asks a node about two recipients, one after the other, and keeps what it was told, with the slowest answer."""

    def __init__(self, folder, node):
        super().__init__(daemon=True)
        self.folder, self.node = folder, node
        self.stopping = threading.Event()
        self.told = []
        self.slowest_s = 0.0

    def run(self):
        with Gateway(self.folder, self.node.lookups) as gateway:
            while not self.stopping.is_set():
                began = time.monotonic()
                old = reason(gateway, "leaver@rcpt.example")
                new = reason(gateway, f"user{MILLION - 1}@rcpt.example")
                self.slowest_s = max(self.slowest_s, (time.monotonic() - began) / 2)
                if not self.told or self.told[-1] != (old, new):
                    self.told.append((old, new))

    def stop(self):
        self.stopping.set()
        self.join(10)
        return self.told


def test_a_million_users_beside_lookups(site, tmp_path):
    a, b, redis = nodes_of(site)
    first, users = tmp_path / "first.csv", tmp_path / "relay_recipients"
    first.write_text("address\nleaver@rcpt.example\n")
    with open(users, "w", encoding="ascii") as out:
        out.writelines(f"user{n}@rcpt.example OK\n" for n in range(MILLION))
    code, said, error = reevectl(a, "directory", "import", first)
    assert (code, said["entries"], said["in_force"]) == (FINE, 1, True), error
    with Gateway(tmp_path, b.lookups) as gateway:
        wait_for(lambda: reason(gateway, "nobody@rcpt.example") == "rcpt_unknown", "node b to hear of the directory")
        asker = Asker(tmp_path, b)
        asker.start()
        began = time.monotonic()
        code, said, error = reevectl(a, "import", "relay-recipients", "--force", users)
        took_s = time.monotonic() - began
        assert (code, said["entries"], said["domains"], said["before"]) == (FINE, MILLION, 1, 1), error
        wait_for(lambda: reason(gateway, "leaver@rcpt.example") == "rcpt_unknown", "node b to hear of the switch")
        told = asker.stop()
        # At once: never a moment in which neither or both exist; a pair of questions may have the switch between them.
        assert told[0] == ("greylist_new", "rcpt_unknown") and told[-1] == ("rcpt_unknown", "greylist_new"), told
        assert len(told) == 2 or told[1:-1] == [("greylist_new", "greylist_new")], told
        assert took_s < 120
        assert asker.slowest_s < 2.0  # it is not in anybody's way; a busy machine may be
        for n in (0, 1, MILLION // 2, MILLION - 1):
            assert reason(gateway, f"user{n}+tag@RCPT.example") == "greylist_new"
        assert reason(gateway, f"user{MILLION}@rcpt.example") == "rcpt_unknown"
        assert reason(gateway, "postmaster@rcpt.example") == "greylist_exempt"
    fields = int(redis.command("info", "memory").split("used_memory:")[1].split()[0]) / MILLION
    assert fields < 80, "bytes of memory for an address"
    assert show(b, "user7@rcpt.example")["verdict"] == "exists"
    # Interrupted in the middle: nothing changes, and what was written gets an end.
    with open(users, "w", encoding="ascii") as out:
        out.writelines(f"other{n}@rcpt.example OK\n" for n in range(MILLION // 5))
    running = subprocess.Popen([program("reevectl"), "--admin", a.admin, "import", "relay-recipients", "--force", str(users)],
                               stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, restore_signals=True)
    before = redis.command("hlen", "directory:{p}:versions")
    wait_for(lambda: redis.command("hlen", "directory:{p}:versions") != before, "the import to begin", 60)
    running.send_signal(signal.SIGINT)
    out, error = running.communicate(timeout=60)
    assert running.returncode == NEGATIVE and "interrupted: nothing was changed" in error, error
    assert "NOT put into force" in out
    assert entries(a, "rcpt.example") == MILLION
    # Its node dies under way: the same, at the other one, which could take the import as well.
    before = redis.command("hlen", "directory:{p}:versions")
    running = subprocess.Popen([program("reevectl"), "--admin", a.admin, "--deadline", "2s", "import", "relay-recipients",
                                "--force", str(users)], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    wait_for(lambda: redis.command("hlen", "directory:{p}:versions") != before, "the import to begin", 60)
    a.kill()
    _, error = running.communicate(timeout=60)
    assert running.returncode == NO_NODE, error
    assert entries(b, "rcpt.example") == MILLION
    assert show(b, f"user{MILLION - 1}@rcpt.example")["verdict"] == "exists"
    assert show(b, "other7@rcpt.example")["verdict"] == "rcpt_unknown"


LDIF = """# extended LDIF
version: 1

dn: uid=ann,ou=people
mail: Ann.Smith@other.example
mailAlternateAddress: ann@other.example
memberOf: cn=Execs,ou=groups

dn: uid=bob,ou=people
mail:: Ym9iQG90aGVyLmV4YW1wbGU=
mailStatus: inactive

search: 2
result: 0 Success
"""


def test_formats_and_what_is_not_put_into_force(site, tmp_path):
    a, b, _ = nodes_of(site)
    ldif, aliases, many = tmp_path / "people.ldif", tmp_path / "virtual", tmp_path / "many.csv"
    ldif.write_text(LDIF)
    aliases.write_text("# aliases\nsales@other.example  ann.smith@other.example\nall@other.example a@x.example, b@x.example\n")
    code, said, error = reevectl(a, "directory", "import", "--format", "ldif", "--state", "mailStatus", "--dry-run", ldif)
    assert (code, said["entries"], said["aliases"], said["in_force"]) == (FINE, 3, 1, False), error
    assert entries(a, "other.example") == 0
    code, _, error = reevectl(a, "directory", "import", ldif, aliases)
    assert code == USAGE and "which format is that" in error
    code, said, error = reevectl(a, "directory", "import", "--format", "postfix", aliases)
    assert (code, said["entries"], said["dangling"]) == (FINE, 2, 1), error
    code, said, error = reevectl(a, "directory", "import", "--state", "mailStatus", ldif)
    assert (code, said["entries"], said["before"]) == (FINE, 3, 2), error
    shown = show(a, "ANN+x@other.example")
    assert (shown["verdict"], shown["mailbox"], shown["groups"]) == ("exists", "ann.smith@other.example", "Execs")
    assert show(a, "bob@other.example")["state"] == "disabled"
    with Gateway(tmp_path, b.lookups) as gateway:
        wait_for(lambda: gateway.check("x@sender.example", "sales@other.example", dry_run=True).decision.verdicts[0].code == 451,
                 "node b to hear of it")
    # Lines that are not understood, a domain that loses its users, an answer that was cut short: what is there stays.
    many.write_text("mail\n" + "".join(f"u{n}@rcpt.example\n" for n in range(50)))
    assert reevectl(a, "directory", "import", many)[0] == FINE
    many.write_text("mail\nu1@rcpt.example\nno address\n")
    code, _, error = reevectl(a, "directory", "import", many)
    assert code == USAGE and "many.csv:3" in error and "Nothing was changed" in error
    many.write_text("mail\n" + "".join(f"u{n}@rcpt.example\n" for n in range(24)))
    code, _, error = reevectl(a, "directory", "import", "-", "--format", "csv", stdin=many.read_text())
    assert code == REFUSED and "would have 24 addresses, and has 50" in error
    code, _, error = reevectl(a, "directory", "import", "--format", "ldif", "-", stdin=LDIF.replace("0 Success", "4 Size limit exceeded"))
    assert code == USAGE and "did not give all of it" in error
    code, _, error = reevectl(a, "directory", "import", "--format", "csv", "-", stdin="mail\n")
    assert code == USAGE and "no address" in error
    assert show(a, "u49@rcpt.example")["verdict"] == "exists"
    code, said, error = reevectl(a, "directory", "import", "--force", many)
    assert (code, said["entries"]) == (FINE, 24), error
    assert show(a, "u49@rcpt.example")["verdict"] == "rcpt_unknown"
    # A domain whose recipients are known in another way is told, and one that is dropped takes anybody.
    code, said, _ = reevectl(a, "directory", "import", "--format", "csv", "-", stdin="ann@any.example\n")
    assert (code, said["idle"]) == (FINE, 1)
    assert reevectl(a, "directory", "drop", "rcpt.example")[0] == FINE
    assert show(a, "u49@rcpt.example")["verdict"] == "exists"
    assert reevectl(a, "directory", "drop", "rcpt.example")[0] == NEGATIVE
    assert os.listdir(tmp_path)  # and the files are as they were
