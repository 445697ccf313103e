"""Scenes of orders that go over the WebSocket: what `bot.replay.scenarios` records of them."""

from contextlib import suppress
from typing import Any

import attrs

from bot.core.errors import TradingHaltedError
from bot.core.fixed import SCALE, Fixed
from bot.core.order import State
from bot.exchange.faults.requests import FalseAnswer, Garble, Late, Refuse, Silence, Swallow, Twice
from bot.exchange.settings import ExchangeSettings
from bot.link.http import HttpSettings
from bot.replay.acting import SIZE, Acting
from bot.settings import Settings
from bot.simulation.rehearsal import Rehearsal
from bot.trading.executor import OrdersSettings
from bot.trading.requests import WS
from bot.trading.step.guard import LimitsSettings
from bot.trading.strategies.probe import ProbeSettings
from bot.trading.strategies.strategy import Event, OrderChanged
from bot.trading.strategies.trader import Trader


def settings(*, cancel_on_disconnect: bool, **more: Any) -> Settings:
    """Orders go over the WebSocket."""
    orders = OrdersSettings(via=WS, cancel_on_disconnect=cancel_on_disconnect, recv_window=2000)
    return attrs.evolve(Settings(), orders=orders, **more)


@attrs.define
class Calls(Acting):
    """Places, modifies and cancels in every way that there is. What never came to be is sent again."""

    def act(self, number: int, trader: Trader) -> None:
        match number:
            case 1:
                self.place(trader, 0)
                self.place(trader, 1)
            case 2:
                self.place_batch(trader, range(2, 6))
            case 3:
                trader.modify(self.placed[0], price=self.price - 20 * SCALE)
                trader.modify(self.placed[2], size=2 * SIZE)
                trader.cancel(self.placed[1])
            case 4:
                self.place(trader, 7, 300 * SIZE)  # there is no money for that
                trader.modify(self.placed[3], size=300 * SIZE)
            case 5:
                trader.cancel_batch(self.placed[2:5])
            case 6:
                self.place(trader, 8)  # and the WebSocket ends
            case 8:
                self.place_batch(trader, range(10, 13))
            case 9:
                trader.cancel(self.placed[-1])
            case 10:
                self.place(trader, 9)  # never arrives

    def on_event(self, event: Event, trader: Trader) -> None:
        super().on_event(event, trader)
        match event:
            case OrderChanged(order) if order.state is State.NEVER_ACCEPTED:
                with suppress(TradingHaltedError):
                    trader.place_again(order.client_id)


CALLS_SETTINGS = settings(
    cancel_on_disconnect=True,
    limits=LimitsSettings(order_notional=Fixed(0)),
    exchange=ExchangeSettings(deposit=Fixed(1000 * SCALE), batch_form="array"),
    http=HttpSettings(request_timeout=3.0),
)


async def calls(rehearsal: Rehearsal) -> None:
    """Orders over the WebSocket: one by one, in batches, which the venue takes in one form only, modified, refused,
    cancelled. It ends with an order in flight, and takes its orders along; another order has to be sent twice.
    """
    rehearsal.exchange.faults.add(Silence(on="create", skip=3, cut_after=0.0))
    rehearsal.exchange.faults.add(Swallow(on="create", skip=3))
    await rehearsal.trade(18.5)


UNHEARD_SETTINGS = settings(
    cancel_on_disconnect=False, strategy=ProbeSettings(pause=0.5), http=HttpSettings(request_timeout=2.0)
)


async def unheard(rehearsal: Rehearsal) -> None:
    """Orders over the WebSocket, whose replies are late, too late, twice, none, or say that nobody knows, or that the
    venue will not hear of us; some end the WebSocket. Cancels that are not heard go over REST.
    """
    for fault in (
        Late(on="create", answer=0.3),
        Twice(on="create"),
        FalseAnswer(on="create", status=500),
        Silence(on="create", cut_after=0.02),
        Late(on="create", answer=2.6),
        Garble(on="create", how="another-order"),
        Refuse(on="create", status=429),
        Refuse(on="create", status=401, rpc=40111),
        Swallow(on="cancel", over="ws", skip=1),
        Refuse(on="cancel", over="ws", status=500),
        Twice(on="cancel", over="ws"),
    ):
        rehearsal.exchange.faults.add(fault)
    await rehearsal.trade(14.2)
