"""Recipients that a directory server knows: a real slapd, with TLS and a login, that is there, goes and comes back; and servers that
prove to be others, or say nothing."""
import socket
import threading

import pytest

from tests.support.asking import Gateway, stranger, verdict
from tests.support.harness import wait_for
from tests.support.slapd import BASE, PASSWORD, READER, Slapd, people

ANN, BOB, CID = "ann@corp.example", "bob@corp.example", "cid@corp.example"
ALIAS = "a.smith@corp.example"


def policy(servers, **ldap):
    return {"domains": {"corp.example": {"recipients": "ldap"}, "other.example": {}},
            "settings": {"ldap": {"servers": servers, "base": BASE, "bind_dn": READER, "reply_timeout": "5s", "timeout": "10s",
                                  "filter": "(|(mail=%s)(uid=%s))", **ldap}}}


@pytest.fixture
def slapd(site):
    return site._add(Slapd(site._folder("slapd"), people(ANN, BOB, CID, aliases={ALIAS: ANN})), True)


def node(site, name, slapd, servers, ca=None, **more):
    password = site.folder / "password"
    password.write_text(PASSWORD + "\n")
    settings = policy(servers, **more.pop("ldap", {}))
    return site.node(name, policy=settings, ldap={"password_file": str(password), "ca_file": str(ca or slapd.ca)}, **more)


def ask(site, node_, recipient, **more):
    with Gateway(site.folder, node_.lookups) as gateway:
        reply = gateway.check(stranger(), recipient, **more)
    assert reply is not None
    return verdict(reply)


def answer(site, node_, recipient):
    """What is said once the server has answered: on a busy machine that may be behind the budget."""
    def once():
        said = ask(site, node_, recipient, budget_ms=2000)
        return said if said.reason != "rcpt_tempfail" else None
    return wait_for(once, f"an answer about {recipient}")


def test_a_directory_server_that_goes_and_comes_back(site, slapd):
    store = {"mode": "single", "address": site.redis().address}
    a = node(site, "a", slapd, slapd.uri, ldap={"start_tls": "true"}, store=store)
    b = node(site, "b", slapd, f"ldap://127.0.0.1:1 {slapd.tls_uri}", store=store)  # the first is never there

    for there in (ANN, ALIAS, "Ann+tag@CORP.example", "postmaster@corp.example"):
        assert answer(site, a, there).code == 250, there
    for nobody in ("eve@corp.example", "*@corp.example", "a*@corp.example", '")(uid=*"@corp.example'):
        said = answer(site, a, nobody)
        assert (said.code, said.enhanced, said.reason) == (550, "5.1.1", "rcpt_unknown"), nobody
    assert answer(site, b, CID).code == 250

    slapd.kill()
    # What one node was told all know; of the others nothing is said.
    assert ask(site, b, ANN).code == 250
    assert ask(site, b, "eve@corp.example").code == 550
    for node_ in (a, b):
        for _ in range(3):
            said = ask(site, node_, BOB, budget_ms=2000)
            assert (said.code, said.enhanced, said.reason) == (451, "4.4.1", "rcpt_tempfail")
        assert ask(site, node_, "anybody@other.example").code == 250
    a.wait_log("the directory server does not answer")
    assert len(a.log_lines("the directory server does not answer")) == 1

    slapd.start()
    assert answer(site, a, BOB).code == 250
    a.wait_log("the directory server answers again")


def test_a_directory_server_that_is_another_or_says_nothing(site, slapd):
    Slapd.make_certificate(site.folder, "other")
    n = node(site, "n", slapd, slapd.tls_uri, ca=site.folder / "other.pem")
    assert ask(site, n, ANN, budget_ms=2000).reason == "rcpt_tempfail"
    n.wait_log("the directory server does not answer.*certificate")

    with socket.create_server(("127.0.0.1", 0)) as silent:
        n.write_policy(
            policy(f"ldap://127.0.0.1:{silent.getsockname()[1]}", reply_timeout="1s", timeout="1s"))
        assert n.reevectl("reload").returncode == 0
        said = []
        waiting = threading.Thread(target=lambda: said.append(ask(site, n, BOB, budget_ms=800)))
        waiting.start()
        silent.settimeout(10)
        asked, _ = silent.accept()  # it is being asked, and says nothing; everybody else is answered meanwhile
        others = 0
        while waiting.is_alive() and others < 20:
            others += ask(site, n, "anybody@other.example").code == 250
        waiting.join(10)
        asked.close()
    assert others >= 5
    assert (said[0].code, said[0].reason) == (451, "rcpt_tempfail")
    assert n.stop() == 0
