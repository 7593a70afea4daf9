"""One HTTP client for each process, for calls without an event loop.

httpx bounds each wait for the network, not their sum: a peer that sends a byte now and
then could hold a call for ever. The transport here gives every wait what is left until
the deadline of the call that waits, so that their sum is bounded too, without a thread.
"""

from __future__ import annotations

import atexit
import os
import socket
import ssl
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

import httpcore
import httpx

from .connect import LIMITS, settings, trust

_ends: ContextVar[float] = ContextVar("weir_rag_ends")

# By process, and whether TLS is spoken: a child of a fork must never speak on its
# parent's connections, nor close them. One dict operation each, so that no lock is needed
# that a fork could leave shut.
_clients: dict[tuple[int, bool], httpx.Client] = {}


def client(*, tls: bool) -> httpx.Client:
    """The client of this process, which any thread may use."""
    key = os.getpid(), tls
    found = _clients.get(key)
    if found is None:
        made = new_client(tls=tls)
        found = _clients.setdefault(key, made)
        if found is not made:  # another thread was first
            made.close()
    return found


@atexit.register
def close() -> None:
    """Close this process's connections now. Not needed, as they are closed at its end;
    the next call opens new ones."""
    for tls in (False, True):
        found = _clients.pop((os.getpid(), tls), None)
        if found is not None:
            found.close()


def new_client(*, tls: bool) -> httpx.Client:
    """A client with a pool of its own."""
    return httpx.Client(transport=Transport(trust(tls=tls)), **settings())


@contextmanager
def until(ends: float) -> Iterator[None]:
    """Within it, every wait for the network ends by `ends`, on time.monotonic's clock."""
    token = _ends.set(ends)
    try:
        yield
    finally:
        _ends.reset(token)


def _left(timeout: float | None = None) -> float:
    left = _ends.get() - time.monotonic()
    if left <= 0:
        raise httpcore.ReadTimeout("the deadline of the call has passed")
    return left if timeout is None else min(left, timeout)


class Stream(httpcore.NetworkStream):
    """A connection whose every wait is bounded by the deadline of who waits."""

    def __init__(self, inner: httpcore.NetworkStream) -> None:
        self._inner = inner

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        return self._inner.read(max_bytes, _left(timeout))

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        # In parts, as a peer that takes little at a time must not win time with each.
        for start in range(0, len(buffer), 1 << 16):
            self._inner.write(buffer[start : start + (1 << 16)], _left(timeout))

    def close(self) -> None:
        self._inner.close()

    def start_tls(
        self, ssl_context: Any, server_hostname: str | None = None, timeout: float | None = None
    ) -> httpcore.NetworkStream:
        return Stream(self._inner.start_tls(ssl_context, server_hostname, _left(timeout)))

    def get_extra_info(self, info: str) -> Any:
        return self._inner.get_extra_info(info)


class Backend(httpcore.NetworkBackend):
    """Makes connections by the deadline of who wants them."""

    def __init__(self) -> None:
        self._inner = httpcore.SyncBackend()

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore.NetworkStream:
        try:
            found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
        except OSError as err:
            raise httpcore.ConnectError(str(err)) from err
        addresses = list(dict.fromkeys(str(a[4][0]) for a in found))
        # Each address gets its share of the time: the first of a name is often one that
        # does not answer.
        for n, address in enumerate(addresses, start=1):
            share = _left(timeout) / (len(addresses) - n + 1)
            try:
                return Stream(
                    self._inner.connect_tcp(address, port, share, local_address, socket_options)
                )
            except (httpcore.ConnectError, httpcore.ConnectTimeout):
                if n == len(addresses):
                    raise
        raise httpcore.ConnectError("the name has no address")


class Body(httpx.SyncByteStream):
    """The bytes of an answer as they come."""

    def __init__(self, inner: Any) -> None:
        self._inner = inner

    def __iter__(self) -> Iterator[bytes]:
        with _as_httpx():
            yield from self._inner

    def close(self) -> None:
        with _as_httpx():
            self._inner.close()


class Transport(httpx.BaseTransport):
    """httpx's own transport has no place for a Backend; this one is for it."""

    def __init__(self, trusted: ssl.SSLContext) -> None:
        self._pool = httpcore.ConnectionPool(
            ssl_context=trusted,
            max_connections=LIMITS.max_connections,
            max_keepalive_connections=LIMITS.max_keepalive_connections,
            keepalive_expiry=LIMITS.keepalive_expiry,
            network_backend=Backend(),
        )

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        url = request.url
        with _as_httpx():
            response = self._pool.handle_request(
                httpcore.Request(
                    method=request.method,
                    url=httpcore.URL(
                        scheme=url.raw_scheme, host=url.raw_host, port=url.port, target=url.raw_path
                    ),
                    headers=request.headers.raw,
                    content=request.stream,
                    extensions={**request.extensions, "timeout": {"pool": _left()}},
                )
            )
        return httpx.Response(
            status_code=response.status,
            headers=response.headers,
            stream=Body(response.stream),
            extensions=response.extensions,
        )

    def close(self) -> None:
        self._pool.close()


@contextmanager
def _as_httpx() -> Iterator[None]:
    """Raise httpcore's errors as httpx's, which have the same names."""
    try:
        yield
    except (httpcore.TimeoutException, httpcore.NetworkError, httpcore.ProtocolError) as err:
        raise getattr(httpx, type(err).__name__)(str(err)) from err
