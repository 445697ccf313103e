"""By which way a cancel goes: over the session's WebSocket, and over REST whenever that may not do."""

import pytest
from trading_stage import (
    PRICE,
    RUN,
    SIZE,
    SYMBOL,
    Desk,
    cancel_ended,
    ended,
    looked_up,
    open_desk,
    report,
    started,
)

from bot.core.errors import NotSentError, RefusedError, RequestError, UnknownOutcomeError
from bot.core.order import Side, State
from bot.session.inbox import KillSwitchPulled, OrderReported
from bot.trading.effects import CancelBatch, CancelOrder, Effect, LookUpOrder, StopAsked, Timer, TimerFired
from bot.trading.requests import REST, WS
from bot.trading.step.pursuit import CANCEL
from bot.trading.strategies.trader import NewOrder

LOST = UnknownOutcomeError("the WebSocket ended")


def resting(count: int = 1, via: str = WS) -> Desk:
    """A desk with so many orders that rest, in session 1."""
    desk = open_desk(via=via)
    wanted = NewOrder(market=SYMBOL, side=Side.BUY, size=SIZE, price=PRICE)
    for client_id in desk.manager.trader.place_batch([wanted] * count):
        desk.step(
            started(desk.clock, client_id),
            ended(report("NEW", client_id, venue_id=f"v{client_id}"), client_id),
            OrderReported(1, report("OPEN", client_id, venue_id=f"v{client_id}"), -1),
        )
    return desk


def ways(effects: list[Effect]) -> list[int | None]:
    """Over which session's WebSocket each cancel goes; None for REST."""
    return [
        None if effect.session is None else effect.session.generation
        for effect in effects
        if isinstance(effect, CancelOrder | CancelBatch)
    ]


def again(desk: Desk, client_id: str = f"{RUN}-1") -> list[Effect]:
    """The time has come to cancel it once more."""
    return desk.step(TimerFired(Timer(CANCEL, client_id)))


@pytest.mark.parametrize(("via", "way"), [(REST, None), (WS, 1)])
def test_a_cancel_goes_as_orders_go(via: str, way: int | None) -> None:
    """One, and many together."""
    assert ways(resting(via=via).cancel(f"{RUN}-1")) == [way]
    assert ways(resting(12, via).step(StopAsked("SIGINT"))) == [way, way]
    assert ways(resting(2, via).step(KillSwitchPulled("enough"))) == [way, way]


def test_while_the_websocket_is_away_cancels_go_over_rest() -> None:
    """And over the next one's, when there is one."""
    desk = resting(3)
    desk.lose_session()
    assert ways(desk.cancel(f"{RUN}-1")) == [None]
    desk.open_session()
    assert ways(desk.cancel(f"{RUN}-2")) == [2]
    desk.lose_session()
    assert ways(desk.step(StopAsked("SIGINT"))) == [None]


@pytest.mark.parametrize(
    "failure",
    [
        LOST,
        UnknownOutcomeError("the cancel had no answer within 2.5 s"),
        NotSentError("the WebSocket ended"),
        RefusedError(-32602, "", "invalid params"),
        RefusedError(40300, "", "permission denied"),
        RefusedError(42901, "", "rate limit exceeded"),
    ],
    ids=str,
)
def test_after_a_failure_it_goes_over_rest(failure: RequestError) -> None:
    """Half a second later, and from then on; of the other order nothing was heard."""
    desk = resting(2)
    desk.cancel(f"{RUN}-1")
    desk.step(cancel_ended(failure))
    assert ways(again(desk)) == [None]
    desk.step(cancel_ended(LOST))
    assert ways(again(desk)) == [None]
    desk.lose_session()
    desk.open_session()
    desk.step(cancel_ended(LOST))
    assert ways(again(desk)) == [None]
    assert ways(desk.cancel(f"{RUN}-2")) == [2]


def test_a_refusal_that_is_about_the_order_has_it_looked_up() -> None:
    """If it is open all the same, the next try is the other way."""
    desk = resting()
    desk.cancel(f"{RUN}-1")
    decided = desk.step(cancel_ended(RefusedError(100, "ORDER_IS_CLOSED", "it is")))
    assert decided == [LookUpOrder(desk.order())]
    desk.step(looked_up(report("OPEN", venue_id=f"v{RUN}-1")))
    assert ways(again(desk)) == [None]


def test_one_whose_id_is_not_known_is_cancelled_over_rest() -> None:
    """The venue finds it by ours; a batch over the WebSocket could not name it, and goes over REST as a whole."""
    desk = resting(5)
    order = desk.place()
    desk.step(started(desk.clock, order.client_id), ended(LOST, order.client_id))
    assert desk.state(order.client_id) is State.UNKNOWN
    assert ways(desk.cancel(order.client_id)) == [None]
    desk = resting(12)
    order = desk.place()
    desk.step(started(desk.clock, order.client_id), ended(LOST, order.client_id))
    assert ways(desk.step(StopAsked("SIGINT"))) == [1, None]


def test_an_order_that_is_over_leaves_nothing_behind() -> None:
    """What failed was its own cancel; it closes, and nothing is tried again."""
    desk = resting()
    desk.cancel(f"{RUN}-1")
    desk.step(cancel_ended(LOST))
    desk.step(OrderReported(1, report("CLOSED", venue_id=f"v{RUN}-1"), -1))
    assert again(desk) == []
