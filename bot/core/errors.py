"""Whose fault it is, as the type of the error. Edge modules map what libraries raise to these, each in one place.

What happened to a request has three answers and no fourth (`faults.md` calls them the outcome of a send): it
was not sent, it was refused, or nobody knows yet.
"""

from collections.abc import Awaitable, Iterator, Mapping
from typing import Any, ClassVar, TypeVar

import attrs

T = TypeVar("T")


class BotError(Exception):
    """Everything that this program raises on purpose."""


class FatalError(BotError):
    """Trying again cannot help: credentials refused, a venue that is not the one expected. Exit code 3."""


class InvalidOrderError(BotError):
    """Ours: an order that no venue would take. Raised before it is signed, with what is wrong and what is allowed."""


class RevokedError(BotError):
    """Ours: a strategy used a `Trader` that was taken back."""


class TradingHaltedError(BotError):
    """Ours: new orders are not taken now. It says why; cancels go on."""


class SessionGoneError(TradingHaltedError):
    """There is no session, or no longer this one: new orders need the one that is open now."""


class LimitExceededError(TradingHaltedError):
    """Ours: the order would exceed a limit of the settings, or is one too many to be prepared. Nothing was sent."""


class NotPreparedError(TradingHaltedError):
    """Ours: no order with this client id is signed and may leave. It says why; another may be prepared, or placed."""


class JournalError(BotError):
    """The journal cannot be written: what has to be in it before it leaves must not leave."""


class RequestError(BotError):
    """A request failed, in one of the three ways that there are: the classes below."""

    kind: ClassVar[str]

    def told(self) -> dict[str, Any]:
        """It as JSON can hold it; `retold` is the way back."""
        return {"failure": self.kind, "text": str(self)}


class NotSentError(RequestError):
    """The venue cannot have it: no connection came about, or no byte of the request left."""

    kind = "not sent"


@attrs.frozen(slots=False)
class RefusedError(RequestError):
    """Theirs: the venue said no, in its own words, and holds nothing of the request.

    ``status`` is the HTTP status or the JSON-RPC code; ``code`` the venue's name for the reason.
    """

    kind = "refused"

    status: int
    code: str
    message: str

    def told(self) -> dict[str, Any]:
        return {"failure": self.kind, "status": self.status, "code": self.code, "text": self.message}

    def __str__(self) -> str:
        return f"{self.code or self.status}: {self.message}"


class UnknownOutcomeError(RequestError):
    """The venue may have it. Nothing may be sent again on the strength of this."""

    kind = "unknown"


def retold(told: Mapping[str, Any]) -> RequestError:
    """The failure that ``told`` was made of. Raises KeyError or ValueError for what never was one."""
    match told["failure"]:
        case NotSentError.kind:
            return NotSentError(told["text"])
        case UnknownOutcomeError.kind:
            return UnknownOutcomeError(told["text"])
        case RefusedError.kind:
            return RefusedError(told["status"], told["code"], told["text"])
    raise ValueError(f"no kind of failure: {told['failure']!r}")


async def or_failure(request: Awaitable[T]) -> T | RequestError:
    """The value of ``request``, or which of the three failures it met."""
    try:
        return await request
    except RequestError as failure:
        return failure


async def failure_of(request: Awaitable[object]) -> RequestError | None:
    """None for a success."""
    result = await or_failure(request)
    return result if isinstance(result, RequestError) else None


@attrs.frozen(slots=False)
class StreamClosedError(BotError):
    """The WebSocket ended. ``code`` is the close code of RFC 6455, 1006 where none was received."""

    code: int
    reason: str

    def __str__(self) -> str:
        return f"WebSocket closed: {self.code} {self.reason}".rstrip()


def leaves(error: BaseException) -> Iterator[BaseException]:
    """The exceptions in ``error``, however deeply its groups are nested; itself, if it is no group."""
    if isinstance(error, BaseExceptionGroup):
        for inner in error.exceptions:
            yield from leaves(inner)
    else:
        yield error
