"""The queue in front of the engine: commands wait out their speed bump, then are worked off in order."""

import heapq
from collections.abc import Callable

import trio

from bot.exchange.matching.commands import Command


class Inbox:
    """Commands by the time they are due, in virtual or real time; those due at once in order of arrival."""

    def __init__(self) -> None:
        self._queue: list[tuple[float, int, Command]] = []
        self._queued = 0
        self._arrival = trio.Event()

    def put(self, command: Command, delay: float) -> None:
        """Queue a command; ``delay`` in seconds."""
        self._queued += 1
        heapq.heappush(self._queue, (trio.current_time() + delay, self._queued, command))
        self._arrival.set()

    async def run(self, execute: Callable[[Command], None]) -> None:
        """Execute what becomes due, for as long as the exchange lives."""
        while True:
            if not self._queue:
                self._arrival = trio.Event()
                await self._arrival.wait()
            # A speed bump may be overtaken by a command that is due earlier, so wait for either.
            self._arrival = trio.Event()
            with trio.move_on_at(self._queue[0][0]):
                await self._arrival.wait()
            while self._queue and self._queue[0][0] <= trio.current_time():
                execute(heapq.heappop(self._queue)[2])
            await trio.lowlevel.checkpoint()
