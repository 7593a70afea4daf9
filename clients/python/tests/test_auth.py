"""With keys, against a real server that asks for them."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import NamedTuple

import pytest

import weirserver
from conftest import Retrieve
from weir_rag import AccessDenied, Overloaded, WeirError

if not os.environ.get("WEIR_BIN"):
    pytest.skip(
        "needs a weir binary: go build ./cmd/weir, and WEIR_BIN set to it",
        allow_module_level=True,
    )


class Guarded(NamedTuple):
    """A server that asks for keys, and some of them. Ann has a document."""

    url: str
    ann: str
    service: str
    scrape: str  # may see metrics and nothing else


@pytest.fixture(scope="module")
def guarded(weir_binary: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Guarded]:
    """It lets one user make 60 calls in a minute, 20 of them at once."""
    data = tmp_path_factory.mktemp("guarded") / "data"
    ann = weirserver.make_key(weir_binary, data, "--user", "ann")
    service = weirserver.make_key(weir_binary, data, "--service", "--name", "backend")
    scrape = weirserver.make_key(weir_binary, data, "--service", "--scope", "metrics")
    limits = {"WEIR_USER_RATE": "60", "WEIR_USER_BURST": "20"}
    with weirserver.weir(weir_binary, data, None, **limits) as url:
        weirserver.upload(url, "ann", "plan.md", "Twelve visits are covered.", key=ann)
        yield Guarded(url, ann, service, scrape)


def test_a_key_lets_in(
    guarded: Guarded, retrieve: Retrieve, monkeypatch: pytest.MonkeyPatch
) -> None:
    for key in (guarded.ann, guarded.service):
        (found,) = retrieve(user_id="ann", base_url=guarded.url, api_key=key, strict=True)
        assert found.content == "Twelve visits are covered."
    other = retrieve(user_id="bob", base_url=guarded.url, api_key=guarded.service, strict=True)
    assert (list(other), other.reason) == ([], "no_documents")
    monkeypatch.setenv("WEIR_API_KEY", guarded.ann)
    assert retrieve(user_id="ann", base_url=guarded.url, strict=True)


@pytest.mark.parametrize(
    ("name", "user", "key", "status", "code", "says"),
    [
        ("no key", "ann", "", 401, "unauthorized", "key"),
        ("a wrong one", "ann", "weir_wrong", 401, "unauthorized", "key"),
        ("another user", "bob", "ann", 403, "forbidden", "user"),
        ("a key that may not read", "ann", "scrape", 403, "forbidden", "read"),
    ],
)
def test_not_let_in(
    name: str,
    user: str,
    key: str,
    status: int,
    code: str,
    says: str,
    guarded: Guarded,
    retrieve: Retrieve,
    caplog: pytest.LogCaptureFixture,
) -> None:
    key = guarded._asdict().get(key, key)
    chunks = retrieve(user_id=user, base_url=guarded.url, api_key=key)
    error = denied(chunks.error)
    assert (list(chunks), chunks.reason, error.status) == ([], code, status), name
    assert says in error.detail, error.detail
    assert chunks.operation_id
    assert error.operation_id == chunks.operation_id
    assert code in caplog.text
    with pytest.raises(AccessDenied) as caught:
        retrieve(user_id=user, base_url=guarded.url, api_key=key, strict=True)
    assert (caught.value.code, caught.value.status) == (code, status)
    assert not key or key not in caplog.text + str(caught.value) + repr(caught.value)


def test_too_many_calls(guarded: Guarded, retrieve: Retrieve) -> None:
    def calls(*, strict: bool) -> list[WeirError | None]:
        asked = {"user_id": "many", "base_url": guarded.url, "api_key": guarded.service}
        return [retrieve(**asked, strict=strict).error for _ in range(60)]

    refused = next(e for e in calls(strict=False) if e is not None)
    assert type(refused) is Overloaded
    assert (refused.code, refused.status) == ("rate_limited", 429)
    assert refused.retry_after is not None
    assert 0 < refused.retry_after <= 60
    with pytest.raises(Overloaded) as caught:
        calls(strict=True)
    assert caught.value.code == "rate_limited"


def denied(error: WeirError | None) -> AccessDenied:
    """The error, which is of this type."""
    assert type(error) is AccessDenied
    return error
