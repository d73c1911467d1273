"""Whom one's own users write to: a user hands mail in at gateway A, a real Postfix with SASL in front of node A, and the answer, from an
address that nobody has seen, comes in at gateway B, a real Postfix in front of node B, and is let through at once. Beside it: what is
taken back, what is told while Redis is away, and the two other ways to tell it, `reevectl sent` and `reevectl import correspondents`."""
import datetime
import gzip
import json
import signal
import subprocess

import pytest

from tests.support.harness import PolicyClient, Site, program, sample_policy, wait_for

FINE, NEGATIVE, USAGE, NO_NODE, REFUSED, NO_STORE = range(6)
ANN, BOB, HELD = "ann@rcpt.example", "bob@rcpt.example", "held@rcpt.example"
POLICY = sample_policy(
    greylist={"mode": "enforce"}, domains={"rcpt.example": {}}, trusted_sources=[],
    users={ANN: {"aliases": ["a.smith@rcpt.example"]}},
    policies=[
        {"id": "look", "kind": "mail", "from": HELD, "when": {"size_over": "2K"}, "action": "hold"},
        {"id": "not-there", "kind": "mail", "from": "*", "default": "allow", "except": [{"to": "rival.example"}]},
        {"id": "no-learning", "kind": "auto_allow", "option": "none", "from": "*", "to": "shop.example"},
    ])


class Gateways:
    """Submission at A, the way in at B; each with a node of its own, over one Redis."""

    def __init__(self, site):
        self.redis = site.redis()
        store = {"mode": "single", "address": self.redis.address}
        self.a, self.b = [site.node(f"node-{name}", policy=POLICY, store=store) for name in "ab"]
        self.policyd_a = site.policyd(self.a, "policyd-a", log_decisions="all")
        self.policyd_b = site.policyd(self.b, "policyd-b", log_decisions="all")
        self.submission = site.submission(self.policyd_a, ANN, BOB, HELD)
        self.mx = site.mx(self.policyd_b)

    def write(self, sender, *recipients, lines=1, login=None):
        """One's own user hands in a mail at A; the replies."""
        return [reply[:3] for reply in self.submission.talk(sender, *recipients, lines=lines, login=login or sender)]

    def knows(self, user, external, node=None):
        """Whether an answer would be let through, as node B sees it."""
        code, rows = allow(node or self.b, "show", "--user", user, "--external", external)
        return code == FINE and rows[0]["holds"] == "true"

    def has_learnt(self, user, external):
        wait_for(lambda: self.knows(user, external), f"node B to know that {user} has written to {external}")

    def answer(self, sender, recipient, client="192.0.2.7"):
        """The reply to RCPT at B."""
        reply, = self.mx.rcpt(sender, recipient, client=client)
        return reply


@pytest.fixture(scope="module")
def site():
    servers = Site()
    yield servers
    servers.close()


@pytest.fixture(scope="module")
def gateways(site):
    return Gateways(site)


def ctl(node, *words, stdin=None):
    """The exit code, the JSON document and what was said."""
    done = subprocess.run([program("reevectl"), "--node", node.lookups, "--admin", node.admin, "--json", *map(str, words)], input=stdin,
                          capture_output=True, timeout=60)
    return done.returncode, json.loads(done.stdout.splitlines()[-1]) if done.stdout else None, done.stderr.decode()


def allow(node, *words):
    return ctl(node, "allow", *words)[:2]


def test_an_answer_is_let_through_at_the_other_gateway(gateways):
    assert gateways.write(ANN, "Joe.Doe@Partner.Example", "eve@other.example") == ["250", "250", "250"]
    gateways.has_learnt(ANN, "joe.doe@partner.example")
    gateways.has_learnt(ANN, "eve@other.example")

    gateways.mx.submit("joe.doe@partner.example", ANN, "re: hello", client="192.0.2.7")
    wait_for(lambda: gateways.mx.mailbox("re: hello"), "the answer to be in the mailbox")
    decision, = gateways.policyd_b.decisions(**{"from": "joe.doe@partner.example"})
    assert (decision["action"], decision["reason"]) == ("accept", "auto_allow")
    # From wherever it comes, and to whatever she is called; but not to others, and not from others.
    assert gateways.answer("joe.doe@partner.example", "a.smith@rcpt.example", client="203.0.113.9").startswith("250")
    assert gateways.answer("joe.doe@partner.example", "ann+list@rcpt.example", client="203.0.113.10").startswith("250")
    assert gateways.answer("joe.doe@partner.example", BOB).startswith("451")
    assert gateways.answer("jim@partner.example", ANN).startswith("451")
    assert gateways.answer("joe.doe+x@partner.example", ANN).startswith("451")

    code, rows = allow(gateways.a, "list", "--user", "A.Smith@rcpt.example")
    assert code == FINE and {row["external"] for row in rows} == {"joe.doe@partner.example", "eve@other.example"}


def test_what_was_not_accepted_teaches_nothing(gateways):
    assert gateways.write(BOB, "boss@rival.example", "one@last.example")[0] == "550"
    assert gateways.write(HELD, "one@held.example", lines=60) == ["250", "250"]
    assert (HELD, ("one@held.example",)) in gateways.submission.held()
    assert gateways.write(BOB, ANN) == ["250", "250"]
    assert gateways.write(BOB, "one@shop.example") == ["250", "250"]
    assert gateways.submission.rcpt(BOB, "nobody@before.example", login=BOB)[0].startswith("250")  # and no message
    with PolicyClient(("127.0.0.1", gateways.policyd_a.port)) as stranger:  # who writes in her name, to another of ours
        stranger.ask(protocol_state="RCPT", instance="forged", sender=ANN, recipient=BOB)
        stranger.ask(protocol_state="END-OF-MESSAGE", instance="forged", sender=ANN, recipient=BOB, recipient_count=1)
    assert set(gateways.write(BOB, "one@circular.example", *(f"all{i}@rcpt.example" for i in range(50)))) == {"250"}
    assert gateways.write(BOB, "two@last.example") == ["250", "250"]
    gateways.has_learnt(BOB, "two@last.example")  # so what was told before has been read, too

    assert {row["external"] for row in allow(gateways.b, "list", "--user", BOB)[1]} == {"one@last.example", "two@last.example"}
    assert allow(gateways.b, "list", "--user", HELD) == (NEGATIVE, [])
    assert not gateways.knows(ANN, BOB)


def test_what_is_disabled_is_so_at_once_on_every_node(gateways):
    external = "joe@disabled.example"
    pair = ["--user", ANN, "--external", external]
    gateways.write(ANN, external)
    gateways.has_learnt(ANN, external)
    assert gateways.answer(external, ANN).startswith("250")  # B has it at hand now

    code, [row] = allow(gateways.a, "disable", *pair, "--dry-run")
    assert code == FINE and row["disabled"] == "true" and gateways.knows(ANN, external)
    code, [row] = allow(gateways.a, "disable", *pair)
    assert code == FINE and (row["disabled"], row["holds"]) == ("true", "false")
    reply = gateways.answer(external, ANN)
    assert reply.startswith("451"), reply
    assert not gateways.knows(ANN, external, gateways.a) and not gateways.knows(ANN, external, gateways.b)

    gateways.write(ANN, external)  # she writes again
    gateways.has_learnt(ANN, external)
    assert gateways.answer(external, ANN, client="203.0.113.77").startswith("250")
    assert allow(gateways.b, "forget", *pair)[0] == FINE and not gateways.knows(ANN, external, gateways.a)
    assert allow(gateways.b, "forget", *pair) == (NEGATIVE, [])


def test_a_line_of_the_mail_log_names_a_pair(gateways):
    gateways.write(ANN, "pat@line.example")
    gateways.has_learnt(ANN, "pat@line.example")
    line = f"NOQUEUE: reject: RCPT from x[192.0.2.7]: 550; from=<pat@line.example> to=<{ANN}> proto=ESMTP"
    code, [row] = allow(gateways.b, "disable", line)
    assert code == FINE and (row["user"], row["external"], row["disabled"]) == (ANN, "pat@line.example", "true")


def test_what_people_read(gateways):
    def said(*words):
        done = gateways.a.reevectl(*words)
        return done.returncode, done.stdout
    pair = ["--user", ANN, "--external", "max@people.example"]
    assert said("allow", "show", *pair) == (NEGATIVE, f"{ANN} has not written to that address lately\n")
    assert said("sent", "--from", ANN, "--to", "max@people.example", "--to", BOB, "--user", ANN) == (
        FINE, f"recorded: 1\nskipped: internal {BOB}\n")
    code, text = said("allow", "show", *pair)
    assert code == FINE and text.splitlines()[1].startswith(f"{ANN}  max@people.example  20"), text
    code, text = said("allow", "disable", *pair, "--dry-run")
    assert code == FINE and f"mail from <max@people.example> to {ANN}: would not be let through any more\n" in text
    code, text = said("allow", "forget", *pair)
    assert code == FINE and f"mail from <max@people.example> to {ANN}: forgotten\n" in text
    assert said("allow", "list", "--user", "nobody@rcpt.example") == (NEGATIVE, "nobody@rcpt.example has written to nobody lately\n")


@pytest.mark.parametrize("words, said", [
    (("allow", "list"), "--user is missing"),
    (("allow", "show", "--external", "a@b.example"), "expected one of --user and --org"),
    (("allow", "show", "--external", "a@b.example", "--user", ANN, "--org"), "expected one of --user and --org"),
    (("allow", "show", "--user", ANN), "--external is missing"),
    (("allow", "disable", "--user", ANN, "to=<a@b.example>"), "was not expected here"),
    (("allow", "disable", "nonsense"), "neither a ticket"),
    (("allow", "show", "--user", "nobody", "--external", "a@b.example"), "is no address"),
    (("sent", "--to", "a@b.example"), "--from is missing"),
    (("sent", "--from", ANN), "a --to is missing"),
    (("sent", "--from", ANN, "--to", "a@b.example", "message"), "was not expected here"),
    (("sent", "--from", ANN, "--to", "a@b.example", "--accepted", "whenever"), "--accepted"),
    (("import", "correspondents"), "name the logs"),
    (("import", "correspondents", "--inside", "10.0.0.1/8", "/dev/null"), "--inside 10.0.0.1/8: "),
    (("import", "correspondents", "--policy", "x", "/dev/null"), "unknown option --policy"),
])
def test_misuse_is_explained(gateways, words, said):
    code, _, stderr = ctl(gateways.a, *words)
    assert code in (USAGE, REFUSED) and said in stderr, stderr


MESSAGES = {
    "a person": (b"From: ann\nSubject: hello\n\nList-Id: of the text\n", 1, None),
    "a vacation": (b"From: ann\r\nAuto-Submitted: auto-replied\r\n (vacation)\r\n\r\n", 0, "auto_submitted"),
    "a list": (b"List-Id:\n <a.b.example>\n\n", 0, "list"),
    "nothing": (b"", 1, None),
}


@pytest.mark.parametrize("case", MESSAGES)
def test_a_gateway_that_knows_the_headers(gateways, case):
    message, recorded, skipped = MESSAGES[case]
    external = f"{case.replace(' ', '-')}@headers.example"
    words = ("sent", "--from", f"<{ANN}>", "--to", f"<{external}>", "--user", ANN)
    code, told, said = ctl(gateways.a, *words, "-", stdin=message)
    assert (code, told["recorded"], told["queued"]) == (FINE if recorded else NEGATIVE, recorded, False), said
    assert [why.split()[0] for why in told["skipped_why"]] == ([skipped] if skipped else [])
    assert gateways.knows(ANN, external) == bool(recorded)


def test_nobody_is_believed_without_a_login(gateways):
    code, told, _ = ctl(gateways.a, "sent", "--from", ANN, "--to", "x@forged.example", "--ip", "192.0.2.7")
    assert (code, told["recorded"], told["skipped_why"]) == (NEGATIVE, 0, ["untrusted"])


# ---- logs

def postfix_log(number, at, sender, recipient, client):
    head = f"{at.isoformat(timespec='seconds')} mx postfix/"
    return (f"{head}submission/smtpd[1]: {number:010X}: client={client}\n"
            f"{head}qmgr[1]: {number:010X}: from=<{sender}>, size=1, nrcpt=1 (queue active)\n"
            f"{head}smtp[1]: {number:010X}: to=<{recipient}>, relay=mx.example[192.0.2.1]:25, delay=1, dsn=2.0.0, status=sent (250 Ok)\n"
            f"{head}qmgr[1]: {number:010X}: removed\n")


def exim_log(number, at, sender, host, *recipients):
    head = f"{at.astimezone():%Y-%m-%d %H:%M:%S} 1mABCD-{number:06d}-CD"
    sent = "".join(f"{head} {'=>' if i == 0 else '->'} {recipient} R=dnslookup T=remote_smtp H=mx.example [192.0.2.1] C=\"250 OK\"\n"
                   for i, recipient in enumerate(recipients))
    return f"{head} <= {sender} H={host} S=1234 id=x@rcpt.example\n{sent}{head} Completed\n"


def test_mail_logs_make_correspondents_known(gateways, tmp_path):
    now = datetime.datetime.now(datetime.timezone.utc)
    ago = [now - datetime.timedelta(days=days) for days in range(200)]
    login = "pc[192.0.2.9], sasl_method=PLAIN, sasl_username="
    log, rotated = tmp_path / "mainlog", tmp_path / "mail.log.1.gz"
    rotated.write_bytes(gzip.compress((
        postfix_log(1, ago[10], "a.smith@rcpt.example", "joe@log.example", login + ANN)
        + postfix_log(2, ago[121], ANN, "old@log.example", login + ANN)
        + postfix_log(3, ago[3], "eve@outside.example", ANN, "mx.outside.example[198.51.100.9]")
        + postfix_log(4, ago[3], ANN, "forged@log.example", "mx.outside.example[198.51.100.9]")
        + postfix_log(5, ago[3], ANN, "inside@log.example", "exchange[10.1.2.3]")
        + postfix_log(6, ago[3], "", "bounce@log.example", login + ANN)
        + postfix_log(7, ago[3], ANN, "unsubscribe-17@log.example", login + ANN)
        + postfix_log(8, ago[3], ANN, BOB, login + ANN)).encode()))
    log.write_text(
        exim_log(1, ago[2], BOB, f"pc.rcpt.example [192.0.2.9] P=esmtpsa X=TLS1.3:x:256 CV=no A=plain:{BOB}", "joe@exim.example",
                 "jim@exim.example", "friend <staff@rcpt.example>")
        + exim_log(2, ago[2], BOB, "(x) [10.1.2.3] P=esmtpa A=plain:ann S=1) [198.51.100.9] P=esmtp", "forged@exim.example")
        + exim_log(3, ago[2], BOB, f"pc [192.0.2.9] P=esmtpa A=plain:{BOB}", *(f"n{i}@many.example" for i in range(51)))
        + exim_log(4, ago[2], BOB, f"pc [192.0.2.9] P=esmtpa A=plain:{BOB}", *(f"n{i}@fifty.example" for i in range(50))))

    words = ("import", "correspondents", log, rotated, "--inside", "10.0.0.0/8")
    code, plan, said = ctl(gateways.a, *words, "--dry-run")
    assert code == FINE and plan["taken"]["count"] == 54 and plan["dry_run"], said
    assert not gateways.knows(BOB, "joe@exim.example")
    code, done, said = ctl(gateways.a, *words)
    assert code == FINE and done["taken"]["count"] == 54, said
    assert {word: done[word]["count"] for word in ("too_old", "internal", "unsubscribe", "known")} == {
        "too_old": 1, "internal": 2, "unsubscribe": 1, "known": 0}
    assert {word: done["left"][word]["count"] for word in ("inbound", "null_sender", "many", "no_log")} == {
        "inbound": 2, "null_sender": 1, "many": 51, "no_log": 1}
    assert done["left"]["inbound"]["example"] in (ANN, "forged@log.example")

    for user, external in ((ANN, "joe@log.example"), (ANN, "inside@log.example"), (BOB, "joe@exim.example"), (BOB, "jim@exim.example"),
                           (BOB, "n49@fifty.example")):
        assert gateways.knows(user, external), external
    assert gateways.answer("joe@log.example", ANN).startswith("250")
    for user, external in ((ANN, "old@log.example"), (ANN, "forged@log.example"), (BOB, "forged@exim.example"), (BOB, "n1@many.example")):
        assert not gateways.knows(user, external), external
    row, = allow(gateways.b, "show", "--user", ANN, "--external", "joe@log.example")[1]
    assert row["last_sent"][:10] == f"{ago[10]:%Y-%m-%d}"

    code, done, _ = ctl(gateways.a, *words)  # twice is once
    assert code == FINE and done["taken"]["count"] == 0 and done["known"]["count"] == 54


# ---- the store is away: the last test of these servers

def test_what_is_sent_while_redis_is_away_is_there_afterwards(gateways):
    external, told = "joe@outage.example", "jim@outage.example"
    gateways.redis.kill()
    wait_for(lambda: '"up"' not in gateways.a.reevectl("--json", "store", "show").stdout, "node A to notice")
    assert gateways.write(ANN, external) == ["250", "250"]
    code, reply, said = ctl(gateways.a, "sent", "--from", ANN, "--to", told, "--user", ANN)
    assert (code, reply["recorded"], reply["queued"]) == (FINE, 0, True), said
    code, reply, said = ctl(gateways.a, "allow", "disable", "--user", ANN, "--external", told)
    assert code == NO_STORE, said
    assert ctl(gateways.a, "import", "correspondents", "-", stdin=postfix_log(
        1, datetime.datetime.now().astimezone(), ANN, told, f"pc[192.0.2.9], sasl_method=PLAIN, sasl_username={ANN}").encode())[0] == NO_STORE

    gateways.redis.start()
    gateways.has_learnt(ANN, external)
    gateways.has_learnt(ANN, told)
    assert gateways.answer(external, ANN).startswith("250")

    for policyd in (gateways.policyd_a, gateways.policyd_b):
        policyd.signal(signal.SIGUSR1)
    line = gateways.policyd_a.wait_log(" sent told=")
    assert "queued=1" in line and "lost=0" in line, line
    assert " told=0 " in gateways.policyd_b.wait_log(" sent told=")  # what came in was never one's own
