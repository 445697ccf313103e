"""What takes turns at sending orders."""

from collections.abc import Awaitable, Callable, Sequence
from contextlib import AbstractAsyncContextManager
from typing import Literal

import attrs

from bot.lab.child import Reached

Way = Literal["REST", "WebSocket"]

Turn = Callable[[int], Awaitable["Taken"]]
"""Sends so many orders, one after the other."""


@attrs.frozen
class Taken:
    """What orders took, in ns each: from their terms to the answer, understood."""

    whole: Sequence[float]
    unsigned: Sequence[float] = ()
    """The same without hash and signature, where somebody can tell."""


class UnavailableError(Exception):
    """A side cannot take part here; the text says why."""


@attrs.frozen
class Side:
    """One client by one way."""

    name: str
    way: Way
    open: Callable[[Reached], AbstractAsyncContextManager[Turn]]
    """Connects it to an exchange, and logs in. Raises UnavailableError."""
