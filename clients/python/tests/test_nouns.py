"""Configs, chunks, lists and errors by themselves."""

from __future__ import annotations

import copy
import dataclasses
import json
import pickle
from typing import Any

import pytest

from weir_rag import (
    Chunks,
    ChunkWithContext,
    DeadlineExceeded,
    InvalidConfig,
    InvalidRequest,
    Overloaded,
    RetrievalConfig,
    WeirError,
)

FIELDS = [
    "id",
    "doc_id",
    "chunk_index",
    "content",
    "section_path",
    "section_title",
    "page_start",
    "page_end",
    "similarity",
    "tokens",
]


def test_config_defaults() -> None:
    assert RetrievalConfig.default() == RetrievalConfig(0.25, 5, 4000)
    assert RetrievalConfig.default() is not RetrievalConfig.default()
    RetrievalConfig.default().validate()
    RetrievalConfig(similarity_threshold=1.0, max_chunks=1, token_budget=1).validate()


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"similarity_threshold": 0.0}, "similarity_threshold"),
        ({"similarity_threshold": -0.1}, "similarity_threshold"),
        ({"similarity_threshold": 1.01}, "similarity_threshold"),
        ({"similarity_threshold": float("nan")}, "similarity_threshold"),
        ({"max_chunks": 0}, "max_chunks"),
        ({"max_chunks": -1}, "max_chunks"),
        ({"token_budget": 0}, "token_budget"),
        ({"token_budget": "many"}, None),
        ({"similarity_threshold": None}, None),
    ],
)
def test_config_out_of_bounds(change: dict[str, float], field: str | None) -> None:
    config = RetrievalConfig(**change)  # type: ignore[arg-type]
    with pytest.raises(AssertionError):
        config.validate()
    with pytest.raises(ValueError) as caught:  # noqa: PT011 - that it is one is the point
        config.validate()
    assert isinstance(caught.value, InvalidConfig)
    assert caught.value.field == field


def test_chunk_has_the_ten_fields() -> None:
    assert [f.name for f in dataclasses.fields(ChunkWithContext)] == FIELDS
    bare = ChunkWithContext("i", "d", 0, "text")
    assert bare.to_dict() == {
        **dict.fromkeys(FIELDS),
        "id": "i",
        "doc_id": "d",
        "chunk_index": 0,
        "content": "text",
        "section_path": [],
    }
    assert ChunkWithContext("i", "d", 0, "t").section_path is not bare.section_path
    full = ChunkWithContext("i", "d", 1, "t", [1, 2], "S", 3, 4, 0.5, 6)
    assert list(full.to_dict()) == FIELDS
    assert json.loads(json.dumps(full.to_dict())) == dataclasses.asdict(full)


def test_chunks_is_a_list_that_knows_more() -> None:
    err = Overloaded("full", code="overloaded", retry_after=1.5, operation_id="op")
    failed = Chunks(error=err)
    assert failed == []
    assert not failed
    assert (failed.reason, failed.operation_id) == ("overloaded", "op")
    copies: list[Any] = [
        copy.copy(failed),
        copy.deepcopy(failed),
        pickle.loads(pickle.dumps(failed)),
    ]
    for other in copies:
        assert other == []
        assert other.reason == "overloaded"
        assert other.error is not None
        assert other.error.retry_after == 1.5


def test_errors_say_what_may_be_done() -> None:
    assert issubclass(InvalidRequest, ValueError)
    assert issubclass(InvalidConfig, AssertionError)
    assert issubclass(DeadlineExceeded, TimeoutError)
    err = DeadlineExceeded("no answer", code="timeout", operation_id="op-7", field="f", status=504)
    assert str(err) == "timeout: no answer (operation op-7)"
    again = pickle.loads(pickle.dumps(err))
    assert type(again) is DeadlineExceeded
    assert vars(again) == vars(err)
    assert str(again) == str(err)
    assert isinstance(again, WeirError)
