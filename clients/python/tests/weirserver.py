"""A real Weir server and a real provider for it, as processes of their own."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx

PROVIDER = Path(__file__).with_name("provider.py")


@contextmanager
def process(command: list[str], env: dict[str, str], announces: str) -> Iterator[str]:
    """Run a program until the end of the block; yields the address that it prints on the
    first line with `announces` in it."""
    with subprocess.Popen(
        command, env=env, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    ) as running:
        try:
            assert running.stdout is not None
            for line in running.stdout:
                if announces in line and (found := re.search(r"http://[\w.:]+", line)):
                    break
            else:
                raise RuntimeError(f"{Path(command[0]).name} ended before it was ready")
            yield found.group()
        finally:
            running.terminate()
            try:
                running.wait(10)
            except subprocess.TimeoutExpired:
                running.kill()


@contextmanager
def provider() -> Iterator[str]:
    """A provider; yields its address."""
    with process([sys.executable, str(PROVIDER)], clean_environment(), "http://") as url:
        yield url


@contextmanager
def weir(binary: str, data: Path, provider_url: str | None, **settings: str) -> Iterator[str]:
    """A server on a data folder; yields its address. Without a provider it searches by
    words alone."""
    command = [binary, "serve", "--data", str(data), "--listen", "127.0.0.1:0"]
    env = clean_environment() | settings
    if provider_url is None:
        command += ["--embedder", "none"]
    else:
        env["OPENAI_BASE_URL"] = provider_url + "/v1"
    with process(command, env, "ready at") as url:
        yield url


def make_key(binary: str, data: Path, *flags: str) -> str:
    """Make an API key of a data folder, and return its secret."""
    command = [binary, "key", "create", *flags, "--data", str(data), "--json"]
    made = subprocess.run(command, env=clean_environment(), capture_output=True, check=True)
    return str(json.loads(made.stdout)["secret"])


def control(provider_url: str, **how: float) -> None:
    """Change how a provider behaves."""
    httpx.post(provider_url + "/control", json=how, trust_env=False).raise_for_status()


def requests(provider_url: str) -> int:
    """Requests for vectors that reached a provider since it was last told how to behave."""
    return int(httpx.get(provider_url + "/stats", trust_env=False).json()["requests"])


def upload(url: str, user: str, filename: str, text: str, *, key: str | None = None) -> str:
    """Index a document and return its id."""
    headers = {b"X-User-ID": user.encode()}
    if key is not None:
        headers[b"Authorization"] = b"Bearer " + key.encode()
    answer = httpx.post(
        url + "/v1/documents",
        params={"wait": "true"},
        headers=headers,
        json={"filename": filename, "text": text},
        timeout=30,
        trust_env=False,
    )
    answer.raise_for_status()
    document = answer.json()
    assert document["status"] == "ready", document
    return str(document["id"])


def clean_environment() -> dict[str, str]:
    """The environment without what would change a server or a client under test."""
    ours = re.compile(r"(WEIR|OPENAI|DATABASE)_", re.IGNORECASE)
    return {k: v for k, v in os.environ.items() if not ours.match(k)}
