"""What both tools do before a call and after it."""

from __future__ import annotations

import logging
import math
from collections.abc import Iterable, Sequence
from typing import Literal
from uuid import UUID

from .address import authorization, retrieve_url
from .chunk import Chunks
from .config import RetrievalConfig
from .errors import InvalidRequest, WeirError, invalid
from .request import Call, bounds, headers, question, vector

DEFAULT_TIMEOUT = 10.0

Mode = Literal["hybrid", "vector", "lexical"]


class Tool:
    """What a tool is told, and how its calls end."""

    def __init__(
        self,
        user_id: str | UUID,
        config: RetrievalConfig | None = None,
        context: str | None = None,
        *,
        strict: bool = False,
        timeout: float = DEFAULT_TIMEOUT,
        mode: Mode | None = None,
        neighbors: int = 0,
        document_ids: Sequence[str] = (),
        base_url: str | None = None,
        api_key: str | None = None,
    ) -> None:
        """Nothing is opened or asked until the first call, so that a tool for each call
        costs nothing.

        user_id: whose documents are searched. Checked by each call.
        config: how much to retrieve; RetrievalConfig.default() when None. Read, and
            checked, by each call.
        context: a label of the caller's own, kept as it is and not sent.
        strict: raise a WeirError where otherwise the answer is an empty list.
        timeout: seconds within which every call ends.
        mode: hybrid, vector or lexical; the server's default when None.
        neighbors: passages before and after each hit, inside the budget.
        document_ids: search only in these; in all when empty.
        base_url: address of the server; WEIR_URL when None.
        api_key: sent as a bearer token; WEIR_API_KEY when None.

        Raises ValueError for an address, key or timeout that cannot be used, and for
        document_ids that are one text, of which each letter would be an id.
        """
        if not (math.isfinite(timeout) and 0 < timeout <= 3600):
            raise ValueError(f"timeout must be above 0 and at most 3600 s, not {timeout!r}")
        if isinstance(document_ids, str):
            raise invalid("document_ids", "must be a list of ids, not one text")
        self.user_id = user_id
        self.context = context
        self.config = config if config is not None else RetrievalConfig.default()
        self.strict = strict
        self.timeout = timeout
        self.mode: Mode | None = mode
        self.neighbors = neighbors
        self.document_ids = tuple(document_ids)
        self.logger = logging.getLogger("RAGTool")
        self._url = retrieve_url(base_url)
        self._authorization = authorization(api_key)

    def __repr__(self) -> str:
        return f"{type(self).__name__}(config={self.config!r}, strict={self.strict!r})"

    def _text_call(self, query_text: object) -> Call:
        text = question(query_text)
        self.config.validate()
        return self._call({"query": text})

    def _vector_call(self, query_embedding: Iterable[float]) -> Call:
        return self._call({"embedding": vector(query_embedding)})

    def _call(self, body: dict[str, object]) -> Call:
        body |= bounds(self.config)
        if self.mode is not None:
            body["mode"] = self.mode
        if self.neighbors:
            body["neighbors"] = self.neighbors
        if self.document_ids:
            body["document_ids"] = list(self.document_ids)
        sent = headers(self.user_id, self._authorization)
        return Call(self._url, sent, body, self.timeout)

    def _ended(self, chunks: Chunks) -> Chunks:
        """Log what a caller might not look at. Never the question, the passages or the user."""
        if chunks.degraded:
            self.logger.warning(
                "retrieval degraded: operation=%s mode=%s stages=%s",
                chunks.operation_id,
                chunks.mode,
                ",".join(f"{d.stage}:{d.reason}" for d in chunks.degraded),
            )
        if not chunks:
            self.logger.warning(
                "retrieval empty: operation=%s reason=%s", chunks.operation_id, chunks.reason
            )
        return chunks

    def _failed(self, err: WeirError) -> Chunks:
        """Raise it, or log it and answer with an empty list that knows it."""
        if self.strict:
            raise err
        self.logger.error(
            "retrieval failed: operation=%s code=%s detail=%s",
            err.operation_id,
            err.code,
            err.detail,
        )
        return Chunks(error=err)


def unexpected(err: Exception) -> WeirError:
    """The error for a fault that is none of the expected ones: a bug, which must not
    reach a caller that was never told of exceptions, nor be lost."""
    logging.getLogger("RAGTool").error("fault in the client", exc_info=err)
    return WeirError(f"{type(err).__name__} in the client", code="client")


def must_be_text(query_text: object) -> None:
    """Raise for a question that could never have been one, strict or not, as a slip of
    the program and not of its user."""
    if query_text and not isinstance(query_text, (str, bytes, bytearray)):
        err: InvalidRequest = invalid("query", f"must be text, not {type(query_text).__name__}")
        raise err
