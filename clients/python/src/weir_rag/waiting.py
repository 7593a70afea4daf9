"""Waiting for something, but not for ever."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any, TypeVar

T = TypeVar("T")

FAREWELL_SECONDS = 0.1
"""How long work that was given up may take to put its connection away."""

# Tasks that were given up; asyncio itself does not keep a task alive.
_leaving: set[asyncio.Task[Any]] = set()


class GaveUpError(Exception):
    """The time was up. Not a TimeoutError, as the work may raise that itself."""


async def within(seconds: float, work: Coroutine[Any, Any, T]) -> T:
    """The result of work. Raises GaveUpError when there is none after seconds.

    The work runs in a task of its own and the waiter watches the clock, so that work
    which is slow to notice that it was canceled holds up nobody. Of asyncio's own,
    `timeout` is not in Python 3.10, and `wait_for` waits for such work and could swallow
    the caller's cancel there.
    """
    task = asyncio.ensure_future(work)
    try:
        await asyncio.wait({task}, timeout=seconds)
        if task.done():
            return task.result()
        task.cancel()
        await asyncio.wait({task}, timeout=FAREWELL_SECONDS)
        raise GaveUpError
    except asyncio.CancelledError:
        if task.cancel():
            await asyncio.wait({task}, timeout=FAREWELL_SECONDS)
        raise
    finally:
        if not task.done():
            _leaving.add(task)
        task.add_done_callback(_left)


def _left(task: asyncio.Task[Any]) -> None:
    _leaving.discard(task)
    if not task.cancelled():
        task.exception()  # looked at, so that asyncio does not report it as forgotten
