"""reevectl import: what passed at a real postgrey, sqlgrey and rspamd, and what a Postfix log says was delivered, is known to a
real node on a real Redis; a stranger is not."""
import datetime
import gzip
import json
import os
import pty
import re
import resource
import select
import signal
import subprocess
import threading

import pytest
import yaml

from tests.support.greylists import Postgrey, Rspamd, Sqlgrey, folder_of
from tests.support.harness import PolicyClient, Redis, free_port, program, sample_policy, wait_for

FINE, NEGATIVE, USAGE, NO_NODE, REFUSED, NO_STORE = range(6)
POLICY = sample_policy(greylist={"mode": "enforce"}, domains={"rcpt.example": {}})

# What a postgrey sees of a sender, and another mail of the same one that must be known then.
SENDERS = [
    ("ann@sender.example", "ann@sender.example"),
    ("Ann.Smith@Sender.EXAMPLE", "ann.smith@sender.example"),
    ("list-17-ann=rcpt.example@lists.example", "list-18-ann=rcpt.example@lists.example"),
    ("news+bob@sender.example", "news+carol@sender.example"),
    ("prvs=1234abcdef=joe@sender.example", "prvs=9876fedcba=joe@sender.example"),
    ("bounce4711@sender.example", "bounce4711@sender.example"),
    ("", ""),
    ("a/b@sender.example", "a/b@sender.example"),
]


def now_s():
    return datetime.datetime.now(datetime.timezone.utc).timestamp()


def run_import(node, *words, env=None, stdin=None):
    """The exit code and the JSON document."""
    done = subprocess.run([program("reevectl"), "--node", node.lookups, "--admin", node.admin, "--json", "import", *map(str, words)],
                          input=stdin, capture_output=True, timeout=60, env={**os.environ, **(env or {})})
    return done.returncode, json.loads(done.stdout.splitlines()[-1]) if done.stdout else {}, done.stderr.decode()


def run_in_small_folder(node, tmp_path, count):
    """A log of so many long triplets, where a temporary file may have 64 KiB."""
    log = tmp_path / "mail.log"
    stamp = datetime.datetime.now().astimezone().isoformat(timespec="seconds")
    with open(log, "w", encoding="ascii") as out:
        for n in range(count):
            head = f"{stamp} mx postfix/"
            out.write(f"{head}smtpd[1]: {n:010X}: client=mx.example[192.0.2.1]\n"
                      f"{head}qmgr[1]: {n:010X}: from=<{n}{'a' * 200}@sender.example>, size=1\n"
                      f"{head}lmtp[1]: {n:010X}: to=<{n}{'b' * 200}@rcpt.example>, relay=x, status=sent (250 Ok)\n"
                      f"{head}qmgr[1]: {n:010X}: removed\n")
    return subprocess.run([program("reevectl"), "--admin", node.admin, "import", "postfix", "--dry-run", str(log)], text=True,
                          capture_output=True, timeout=60, restore_signals=False,  # SIGXFSZ stays ignored
                          preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 16, 1 << 16)))


def known(policyd, client, sender, recipient="bob@rcpt.example", name="unknown"):
    """Whether a mail is let through at once."""
    with PolicyClient(("127.0.0.1", policyd.port)) as ask:
        return "DEFER" not in ask.ask(client_address=client, client_name=name, sender=sender, recipient=recipient,
                                      instance=os.urandom(4).hex())


def is_deferred(action):
    return action.lower().startswith("defer")


def pass_through(greylist, mails):
    """Tries each mail (client, name, sender, recipient) until the greylist takes it; all were deferred at first."""
    with PolicyClient(("127.0.0.1", greylist.port)) as client:
        def ask(mail):
            return client.ask(client_address=mail[0], client_name=mail[1], sender=mail[2], recipient=mail[3])
        for mail in mails:
            assert is_deferred(ask(mail)), mail
        for mail in mails:
            wait_for(lambda mail=mail: not is_deferred(ask(mail)), f"the greylist to take {mail}")


def end(greylist):
    """Net::Server forgets a signal that comes at a wrong moment."""
    def has_ended():
        if greylist.is_running():
            greylist.signal(signal.SIGTERM)
        return not greylist.is_running()
    wait_for(has_ended, "the greylist to end", every=0.3)


@pytest.fixture
def redis(site):
    return site.redis()


@pytest.fixture
def node(site, redis):
    return site.node(policy=POLICY, store={"mode": "single", "address": redis.address})


@pytest.fixture
def policyd(site, node):
    return site.policyd(node)


# ---- postgrey

def test_what_passed_at_postgrey_is_known(site, node, policyd):
    greylist = site._add(Postgrey(folder_of(site, "postgrey"), 1, "--auto-whitelist-clients=3"), True)
    mails = [("192.0.2.1", "unknown", sender, "bob@rcpt.example") for sender, _ in SENDERS]
    mails += [("2001:db8:1:2::3", "unknown", "ann@sender.example", "Bob/x@rcpt.example"),
              ("198.51.100.7", "unknown", "ann@sender.example", "bob@rcpt.example")]  # trusted here
    pass_through(greylist, mails)
    with PolicyClient(("127.0.0.1", greylist.port)) as client:
        assert is_deferred(client.ask(client_address="192.0.3.1", sender="eve@sender.example"))
    before = {path.name: path.read_bytes() for path in greylist.dbdir.iterdir() if path.name.startswith("log.")}

    # It still runs: nothing of its own is changed, and what only its log holds is found.
    code, plan, _ = run_import(node, "postgrey", greylist.dbdir, "--delay", "1", "--dry-run")
    assert code == FINE and plan["taken"]["count"] == len(mails) - 1 and plan["dry_run"]
    assert not known(policyd, "192.0.2.1", "x@sender.example")
    code, done, _ = run_import(node, "postgrey", greylist.dbdir, "--delay", "1")
    assert code == FINE and done["taken"]["count"] == plan["taken"]["count"] == done["sent"] - 1
    assert done["left"]["pending"] == {"count": 1, "example": "192.0.3.0/eve@sender.example/bob@rcpt.example"}
    assert done["not_greylisted"]["count"] == 1 and "trusted_sources" in done["not_greylisted"]["example"]
    assert before == {path.name: path.read_bytes() for path in greylist.dbdir.iterdir() if path.name in before}
    assert greylist.is_running()

    for _, again in SENDERS:
        assert known(policyd, "192.0.2.99", again), again
    assert known(policyd, "2001:db8:1:2::99", "ann@sender.example", "bob/x@rcpt.example")
    assert not known(policyd, "192.0.3.1", "eve@sender.example")
    assert not known(policyd, "203.0.113.1", "ann@sender.example")
    assert not known(policyd, "192.0.2.1", "ann@sender.example", "carol@rcpt.example")

    code, done, _ = run_import(node, "postgrey", greylist.dbdir, "--delay", "1")  # twice is once
    assert code == FINE and done["taken"]["count"] == 0 and done["known"]["count"] == plan["taken"]["count"]


def test_clients_that_postgrey_knows_become_policies(site, node, policyd, tmp_path):
    greylist = site._add(Postgrey(folder_of(site, "postgrey"), 1, "--auto-whitelist-clients=1"), True)
    pass_through(greylist, [("192.0.2.1", "unknown", "ann@sender.example", "bob@rcpt.example")])
    end(greylist)
    policy = tmp_path / "postgrey.yaml"

    code, done, _ = run_import(node, "postgrey", greylist.dbdir, "--delay", "1", "--clients", "1")
    assert code == FINE and done["left"]["no_recipient"]["count"] == 1 and not policy.exists()
    code, done, _ = run_import(node, "postgrey", greylist.dbdir, "--clients", "1", "--policy", policy, "--dry-run")
    assert code == FINE and done["policies"] == 1 and not policy.exists()
    code, done, _ = run_import(node, "postgrey", greylist.dbdir, "--clients", "2", "--policy", policy)
    assert code == FINE and done["left"]["few"]["count"] == 1 and done["policies"] == 0
    policy.unlink()
    code, done, _ = run_import(node, "postgrey", greylist.dbdir, "--clients", "1", "--policy", policy)
    assert code == FINE and done["policies"] == 1
    [row] = yaml.safe_load(policy.read_text())["policies"]
    assert row["from"] == "*" and row["source"] == ["192.0.2.1/32"] and row["option"] == "no_action"
    days = (row["valid"]["until"] - datetime.datetime.now(datetime.timezone.utc)).total_seconds() / 86400
    assert 35.9 < days <= 36

    code, _, said = run_import(node, "postgrey", greylist.dbdir, "--policy", policy)
    assert code == USAGE and "not overwritten" in said
    add_policy(node, policy)
    assert known(policyd, "192.0.2.1", "stranger@sender.example")
    assert not known(policyd, "192.0.2.2", "stranger@sender.example")


def add_policy(node, path):
    """As the operator does: names the file in reeve.yaml, checks it, restarts."""
    config = yaml.safe_load(node.config_path.read_text())
    config["policy"].append(str(path))
    node.config_path.write_text(yaml.safe_dump(config))
    check = subprocess.run([program("reeved"), "-c", node.config_path, "-T"], capture_output=True, text=True, timeout=20)
    assert check.returncode == 0, check.stderr
    node.signal(signal.SIGTERM)
    node.wait(40)
    node.start()


@pytest.mark.parametrize("spoil, said", [
    (lambda db: db.unlink(), "Name postgrey's folder"),
    (lambda db: db.write_bytes(b"x" * 100000), "no sound Berkeley DB file"),
    (lambda db: db.write_bytes(db.read_bytes()[:4096] + b"\xff" * 4096), "no sound Berkeley DB file"),
])
def test_a_spoilt_postgrey_is_refused(site, node, spoil, said):
    greylist = site._add(Postgrey(folder_of(site, "postgrey")), True)
    pass_through(greylist, [("192.0.2.1", "unknown", "ann@sender.example", "bob@rcpt.example")])
    end(greylist)
    for log in greylist.dbdir.glob("log.*"):
        log.unlink()
    spoil(greylist.dbdir / "postgrey.db")
    code, done, stderr = run_import(node, "postgrey", greylist.dbdir)
    assert code == USAGE and said in stderr, stderr
    assert "taken" not in done


# ---- sqlgrey

def test_what_passed_at_sqlgrey_becomes_policies(site, node, policyd, tmp_path):
    greylist = site._add(Sqlgrey(folder_of(site, "sqlgrey"), group_domain_level=2, greymethod="classc"), True)
    pass_through(greylist, [("192.0.2.1", "mx.sender.example", "ann@sender.example", "bob@rcpt.example"),
                            ("192.0.2.1", "mx.sender.example", "", "bob@rcpt.example"),
                            ("192.0.2.1", "mx.sender.example", "list-1234-x@lists.example", "bob@rcpt.example"),
                            ("203.0.115.1", "mx.other.example", "joe@other.example", "bob@rcpt.example"),
                            ("203.0.115.1", "mx.other.example", "jim@other.example", "bob@rcpt.example")])
    with PolicyClient(("127.0.0.1", greylist.port)) as client:
        assert is_deferred(client.ask(client_address="192.0.2.1", sender="eve@sender.example"))
    policy = tmp_path / "sqlgrey.yaml"
    code, done, _ = run_import(node, "sqlgrey", greylist.database)
    assert code == FINE and done["left"]["no_recipient"]["count"] == 3 and done["policies"] == 0
    code, done, _ = run_import(node, "sqlgrey", greylist.database, "--policy", policy)
    assert code == FINE and done["policies"] == 3 and done["left"]["pending"]["count"] == 1
    assert done["left"]["folded"] == {"count": 1, "example": "192.0.2 list-#-x@lists.example"}
    assert greylist.is_running()
    rows = {(row["from"], row["source"][0]) for row in yaml.safe_load(policy.read_text())["policies"]}
    assert rows == {("ann@sender.example", "192.0.2.0/24"), ("<>", "192.0.2.0/24"), ("@other.example", "203.0.115.0/24")}

    add_policy(node, policy)
    assert known(policyd, "192.0.2.9", "ann@sender.example", "anybody@rcpt.example")
    assert known(policyd, "192.0.2.9", "")
    assert known(policyd, "203.0.115.9", "new@other.example")
    assert not known(policyd, "192.0.2.9", "eve@sender.example")
    assert not known(policyd, "203.0.113.9", "ann@sender.example")
    assert not known(policyd, "203.0.115.9", "new@deep.other.example")


def test_a_dump_of_sqlgrey(node, tmp_path):
    then = datetime.datetime.now() - datetime.timedelta(days=3)
    dump = tmp_path / "from_awl.csv"
    dump.write_text("sender_name,sender_domain,src,first_seen,last_seen\n"
                    f'ann,sender.example,192.0.2,2020-01-01 00:00:00,{then:%Y-%m-%d %H:%M:%S}\n'
                    f'"o""neil, x",sender.example,192.0.2,2020-01-01 00:00:00,{then:%Y-%m-%d %H:%M:%S}\n'
                    'old,sender.example,192.0.2,2020-01-01 00:00:00,2020-01-02 00:00:00\n'
                    'bad,sender.example,somewhere,2020-01-01 00:00:00,yesterday\n')
    policy = tmp_path / "policy.yaml"
    code, done, _ = run_import(node, "sqlgrey", dump, "--policy", policy)
    assert code == FINE and done["policies"] == 1, done
    assert {key: done["left"][key]["count"] for key in ("folded", "expired", "unreadable")} == {
        "folded": 1, "expired": 1, "unreadable": 1}
    code, _, said = run_import(node, "sqlgrey", "/etc/passwd")
    assert code == USAGE and "line of titles" in said


# ---- rspamd

def test_what_rspamd_knows_by_its_own_log(site, node, policyd):
    port_redis = Redis_on_port(site)
    greylist = site._add(Rspamd(folder_of(site, "rspamd"), port_redis.port), True)
    mails = [("192.0.2.1", "ann@sender.example", "bob@rcpt.example"),
             ("192.0.2.1", "Ann@Sender.example", "Joe@rcpt.example", "bob@rcpt.example"),
             ("2001:db8:1:2::3", "ann@sender.example", "bob@rcpt.example"),
             ("192.0.2.1", "<>", "bob@rcpt.example")]
    for mail in mails:
        assert "soft reject" in greylist.scan(*mail)
    assert "soft reject" in greylist.scan("203.0.115.1", "eve@sender.example", "bob@rcpt.example")
    for mail in mails:
        wait_for(lambda mail=mail: "soft reject" not in greylist.scan(*mail), f"rspamd to take {mail}", every=0.2)
    url = f"redis://127.0.0.1:{port_redis.port}/0"
    wait_for(lambda: "(no action)" in greylist.mail_log.read_text(), "rspamd's log")

    code, done, _ = run_import(node, "rspamd", url, "--log", greylist.mail_log, "--timeout", "1")
    assert code == FINE and done["taken"]["count"] == 4 and done["known"]["count"] == 1  # ann is ann
    assert done["keys"] == 5 and done["keys_without_mail"] == 1
    assert known(policyd, "192.0.2.9", "ann@sender.example", "joe@rcpt.example")
    assert known(policyd, "192.0.2.9", "", "bob@rcpt.example")
    assert known(policyd, "2001:db8:1:2::9", "ann@sender.example")
    assert not known(policyd, "203.0.115.1", "eve@sender.example")

    code, _, said = run_import(node, "rspamd", url)
    assert code == USAGE and "--log is missing" in said
    code, _, said = run_import(node, "rspamd", "redis://127.0.0.1:1", "--log", greylist.mail_log)
    assert code == USAGE and "no Redis at" in said
    code, _, said = run_import(node, "rspamd", "127.0.0.1:6379", "--log", greylist.mail_log)
    assert code == USAGE and "expected redis://" in said


class Redis_on_port:
    """rspamd speaks to Redis by TCP."""

    def __init__(self, site):
        self.port = free_port()
        self.server = site._add(Redis(folder_of(site, "rspamd-redis"), "rspamd-redis", "--port", str(self.port)), True)


# ---- Postfix' logs

def syslog(at, line):
    return f"{at.astimezone():%b %e %H:%M:%S} mx postfix/{line}\n"


def delivered(number, at, client="mx.sender.example[192.0.2.1]", sender="ann@sender.example", to="to=<bob@rcpt.example>",
              status="sent (250 2.0.0 Ok)", stamp=syslog):
    mail = f"4f2XkB1z{number:07}"
    return "".join(stamp(at, line) for line in (
        f"smtpd[1]: connect from {client}", f"smtpd[1]: {mail}: client={client}",
        f"cleanup[2]: {mail}: message-id=<x@sender.example>",
        f"qmgr[3]: {mail}: from=<{sender}>, size=1234, nrcpt=1 (queue active)",
        f"lmtp[4]: {mail}: {to}, relay=127.0.0.1[127.0.0.1]:24, delay=1, delays=0.1/0/0/0.9, dsn=2.0.0, status={status}",
        f"qmgr[3]: {mail}: removed"))


def test_what_postfix_delivered_is_known(site, node, policyd, tmp_path):
    now = datetime.datetime.now(datetime.timezone.utc)
    ago = [now - datetime.timedelta(days=days) for days in range(60)]
    rotated, log, hostile = tmp_path / "mail.log.1.gz", tmp_path / "mail.log", tmp_path / "hostile"
    whole = delivered(5, ago[2], sender="split@sender.example").splitlines(keepends=True)
    rotated.write_bytes(gzip.compress((
        delivered(1, ago[50], sender="old@sender.example") + delivered(2, ago[20]) + "".join(whole[:4])).encode()))
    log.write_text(
        "".join(whole[4:]) + delivered(3, ago[1]) + delivered(4, ago[1], sender="")
        + delivered(6, ago[1], sender="bounced@sender.example", status="bounced (550 no)")
        + delivered(7, ago[1], sender="me@rcpt.example", client="pc[192.0.2.1], sasl_method=PLAIN, sasl_username=me")
        + delivered(8, ago[1], client="localhost[127.0.0.1], orig_queue_id=4f2XkB1z0000003, orig_client=mx.sender.example[192.0.2.1]")
        + delivered(9, ago[1], sender="alias@sender.example", to="to=<carol@rcpt.example>, orig_to=<office@rcpt.example>")
        + delivered(10, ago[1], sender="proxied@sender.example",
                    client="localhost[127.0.0.1], orig_client=mx.sender.example[192.0.2.1]"))
    hostile.write_bytes(b"\0" * 1000 + b"\n" + b"x" * 10_000_000 + b"\n"
                        + delivered(11, ago[1], sender='"\x1b[2J>, to=<x"@evil.example').encode()
                        + delivered(12, ago[1], status="deferred (said: x, status=sent (250 Ok))").encode()
                        + delivered(13, ago[1], sender="iso@sender.example", stamp=lambda at, line:
                                    f"{at.isoformat()} mx postfix/{line}\n").encode() + b"cut off")
    code, done, said = run_import(node, "postfix", log, rotated, "-", stdin=hostile.read_bytes())
    assert code == FINE, said
    assert done["left"]["outbound"]["count"] == 1 and done["left"]["returned"]["count"] == 1
    assert done["left"]["no_log"]["count"] == 0 and done["too_old"]["count"] == 1
    assert done["taken"]["count"] == 6 and done["bad_address"]["count"] == 1, done
    assert "\x1b" not in json.dumps(done, ensure_ascii=False)

    for sender in ("ann@sender.example", "", "split@sender.example", "proxied@sender.example", "iso@sender.example"):
        assert known(policyd, "192.0.2.99", sender), sender
    assert known(policyd, "203.0.115.9", "ann@sender.example", name="mx2.sender.example")  # by its confirmed name
    assert known(policyd, "192.0.2.99", "alias@sender.example", "office@rcpt.example")
    for sender in ("old@sender.example", "bounced@sender.example", "me@rcpt.example"):
        assert not known(policyd, "192.0.2.99", sender), sender
    assert not known(policyd, "192.0.2.99", "alias@sender.example", "carol@rcpt.example")
    shown = json.loads(node.reevectl("--json", "grey", "show", "--from", "split@sender.example", "--to",
                                     "bob@rcpt.example").stdout)
    assert shown[0]["last_seen"] >= ago[2].strftime("%Y-%m-%d")


# ---- reports

def at(days):
    return (datetime.datetime.now().astimezone() - datetime.timedelta(days=days)).isoformat(timespec="seconds")


def verdicts_log(path):
    """What three scanners and Postfix say of mail of 198.18.7.0/24; each line's client tells what becomes of it."""
    def task(client, action, days=1, middle=" from: <ann@spam.example>,"):
        return (f"{at(days)} #1(normal) <1b4c6{client}>; task; rspamd_task_write_log: id: <{client}@x>, qid: <4F0{client}>, "
                f"ip: 198.18.7.{client},{middle} (default: {action}: [1.00/15.00] [R_SPF_ALLOW(-0.20){{+ip4:x;}}]), len: 9, rcpts: <b@rcpt.example>")

    def mail(client, name, between, tail=""):
        head = f"{at(1)} mx postfix/"
        return [f"{head}smtpd[1]: 5F0{client}: client=mx.spam.example[198.18.7.{client}]{tail}",
                f"{head}cleanup[1]: 5F0{client}: message-id=<{name}>",
                f"{head}qmgr[1]: 5F0{client}: from=<eve@spam.example>, size=9, nrcpt=1 (queue active)",
                f"{at(1)} mx {between}", f"{head}qmgr[1]: 5F0{client}: removed"]
    lines = [
        task(10, "F (no action)"), task(11, "T (reject)"), task(12, "F (soft reject)"), task(13, "T (reject)", days=31),
        task(14, "F (no action)", middle=" user: ann, from: <ann@rcpt.example>,"),
        task(11, "T (reject)"),  # one message counts once
        *mail(20, "twenty@x", "spamd[9]: spamd: result: Y 15 - BAYES_99 scantime=1,size=9,mid=<twenty@x>,autolearn=no"),
        *mail(21, "other@x", "spamd[9]: spamd: result: . -1 - X scantime=1,size=9,mid=<nobody@x>,autolearn=no"),
        *mail(22, "own@x", "spamd[9]: spamd: result: . -1 - X scantime=1,mid=<own@x>,autolearn=no",
              tail=", sasl_method=PLAIN, sasl_username=ann"),
        *mail(23, "rule@x", "postfix/cleanup[1]: 5F023: reject: header Subject: from b[198.18.7.99] from mx.spam.example"
              "[198.18.7.23]; from=<eve@spam.example> to=<b@rcpt.example> proto=ESMTP helo=<h>: 5.7.1 no")[:4],
        f"{at(1)} mx amavis[7]: (7-01) Blocked SPAM {{DiscardedInbound}}, [198.18.7.30]:5 <eve@spam.example> -> <b@rcpt.example>, Hits: 9",
        f"{at(1)} mx postfix/smtpd[1]: NOQUEUE: reject: RCPT from mx.spam.example[198.18.7.40]: 550 5.7.1 no; from=<a@b.example> "
        "to=<b@rcpt.example> proto=ESMTP helo=<h>",
    ]
    path.write_text("\n".join(lines) + "\n")
    return path


def test_what_scanners_said_is_reported(redis, node, tmp_path):
    log = verdicts_log(tmp_path / "mail.log")

    def heard():
        return set(redis.command("KEYS", "r:i:c61207*").split())
    code, done, said = run_import(node, "reports", log, "--gateway", "mx-a", "--dry-run")
    assert (code, said) == (FINE, "")
    assert (done["reports"], done["taken"]["count"], done["sent"]) == (6, 6, 0) and not heard()
    code, done, said = run_import(node, "reports", log, "--gateway", "mx-a")
    assert (code, said) == (FINE, "")
    assert (done["reports"], done["taken"]["count"], done["known"]["count"], done["sent"]) == (6, 5, 1, 6)
    assert {name: left["count"] for name, left in done["left"].items() if left["count"]} == {
        "undecided": 1, "too_old": 1, "outbound": 2, "no_log": 1}
    wait_for(lambda: heard() == {f"r:i:c61207{client:02x}" for client in (10, 11, 20, 23, 30)}, "the reports to be in the store")
    code, done, _ = run_import(node, "reports", log, "--gateway", "mx-b")  # another one's word for the same mail is no news
    assert (code, done["taken"]["count"], done["known"]["count"]) == (FINE, 0, 6)


def test_reports_that_no_node_takes_end_the_import(node, tmp_path):
    log = verdicts_log(tmp_path / "mail.log")
    done = subprocess.run([program("reevectl"), "--node", f"tcp://127.0.0.1:{free_port()}", "--deadline", "300ms", "import", "reports", log],
                          capture_output=True, text=True, timeout=60)
    assert done.returncode == NO_NODE and "no node" in done.stderr.lower(), done.stderr
    code, _, said = run_import(node, "reports", "/nowhere")
    assert code == USAGE and "No such file" in said


def test_access_maps_become_policies(tmp_path):
    """The file is one that a node takes, and what no policy does is named with file and line."""
    (tmp_path / "senders").write_text('# ours\nspam.example REJECT go "away"\ngood@spam.example\n  OK\nslow.example 450 later\n',
                                      encoding="ascii")
    (tmp_path / "clients").write_text("192.0.2.0/24 REJECT\nif 10.0.0.0/8\n10.1.0.0/16 OK\nendif\n", encoding="ascii")
    words = [program("reevectl"), "import", "postfix-access", "--sender", "hash:senders", "--client", "cidr:clients",
             "--to", "policy.yaml"]
    dry = subprocess.run([*words, "--dry-run"], cwd=tmp_path, text=True, capture_output=True, timeout=20)
    assert dry.returncode == 0 and not (tmp_path / "policy.yaml").exists()
    done = subprocess.run(words, cwd=tmp_path, text=True, capture_output=True, timeout=20)
    assert done.returncode == 0 and (tmp_path / "policy.yaml").exists(), done.stderr
    for out in (dry.stdout, done.stdout):
        assert "senders:5: slow.example 450 later: a policy does not defer" in out
        assert "clients:3: 10.1.0.0/16 OK: inside of an if" in out
        assert re.search(r"^ +5  policies", out, re.MULTILINE), out
    (tmp_path / "reeve.yaml").write_text("policy: [policy.yaml]\n", encoding="ascii")
    printed = subprocess.run([program("reeved"), "-T", "-c", "reeve.yaml"], cwd=tmp_path, text=True, capture_output=True,
                             timeout=20)
    assert printed.returncode == 0, printed.stderr
    assert 'from: "good@spam.example"' in printed.stdout and 'go \\"away\\"' in printed.stdout
    again = subprocess.run(words, cwd=tmp_path, text=True, capture_output=True, timeout=20)
    assert again.returncode == 2 and "not overwritten" in again.stderr

    (tmp_path / "senders").write_bytes(b"\x00\x06\x15\x61spam.example\x00REJECT\x00")
    database = subprocess.run([*words[:-1], "other.yaml"], cwd=tmp_path, text=True, capture_output=True, timeout=20)
    assert database.returncode == 2 and "senders: it is no text; give the file that postmap reads" in database.stderr
    assert not (tmp_path / "other.yaml").exists()


@pytest.mark.parametrize("words, said", [
    (("postfix",), "name the logs to read from"),
    (("postfix", "/nowhere/mail.log"), "/nowhere/mail.log: No such file"),
    (("postfix", "/tmp"), "is a directory"),
    (("postfix", "--delay", "1", "x"), "unknown option --delay"),
    (("postgrey",), "name one source"),
    (("postgrey", "a", "b"), "name one source"),
    (("postgrey", "/nowhere"), "Name postgrey's folder"),
    (("sqlgrey", "/nowhere"), "No such file"),
    (("sqlgrey", "/dev/null"), "is empty"),
    (("rspamd", "redis://x"), "--log is missing"),
    (("exim", "x"), "there is no command 'import exim'"),
])
def test_misuse_is_explained(words, said):
    done = subprocess.run([program("reevectl"), "--admin", "ipc:///nowhere/admin", "import", *words], capture_output=True,
                          text=True, timeout=30)
    assert done.returncode == USAGE and said in done.stderr, done.stderr


def test_a_torn_archive_is_told(node, tmp_path):
    torn = tmp_path / "mail.log.gz"
    whole = gzip.compress("".join(delivered(i, datetime.datetime.now(), sender=f"u{chr(97 + i % 26)}@sender.example")
                                  for i in range(2000)).encode())
    torn.write_bytes(whole[:len(whole) // 2])
    code, done, said = run_import(node, "postfix", torn)
    assert code == FINE and "breaks off" in said and done["taken"]["count"] > 0


def test_without_a_node_or_its_store_nothing_is_claimed(site, redis, node, tmp_path):
    log = tmp_path / "mail.log"
    log.write_text(delivered(1, datetime.datetime.now()))
    redis.kill()
    node.wait_log("store is")
    wait_for(lambda: '"up"' not in node.reevectl("--json", "store", "show").stdout, "the node to notice")
    code, done, said = run_import(node, "postfix", log)
    assert code == NO_STORE and "0 rows of this document were taken" in said and "taken" not in done
    code, done, said = run_import(node, "postfix", log, "--dry-run")
    assert code == NO_STORE and "taken" not in done
    redis.start()
    wait_for(lambda: run_import(node, "postfix", log)[0] == FINE, "the store to come back", every=0.2)
    node.signal(signal.SIGTERM)
    node.wait(40)
    code, _, said = run_import(node, "postfix", "--deadline", "300", log)
    assert code == NO_NODE and ("no node is connected" in said or "no admin socket" in said)


def many(count, at):
    """A log of so many deliveries of different senders."""
    letters = "abcdefghijklmnopqrstuvwxyz"
    return "".join(delivered(i, at, sender="".join(letters[i // 26 ** k % 26] for k in range(4)) + "@sender.example")
                   for i in range(count))


def test_lookups_go_on_while_it_runs(node, policyd, tmp_path):
    log = tmp_path / "mail.log"
    log.write_text(many(20000, datetime.datetime.now()))
    result = []
    importing = threading.Thread(target=lambda: result.append(run_import(node, "postfix", log)))
    importing.start()
    asked = 0
    while importing.is_alive():
        assert not known(policyd, "203.0.115.9", f"x{asked}@stranger.example")
        asked += 1
    code, done, said = result[0]
    assert code == FINE and done["taken"]["count"] == 20000, said
    assert asked > 10
    assert not policyd.decisions(reason="fallback") and not policyd.log_lines("degraded=")


def test_a_store_that_stands_still_for_a_while_is_waited_for(redis, node, tmp_path):
    log = tmp_path / "mail.log"
    log.write_text(many(20000, datetime.datetime.now()))
    child = subprocess.Popen([program("reevectl"), "--admin", node.admin, "--json", "import", "postfix", log],
                             stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    wait_for(lambda: int(redis.command("EVAL", "return #redis.call('KEYS', 'p:*')", "0")) > 2000, "the first batches", every=0.005)
    redis.signal(signal.SIGSTOP)
    node.reevectl("explain", "--ip", "192.0.2.1", "--to", "bob@rcpt.example")  # asks its store
    node.wait_log("store is slow")
    redis.signal(signal.SIGCONT)
    out, said = child.communicate(timeout=60)
    done = json.loads(out)
    assert child.returncode == FINE, said
    assert done["sent"] == 20000 and done["taken"]["count"] + done["known"]["count"] == 20000
    assert int(redis.command("EVAL", """local fields = 0
        for _, key in ipairs(redis.call('KEYS', 'p:*')) do fields = fields + redis.call('HLEN', key) end
        return fields""", "0")) == 40000  # its network and its name, each


# Enough that an interruption comes before the last is sent.
ROWS = 60000


def test_a_bar_is_shown_and_ctrl_c_says_how_far_it_came(node, tmp_path):
    log = tmp_path / "mail.log"
    log.write_text(many(ROWS, datetime.datetime.now()))
    master, slave = pty.openpty()
    child = subprocess.Popen([program("reevectl"), "--admin", node.admin, "import", "postfix", log], stdout=slave, stderr=slave)
    os.close(slave)
    seen = b""
    while b"sending" not in seen:
        assert select.select([master], [], [], 20)[0], seen
        seen += os.read(master, 65536)
    child.send_signal(signal.SIGINT)
    while select.select([master], [], [], 20)[0]:
        try:
            seen += os.read(master, 65536)
        except OSError:
            break
    os.close(master)
    assert child.wait(20) == NEGATIVE
    text = seen.decode()
    assert re.search(r"\[#*-*\] +[0-9]+ %", text), text
    [(done, rows)] = re.findall(r"ended after (\d+) of (\d+) rows; the same command again goes on", text)
    assert 0 <= int(done) < int(rows) == ROWS
    code, report, _ = run_import(node, "postfix", log)
    assert code == FINE and report["known"]["count"] >= int(done) and report["taken"]["count"] + report["known"]["count"] == ROWS


def test_a_temporary_file_without_room_ends_it(node, tmp_path):
    """Nothing is left out silently."""
    done = run_in_small_folder(node, tmp_path, 10)
    assert done.returncode == FINE and "10  would be taken" in done.stdout
    done = run_in_small_folder(node, tmp_path, 60000)
    assert done.returncode == USAGE
    assert "the temporary file has no room" in done.stderr and "$TMPDIR" in done.stderr
    assert done.stdout == ""
