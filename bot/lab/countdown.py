"""So many orders, and then the end: for runs that are made to be measured."""

from collections.abc import Callable
from typing import Any

import attrs
import trio

from bot.core.order import TERMINAL
from bot.core.tape import Kind, Stamp, Tape
from bot.session.stop import Stop

THROUGH = "every order is over"
"""Why a run stopped that came to its last order."""


@attrs.define(eq=False)
class Countdown:
    """A `Tape` in front of another, which counts orders that are over, and asks for the stop after the last."""

    tape: Tape
    stop: Stop
    left: int
    decided: Callable[[], None]
    """Called for each order, when it was decided and before anything is done about it."""

    _under_way: set[str] = attrs.field(factory=set)
    _ended: trio.Event = attrs.field(factory=trio.Event)

    def write(self, kind: Kind, data: Any, *, generation: int = 0) -> Stamp:
        stamp = self.tape.write(kind, data, generation=generation)
        match kind, data:
            case Kind.EFFECT, {"do": "place", "client_id": client_id}:
                self._under_way.add(client_id)
                self.decided()
            case Kind.ORDER, {"client_id": client_id, "state": state} if client_id in self._under_way:
                if state in TERMINAL:
                    self._under_way.remove(client_id)
                    self._over()
        return stamp

    def commit(self) -> None:
        self.tape.commit()

    async def no_longer_than(self, seconds: float) -> None:
        """Give up when no order ended for so long."""
        while True:
            with trio.move_on_after(seconds) as waiting:
                await self._ended.wait()
            if waiting.cancelled_caught:
                self.stop.ask(f"no order ended within {seconds:g} s")
                return
            self._ended = trio.Event()

    def _over(self) -> None:
        self._ended.set()
        self.left -= 1
        if self.left == 0:
            self.stop.ask(THROUGH)
