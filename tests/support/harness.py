"""The servers of a system test: redis-server, reeved, reeve-policyd and real Postfix instances, in a temporary folder, on free
ports, without the network and without touching the machine's own Postfix or Redis.

A test takes the fixture `site` (tests/system/conftest.py) and asks it for servers; all of them are stopped when the test ends,
and the ends of their logs are shown when it failed. Nothing here sleeps for a guessed time: wait_for asks again and again until
a condition holds or its deadline passes. Programs are taken from $REEVE_BUILD (default: build)."""
import ctypes
import datetime
import importlib
import itertools
import os
import pathlib
import pwd
import random
import re
import shutil
import signal
import smtplib
import socket
import subprocess
import sys
import tempfile
import threading
import time

import yaml
import zmq

TOP = pathlib.Path(__file__).resolve().parents[2]
DEPLOY = TOP / "deploy"
BUILD = pathlib.Path(os.environ.get("REEVE_BUILD", "build"))
LOG_LINES_SHOWN = 60
PR_SET_PDEATHSIG = 1


def program(name):
    """The path of a program of ours. That it was not built is a failure, not a reason to skip."""
    path = (TOP / BUILD / name).resolve()
    assert path.exists(), f"{path} is missing: run make, or set REEVE_BUILD to the build folder"
    return str(path)


def tool(name):
    """The path of a program of the system's."""
    path = shutil.which(name, path=os.environ.get("PATH", "") + ":/usr/sbin:/sbin")
    assert path, f"{name} is missing: scripts/install-deps installs what the tests need"
    return path


def wait_for(condition, what, seconds=15.0, every=0.02):
    """Asks until condition() is true and returns what it gave; AssertionError with what was waited for when time is over."""
    deadline = time.monotonic() + seconds
    while True:
        result = condition()
        if result:
            return result
        assert time.monotonic() < deadline, f"waited {seconds:g} s in vain: {what() if callable(what) else what}"
        time.sleep(every)


_ports_given = set()


def free_ports(count):
    """The first of so many TCP ports of loopback in a row, that nobody uses now and that were not given before in this run.
    They lie below those that the kernel gives to outgoing connections: one of these would take the port of a server that is
    down, or worse, connect to itself there."""
    outgoing = int(pathlib.Path("/proc/sys/net/ipv4/ip_local_port_range").read_text().split()[0])
    while True:
        first = random.randrange(10000, max(outgoing, 12000) - count)
        ports = range(first, first + count)
        if not _ports_given.intersection(ports) and all(map(_is_free, ports)):
            _ports_given.update(ports)
            return first


def _is_free(port):
    with socket.socket() as probe:
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
        return True


def free_port():
    return free_ports(1)


def accepts(address):
    """True if somebody listens there: a (host, port) or the path of a unix socket."""
    family = socket.AF_INET if isinstance(address, tuple) else socket.AF_UNIX
    with socket.socket(family) as probe:
        probe.settimeout(1)
        return probe.connect_ex(address) == 0


def _die_with_parent():
    """A server must not outlive a test run that was killed."""
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGTERM)


class Process:
    """A server in the foreground, whose output goes to a file."""

    def __init__(self, name, argv, log_path, open_files=None):
        self.name = name
        self.argv = [str(arg) for arg in argv]
        self.log_path = pathlib.Path(log_path)
        self.open_files = open_files
        self.child = None

    def start(self):
        assert not self.is_running(), f"{self.name} runs already"

        def prepare():
            _die_with_parent()
            if self.open_files is not None:
                import resource
                resource.setrlimit(resource.RLIMIT_NOFILE, (self.open_files, self.open_files))

        with open(self.log_path, "ab") as log:
            self.child = subprocess.Popen(self.argv, stdin=subprocess.DEVNULL, stdout=log, stderr=log, cwd="/",
                                          start_new_session=True, preexec_fn=prepare)
        return self

    def __enter__(self):
        return self if self.is_running() else self.start()

    def __exit__(self, *unused):
        self.stop()

    def is_running(self):
        return self.child is not None and self.child.poll() is None

    @property
    def pid(self):
        return self.child.pid

    def signal(self, number):
        self.child.send_signal(number)

    def wait(self, seconds=10):
        """The exit code; negative = the signal that ended it."""
        try:
            return self.child.wait(seconds)
        except subprocess.TimeoutExpired:
            raise AssertionError(f"{self.name} did not end within {seconds} s") from None

    def stop(self, seconds=40):
        """SIGTERM; returns the exit code."""
        if not self.is_running():
            return self.child.returncode if self.child else None
        self.signal(signal.SIGTERM)
        return self.wait(seconds)

    def kill(self):
        """SIGKILL: no chance to tidy up."""
        if self.is_running():
            self.signal(signal.SIGKILL)
            self.wait()

    def log(self):
        return self.log_path.read_text(errors="replace") if self.log_path.exists() else ""

    def log_lines(self, pattern):
        return [line for line in self.log().splitlines() if re.search(pattern, line)]

    def wait_log(self, pattern, count=1, seconds=15):
        """The first line (or the count-th) that matches; fails when the process ends before."""
        def look():
            lines = self.log_lines(pattern)
            assert len(lines) >= count or self.is_running(), f"{self.name} has ended:\n{self.log()}"
            return lines[count - 1] if len(lines) >= count else None
        return wait_for(look, f"line {count} like '{pattern}' in the log of {self.name}", seconds)


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
        self.wait_log("ready to accept connections")
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
    folder's state."""

    def __init__(self, folder, name="node", policy=None, store=None, state_dir=None):
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

    def reevectl(self, *words):
        return subprocess.run([program("reevectl"), "--node", self.lookups, "--admin", self.admin, *words],
                              capture_output=True, text=True, timeout=20)


class Policyd(Process):
    """A reeve-policyd on TCP and a unix socket. settings: keys of reeve-policyd.yaml."""

    def __init__(self, folder, name, node, open_files=None, **settings):
        folder.mkdir(exist_ok=True)
        self.port = free_port()
        self.socket = str(folder / "policy.sock")
        self.config_path = folder / "reeve-policyd.yaml"
        sample = yaml.safe_load((DEPLOY / "reeve-policyd.yaml").read_text())
        sample.update({"nodes": [node], "listen": [f"127.0.0.1:{self.port}", f"unix:{self.socket}"],
                       "gateway": name, "deadline": "2s"})
        sample.update(settings)
        self.config_path.write_text(yaml.safe_dump(sample))
        super().__init__(name, [program("reeve-policyd"), "-c", self.config_path], folder / "log", open_files)

    def start(self):
        before = len(self.log_lines(" ready "))
        super().start()
        self.wait_log(" ready ", before + 1)
        return self

    def decisions(self, **fields):
        """The decision lines of the log that hold all these fields, as dicts."""
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
    Verdict, or None to stay silent; it runs in the thread of this node. The stage CONNECT is always accepted."""

    def __init__(self, folder, answer):
        folder.mkdir(exist_ok=True)
        self.pb = wire_module(folder)
        self.answer = answer
        self.lookups = f"tcp://127.0.0.1:{free_port()}"
        self.checks = []
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
        while not self.stopping.is_set():
            if socket_.poll(20):
                peer, empty, payload = socket_.recv_multipart()
                reply = self._reply(self.pb.Request.FromString(payload))
                if reply is not None:
                    socket_.send_multipart([peer, empty, reply.SerializeToString()])
        socket_.close()

    def _reply(self, request):
        reply = self.pb.Reply(id=request.id, node="fake")
        chosen = {} if request.check.stage == self.pb.STAGE_CONNECT else self.answer(request.check)
        self.checks.append(request.check)
        if chosen is None:
            return None
        verdict = {"action": 1, "code": 250, "enhanced": "2.1.5", "text": "ok", "reason": "accept", **chosen}
        reply.decision.verdicts.add(recipient=(list(request.check.recipients) or [""])[0], **verdict)
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


MAIN_CF = """
compatibility_level = 3.6
queue_directory = {folder}/queue
data_directory = {folder}/data
mail_owner = postfix
setgid_group = postdrop
maillog_file = /dev/stdout
myhostname = {name}.example
mydomain = {name}.example
mydestination =
mynetworks = {mynetworks}
inet_interfaces = 127.0.0.1
inet_protocols = all
alias_maps =
alias_database =
biff = no
disable_dns_lookups = yes
smtp_dns_support_level = disabled
smtpd_peername_lookup = no
smtp_tls_security_level = none
queue_run_delay = 1s
minimal_backoff_time = 1s
maximal_backoff_time = 2s
smtpd_client_connection_rate_limit = 0
smtpd_authorized_xclient_hosts = 127.0.0.1
smtpd_error_sleep_time = 0
smtpd_soft_error_limit = 1000
smtpd_hard_error_limit = 1000
address_verify_map =
"""

MX_CF = """
virtual_mailbox_domains = rcpt.example, other.example
virtual_mailbox_base = {folder}/mail
virtual_mailbox_maps = static:box/
virtual_uid_maps = static:{uid}
virtual_gid_maps = static:{gid}
virtual_minimum_uid = 1
"""

SENDER_CF = """
relayhost = {relayhost}
smtpd_relay_restrictions = permit_mynetworks, reject_unauth_destination
"""

MASTER_CF = """
127.0.0.1:{port} inet n - n - - smtpd
cleanup   unix n - n - 0 cleanup
qmgr      unix n - n 300 1 qmgr
rewrite   unix - - n - - trivial-rewrite
bounce    unix - - n - 0 bounce
defer     unix - - n - 0 bounce
trace     unix - - n - 0 bounce
verify    unix - - n - 1 verify
flush     unix n - n 1000? 0 flush
proxymap  unix - - n - - proxymap
proxywrite unix - - n - 1 proxymap
smtp      unix - - n - - smtp
relay     unix - - n - - smtp
showq     unix n - n - - showq
error     unix - - n - - error
retry     unix - - n - - error
discard   unix - - n - - discard
virtual   unix - n n - - virtual
anvil     unix - - n - 1 anvil
scache    unix - - n - 1 scache
postlog   unix-dgram n - n - 1 postlogd
"""


class Postfix(Process):
    """A Postfix instance with folders, ports and log of its own."""

    def __init__(self, folder, name, main_cf, mynetworks=""):
        assert os.geteuid() == 0, "Postfix instances can only be started by root"
        folder.mkdir(mode=0o755, exist_ok=True)
        self.folder = folder
        self.port = free_port()
        self.config = folder / "etc"
        self._make_folders()
        values = {"folder": folder, "name": name, "port": self.port, "mynetworks": mynetworks,
                  "uid": pwd.getpwnam("nobody").pw_uid, "gid": pwd.getpwnam("nobody").pw_gid}
        (self.config / "main.cf").write_text((MAIN_CF + main_cf).format(**values))
        (self.config / "master.cf").write_text(MASTER_CF.format(**values))
        (self.config / "dynamicmaps.cf").write_text("")
        daemons = self.postconf("daemon_directory", default=True)
        super().__init__(name, [f"{daemons}/master", "-c", self.config, "-s"], folder / "log")

    def _make_folders(self):
        nobody = pwd.getpwnam("nobody")
        for name, user in (("etc", None), ("queue", None), ("data", pwd.getpwnam("postfix")), ("mail", nobody)):
            (self.folder / name).mkdir(mode=0o755, exist_ok=True)
            if user:
                os.chown(self.folder / name, user.pw_uid, user.pw_gid)

    def postconf(self, name, default=False):
        where = [] if default else ["-c", str(self.config)]
        return subprocess.run([tool("postconf"), *where, "-h", name], capture_output=True, text=True, check=True,
                              timeout=20).stdout.strip()

    def start(self):
        subprocess.run([tool("postfix"), "-c", str(self.config), "check"], check=True, timeout=60,
                       stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        super().start()
        wait_for(lambda: accepts(("127.0.0.1", self.port)), f"{self.name} to listen at port {self.port}")
        return self

    def smtp(self, client=None, name="[UNAVAILABLE]"):
        """An SMTP connection; client: the address it pretends to come from (XCLIENT)."""
        smtp = smtplib.SMTP("127.0.0.1", self.port, local_hostname="mx.sender.example", timeout=30)
        smtp.ehlo()
        if client:
            code, text = smtp.docmd("XCLIENT", f"NAME={name} ADDR={client}")
            assert code == 220, text
            smtp.ehlo()
        return smtp

    def rcpt(self, sender, *recipients, client=None):
        """MAIL and RCPT of one transaction; the replies to the RCPTs as texts like '451 4.7.1 ...'."""
        smtp = self.smtp(client)
        try:
            code, text = smtp.mail(sender)
            assert code == 250, text
            replies = [smtp.rcpt(recipient) for recipient in recipients]
            smtp.rset()
        finally:
            smtp.close()
        return [f"{code} {text.decode(errors='replace')}" for code, text in replies]

    def submit(self, sender, recipient, subject, client=None):
        """Sends a message; SMTP errors are raised."""
        smtp = self.smtp(client)
        try:
            smtp.sendmail(sender, [recipient], f"From: {sender}\r\nTo: {recipient}\r\nSubject: {subject}\r\n\r\nHello.\r\n")
        finally:
            smtp.close()

    def mailbox(self, subject):
        """The messages of that subject that were delivered here, as texts."""
        texts = [path.read_text(errors="replace") for path in (self.folder / "mail" / "box" / "new").glob("*")]
        return [text for text in texts if f"\nSubject: {subject}\n" in text]

    def queue(self):
        out = subprocess.run([tool("postqueue"), "-c", str(self.config), "-p"], capture_output=True, text=True, timeout=20)
        return out.stdout


def sample_main_cf(service):
    """deploy/mta/postfix/main.cf, the snippet that postmasters copy, with another address of the policy service."""
    text = (DEPLOY / "mta" / "postfix" / "main.cf").read_text()
    line = "check_policy_service inet:127.0.0.1:10045\n"
    assert text.count(line) == 1
    return text.replace(line, f"check_policy_service {service}\n").replace("{", "{{").replace("}", "}}")


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
            if server.is_running():
                server.signal(signal.SIGTERM)
                try:
                    server.wait(10)
                except AssertionError:
                    server.kill()
        for fake in self.fakes:
            fake.stop()
        shutil.rmtree(self.folder, ignore_errors=True)
