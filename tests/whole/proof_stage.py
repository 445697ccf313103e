"""The whole bot with one order, on an exchange that can be told to fail; judged by the oracle."""

from collections.abc import Callable
from pathlib import Path

import attrs

from bot import app
from bot.core.fixed import SCALE
from bot.core.order import Instruction, Order, Side, State
from bot.exchange.faults.faults import Fault
from bot.exchange.faults.witness import OrderSeen
from bot.settings import Settings
from bot.simulation.evidence import Evidence, watching
from bot.simulation.oracle import violations
from bot.simulation.rehearsal import Rehearsal, rehearse
from bot.simulation.world import replaced
from bot.summary import Summary
from bot.trading.strategies.strategy import Event, OrderChanged, Quote, TradingOpened
from bot.trading.strategies.trader import Trader

MARKET = "BTC-USD-PERP"
SIZE = SCALE // 100
DELAY = 0.02
"""Seconds, each way."""

RECV_WINDOW = Settings().orders.recv_window / 1000
DEADLINE = Settings().http.request_timeout
SECONDS = 20.0


def nothing(*_: object) -> None:
    """For what a test does not look at."""


@attrs.define
class OneOrder:
    """Places one order far from the market. When it rests: ``then``, which by default wants it gone."""

    then: Callable[[Trader, str], object] = Trader.cancel
    told: list[Order] = attrs.field(factory=list)
    trader: Trader | None = None
    """A strategy could keep it, and so does this one."""

    def on_event(self, event: Event, trader: Trader) -> None:
        self.trader = trader
        match event:
            case TradingOpened(generation=1):
                trader.ask_quote(MARKET)
            case Quote(bid=bid) if bid is not None:
                self.place(bid // 2 // SCALE * SCALE)
            case OrderChanged(order):
                is_news = not any(each.state is order.state for each in self.told)
                self.told.append(order)
                if order.state is State.OPEN and is_news:
                    self.then(trader, order.client_id)

    def place(self, price: int) -> None:
        assert self.trader is not None
        self.trader.place(MARKET, Side.BUY, size=SIZE, price=price, instruction=Instruction.POST_ONLY)


@attrs.frozen
class Played:
    """A run that is over, and what the oracle says of it."""

    strategy: OneOrder
    evidence: Evidence
    violations: list[str]
    struck: dict[str, int]

    @property
    def told(self) -> Order:
        """What the strategy was told last."""
        return self.strategy.told[-1]

    @property
    def seen(self) -> OrderSeen:
        """What the exchange saw of the only order."""
        [seen] = self.evidence.seen().values()
        return seen

    @property
    def summary(self) -> Summary:
        assert self.evidence.summary is not None
        return self.evidence.summary

    def violated(self) -> set[str]:
        """The names of the invariants that do not hold."""
        return {violation.partition(":")[0] for violation in self.violations}


def play(
    *faults: Fault,
    then: Callable[[Trader, str], object] = Trader.cancel,
    strategy: OneOrder | None = None,
    arrange: Callable[[Rehearsal], object] = nothing,
    settings: Settings | None = None,
    seconds: float = SECONDS,
    seed: int = 0,
    journal: Path | None = None,
) -> Played:
    """Trade for so long on an exchange with these faults, after ``arrange``, and stop.

    The strategy is `OneOrder` with ``then``, if it is not said.
    """
    playing = strategy or OneOrder(then)

    async def act(rehearsal: Rehearsal) -> Played:
        for fault in faults:
            rehearsal.exchange.faults.add(fault)
        with watching(rehearsal, journal) as evidence:
            arrange(rehearsal)
            evidence.summary = await rehearsal.trade(seconds)
        return Played(playing, evidence, violations(evidence), dict(rehearsal.exchange.faults.struck))

    with replaced(app, "Probe", lambda *_: playing):
        return rehearse(act, settings, seed=seed, delay=DELAY, tls=False, journal=journal)


def at_message(
    rehearsal: Rehearsal, way: str, start: str, act: Callable[[], object], *, after: float = 0.0
) -> None:
    """Call ``act``, ``after`` seconds from the first message of this kind that begins like this."""
    heard = False

    def listen(kind: str, message: str) -> None:
        nonlocal heard
        if not heard and kind == way and message.startswith(start):
            heard = True
            rehearsal.network.after(after, act)

    rehearsal.messages.listeners.append(listen)
