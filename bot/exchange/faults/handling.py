"""A request at the exchange's door: what a fault can do with it."""

from collections.abc import Callable
from functools import partial

import attrs
import trio

from bot.exchange.agenda import Agenda
from bot.exchange.stamps import Stamps
from bot.exchange.transport.http import Answer, Request


@attrs.frozen
class Handling:
    """One request. ``serve`` answers it as received at a time in ms, which takes ``processing`` seconds."""

    request: Request
    serve: Callable[[Request, int], Answer]
    processing: float
    stamps: Stamps
    agenda: Agenda

    async def pass_on(self) -> Answer:
        """Let it reach the exchange, and wait for the answer."""
        received_ms = self.stamps.now_ms()
        if self.processing:
            await trio.sleep(self.processing)
        return self.serve(self.request, received_ms)

    def send_on(self, late: float) -> None:
        """Let it reach the exchange so many seconds from now, whatever its connection comes to. No answer."""
        self.agenda.add(trio.current_time() + late, self._arrive)

    def look_back(self, seconds: float) -> None:
        """Have it answered as it would have been so many seconds ago, as far as it reads orders and fills."""
        self.request.visit.as_of_ms = self.stamps.now_ms() - round(1000 * seconds)

    def _arrive(self) -> None:
        self.agenda.add(trio.current_time() + self.processing, partial(self._finish, self.stamps.now_ms()))

    def _finish(self, received_ms: int) -> None:
        self.serve(self.request, received_ms)
