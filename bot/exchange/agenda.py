"""What is to be done when: one task for whoever has things to do at some time, or as soon as its turn comes."""

import heapq
from collections.abc import Callable

import trio

Deed = Callable[[], None]

LATE = 1.0
"""Seconds after which what comes at intervals does not try to catch up any more. Chosen."""


class Agenda:
    """Deeds and their times in trio's seconds; who waits is woken when an earlier one is added."""

    def __init__(self) -> None:
        self._deeds: list[tuple[float, int, Deed]] = []
        self._count = 0
        self._added = trio.Event()

    def add(self, time: float, deed: Deed) -> None:
        """Do this then; deeds of the same time in the order in which they were added."""
        self._count += 1
        heapq.heappush(self._deeds, (time, self._count, deed))
        self._added.set()

    def clear(self) -> None:
        self._deeds.clear()

    async def work(self) -> None:
        """Do what is due, when it is due, for ever."""
        while True:
            self._added = trio.Event()
            with trio.move_on_at(self._deeds[0][0] if self._deeds else float("inf")):
                await self._added.wait()
            while self._deeds and self._deeds[0][0] <= trio.current_time():
                heapq.heappop(self._deeds)[2]()


def following(due: float, interval: float) -> float:
    """When to come again after what was due then; not to catch up where the program was held up for long."""
    return max(due, trio.current_time() - LATE) + interval
