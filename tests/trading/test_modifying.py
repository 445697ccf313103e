"""Other terms for an order that rests: asked for once, decided by reports, never guessed."""

from collections.abc import Callable
from typing import Any

import attrs
import pytest
from trading_stage import (
    NO_LIMITS,
    PRICE,
    RUN,
    SIZE,
    SYMBOL,
    Desk,
    HandClock,
    Recorder,
    cancel_ended,
    ended,
    looked_up,
    on_channel,
    open_desk,
    report,
    snapshot,
    started,
)

from bot.core.errors import (
    InvalidOrderError,
    LimitExceededError,
    NotSentError,
    RefusedError,
    RequestError,
    RevokedError,
    SessionGoneError,
    TradingHaltedError,
    UnknownOutcomeError,
)
from bot.core.fixed import Fixed, parse, render
from bot.core.order import Modification, Order, Side, State
from bot.paradex.answers import OrderReport, RequestInfo
from bot.session.inbox import Item, KillSwitchPulled, OrderReported, PlatformMode
from bot.trading.effects import (
    CancelOrder,
    Effect,
    LookUpOrder,
    ModifyEnded,
    ModifyOrder,
    SendStarted,
    SetTimer,
    Signed,
    StopAsked,
    Timer,
    TimerFired,
)
from bot.trading.step.modification import LONGEST_WAIT_S, MODIFY
from bot.trading.strategies.strategy import Event, ModifyFailed, OrderChanged
from bot.trading.strategies.trader import Trader

OTHER = PRICE - 10**8
ID = f"{RUN}-1"
LOST = UnknownOutcomeError("ReadError")
WINDOW_S = 300.5
"""In which the venue may accept a modification: its default of 300 s, and our margin."""


def resting(**changes: Any) -> Desk:
    """A desk whose one order rests."""
    desk = open_desk(Recorder())
    desk.place()
    desk.step(started(desk.clock), ended(report("NEW")), on_channel("OPEN"))
    if changes:
        live = desk.manager.ledger._live
        live[ID] = attrs.evolve(live[ID], **changes)
    events_of(desk).clear()
    return desk


def events_of(desk: Desk) -> list[Event]:
    strategy = desk.manager._strategy
    assert isinstance(strategy, Recorder)
    return strategy.events


def ask(desk: Desk, *, size: int | None = None, price: int | None = None) -> ModifyOrder:
    """Have the manager ask for other terms, and take its effect away."""
    desk.manager.trader.modify(ID, size=size, price=price)
    (effect,) = desk.effects_of_trader()
    assert isinstance(effect, ModifyOrder)
    return effect


def asked(*, size: int | None = None, price: int | None = OTHER) -> Desk:
    """A desk whose one order waits for other terms, with the request on its way."""
    desk = resting()
    ask(desk, size=size, price=price)
    desk.step(leaving(desk.clock))
    return desk


def leaving(clock: HandClock) -> SendStarted:
    return attrs.evolve(started(clock), what=Signed.MODIFY)


def answer(result: OrderReport | RequestError, number: int = 1) -> ModifyEnded:
    return ModifyEnded(client_id=ID, number=number, result=result)


def as_now(
    *,
    size: int = SIZE,
    price: int = PRICE,
    request: tuple[str, str] | None = None,
    status: str = "OPEN",
    filled: int = 0,
    updated: int | None = None,
) -> OrderReport:
    """What the venue says of the order: its terms, and id and status of a request to modify it."""
    info = None
    if request is not None:
        info = RequestInfo(
            id=request[0], status=request[1], request_type="MODIFY_ORDER", message="INVALID_ORDER_SIZE"
        )
    return attrs.evolve(
        report(status, remaining=render(size - filled)),
        size=render(size),
        price=render(price),
        request_info=info,
        last_updated_at=updated,
    )


def heard(told: OrderReport) -> OrderReported:
    return OrderReported(1, told, ns=-1)


PENDING = as_now(request=("r1", "PENDING"))
DONE = as_now(price=OTHER, request=("r1", "SUCCESS"))
REFUSED = as_now(request=("r1", "REJECTED"))


# What may be asked.


def test_it_becomes_one_effect() -> None:
    """With the order as it is, what is wanted, and the session; what is not said stays as it was."""
    desk = resting()
    effect = ask(desk, size=2 * SIZE)
    order = desk.order()
    assert (order.size, order.price, order.state) == (SIZE, PRICE, State.OPEN)
    assert order.modifying == Modification(2 * SIZE, PRICE, number=1)
    assert effect == ModifyOrder(order, effect.session)
    assert effect.session.generation == 1
    assert events_of(desk) == []


UNFIT: list[tuple[Callable[[], Desk], str]] = [
    (lambda: resting(state=State.SENT), "cannot be modified: it is SENT"),
    (lambda: resting(state=State.UNKNOWN), "cannot be modified: it is UNKNOWN"),
    (lambda: resting(venue_id=""), "cannot be modified: it is OPEN"),
    (lambda: resting(cancelling=True), "cannot be modified: it is to be cancelled"),
    (lambda: resting(modifying=Modification(1, 1)), "cannot be modified: it waits for other terms already"),
]


@pytest.mark.parametrize(("desk", "words"), UNFIT, ids=[words for _, words in UNFIT])
def test_an_order_that_cannot_be_modified_now(desk: Callable[[], Desk], words: str) -> None:
    """It says why, and decides nothing."""
    stage = desk()
    before = stage.order()
    with pytest.raises(InvalidOrderError, match=words):
        stage.manager.trader.modify(ID, price=OTHER)
    assert stage.order() == before
    assert stage.effects_of_trader() == []


def test_an_order_that_is_over_cannot_be_modified() -> None:
    """Nor one that is not ours."""
    desk = resting()
    desk.step(on_channel("CLOSED", remaining="0.01"))
    with pytest.raises(InvalidOrderError, match="cannot be modified: it is CLOSED"):
        desk.manager.trader.modify(ID, price=OTHER)
    with pytest.raises(KeyError):
        desk.manager.trader.modify("somebody-else", price=OTHER)


@pytest.mark.parametrize(
    ("size", "price", "words"),
    [
        (None, None, "has these terms already"),
        ("0.01", "42000.5", "has these terms already"),
        ("0.015", "42000.55", "no multiple of the tick"),
        ("0.0150005", None, "no multiple of the step"),
        ("0.004", None, "is not above the 0.004 that is filled"),
        ("0.003", None, "is not above the 0.004 that is filled"),
        (None, "0", "needs a price above 0"),
        ("101", None, "above the largest order"),
    ],
)
def test_terms_that_cannot_be(size: str | None, price: str | None, words: str) -> None:
    """Of an order of which 0.004 is filled: the size is that of the whole."""
    desk = resting(filled=parse("0.004"), state=State.PARTLY_FILLED)
    with pytest.raises(InvalidOrderError, match=words):
        desk.manager.trader.modify(
            ID, size=None if size is None else parse(size), price=None if price is None else parse(price)
        )
    assert desk.order().modifying is None


def test_what_is_halted_for_new_orders_is_halted_for_new_terms() -> None:
    """A session that is gone, a mode that takes none, the kill switch; a cancel goes."""
    desk = resting()
    desk.step(PlatformMode("cancel_only", 1))
    with pytest.raises(TradingHaltedError, match="cancel_only"):
        desk.manager.trader.modify(ID, price=OTHER)
    desk.step(PlatformMode("ok", 2))
    desk.lose_session()
    with pytest.raises(SessionGoneError):
        desk.manager.trader.modify(ID, price=OTHER)
    desk.open_session()
    desk.step(KillSwitchPulled("enough"))
    with pytest.raises(InvalidOrderError, match="is to be cancelled"):
        desk.manager.trader.modify(ID, price=OTHER)
    desk.step(StopAsked())
    with pytest.raises(RevokedError):
        desk.manager.trader.modify(ID, price=OTHER)


def limited(**limits: Any) -> Desk:
    desk = open_desk(limits=attrs.evolve(NO_LIMITS, **limits))
    desk.place()
    desk.step(started(desk.clock), ended(report("NEW")), on_channel("OPEN"))
    return desk


def test_limits_hold_for_new_terms() -> None:
    """0.01 at 42,000.5 is 420 USD: what of it can still be filled counts, once; it is no further open order."""
    desk = limited(order_notional=Fixed(parse("500")), open_orders=1)
    with pytest.raises(LimitExceededError, match="order_notional"):
        desk.manager.trader.modify(ID, size=2 * SIZE)
    desk.manager.trader.modify(ID, price=OTHER)
    desk = limited(position_notional=Fixed(parse("1000")))
    with pytest.raises(LimitExceededError, match="position_notional"):
        desk.manager.trader.modify(ID, size=3 * SIZE)
    desk.manager.trader.modify(ID, size=2 * SIZE)
    # What may come of it counts for others, before it is known whether it does.
    with pytest.raises(LimitExceededError, match="position_notional"):
        desk.manager.trader.place(SYMBOL, Side.BUY, size=SIZE, price=PRICE)


def test_a_storm_of_modifications_pulls_the_switch() -> None:
    """They count with new orders: something is out of hand."""
    desk = limited(orders_per_second=2)
    ask(desk, price=OTHER)
    desk.step(leaving(desk.clock), answer(RefusedError(429, "", "slow down")))
    desk.manager.trader.modify(ID, price=OTHER)
    desk.effects_of_trader()
    assert desk.alarms == ["the kill switch was pulled: [limits] orders_per_second: 3"]


# How it is decided.


GRANTED: dict[str, list[Item]] = {
    "the update after the answer": [answer(PENDING), heard(DONE)],
    "the update before the answer": [heard(DONE), answer(PENDING)],
    "an update that says only the terms": [answer(PENDING), heard(as_now(price=OTHER))],
    "a snapshot, the answer being lost": [answer(LOST), snapshot(0, open_orders=(as_now(price=OTHER),))],
    "a look-up, the answer being lost": [answer(LOST), looked_up(as_now(price=OTHER))],
    "the update, told twice": [answer(PENDING), heard(DONE), heard(DONE)],
    "an old report between": [
        heard(as_now(updated=5)),
        answer(PENDING),
        heard(as_now(updated=4)),
        heard(as_now(price=OTHER, request=("r1", "SUCCESS"), updated=6)),
        heard(as_now(updated=5)),
    ],
}


@pytest.mark.parametrize("way", GRANTED)
def test_granted(way: str) -> None:
    """The strategy hears once of the new terms, and then nothing is pending."""
    desk = asked()
    desk.step(*GRANTED[way])
    order = desk.order()
    assert (order.price, order.size, order.modifying, order.state) == (OTHER, SIZE, None, State.OPEN)
    [event] = events_of(desk)
    assert isinstance(event, OrderChanged)
    told = event.order
    assert (told.price, told.size, told.modifying, told.state) == (OTHER, SIZE, None, State.OPEN)
    assert desk.alarms == []


def test_the_venue_may_have_its_own_idea_of_the_size() -> None:
    """One that does not count what is filled makes more of it: it was granted all the same, and is told as it is."""
    desk = resting(filled=parse("0.004"), state=State.PARTLY_FILLED)
    ask(desk, size=2 * SIZE)
    told = as_now(size=parse("0.024"), filled=parse("0.004"), request=("r1", "SUCCESS"))
    desk.step(leaving(desk.clock), answer(PENDING), heard(told))
    order = desk.order()
    assert (order.size, order.filled, order.modifying) == (parse("0.024"), parse("0.004"), None)
    assert events_of(desk) == [OrderChanged(order)]


NOT_GRANTED: dict[str, tuple[list[Item], str]] = {
    "rejected after the answer": ([answer(PENDING), heard(REFUSED)], "INVALID_ORDER_SIZE"),
    "rejected before the answer": ([heard(REFUSED), answer(PENDING)], "INVALID_ORDER_SIZE"),
    "rejected in the answer": ([answer(REFUSED)], "INVALID_ORDER_SIZE"),
    "rejected, and the answer lost": ([answer(LOST), heard(REFUSED)], "INVALID_ORDER_SIZE"),
    "refused at once": ([answer(RefusedError(400, "CODE", "no"))], "CODE: no"),
    "not sent": ([answer(NotSentError("no connection"))], "no connection"),
}


@pytest.mark.parametrize("way", NOT_GRANTED)
def test_not_granted(way: str) -> None:
    """The strategy hears once that it failed, and why; the order is as before, and may be modified again."""
    items, reason = NOT_GRANTED[way]
    desk = asked()
    desk.step(*items)
    order = desk.order()
    assert (order.price, order.modifying, order.state) == (PRICE, None, State.OPEN)
    [failed] = events_of(desk)
    assert isinstance(failed, ModifyFailed)
    assert (failed.order.client_id, failed.order.modifying, failed.reason) == (ID, None, reason)
    ask(desk, price=OTHER)


def test_a_fill_in_between_decides_nothing() -> None:
    """It fills on the old terms; the new ones may still come, and keep what is filled."""
    desk = asked(size=2 * SIZE, price=None)
    desk.step(heard(as_now(filled=SIZE // 2, updated=1)))
    order = desk.order()
    assert (order.state, order.filled, order.modifying is None) == (State.PARTLY_FILLED, SIZE // 2, False)
    desk.step(heard(as_now(size=2 * SIZE, filled=SIZE // 2, request=("r1", "SUCCESS"), updated=2)))
    order = desk.order()
    assert (order.size, order.filled, order.modifying) == (2 * SIZE, SIZE // 2, None)


@pytest.mark.parametrize(
    "late", [answer(PENDING), answer(LOST), answer(RefusedError(400, "ORDER_IS_CLOSED", "no"))]
)
def test_the_end_of_the_order_ends_it(late: ModifyEnded) -> None:
    """The strategy hears of the end and of nothing else, whatever becomes of the request."""
    desk = asked()
    desk.step(heard(as_now(status="CLOSED", filled=SIZE)))
    order = desk.order()
    assert (order.state, order.modifying) == (State.CLOSED, None)
    assert desk.step(late) == []
    assert events_of(desk) == [OrderChanged(order)]


def test_a_cancel_wins() -> None:
    """It is asked for at once, and the order's end ends both; a modification that failed by then is told."""
    desk = asked()
    assert desk.cancel(ID) == [CancelOrder(desk.order())]
    desk.step(answer(RefusedError(400, "ORDER_IS_NOT_OPEN", "no")), cancel_ended())
    desk.step(heard(as_now(status="CLOSED")))
    assert desk.state() is State.CLOSED
    assert [type(event) for event in events_of(desk)] == [ModifyFailed, OrderChanged]


def test_an_update_of_an_earlier_request_decides_nothing() -> None:
    """A venue may go on naming the last one (protocol reference 3.5): it is not ours, whether or not we know ours."""
    desk = asked()
    desk.step(answer(PENDING), heard(REFUSED))
    ask(desk, price=OTHER)
    desk.step(leaving(desk.clock), heard(REFUSED))
    assert desk.order().modifying is not None
    desk.step(answer(as_now(request=("r2", "PENDING")), number=2), heard(as_now(request=("r9", "REJECTED"))))
    assert desk.order().modifying is not None
    desk.step(heard(as_now(request=("r2", "REJECTED"))))
    assert desk.order().modifying is None


def test_the_answer_to_an_earlier_request_decides_nothing() -> None:
    """Its update was quicker, and the strategy has asked for something else since."""
    desk = asked()
    desk.step(heard(DONE))
    ask(desk, price=PRICE)
    desk.step(leaving(desk.clock), answer(RefusedError(400, "CODE", "no"), number=1))
    assert desk.order().modifying is not None
    desk.step(answer(as_now(price=OTHER, request=("r2", "PENDING")), number=2))
    desk.step(heard(as_now(price=OTHER, request=("r2", "REJECTED"))))
    assert [type(event) for event in events_of(desk)] == [OrderChanged, ModifyFailed]


# What nobody tells.


def looks(effects: list[Effect]) -> list[Effect]:
    return [effect for effect in effects if isinstance(effect, (LookUpOrder, SetTimer))]


def wait(desk: Desk, effects: list[Effect]) -> float:
    """Let the one timer elapse that ``effects`` set, and have the question asked; how long that took."""
    [effect] = effects
    assert isinstance(effect, SetTimer)
    assert effect.timer == Timer(MODIFY, ID)
    desk.clock.pass_seconds(effect.seconds)
    assert desk.step(TimerFired(effect.timer)) == [LookUpOrder(desk.order())]
    return effect.seconds


def test_queued_is_not_done() -> None:
    """After a second the venue is asked, and it may be that only that tells."""
    desk = asked()
    assert wait(desk, desk.step(answer(PENDING))) == 1
    desk.step(looked_up(as_now(price=OTHER)))
    assert desk.order().price == OTHER


def test_an_unknown_outcome_is_looked_up_and_never_sent_again() -> None:
    """For as long as the venue may accept it, less and less often; then, twice as it was, it never was accepted."""
    desk = asked()
    assert desk.step(answer(LOST)) == [LookUpOrder(desk.order())]
    waits: list[float] = []
    decided = desk.step(looked_up(as_now()))
    while desk.clock.now_ns <= WINDOW_S * 1e9:
        assert desk.order().modifying is not None
        waits.append(wait(desk, decided))
        decided = desk.step(looked_up(as_now()))
    assert waits[:6] == [1, 1, 2, 4, 8, 16]
    assert set(waits[6:-2]) == {LONGEST_WAIT_S}
    assert waits[-2:] == [28.5, 1]
    assert wait(desk, decided) == 1
    assert desk.order().modifying is not None
    assert desk.step(looked_up(as_now())) == []
    assert desk.order().modifying is None
    [failed] = events_of(desk)
    assert isinstance(failed, ModifyFailed)
    assert failed.reason == "the order was as before after the venue could last accept it"


def test_what_was_asked_before_the_end_proves_nothing() -> None:
    """An answer that was long under way speaks of the time before; and one that failed of none."""
    desk = asked()
    desk.step(answer(LOST))
    desk.clock.pass_seconds(WINDOW_S + 5)
    decided = desk.step(looked_up(as_now()))
    wait(desk, decided)
    decided = desk.step(looked_up(LOST))
    assert [type(effect) for effect in decided] == [SetTimer]  # asked again for another reason
    [again] = decided
    assert isinstance(again, SetTimer)
    desk.clock.pass_seconds(1)
    assert desk.step(TimerFired(again.timer)) == [LookUpOrder(desk.order())]
    wait(desk, desk.step(looked_up(as_now())))
    assert desk.order().modifying is not None
    desk.step(looked_up(as_now()))
    assert desk.order().modifying is None


def test_two_questions_in_one_breath_prove_nothing() -> None:
    """A venue's lists may lag: they have to lie a second apart."""
    desk = asked()
    desk.step(answer(LOST))
    desk.clock.pass_seconds(WINDOW_S + 5)
    desk.step(looked_up(as_now()))
    desk.clock.pass_seconds(1)
    desk.step(TimerFired(Timer(MODIFY, ID)))
    desk.step(looked_up(as_now()))
    desk.clock.pass_seconds(0.5)
    desk.cancel(ID)
    assert desk.step(cancel_ended(RefusedError(404, "GONE", "no such order"))) == [LookUpOrder(desk.order())]
    desk.step(looked_up(as_now()))
    assert desk.order().modifying is not None


def test_a_request_that_never_left_bounds_nothing() -> None:
    """It waits for its turn: whoever looks meanwhile learns nothing."""
    desk = resting()
    ask(desk, price=OTHER)
    desk.clock.pass_seconds(WINDOW_S + 5)
    desk.step(snapshot(0, open_orders=(as_now(),)))
    assert desk.order().modifying is not None


def test_a_strategy_may_ask_again_when_it_is_told() -> None:
    """In the very step."""

    def react(event: Event, trader: Trader) -> None:
        if isinstance(event, ModifyFailed):
            trader.modify(event.order.client_id, price=OTHER - 10**8)

    desk = asked()
    strategy = desk.manager._strategy
    assert isinstance(strategy, Recorder)
    strategy.reaction = react
    [again] = desk.step(answer(PENDING), heard(REFUSED))[-1:]
    assert isinstance(again, ModifyOrder)
    assert again.wanted == Modification(SIZE, OTHER - 10**8, number=2)
    order: Order = desk.order()
    assert order.modifying == again.wanted
