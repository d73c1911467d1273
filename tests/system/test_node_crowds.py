"""Crowds at a node's sockets: whoever sends more than it can do, on purpose or not, must not hold up the others' mail."""
import pytest
import zmq

from tests.support import harness
from tests.support.asking import Gateway, listen, next_news, stranger

ENFORCE = {"settings": {"greylist": {"mode": "enforce"}}}


@pytest.fixture
def node(site):
    return site.node(policy=ENFORCE)


@pytest.fixture
def asks(site, node):
    with Gateway(site.folder, node.lookups) as gateway:
        yield gateway


def crowd_socket(kind, endpoint):
    """One that never waits for the node."""
    socket = zmq.Context.instance().socket(kind)
    for option in (zmq.LINGER, zmq.SNDHWM, zmq.RCVHWM):
        socket.setsockopt(option, 0)
    socket.connect(endpoint)
    return socket


def test_what_is_not_begun_within_its_budget_is_not_worked_on(node, asks):
    pb = asks.pb
    request = pb.Request(budget_ms=50)
    request.check.CopyFrom(pb.Check(client_ip="192.0.2.7", sender=stranger(),
                                    recipients=[f"bob@rcpt-{number}.example" for number in range(10)]))
    crowd = [crowd_socket(zmq.DEALER, node.lookups) for _ in range(6)]
    for socket in crowd:
        for _ in range(4000):
            socket.send_multipart([b"", request.SerializeToString()])
    heard = [pb.Reply.FromString(socket.recv_multipart()[1]).status
             for socket in crowd for _ in range(4000) if socket.poll(5000)]
    assert len(heard) == 24000
    assert heard.count(pb.STATUS_EXPIRED) > len(heard) / 2
    assert asks.check(stranger()).status == 0
    for socket in crowd:
        socket.close()


def test_large_documents_at_the_admin_door_do_not_hold_up_mail(node, asks):
    request = asks.pb.Request()
    request.admin.verb = "help"
    request.admin.document = bytes(16 << 20)
    operator = crowd_socket(zmq.DEALER, node.admin)
    for _ in range(60):
        operator.send_multipart([b"", request.SerializeToString()], copy=False)
    heard = 0
    while heard < 60:
        reply = asks.check(stranger())
        assert reply.status == 0, reply.error
        assert node.resident_mib() < 350
        while operator.poll(0):
            operator.recv_multipart()
            heard += 1
    operator.close()


def test_a_flood_of_subscriptions_does_not_hold_up_mail(node, asks):
    flood = crowd_socket(zmq.XSUB, node.stats)
    for number in range(20000):
        flood.send(b"\x01" + f"{number:09}".encode() * 100)
    for _ in range(100):
        reply = asks.check(stranger())
        assert reply.status == 0, reply.error
    assert node.resident_mib() < 100
    flood.close()
    assert next_news(listen(node.stats, "stats"), asks.pb.Stats())[0] == "stats"


def test_several_long_lists_of_recipients_at_once_find_a_seat(node, asks):
    pb = asks.pb
    gateway = crowd_socket(zmq.DEALER, node.lookups)
    for number in range(12):
        request = pb.Request(id=number, budget_ms=2000)
        request.check.CopyFrom(pb.Check(client_ip="192.0.2.7", sender=stranger(), trace=True,
                                        recipients=[f"bob@rcpt-{domain}.example" for domain in range(100)]))
        gateway.send_multipart([b"", request.SerializeToString()])
    heard = [pb.Reply.FromString(gateway.recv_multipart()[1]) for _ in range(12) if gateway.poll(5000)]
    gateway.close()
    assert [(reply.status, reply.error) for reply in heard] == [(pb.STATUS_OK, "")] * 12
    assert {len(reply.decision.verdicts) for reply in heard} == {100}
