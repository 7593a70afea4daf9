"""What the tests share: a scripted server, and one way to call either tool."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

import weirserver
from weir_rag import Chunks, RAGTool, SyncRAGTool, loops, process

CHUNK: dict[str, Any] = {
    "id": "d:1",
    "doc_id": "d",
    "chunk_index": 1,
    "content": "Twelve visits.",
    "section_path": [5, 9],
    "section_title": "5 What is covered > 5.9 Visits",
    "page_start": 18,
    "page_end": 19,
    "similarity": 0.5,
    "tokens": 4,
    "filename": "plan.pdf",
    "score": 0.03,
    "primary": True,
}
ANSWER: dict[str, Any] = {
    "operation_id": "op-1",
    "chunks": [CHUNK],
    "mode": "hybrid",
    "tokens": 4,
    "truncated": False,
    "timings_ms": {"queue": 0, "embed": 1, "search": 1, "total": 2},
}


class Server:
    """Answers every request in the same way, and keeps what it was asked."""

    def __init__(self) -> None:
        self.requests: list[httpx.Request] = []
        self.answer: Callable[[httpx.Request], httpx.Response] = lambda _: httpx.Response(
            200, json=ANSWER
        )

    def says(self, status: int, body: object = None, headers: dict[str, str] | None = None) -> None:
        """Answer so from now on."""
        self.answer = lambda _: httpx.Response(status, json=body, headers=headers)

    def handle(self, request: httpx.Request) -> httpx.Response:
        """The handler of a MockTransport."""
        self.requests.append(request)
        return self.answer(request)


@pytest.fixture(autouse=True)
def _clean(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    for name in ("WEIR_URL", "WEIR_API_KEY"):
        monkeypatch.delenv(name, raising=False)
    yield
    process.close()


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Server:
    """A server without a network, for both tools."""
    out = Server()
    transport = httpx.MockTransport(out.handle)
    monkeypatch.setattr(loops, "new_client", lambda **_: httpx.AsyncClient(transport=transport))
    monkeypatch.setattr(process, "new_client", lambda **_: httpx.Client(transport=transport))
    process.close()
    return out


Retrieve = Callable[..., Chunks]


@pytest.fixture(params=["async", "sync"])
def retrieve(request: pytest.FixtureRequest) -> Retrieve:
    """Ask a new tool: retrieve(question) or retrieve(embedding=…), all else to the tool."""

    def ask(text: Any = "visits?", *, embedding: Any = None, **tool: Any) -> Chunks:
        tool = {"user_id": "u", **tool}
        if request.param == "sync":
            sync = SyncRAGTool(**tool)
            if embedding is not None:
                return sync.retrieve_chunks(embedding)
            return sync.retrieve_chunks_from_text(text)
        asynchronous = RAGTool(**tool)
        if embedding is not None:
            return asyncio.run(asynchronous.retrieve_chunks(embedding))
        return asyncio.run(asynchronous.retrieve_chunks_from_text(text))

    return ask


@pytest.fixture(scope="session")
def weir_binary() -> str:
    """The binary that WEIR_BIN names."""
    return str(Path(os.environ["WEIR_BIN"]).resolve(strict=True))


@pytest.fixture
def weir_url(weir_binary: str, tmp_path: Path) -> Iterator[str]:
    """A running server without an embedder."""
    with weirserver.weir(weir_binary, tmp_path / "data", None) as url:
        yield url
