"""The tool for programs with an event loop."""

from __future__ import annotations

from collections.abc import Callable, Iterable

import httpx

from .chunk import Chunks
from .errors import WeirError
from .exchange import exchange, unreachable
from .outcome import Tool, must_be_text, unexpected
from .request import Call


class RAGTool(Tool):
    """Retrieves a user's passages from a Weir server.

    A tool holds no connection: make one for each call or keep one for all, from any
    loop, thread or process. Calls may run side by side on one tool.
    """

    async def retrieve_chunks_from_text(self, query_text: str) -> Chunks:
        """The passages that answer a question, best first.

        An empty question, a config out of bounds and every failure answer with an empty
        list that knows why, or raise a WeirError when the tool is strict. Raises
        ValueError for a question that is not text.
        """
        must_be_text(query_text)
        return await self._run(lambda: self._text_call(query_text))

    async def retrieve_chunks(self, query_embedding: Iterable[float]) -> Chunks:
        """The passages nearest to a vector of the server's embedding model.

        Raises InvalidConfig, an AssertionError, for a config out of bounds. Everything
        else that fails answers with an empty list that knows why, or raises a WeirError
        when the tool is strict.
        """
        self.config.validate()
        return await self._run(lambda: self._vector_call(query_embedding))

    async def _run(self, prepare: Callable[[], Call]) -> Chunks:
        try:
            chunks = await exchange(prepare())
        except WeirError as err:
            return self._failed(err)
        except httpx.HTTPError as err:
            return self._failed(unreachable(err))
        except Exception as err:  # noqa: BLE001 - see unexpected
            return self._failed(unexpected(err))
        return self._ended(chunks)
