"""Errors say whose fault it is, and travel like any exception."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest

from bot.core import errors
from bot.core.errors import BotError, RefusedError, StreamClosedError, leaves


def test_everything_raised_on_purpose_is_a_bot_error() -> None:
    """So that the last place which reports can tell purpose from accident."""
    kinds = [
        kind
        for kind in vars(errors).values()
        if isinstance(kind, type) and kind.__module__ == errors.__name__
    ]
    assert len(kinds) == 10
    assert all(issubclass(kind, BotError) for kind in kinds)


def test_a_request_fails_in_three_ways_and_no_fourth() -> None:
    """Whoever handles `RequestError` has handled each outcome of a send that is no answer (`faults.md` 1)."""
    assert set(errors.RequestError.__subclasses__()) == {
        errors.NotSentError,
        errors.RefusedError,
        errors.UnknownOutcomeError,
    }


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (RefusedError(400, "INVALID_ORDER_SIZE", "too big"), "INVALID_ORDER_SIZE: too big"),
        (RefusedError(42901, "", "rate limit exceeded"), "42901: rate limit exceeded"),
        (StreamClosedError(1006, "no pong within 3 s"), "WebSocket closed: 1006 no pong within 3 s"),
        (StreamClosedError(1000, ""), "WebSocket closed: 1000"),
    ],
)
def test_words(error: BotError, words: str) -> None:
    """What a log line shows: the venue's name of the reason, or the number where it has none."""
    assert str(error) == words


@pytest.mark.parametrize(
    "make", [lambda: RefusedError(400, "CODE", "words"), lambda: StreamClosedError(1006, "gone")]
)
def test_frozen_errors_travel(make: Callable[[], BotError]) -> None:
    """They are values and exceptions: contexts, causes, notes and groups may be attached to them."""

    @contextmanager
    def layer() -> Iterator[None]:
        try:
            yield
        except BotError as error:
            error.add_note("seen")
            raise ExceptionGroup("outer", [error]) from error

    error = make()
    with pytest.RaisesGroup(pytest.RaisesExc(BotError, check=lambda leaf: leaf is error)), layer():
        raise error from ValueError("cause")
    assert error.__notes__ == ["seen"]
    assert isinstance(error.__cause__, ValueError)


def test_leaves_of_nested_groups() -> None:
    """Each exception once, in order; what is no group is its own leaf."""
    first, second, third = ValueError("1"), KeyError("2"), KeyboardInterrupt()
    tree = BaseExceptionGroup(
        "a", [first, BaseExceptionGroup("b", [second, BaseExceptionGroup("c", [third])])]
    )
    assert list(leaves(tree)) == [first, second, third]
    assert list(leaves(first)) == [first]
