"""A session with batches and modifications in it, by a strategy of its own."""

from contextlib import AbstractContextManager
from pathlib import Path

import attrs

from bot.core.fixed import SCALE, Fixed
from bot.core.tape import Kind
from bot.exchange.faults.requests import Late, Refuse, Silence, Swallow
from bot.exchange.settings import ExchangeSettings
from bot.replay.acting import SIZE, Acting, acted
from bot.replay.scenarios import take
from bot.settings import Settings
from bot.simulation.rehearsal import Rehearsal, rehearse
from bot.trading.executor import OrdersSettings
from bot.trading.requests import REST
from bot.trading.step.guard import LimitsSettings
from bot.trading.strategies.trader import Trader

SETTINGS = attrs.evolve(
    Settings(),
    limits=LimitsSettings(order_notional=Fixed(0)),
    exchange=ExchangeSettings(deposit=Fixed(1000 * SCALE)),
)


@attrs.define
class Everything(Acting):
    """Places, modifies and cancels in every way that there is, a second between one thing and the next."""

    def act(self, number: int, trader: Trader) -> None:
        match number:
            case 1:
                self.place_batch(trader, range(12))
            case 2:
                trader.modify(self.placed[0], price=self.price - SCALE * 20)
                trader.modify(self.placed[1], size=2 * SIZE)  # the answer comes late
                self.place(trader, -1)
            case 3:
                trader.modify(self.placed[12], size=SIZE // 2)  # and three quarters are taken meanwhile
                trader.modify(self.placed[7], size=300 * SIZE)  # there is no money for that
            case 4:
                self.place_batch(trader, range(20, 23))  # no answer
            case 5:
                trader.cancel_batch(self.placed[:5])
                trader.modify(self.placed[5], size=3 * SIZE)  # no answer
            case 6:
                trader.cancel_batch(self.placed[4:7])  # not heard


async def everything(rehearsal: Rehearsal) -> None:
    exchange, changes = rehearsal.exchange, 0
    for fault in (
        Late(on="modify", skip=1, answer=0.2, times=1),
        Silence(on="create-batch", skip=2, cut_after=0),
        Swallow(on="modify", skip=3, cut_after=0),
        Refuse(on="cancel-batch", skip=1, status=503),
    ):
        exchange.faults.add(fault)

    def watch(way: str, text: str) -> None:
        nonlocal changes
        if text.startswith("PUT") or (way == Kind.FRAME_OUT and "order.modify" in text):
            changes += 1
            if changes == 3:
                rehearsal.network.after(0.01, lambda: take(exchange, SIZE * 3 // 4))

    rehearsal.messages.listeners.append(watch)
    await rehearsal.trade(11)


def played() -> AbstractContextManager[None]:
    """By that strategy."""
    return acted(Everything)


def record(file: Path, via: str = REST) -> None:
    """Make the session."""
    settings = attrs.evolve(SETTINGS, orders=OrdersSettings(via=via))
    with played():
        # What is asked for at one instant is asked by turns that chance decides: with this seed twice alike.
        rehearse(everything, settings, seed=10, delay=0.02, tls=False, journal=file)
