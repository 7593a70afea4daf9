"""Deadlines, cancelling and broken connections, on real sockets."""

from __future__ import annotations

import asyncio
import threading
import time
from pathlib import Path

import httpcore
import pytest

import wire
from conftest import Retrieve
from weir_rag import DeadlineExceeded, RAGTool, SyncRAGTool, Unavailable, answer, process


@pytest.mark.parametrize(
    ("scheme", "serve"),
    [
        ("http", wire.hangs),
        ("http", wire.drips_head),
        ("http", wire.drips_body),
        ("https", wire.hangs),  # in the handshake
    ],
)
def test_ends_by_the_deadline(scheme: str, serve: wire.Serve, retrieve: Retrieve) -> None:
    with wire.Peer(serve) as peer:
        url = peer.url.replace("http", scheme, 1)
        with pytest.raises(DeadlineExceeded):
            retrieve(base_url=url, timeout=1, strict=True)
        # On a busy machine the second may be over before there is a connection.
        assert len(peer.connections) <= 1, "a call that is late is not tried again"
        assert all(c.closed.wait(10) for c in peer.connections), "its connection is closed"


def test_late_calls_leave_a_working_pool() -> None:
    well = threading.Event()

    def serves(c: wire.Connection) -> None:
        (wire.answers if well.is_set() else wire.hangs)(c)

    async def calls(url: str) -> list[str | None]:
        late = [
            RAGTool("u", base_url=url, timeout=0.3).retrieve_chunks_from_text("q")
            for _ in range(50)
        ]
        reasons = {r.reason for r in await asyncio.gather(*late)}
        assert not (asyncio.all_tasks() - {asyncio.current_task()}), "nothing is left behind"
        well.set()
        after = await RAGTool("u", base_url=url).retrieve_chunks_from_text("q")
        return [*reasons, after.reason]

    with wire.Peer(serves) as peer:
        assert asyncio.run(calls(peer.url)) == ["timeout", "no_match"]


@pytest.mark.parametrize("scheme", ["http", "https"])  # with the latter, in the handshake
def test_cancel_propagates(scheme: str) -> None:
    async def cancel(peer: wire.Peer, asked: asyncio.Event) -> None:
        url = peer.url.replace("http", scheme, 1)
        call = RAGTool("u", base_url=url).retrieve_chunks_from_text("q")
        task = asyncio.ensure_future(call)
        await asyncio.wait_for(asked.wait(), 10)
        task.cancel("enough")
        with pytest.raises(asyncio.CancelledError):
            await task
        assert task.cancelled()
        assert not (asyncio.all_tasks() - {asyncio.current_task()}), "nothing is left behind"

    async def run() -> None:
        loop, asked = asyncio.get_running_loop(), asyncio.Event()

        def hangs(c: wire.Connection) -> None:
            c.begin()
            loop.call_soon_threadsafe(asked.set)
            c.wait_closed()

        with wire.Peer(hangs) as peer:
            await cancel(peer, asked)
            assert peer.connections[0].closed.wait(10), "the server sees the caller leave"

    asyncio.run(run())


def test_callers_own_timeout_is_obeyed() -> None:
    async def run(url: str) -> None:
        call = RAGTool("u", base_url=url).retrieve_chunks_from_text("q")
        with pytest.raises(asyncio.TimeoutError) as caught:
            await asyncio.wait_for(call, 0.2)
        assert not isinstance(caught.value, DeadlineExceeded)

    with wire.Peer(wire.hangs) as peer:
        asyncio.run(run(peer.url))


async def twice(url: str) -> list[str | None]:
    return [
        (await RAGTool("u", base_url=url).retrieve_chunks_from_text("q")).reason for _ in range(2)
    ]


def twice_sync(url: str) -> list[str | None]:
    return [SyncRAGTool("u", base_url=url).retrieve_chunks_from_text("q").reason for _ in range(2)]


@pytest.mark.parametrize("kind", ["async", "sync"])
@pytest.mark.parametrize(
    ("name", "serves", "reasons", "connections"),
    [
        ("kept", [wire.answers], ["no_match", "no_match"], 1),
        ("stale", [wire.answers_once, wire.answers], ["no_match", "no_match"], 2),
        ("stale, then down", [wire.answers_once, wire.hangs_up], ["no_match", "unreachable"], 2),
        ("down", [wire.hangs_up], ["unreachable", "unreachable"], 2),
    ],
)
def test_connections(
    kind: str, name: str, serves: list[wire.Serve], reasons: list[str], connections: int
) -> None:
    with wire.Peer(*serves) as peer:
        got = asyncio.run(twice(peer.url)) if kind == "async" else twice_sync(peer.url)
        assert got == reasons, name
        assert len(peer.connections) == connections, name


def test_nobody_there(retrieve: Retrieve) -> None:
    with pytest.raises(Unavailable) as caught:
        retrieve(base_url="http://127.0.0.1:1", strict=True)
    assert caught.value.code == "unreachable"


def test_endless_answer_is_not_read(retrieve: Retrieve, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(answer, "MAX_ANSWER_BYTES", 1 << 20)

    def endless(c: wire.Connection) -> None:
        c.request()
        c.send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
        while c.send(b"10000\r\n" + b" " * 0x10000 + b"\r\n"):
            pass

    with wire.Peer(endless) as peer:
        assert retrieve(base_url=peer.url).reason == "bad_answer"
        assert peer.connections[0].closed.wait(10)


def test_environment_of_other_programs(
    retrieve: Retrieve, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    netrc = tmp_path / "netrc"
    netrc.write_text("machine 127.0.0.1 login somebody password else")
    monkeypatch.setenv("NETRC", str(netrc))
    seen: list[bytes] = []

    def looks(c: wire.Connection) -> None:
        while (request := c.request()) is not None:
            seen.append(request)
            c.send(wire.empty())

    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    with wire.Peer(looks) as peer:
        assert retrieve(base_url=peer.url).reason == "no_match"
    assert b"authorization" not in seen[0].lower()


@pytest.mark.parametrize("kind", ["async", "sync"])
def test_cookies_of_one_user_do_not_reach_the_next(kind: str) -> None:
    heads: list[bytes] = []

    def sets_cookie(c: wire.Connection) -> None:
        while (request := c.request()) is not None:
            heads.append(request)
            c.send(wire.empty().replace(b"\r\n\r\n", b"\r\nSet-Cookie: session=alice\r\n\r\n", 1))

    with wire.Peer(sets_cookie) as peer:
        got = asyncio.run(twice(peer.url)) if kind == "async" else twice_sync(peer.url)
        assert got == ["no_match", "no_match"]
    assert len(heads) == 2
    assert b"cookie" not in heads[1].lower()


class Recorder(httpcore.NetworkStream):
    """A connection that notes how long each wait may be."""

    def __init__(self) -> None:
        self.waits: list[float | None] = []

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        self.waits.append(timeout)
        return b""

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        self.waits.append(timeout)


def test_sync_waits_have_what_is_left() -> None:
    inner = Recorder()
    stream = process.Stream(inner)
    with process.until(time.monotonic() + 7):
        stream.read(1)
        stream.read(1, 100)
        stream.read(1, 0.5)
        stream.write(b"x" * 100_000)
        waits = [w or 0 for w in inner.waits]
        assert waits[2] == 0.5
        assert len(waits) == 5
        assert all(0 < w <= 7 for w in waits)
        assert waits[0] >= waits[1] >= waits[3] >= waits[4], "they share one deadline"
    with process.until(time.monotonic() - 1), pytest.raises(httpcore.ReadTimeout):
        stream.read(1)
    assert len(inner.waits) == 5
