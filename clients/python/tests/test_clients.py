"""One client for each loop and each process, closed with it."""

from __future__ import annotations

import asyncio
import gc
import os
import subprocess
import sys
import weakref
from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest

import wire
from weir_rag import RAGTool, SyncRAGTool, aclose, loops, process


async def ask(url: str) -> str | None:
    return (await RAGTool("u", base_url=url).retrieve_chunks_from_text("q")).reason


def test_one_client_for_all_tools_of_a_loop(monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[httpx.AsyncClient] = []
    new = loops.new_client

    def count(*, tls: bool) -> httpx.AsyncClient:
        made.append(new(tls=tls))
        return made[-1]

    monkeypatch.setattr(loops, "new_client", count)

    async def many(url: str) -> set[str | None]:
        return set(await asyncio.gather(*(ask(url) for _ in range(50))))

    with wire.Peer(wire.answers) as peer:
        for runs in (1, 2, 3):
            assert asyncio.run(many(peer.url)) == {"no_match"}
            assert len(made) == runs, "one for each asyncio.run"
            assert made[-1].is_closed, "closed with its loop"
        assert all(c.closed.wait(10) for c in peer.connections)


def test_loop_closed_by_hand() -> None:
    with wire.Peer(wire.answers) as peer:
        loop = asyncio.new_event_loop()
        assert loop.run_until_complete(ask(peer.url)) == "no_match"
        assert loop.run_until_complete(ask(peer.url)) == "no_match"
        loop.close()
        loop.close()  # as often as one likes
        assert peer.connections[0].closed.wait(10)
        assert len(peer.connections) == 1


@pytest.mark.filterwarnings("ignore")
def test_loop_closed_while_another_runs() -> None:
    """Nothing can be awaited then: the connections go with the loop's memory, which asyncio
    warns of. It must close all the same."""

    def leave_behind(url: str) -> None:
        other = asyncio.new_event_loop()
        other.run_until_complete(ask(url))

        async def close() -> None:
            other.close()

        asyncio.run(close())
        assert other.is_closed()

    with wire.Peer(wire.answers) as peer:
        leave_behind(peer.url)
        gc.collect()
        assert peer.connections[0].closed.wait(10)


def test_a_loop_is_not_kept_alive() -> None:
    with wire.Peer(wire.answers) as peer:
        loop = asyncio.new_event_loop()
        loop.run_until_complete(ask(peer.url))
        loop.close()
        gone = weakref.ref(loop)
        del loop
        gc.collect()
        assert gone() is None
        assert len(loops._table) == 0


def test_aclose_and_again() -> None:
    async def run(url: str) -> list[str | None]:
        await aclose()  # nothing there yet
        first = await ask(url)
        await aclose()
        return [first, await ask(url)]

    with wire.Peer(wire.answers) as peer:
        assert asyncio.run(run(peer.url)) == ["no_match", "no_match"]
        assert len(peer.connections) == 2


def test_loops_in_threads() -> None:
    def thread(url: str) -> list[str | None]:
        async def run() -> list[str | None]:
            return list(await asyncio.gather(*(ask(url) for _ in range(5))))

        return [reason for _ in range(3) for reason in asyncio.run(run())]

    with wire.Peer(wire.answers) as peer, ThreadPoolExecutor(8) as pool:
        for reasons in pool.map(thread, [peer.url] * 8):
            assert reasons == ["no_match"] * 15


def test_sync_tool_in_threads() -> None:
    def thread(url: str) -> str | None:
        return SyncRAGTool("u", base_url=url).retrieve_chunks_from_text("q").reason

    with wire.Peer(wire.answers) as peer, ThreadPoolExecutor(8) as pool:
        assert set(pool.map(thread, [peer.url] * 64)) == {"no_match"}
        assert len(peer.connections) <= 8
        first = process.client(tls=False)
        process.close()
        assert first.is_closed
        assert thread(peer.url) == "no_match"
        process.close()


def script(code: str, url: str) -> str:
    """Run a program in which every warning counts; returns what it prints."""
    done = subprocess.run(
        [sys.executable, "-X", "dev", "-W", "error", "-c", code, url],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.stderr == ""
    assert done.returncode == 0
    return done.stdout


def test_a_program_ends_without_warnings() -> None:
    code = """
import asyncio, sys
from weir_rag import RAGTool, SyncRAGTool
tool = RAGTool("u", base_url=sys.argv[1])
for _ in range(3):
    print(asyncio.run(tool.retrieve_chunks_from_text("q")).reason)
loop = asyncio.new_event_loop()
print(loop.run_until_complete(tool.retrieve_chunks_from_text("q")).reason)
loop.close()
print(SyncRAGTool("u", base_url=sys.argv[1]).retrieve_chunks_from_text("q").reason)
"""
    with wire.Peer(wire.answers) as peer:
        assert script("import logging; logging.disable()" + code, peer.url) == "no_match\n" * 5


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system does not fork")
def test_a_child_does_not_touch_its_parents_connections() -> None:
    code = """
import asyncio, logging, os, sys
logging.disable()
from weir_rag import RAGTool, SyncRAGTool, aclose, loops
url = sys.argv[1]
loop = asyncio.new_event_loop()
tool = RAGTool("u", base_url=url)
ask = lambda: loop.run_until_complete(tool.retrieve_chunks_from_text("q")).reason
sync = lambda: SyncRAGTool("u", base_url=url).retrieve_chunks_from_text("q").reason
assert (ask(), sync()) == ("no_match", "no_match")
async def client(): return loops.client(tls=False)
parents = loop.run_until_complete(client())
pid = os.fork()
if pid == 0:
    fails = 1
    try:
        loop.run_until_complete(aclose())
        assert not parents.is_closed
        assert loop.run_until_complete(client()) is not parents
        assert sync() == "no_match"
        assert asyncio.run(tool.retrieve_chunks_from_text("q")).reason == "no_match"
        assert not parents.is_closed
        fails = 0
    finally:
        os._exit(fails)
assert os.waitpid(pid, 0)[1] == 0
assert (ask(), sync()) == ("no_match", "no_match")
loop.close()
"""
    with wire.Peer(wire.answers) as peer:
        script(code, peer.url)
        assert len(peer.connections) == 4, "the parent goes on with its two, the child made two"
