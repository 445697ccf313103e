"""A session with batches and modifications in it, by a strategy of its own."""

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import attrs

from bot import app
from bot.core.errors import InvalidOrderError, TradingHaltedError
from bot.core.fixed import SCALE, Fixed
from bot.core.order import Instruction, Side
from bot.exchange.faults.requests import Late, Refuse, Silence, Swallow
from bot.exchange.settings import ExchangeSettings
from bot.replay.scenarios import take
from bot.settings import Settings
from bot.simulation.rehearsal import Rehearsal, rehearse
from bot.simulation.world import replaced
from bot.trading.step.guard import LimitsSettings
from bot.trading.strategies.strategy import Event, Quote, TimerElapsed, TradingOpened
from bot.trading.strategies.trader import NewOrder, Trader

SETTINGS = attrs.evolve(
    Settings(),
    limits=LimitsSettings(order_notional=Fixed(0)),
    exchange=ExchangeSettings(deposit=Fixed(1000 * SCALE)),
)
MARKET = "BTC-USD-PERP"
SIZE = SCALE // 100


@attrs.define
class Everything:
    """Places, modifies and cancels in every way that there is, a second between one thing and the next."""

    placed: list[str] = attrs.field(factory=list)
    price: int = 0

    def on_event(self, event: Event, trader: Trader) -> None:
        match event:
            case TradingOpened(generation=1):
                trader.ask_quote(MARKET)
            case Quote(bid=bid) if bid is not None:
                self.price = bid // 2 // SCALE * SCALE
                trader.set_timer(1)
            case TimerElapsed(number):
                trader.set_timer(1)
                # After a fault an order may not be there, or no new one be taken.
                with suppress(InvalidOrderError, TradingHaltedError, IndexError):
                    self._act(number, trader)

    def _act(self, number: int, trader: Trader) -> None:
        match number:
            case 1:
                self.placed += trader.place_batch([self._order(each) for each in range(12)])
            case 2:
                trader.modify(self.placed[0], price=self.price - SCALE * 20)
                trader.modify(self.placed[1], size=2 * SIZE)  # the answer comes late
                top = self._order(-1)
                self.placed.append(trader.place(MARKET, top.side, size=top.size, price=top.price))
            case 3:
                trader.modify(self.placed[12], size=SIZE // 2)  # and three quarters are taken meanwhile
                trader.modify(self.placed[7], size=300 * SIZE)  # there is no money for that
            case 4:
                self.placed += trader.place_batch([self._order(each) for each in range(20, 23)])  # no answer
            case 5:
                trader.cancel_batch(self.placed[:5])
                trader.modify(self.placed[5], size=3 * SIZE)  # no answer
            case 6:
                trader.cancel_batch(self.placed[4:7])  # not heard

    def _order(self, place: int) -> NewOrder:
        return NewOrder(
            market=MARKET,
            side=Side.BUY,
            size=SIZE,
            price=self.price - SCALE * place,
            instruction=Instruction.POST_ONLY,
        )


async def everything(rehearsal: Rehearsal) -> None:
    exchange, puts = rehearsal.exchange, 0
    for fault in (
        Late(on="modify", skip=1, answer=0.2, times=1),
        Silence(on="create-batch", skip=2, cut_after=0),
        Swallow(on="modify", skip=3, cut_after=0),
        Refuse(on="cancel-batch", skip=1, status=503),
    ):
        exchange.faults.add(fault)

    def watch(_way: str, text: str) -> None:
        nonlocal puts
        if text.startswith("PUT"):
            puts += 1
            if puts == 3:
                rehearsal.network.after(0.01, lambda: take(exchange, SIZE * 3 // 4))

    rehearsal.messages.listeners.append(watch)
    await rehearsal.trade(11)


@contextmanager
def played() -> Iterator[None]:
    """By that strategy."""
    with replaced(app, "Probe", lambda *_: Everything()):
        yield


def record(file: Path) -> None:
    """Make the session."""
    with played():
        rehearse(everything, SETTINGS, delay=0.02, tls=False, journal=file)
