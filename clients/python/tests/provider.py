"""An embeddings API in the shape of OpenAI's, with the faults of a bad day.

Run as `python provider.py`, it prints its address and serves until it is ended. Its
vectors are counts of words, so that texts which share words are near each other; they
are for these tests alone. `POST /control` with {"latency": seconds, "limit": requests at
a time, "hang_every": n} changes how it behaves from then on: above the limit it answers
429, and of every n requests the third gets no answer at all. `GET /stats` tells what came.
"""

from __future__ import annotations

import asyncio
import base64
import hashlib
import json
import math
import re
import struct
from collections.abc import Iterable
from typing import Any

DIMENSIONS = 1536


def embed(text: str) -> list[float]:
    """A unit vector that counts the words of a text."""
    out = [0.0] * DIMENSIONS
    for word in re.findall(r"\w+", text.lower()):
        slot = int.from_bytes(hashlib.blake2b(word.encode(), digest_size=4).digest(), "big")
        out[slot % DIMENSIONS] += 1.0
    length = math.sqrt(sum(v * v for v in out)) or 1.0
    return [v / length for v in out] if any(out) else [1.0, *out[1:]]


class Provider:
    """The server and how it behaves."""

    def __init__(self) -> None:
        self.latency = 0.0
        self.limit = 0  # 0: none
        self.hang_every = 0  # 0: never
        self.requests = 0
        self.now = 0
        self.most = 0

    async def serve(self) -> None:
        """Serve on a free port, whose address is printed, until canceled."""
        server = await asyncio.start_server(self._connection, "127.0.0.1", 0, backlog=1024)
        host, port = server.sockets[0].getsockname()
        print(f"http://{host}:{port}", flush=True)
        async with server:
            await server.serve_forever()

    async def _connection(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while (request := await read_request(reader)) is not None:
                method, path, body = request
                status, answer = await self._answer(method, path, body)
                writer.write(response(status, answer))
                await writer.drain()
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()

    async def _answer(self, method: str, path: str, body: bytes) -> tuple[int, Any]:
        match method, path:
            case "POST", "/v1/embeddings":
                return await self._embeddings(json.loads(body))
            case "POST", "/control":
                vars(self).update(json.loads(body), requests=0, most=0)
                return 200, {}
            case "GET", "/stats":
                return 200, {"requests": self.requests, "most": self.most}
            case _:
                return 404, {"error": {"message": "no such path", "type": "invalid_request_error"}}

    async def _embeddings(self, request: dict[str, Any]) -> tuple[int, Any]:
        self.requests += 1
        if self.hang_every and self.requests % self.hang_every == 3:
            await asyncio.Event().wait()
        if self.limit and self.now >= self.limit:
            return 429, {"error": {"message": "too many requests", "type": "rate_limit_error"}}
        self.now += 1
        self.most = max(self.most, self.now)
        try:
            await asyncio.sleep(self.latency)
        finally:
            self.now -= 1
        texts = request["input"] if isinstance(request["input"], list) else [request["input"]]
        packed = request.get("encoding_format") == "base64"
        data = [
            {"object": "embedding", "index": i, "embedding": pack(v) if packed else v}
            for i, v in enumerate(map(embed, texts))
        ]
        usage = {"prompt_tokens": len(texts), "total_tokens": len(texts)}
        return 200, {
            "object": "list",
            "data": data,
            "model": request.get("model", "words"),
            "usage": usage,
        }


def pack(values: Iterable[float]) -> str:
    """A vector as base64 of little-endian floats."""
    values = list(values)
    return base64.b64encode(struct.pack(f"<{len(values)}f", *values)).decode()


async def read_request(reader: asyncio.StreamReader) -> tuple[str, str, bytes] | None:
    """Method, path and body of the next request; None at the end of the connection."""
    try:
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
    except (asyncio.IncompleteReadError, ConnectionError):
        return None
    method, path, _ = head.split(" ", 2)
    length = re.search(r"(?im)^content-length:\s*(\d+)", head)
    return method, path, await reader.readexactly(int(length.group(1))) if length else b""


def response(status: int, answer: Any) -> bytes:
    """An answer in JSON, as bytes of HTTP."""
    body = json.dumps(answer).encode()
    wait = "Retry-After: 1\r\n" if status == 429 else ""
    head = f"HTTP/1.1 {status} X\r\nContent-Type: application/json\r\n{wait}"
    return f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body


if __name__ == "__main__":
    asyncio.run(Provider().serve())
