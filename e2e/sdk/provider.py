"""A chat model in the shape of OpenAI's API, for tests.

Run as `python provider.py`, it prints its address and serves until it is ended. The model
cites the first passage that it is shown; words in the question make it misbehave:
"unanswerable" has it say so as it was told to, "madeup" cites a passage that is not there,
"broken" ends in the middle, "stalled" goes silent there, "down" is 503, and "slowly" takes
its time, so that what comes in pieces is told in pieces by whoever is busy too.
"""

from __future__ import annotations

import json
import re
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

PIECE = 3  # characters


class Handler(BaseHTTPRequestHandler):
    """One connection."""

    protocol_version = "HTTP/1.1"

    def log_message(self, *_: Any) -> None:
        """Say nothing."""

    def do_POST(self) -> None:
        """Answer."""
        request = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        if self.path == "/v1/chat/completions":
            self.chat(request)
        else:
            self.answer(404, {"error": {"message": "no such path", "type": "invalid_request_error"}})

    def answer(self, status: int, body: Any) -> None:
        """Send JSON."""
        data = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def chat(self, request: dict[str, Any]) -> None:
        """POST /v1/chat/completions, streamed in small pieces."""
        system, last = request["messages"][0]["content"], request["messages"][-1]["content"]
        question = last.rsplit("Question: ", 1)[1]
        passage = re.search(r'<passage-\w+ number="1"[^\n]*>\n(.*?)\n</passage', last, re.S)
        text = f"The documents say: {' '.join(passage.group(1).split()[:12]) if passage else ''} [1]."
        if "down" in question:
            self.answer(503, {"error": {"message": "the model is loading", "type": "server_error"}})
            return
        if "unanswerable" in question:
            text = re.search(r"nothing else: (\S+)", system).group(1)
        if "madeup" in question:
            text += " And so does another [99]."
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        self.send_header("Connection", "close")
        self.end_headers()
        self.event({"role": "assistant", "content": ""})
        for i in range(0, len(text), PIECE):
            if i <= 6 * PIECE and "slowly" in question:
                threading.Event().wait(0.1)
            if i > len(text) // 2 and "stalled" in question:
                threading.Event().wait(600)
            if i > len(text) // 2 and "broken" in question:
                return
            self.event({"content": text[i : i + PIECE]})
        self.event({}, "stop")
        if (request.get("stream_options") or {}).get("include_usage"):
            usage = {"prompt_tokens": 100, "completion_tokens": 20, "total_tokens": 120}
            self.send({"choices": [], "usage": usage})
        self.wfile.write(b"data: [DONE]\n\n")
        self.close_connection = True

    def event(self, delta: dict[str, str], finish: str | None = None) -> None:
        """Send a piece."""
        self.send({"choices": [{"index": 0, "delta": delta, "finish_reason": finish}]})

    def send(self, chunk: dict[str, Any]) -> None:
        """Send a chunk."""
        whole = {"id": "c", "object": "chat.completion.chunk", "created": 1, "model": "writer", **chunk}
        self.wfile.write(f"data: {json.dumps(whole)}\n\n".encode())
        self.wfile.flush()


if __name__ == "__main__":
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    print(f"http://127.0.0.1:{server.server_port}", flush=True)
    try:
        server.serve_forever()
    except KeyboardInterrupt:
        sys.exit()
