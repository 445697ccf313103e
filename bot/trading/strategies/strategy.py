"""What a strategy is: a synchronous handler of events, called inside the order manager's step.

It must not await, block, read a clock or roll dice: then the same stream of events gives the same decisions,
and a recorded session can be replayed.
"""

from typing import Protocol

import attrs

from bot.core.fill import Fill
from bot.core.order import Order
from bot.trading.strategies.trader import Trader


@attrs.frozen
class TradingOpened:
    """A session is ready: new orders are taken. Each generation of the WebSocket opens trading once."""

    generation: int


@attrs.frozen
class TradingPaused:
    """The session is gone: new orders are refused until the next one. Cancels go on working."""


@attrs.frozen
class OrderChanged:
    """An order of ours, as it is now."""

    order: Order


@attrs.frozen
class OrderPrepared:
    """An order that was asked for with `Trader.prepare` is signed, and may be sent within the next ``seconds``."""

    client_id: str
    seconds: float


@attrs.frozen
class PrepareFailed:
    """It could not be signed, and will not be. ``reason`` in words."""

    client_id: str
    reason: str


@attrs.frozen
class ModifyFailed:
    """The order has not the terms that `Trader.modify` asked for, and will not get them. ``reason`` in words."""

    order: Order
    reason: str


@attrs.frozen
class Filled:
    """A fill of an order of ours, which is ``order`` now; told once."""

    order: Order
    fill: Fill


@attrs.frozen
class Quote:
    """Best bid and offer, asked for with `Trader.ask_quote`; units of 10⁻⁸, None for an empty side."""

    market: str
    bid: int | None
    ask: int | None


@attrs.frozen
class QuoteFailed:
    """No quote came; ``reason`` in words."""

    market: str
    reason: str


@attrs.frozen
class TimerElapsed:
    """A timer set with `Trader.set_timer`."""

    timer: int


Event = (
    TradingOpened
    | TradingPaused
    | OrderChanged
    | OrderPrepared
    | PrepareFailed
    | ModifyFailed
    | Filled
    | Quote
    | QuoteFailed
    | TimerElapsed
)


class Strategy(Protocol):
    def on_event(self, event: Event, trader: Trader) -> None:
        """Decide. What ``trader`` is asked to do goes out when this returns.

        Raises:
            FatalError: the strategy cannot go on; the bot stops, in order, and says why.
        """
        ...
