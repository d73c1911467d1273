"""reeve-policyd, the real program: what it makes of a node's answers, and what peers can do to it that others must not notice.

The node is mostly a FakeNode, which says on request what a real one seldom says; the way through a real node and a real Postfix
is test_postfix.py's."""
import os
import resource
import signal
import socket
import stat
import subprocess
import time

import pytest

from tests.support.harness import PolicyClient, accepts, free_port, program, wait_for

ACCEPT, DEFER, REJECT, HOLD, SECURE = 1, 2, 3, 4, 5
DEAD_NODE = "tcp://127.0.0.1:1"


def accept(_check):
    return {}


def tcp(policyd):
    return PolicyClient(("127.0.0.1", policyd.port))


def unix(policyd):
    return PolicyClient(policyd.socket)


def rss_kib(pid):
    with open(f"/proc/{pid}/status") as status:
        return next(int(line.split()[1]) for line in status if line.startswith("VmRSS:"))


@pytest.fixture
def many_files():
    """This process opens thousands of connections itself."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    assert hard == resource.RLIM_INFINITY or hard >= 12000, f"the hard limit of open files is {hard}, 12000 are needed"
    resource.setrlimit(resource.RLIMIT_NOFILE, (12000, hard))
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


# ---- what becomes of an answer

VERDICTS = {
    "accept": ({}, "DUNNO"),
    "defer": ({"action": DEFER, "code": 451, "enhanced": "4.7.1", "text": "Greylisted (ticket ABC)"},
              "DEFER_IF_PERMIT 4.7.1 Greylisted (ticket ABC)"),
    "reject": ({"action": REJECT, "code": 550, "enhanced": "5.1.1", "text": "No such user"}, "550 5.1.1 No such user"),
    "reject without a code": ({"action": REJECT, "enhanced": "5.1.1", "text": "No such user"}, "REJECT 5.1.1 No such user"),
    "another code": ({"action": REJECT, "code": 553, "enhanced": "5.7.1", "text": "Not yours"}, "553 5.7.1 Not yours"),
    "hold": ({"action": HOLD, "code": 250, "enhanced": "2.0.0", "text": "Held (ticket ABC)"}, "HOLD Held (ticket ABC)"),
    "secure": ({"action": SECURE, "text": "Needs TLS"}, "HOLD Needs TLS"),
    "newlines": ({"action": REJECT, "enhanced": "5.7.1", "text": "no\naction=OK\n\naction=OK"}, "no"),
    "an action of the future": ({"action": 9}, "DUNNO"),
    "no action": ({"action": 0}, "DUNNO"),
}


@pytest.mark.parametrize("name", VERDICTS)
def test_a_verdict_becomes_an_action(site, name):
    verdict, expected = VERDICTS[name]
    policyd = site.policyd(site.fake_node(lambda check: verdict))
    with tcp(policyd) as client:
        action = client.ask()
        if name == "newlines":
            assert action.startswith("REJECT 5.7.1 no") and "\n" not in action
        else:
            assert action == expected
        client.socket.settimeout(0.2)
        with pytest.raises(TimeoutError):  # one answer, not two
            client.answer()


def test_what_postfix_said_reaches_the_node(site):
    fake = site.fake_node(accept)
    policyd = site.policyd(fake, name="mx1")
    with unix(policyd) as client:
        fake.checks.clear()
        client.ask(client_name="mx.sender.example", sasl_username="ann", encryption_protocol="TLSv1.3", size="1234",
                   instance="7.7", protocol_state="END-OF-MESSAGE", recipient_count="1")
        client.ask(client_address="2001:db8::7", sender="")
    full, bare = fake.checks
    assert (full.client_ip, full.client_name, full.helo) == ("192.0.2.7", "mx.sender.example", "mx.sender.example")
    assert (full.auth_user, full.tls, full.smtputf8, full.size_bytes) == ("ann", True, True, 1234)
    assert (full.transaction, full.stage, full.recipient_count) == ("7.7", 4, 1)
    assert (full.sender, list(full.recipients)) == ("ann@sender.example", ["bob@rcpt.example"])
    assert (bare.client_ip, bare.client_name, bare.sender, bare.auth_user, bare.tls) == ("2001:db8::7", "", "", "", False)


def test_states_in_which_nothing_is_decided_are_not_asked(site):
    fake = site.fake_node(lambda check: {"action": REJECT, "enhanced": "5.7.1", "text": "no"})
    policyd = site.policyd(fake)
    with tcp(policyd) as client:
        fake.checks.clear()
        for state in ("HELO", "EHLO", "VRFY", "ETRN", "XYZZY", ""):
            assert client.ask(protocol_state=state) == "DUNNO", state
        assert client.ask(protocol_state="DATA", recipient="", recipient_count="2") == "DUNNO"
        assert client.ask(protocol_state="END-OF-MESSAGE", recipient="", recipient_count="2") == "DUNNO"
        assert not fake.checks
        assert client.ask(protocol_state="DATA", recipient_count="1").startswith("REJECT")


def test_a_client_that_had_to_wait_gets_one_header_a_message(site):
    policyd = site.policyd(site.fake_node(lambda check: {"waited_s": 75, "reason": "greylist_pass"}), prepend=True)
    with tcp(policyd) as client:
        first = client.ask(instance="1.1")
        assert first.startswith("PREPEND X-Greylist: delayed 75 seconds by reeve at fake; ") and first.endswith(" +0000")
        assert client.ask(instance="1.1", recipient="carol@rcpt.example") == "DUNNO"
        assert client.ask(instance="1.2").startswith("PREPEND X-Greylist: ")
        assert client.ask(instance="1.3", protocol_state="END-OF-MESSAGE", recipient_count="1") == "DUNNO"


@pytest.mark.parametrize("mode, reasons", [("all", ["accept", "accept", "greylist_new"]),
                                           ("non_accept", ["accept", "greylist_new"]), ("none", [])])
def test_which_decisions_are_logged(site, mode, reasons):
    def answer(check):
        sender = check.sender.split("@")[0]
        if sender == "late":
            return {"action": DEFER, "reason": "greylist_new", "ticket": "TICKET", "retry_after_s": 60, "text": "later"}
        return {"shadow": "greylist_new"} if sender == "shadow" else {}
    policyd = site.policyd(site.fake_node(answer), log_decisions=mode)
    with tcp(policyd) as client:
        for sender in ("early", "shadow", "late"):
            client.ask(sender=f"{sender}@sender.example")
    logged = policyd.decisions(to="bob@rcpt.example")
    assert [row["reason"] for row in logged] == reasons
    if logged:
        assert logged[-2].get("shadow") == "greylist_new"
        assert logged[-1] == {"client": "192.0.2.7", "from": "late@sender.example", "to": "bob@rcpt.example",
                              "action": "defer", "reason": "greylist_new", "ticket": "TICKET", "wait_s": "60"}


def test_a_log_line_stays_one_line(site):
    policyd = site.policyd(site.fake_node(accept), log_decisions="all")
    with tcp(policyd) as client:
        client.ask(sasl_username=b'x" to="y\xff', recipient="carol@rcpt.example")
        client.ask(sender=b'a"b action=reject \xff\xc2\x85@x', client_address='"x" y=z')
    line, = policyd.log_lines("to=\"carol@rcpt.example\"")
    assert line.endswith(' wait_s=0 login="x\\" to=\\"y\ufffdFF"')
    line, = policyd.log_lines("to=\"bob@rcpt.example\"")
    assert r'client="\"x\" y=z" from="a\"b action=reject ' in line
    assert "action=accept reason=accept" in line


# ---- bytes

def test_requests_come_in_any_pieces(site):
    policyd = site.policyd(site.fake_node(lambda check: {"action": REJECT, "enhanced": "5.7.1", "text": check.recipients[0]}))
    with tcp(policyd) as client:
        client.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for byte in client.request(recipient="bytewise@rcpt.example"):
            client.send(bytes([byte]))
        assert client.answer() == "REJECT 5.7.1 bytewise@rcpt.example"


@pytest.mark.parametrize("connect", [tcp, unix])
def test_pipelined_requests_are_answered_in_order(site, connect):
    policyd = site.policyd(site.fake_node(lambda check: {"action": REJECT, "enhanced": "5.7.1", "text": check.recipients[0]}))
    with connect(policyd) as client:
        names = [f"user{number}@rcpt.example" for number in range(300)]
        client.send(b"".join(client.request(recipient=name) for name in names) + client.request(protocol_state="HELO"))
        assert [client.answer() for _ in names] == [f"REJECT 5.7.1 {name}" for name in names]
        assert client.answer() == "DUNNO"


def test_bytes_that_a_mail_client_chose_are_judged(site):
    fake = site.fake_node(accept)
    policyd = site.policyd(fake)
    with tcp(policyd) as client:
        fake.checks.clear()
        for field in ("sender", "recipient", "helo_name", "client_name"):
            for value in (b"\xff", b"x" * 320, b"x" * 321, b"x" * 4000, b"\xc3\xa4@\xc3\xb6.example"):
                assert client.ask(**{field: value}) == "DUNNO", (field, value)
        assert len(fake.checks) == 20
    assert not policyd.log_lines("refused|fallback")


BAD_PEERS = {
    "an attribute line that never ends": (b"sender=" + b"x" * 300000, "line 1 is longer than 4096 bytes"),
    "a binary blob": (bytes(range(256)) * 1000, "control character 0x00"),
    "a blob of high bytes": (b"\xff" * 300000, "longer than 4096 bytes"),
    "100,000 attributes": (b"".join(b"a%d=b\n" % number for number in range(100000)), "more than 128 attributes"),
    "HTTP": (b"GET / HTTP/1.1\r\nHost: x\r\n\r\n", "control character 0x0d"),
    "an empty request": (b"\n", "empty line"),
    "no equals sign": (b"hello\n\n", 'line 1 is not name=value: "hello"'),
    "a size that is none": (b"request=smtpd_access_policy\nsize=big\n\n", "size is not a number"),
}


@pytest.mark.parametrize("name", BAD_PEERS)
def test_a_bad_peer_is_closed_and_nobody_else_notices(site, name):
    data, why = BAD_PEERS[name]
    policyd = site.policyd(site.fake_node(accept))
    with tcp(policyd) as bystander, unix(policyd) as other, tcp(policyd) as bad:
        assert bystander.ask() == "DUNNO"
        other.send(other.request()[:50])  # in the middle of a request of its own
        try:
            bad.send(data)
        except (ConnectionResetError, BrokenPipeError):
            pass  # closed before it had said it all
        assert bad.is_closed()
        other.send(other.request()[50:])
        assert other.answer() == "DUNNO"
        assert bystander.ask() == "DUNNO"
    line, = policyd.log_lines("closed a connection")
    assert why in line and "peer=127.0.0.1:" in line


def test_another_kind_of_request_is_answered_and_named(site):
    policyd = site.policyd(site.fake_node(lambda check: {"action": REJECT, "enhanced": "5.7.1", "text": "no"}))
    with tcp(policyd) as client:
        assert client.ask(request="junk_mail_policy") == "DUNNO"
        assert client.ask().startswith("REJECT")
    line, = policyd.log_lines("not smtpd_access_policy")
    assert '"junk_mail_policy"' in line


# ---- many peers, slow peers

def test_requests_that_never_end_are_closed_and_idle_connections_are_not(site):
    policyd = site.policyd(site.fake_node(accept), stall_timeout="400ms")
    with tcp(policyd) as idle, tcp(policyd) as half, tcp(policyd) as dripping:
        half.send(b"request=smtpd_acc")
        dripping.send(b"request=smtpd_access_policy\n")
        started = time.monotonic()
        while time.monotonic() - started < 5:  # a byte now and then does not buy more time
            try:
                dripping.send(b"x")
            except OSError:
                break
            time.sleep(0.02)
        assert 0.3 < time.monotonic() - started < 5
        assert half.is_closed() and dripping.is_closed()
        assert idle.ask() == "DUNNO"
    assert policyd.log_lines("closed a connection .*not finished in time")


def test_a_peer_that_does_not_read_is_closed_and_costs_one_answer(site):
    policyd = site.policyd(site.fake_node(accept), stall_timeout="500ms")
    before = rss_kib(policyd.pid)
    with unix(policyd) as slow, tcp(policyd) as other:
        slow.socket.setblocking(False)
        request = slow.request(protocol_state="HELO")

        def push():
            """Until it has been closed: its answers fill its socket, then it is not read from any more."""
            try:
                while True:
                    slow.socket.send(request)
            except BlockingIOError:
                assert other.ask() == "DUNNO"
                return False
            except OSError:
                return True
        wait_for(push, "a peer that reads nothing to be closed")
    assert policyd.log_lines("closed a connection .*did not read")
    assert rss_kib(policyd.pid) - before < 2000


def test_5000_idle_connections(site, many_files):
    policyd = site.policyd(site.fake_node(accept))
    with tcp(policyd) as first:
        first.ask()
        before = rss_kib(policyd.pid)
        idle = [tcp(policyd) for _ in range(5000)]
        wait_for(lambda: policyd.open_count() > 5000, "5000 connections to be accepted")
        assert rss_kib(policyd.pid) - before < 5000  # 1 KiB each
        for client in (first, idle[0], idle[2500], idle[4999]):
            assert client.ask() == "DUNNO"
        for client in idle:
            client.close()
        wait_for(lambda: policyd.open_count() < 100, "their descriptors to be given back")
        assert first.ask() == "DUNNO"
    assert not policyd.log_lines(" warn | error ")


def test_more_unfinished_requests_than_seats(site, many_files):
    policyd = site.policyd(site.fake_node(accept))
    halves = [tcp(policyd) for _ in range(1100)]
    for client in halves:
        client.send(b"request=smtpd_access_policy\n")
    with tcp(policyd) as other:
        assert other.ask() == "DUNNO"
    assert halves[0].is_closed()  # the oldest gave way
    wait_for(lambda: policyd.open_count() < 1050, "the oldest requests to give way")
    rest = halves[-1].request().split(b"\n", 1)[1]
    halves[-1].send(rest)
    assert halves[-1].answer() == "DUNNO"  # the youngest did not
    assert policyd.log_lines("closed a connection .*all seats were taken")
    for client in halves:
        client.close()


def test_many_questions_at_once(site, many_files):
    """More connections ask at the same moment than there are seats: all are answered by the node."""
    policyd = site.policyd(site.fake_node(lambda check: {"action": REJECT, "enhanced": "5.7.1", "text": check.recipients[0]}),
                           deadline="20s")
    clients = [tcp(policyd) for _ in range(1500)]
    for number, client in enumerate(clients):
        client.send(client.request(recipient=f"u{number}@rcpt.example"))
    assert [client.answer() for client in clients] == [f"REJECT 5.7.1 u{number}@rcpt.example" for number in range(1500)]
    for client in clients:
        client.close()


def test_at_the_limit_of_descriptors_new_connections_wait(site):
    policyd = site.policyd(site.fake_node(accept), open_files=256)
    clients = [tcp(policyd) for _ in range(250)]  # the backlog takes those that are not accepted
    assert clients[0].ask() == "DUNNO"
    waiting = clients[-1]
    waiting.send(waiting.request())
    waiting.socket.settimeout(0.3)
    with pytest.raises(TimeoutError):
        waiting.answer()
    assert policyd.log_lines("no room for more connections")
    for client in clients[:100]:
        client.close()
    waiting.socket.settimeout(10)
    assert waiting.answer() == "DUNNO"
    for client in clients[100:]:
        client.close()


# ---- the node is away

@pytest.mark.parametrize("fallback, expected", [("dunno", "DUNNO"), ("defer", "DEFER_IF_PERMIT 4.3.0 ")])
def test_the_fallback_answers_while_no_node_does(site, fallback, expected):
    policyd = site.policyd(DEAD_NODE, fallback=fallback, deadline="20ms")
    with tcp(policyd) as client:
        for _ in range(20):
            assert client.ask().startswith(expected)
    assert len(policyd.log_lines("no node answers, the fallback does")) == 1
    assert len(policyd.decisions(reason="fallback")) == (0 if fallback == "dunno" else 20)


def test_a_silent_node_costs_the_deadline_and_no_more(site):
    fake = site.fake_node(lambda check: None if check.sender.startswith("silent") else {})
    policyd = site.policyd(fake, deadline="300ms", log_decisions="all")
    with tcp(policyd) as client:
        started = time.monotonic()
        assert client.ask(sender="silent@sender.example") == "DUNNO"
        assert 0.25 < time.monotonic() - started < 2
        assert client.ask() == "DUNNO"
    policyd.wait_log("nodes answer again .*fallbacks=1")
    assert [row["reason"] for row in policyd.decisions(to="bob@rcpt.example")] == ["fallback", "accept"]


# ---- beginning and end

def test_sigterm_answers_what_is_under_way(site):
    def slowly(check):
        if check.sender.startswith("slow"):
            time.sleep(0.5)
        return {"action": REJECT, "enhanced": "5.7.1", "text": "after all"} if check.recipients else {}
    policyd = site.policyd(site.fake_node(slowly), deadline="5s")
    with tcp(policyd) as idle, tcp(policyd) as busy, unix(policyd) as queued:
        busy.send(busy.request(sender="slow@sender.example"))
        queued.send(queued.request(instance="9.9") + queued.request(instance="9.10"))
        wait_for(lambda: len(site.fakes[0].checks) > 0 and site.fakes[0].checks[-1].sender, "the question to arrive")
        policyd.signal(signal.SIGTERM)
        assert idle.is_closed()
        assert busy.answer() == "REJECT 5.7.1 after all"
        assert [queued.answer(), queued.answer()] == ["REJECT 5.7.1 after all"] * 2
        assert busy.is_closed() and queued.is_closed()
        assert policyd.wait(5) == 0
    assert not os.path.exists(policyd.socket)
    assert not accepts(("127.0.0.1", policyd.port))


def test_sigterm_does_not_wait_for_ever(site):
    policyd = site.policyd(site.fake_node(accept))
    with tcp(policyd) as half:
        half.send(b"request=")
        assert half.socket.getpeername()
        wait_for(lambda: policyd.open_count() and _is_read(half), "the half request to be read")
        started = time.monotonic()
        policyd.signal(signal.SIGTERM)
        assert policyd.wait(8) == 0
        assert 3 < time.monotonic() - started < 7
    assert policyd.log_lines("stopping with connections that were not done open=1")


def _is_read(client):
    """True when the other side has taken every byte that was sent."""
    import array
    import fcntl
    unsent = array.array("i", [0])
    fcntl.ioctl(client.socket, 0x5411, unsent)  # SIOCOUTQ
    return unsent[0] == 0


def test_a_socket_that_a_killed_process_left_is_replaced(site):
    policyd = site.policyd(site.fake_node(accept), socket_mode="0600")
    policyd.kill()
    assert os.path.exists(policyd.socket)
    policyd.start()
    assert stat.S_IMODE(os.stat(policyd.socket).st_mode) == 0o600
    with unix(policyd) as client:
        assert client.ask() == "DUNNO"


def run(*arguments):
    return subprocess.run([program("reeve-policyd"), *map(str, arguments)], capture_output=True, text=True, timeout=20)


def test_two_cannot_have_the_same_address(site):
    policyd = site.policyd(site.fake_node(accept))
    second = run("-c", policyd.config_path)
    assert second.returncode == 69 and f"127.0.0.1:{policyd.port}" in second.stderr and "another reeve-policyd" in second.stderr
    other = site.folder / "unix.yaml"
    other.write_text(f'listen: ["unix:{policyd.socket}"]\n')
    second = run("-c", other)
    assert second.returncode == 69 and policyd.socket in second.stderr
    with unix(policyd) as client:
        assert client.ask() == "DUNNO"


BAD_FILES = {
    "listen: [localhost:10045]": "localhost:10045",
    "listen: [127.0.0.1]": "write 127.0.0.1:10045",
    "nodes: [127.0.0.1:7170]": "127.0.0.1:7170",
    "nodes: [\"tcp://127.0.0.1:1\", \"127.0.0.1:2\"]": "endpoint '127.0.0.1:2'",
    "nodes: tcp://256.0.0.1:7170": "neither a host name nor an address",
    "fallback: reject": "dunno or defer",
    "greylist: true": "unknown key 'greylist'",
    "a: [": "bad.yaml:",
}


@pytest.mark.parametrize("text", BAD_FILES)
def test_a_wrong_file_is_refused_with_words(tmp_path, text):
    path = tmp_path / "bad.yaml"
    path.write_text("\n" + text + "\n")
    for arguments in (("-t",), ("-T",), ()):
        result = run("-c", path, *arguments)
        assert result.returncode == 78, result
        assert BAD_FILES[text] in result.stderr
        assert f"{path}:{3 if text == 'a: [' else 2}: " in result.stderr
        assert result.stdout == ""


def test_the_sample_is_good_and_what_is_printed_can_be_read(tmp_path):
    sample = "deploy/reeve-policyd.yaml"
    assert run("-t", "-c", sample).returncode == 0
    printed = run("-T", "-c", sample)
    assert printed.returncode == 0
    (tmp_path / "again.yaml").write_text(printed.stdout)
    assert run("-T", "-c", tmp_path / "again.yaml").stdout == printed.stdout == run("-T").stdout


def test_usage():
    assert run("-x").returncode == 64
    assert "what is 'now'" in run("now").stderr
    assert run("-h").returncode == 0 and run("-h").stdout.startswith("usage: reeve-policyd")
    assert run("-V").stdout.startswith("reeve-policyd ")
    missing = run("-t", "-c", "/nonexistent.yaml")
    assert missing.returncode == 78 and "/nonexistent.yaml" in missing.stderr


def test_an_unused_port_is_found_and_named(site):
    """Port 0 is for tests and for several on one machine: the log says which it became."""
    policyd = site.policyd(DEAD_NODE, start=False)
    policyd.config_path.write_text(f'nodes: "{DEAD_NODE}"\nlisten: ["127.0.0.1:0", "127.0.0.1:{free_port()}"]\n')
    policyd.start()
    port = int(policyd.log_lines("listening address=127.0.0.1:")[0].rsplit(":", 1)[1])
    with PolicyClient(("127.0.0.1", port)) as client:
        assert client.ask() == "DUNNO"
