"""Two clients as they were before, told again: what they do when calls run side by side.

Only the embedding is as it was. Afterwards the old tool read Postgres; here a look through
vectors in memory stands in for it, which takes no connection and no time, so that what
differs is how the provider is asked. Logging and metrics are left out.
"""

from __future__ import annotations

import queue
import random
import threading
import time

import httpx

THRESHOLD = 0.25
MAX_CHUNKS = 5


class Index:
    """Names of documents by the vectors of their text."""

    def __init__(self, vectors: dict[str, list[float]]) -> None:
        self._vectors = vectors

    def nearest(self, vector: list[float]) -> list[str]:
        """The names of the nearest, nearest first."""
        scored = sorted(
            ((sum(map(float.__mul__, vector, v)), name) for name, v in self._vectors.items()),
            reverse=True,
        )
        return [name for score, name in scored if score > THRESHOLD][:MAX_CHUNKS]


class ThreadAndJoin:
    """A thread for each call, which asks with a blocking client of its own and puts what
    it gets into a queue, while the coroutine waits in thread.join for up to 25 s."""

    JOIN_SECONDS = 25.0
    CLIENT_SECONDS = 30.0
    RETRIES = 3

    def __init__(self, provider_url: str, index: Index) -> None:
        self._url = provider_url + "/v1/embeddings"
        self._index = index

    async def retrieve(self, text: str) -> list[str]:
        """Names of documents; none for every failure."""
        results: queue.Queue[list[float]] = queue.Queue()
        failures: queue.Queue[Exception] = queue.Queue()

        def work() -> None:
            try:
                results.put(self._embed(text))
            except Exception as err:  # noqa: BLE001 - as it was
                failures.put(err)

        try:
            thread = threading.Thread(target=work, daemon=True)
            thread.start()
            thread.join(timeout=self.JOIN_SECONDS)  # the event loop stands still here
            if thread.is_alive():
                raise RuntimeError("no embedding within 25 s")  # noqa: TRY301
            if not failures.empty():
                raise failures.get()  # noqa: TRY301
            return self._index.nearest(results.get_nowait())
        except Exception:  # noqa: BLE001 - as it was: whatever happens, nothing was found
            return []

    def _embed(self, text: str) -> list[float]:
        # The retries are those of the client library that it used.
        with httpx.Client(timeout=self.CLIENT_SECONDS) as client:
            for tried in range(self.RETRIES + 1):
                try:
                    response = client.post(self._url, json=payload(text))
                except httpx.TransportError:
                    if tried == self.RETRIES:
                        raise
                else:
                    if tried == self.RETRIES or response.status_code not in (429, 500, 502, 503):
                        return embedding(response)
                time.sleep(min(0.5 * 2**tried, 8) * (1 - random.random() / 4))  # noqa: S311
        raise AssertionError("unreachable")


class ClientPerCall:
    """An asynchronous client made for each call and thrown away after it, with 60 s for
    each wait; whatever is not a vector is an empty list."""

    CLIENT_SECONDS = 60.0

    def __init__(self, provider_url: str, index: Index) -> None:
        self._url = provider_url + "/v1/embeddings"
        self._index = index

    async def retrieve(self, text: str) -> list[str]:
        """Names of documents; none for every failure."""
        try:
            async with httpx.AsyncClient(timeout=self.CLIENT_SECONDS) as client:
                response = await client.post(self._url, json=payload(text))
            return self._index.nearest(embedding(response))
        except Exception:  # noqa: BLE001 - as it was
            return []


def payload(text: str) -> dict[str, str]:
    """What is asked of the provider."""
    return {"model": "text-embedding-3-small", "input": text, "encoding_format": "float"}


def embedding(response: httpx.Response) -> list[float]:
    """The vector of an answer."""
    if response.status_code != 200:
        raise RuntimeError(f"the provider answered {response.status_code}")
    values = response.json()["data"][0]["embedding"]
    return [float(v) for v in values]
