"""A question to a real server from wherever weir_rag is installed.

    WEIR_BIN=/path/to/weir python tests/smoke.py

For the wheel in a clean environment: it needs nothing but the package.
"""

from __future__ import annotations

import asyncio
import logging
import os
import sys
import tempfile
from pathlib import Path

import weir_rag
import weirserver


def main() -> int:
    """Ask, and say where from."""
    logging.basicConfig()
    package = Path(weir_rag.__file__)
    if package.is_relative_to(Path(__file__).parent.parent):
        print(f"weir_rag is not installed: it was imported from {package}", file=sys.stderr)
        return 1
    with (
        tempfile.TemporaryDirectory() as data,
        weirserver.weir(os.environ["WEIR_BIN"], Path(data), None) as url,
    ):
        weirserver.upload(url, "u", "keys.md", "The spare key is with the neighbour.")
        os.environ["WEIR_URL"] = url
        question = "Where is the spare key?"
        found = asyncio.run(weir_rag.RAGTool("u", strict=True).retrieve_chunks_from_text(question))
        again = weir_rag.SyncRAGTool("u", strict=True).retrieve_chunks_from_text(question)
    if not found or found != again or "neighbour" not in found[0].content:
        print(f"wrong answers: {found} and {again}", file=sys.stderr)
        return 1
    print(f"weir_rag {weir_rag.__version__} from {package.parent}: found")
    return 0


if __name__ == "__main__":
    sys.exit(main())
