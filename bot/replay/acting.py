"""Strategies that play from a script: what a recorded session needs and no strategy of the bot's does."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress

import attrs

from bot import app
from bot.core.errors import InvalidOrderError, TradingHaltedError
from bot.core.fixed import SCALE
from bot.core.order import Instruction, Side
from bot.simulation.world import replaced
from bot.trading.strategies.strategy import Event, Quote, Strategy, TimerElapsed, TradingOpened
from bot.trading.strategies.trader import NewOrder, Trader

MARKET = "BTC-USD-PERP"
SIZE = SCALE // 100


@attrs.define
class Acting(ABC):
    """Plays one act a second, from the first quote on."""

    placed: list[str] = attrs.field(factory=list)
    """Client ids, in the order of placing."""

    price: int = 0
    """Half the best bid, in whole dollars."""

    @abstractmethod
    def act(self, number: int, trader: Trader) -> None:
        """Play the act with this number, from 1 on."""

    def on_event(self, event: Event, trader: Trader) -> None:
        match event:
            case TradingOpened() if not self.price:
                trader.ask_quote(MARKET)
            case Quote(bid=bid) if bid is not None:
                self.price = bid // 2 // SCALE * SCALE
                trader.set_timer(1)
            case TimerElapsed(number):
                trader.set_timer(1)
                # After a fault an order may not be there, or no new one be taken.
                with suppress(InvalidOrderError, TradingHaltedError, IndexError):
                    self.act(number, trader)

    def place(self, trader: Trader, below: int, size: int = SIZE) -> None:
        """Send an order that is so many dollars below the price."""
        order = self._order(below, size)
        self.placed.append(
            trader.place(
                order.market, order.side, size=order.size, price=order.price, instruction=order.instruction
            )
        )

    def place_batch(self, trader: Trader, below: Iterable[int]) -> None:
        """Send several of them."""
        self.placed += trader.place_batch([self._order(each, SIZE) for each in below])

    def _order(self, below: int, size: int) -> NewOrder:
        return NewOrder(
            market=MARKET,
            side=Side.BUY,
            size=size,
            price=self.price - SCALE * below,
            instruction=Instruction.POST_ONLY,
        )


@contextmanager
def acted(strategy: Callable[[], Strategy]) -> Iterator[None]:
    """Whatever bot trades meanwhile does so by such a strategy."""
    with replaced(app, "Probe", lambda *_: strategy()):
        yield
