"""What a retrieval answers with."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from .errors import WeirError


@dataclass
class ChunkWithContext:
    """One passage of a document, and where it stands in it."""

    id: str
    doc_id: str
    chunk_index: int
    """Its place among the passages of its document, from 0."""
    content: str
    section_path: list[int] | None = field(default_factory=list)
    """[5, 9] for section 5.9; [] outside any numbered section."""
    section_title: str | None = None
    page_start: int | None = None
    """The first page, from 1; None for formats without pages."""
    page_end: int | None = None
    similarity: float | None = None
    """The cosine of passage and question; None when it was found by its words while
    there was no vector to compare with."""
    tokens: int | None = None

    def to_dict(self) -> dict[str, Any]:
        """The ten fields, for JSON."""
        return {
            "id": self.id,
            "doc_id": self.doc_id,
            "chunk_index": self.chunk_index,
            "content": self.content,
            "section_path": self.section_path,
            "section_title": self.section_title,
            "page_start": self.page_start,
            "page_end": self.page_end,
            "similarity": self.similarity,
            "tokens": self.tokens,
        }


@dataclass(frozen=True)
class Degraded:
    """A stage of the server that did not do its part in an answer."""

    stage: str
    reason: str
    message: str | None = None
    retry_after: float | None = None
    """In seconds."""


class Chunks(list[ChunkWithContext]):
    """A list of passages, best first, that also knows how it came about.

    It belongs to one call, so that calls running side by side on one tool cannot mix
    their reasons up; a slice or a copy of it is a plain list.
    """

    def __init__(
        self, chunks: Iterable[ChunkWithContext] = (), *, error: WeirError | None = None
    ) -> None:
        super().__init__(chunks)
        self.error = error
        """Why there is no answer; None when there is one, be it empty."""
        self.reason: str | None = error.code if error else None
        """Why the list is empty: the error's code, or the server's `empty_reason`
        (no_documents, still_indexing, below_threshold, no_match, budget)."""
        self.degraded: tuple[Degraded, ...] = ()
        """What did not do its part; empty for a whole answer."""
        self.mode: str | None = None
        """How it was found: hybrid, vector or lexical."""
        self.truncated = False
        """The token budget ended the list before max_chunks did."""
        self.operation_id: str | None = error.operation_id if error else None
        """The call's id, which the server's log has too."""
        self.answer: dict[str, Any] = {}
        """The server's answer as it came, with what the ten fields leave out: file
        names, scores, timings."""
