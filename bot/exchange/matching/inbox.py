"""The queue in front of the engine: commands wait out their speed bump, then are worked off in order."""

import heapq
from collections.abc import Callable

import trio
from loguru import logger

from bot.exchange.matching.commands import Cancel, Command, Modify, Place


class Inbox:
    """Commands by the time they are due, in virtual or real time; those due at once in order of arrival."""

    def __init__(self) -> None:
        self._queue: list[tuple[float, int, Command]] = []
        self._queued = 0
        self._arrival = trio.Event()
        self.faults = 0
        """Commands that broke, by a fault of ours."""

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
                self._attempt(heapq.heappop(self._queue)[2], execute)
            await trio.lowlevel.checkpoint()

    def _attempt(self, command: Command, execute: Callable[[Command], None]) -> None:
        """Execute; a command that breaks costs its order, and must not end everybody's exchange."""
        try:
            execute(command)
        except Exception as error:  # noqa: BLE001 - see above; the log has it all
            self.faults += 1
            logger.opt(exception=error).error("{} failed", type(command).__name__)
            if isinstance(command, Place | Modify):
                self.put(Cancel(command.order, "UNEXPECTED_FAILURE"), 0.0)
