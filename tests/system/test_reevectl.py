"""reevectl against a real node: what an operator types, what comes back, as words and as JSON, and with which exit code."""
import json
import subprocess

import pytest

from tests.support.harness import program, wait_for

FINE, NEGATIVE, USAGE, NO_NODE, REFUSED, NO_STORE = range(6)
POLICY = {"settings": {"greylist": {"mode": "enforce", "delay": "1h", "window": "12h"}}}
PAIR = ("--from", "ann@sender.example", "--to", "bob@rcpt.example")
RCPT = ("request=smtpd_access_policy\nprotocol_state=RCPT\nclient_address=192.0.2.7\nsender=ann@sender.example\n"
        "recipient=bob@rcpt.example\n")


def run(*words, stdin="", env=None):
    return subprocess.run([program("reevectl"), *words], input=stdin, capture_output=True, text=True, timeout=30,
                          env=env or {"REEVE_NODE": "tcp://127.0.0.1:1", "REEVE_ADMIN": "ipc:///nowhere/admin"})


@pytest.fixture
def node(site):
    return site.node(policy=POLICY)


@pytest.fixture
def ctl(node):
    """Runs a command with --json; the exit code and the documents that it wrote."""
    def ask(*words, stdin=""):
        done = run("--json", *words, stdin=stdin,
                   env={"REEVE_NODE": node.lookups, "REEVE_ADMIN": node.admin, "REEVE_STATS": node.stats})
        return done.returncode, [json.loads(line) for line in done.stdout.splitlines()]
    return ask


@pytest.mark.parametrize("words, said", [
    ((), "usage: reevectl"),
    (("fly",), "there is no command 'fly'"),
    (("grey",), "needs another word"),
    (("grey", "paint"), "there is no command 'grey paint'"),
    (("help", "fly"), "there is no command 'fly'"),
    (("--fast", "ping"), "unknown option --fast"),
    (("ping", "twice"), "'twice' was not expected"),
    (("ping", "-x"), "unknown option -x"),
    (("ping", "--deadline"), "--deadline needs a value"),
    (("ping", "--deadline", "soon"), "a time like 250ms"),
    (("ping", "--deadline", "61s"), "at most 60000"),
    (("check",), "a --to is missing"),
    (("check", "--stage", "mail", *PAIR), "there is no --to yet"),
    (("check", "--stage", "lunch", *PAIR), "one of connect, mail, rcpt, end"),
    (("check", "--size", "-1", *PAIR), "a size like"),
    (("check", "--size", "99999999999999999999", *PAIR), "a size like"),
    (("check", "--recipient-count", "4294967296", *PAIR), "at most 4294967295"),
    (("check", "--spf", "maybe", *PAIR), "one of none, pass"),
    (("explain", *PAIR, "--at", "noon"), "--at: expected a time"),
    (("grey", "show", "--from", "a@b.example"), "--to is missing"),
    (("grey", "pass", "--to", "a@b.example"), "the null sender is written as '<>'"),
    (("grey", "show", "--dry-run", *PAIR), "unknown option --dry-run"),
    (("grey", "list", "--reason", "x"), "unknown option --reason"),
    (("grey", "pass", *PAIR, "ticket x"), "was not expected here: a line of a log, or addresses"),
    (("grey", "pass", "--from", "a@b.example", "to=<x@y.example>"), "was not expected here"),
    (("grey", "pass", "what happened?"), "neither a ticket (of a decision about a recipient) nor from=<> and to=<>"),
    (("grey", "pass", "to=<bob@rcpt.example>"), "neither a ticket"),
    (("grey", "forget", "-"), "neither a ticket"),
    (("expect",), "an address, or a line of a mail log, is missing"),
    (("expect", "bob@rcpt.example"), "--for is missing"),
    (("expect", "bob@rcpt.example", "--for", "soon"), "a time like 250ms, 2s or 10m"),
    (("expect", "bob@rcpt.example", "--for", "10m", "--cancel"), "--cancel takes neither --for nor --note"),
    (("expect", "bob@rcpt.example", "--note", "x", "--cancel"), "--cancel takes neither --for nor --note"),
    (("expect", "--list", "--for", "10m"), "--list stands alone"),
    (("expect", "--list", "bob@rcpt.example"), "--list stands alone"),
    (("expect", "bob", "--for", "10m"), "no address, and no line with a ticket"),
    (("expect", "from=<a@b.example>", "--for", "10m"), "no address, and no line"),
    (("spared", "show"), "expected one of --ip and --spf-domain"),
    (("spared", "forget", "--ip", "192.0.2.7", "--spf-domain", "a.example"), "expected one of --ip and --spf-domain"),
    (("spared", "show", "--dry-run", "--ip", "192.0.2.7"), "unknown option --dry-run"),
    (("blocked", "show"), "expected --ip"),
    (("blocked", "lift", "--dry-run"), "expected --ip"),
    (("blocked", "show", "--dry-run", "--ip", "192.0.2.7"), "unknown option --dry-run"),
    (("blocked", "list", "192.0.2.7"), "192.0.2.7"),
    (("track", "short"), "is no ticket"),
    (("track", "0123456789abcdefgh", "another"), "'another' was not expected"),
    (("track", "--since", "yesterday"), "--since: expected a time like 10m"),
    (("why", "no", "ticket", "here"), "no ticket in that line"),
    (("decisions",), "say --follow"),
    (("decisions", "--follow", "--topic", "stats"), "expected decision.ACTION.REASON"),
    (("secret", "rotate", "--buckets", "1000"), "a power of two"),
])
def test_misuse_is_explained(words, said):
    done = run(*words)
    assert done.returncode == USAGE
    assert said in done.stderr + done.stdout
    assert "usage: reevectl" in done.stderr + done.stdout or "reevectl help" in done.stderr


@pytest.mark.parametrize("option", ["--node", "--admin"])
def test_an_endpoint_that_is_none(option):
    done = run(option, "7170", "--deadline", "100", "ping")
    assert done.returncode == USAGE and "endpoint '7170': expected tcp://HOST:PORT or ipc://PATH" in done.stderr


@pytest.mark.parametrize("words", [("--help",), ("help",), ("help", "grey"), ("check", "--help"), ("grey", "show", "-h"), ("--version",)])
def test_help_needs_no_node(words):
    done = run(*words)
    assert done.returncode == FINE and "reevectl" in done.stdout and done.stderr == ""


@pytest.mark.parametrize("words, said", [
    (("--deadline", "100", "ping"), "no node is connected"),
    (("--deadline", "100", "check", *PAIR), "no node is connected"),
    (("grey", "show", *PAIR), "there is no admin socket /nowhere/admin"),
    (("--admin", "tcp://127.0.0.1:1", "--deadline", "100", "track"), "no node is connected"),
    (("--stats", "tcp://127.0.0.1:1", "--deadline", "100", "stats"), "no word from"),
    (("--stats", "tcp://127.0.0.1:1", "--deadline", "100", "decisions", "--follow"), "no word from"),
])
def test_no_node(words, said):
    done = run("--json", *words)
    assert done.returncode == NO_NODE and said in done.stderr
    error = json.loads(done.stdout)["error"]
    assert error["exit"] == NO_NODE and said in error["message"]


def test_ping(node, ctl):
    code, [pong] = ctl("ping")
    assert code == FINE and pong["node"] == node.name and pong["took_ms"] > 0 and not pong["draining"]


def test_one_mail_from_the_first_try_to_the_story(node, ctl):
    code, [answer] = ctl("explain", *PAIR, "--ip", "192.0.2.7")
    assert code == NEGATIVE
    steps = [step["step"] for step in answer["verdicts"][0]["trace"]]
    assert steps[:12] == ["geo", "syntax", "direction", "anti_spoof", "block_admin", "block_user", "permit_admin", "permit_user", "auto_allow",
                          "abuse", "reputation", "greylist"]
    assert ctl("grey", "show", *PAIR) == (NEGATIVE, [[]])  # explaining changed nothing
    assert ctl("check", "--dry-run", *PAIR, "--ip", "192.0.2.7")[0] == NEGATIVE
    assert ctl("grey", "show", *PAIR) == (NEGATIVE, [[]])

    code, [answer] = ctl("check", "-", stdin=RCPT)
    verdict = answer["verdicts"][0]
    assert code == NEGATIVE and verdict["reason"] == "greylist_new" and verdict["code"] == 451
    code, [[entry]] = ctl("grey", "show", *PAIR)
    assert code == FINE and entry["state"] == "pending" and entry["identity"].startswith("client ")

    ticket = verdict["ticket"]
    found = wait_for(lambda: ctl("track", ticket)[1][0], "the tracking row")
    assert [(row["ticket"], row["client_ip"]) for row in found] == [(ticket, "192.0.2.7")]
    assert [row["ticket"] for row in ctl("track", "--from", "sender.example", "--since", "1h")[1][0]] == [ticket]
    assert [row["ticket"] for row in ctl("grey", "list", "--ip", "192.0.2.0/24")[1][0]] == [ticket]
    assert ctl("track", "--reason", "relay_denied") == (NEGATIVE, [[]])
    assert ctl("track", "--since", "0s")[0] == NEGATIVE

    line = f"NOQUEUE: reject: RCPT from x[192.0.2.7]: 451 4.7.1 <bob@rcpt.example>: {verdict['text']}; from=<ann@sender.example>"
    code, [story] = ctl("why", stdin=line)
    assert code == FINE and story["row"]["ticket"] == ticket and len(story["stored"]) == 1
    assert "was deferred: first try of this sender, recipient and client" in story["story"][0]
    assert "A retry passes from" in story["story"][1]
    assert story["story"][-1].strip() == "reevectl grey pass --from ann@sender.example --to bob@rcpt.example"

    assert ctl("grey", "pass", "--dry-run", *PAIR)[0] == FINE
    assert ctl("check", *PAIR, "--ip", "192.0.2.7")[0] == NEGATIVE
    code, [entries] = ctl("grey", "pass", *PAIR)
    assert code == FINE and [row for row in entries if row["identity"] == "any"][0]["state"] == "passed"
    assert ctl("check", *PAIR, "--ip", "203.0.113.9")[0] == FINE
    code, [story] = ctl("why", ticket)
    assert code == FINE and "released by hand" in "\n".join(story["story"])
    assert ctl("grey", "forget", *PAIR)[0] == FINE
    assert ctl("grey", "forget", *PAIR) == (NEGATIVE, [[]])
    assert ctl("check", *PAIR, "--ip", "203.0.113.9")[0] == NEGATIVE


def test_a_line_without_a_ticket(ctl):
    ctl("check", "--from", "<>", "--to", "bob@rcpt.example", "--ip", "192.0.2.7")
    ctl("check", *PAIR, "--ip", "192.0.2.7")
    code, [story] = wait_for(lambda: [found for found in [ctl("why", "from=<> to=<bob@rcpt.example>")] if found[0] == FINE],
                             "the tracking row")[0]
    assert code == FINE and story["row"]["sender"] == ""
    assert "--from '<>'" in story["story"][-1]
    assert ctl("why", "from=<eve@else.example> to=<bob@rcpt.example>")[0] == NEGATIVE
    assert ctl("why", "ticket", "0123456789abcdefgh")[0] == NEGATIVE


TEXTS = ["x" * 100_000, "\udcff\udcfe", "a b", "\x01", "o'neil$(x)`y`@z", "ü@ü.example"]


def test_any_text_as_any_field(ctl):
    for text in TEXTS:
        code, [answer] = ctl("check", "--from", text, "--to", text, "--to", "bob@rcpt.example", "--helo", text, "--name", text,
                             "--ip", "192.0.2.7")
        assert code == NEGATIVE and len(answer["verdicts"]) == 2, text[:20]
        assert all(verdict["action"] in ("defer", "reject") for verdict in answer["verdicts"]), text[:20]


REFUSALS = [
    (("grey", "show", "--from", "a@@b", "--to", "bob@rcpt.example"), "is no address"),
    (("spared", "show", "--ip", "192.0.2.0/24"), "expected one address, or an IPv6 /64"),
    (("spared", "forget", "--spf-domain", "a b"), "is no domain"),
    (("blocked", "show", "--ip", "192.0.2.0/24"), "expected one address, or an IPv6 /64"),
    (("blocked", "list", "--ip", "eve"), "client_ip: "),
    (("expect", "bob@rcpt.example", "--for", "999ms"), "for: expected 1 s to 24 h"),
    (("expect", "bob@rcpt.example", "--for", "25h"), "for: expected 1 s to 24 h"),
    (("expect", "b@@b", "--for", "10m"), "is no address"),
    (("expect", "bob@rcpt.example", "--for", "1m", "--note", "x" * 121), "note: expected at most 120 bytes"),
    (("check", "--at", "1h", *PAIR), "replay"),
    (("check", "--transaction", "x" * 129, *PAIR), "transaction"),
    (("check", *[word for i in range(1001) for word in ("--to", f"r{i}@rcpt.example")]), "more than 1000 recipients"),
    (("track", "--ip", "everywhere"), "client_ip"),
]


def test_a_refusal_says_why(ctl):
    for words, said in REFUSALS:
        code, [document] = ctl(*words)
        assert code == REFUSED and said in document["error"]["message"], words[:4]


def test_reload(node, ctl):
    before = ctl("ping")[1][0]["policy_version"]
    node.write_policy("settings: {greylist: {delay: soon}}\n")
    code, [document] = ctl("reload")
    assert code == REFUSED and "policy.yaml:1: settings.greylist.delay" in document["error"]["message"]
    assert ctl("ping")[1][0]["policy_version"] == before
    node.write_policy({"settings": {"greylist": {"mode": "shadow"}}})
    assert ctl("reload")[0] == FINE
    assert ctl("ping")[1][0]["policy_version"] != before
    code, [answer] = ctl("check", *PAIR, "--ip", "192.0.2.7")
    assert code == FINE and answer["verdicts"][0]["shadow"] == "greylist_new"


def test_without_its_store(site):
    redis = site.redis()
    node = site.node(policy=POLICY, store={"mode": "single", "address": redis.address})
    env = {"REEVE_NODE": node.lookups, "REEVE_ADMIN": node.admin}
    assert run("grey", "pass", *PAIR, env=env).returncode == FINE
    redis.kill()
    wait_for(lambda: node.log_lines("store is down") or run("grey", "pass", *PAIR, env=env).returncode == NO_STORE, "the outage")
    for words in (("grey", "pass", *PAIR), ("grey", "show", *PAIR), ("track",)):
        done = run(*words, env=env)
        assert done.returncode == NO_STORE and "store is" in done.stderr, words
    done = run("check", "--from", "new@sender.example", "--to", "bob@rcpt.example", "--ip", "192.0.2.7", env=env)
    assert done.returncode == FINE and "degraded" in done.stdout


def test_store_clock_secret_and_the_words_of_the_door(ctl):
    assert ctl("store", "show")[1][0]["state"] == "up"
    assert ctl("clock", "show")[1][0]["ok"] == "true"
    assert ctl("clock", "accept")[0] == FINE
    assert "buckets" in ctl("secret", "rotate", "--buckets", "1024")[1][0]["what"]
    assert {"grey.show", "track"} <= {row["verb"] for row in ctl("help", "admin")[1][0]}


def test_stats(ctl):
    code, snapshots = ctl("stats", "--count", "2")
    assert code == FINE and snapshots[1]["sequence"] > snapshots[0]["sequence"]
    assert any(metric["name"] == "reeve_checks" for metric in snapshots[0]["metrics"])


def test_decisions_as_they_are_made(node, ctl):
    watch = subprocess.Popen([program("reevectl"), "--stats", node.stats, "--json", "decisions", "--count", "1",
                              "--topic", "decision.defer"], stdout=subprocess.PIPE, text=True)

    def ask_and_look():
        ctl("check", "--from", "ann@sender.example", "--to", "postmaster@rcpt.example", "--ip", "192.0.2.7")  # another topic
        ctl("check", *PAIR, "--ip", "192.0.2.7")
        return watch.poll() is not None
    wait_for(ask_and_look, "a decision")
    event = json.loads(watch.communicate()[0])
    assert watch.returncode == FINE and event["topic"].startswith("decision.defer.greylist_")
    assert event["sender"] == "" and event["client_ip"] == ""  # hidden unless the node is told to show them
    assert event["verdict"]["action"] == "defer"


def test_words_for_people(node):
    """What stands in the manual: no JSON, no traces of the wire."""
    done = node.reevectl("explain", *PAIR, "--ip", "192.0.2.7", "--name", "mx.sender.example")
    assert done.returncode == NEGATIVE
    assert "asking changed nothing" in done.stdout
    assert "client 192.0.2.7 (mx.sender.example), asked at RCPT" in done.stdout
    assert "  12. greylist decides: first try" in done.stdout
    assert "verdict: deferred, because first try of this sender, recipient and client (greylist_new)" in done.stdout
    node.reevectl("check", *PAIR, "--ip", "192.0.2.7")
    shown = node.reevectl("grey", "show", *PAIR).stdout.splitlines()
    assert shown[0] == "mail from <ann@sender.example> to <bob@rcpt.example>: stored"
    assert shown[1].split() == ["IDENTITY", "STATE", "FIRST", "TRIED", "RETRY", "PASSES", "LAST", "PASSED", "KEPT", "UNTIL"]
    assert shown[2].index("pending") == shown[1].index("STATE")


def test_the_mail_of_a_log_line_is_released(node, ctl):
    """grey pass, show and forget take the line that why takes: a ticket, else its addresses."""
    line = "NOQUEUE: reject: RCPT from unknown[192.0.2.7]: 451 4.7.1 <bob@rcpt.example>: {}; from=<ann@sender.example> to=<bob@rcpt.example>"
    _, [answer] = ctl("check", *PAIR, "--ip", "192.0.2.7")
    ticket = line.format(answer["verdicts"][0]["text"]).replace("from=<ann@sender.example>", "").replace("to=<bob@rcpt.example>", "")
    wait_for(lambda: ctl("why", ticket)[0] == FINE, "the tracking row")
    code, [rows] = ctl("grey", "show", ticket)
    assert code == FINE and rows[0]["state"] == "pending"
    assert "stored" in node.reevectl("grey", "pass", "--dry-run", *ticket.split()).stdout
    released = node.reevectl("grey", "pass", ticket)
    assert released.returncode == FINE
    assert "mail from <ann@sender.example> to <bob@rcpt.example>: passes from now on" in released.stdout
    assert ctl("check", *PAIR, "--ip", "198.51.100.1")[1][0]["verdicts"][0]["reason"] == "greylist_known"
    assert ctl("grey", "forget", "-", stdin=line.format("no ticket here"))[0] == FINE
    assert ctl("check", *PAIR, "--ip", "198.51.100.1")[1][0]["verdicts"][0]["reason"] == "greylist_new"
    code, [document] = ctl("grey", "pass", "ticket", "0123456789abcdefgh")
    assert code == NEGATIVE and "no decision has the ticket" in document["error"]["message"]
    ctl("check", "--from", "<>", "--to", "bob@rcpt.example", "--ip", "192.0.2.7")
    assert ctl("grey", "pass", "from=<> to=<bob@rcpt.example>")[0] == FINE
    assert ctl("check", "--from", "<>", "--to", "bob@rcpt.example", "--ip", "198.51.100.1")[0] == FINE


def test_mail_that_is_expected(node, ctl):
    none = node.reevectl("expect", "--list")
    assert none.returncode == FINE and none.stdout == "no mail is expected\n"
    said = node.reevectl("expect", "Bob+code@rcpt.example", "--for", "10m", "--note", "login code")
    assert said.returncode == FINE and said.stdout.startswith("mail to <bob@rcpt.example>: not greylisted until 20")
    listed = node.reevectl("expect", "--list").stdout.splitlines()
    assert listed[0].split() == ["RECIPIENT", "UNTIL", "SINCE", "NOTE"]
    assert listed[1].startswith("bob@rcpt.example") and listed[1].endswith("login code")
    shown = node.reevectl("explain", *PAIR, "--ip", "192.0.2.7").stdout
    assert "(greylist_exempt)" in shown and "mail is expected for this recipient for another" in shown
    assert ctl("check", *PAIR, "--ip", "192.0.2.7")[0] == FINE
    gone = node.reevectl("expect", "bob@rcpt.example", "--cancel")
    assert gone.returncode == FINE and gone.stdout == "mail to <bob@rcpt.example>: greylisted again\n"
    again = node.reevectl("expect", "bob@rcpt.example", "--cancel")
    assert again.returncode == NEGATIVE and "none was expected" in again.stdout
    _, [answer] = ctl("check", *PAIR, "--ip", "192.0.2.7")
    assert answer["verdicts"][0]["reason"] == "greylist_new"
    ticket = answer["verdicts"][0]["text"]
    wait_for(lambda: ctl("why", ticket)[0] == FINE, "the tracking row")
    code, [rows] = ctl("expect", ticket, "--for", "1h")
    assert code == FINE and rows[0]["recipient"] == "bob@rcpt.example"
    assert ctl("expect", "reject: RCPT from unknown: from=<eve@else.example> to=<carol@rcpt.example>", "--for", "1d")[0] == FINE
    for n in range(3):
        assert ctl("expect", f"user{n}@rcpt.example", "--for", "1s")[0] == FINE
    assert [row["recipient"] for row in ctl("expect", "--list")[1][0]][:2] == ["bob@rcpt.example", "carol@rcpt.example"]


def test_a_client_that_is_spared(site):
    """The pairs are put into Redis as the store would have written them, because two days are long, and told as it tells them."""
    redis = site.redis()
    node = site.node(policy=POLICY, store={"mode": "single", "address": redis.address})
    day = int(redis.command("TIME").split()[0]) // 86400
    for n in range(5):
        redis.command("HSET", "w:192.0.2.7", f"pair000{n}", str(day - n % 2))
    assert node.reevectl("spared", "show", "--ip", "192.0.2.8").returncode == NEGATIVE
    assert "client 192.0.2.7: not spared: 5 different pairs" in node.reevectl("spared", "show", "--ip", "192.0.2.7").stdout
    redis.command("HSET", "spared:{p}", "192.0.2.7", f"{day - 1} {day}")
    redis.command("XADD", "events:{p}", "*", "kind", "spared", "client", "192.0.2.7", "rests", str(day - 1), "day", str(day))
    wait_for(lambda: "client 192.0.2.7: spared, until 20" in node.reevectl("spared", "show", "--ip", "192.0.2.7").stdout,
             "the node to hear of it")
    rows = json.loads(node.reevectl("--json", "spared", "show", "--ip", "192.0.2.7").stdout)
    assert len(rows) == 5 and {row["spared"] for row in rows} == {"true"}
    assert {row["spared_until"] for row in rows} == {min(row["until"] for row in rows)}
    assert "(greylist_spared)" in node.reevectl("explain", *PAIR, "--ip", "192.0.2.7").stdout
    assert "would be forgotten" in node.reevectl("spared", "forget", "--dry-run", "--ip", "192.0.2.7").stdout
    assert "it is spared no more" in node.reevectl("spared", "forget", "--ip", "192.0.2.7").stdout
    assert redis.command("EXISTS", "w:192.0.2.7", "spared:{p}").strip() == "0"
    again = node.reevectl("spared", "forget", "--ip", "192.0.2.7")
    assert again.returncode == NEGATIVE and "nothing is stored" in again.stdout
    assert "(greylist_new)" in node.reevectl("explain", *PAIR, "--ip", "192.0.2.7").stdout


def test_a_client_that_is_banned(site):
    """The bans are put into Redis as a node would have made them, and told as it tells them."""
    redis = site.redis()
    node = site.node(policy=POLICY, store={"mode": "single", "address": redis.address})
    now = int(redis.command("TIME").split()[0]) * 1000
    assert "nobody is banned" in node.reevectl("blocked", "list").stdout
    assert "not banned" in node.reevectl("blocked", "show", "--ip", "192.0.2.7").stdout
    for client in ["192.0.2.7", "192.0.2.8", "2001:db8:1:2::/64"]:
        redis.command("HSET", "bans:{p}", client, f"{now + 600000} {now - 1000} 25 3")
        redis.command("XADD", "events:{p}", "*", "kind", "ban", "client", client, "until", str(now + 600000),
                      "since", str(now - 1000), "unknown", "25", "existing", "3")
    wait_for(lambda: len(json.loads(node.reevectl("--json", "blocked", "list").stdout)) == 3, "the node to hear of them")
    assert "CLIENT" in node.reevectl("blocked", "list", "--limit", "1").stdout
    assert [row["client"] for row in json.loads(node.reevectl("--json", "blocked", "list", "--ip", "192.0.2.0/24").stdout)] == \
        ["192.0.2.7", "192.0.2.8"]
    shown = node.reevectl("blocked", "show", "--ip", "2001:db8:1:2::7")
    assert shown.returncode == FINE and "client 2001:db8:1:2::/64: banned until 20" in shown.stdout
    assert "for 25 recipients that do not exist beside 3 that do" in shown.stdout
    why = node.reevectl("explain", *PAIR, "--ip", "192.0.2.7").stdout
    assert "(dha)" in why and "named 25 recipients that do not exist and 3 that do" in why
    assert "its ban would be lifted" in node.reevectl("blocked", "lift", "--dry-run", "--ip", "192.0.2.7").stdout
    assert "its ban is lifted, on every node" in node.reevectl("blocked", "lift", "--ip", "192.0.2.7").stdout
    again = node.reevectl("blocked", "lift", "--ip", "192.0.2.7")
    assert again.returncode == NEGATIVE and "it was not banned" in again.stdout
    assert redis.command("HEXISTS", "bans:{p}", "192.0.2.7").strip() == "0"
    assert "(greylist_new)" in node.reevectl("explain", *PAIR, "--ip", "192.0.2.7").stdout
