"""Passages that answer a question, from a Weir server, by a deadline.

    from weir_rag import ChunkWithContext, RAGTool, RetrievalConfig

    chunks = await RAGTool(user_id).retrieve_chunks_from_text("What is my deductible?")

Every call ends by its deadline. A call that fails answers with an empty list that
knows why (`Chunks.reason`, `Chunks.error`), or raises a `WeirError` when the tool is
strict. All calls of one event loop share one pool of connections; there is no thread
and no queue behind them.
"""

from .chunk import Chunks, ChunkWithContext, Degraded
from .config import RetrievalConfig
from .errors import (
    AccessDenied,
    DeadlineExceeded,
    InvalidConfig,
    InvalidRequest,
    Overloaded,
    ServerFault,
    Unavailable,
    WeirError,
)
from .loops import aclose
from .process import close
from .synctool import SyncRAGTool
from .tool import RAGTool
from .version import __version__

__all__ = [
    "AccessDenied",
    "ChunkWithContext",
    "Chunks",
    "DeadlineExceeded",
    "Degraded",
    "InvalidConfig",
    "InvalidRequest",
    "Overloaded",
    "RAGTool",
    "RetrievalConfig",
    "ServerFault",
    "SyncRAGTool",
    "Unavailable",
    "WeirError",
    "__version__",
    "aclose",
    "close",
]
