"""One call, ready to be sent."""

from __future__ import annotations

import json
import math
import operator
import time
from collections.abc import Iterable
from typing import Any

from .config import RetrievalConfig
from .errors import DeadlineExceeded, InvalidRequest, invalid
from .version import __version__

# The server's bounds. Asking for more used to be allowed, and "at most a million" is
# still true of a thousand.
MAX_CHUNKS = 1000
MAX_TOKEN_BUDGET = 1_000_000

MAX_USER_BYTES = 256


class Call:
    """A request and its deadline."""

    def __init__(
        self, url: str, headers: list[tuple[bytes, bytes]], body: dict[str, object], timeout: float
    ) -> None:
        self.url = url
        self.tls = url.startswith("https:")
        self.headers = headers
        self._body = body
        self._timeout = timeout
        # The server is told to end a little before the caller's time is up, so that its
        # answer, which says what went wrong, still arrives.
        self._margin = min(0.5, timeout / 10)
        self._ends = time.monotonic() + timeout

    def left(self) -> float:
        """Seconds until the deadline; never negative."""
        return max(0.0, self._ends - time.monotonic())

    @property
    def ends(self) -> float:
        """The deadline, on time.monotonic's clock."""
        return self._ends

    def content(self) -> bytes:
        """The body, with the time that is left for the server."""
        left = int((self.left() - self._margin) * 1000)
        if left < 1:
            raise self.late()
        return encode({**self._body, "timeout_ms": left})

    def late(self) -> DeadlineExceeded:
        """The error for a deadline that has passed."""
        return DeadlineExceeded(f"no answer within {self._timeout:g} s", code="timeout")


def user_header(user_id: object) -> bytes:
    """The X-User-ID header. A user that is missing must not become the server's default
    user, nor one with a space at its end or in bytes somebody else."""
    if isinstance(user_id, (bytes, bytearray, memoryview)):
        raise invalid("user_id", f"must be text, not {type(user_id).__name__}")
    user = "" if user_id is None else str(user_id)
    try:
        raw = user.encode("utf-8")
    except UnicodeEncodeError:
        raise invalid("user_id", "is not valid Unicode") from None
    if not raw:
        raise invalid("user_id", "is empty; name the user whose documents are meant")
    if len(raw) > MAX_USER_BYTES:
        raise invalid("user_id", f"is {len(raw)} bytes long; the limit is {MAX_USER_BYTES}")
    if user != user.strip(" "):
        raise invalid("user_id", "begins or ends with a space, which a header cannot carry")
    if any(ord(c) < 0x20 or 0x7F <= ord(c) <= 0x9F for c in user):
        raise invalid("user_id", "holds a control character")
    return raw


def headers(user_id: object, authorization: bytes | None) -> list[tuple[bytes, bytes]]:
    """The headers of a call."""
    out = [
        (b"X-User-ID", user_header(user_id)),
        (b"Content-Type", b"application/json"),
        (b"Accept", b"application/json, application/problem+json"),
        # An answer is small, and one that inflates could not be bounded before it is read.
        (b"Accept-Encoding", b"identity"),
        (b"User-Agent", f"weir-rag/{__version__}".encode()),
    ]
    if authorization:
        out.append((b"Authorization", authorization))
    return out


def bounds(config: RetrievalConfig) -> dict[str, object]:
    """The fields of a config that was found valid."""
    try:
        return {
            "similarity_threshold": float(config.similarity_threshold),
            "max_chunks": min(operator.index(config.max_chunks), MAX_CHUNKS),
            "token_budget": min(operator.index(config.token_budget), MAX_TOKEN_BUDGET),
        }
    except (TypeError, ValueError) as err:
        raise InvalidRequest(f"config: {err}", code="invalid", field="config") from err


def question(text: object) -> str:
    """A question that is not empty."""
    if not text:
        raise invalid("query", "is empty")
    if not isinstance(text, str):
        raise invalid("query", f"must be text, not {type(text).__name__}")
    if not text.strip():
        raise invalid("query", "is empty")
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:
        raise invalid("query", "is not valid Unicode") from None
    return text


def vector(values: Iterable[float]) -> list[float]:
    """The numbers of an embedding: a list, a tuple, or an array of numpy."""
    try:
        out = [float(v) for v in values]
    except (TypeError, ValueError, OverflowError) as err:
        raise invalid("embedding", f"is not a list of numbers: {err}") from err
    if not out:
        raise invalid("embedding", "is empty")
    if not all(map(math.isfinite, out)):
        raise invalid("embedding", "holds a value that is not finite")
    return out


def encode(body: dict[str, Any]) -> bytes:
    """JSON in UTF-8."""
    return json.dumps(body, ensure_ascii=False, allow_nan=False, separators=(",", ":")).encode()
