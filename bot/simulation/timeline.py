"""What will happen, and when: the one scheduler of a virtual network."""

import heapq
import itertools
from collections.abc import Callable
from functools import partial
from math import inf
from typing import NoReturn, TypeVarTuple

import trio

Args = TypeVarTuple("Args")


class Timeline:
    """Plain functions, called in virtual time.

    One scheduler for the whole network, not one pump a connection: what falls due at the same instant then happens in
    the order in which it was arranged, whichever tasks trio runs first, and ten thousand packets on their way cost a
    heap and not ten thousand tasks.
    """

    def __init__(self) -> None:
        self._due: list[tuple[float, int, Callable[[], object]]] = []
        self._numbers = itertools.count()  # breaks ties in order of arrangement
        self._alarm = trio.CancelScope()

    def now(self) -> float:
        """Seconds of trio's clock."""
        return trio.current_time()

    def at(self, time: float, act: Callable[[*Args], object], *args: *Args) -> None:
        """Call ``act(*args)`` at ``time``, in seconds of trio's clock; a time that has passed means now."""
        action: Callable[[], object] = partial(act, *args)
        item = (time, next(self._numbers), action)
        heapq.heappush(self._due, item)
        if self._due[0] is item:
            # Moving the deadline wakes the sleeper earlier without a task switch in between.
            self._alarm.deadline = time

    def after(self, seconds: float, act: Callable[[*Args], object], *args: *Args) -> None:
        """Call ``act(*args)`` in ``seconds``."""
        self.at(self.now() + seconds, act, *args)

    async def unfold(self) -> NoReturn:
        """Let things happen, until cancelled. What an action raises ends the run."""
        while True:
            with trio.CancelScope(deadline=self._due[0][0] if self._due else inf) as self._alarm:
                await trio.sleep_forever()
            now = self.now()
            while self._due and self._due[0][0] <= now:
                _, _, act = heapq.heappop(self._due)
                act()
