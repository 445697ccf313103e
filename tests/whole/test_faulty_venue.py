"""The whole bot and a venue that swallows, is silent, lies and lags: one order or none, and it is told which.

What the exchange does is in `bot/exchange/README.md`, section Faults; what is right, in the table of outcomes.
"""

from collections.abc import Callable

import attrs
import pytest

from bot import app
from bot.core.fixed import SCALE
from bot.core.order import Instruction, Order, Side, State
from bot.exchange.faults.faults import Fault
from bot.exchange.faults.requests import (
    Cut,
    FalseAnswer,
    Garble,
    Late,
    Refuse,
    Silence,
    Stale,
    Swallow,
    Twice,
)
from bot.exchange.faults.updates import DelayUpdate, LoseUpdate, RepeatUpdate, SwapUpdate
from bot.exchange.faults.witness import OrderSeen
from bot.settings import Settings
from bot.simulation.rehearsal import Rehearsal, rehearse
from bot.summary import Summary
from bot.trading.strategies.strategy import Event, OrderChanged, Quote, TradingOpened
from bot.trading.strategies.trader import Trader

MARKET = "BTC-USD-PERP"
RECV_WINDOW = Settings().orders.recv_window / 1000
DEADLINE = Settings().http.request_timeout
SECONDS = 40.0


@attrs.define
class Once:
    """Places one order far from the market, and wants it gone as soon as it rests."""

    told: list[Order] = attrs.field(factory=list)

    def on_event(self, event: Event, trader: Trader) -> None:
        match event:
            case TradingOpened(generation=1):
                trader.ask_quote(MARKET)
            case Quote(bid=bid) if bid is not None:
                price = bid // 2 // SCALE * SCALE
                trader.place(MARKET, Side.BUY, size=10**6, price=price, instruction=Instruction.POST_ONLY)
            case OrderChanged(order):
                self.told.append(order)
                if order.state is State.OPEN:
                    trader.cancel(order.client_id)


@attrs.frozen
class Played:
    """What the strategy was told last, what the exchange saw of that order, and how the run ended."""

    told: Order
    seen: OrderSeen
    summary: Summary
    struck: dict[str, int]


Play = Callable[..., Played]


@pytest.fixture
def play(monkeypatch: pytest.MonkeyPatch) -> Play:
    def played(*faults: Fault) -> Played:
        once = Once()
        monkeypatch.setattr(app, "Probe", lambda *_: once)

        async def act(rehearsal: Rehearsal) -> Played:
            exchange = rehearsal.exchange
            exchange.witness.watch()
            for fault in faults:
                exchange.faults.add(fault)
            summary = await rehearsal.trade(SECONDS)
            told = once.told[-1]
            [seen] = exchange.witness.orders().values()
            assert seen.client_id == told.client_id
            return Played(told, seen, summary, dict(exchange.faults.struck))

        return rehearse(act, delay=0.02, tls=False)

    return played


ACCEPTED: dict[str, list[Fault]] = {
    "no fault": [],
    "accepted and silent": [Silence(on="create")],
    "accepted, and the connection is cut": [Silence(on="create", cut_after=0)],
    "accepted, and cut in the answer": [Cut(on="create", part=0.5)],
    "accepted late, inside of the recv_window": [Silence(on="create", late=RECV_WINDOW - 1, cut_after=0)],
    **{
        f"accepted and answered {status}": [FalseAnswer(on="create", status=status)]
        for status in (500, 502, 503, 504)
    },
    "accepted late and answered 504": [FalseAnswer(on="create", status=504, late=3)],
    "answered late, inside of the deadline": [Late(on="create", answer=DEADLINE / 2)],
    "answered late, outside of the deadline": [Late(on="create", answer=2 * DEADLINE)],
    "answered twice": [Twice(on="create")],
    "answered by a gateway's page": [Garble(on="create", how="text")],
    "answered by half of the answer": [Garble(on="create", how="half")],
    "accepted and silent, and history lags": [
        Silence(on="create", cut_after=0),
        LoseUpdate(times=None),
        Stale(on="history", seconds=3, times=None),
    ],
    "accepted and silent, and open orders lag": [
        Silence(on="create", cut_after=0),
        LoseUpdate(times=None),
        Stale(on="open-orders", seconds=3, times=None),
    ],
    "the update to OPEN is lost": [LoseUpdate(status="OPEN")],
    "the update to OPEN comes after that to CLOSED": [DelayUpdate(status="OPEN", seconds=1)],
    "the update to CLOSED is lost": [LoseUpdate(status="CLOSED")],
    "every update comes thrice": [RepeatUpdate(times=None, copies=2, seconds=0.1)],
    "updates change places": [SwapUpdate()],
    "the cancel is swallowed": [Swallow(on="cancel", cut_after=0)],
    "the cancel is queued and silent": [Silence(on="cancel")],
    "the cancel is answered 503": [Refuse(on="cancel", status=503)],
}


@pytest.mark.parametrize("row", ACCEPTED)
def test_one_order_that_ends_once(play: Play, row: str) -> None:
    """What the exchange accepted is found, cancelled, and over: sent once, accepted once, and told as it is."""
    played = play(*ACCEPTED[row])
    assert set(played.struck) == {fault.__struct_config__.tag for fault in ACCEPTED[row]}
    [order] = played.seen.accepted
    assert (order.status, order.cancel_reason) == ("CLOSED", "USER_CANCELED")
    assert [state.status for _, state in played.seen.states] == ["NEW", "OPEN", "CLOSED"]
    assert len(played.seen.sends) == 1
    assert (played.told.state, played.told.venue_id) == (State.CLOSED, order.id)
    assert not played.summary.unresolved


NOT_ACCEPTED: dict[str, tuple[list[Fault], State]] = {
    "swallowed": ([Swallow(on="create")], State.NEVER_ACCEPTED),
    "swallowed, and the connection is cut": ([Swallow(on="create", cut_after=0)], State.NEVER_ACCEPTED),
    "late, outside of the recv_window": (
        [Silence(on="create", late=RECV_WINDOW + 0.1, cut_after=0)],
        State.NEVER_ACCEPTED,
    ),
    "late, outside of the recv_window, and answered 504": (
        [FalseAnswer(on="create", status=504, late=RECV_WINDOW + 0.1)],
        State.NEVER_ACCEPTED,
    ),
    "late, outside of the recv_window, and answered": (
        [Late(on="create", request=RECV_WINDOW + 0.1)],
        State.REJECTED,
    ),
    "answered 503 by a gateway, and unheard": ([Refuse(on="create", status=503)], State.NEVER_ACCEPTED),
    "answered 400 by a gateway, and unheard": ([Refuse(on="create", status=400)], State.NEVER_ACCEPTED),
    "refused for the mode": (
        [Refuse(on="create", status=503, code="SYSTEM_STATUS_CANCEL_ONLY")],
        State.REJECTED,
    ),
    "refused with a code": ([Refuse(on="create", status=401, code="INVALID_TOKEN")], State.REJECTED),
}


@pytest.mark.parametrize("row", NOT_ACCEPTED)
def test_none_where_that_is_the_truth(play: Play, row: str) -> None:
    """Nothing was accepted, nothing is sent again, and the strategy hears whether that was said or proved."""
    faults, expected = NOT_ACCEPTED[row]
    played = play(*faults)
    assert played.seen.accepted == ()
    assert len(played.seen.sends) == 1
    assert played.told.state is expected
    assert not played.summary.unresolved
