"""How the bot bears a flow of orders: so many a second, each confirmed and cancelled, over real sockets.

The exchange runs in a process of its own, and looks at no signature. What an order costs the bot is the processor's
time of its thread from one order's decision to the next one's: with everything that happens in between.
"""

import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Annotated, Any, Literal

import attrs
import cyclopts
import msgspec
from cyclopts.validators import Number

from bot import app
from bot.core.clock import WorkClock
from bot.core.errors import TradingHaltedError
from bot.core.fixed import SCALE, multiply
from bot.core.histogram import Histogram
from bot.core.order import Instruction, Side, State
from bot.lab.child import open_exchange
from bot.lab.countdown import Countdown
from bot.paradex.environment import Venue
from bot.place import Place, trusting
from bot.run import Options, new_session, run_session
from bot.session.stop import Stop
from bot.settings import Settings
from bot.signals import EarlySignals
from bot.simulation.world import replaced
from bot.summary import Summary
from bot.trading.strategies.strategy import Event, OrderChanged, Quote, TimerElapsed, TradingOpened
from bot.trading.strategies.trader import Trader

MOST_UNEVEN = 4.0
"""The p99 of an order's cost may be so many times its median."""

MARKET, SIZE = "BTC-USD-PERP", SCALE // 1000
UNCOUNTED = 20
"""Orders at the beginning whose cost is not counted: everything happens for the first time."""


@attrs.define
class Metronome:
    """Places orders far below the market at an even pace, and cancels each as soon as it rests."""

    per_second: int
    total: int
    """So many orders, and no more."""

    price: int = 0
    placed: int = 0
    _tenths: int = 0
    """Of a second, that are laid out."""

    _next: int = -1
    """The timer at which the next tenth is."""

    def on_event(self, event: Event, trader: Trader) -> None:
        match event:
            case TradingOpened() if not self.price:
                trader.ask_quote(MARKET)
            case Quote(bid=bid) if bid is not None:
                tick = trader.market(MARKET).price_tick
                self.price = multiply(bid, SCALE // 2) // tick * tick
                self._lay_out(trader)
            case TimerElapsed(timer) if timer == self._next:
                self._lay_out(trader)
            case TimerElapsed() if self.placed < self.total:
                self._place(trader)
            case OrderChanged(order) if order.state is State.OPEN:
                trader.cancel(order.client_id)
            case _:
                pass

    def _lay_out(self, trader: Trader) -> None:
        """A timer for each order of the coming tenth: one after the other would add up what each is late."""
        begin, self._tenths = self._tenths, self._tenths + 1
        first, last = (self.per_second * tenths // 10 for tenths in (begin, self._tenths))
        for number in range(last - first):
            trader.set_timer(number / (last - first) / 10)
        self._next = trader.set_timer(0.1)

    def _place(self, trader: Trader) -> None:
        try:
            trader.place(MARKET, Side.BUY, size=SIZE, price=self.price, instruction=Instruction.POST_ONLY)
        except TradingHaltedError:
            return
        self.placed += 1


@attrs.define(eq=False)
class Meter:
    """Reads the thread's clock when an order is decided."""

    clock: WorkClock
    costs: Histogram = attrs.field(factory=Histogram)
    """The processor's time from one order to the next, in ns."""

    _read_ns: int = 0
    _met: int = 0

    def read(self) -> None:
        before_ns, self._read_ns = self._read_ns, self.clock.thread_ns()
        self._met += 1
        if self._met > UNCOUNTED:
            self.costs.add(self._read_ns - before_ns)


@attrs.frozen
class Flow:
    """What came of it."""

    via: str
    per_second: int
    summary: Summary
    costs: Histogram

    @property
    def unevenness(self) -> float:
        """p99 of an order's cost, in medians; 0 without orders."""
        median_ns, p99_ns = self.costs.percentile(50), self.costs.percentile(99)
        return 0.0 if not median_ns or p99_ns is None else p99_ns / median_ns

    def faults(self, orders: int) -> list[str]:
        """What is not as it should be, in words."""
        counts = self.summary.orders
        found = {
            f"{counts.placed} orders of {orders} were sent": counts.placed != orders,
            f"{counts.confirmed} orders of {orders} were confirmed": counts.confirmed != orders,
            f"{len(self.summary.unresolved)} orders are unresolved": self.summary.unresolved,
            f"{self.summary.generations} sessions: a pong was missed, or worse": self.summary.generations
            != 1,
            f"the p99 of an order's cost is {self.unevenness:.1f} medians": self.unevenness > MOST_UNEVEN,
        }
        return [words for words, is_so in found.items() if is_so]

    def to_dict(self) -> dict[str, Any]:
        return {
            "via": self.via,
            "orders_per_second": self.per_second,
            "cost_ms": self.costs.summary_ms(),
            "p99_in_medians": round(self.unevenness, 2),
            "summary": self.summary.to_dict(),
        }

    def to_text(self) -> str:
        cost = self.costs.summary_ms()
        return (
            f"{self.summary.to_table()}\n"
            f"{self.per_second} orders and as many cancels a second, by {self.via}; an order with its cancel costs"
            f" the processor {cost['p50']} ms (p50), {cost['p99']} ms (p99), {cost['max']} ms (max):"
            f" p99 is {self.unevenness:.2f} medians\n"
        )


def flow(via: Literal["rest", "ws"], per_second: int, orders: int) -> Flow | int:
    """Let so many orders flow; an exit code where there was no run."""
    base = Settings()
    settings = attrs.evolve(
        base,
        orders=attrs.evolve(base.orders, via=via),
        limits=attrs.evolve(base.limits, orders_per_second=0),
        log=attrs.evolve(base.log, level="WARNING"),
    )
    options = Options()
    session = new_session(options, settings)
    meter = Meter(session.clock)

    async def trade(settings: Settings, around: app.Surroundings, stop: Stop) -> Summary:
        countdown = Countdown(around.tape, stop, orders, meter.read)
        return await app.trade(settings, attrs.evolve(around, tape=countdown), stop)

    early = EarlySignals()
    with replaced(app, "Probe", lambda *_: Metronome(per_second, orders)):
        ended = run_session(settings, options, session, early, trade, _place)
    early.restore()
    return ended if isinstance(ended, int) else Flow(via, per_second, ended, meter.costs)


@asynccontextmanager
async def _place(settings: Settings, stop: Stop) -> AsyncIterator[Place | None]:  # noqa: ARG001 - as `open_place`
    async with open_exchange("--verify", "never", "--rate-limits", "none") as child:
        reached = child.reached
        yield Place(Venue(reached.rest_url, reached.ws_url), trusting(reached.ca_file or ""))


def main(
    *,
    via: Literal["rest", "ws"] = "ws",
    rate: Annotated[int | None, cyclopts.Parameter(validator=Number(gte=1, lte=400))] = None,
    seconds: Annotated[int, cyclopts.Parameter(validator=Number(gte=1))] = 60,
    json: Annotated[bool, cyclopts.Parameter(negative="")] = False,
) -> int:
    """Let orders flow, and say how the bot bore it. Exit code 1: not every order was confirmed, or worse.

    Args:
        via: the way of the orders.
        rate: orders a second, and as many cancels; 120 over the WebSocket and 20 over REST, if it is not said.
        seconds: for so long.
        json: print one JSON object.
    """
    rate = rate or (120 if via == "ws" else 20)
    found = flow(via, rate, rate * seconds)
    if isinstance(found, int):
        return found
    faults = found.faults(rate * seconds)
    if json:
        sys.stdout.write(msgspec.json.encode(found.to_dict() | {"faults": faults}).decode() + "\n")
    else:
        sys.stdout.write(found.to_text() + "".join(f"FAULT       {fault}\n" for fault in faults))
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(cyclopts.run(main))
