"""Records what lookups look like on the wires: stands between reeve-load and a node, and between that node and its Redis.

reeve-load asks one lookup at a time, so what the node sends to Redis while one is under way belongs to it. A tracking row, for which
the node does not wait, may be counted to the next lookup; over all of them nothing is missing but the last one's. The node's
housekeeping (clock, agreement) is left out."""
import os
import selectors
import socket
import struct
import threading

import zmq

from tests.bench.servers import HOUSEKEEPING
from tests.support.processes import free_port


class Commands:
    """Cuts a stream of RESP into commands."""

    def __init__(self):
        self.data = b""

    def feed(self, data):
        """The commands that are complete now, as bytes."""
        self.data += data
        found = []
        while True:
            end = self._end()
            if end is None:
                return found
            found.append(self.data[:end])
            self.data = self.data[end:]

    def _line(self, at):
        """The number of the line at `at`, and where the next one begins."""
        end = self.data.find(b"\r\n", at)
        return (None, None) if end < 0 else (int(self.data[at + 1:end]), end + 2)

    def _end(self):
        count, at = self._line(0)
        for _ in range(count or 0):
            size, at = self._line(at)
            if size is None:
                return None
            at += size + 2
        return at if at is not None and at <= len(self.data) else None


def name_of(command):
    return command.split(b"\r\n", 3)[2].decode().lower()


def is_housekeeping(command):
    """HGETALL is asked of `meta` all by itself, and of clients by a lookup."""
    return name_of(command) in HOUSEKEEPING or command.split(b"\r\n")[4:5] == [b"meta"]


class Tap:
    """redis: the server behind it. Begin with start(), then let a node use `socket`, call watch(node), and let reeve-load ask
    `lookups`."""

    def __init__(self, folder, redis):
        folder.mkdir()
        self.socket = str(folder / "tap.sock")
        self.redis = redis
        self.lookups = f"tcp://127.0.0.1:{free_port()}"
        self.requests, self.replies, self.sent = [], [], []
        self.stopping = threading.Event()
        self.threads = []
        self.lock = threading.Lock()

    def start(self):
        self._run(self._serve_redis)
        return self

    def watch(self, node):
        self._run(lambda: self._serve_lookups(node.lookups))

    def stop(self):
        self.stopping.set()
        for thread in self.threads:
            thread.join(10)

    def clear(self):
        """Forgets what was recorded so far."""
        with self.lock:
            self.requests, self.replies, self.sent = [], [], []

    def write(self, path):
        """The recording for tests/bench/pipeline."""
        with self.lock:
            lookups = [commands for commands in self.sent if commands]
        path.write_bytes(b"".join(struct.pack("<II", len(commands), len(b"".join(commands))) + b"".join(commands)
                                  for commands in lookups))
        return path

    def _run(self, target):
        thread = threading.Thread(target=target, daemon=True)
        thread.start()
        self.threads.append(thread)

    def _serve_lookups(self, backend):
        context = zmq.Context.instance()
        front, back = context.socket(zmq.ROUTER), context.socket(zmq.DEALER)
        front.linger = back.linger = 0
        front.bind(self.lookups)
        back.connect(backend)
        poller = zmq.Poller()
        poller.register(front, zmq.POLLIN)
        poller.register(back, zmq.POLLIN)
        peer = b""
        while not self.stopping.is_set():
            ready = dict(poller.poll(20))
            if front in ready:
                peer, empty, payload = front.recv_multipart()
                with self.lock:
                    self.requests.append(payload)
                    self.sent.append([])
                back.send_multipart([empty, payload])
            if back in ready:
                empty, payload = back.recv_multipart()
                with self.lock:
                    self.replies.append(payload)
                front.send_multipart([peer, empty, payload])
        front.close()
        back.close()

    def _serve_redis(self):
        selector = selectors.DefaultSelector()
        listener = socket.socket(socket.AF_UNIX)
        listener.bind(self.socket)
        listener.listen(8)
        selector.register(listener, selectors.EVENT_READ, None)
        while not self.stopping.is_set():
            for key, _ in selector.select(0.02):
                if key.data is None:
                    self._accept(selector, listener)
                else:
                    self._copy(selector, key.fileobj, *key.data)
        for key in list(selector.get_map().values()):
            key.fileobj.close()
        os.unlink(self.socket)

    def _accept(self, selector, listener):
        client, _ = listener.accept()
        server = socket.socket(socket.AF_UNIX)
        server.connect(self.redis.socket)
        selector.register(client, selectors.EVENT_READ, (server, Commands()))
        selector.register(server, selectors.EVENT_READ, (client, None))

    def _copy(self, selector, source, sink, commands):
        data = source.recv(1 << 16)
        if not data:
            for end in (source, sink):
                selector.unregister(end)
                end.close()
            return
        sink.sendall(data)
        if commands is not None:
            self._record(commands.feed(data))

    def _record(self, commands):
        with self.lock:
            if self.sent:
                self.sent[-1] += [each for each in commands if not is_housekeeping(each)]
