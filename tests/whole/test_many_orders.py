"""The whole bot places and cancels many orders at once: each sent once, each with its own end, all of them soon."""

from collections import Counter
from collections.abc import Callable

import attrs
import pytest
import trio

from bot import app
from bot.core.fixed import SCALE
from bot.core.order import Instruction, Order, Side, State
from bot.exchange.faults.faults import Fault
from bot.exchange.faults.requests import Cut, FalseAnswer, Garble, Late, Refuse, Silence, Swallow
from bot.exchange.faults.updates import LoseUpdate
from bot.settings import Settings
from bot.simulation.rehearsal import Rehearsal, rehearse
from bot.summary import Summary
from bot.trading.step.guard import LimitsSettings
from bot.trading.strategies.strategy import Event, OrderChanged, Quote, TimerElapsed, TradingOpened
from bot.trading.strategies.trader import NewOrder, Trader

MARKET = "BTC-USD-PERP"
DELAY = 0.025
RECV_WINDOW = Settings().orders.recv_window / 1000


@attrs.define
class Many:
    """Places a number of orders far from the market, all at once, and does something else a while later."""

    count: int
    later: Callable[[Trader], object] | None = None
    told: dict[str, Order] = attrs.field(factory=dict)

    def on_event(self, event: Event, trader: Trader) -> None:
        match event:
            case TradingOpened(generation=1):
                trader.ask_quote(MARKET)
            case Quote(bid=bid) if bid is not None:
                price = bid // 2 // SCALE * SCALE
                trader.place_batch([self._order(price - SCALE * each) for each in range(self.count)])
                if self.later is not None:
                    trader.set_timer(5)
            case OrderChanged(order):
                self.told[order.client_id] = order
            case TimerElapsed() if self.later is not None:
                self.later(trader)

    @staticmethod
    def _order(price: int) -> NewOrder:
        return NewOrder(
            market=MARKET, side=Side.BUY, size=SCALE // 100, price=price, instruction=Instruction.POST_ONLY
        )


@attrs.frozen
class Played:
    strategy: Many
    before_the_end: dict[str, State]
    """As the strategy knew its orders before the stop."""

    there: dict[str, str]
    """The exchange's orders and their states, then."""

    rests: int
    """Orders that the exchange still has when the bot is gone."""

    took: float
    """Virtual seconds from the stop, or whatever ended it, until the bot was gone."""

    asked: Counter[str]
    """How often, by method and path."""

    summary: Summary
    struck: set[str]


Play = Callable[..., Played]


@pytest.fixture
def play(monkeypatch: pytest.MonkeyPatch) -> Play:
    def played(
        strategy: Many,
        *faults: Fault,
        seconds: float = 20.0,
        end: Callable[[Rehearsal], object] = lambda rehearsal: rehearsal.stop.ask("the end of the play"),
        settle: float = 0.0,
    ) -> Played:
        """``end`` is what happens then; the stop is asked for ``settle`` seconds later, at the latest."""
        monkeypatch.setattr(app, "Probe", lambda *_: strategy)

        async def stage(rehearsal: Rehearsal) -> Played:
            exchange = rehearsal.exchange
            for fault in faults:
                exchange.faults.add(fault)
            known: dict[str, State] = {}
            there: dict[str, str] = {}
            ended_at = 0.0

            async def look() -> None:
                nonlocal ended_at
                await trio.sleep(seconds)
                known.update({client_id: order.state for client_id, order in strategy.told.items()})
                there.update({order.client_id: order.status for order in exchange.orders.values()})
                end(rehearsal)
                await trio.sleep(settle)
                ended_at = trio.current_time()
                rehearsal.stop.ask("the end of the play")

            async with trio.open_nursery() as nursery:
                nursery.start_soon(look)
                summary = await rehearsal.trade()
            asked = Counter(" ".join(text.split()[:2]) for _, way, text in rehearsal.trace if way == "http>")
            return Played(
                strategy,
                known,
                there,
                sum(order.is_live for order in exchange.orders.values()),
                trio.current_time() - ended_at,
                asked,
                summary,
                set(exchange.faults.struck),
            )

        limits = LimitsSettings(open_orders=0)
        return rehearse(stage, attrs.evolve(Settings(), limits=limits), delay=DELAY, tls=False)

    return played


# Placing.

TAKEN: dict[str, list[Fault]] = {
    "no fault": [],
    "accepted and silent": [Silence(on="create-batch")],
    "accepted, and the connection is cut": [Silence(on="create-batch", cut_after=0)],
    "accepted late, inside of the recv_window": [
        Silence(on="create-batch", late=RECV_WINDOW - 1, cut_after=0)
    ],
    "accepted, and cut in the answer": [Cut(on="create-batch", part=0.5)],
    "accepted and answered 503": [FalseAnswer(on="create-batch", status=503)],
    "answered late": [Late(on="create-batch", answer=15)],
    "answered by half of the answer": [Garble(on="create-batch", how="half")],
    "accepted and silent, and every update is lost": [
        Silence(on="create-batch", cut_after=0),
        LoseUpdate(status="OPEN", times=None),
    ],
}


@pytest.mark.parametrize("row", TAKEN)
def test_each_order_of_a_batch_is_there_once(play: Play, row: str) -> None:
    """One request for ten; whatever became of its answer, each order rests, and the strategy knows."""
    played = play(Many(10), *TAKEN[row])
    assert played.struck == {fault.__struct_config__.tag for fault in TAKEN[row]}
    assert played.asked["POST /orders/batch"] == 1
    assert played.asked["POST /orders"] == 0
    assert Counter(played.there.values()) == {"OPEN": 10}
    assert played.before_the_end == dict.fromkeys(played.there, State.OPEN)
    assert (played.rests, played.summary.unresolved) == (0, [])


NOT_TAKEN: dict[str, tuple[list[Fault], State]] = {
    "swallowed": ([Swallow(on="create-batch", cut_after=0)], State.NEVER_ACCEPTED),
    "late, outside of the recv_window": (
        [Silence(on="create-batch", late=RECV_WINDOW + 0.1, cut_after=0)],
        State.NEVER_ACCEPTED,
    ),
    "answered 503 by a gateway, and unheard": ([Refuse(on="create-batch", status=503)], State.NEVER_ACCEPTED),
    "refused as a whole": (
        [Refuse(on="create-batch", status=400, code="INVALID_ORDER_SIGNATURE")],
        State.REJECTED,
    ),
    "refused for the mode": (
        [Refuse(on="create-batch", status=503, code="SYSTEM_STATUS_CANCEL_ONLY")],
        State.REJECTED,
    ),
}


@pytest.mark.parametrize("row", NOT_TAKEN)
def test_none_of_a_batch_is_there(play: Play, row: str) -> None:
    """And nothing is sent again."""
    faults, state = NOT_TAKEN[row]
    played = play(Many(10), *faults)
    assert played.asked["POST /orders/batch"] == 1
    assert played.there == {}
    assert Counter(played.before_the_end.values()) == {state: 10}
    assert played.summary.unresolved == []


def test_some_of_a_batch_are_refused(play: Play) -> None:
    """The market has room for 150 orders: who of the last batch has none is told so, and who has some rests."""
    played = play(Many(156), seconds=5)
    assert played.asked["POST /orders/batch"] == 16
    assert Counter(played.before_the_end.values()) == {State.OPEN: 150, State.REJECTED: 6}
    assert Counter(played.there.values()) == {"OPEN": 150}
    rejected = [order for order in played.strategy.told.values() if order.state is State.REJECTED]
    assert {order.reason for order in rejected} == {"REQUEST_NOT_ALLOWED: more than 150 open orders"}
    assert played.rests == 0


# Cancelling.


def ids_of(strategy: Many, first: int, last: int) -> list[str]:
    return [order.client_id for order in strategy.told.values()][first:last]


def test_a_batch_of_cancels(play: Play) -> None:
    """Those and no others, ten in a request."""
    many = Many(30)
    many.later = lambda trader: trader.cancel_batch(ids_of(many, 0, 15))
    played = play(many)
    assert played.asked["DELETE /orders/batch"] == 2 + 2
    assert Counter(played.there.values()) == {"OPEN": 15, "CLOSED": 15}
    assert Counter(played.before_the_end.values()) == {State.OPEN: 15, State.CLOSED: 15}


def test_all_of_ours(play: Play) -> None:
    """In one market, which is all of them here."""
    played = play(Many(12, later=lambda trader: trader.cancel_all(MARKET)))
    assert Counter(played.before_the_end.values()) == {State.CLOSED: 12}
    assert played.asked["DELETE /orders"] == 0


ENDS: dict[str, tuple[list[Fault], float]] = {
    "no fault": ([], 1.0),
    "a batch is answered 503": ([Refuse(on="cancel-batch", status=503, times=1)], 3.0),
    "every batch is answered 503": ([Refuse(on="cancel-batch", status=503, times=None)], 3.0),
    "a batch is done and answered 503": ([FalseAnswer(on="cancel-batch", status=503)], 3.0),
    "a batch is cut off": ([Swallow(on="cancel-batch", cut_after=0)], 3.0),
    "a batch is swallowed": ([Swallow(on="cancel-batch")], 6.0),
    "a batch is refused for its rate": ([Refuse(on="cancel-batch", status=429, retry_after=1)], 6.0),
    "some updates are lost": ([LoseUpdate(status="CLOSED", times=5)], 3.0),
}


@pytest.mark.parametrize("row", ENDS)
def test_many_orders_end_soon(play: Play, row: str) -> None:
    """At a round trip of 50 ms: the stop cancels in batches, what those leave by itself, and confirms each."""
    faults, seconds = ENDS[row]
    count = 25 if faults else 100  # it takes the exchange some milliseconds to verify an order
    played = play(Many(count), *faults, seconds=3)
    assert Counter(played.there.values()) == {"OPEN": count}
    assert played.struck == {fault.__struct_config__.tag for fault in faults}
    assert played.asked["DELETE /orders/batch"] == -(-count // 10)
    assert (played.rests, played.summary.unresolved, played.summary.exit_code) == (0, [], 0)
    assert {order.state for order in played.strategy.told.values()} == {State.OPEN}  # it was revoked
    assert played.took < seconds


def test_the_kill_switch_ends_them_too(play: Play) -> None:
    """The bot stays up, and its strategy hears of each end."""
    played = play(
        Many(25),
        seconds=3,
        end=lambda rehearsal: rehearsal.stop.kill_switch.pull("enough is enough"),
        settle=1.0,
    )
    assert played.asked["DELETE /orders/batch"] == 3
    assert {order.state for order in played.strategy.told.values()} == {State.CLOSED}
    assert played.took < 1


def test_few_orders_are_cancelled_by_themselves(play: Play) -> None:
    """Each over a connection of its own: as quick, and none depends on another's request."""
    played = play(Many(3))
    assert played.asked["DELETE /orders/batch"] == 0
    assert played.rests == 0
    assert played.took < 0.3
