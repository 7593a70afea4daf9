"""A peer on a real socket that behaves as a test says, connection by connection."""

from __future__ import annotations

import json
import re
import socket
import threading
from collections.abc import Callable
from contextlib import suppress
from typing import Any

Serve = Callable[["Connection"], None]


class Connection:
    """One connection as the peer has it."""

    def __init__(self, sock: socket.socket, over: threading.Event) -> None:
        self._sock = sock
        self._file = sock.makefile("rb")
        self.over = over
        self.closed = threading.Event()  # the client has closed it

    def request(self) -> bytes | None:
        """The next request, head and body; None when the client has closed."""
        head = b""
        while line := self._file.readline():
            head += line
            if line == b"\r\n":
                length = re.search(rb"(?i)content-length: (\d+)", head)
                return head + self._file.read(int(length.group(1)) if length else 0)
        return None

    def send(self, data: bytes) -> bool:
        """Send; False when the client is gone."""
        try:
            self._sock.sendall(data)
        except OSError:
            return False
        return True

    def begin(self) -> None:
        """Wait for the first byte, be it of a TLS handshake."""
        self._file.read(1)

    def wait_closed(self) -> None:
        """Wait until the client closes, answering nothing."""
        try:
            while self._file.read(1):
                pass
        except OSError:
            pass

    def cut(self) -> None:
        """End it from another thread."""
        with suppress(OSError):  # it is over already
            self._sock.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        """Close it, and let a test know that this end is done with it."""
        self._file.close()
        self._sock.close()
        self.closed.set()


class Peer:
    """Serves each connection as the next of `serves` says, and the last for all after it."""

    def __init__(self, *serves: Serve) -> None:
        self._serves = serves
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=128)
        self._over = threading.Event()
        self._threads: list[threading.Thread] = []
        self.connections: list[Connection] = []
        self.url = f"http://127.0.0.1:{self._listener.getsockname()[1]}"

    def __enter__(self) -> Peer:
        self._start(self._accept)
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        for connection in self.connections:
            connection.cut()
        for thread in self._threads:
            thread.join(10)

    def _start(self, target: Callable[..., None], *args: Any) -> None:
        thread = threading.Thread(target=target, args=args, daemon=True)
        self._threads.append(thread)
        thread.start()

    def _accept(self) -> None:
        while not self._over.is_set():
            try:
                sock, _ = self._listener.accept()
            except OSError:
                return
            connection = Connection(sock, self._over)
            serve = self._serves[min(len(self.connections), len(self._serves) - 1)]
            self.connections.append(connection)
            self._start(self._serve, serve, connection)

    @staticmethod
    def _serve(serve: Serve, connection: Connection) -> None:
        try:
            serve(connection)
        finally:
            connection.close()


def http(status: int, body: bytes, *headers: str) -> bytes:
    """An answer as bytes."""
    lines = [f"HTTP/1.1 {status} X", f"Content-Length: {len(body)}", *headers, "", ""]
    return "\r\n".join(lines).encode() + body


def empty() -> bytes:
    """A whole answer with nothing found."""
    answer = {"operation_id": "op", "chunks": [], "mode": "lexical", "empty_reason": "no_match"}
    return http(200, json.dumps(answer).encode(), "Content-Type: application/json")


def answers(c: Connection) -> None:
    """Answer every request."""
    while c.request() is not None:
        c.send(empty())


def hangs(c: Connection) -> None:
    """Take a request and never answer."""
    c.request()
    c.wait_closed()


def hangs_up(c: Connection) -> None:
    """Take a request and close."""
    c.request()


def answers_once(c: Connection) -> None:
    """Answer one request, and close upon the next."""
    c.request()
    c.send(empty())
    c.request()


def drips_head(c: Connection) -> None:
    """Answer with a head that does not end, a byte at a time."""
    c.request()
    c.send(b"HTTP/1.1 200 OK\r\nX-Long: ")
    while c.send(b"a") and not c.over.wait(0.02):
        pass


def drips_body(c: Connection) -> None:
    """Answer with a body that comes a byte at a time."""
    c.request()
    c.send(b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n")
    while c.send(b" ") and not c.over.wait(0.02):
        pass
