"""Many orders in doubt at once are asked for together; and trading opens when what was missing is known."""

import pytest
import trio.testing
from executor_stage import open_stage
from trading_stage import (
    RUN,
    Desk,
    Recorder,
    ended,
    looked_up,
    make_order,
    open_desk,
    report,
    snapshot,
    started,
)
from virtual_stage import virtually

from bot.core.errors import RequestError, UnknownOutcomeError
from bot.core.order import Order, State
from bot.paradex.answers import OrderPage, OrderReport, OrdersAnswer
from bot.paradex.request import Request
from bot.session.snapshot import OVERLAP_MS
from bot.trading import effects as fx
from bot.trading.effects import Effect, LookUpOrder, LookUpOrders
from bot.trading.step.pursuit import FEW, RECENT_S
from bot.trading.strategies.strategy import TradingOpened

MANY = 20
LOST = UnknownOutcomeError("ReadError")


def name(number: int) -> str:
    return f"{RUN}-{number}"


def sent_desk(count: int, apart: float = 0.001) -> Desk:
    """So many orders have left, one after the other."""
    desk = open_desk(Recorder())
    for number in range(1, count + 1):
        desk.place()
        desk.step(started(desk.clock, name(number)))
        desk.clock.pass_seconds(apart)
    return desk


def lose(desk: Desk, count: int) -> list[Effect]:
    """Nobody knows what became of them; what is asked because of that."""
    decided = desk.step(*(ended(LOST, name(number)) for number in range(1, count + 1)))
    return [each for each in decided if isinstance(each, (LookUpOrder, LookUpOrders))]


def test_a_few_are_looked_up_one_by_one_and_the_rest_together() -> None:
    """The rest when those are back; from a little before the first of them was signed."""
    desk = sent_desk(MANY)
    assert lose(desk, MANY) == [LookUpOrder(desk.order(name(number))) for number in range(1, FEW + 1)]
    for number in range(1, FEW):
        assert desk.step(looked_up(report("OPEN", name(number), venue_id=f"v{number}"), name(number))) == []
    [together] = desk.step(looked_up(report("OPEN", name(FEW), venue_id="v3"), name(FEW)))
    assert isinstance(together, LookUpOrders)
    assert [order.client_id for order in together.orders] == [name(n) for n in range(FEW + 1, MANY + 1)]
    first = desk.order(name(FEW + 1)).signed_ms
    assert first is not None
    assert together.since_ms == first - OVERLAP_MS


def test_all_of_them_end_as_if_they_had_been_asked_for_alone() -> None:
    """Those that are there are known at once; those that are not after the bound, twice, a second apart."""
    desk = sent_desk(MANY)
    lose(desk, MANY)
    there = {name(number) for number in range(1, MANY + 1, 2)}

    def answer(asked: list[Effect]) -> list[Effect]:
        more: list[Effect] = []
        for effect in asked:
            orders = effect.orders if isinstance(effect, LookUpOrders) else (effect.order,)  # type: ignore[attr-defined]
            for order in orders:
                found = report("OPEN", order.client_id, venue_id=order.client_id)
                more += desk.step(looked_up(found if order.client_id in there else None, order.client_id))
        return more

    waiting: list[Effect] = [LookUpOrder(desk.order(name(number))) for number in range(1, FEW + 1)]
    timers: list[fx.SetTimer] = []
    for _ in range(40):
        decided = answer(waiting)
        timers += [each for each in decided if isinstance(each, fx.SetTimer)]
        waiting = [each for each in decided if isinstance(each, (LookUpOrder, LookUpOrders))]
        if not waiting:
            desk.clock.pass_seconds(1.0)
            due, timers = timers, []
            waiting = desk.step(*(fx.TimerFired(each.timer) for each in due))
    states = {name(number): desk.state(name(number)) for number in range(1, MANY + 1)}
    assert states == {each: State.OPEN if each in there else State.NEVER_ACCEPTED for each in states}


def test_one_that_is_old_is_asked_for_alone() -> None:
    """A list of all that came since would be long."""
    desk = sent_desk(FEW + 2)
    for number in (1, 2):
        desk.step(ended(report("OPEN", name(number), venue_id=f"v{number}"), name(number)))
    desk.clock.pass_seconds(RECENT_S + 1)
    decided = desk.step(snapshot(desk.clock.now_ns), snapshot(desk.clock.now_ns))
    assert decided == [LookUpOrder(desk.order(name(1))), LookUpOrder(desk.order(name(2)))]


def test_trading_opens_when_what_was_missing_is_known() -> None:
    """An order that was open, and is neither open nor in the history since then, has ended: how, is asked first."""
    desk = sent_desk(1)
    desk.step(ended(report("OPEN", name(1)), name(1)))
    desk.lose_session()
    desk.clock.pass_seconds(20)
    assert desk.step(snapshot(desk.clock.now_ns)) == [LookUpOrder(desk.order(name(1)))]
    desk.open_session()
    assert openings(desk) == 1
    desk.step(looked_up(LOST, name(1)))
    assert openings(desk) == 1
    desk.clock.pass_seconds(1)
    desk.step(fx.TimerFired(fx.Timer("look up", name(1))))
    desk.step(looked_up(report("CLOSED", name(1)), name(1)))
    assert openings(desk) == 2


def test_an_answer_from_before_does_not_open_it() -> None:
    """It was asked before the list in which the order was missing: it may have ended in between."""
    desk = sent_desk(1)
    lose(desk, 1)
    desk.lose_session()
    desk.clock.pass_seconds(1)
    desk.step(snapshot(desk.clock.now_ns))
    desk.open_session()
    assert kinds(desk.step(looked_up(report("OPEN", name(1)), name(1)))) == ["LookUpOrder"]
    assert openings(desk) == 1
    desk.step(looked_up(None, name(1)))
    assert openings(desk) == 2


def test_one_that_ends_meanwhile_opens_it() -> None:
    """The channel is quicker than the answer."""
    desk = sent_desk(1)
    desk.step(ended(report("OPEN", name(1)), name(1)))
    desk.lose_session()
    desk.clock.pass_seconds(20)
    desk.step(snapshot(desk.clock.now_ns))
    desk.open_session()
    desk.step(snapshot(desk.clock.now_ns, history=(report("CLOSED", name(1)),)))
    assert openings(desk) == 2


def openings(desk: Desk) -> int:
    strategy = desk.manager._strategy
    assert isinstance(strategy, Recorder)
    return sum(isinstance(event, TradingOpened) for event in strategy.events)


def kinds(effects: list[Effect]) -> list[str]:
    return [type(effect).__name__ for effect in effects]


# Carried out.

ORDERS = tuple(make_order(name(number)) for number in range(1, 4))


def told(order: Order, status: str) -> OrderReport:
    return report(status, order.client_id, venue_id=order.client_id)


@virtually
async def test_two_lists_tell_of_all() -> None:
    """The open orders, and all pages of the history; each order gets what they say of it, with their numbers."""
    asked: list[str] = []

    async def venue(request: Request[object]) -> object:
        await trio.testing.wait_all_tasks_blocked()
        asked.append(request.path)
        if request.path == "/orders":
            return OrdersAnswer(results=[told(ORDERS[0], "OPEN")])
        last = "cursor" in request.path
        return OrderPage(results=[told(ORDERS[1], "CLOSED")] if last else [], next=None if last else "more")

    async with open_stage(venue) as stage:
        stage.executor.carry_out(LookUpOrders(ORDERS, 1_700), 17)
        await trio.testing.wait_all_tasks_blocked(0.01)
        items = stage.reported()
    assert asked == [
        "/orders",
        "/orders-history?start_at=1700&page_size=100",
        "/orders-history?start_at=1700&page_size=100&cursor=more",
    ]
    assert items == [
        fx.LookedUp(name(1), told(ORDERS[0], "OPEN"), (1, 2, 3)),
        fx.LookedUp(name(2), told(ORDERS[1], "CLOSED"), (1, 2, 3)),
        fx.LookedUp(name(3), None, (1, 2, 3)),
    ]


@pytest.mark.parametrize("fails", ["/orders", "/orders-history"])
@virtually
async def test_a_list_that_is_not_answered_tells_nothing_of_any(fails: str) -> None:
    failure: RequestError = UnknownOutcomeError("no answer")

    async def venue(request: Request[object]) -> object:
        await trio.testing.wait_all_tasks_blocked()
        if request.path.partition("?")[0] == fails:
            raise failure
        return OrdersAnswer(results=[])

    async with open_stage(venue) as stage:
        stage.executor.carry_out(LookUpOrders(ORDERS, 1_700), 17)
        await trio.testing.wait_all_tasks_blocked(0.01)
        assert stage.reported() == [fx.LookedUp(each.client_id, failure) for each in ORDERS]
