"""Sending a call from an event loop, and ending it by its deadline."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import Any

import httpx

from . import answer, loops
from .chunk import Chunks
from .errors import Unavailable
from .request import Call
from .waiting import GaveUpError, within

LOST = (httpx.RemoteProtocolError, httpx.ReadError, httpx.WriteError, httpx.CloseError)
"""How httpx says that a connection broke."""


async def exchange(call: Call) -> Chunks:
    """The answer to a call, by its deadline."""
    try:
        return await within(call.left(), _send(call))
    except (GaveUpError, httpx.TimeoutException) as err:
        raise call.late() from err


async def _send(call: Call) -> Chunks:
    first = Attempt()
    try:
        return await first.send(call)
    except LOST as err:
        if not first.stale():
            raise unreachable(err) from err
    # A kept connection that the server had hung up. Retrieving changes nothing, so it
    # may be asked once more; whatever happens now is final.
    try:
        return await Attempt().send(call)
    except LOST as err:
        raise unreachable(err) from err


def unreachable(err: Exception) -> Unavailable:
    """The error for a connection that could not be made, or broke."""
    return Unavailable(
        f"no connection to the server: {type(err).__name__}: {err}", code="unreachable"
    )


class Attempt:
    """One try, which notes how far it came. The names of the events are httpcore's."""

    def __init__(self) -> None:
        self._connected = False
        self._answered = False
        self._greeting: Any = None  # a connection in its TLS handshake

    def note(self, event: str, info: dict[str, Any]) -> None:
        """Take note of an event of the connection."""
        if event.startswith("connection.connect_"):
            self._connected = True
        if event == "connection.connect_tcp.complete":
            self._greeting = info.get("return_value")
        elif event == "connection.start_tls.complete":
            self._greeting = None
        elif event.endswith("receive_response_headers.complete"):
            self._answered = True

    def stale(self) -> bool:
        """Whether it was sent on a connection kept from before, and got nothing back."""
        return not self._connected and not self._answered

    async def trace(self, event: str, info: dict[str, Any]) -> None:
        """The form in which httpx wants `note`."""
        self.note(event, info)

    async def send(self, call: Call) -> Chunks:
        """Send and read, without a deadline of its own."""
        try:
            return await self._send(call)
        except asyncio.CancelledError:
            # httpcore forgets a connection that is canceled in its TLS handshake.
            if call.tls and self._greeting is not None:
                with suppress(Exception):
                    await self._greeting.aclose()
            raise

    async def _send(self, call: Call) -> Chunks:
        body = bytearray()
        async with loops.client(tls=call.tls).stream(
            "POST",
            call.url,
            headers=call.headers,
            content=call.content(),
            extensions={"trace": self.trace},
        ) as response:
            async for part in response.aiter_bytes():
                body += part
                if len(body) > answer.MAX_ANSWER_BYTES:
                    raise answer.bad(f"it is longer than {answer.MAX_ANSWER_BYTES} bytes")
        return answer.read(response.status_code, response.headers, bytes(body))
