"""One HTTP client for each event loop.

Goals: all calls of a loop share its connections, however many tools there are; no
connection is ever used from two loops or two processes; and when a loop ends, its
connections are closed, without a warning and without anybody having to remember it.

Design: connections refer to their loop, so a table that owned them would keep the loop
alive for ever, weak keys or not. The loop itself owns its client, through the `close`
that is put in front of its own, and the table only knows where it is. asyncio.run,
asyncio.Runner and loop.close() all come by there.
"""

from __future__ import annotations

import asyncio
import os
import weakref
from contextlib import suppress
from weakref import WeakKeyDictionary

import httpx

from .connect import LIMITS, settings, trust
from .waiting import GaveUpError, within

CLOSE_SECONDS = 1.0
"""The longest that closing the connections of a loop may hold it up."""


class Owned:
    """The clients of one loop: one with TLS, one without, or both."""

    def __init__(self) -> None:
        self.pid = os.getpid()
        self.clients: dict[bool, httpx.AsyncClient] = {}

    def open(self, *, tls: bool) -> httpx.AsyncClient:
        """The client, made when there is none."""
        found = self.clients.get(tls)
        if found is None or found.is_closed:
            found = self.clients[tls] = new_client(tls=tls)
        return found

    async def close(self) -> None:
        """Close what is open. In a child process the parent's connections are left
        alone: closing them would take them away from the parent's loop."""
        clients, self.clients = self.clients, {}
        if self.pid != os.getpid():
            _inherited.append(clients)
            return
        for client in clients.values():
            with suppress(GaveUpError, httpx.HTTPError, OSError):
                await within(CLOSE_SECONDS, client.aclose())


# A loop runs in one thread at a time, and nothing goes through the table: no lock is
# needed, and so none can be held by another thread at the moment of a fork.
_table: WeakKeyDictionary[asyncio.AbstractEventLoop, weakref.ref[Owned]] = WeakKeyDictionary()

# Clients of a parent process that a child came across, kept so that their connections
# are not closed by being forgotten.
_inherited: list[dict[bool, httpx.AsyncClient]] = []


def client(*, tls: bool) -> httpx.AsyncClient:
    """The client of the running loop."""
    loop = asyncio.get_running_loop()
    owned = _of(loop)
    if owned is not None and owned.pid != os.getpid():
        _inherited.append(owned.clients)
        owned = None
    if owned is None:
        owned = Owned()
        _table[loop] = weakref.ref(owned)
        _close_with(loop, owned)
    return owned.open(tls=tls)


async def aclose() -> None:
    """Close the running loop's connections now. Not needed, as they are closed with the
    loop; the next call opens new ones."""
    owned = _of(asyncio.get_running_loop())
    if owned is not None:
        await owned.close()


def new_client(*, tls: bool) -> httpx.AsyncClient:
    """A client with a pool of its own."""
    transport = httpx.AsyncHTTPTransport(verify=trust(tls=tls), limits=LIMITS)
    return httpx.AsyncClient(transport=transport, **settings())


def _of(loop: asyncio.AbstractEventLoop) -> Owned | None:
    found = _table.get(loop)
    return found() if found else None


def _close_with(loop: asyncio.AbstractEventLoop, owned: Owned) -> None:
    original = loop.close

    def close() -> None:
        # Where the loop cannot run any more, the connections go with its memory.
        if owned.clients and not loop.is_closed() and not _running():
            loop.run_until_complete(owned.close())
        original()

    setattr(loop, "close", close)  # noqa: B010 - of this one loop, which mypy would not have


def _running() -> bool:
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return False
    return True
