"""The queue in front of the engine: commands wait out their speed bump, then are worked off in order."""

from collections.abc import Callable
from functools import partial

import trio
from loguru import logger

from bot.exchange.agenda import Agenda
from bot.exchange.matching.commands import Cancel, Command, Modify, Place


class Inbox:
    """Commands by the time they are due, in virtual or real time; those due at once in order of arrival."""

    def __init__(self, execute: Callable[[Command], None]) -> None:
        self._execute = execute
        self._agenda = Agenda()
        self.faults = 0
        """Commands that broke, by a fault of ours."""

    def put(self, command: Command, delay: float) -> None:
        """Queue a command; ``delay`` in seconds."""
        self._agenda.add(trio.current_time() + delay, partial(self._attempt, command))

    async def run(self) -> None:
        """Execute what becomes due, for as long as the exchange lives."""
        await self._agenda.work()

    def _attempt(self, command: Command) -> None:
        """Execute; a command that breaks costs its order, and must not end everybody's exchange."""
        try:
            self._execute(command)
        except Exception as error:  # noqa: BLE001 - see above; the log has it all
            self.faults += 1
            logger.opt(exception=error).error("{} failed", type(command).__name__)
            if isinstance(command, Place | Modify):
                self.put(Cancel(command.order, "UNEXPECTED_FAILURE"), 0.0)
