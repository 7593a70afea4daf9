"""How much to retrieve."""

from __future__ import annotations

from dataclasses import dataclass

from .errors import InvalidConfig


@dataclass
class RetrievalConfig:
    """The bounds of one retrieval.

    Making one checks nothing, as attributes may be set afterwards; `validate` does, and
    every call calls it.
    """

    similarity_threshold: float = 0.25
    """The least cosine of a passage that has one; above 0, at most 1."""
    max_chunks: int = 5
    """The most passages. The server gives at most 1,000 whatever is asked."""
    token_budget: int = 4000
    """The most tokens of all passages together. The server's most is 1,000,000."""

    @classmethod
    def default(cls) -> RetrievalConfig:
        """The defaults: 0.25, 5 and 4000."""
        return cls()

    def validate(self) -> None:
        """Raise InvalidConfig, an AssertionError and a ValueError, for what is out of bounds."""
        try:
            # Written so that NaN is out of bounds.
            checks = {
                "similarity_threshold": (0 < self.similarity_threshold <= 1, "in (0, 1]"),
                "max_chunks": (self.max_chunks > 0, "positive"),
                "token_budget": (self.token_budget > 0, "positive"),
            }
        except TypeError as err:
            raise InvalidConfig(f"config: not a number: {err}", code="invalid") from err
        for name, (fits, bounds) in checks.items():
            if not fits:
                detail = f"{name} must be {bounds}, not {getattr(self, name)!r}"
                raise InvalidConfig(detail, code="invalid", field=name)
