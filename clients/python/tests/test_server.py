"""Against a real server."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path

import pytest

import before_after
import weirserver
from conftest import Retrieve
from corpus import DOCUMENTS
from provider import embed
from weir_rag import InvalidRequest, RetrievalConfig

if not os.environ.get("WEIR_BIN"):
    pytest.skip(
        "needs a weir binary: go build ./cmd/weir, and WEIR_BIN set to it",
        allow_module_level=True,
    )


def test_finds_the_document(weir_url: str, retrieve: Retrieve) -> None:
    ids = {}
    for name, (_, text) in DOCUMENTS.items():
        ids[name] = weirserver.upload(weir_url, "zoë", name, text)
    for name, (question, _) in DOCUMENTS.items():
        chunks = retrieve(question, user_id="zoë", base_url=weir_url, strict=True)
        assert chunks[0].doc_id == ids[name]
        assert chunks[0].tokens
        assert chunks.mode == "lexical"
        one = RetrievalConfig(max_chunks=1)
        assert len(retrieve(question, user_id="zoë", base_url=weir_url, config=one)) == 1
    other = retrieve("hearing aids", user_id="zoe", base_url=weir_url, strict=True)
    assert (list(other), other.reason) == ([], "no_documents")
    nothing = retrieve("xylophone", user_id="zoë", base_url=weir_url, strict=True)
    assert nothing.reason == "no_match"


def test_what_the_server_refuses(weir_url: str, retrieve: Retrieve) -> None:
    chunks = retrieve(embedding=[1.0, 2.0], base_url=weir_url)
    assert chunks.reason == "invalid"
    assert chunks.operation_id
    with pytest.raises(InvalidRequest) as caught:
        retrieve("q" * 70_000, base_url=weir_url, strict=True)
    assert caught.value.field == "query"


def test_embedding(weir_binary: str, tmp_path: Path, retrieve: Retrieve) -> None:
    with (
        weirserver.provider() as provider,
        weirserver.weir(weir_binary, tmp_path / "data", provider) as url,
    ):
        ids = {
            name: weirserver.upload(url, "u", name, text) for name, (_, text) in DOCUMENTS.items()
        }
        for name, (question, _) in DOCUMENTS.items():
            for chunks in (
                retrieve(embedding=embed(question), base_url=url, strict=True),
                retrieve(question, base_url=url, strict=True, mode="vector"),
                retrieve(question, base_url=url, strict=True),
            ):
                assert chunks[0].doc_id == ids[name]
                assert chunks[0].similarity is not None
                assert chunks[0].similarity >= 0.25
        short = retrieve(embedding=[0.5] * 7, base_url=url)
        assert short.reason == "invalid"
        assert short.error is not None
        assert short.error.field == "embedding"


def test_the_old_acceptance_plan(weir_binary: str) -> None:
    """1, 3, 7, 10 and 50 calls at the same time with a provider that takes a second: none
    hangs, each ends within 10 s, more than 99 of 100 are right. Also with a provider that
    takes four requests at a time, and with one that leaves some without an answer."""

    async def lanes() -> list[list[before_after.Run]]:
        lane = before_after.lane
        work = (
            asyncio.to_thread(lane, weir_binary, "weir", day, before_after.LEVELS)
            for day in before_after.DAYS
        )
        return list(await asyncio.gather(*work))

    runs = [run for lane in asyncio.run(lanes()) for run in lane]
    assert len(runs) == len(before_after.DAYS) * len(before_after.LEVELS)
    for run in runs:
        assert run.passes(), run
