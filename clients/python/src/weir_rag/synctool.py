"""The tool for programs without an event loop."""

from __future__ import annotations

from collections.abc import Callable, Iterable

import httpx

from . import answer, process
from .chunk import Chunks
from .errors import WeirError
from .exchange import LOST, Attempt, unreachable
from .outcome import Tool, must_be_text, unexpected
from .request import Call


class SyncRAGTool(Tool):
    """RAGTool for code that does not await: same arguments, same answers.

    In a coroutine use RAGTool, as a call of this one stops the event loop until it ends.
    """

    def retrieve_chunks_from_text(self, query_text: str) -> Chunks:
        """See RAGTool.retrieve_chunks_from_text."""
        must_be_text(query_text)
        return self._run(lambda: self._text_call(query_text))

    def retrieve_chunks(self, query_embedding: Iterable[float]) -> Chunks:
        """See RAGTool.retrieve_chunks."""
        self.config.validate()
        return self._run(lambda: self._vector_call(query_embedding))

    def _run(self, prepare: Callable[[], Call]) -> Chunks:
        try:
            chunks = _exchange(prepare())
        except WeirError as err:
            return self._failed(err)
        except httpx.HTTPError as err:
            return self._failed(unreachable(err))
        except Exception as err:  # noqa: BLE001 - see unexpected
            return self._failed(unexpected(err))
        return self._ended(chunks)


def _exchange(call: Call) -> Chunks:
    with process.until(call.ends):
        try:
            return _send(call)
        except httpx.TimeoutException as err:
            raise call.late() from err


def _send(call: Call) -> Chunks:
    first = Attempt()
    try:
        return _attempt(call, first)
    except LOST as err:
        if not first.stale():
            raise unreachable(err) from err
    return _attempt(call, Attempt())  # once more, on the terms of exchange._send


def _attempt(call: Call, attempt: Attempt) -> Chunks:
    body = bytearray()
    with process.client(tls=call.tls).stream(
        "POST",
        call.url,
        headers=call.headers,
        content=call.content(),
        extensions={"trace": attempt.note},
    ) as response:
        for part in response.iter_bytes():
            body += part
            if len(body) > answer.MAX_ANSWER_BYTES:
                raise answer.bad(f"it is longer than {answer.MAX_ANSWER_BYTES} bytes")
    return answer.read(response.status_code, response.headers, bytes(body))
