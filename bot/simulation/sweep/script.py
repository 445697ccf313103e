"""The scripted session that the sweep cancels: a start, two orders, a cancel, a reconnect, two orders, a stop."""

from collections.abc import Callable

import attrs

from bot.core.errors import SessionGoneError
from bot.core.fixed import Fixed, parse
from bot.core.order import Instruction, Order, Side, State
from bot.exchange.settings import ExchangeSettings
from bot.link.http import HttpSettings
from bot.link.websocket import StreamSettings
from bot.settings import Settings
from bot.trading.executor import OrdersSettings
from bot.trading.requests import WS
from bot.trading.strategies.strategy import (
    Event,
    OrderChanged,
    Quote,
    QuoteFailed,
    TimerElapsed,
    TradingOpened,
)
from bot.trading.strategies.trader import Trader

SETTINGS = attrs.evolve(
    Settings(),
    http=HttpSettings(
        connections=2
    ),  # one for orders: the second waits for the first, and a lost one is missed
    stream=StreamSettings(ping_interval=0.5),  # or no heartbeat would come to its checkpoints
    exchange=ExchangeSettings(rate_limits="none"),
)


def settings(via: str) -> Settings:
    """Those of the script, with orders that go this way; and the venue is to cancel them if their WebSocket ends."""
    return attrs.evolve(SETTINGS, orders=OrdersSettings(via=via, cancel_on_disconnect=via == WS))


AGAIN_S = 0.2
"""Until a quote that did not come is asked for again."""

_SIZE = Fixed(parse("0.01"))


@attrs.define
class Script:
    """A strategy that plays its part whatever goes wrong: what it does next follows from how its orders are.

    It places two orders and cancels the first when that rests. When the first is over and the second rests, the
    WebSocket is lost. In the next session it places two more, and asks for the stop while the third is on its way:
    the fourth must never leave.
    """

    lose_websocket: Callable[[], object]
    stop_soon: Callable[[], object]
    is_done: bool = False
    """The stop was asked for."""

    _market: str = SETTINGS.orders.markets[0]
    _price: int = 0
    _placed: list[str] = attrs.field(factory=list)
    _lost: bool = False
    _back: bool = False

    def on_event(self, event: Event, trader: Trader) -> None:
        match event:
            case TradingOpened():
                self._back = self._lost
                if not self._price:
                    trader.ask_quote(self._market)
            case Quote(bid=bid) if bid is not None:
                tick = trader.market(self._market).price_tick
                self._price = bid * 9 // 10 // tick * tick
            case Quote() | QuoteFailed():
                trader.set_timer(AGAIN_S)
            case TimerElapsed():
                trader.ask_quote(self._market)
        if self._price and not self.is_done:
            self._go_on(trader, changed=event.order if isinstance(event, OrderChanged) else None)

    def _go_on(self, trader: Trader, changed: Order | None) -> None:
        while len(self._placed) < (4 if self._back else 2):
            try:
                self._placed.append(
                    trader.place(
                        self._market,
                        Side.BUY,
                        size=_SIZE,
                        price=self._price,
                        instruction=Instruction.POST_ONLY,
                    )
                )
            except SessionGoneError:
                return  # the next session goes on from here
        first, second, *later = map(trader.order, self._placed)
        if first.state is State.OPEN and changed == first:
            trader.cancel(first.client_id)
        if not self._lost and first.is_over and (second.is_over or second.state is State.OPEN):
            self._lost = True
            self.lose_websocket()
        if any(order.state is not State.INTENT for order in later):
            self.is_done = True
            self.stop_soon()
