"""The one ordered stream: everything that happens is written down, handled in a step, and what the step decided is
written down and carried out, before anything else happens.
"""

from collections.abc import Callable

import attrs

from bot.core.errors import RequestError, StreamClosedError
from bot.core.tape import Stamp, Tape
from bot.session.inbox import FillReported, Item, OrderReported
from bot.trading.effects import Effect, GiveUp, OrderMoved, PullKillSwitch, RaiseAlarm, Repaired
from bot.trading.step.manager import OrderManager
from bot.trading.transcript import Line, of_effect, of_item
from bot.trading.watchdog import Watchdog


@attrs.define(eq=False)
class OrderedStream:
    """An `Inbox`: call it with an item. Whoever calls meets what the step raises."""

    manager: OrderManager
    tape: Tape
    alarm: Callable[[str], None] = attrs.field(kw_only=True)
    pull_kill_switch: Callable[[str], None] = attrs.field(kw_only=True)
    give_up: Callable[[str], None] = attrs.field(kw_only=True)
    carry_out: Callable[[Effect, int], None] = attrs.field(init=False)
    """Begins with an effect, and is told its number on the tape. Given last: the executor reports to this stream."""

    thread_ns: Callable[[], int] = attrs.field(default=lambda: 0, kw_only=True)
    """The processor time of this thread, for the watchdog; where there is none to tell, every step is short."""

    watchdog: Watchdog = attrs.field(init=False)
    broken: bool = attrs.field(default=False, init=False)
    """A step, or what it decided, was begun and not finished. Nobody knows how much was done: there is no other."""

    @watchdog.default
    def _new_watchdog(self) -> Watchdog:
        return Watchdog(self.pull_kill_switch)

    def __call__(self, item: Item) -> None:
        now_ns = item.ns if isinstance(item, (OrderReported, FillReported)) else self._write(of_item(item)).ns
        if self.broken:
            return
        self.broken = True
        began_ns = self.thread_ns()
        try:
            effects = self.manager.step(item, now_ns)
        except (RequestError, StreamClosedError) as bug:
            raise RuntimeError("a step raised what a supervisor would take for the venue's") from bug
        numbers = [self._write(of_effect(effect)).number for effect in effects]
        self.broken = False
        self.watchdog.judge(item, now_ns, self.thread_ns() - began_ns)
        has_begun = False
        try:
            # Some are carried out at once, and report in a step of their own.
            for effect, number in zip(effects, numbers, strict=True):
                self._begin(effect, number)
            has_begun = True
        finally:
            self.broken = not has_begun

    def _begin(self, effect: Effect, number: int) -> None:
        match effect:
            case OrderMoved() | Repaired():
                pass
            case RaiseAlarm(text):
                self.alarm(text)
            case PullKillSwitch(reason):
                self.pull_kill_switch(reason)
            case GiveUp(reason):
                self.give_up(reason)
            case _:
                self.carry_out(effect, number)

    def _write(self, line: Line) -> Stamp:
        return self.tape.write(line.kind, line.data, generation=line.generation)
