"""OpenAI's own client for Python, as it is installed, against a Weir server.

Run as `python sdk.py ADDRESS [KEY [limited]]`; ends with an error at the first thing that is
not so. With a key, the server must be one that asks for it; with the last word, it is asked
until it says that this is too much.
"""

from __future__ import annotations

import sys

import openai

key = sys.argv[2] if len(sys.argv) > 2 else None
client = openai.OpenAI(base_url=sys.argv[1] + "/v1", api_key=key or "not needed", max_retries=0, timeout=30)


def ask(question: str, **more: object) -> openai.types.chat.ChatCompletion:
    """One whole answer."""
    return client.chat.completions.create(model="weir", messages=[{"role": "user", "content": question}], **more)


def models() -> None:
    """What can be asked."""
    ids = [m.id for m in client.models.list()]
    assert "weir" in ids and len(ids) == 2, ids
    assert client.models.retrieve("weir").owned_by == "weir"


def embeddings() -> None:
    """Vectors, which the client asks for as base64, and as numbers."""
    model = next(m.id for m in client.models.list() if m.id != "weir")
    got = client.embeddings.create(model=model, input=["a cat", "a dog"])
    again = client.embeddings.create(model=model, input="a cat", encoding_format="float")
    assert len(got.data) == 2 and got.usage.prompt_tokens > 0
    assert abs(sum(v * v for v in got.data[0].embedding) - 1) < 1e-3
    assert max(abs(a - b) for a, b in zip(got.data[0].embedding, again.data[0].embedding, strict=True)) < 1e-6


def whole() -> None:
    """An answer that does not stream."""
    got = client.chat.completions.create(
        model="weir",
        messages=[
            {"role": "developer", "content": "Be brief."},
            {"role": "user", "content": [{"type": "text", "text": "How many hours must I use my CPAP machine?"}]},
        ],
        temperature=0.2,
        max_completion_tokens=300,
        extra_body={"weir": {"max_chunks": 2}},
    )
    text = got.choices[0].message.content
    assert got.object == "chat.completion" and got.choices[0].finish_reason == "stop", got
    assert text.startswith("The documents say:") and "[1]" in text, text
    assert "\n\nSources:\n[1] plan-handbook.pdf" in text and "page" in text, text
    assert got.usage.total_tokens == 120, got.usage
    assert got.weir["citations"][0]["page_start"] > 0 and len(got.weir["passages"]) == 2, got.weir


def streamed() -> None:
    """The same in pieces, which make the same."""
    question = "slowly: CPAP machine"
    chunks = list(
        client.chat.completions.create(
            model="weir",
            messages=[{"role": "user", "content": question}],
            stream=True,
            stream_options={"include_usage": True},
        )
    )
    assert chunks[0].choices[0].delta.role == "assistant"
    assert len(chunks) > 4, len(chunks)  # pieces that come faster than they are sent are joined
    text = "".join(c.choices[0].delta.content or "" for c in chunks if c.choices)
    assert text == ask(question).choices[0].message.content, text
    assert chunks[-1].usage.total_tokens == 120 and not chunks[-1].choices
    assert chunks[-2].choices[0].finish_reason == "stop" and chunks[-2].weir["answered"] is True
    with client.chat.completions.stream(model="weir", messages=[{"role": "user", "content": question}]) as stream:
        assert stream.get_final_completion().choices[0].message.content == text


def honest() -> None:
    """What is not an answer does not look like one."""
    got = ask("unanswerable: CPAP machine")
    assert got.weir["answered"] is False and "do not answer" in got.choices[0].message.content, got
    got = ask("madeup: CPAP machine")
    assert "[99]" not in got.choices[0].message.content and got.weir["dropped_citations"] == 1, got
    for word in ("down", "broken", "stalled"):
        got = ask(word + ": CPAP machine")
        assert got.choices[0].message.content.startswith("No answer was written"), got
        assert got.weir["degraded"][0]["stage"] == "answer", got
    for word in ("broken", "stalled"):
        text = ""
        try:
            for c in client.chat.completions.create(
                model="weir", stream=True, messages=[{"role": "user", "content": word + ": CPAP machine"}]
            ):
                assert c.choices[0].finish_reason is None, c
                text += c.choices[0].delta.content or ""
        except openai.APIError as e:
            assert "not whole" in e.message, e
        else:
            raise AssertionError("an answer that broke off looks whole")
        assert text.startswith("The documents say:"), text


def refused() -> None:
    """Errors are those that the client knows."""
    try:
        ask("x", tools=[{"type": "function", "function": {"name": "f"}}])
    except openai.BadRequestError as e:
        assert e.param == "tools", e
    else:
        raise AssertionError("tools are taken for supported")
    try:
        client.chat.completions.create(model="gpt-4o", messages=[{"role": "user", "content": "x"}])
    except openai.NotFoundError as e:
        assert e.code == "model_not_found", e
    else:
        raise AssertionError("another model is taken for Weir")


def strangers() -> None:
    """Who has no right to it gets the error that says so, of every kind of call."""
    wrong = client.with_options(api_key="weir_wrong")
    other = client.with_options(default_headers={"X-User-ID": "somebody else"})
    for who, error, code in (
        (wrong, openai.AuthenticationError, "unauthorized"),
        (other, openai.PermissionDeniedError, "forbidden"),
    ):
        for call in (
            who.models.list,
            lambda who=who: who.embeddings.create(model="any", input="x"),
            lambda who=who: who.chat.completions.create(model="weir", messages=[{"role": "user", "content": "x"}]),
            lambda who=who: who.chat.completions.create(model="weir", messages=[], stream=True),
        ):
            try:
                call()
            except error as e:
                assert e.code == code and e.request_id, e
            else:
                raise AssertionError(f"{code} lets in")


def limited() -> None:
    """Too many calls are told to wait. It leaves none for those after it."""
    try:
        for _ in range(2000):
            client.models.list()
    except openai.RateLimitError as e:
        assert e.code == "rate_limited" and int(e.response.headers["Retry-After-Ms"]) > 0, e
    else:
        raise AssertionError("there is no limit")


checks = [models, embeddings, whole, streamed, honest, refused]
if key:
    checks.append(strangers)
if sys.argv[3:] == ["limited"]:
    checks = [limited]
for check in checks:
    check()
    print(f"openai {openai.__version__} for Python{', with a key' if key else ''}: {check.__name__}")
