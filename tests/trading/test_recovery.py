"""Orders that earlier runs left: nothing new before each of them is known, and none of them lost or doubled."""

import attrs
import pytest
from trading_stage import (
    PRICE,
    SIZE,
    SYMBOL,
    Desk,
    Recorder,
    looked_up,
    make_order,
    on_channel,
    open_desk,
    report,
    snapshot,
)

from bot.core.errors import SessionGoneError
from bot.core.order import Order, Side, State
from bot.core.recovered import Recovered, RecoveredOrder
from bot.paradex.answers import OrderReport
from bot.session.inbox import OrderReported
from bot.trading.effects import (
    AccountRecovered,
    CancelOrder,
    Effect,
    LookUpOrder,
    SetTimer,
    Timer,
    TimerFired,
)
from bot.trading.step.pursuit import BOUND, LOOK_AGAIN_S, LOOK_UP
from bot.trading.step.recovery import ADOPT, CANCEL
from bot.trading.strategies.strategy import OrderChanged, TradingOpened

EARLIER = "earlier"
ACCEPTABLE_S = 3.0
"""Until so long after this run began the venue could take what was left."""


def left(number: int, state: State, *, venue_id: str = "", cancelling: bool = False) -> Order:
    order = make_order(f"{EARLIER}-{number}", state=state, venue_id=venue_id)
    return attrs.evolve(order, cancelling=cancelling)


def take_over(desk: Desk, *orders: Order) -> list[Effect]:
    recovered = Recovered(
        orders=tuple(RecoveredOrder(order=order, last_acceptable_ms=1) for order in orders),
        run_ids=(EARLIER,),
        seen_ms=1,
    )
    until_ns = desk.clock.now_ns + round(ACCEPTABLE_S * 1e9)
    return desk.step(AccountRecovered(recovered, (until_ns,) * len(orders)))


def opened(desk: Desk) -> int:
    strategy = desk.manager._strategy
    assert isinstance(strategy, Recorder)
    return sum(isinstance(event, TradingOpened) for event in strategy.events)


def new_desk(leftovers: str = CANCEL) -> Desk:
    return open_desk(Recorder(), session=False, leftovers=leftovers)


def stray(status: str, client_id: str = f"{EARLIER}-9") -> OrderReported:
    told = OrderReport(
        id="v9",
        market=SYMBOL,
        status=status,
        client_id=client_id,
        side="SELL",
        type="LIMIT",
        instruction="GTC",
        size="0.01",
        price="42000.5",
        remaining_size="0.01",
    )
    return OrderReported(1, told, ns=-1)


def test_nothing_left_is_no_reason_to_wait() -> None:
    """Trading opens with the session."""
    desk = new_desk()
    assert take_over(desk) == []
    desk.open_session()
    assert opened(desk) == 1


def test_an_unknown_order_is_resolved_before_anything_new() -> None:
    """It is looked up, and cancelled, at once; trading opens with the session only when its outcome is known."""
    desk = new_desk()
    effects = take_over(desk, left(1, State.UNKNOWN))
    assert {type(effect) for effect in effects} == {LookUpOrder, CancelOrder}
    desk.open_session()
    assert opened(desk) == 0
    with pytest.raises(SessionGoneError):
        desk.manager.trader.place(SYMBOL, Side.BUY, size=SIZE, price=PRICE)
    desk.step(looked_up(report("CLOSED", f"{EARLIER}-1"), f"{EARLIER}-1"))
    assert desk.state(f"{EARLIER}-1") is State.CLOSED
    assert opened(desk) == 1
    desk.place()


def test_absence_is_proved_by_the_earlier_runs_bound() -> None:
    """Not there, twice, a second apart, after the venue could last accept it: before that it proves nothing."""
    desk = new_desk()
    take_over(desk, left(1, State.UNKNOWN))
    desk.open_session()
    desk.step(looked_up(None, f"{EARLIER}-1"))
    for seconds, state in ((2.9, State.UNKNOWN), (0.2, State.UNKNOWN), (1.0, State.NEVER_ACCEPTED)):
        desk.clock.pass_seconds(seconds)
        desk.step(TimerFired(Timer(LOOK_UP, f"{EARLIER}-1")), looked_up(None, f"{EARLIER}-1"))
        assert desk.state(f"{EARLIER}-1") is state, seconds
    assert opened(desk) == 1


def test_resting_orders_are_cancelled() -> None:
    """Without waiting for the session; they do not keep trading closed, for what they are is known."""
    desk = new_desk()
    order = left(1, State.OPEN, venue_id="v1")
    (cancel,) = take_over(desk, order)
    assert isinstance(cancel, CancelOrder)
    assert (cancel.order.client_id, cancel.order.venue_id) == (order.client_id, "v1")
    desk.open_session()
    assert opened(desk) == 1
    desk.step(on_channel("CLOSED", order.client_id))
    assert desk.manager.ledger.live() == []


def test_resting_orders_are_adopted() -> None:
    """If the settings say so: the strategy hears of their changes, and may cancel them. One that was being cancelled
    goes on being cancelled.
    """
    desk = new_desk(leftovers=ADOPT)
    first, second = left(1, State.OPEN, venue_id="v1"), left(2, State.OPEN, venue_id="v2", cancelling=True)
    (cancel,) = take_over(desk, first, second)
    assert isinstance(cancel, CancelOrder)
    assert cancel.order.client_id == second.client_id
    desk.open_session()
    desk.step(on_channel("OPEN", first.client_id, remaining="0.004"))
    strategy = desk.manager._strategy
    assert isinstance(strategy, Recorder)
    assert [each.order.client_id for each in strategy.events if isinstance(each, OrderChanged)] == [
        first.client_id
    ]
    (mine,) = desk.cancel(first.client_id)
    assert isinstance(mine, CancelOrder)


def test_an_order_that_no_journal_knows_is_ours_by_its_name() -> None:
    """The end of a journal goes with a power cut. Its order is taken in with an alarm, and cancelled like others."""
    desk = new_desk()
    take_over(desk)
    desk.open_session()
    (cancel,) = desk.step(stray("OPEN"))
    assert isinstance(cancel, CancelOrder)
    order = desk.order(f"{EARLIER}-9")
    assert (order.state, order.side, order.price, order.venue_id) == (State.OPEN, Side.SELL, PRICE, "v9")
    assert desk.alarms == [f"order {EARLIER}-9 of an earlier run is at the venue, and in no journal"]
    assert desk.step(stray("OPEN", "somebody-1"), stray("CLOSED", f"{EARLIER}-8")) == []
    assert len(desk.alarms) == 1


def test_an_outcome_that_stays_unknown_keeps_trading_closed() -> None:
    """With an alarm, for ever if need be: nothing turns time into knowledge."""
    desk = new_desk()
    take_over(desk, left(1, State.UNKNOWN))
    desk.open_session()
    desk.clock.pass_seconds(3600)
    desk.step(TimerFired(Timer(BOUND, f"{EARLIER}-1")))
    assert desk.state(f"{EARLIER}-1") is State.UNKNOWN
    assert opened(desk) == 0
    assert len(desk.alarms) == 1


def test_an_answer_of_an_earlier_run_is_not_waited_for() -> None:
    """Nothing of this run's own is under way for them: the first look-up that finds nothing asks again."""
    desk = new_desk(leftovers=ADOPT)
    take_over(desk, left(1, State.UNKNOWN))
    assert desk.step(looked_up(None, f"{EARLIER}-1")) == [
        SetTimer(Timer(LOOK_UP, f"{EARLIER}-1"), LOOK_AGAIN_S)
    ]


def test_an_update_of_long_ago_does_not_open_trading() -> None:
    """It says that an order of an earlier run is open, and the next snapshot has none: first it is looked for."""
    desk = new_desk()
    take_over(desk)
    desk.step(stray("OPEN"))
    decided = desk.step(snapshot(desk.clock.now_ns))
    assert [each.order.client_id for each in decided if isinstance(each, LookUpOrder)] == [f"{EARLIER}-9"]
    desk.open_session()
    assert opened(desk) == 0
    desk.step(looked_up(stray("CLOSED").report, f"{EARLIER}-9"))
    assert opened(desk) == 1
    assert desk.manager.ledger.live() == []
