"""Whose fault it is, as the type of the error. Edge modules map what libraries raise to these, each in one place.

What happened to a request has three answers and no fourth (`faults.md` calls them the outcome of a send): it
was not sent, it was refused, or nobody knows yet.
"""

from collections.abc import Iterator

import attrs


class BotError(Exception):
    """Everything that this program raises on purpose."""


class FatalError(BotError):
    """Trying again cannot help: credentials refused, a venue that is not the one expected. Exit code 3."""


class InvalidOrderError(BotError):
    """Ours: an order that no venue would take. Raised before it is signed, with what is wrong and what is allowed."""


class RevokedError(BotError):
    """Ours: a strategy used a `Trader` that was taken back."""


class SessionGoneError(BotError):
    """There is no session, or no longer this one: new orders need the one that is open now."""


class RequestError(BotError):
    """A request failed, in one of the three ways that there are: the classes below."""


class NotSentError(RequestError):
    """The venue cannot have it: no connection came about, or no byte of the request left."""


@attrs.frozen(slots=False)
class RefusedError(RequestError):
    """Theirs: the venue said no, in its own words, and holds nothing of the request.

    ``status`` is the HTTP status or the JSON-RPC code; ``code`` the venue's name for the reason.
    """

    status: int
    code: str
    message: str

    def __str__(self) -> str:
        return f"{self.code or self.status}: {self.message}"


class UnknownOutcomeError(RequestError):
    """The venue may have it. Nothing may be sent again on the strength of this."""


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
