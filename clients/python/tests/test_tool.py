"""What is sent, and what becomes of each answer, without a network."""

from __future__ import annotations

import asyncio
import inspect
import json
import logging
import math
import uuid
from datetime import datetime, timedelta, timezone
from email.utils import format_datetime
from typing import Any

import httpx
import pytest

from conftest import ANSWER, CHUNK, Retrieve, Server
from weir_rag import (
    AccessDenied,
    Chunks,
    DeadlineExceeded,
    Degraded,
    InvalidConfig,
    InvalidRequest,
    Overloaded,
    RAGTool,
    RetrievalConfig,
    ServerFault,
    SyncRAGTool,
    Unavailable,
    WeirError,
)


def body_of(request: httpx.Request) -> Any:
    return json.loads(request.content)


def test_signatures_are_the_old_ones() -> None:
    for kind in (RAGTool, SyncRAGTool):
        assert list(inspect.signature(kind).parameters)[:3] == ["user_id", "config", "context"]
        tool = kind("u", None, "chat")
        assert (tool.user_id, tool.context) == ("u", "chat")
        assert tool.config == RetrievalConfig.default()
        config = RetrievalConfig(0.5)
        assert kind("u", config).config is config
    assert inspect.iscoroutinefunction(RAGTool.retrieve_chunks)
    assert inspect.iscoroutinefunction(RAGTool.retrieve_chunks_from_text)


def test_what_is_sent(server: Server, retrieve: Retrieve) -> None:
    retrieve(
        "Wie viele Sitzungen? 电池",
        user_id="zoë",
        config=RetrievalConfig(0.4, 7, 900),
        base_url="https://weir.example/rag/",
        api_key="key-1",
    )
    (request,) = server.requests
    assert request.method == "POST"
    assert str(request.url) == "https://weir.example/rag/v1/retrieve"
    assert dict(request.headers.raw)[b"X-User-ID"] == "zoë".encode()
    assert request.headers["Authorization"] == "Bearer key-1"
    assert request.headers["Content-Type"] == "application/json"
    body = body_of(request)
    assert 5000 < body.pop("timeout_ms") <= 9500  # what a busy machine took is gone
    assert body == {
        "query": "Wie viele Sitzungen? 电池",
        "similarity_threshold": 0.4,
        "max_chunks": 7,
        "token_budget": 900,
    }


def test_what_may_be_said_besides(server: Server, retrieve: Retrieve) -> None:
    retrieve(timeout=2, mode="vector", neighbors=1, document_ids=["a", "b"])
    body = body_of(server.requests[0])
    assert 0 < body["timeout_ms"] <= 1800
    assert (body["mode"], body["neighbors"], body["document_ids"]) == ("vector", 1, ["a", "b"])
    assert str(server.requests[0].url) == "http://127.0.0.1:8080/v1/retrieve"
    assert "Authorization" not in server.requests[0].headers


def test_environment(server: Server, retrieve: Retrieve, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WEIR_URL", "http://weir.internal:9000")
    monkeypatch.setenv("WEIR_API_KEY", "from-env\n")
    retrieve()
    retrieve(base_url="http://other:1", api_key="given")
    assert [str(r.url.copy_with(path="/")) for r in server.requests] == [
        "http://weir.internal:9000/",
        "http://other:1/",
    ]
    assert [r.headers["Authorization"] for r in server.requests] == [
        "Bearer from-env",
        "Bearer given",
    ]


def test_more_than_the_server_gives(server: Server, retrieve: Retrieve) -> None:
    retrieve(config=RetrievalConfig(max_chunks=5000, token_budget=10**9))
    body = body_of(server.requests[0])
    assert (body["max_chunks"], body["token_budget"]) == (1000, 1_000_000)


def test_embedding(server: Server, retrieve: Retrieve) -> None:
    retrieve(embedding=(1, 0.5, -2))
    body = body_of(server.requests[0])
    assert body["embedding"] == [1.0, 0.5, -2.0]
    assert "query" not in body


def test_user_as_uuid(server: Server, retrieve: Retrieve) -> None:
    user = uuid.UUID("0905435f-50e2-428a-9a59-0c92f27f5097")
    retrieve(user_id=user)
    assert server.requests[0].headers["X-User-ID"] == str(user)


@pytest.mark.parametrize(
    ("name", "key", "address"),
    [
        ("no scheme", None, "127.0.0.1:8080"),
        ("other scheme", None, "ftp://host"),
        ("no host", None, "http://"),
        ("query", None, "http://host?x=1"),
        ("password", None, "http://u:secret@host"),
        ("bad port", None, "http://host:port"),
        ("key of two lines", "secret\nsecret", None),
        ("key with a space", "secret secret", None),
        ("key beyond ASCII", "secret-é", None),
    ],
)
def test_address_or_key_that_cannot_be(name: str, key: str | None, address: str | None) -> None:
    with pytest.raises(ValueError) as caught:  # noqa: PT011
        RAGTool("u", base_url=address, api_key=key)
    assert "secret" not in str(caught.value), name
    assert caught.value.__cause__ is None


@pytest.mark.parametrize("timeout", [0, -1, math.nan, math.inf, 1e9])
def test_timeout_that_cannot_be(timeout: float) -> None:
    with pytest.raises(ValueError, match="timeout"):
        RAGTool("u", timeout=timeout)


def test_one_id_is_no_list_of_ids() -> None:
    with pytest.raises(ValueError, match="document_ids"):
        RAGTool("member", document_ids="3f0c")


def test_key_is_not_shown(server: Server, caplog: pytest.LogCaptureFixture) -> None:
    server.says(401, {"code": "unauthorized", "detail": "who are you?"})
    tool = RAGTool("member-7", api_key="secret-key", strict=True)
    with pytest.raises(AccessDenied) as caught:
        asyncio.run(tool.retrieve_chunks_from_text("how are my kidneys?"))
    shown = repr(tool) + str(caught.value) + repr(caught.value) + caplog.text
    assert "secret-key" not in shown


def test_answer(server: Server, retrieve: Retrieve) -> None:
    chunks = retrieve(strict=True)
    (chunk,) = chunks
    assert chunk.to_dict() == {k: CHUNK[k] for k in chunk.to_dict()}
    assert (chunks.reason, chunks.error, chunks.degraded) == (None, None, ())
    assert (chunks.mode, chunks.operation_id, chunks.truncated) == ("hybrid", "op-1", False)
    assert chunks.answer == ANSWER


def test_nulls_and_fields_of_later_servers(server: Server, retrieve: Retrieve) -> None:
    nulls = dict.fromkeys(["section_title", "page_start", "page_end", "similarity", "tokens"])
    server.says(200, {"chunks": [{**CHUNK, **nulls, "section_path": None, "new": 1}], "new": {}})
    (chunk,) = retrieve(strict=True)
    assert chunk.section_path == []
    assert chunk.similarity is None


def test_degraded(server: Server, retrieve: Retrieve, caplog: pytest.LogCaptureFixture) -> None:
    lost = {"stage": "embed", "reason": "timeout", "message": "slow", "retry_after_ms": 1200}
    server.says(200, {**ANSWER, "degraded": [lost]})
    chunks = retrieve()
    assert chunks.degraded == (Degraded("embed", "timeout", "slow", 1.2),)
    assert "embed:timeout" in caplog.text


def test_empty_is_an_answer(
    server: Server, retrieve: Retrieve, caplog: pytest.LogCaptureFixture
) -> None:
    server.says(200, {**ANSWER, "chunks": [], "empty_reason": "still_indexing"})
    chunks = retrieve("secret question", user_id="member-7", strict=True)
    assert chunks == []
    assert (chunks.reason, chunks.error) == ("still_indexing", None)
    assert "still_indexing" in caplog.text
    assert "secret question" not in caplog.text
    assert "member-7" not in caplog.text


PROBLEMS = [
    (400, {"code": "invalid", "field": "embedding", "detail": "has 3 values"}, InvalidRequest),
    (401, {"code": "unauthorized"}, AccessDenied),
    (403, {"code": "forbidden"}, AccessDenied),
    (413, {"code": "too_large"}, InvalidRequest),
    (429, {"code": "rate_limited", "retry_after_ms": 1500}, Overloaded),
    (503, {"code": "overloaded", "retry_after_ms": 1500}, Overloaded),
    (503, {"code": "unavailable"}, Unavailable),
    (504, {"code": "timeout"}, DeadlineExceeded),
    (500, {"code": "internal"}, ServerFault),
    (418, {"code": "of_a_later_version"}, ServerFault),
    (401, None, AccessDenied),
    (429, None, Overloaded),
    (502, None, Unavailable),
    (504, [], DeadlineExceeded),
    (404, {"message": "not Weir"}, ServerFault),
    (301, None, ServerFault),
]


@pytest.mark.parametrize(("status", "body", "kind"), PROBLEMS)
def test_problem(
    status: int,
    body: Any,
    kind: type[WeirError],
    server: Server,
    retrieve: Retrieve,
    caplog: pytest.LogCaptureFixture,
) -> None:
    server.says(status, body, {"X-Operation-Id": "op-9", "Location": "http://elsewhere/"})
    chunks = retrieve("secret question")
    assert chunks == []
    assert type(chunks.error) is kind
    assert chunks.reason == chunks.error.code
    assert chunks.error.status == status
    assert chunks.operation_id == "op-9"
    assert chunks.reason in caplog.text
    assert "secret question" not in caplog.text
    with pytest.raises(kind):
        retrieve(strict=True)
    assert len(server.requests) == 2, "nothing is tried twice"
    if isinstance(body, dict) and "retry_after_ms" in body:
        assert chunks.error.retry_after == 1.5
    if isinstance(body, dict) and "field" in body:
        assert (chunks.error.field, chunks.error.detail) == ("embedding", "has 3 values")


@pytest.mark.parametrize(
    ("value", "least", "most"),
    [
        ("7", 7, 7),
        ("1.5", 1.5, 1.5),
        ("in an hour", 3500, 3600),
        ("Fri, 01 Jan 1999 00:00:00 GMT", 0, 0),
        ("soon", None, None),
        ("-5", None, None),
        ("nan", None, None),
        ("1e999", None, None),
        ("", None, None),
    ],
)
def test_retry_after(value: str, least: float | None, most: float | None, server: Server) -> None:
    if value == "in an hour":  # from now on, and not from when the tests were collected
        value = format_datetime(datetime.now(timezone.utc) + timedelta(hours=1), usegmt=True)
    server.says(503, {"code": "overloaded"}, {"Retry-After": value})
    error = SyncRAGTool("u").retrieve_chunks_from_text("q").error
    assert error is not None
    if least is None or most is None:
        assert error.retry_after is None
    else:
        assert error.retry_after is not None
        assert least <= error.retry_after <= most


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"<html>",
        b"[]",
        b"{}",
        b'{"chunks": null}',
        b'{"chunks": [1]}',
        b'{"chunks": [{"id": "x"}]}',
        json.dumps({"chunks": [{**CHUNK, "chunk_index": "1"}]}).encode(),
        json.dumps({"chunks": [{**CHUNK, "page_start": True}]}).encode(),
        json.dumps({"chunks": [{**CHUNK, "section_path": 7}]}).encode(),
        json.dumps({"chunks": [], "degraded": [{}]}).encode(),
        b"[" * 100_000,
        b'{"chunks": [], "mode": "\xff"}',
    ],
)
def test_answer_of_something_else(content: bytes, server: Server, retrieve: Retrieve) -> None:
    server.answer = lambda _: httpx.Response(200, content=content)
    chunks = retrieve()
    assert chunks == []
    assert chunks.reason == "bad_answer"


@pytest.mark.parametrize("question", ["", "  \n", None, 0, [], b"bytes", b""])
def test_question_that_found_nothing_before(
    question: object, server: Server, retrieve: Retrieve
) -> None:
    chunks = retrieve(question)
    assert chunks == []
    assert chunks.reason == "invalid"
    with pytest.raises(InvalidRequest, match="query"):
        retrieve(question, strict=True)
    assert server.requests == []


@pytest.mark.parametrize("question", [5, ["a"], {"q": 1}, 1.5])
def test_question_that_raised_before(question: object, server: Server, retrieve: Retrieve) -> None:
    with pytest.raises(ValueError, match="query: must be text"):
        retrieve(question)
    assert server.requests == []


@pytest.mark.parametrize(
    "embedding", [[], [math.nan], [math.inf], ["a"], 7, "text", [None], [[1.0]], [10**400]]
)
def test_embedding_that_found_nothing_before(
    embedding: object, server: Server, retrieve: Retrieve
) -> None:
    chunks = retrieve(embedding=embedding)
    assert chunks == []
    assert chunks.reason == "invalid"
    with pytest.raises(InvalidRequest, match="embedding"):
        retrieve(embedding=embedding, strict=True)
    assert server.requests == []


def test_config_out_of_bounds(server: Server, retrieve: Retrieve) -> None:
    config = RetrievalConfig(max_chunks=0)
    for strict in (False, True):
        with pytest.raises(AssertionError):
            retrieve(embedding=[1.0], config=config, strict=strict)
    assert retrieve(config=config).reason == "invalid"
    with pytest.raises(InvalidConfig):
        retrieve(config=config, strict=True)
    half = retrieve(config=RetrievalConfig(max_chunks=2.5))  # type: ignore[arg-type]
    assert half.reason == "invalid"
    assert server.requests == []


@pytest.mark.parametrize(
    "user",
    [None, "", " ", "u ", " u", "u\r\nX-User-ID: v", "u\x00", "u\x85", "é" * 129, "\ud800", b"u"],
)
def test_user_who_is_nobody(user: Any, server: Server, retrieve: Retrieve) -> None:
    chunks = retrieve(user_id=user)
    assert chunks.reason == "invalid"
    assert chunks.error is not None
    assert chunks.error.field == "user_id"
    assert server.requests == [], "it must not become the server's default user"


def test_text_that_is_not_unicode(server: Server, retrieve: Retrieve) -> None:
    assert retrieve("half a pair: \ud800").reason == "invalid"
    assert server.requests == []


def test_bug_is_logged_and_not_raised(
    server: Server, retrieve: Retrieve, caplog: pytest.LogCaptureFixture
) -> None:
    def broken(_: httpx.Request) -> httpx.Response:
        raise ZeroDivisionError("a bug")

    server.answer = broken
    assert retrieve().reason == "client"
    assert "ZeroDivisionError: a bug" in caplog.text
    with pytest.raises(WeirError):
        retrieve(strict=True)


@pytest.mark.parametrize("error", [httpx.ConnectError, httpx.ConnectTimeout, httpx.ProxyError])
def test_no_connection(
    error: type[httpx.TransportError], server: Server, retrieve: Retrieve
) -> None:
    def broken(_: httpx.Request) -> httpx.Response:
        raise error("refused")

    server.answer = broken
    chunks = retrieve()
    assert chunks.reason in ("unreachable", "timeout")
    assert len(server.requests) == 1


def test_reasons_do_not_mix(server: Server) -> None:
    """Fifty calls at once on one tool, each with a fate of its own."""

    def fate(request: httpx.Request) -> httpx.Response:
        n = int(body_of(request)["query"])
        return httpx.Response(503, json={"code": "overloaded", "detail": str(n)})

    server.answer = fate
    tool = RAGTool("u")

    async def all_of_them() -> list[Chunks]:
        calls = (tool.retrieve_chunks_from_text(str(n)) for n in range(50))
        return list(await asyncio.gather(*calls))

    results = asyncio.run(all_of_them())
    assert [r.error.detail for r in results if r.error] == [str(n) for n in range(50)]


def test_logs_under_the_old_name(server: Server, caplog: pytest.LogCaptureFixture) -> None:
    server.says(503, {"code": "unavailable", "detail": "down"})
    SyncRAGTool("u").retrieve_chunks_from_text("q")
    (record,) = caplog.records
    assert (record.name, record.levelno) == ("RAGTool", logging.ERROR)
