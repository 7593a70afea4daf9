"""Reading what a server answers."""

from __future__ import annotations

import json
import math
import time
from collections.abc import Mapping
from email.utils import parsedate_to_datetime
from typing import Any, TypeVar

from .chunk import Chunks, ChunkWithContext, Degraded
from .errors import ServerFault, WeirError, of_code

MAX_ANSWER_BYTES = 64 << 20
"""The longest answer that is read: a million tokens of text, and room to spare."""

T = TypeVar("T")


def read(status: int, headers: Mapping[str, str], body: bytes) -> Chunks:
    """The passages of an answer. Raises a WeirError for any other."""
    data = _object(body)
    if status != 200:
        raise _problem(status, headers, data)
    if data is None:
        raise bad("it is not a JSON object; is WEIR_URL the address of a Weir server?", status)
    try:
        return _chunks(data)
    except (KeyError, TypeError) as err:
        raise bad(f"it lacks something or has it of another kind: {err}", status) from err


def bad(problem: str, status: int | None = None) -> ServerFault:
    """The error for an answer that is not Weir's."""
    return ServerFault(f"the server's answer: {problem}", code="bad_answer", status=status)


def _chunks(data: dict[str, Any]) -> Chunks:
    out = Chunks(
        ChunkWithContext(
            id=_must(c["id"], str),
            doc_id=_must(c["doc_id"], str),
            chunk_index=_must(c["chunk_index"], int),
            content=_must(c["content"], str),
            section_path=[_must(n, int) for n in c.get("section_path") or []],
            section_title=_may(c.get("section_title"), str),
            page_start=_may(c.get("page_start"), int),
            page_end=_may(c.get("page_end"), int),
            similarity=_number(c.get("similarity")),
            tokens=_may(c.get("tokens"), int),
        )
        for c in (_must(c, dict) for c in _must(data["chunks"], list))
    )
    out.answer = data
    out.mode = _may(data.get("mode"), str)
    out.operation_id = _may(data.get("operation_id"), str)
    out.truncated = bool(data.get("truncated"))
    out.degraded = tuple(
        Degraded(
            stage=_must(d["stage"], str),
            reason=_must(d["reason"], str),
            message=_may(d.get("message"), str),
            retry_after=_seconds(d.get("retry_after_ms")),
        )
        for d in (_must(d, dict) for d in data.get("degraded") or [])
    )
    if not out:
        out.reason = _may(data.get("empty_reason"), str) or "no_match"
    return out


def _problem(status: int, headers: Mapping[str, str], data: dict[str, Any] | None) -> WeirError:
    data = data or {}
    code = data.get("code")
    if not isinstance(code, str):
        # Not Weir's own words: a proxy's, or another server's.
        code = {
            401: "unauthorized",
            403: "forbidden",
            413: "too_large",
            429: "rate_limited",
            502: "unavailable",
            503: "unavailable",
            504: "timeout",
        }.get(status, "bad_answer")
    detail = data.get("detail")
    operation = data.get("operation_id") or headers.get("X-Operation-Id")
    wait = _seconds(data.get("retry_after_ms"))
    return of_code(code)(
        detail if isinstance(detail, str) else f"the server answered with status {status}",
        code=code,
        status=status,
        field=data["field"] if isinstance(data.get("field"), str) else None,
        retry_after=_retry_after(headers.get("Retry-After")) if wait is None else wait,
        operation_id=operation if isinstance(operation, str) else None,
    )


def _object(body: bytes) -> dict[str, Any] | None:
    try:
        data = json.loads(body)
    except (ValueError, RecursionError):
        return None
    return data if isinstance(data, dict) else None


def _retry_after(value: str | None) -> float | None:
    """Seconds, whole or not, or a date; None for anything else."""
    if not value:
        return None
    try:
        wait = float(value)
    except ValueError:
        try:
            wait = max(0.0, parsedate_to_datetime(value).timestamp() - time.time())
        except (ValueError, OverflowError):
            return None
    return wait if math.isfinite(wait) and wait >= 0 else None


def _seconds(ms: object) -> float | None:
    wait = _number(ms) if isinstance(ms, (int, float)) else None
    return wait / 1000 if wait is not None and math.isfinite(wait) and wait >= 0 else None


def _number(value: object) -> float | None:
    return None if value is None else float(_must(value, (int, float)))


def _may(value: Any, kind: type[T]) -> T | None:
    return None if value is None else _must(value, kind)


def _must(value: Any, kind: type[T] | tuple[type[T], ...]) -> T:
    if not isinstance(value, kind) or isinstance(value, bool):
        raise TypeError(f"{type(value).__name__}")
    return value
