"""Errors say whose fault it is, and travel like any exception."""

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.core import errors
from bot.core.errors import (
    BotError,
    NotSentError,
    RefusedError,
    RequestError,
    StreamClosedError,
    UnknownOutcomeError,
    leaves,
    retold,
)

words = st.text()
failures: st.SearchStrategy[RequestError] = st.one_of(
    st.builds(NotSentError, words),
    st.builds(UnknownOutcomeError, words),
    st.builds(RefusedError, st.integers(), words, words),
)


def test_everything_raised_on_purpose_is_a_bot_error() -> None:
    """So that the last place which reports can tell purpose from accident."""
    kinds = [
        kind
        for kind in vars(errors).values()
        if isinstance(kind, type) and kind.__module__ == errors.__name__
    ]
    assert len(kinds) == 14
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


@given(failures)
def test_failures_survive_being_told(failure: RequestError) -> None:
    """What JSON brings back is of the same kind, and says the same."""
    back = retold(json.loads(json.dumps(failure.told())))
    assert type(back) is type(failure)
    assert str(back) == str(failure)
    assert vars(back) == vars(failure)


@pytest.mark.parametrize(
    ("told", "error"),
    [
        ({"failure": "cancelled"}, ValueError),
        ({"failure": None}, ValueError),
        ({"text": "no way"}, KeyError),
        ({"failure": "unknown"}, KeyError),
        ({"failure": "refused", "status": 400, "text": "no"}, KeyError),
    ],
)
def test_what_never_was_a_failure(told: dict[str, Any], error: type[Exception]) -> None:
    """It is refused, and not taken for one of the three."""
    with pytest.raises(error):
        retold(told)


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
