"""The one ordered stream: everything that happens is written down, handled in a step, and what the step decided is
written down and carried out, before anything else happens.
"""

from collections.abc import Callable

import attrs

from bot.core.errors import RequestError, StreamClosedError
from bot.core.tape import Stamp, Tape
from bot.session.inbox import Item, OrderReported
from bot.trading.effects import Effect, GiveUp, OrderMoved, RaiseAlarm
from bot.trading.manager import OrderManager
from bot.trading.transcript import Line, of_effect, of_item


@attrs.define(eq=False)
class OrderedStream:
    """An `Inbox`: call it with an item. Whoever calls meets what the step raises."""

    manager: OrderManager
    tape: Tape
    alarm: Callable[[str], None] = attrs.field(kw_only=True)
    give_up: Callable[[str], None] = attrs.field(kw_only=True)
    carry_out: Callable[[Effect, int], None] = attrs.field(init=False)
    """Begins with an effect, and is told its number on the tape. Given last: the executor reports to this stream."""

    broken: bool = attrs.field(default=False, init=False)
    """A step was begun and not finished. Nobody knows how much of it was done, so there will be no other."""

    def __call__(self, item: Item) -> None:
        now_ns = item.ns if isinstance(item, OrderReported) else self._write(of_item(item)).ns
        if self.broken:
            return
        self.broken = True
        try:
            effects = self.manager.step(item, now_ns)
        except (RequestError, StreamClosedError) as bug:
            raise RuntimeError("a step raised what a supervisor would take for the venue's") from bug
        for effect in effects:
            self._begin(effect, self._write(of_effect(effect)).number)
        self.broken = False

    def _begin(self, effect: Effect, number: int) -> None:
        match effect:
            case OrderMoved():
                pass
            case RaiseAlarm(text):
                self.alarm(text)
            case GiveUp(reason):
                self.give_up(reason)
            case _:
                self.carry_out(effect, number)

    def _write(self, line: Line) -> Stamp:
        return self.tape.write(line.kind, line.data, generation=line.generation)
