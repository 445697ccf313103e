"""What the tests of sessions share: chance that does not vary, and a listener for readiness."""

import random
from typing import Generic, TypeVar

import trio

T = TypeVar("T")


class NoJitter(random.Random):
    """Draws the upper end of a backoff's jitter: delays are what they are at most."""

    def uniform(self, a: float, b: float) -> float:
        assert (a, b) == (0.5, 1.0)
        return b


class Readiness(Generic[T]):
    """A task status that remembers what was reported, and when."""

    def __init__(self) -> None:
        self.reported: list[tuple[float, T]] = []
        self._event = trio.Event()

    def started(self, value: T) -> None:
        self.reported.append((trio.current_time(), value))
        self._event.set()

    async def wait(self) -> T:
        await self._event.wait()
        return self.reported[0][1]


class Longest(random.Random):
    """Draws the upper end of every interval."""

    def uniform(self, a: float, b: float) -> float:
        return max(a, b)
