"""An SMTP server that answers as a test says, one thread a connection: for what a real one seldom does."""
import socket
import threading
import time

OK = b"250 2.0.0 Ok\r\n"


class Peer:
    """talk(connection, line) writes to the connection after each line (b"" = it was just opened) and returns False to hang up."""

    def __init__(self, talk):
        self.talk = talk
        self.heard = []
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        self.stopping = threading.Event()
        threading.Thread(target=self._accept, daemon=True).start()

    @property
    def host(self):
        return f"127.0.0.1:{self.port}"

    @property
    def recipients(self):
        return [line for line in self.heard if line.startswith(b"RCPT")]

    def stop(self):
        self.stopping.set()
        self.listener.close()

    def _accept(self):
        while not self.stopping.is_set():
            try:
                connection, _ = self.listener.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection):
        with connection:
            try:
                going = self.talk(self, connection, b"")
                for line in connection.makefile("rb"):
                    self.heard.append(line.strip())
                    if going is False or line.startswith(b"QUIT"):
                        return
                    going = self.talk(self, connection, line)
            except OSError:
                pass  # the node has hung up


def polite(peer, connection, line):
    """Everybody exists but for those whose names begin with nobody."""
    if line.startswith(b"RCPT TO:<nobody"):
        connection.sendall(b"550 5.1.1 no such user\r\n")
    else:
        connection.sendall(b"220 peer ESMTP\r\n" if line == b"" else OK)


def silent(peer, connection, line):
    """It takes the connection, and says nothing."""


def garbage(peer, connection, line):
    connection.sendall(bytes(range(256)) * 64)


def closing(peer, connection, line):
    return False


def hanging_up(peer, connection, line):
    """It says hello, and goodbye."""
    if line == b"":
        connection.sendall(b"220 peer ESMTP\r\n")
        return None
    connection.shutdown(socket.SHUT_RDWR)
    return False


def dribbling(seconds):
    """A polite one, of which each byte takes so long."""
    class Slow:
        def __init__(self, connection):
            self.connection = connection

        def sendall(self, data):
            for byte in data:
                self.connection.sendall(bytes([byte]))
                time.sleep(seconds)

    return lambda peer, connection, line: polite(peer, Slow(connection), line)
