"""What a request brings back, by whichever way it went, and whether it may leave at all."""

from collections.abc import Callable
from typing import Generic, TypeVar

import attrs

T = TypeVar("T")


@attrs.frozen(kw_only=True)
class Answer(Generic[T]):
    """What a request brought back, and how it got there."""

    value: T
    reused: bool
    """It went over a connection that was open already."""

    elapsed_ns: int
    """From the moment it was handed to a connection until its answer was read."""

    exchange: int = 0
    """Number of this exchange of request and answer on the tape."""


Permit = Callable[[], None]
"""Called when the first byte of a request is about to leave; what it raises, a `NotSentError`, keeps it here."""


def always() -> None:
    """The `Permit` of requests that may leave at any time."""
