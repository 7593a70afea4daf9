"""What can go wrong, as types that say what a caller may do about it."""

from __future__ import annotations


class WeirError(Exception):
    """A call that has no answer.

    `code` is the server's (see docs/API.md), or one of this client's own: `unreachable`
    (no connection), `bad_answer` (an answer that is not Weir's), `client` (a fault in
    this package). `retry_after` is in seconds, None when the server did not say.
    """

    def __init__(
        self,
        detail: str,
        *,
        code: str,
        status: int | None = None,
        field: str | None = None,
        retry_after: float | None = None,
        operation_id: str | None = None,
    ) -> None:
        super().__init__(detail)
        self.detail = detail
        self.code = code
        self.status = status
        self.field = field
        self.retry_after = retry_after
        self.operation_id = operation_id

    def __str__(self) -> str:
        where = f" (operation {self.operation_id})" if self.operation_id else ""
        return f"{self.code}: {self.detail}{where}"

    def __reduce__(self) -> tuple[object, ...]:
        # Exception's own way would call the class with the message alone, so that an
        # error from another process could not be read.
        rest = {k: v for k, v in self.__dict__.items() if k != "detail"}
        return _rebuild, (type(self), self.detail, rest)


class InvalidRequest(WeirError, ValueError):
    """The call is wrong as it stands: the question, the vector, the user or a setting."""


class InvalidConfig(InvalidRequest, AssertionError):
    """A RetrievalConfig out of bounds. Also an AssertionError, as it always was, and
    raised under `python -O` too."""


class AccessDenied(WeirError):
    """The server does not know the caller, or does not let them in."""


class Overloaded(WeirError):
    """Refused before any work was done: everybody's limit, or this user's. Try again
    after `retry_after` seconds."""


class Unavailable(WeirError):
    """The server, or something that it needs, does not work. Try again later."""


class DeadlineExceeded(WeirError, TimeoutError):
    """No answer by the deadline."""


class ServerFault(WeirError):
    """A fault of the server, or an answer that is not that of a Weir server."""


def of_code(code: str) -> type[WeirError]:
    """The type for a code of the server."""
    match code:
        case "invalid" | "too_large" | "unsupported_media":
            return InvalidRequest
        case "unauthorized" | "forbidden":
            return AccessDenied
        case "overloaded" | "rate_limited":
            return Overloaded
        case "unavailable":
            return Unavailable
        case "timeout":
            return DeadlineExceeded
        case _:
            return ServerFault


def invalid(field: str, problem: str) -> InvalidRequest:
    """The error for something that is wrong before anything is sent."""
    return InvalidRequest(f"{field}: {problem}", code="invalid", field=field)


def _rebuild(kind: type[WeirError], detail: str, rest: dict[str, object]) -> WeirError:
    err = kind(detail, code="")
    err.__dict__.update(rest)
    return err
