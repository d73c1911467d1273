"""The servers of a system test: redis-server, reeved, reeve-policyd and real Postfix instances, in a temporary folder, on free
ports, without the network and without touching the machine's own Postfix or Redis.

A test takes the fixture `site` (tests/system/conftest.py) and asks it for servers; all of them are stopped when the test ends,
and the ends of their logs are shown when it failed. Nothing here sleeps for a guessed time: wait_for asks again and again until
a condition holds or its deadline passes. Programs are taken from $REEVE_BUILD (default: build)."""
import datetime
import importlib
import itertools
import os
import pathlib
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time

import yaml
import zmq

from tests.support.postfix import MX_CF, SENDER_CF, SUBMISSION_CF, Postfix, sample_main_cf
from tests.support.processes import (  # noqa: F401  (tests take the basics from here too)
    BUILD, DEPLOY, TOP, Process, accepts, free_port, free_ports, program, tool, wait_for)

LOG_LINES_SHOWN = 60


class Redis(Process):
    """A redis-server on a unix socket, keeping nothing on disk unless told so by more arguments."""

    def __init__(self, folder, name="redis", *arguments):
        folder.mkdir(exist_ok=True)
        self.socket = str(folder / "redis.sock")
        super().__init__(name, [tool("redis-server"), "--port", "0", "--unixsocket", self.socket, "--dir", folder,
                                "--save", "", "--appendonly", "no", "--daemonize", "no", *arguments],
                         folder / "log")

    def start(self):
        super().start()
        self.wait_log("[Rr]eady to accept connections")  # Redis 7 and 8 spell it differently
        return self

    @property
    def address(self):
        return f"unix:{self.socket}"

    def command(self, *words):
        return subprocess.run([tool("redis-cli"), "-s", self.socket, *words], capture_output=True, text=True,
                              check=True, timeout=10).stdout


def sample_policy(**changes):
    """deploy/policy.yaml as a tree, with changes to its settings.greylist and its top-level keys. Loopback is not trusted, so
    that Postfix on this machine can be a stranger."""
    policy = yaml.safe_load((DEPLOY / "policy.yaml").read_text()) or {}
    settings = policy.setdefault("settings", {})
    settings.setdefault("greylist", {}).update(changes.pop("greylist", {}))
    policy["trusted_sources"] = changes.pop("trusted_sources", ["198.51.100.0/24"])
    policy.update(changes)
    return policy


class Node(Process):
    """A reeved. policy: a tree or the text of a policy file; store: its `store` section; the default is the embedded one in the
    folder's state. settings: other keys of reeve.yaml."""

    def __init__(self, folder, name="node", policy=None, store=None, state_dir=None, **settings):
        folder = pathlib.Path(folder)
        folder.mkdir(exist_ok=True)
        self.folder = folder
        self.lookups = f"tcp://127.0.0.1:{free_port()}"
        self.admin = f"ipc://{folder}/admin"
        self.stats = f"tcp://127.0.0.1:{free_port()}"
        self.policy_path = folder / "policy.yaml"
        self.config_path = folder / "reeve.yaml"
        self.write_policy(policy if policy is not None else sample_policy())
        self.config_path.write_text(yaml.safe_dump({
            "node": name,
            "state_dir": str(state_dir or folder / "state"),
            "lookups": {"listen": self.lookups},
            "admin": {"listen": self.admin},
            "stats": {"listen": self.stats},
            "policy": [str(self.policy_path)],
            "store": store or {"mode": "embedded"},
            **settings,
        }))
        super().__init__(name, [program("reeved"), "-c", self.config_path], folder / "log")

    def write_policy(self, policy):
        self.policy_path.write_text(policy if isinstance(policy, str) else yaml.safe_dump(policy))

    def start(self, ready=True):
        """ready: waits until its doors are open and its store is up."""
        before = [len(self.log_lines(line)) for line in (" ready ", "store is up")]
        super().start()
        if ready:
            self.wait_log(" ready ", before[0] + 1)
            self.wait_log("store is up", before[1] + 1)
        return self

    def leave(self):
        """Ends it without the second in which a node that is drained waits for questions: that is what a second signal is for. (Two
        that come as one are one: then it takes the second.)"""
        if self.is_running():
            self.signal(signal.SIGTERM)
            time.sleep(0.03)
            self.signal(signal.SIGTERM)
            self.wait()

    def __exit__(self, *unused):
        self.leave()

    def resident_mib(self):
        pages = int(pathlib.Path(f"/proc/{self.pid}/statm").read_text().split()[1])
        return pages * os.sysconf("SC_PAGE_SIZE") / (1 << 20)

    def reevectl(self, *words):
        return subprocess.run([program("reevectl"), "--node", self.lookups, "--admin", self.admin, *words],
                              capture_output=True, text=True, timeout=20)


class Policyd(Process):
    """A reeve-policyd on TCP and a unix socket, which asks no DNS. settings: keys of reeve-policyd.yaml."""

    def __init__(self, folder, name, node, open_files=None, **settings):
        folder.mkdir(exist_ok=True)
        self.port = free_port()
        self.socket = str(folder / "policy.sock")
        self.config_path = folder / "reeve-policyd.yaml"
        sample = yaml.safe_load((DEPLOY / "reeve-policyd.yaml").read_text())
        sample.update({"nodes": [node], "listen": [f"127.0.0.1:{self.port}", f"unix:{self.socket}"],
                       "gateway": name, "deadline": "2s", "spf": {"evaluate": False}})
        sample.update(settings)
        self.config_path.write_text(yaml.safe_dump(sample))
        super().__init__(name, [program("reeve-policyd"), "-c", self.config_path], folder / "log", open_files)

    def start(self):
        before = len(self.log_lines(" ready "))
        super().start()
        self.wait_log(" ready ", before + 1)
        return self

    def decisions(self, **fields):
        """The decision lines of the log that hold all these fields, as dicts; those at RCPT, unless another stage is asked for."""
        fields.setdefault("stage", None)
        found = []
        for line in self.log_lines(" decision "):
            row = {key: value.strip('"') for key, value in re.findall(r'(\w+)=("[^"]*"|\S+)', line)}
            if all(row.get(key) == value for key, value in fields.items()):
                found.append(row)
        return found

    def open_count(self):
        return len(os.listdir(f"/proc/{self.pid}/fd"))


class FakeNode:
    """A node's lookup door whose answers the test chooses, for what a real node seldom says. answer(check) gives the fields of the
    Verdict of every recipient, a list with one for each of them (the first is the one reply at the end of the message), or None to stay
    silent; it runs in the thread of this node. The stage CONNECT is always accepted. What was sent is in `sents`, and is answered unless
`holds_sents` is set, then when it is cleared."""

    def __init__(self, folder, answer):
        folder.mkdir(exist_ok=True)
        self.pb = wire_module(folder)
        self.answer = answer
        self.lookups = f"tcp://127.0.0.1:{free_port()}"
        self.checks = []
        self.sents = []
        self.holds_sents = threading.Event()
        self.stopping = threading.Event()
        self.thread = threading.Thread(target=self._serve, daemon=True)

    def start(self):
        self.thread.start()
        return self

    def stop(self):
        self.stopping.set()
        self.thread.join(10)

    def _serve(self):
        socket_ = zmq.Context.instance().socket(zmq.ROUTER)
        socket_.linger = 0
        socket_.bind(self.lookups)
        late = []
        while not self.stopping.is_set():
            if late and not self.holds_sents.is_set():
                socket_.send_multipart(late.pop(0))
            if socket_.poll(20):
                peer, empty, payload = socket_.recv_multipart()
                request = self.pb.Request.FromString(payload)
                if request.HasField("sent"):
                    late.append([peer, empty, self._ack(request).SerializeToString()])
                    continue
                reply = self._reply(request)
                if reply is not None:
                    socket_.send_multipart([peer, empty, reply.SerializeToString()])
        socket_.close()

    def _ack(self, request):
        self.sents.append(request.sent)
        return self.pb.Reply(id=request.id, node="fake", ack=self.pb.Ack(recorded=len(request.sent.recipients)))

    def _reply(self, request):
        reply = self.pb.Reply(id=request.id, node="fake")
        chosen = {} if request.check.stage == self.pb.STAGE_CONNECT else self.answer(request.check)
        self.checks.append(request.check)
        if chosen is None:
            return None
        recipients = list(request.check.recipients) or [""]
        for recipient, fields in zip(recipients, chosen if isinstance(chosen, list) else [chosen] * len(recipients)):
            verdict = {"action": 1, "code": 250, "enhanced": "2.1.5", "text": "ok", "reason": "accept", **fields}
            reply.decision.verdicts.add(recipient=recipient, **verdict)
        if request.check.stage == self.pb.STAGE_END:
            reply.decision.message.CopyFrom(reply.decision.verdicts[0])
        return reply


def wire_module(folder):
    """The Python classes of proto/reeve.proto, made into the folder."""
    if "reeve_pb2" not in sys.modules:  # a message may be registered once in a process
        subprocess.run([tool("protoc"), f"--proto_path={TOP / 'proto'}", f"--python_out={folder}", "reeve.proto"],
                       check=True, timeout=60)
        sys.path.insert(0, str(folder))
        importlib.import_module("reeve_pb2")
        sys.path.remove(str(folder))
    return sys.modules["reeve_pb2"]


class PolicyClient:
    """A Postfix process as the policy service sees it."""

    def __init__(self, address, seconds=10):
        self.socket = socket.socket(socket.AF_INET if isinstance(address, tuple) else socket.AF_UNIX)
        self.socket.settimeout(seconds)
        self.socket.connect(address)
        self.pending = b""

    def __enter__(self):
        return self

    def __exit__(self, *unused):
        self.close()

    def close(self):
        self.socket.close()

    @staticmethod
    def request(**attributes):
        values = {"request": "smtpd_access_policy", "protocol_state": "RCPT", "protocol_name": "ESMTP",
                  "client_address": "192.0.2.7", "client_name": "unknown", "helo_name": "mx.sender.example",
                  "sender": "ann@sender.example", "recipient": "bob@rcpt.example", "recipient_count": "0",
                  "instance": "1.1", "size": "0", "sasl_username": "", "encryption_protocol": ""}
        values.update(attributes)
        return b"".join(key.encode() + b"=" + (value if isinstance(value, bytes) else str(value).encode()) + b"\n"
                        for key, value in values.items()) + b"\n"

    def send(self, data):
        self.socket.sendall(data)

    def answer(self):
        """The next answer's action, without `action=`."""
        while b"\n\n" not in self.pending:
            data = self.socket.recv(65536)
            assert data, f"the connection was closed after {self.pending!r}"
            self.pending += data
        line, self.pending = self.pending.split(b"\n\n", 1)
        assert line.startswith(b"action=") and b"\n" not in line, line
        return line[len(b"action="):].decode()

    def ask(self, **attributes):
        self.send(self.request(**attributes))
        return self.answer()

    def is_closed(self):
        """Waits for the other side to hang up."""
        try:
            return self.socket.recv(65536) == b""
        except ConnectionResetError:
            return True


class Site:
    """All servers of one test."""

    def __init__(self):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="reeve-", dir="/tmp"))
        self.folder.chmod(0o755)
        self.servers = []
        self.fakes = []
        self.numbers = itertools.count(1)

    def _add(self, server, start):
        self.servers.append(server)
        return server.start() if start else server

    def _folder(self, name):
        return self.folder / f"{next(self.numbers)}-{name}"

    def redis(self, *arguments):
        return self._add(Redis(self._folder("redis"), "redis", *arguments), True)

    def node(self, name="node", start=True, policy=None, **more):
        return self._add(Node(self._folder(name), name, policy, **more), start)

    def fake_node(self, answer):
        fake = FakeNode(self._folder("fake"), answer).start()
        self.fakes.append(fake)
        return fake

    def policyd(self, node, name="policyd", start=True, **settings):
        endpoint = node if isinstance(node, str) else node.lookups
        policyd = self._add(Policyd(self._folder(name), name, endpoint, **settings), start)
        if start and not isinstance(node, str):
            self.wait_connected(policyd)
        return policyd

    @staticmethod
    def wait_connected(policyd):
        """Until the node answers it: a question of the stage CONNECT leaves no trace in any state."""
        def is_answered():
            with PolicyClient(("127.0.0.1", policyd.port)) as client:
                client.ask(protocol_state="CONNECT", recipient="", sender="")
            # `away` is logged once on the way down and once on the way up.
            return len(policyd.log_lines("no node answers")) == len(policyd.log_lines("nodes answer again"))
        wait_for(is_answered, f"{policyd.name} to reach its node")

    def mx(self, policyd, name="mx", unix=False):
        """A Postfix that takes mail for rcpt.example and other.example, set up as deploy/mta/postfix says."""
        service = f"unix:{policyd.socket}" if unix else f"inet:127.0.0.1:{policyd.port}"
        return self._add(Postfix(self._folder(name), name, MX_CF + sample_main_cf(service)), True)

    def submission(self, policyd, *logins, name="submission"):
        """A Postfix for users who log in, set up as deploy/mta/postfix says. What it takes and does not hold goes nowhere."""
        postfix = Postfix(self._folder(name), name, SUBMISSION_CF + sample_main_cf(f"inet:127.0.0.1:{policyd.port}", "submission.cf"))
        postfix.add_logins(*logins)
        return self._add(postfix, True)

    def sender(self, *next_hops, name="sender"):
        hosts = ", ".join(f"[127.0.0.1]:{mx.port}" for mx in next_hops)
        return self._add(Postfix(self._folder(name), name, SENDER_CF.replace("{relayhost}", hosts),
                                 mynetworks="127.0.0.0/8"), True)

    def report(self):
        """The ends of all logs, for a test that failed."""
        parts = [f"at {datetime.datetime.now(datetime.timezone.utc):%H:%M:%S}"]
        for server in self.servers:
            state = "running" if server.is_running() else f"ended {server.child.returncode if server.child else ''}"
            lines = server.log().splitlines()[-LOG_LINES_SHOWN:]
            parts.append("\n".join([f"---- {server.name} ({state}): {' '.join(server.argv)}", *lines]))
        return "\n".join(parts)

    def close(self):
        """Stops everything, Postfix first so that it asks nobody who has gone."""
        for server in reversed(self.servers):
            try:
                if isinstance(server, Node):
                    server.leave()
                else:
                    server.stop(10)
            except AssertionError:
                server.kill()
        for fake in self.fakes:
            fake.stop()
        shutil.rmtree(self.folder, ignore_errors=True)
