"""Conditional orders: which mark they wait for, and what becomes of them there or when their position is gone."""

from typing import Any

import pytest
from matching_room import SYMBOL, Room, state, stop

from bot.core.fixed import SCALE
from bot.exchange.matching.events import OrderChanged

REDUCE = {"flags": ["REDUCE_ONLY"]}


@pytest.mark.parametrize(
    ("kind", "side", "flags", "above"),
    [
        ("STOP_LIMIT", "BUY", [], True),
        ("STOP_MARKET", "SELL", [], False),
        ("STOP_LOSS_MARKET", "BUY", ["REDUCE_ONLY"], True),
        ("STOP_LOSS_LIMIT", "SELL", ["REDUCE_ONLY"], False),
        ("TAKE_PROFIT_LIMIT", "BUY", ["REDUCE_ONLY"], False),
        ("TAKE_PROFIT_MARKET", "SELL", ["REDUCE_ONLY"], True),
        ("STOP_MARKET", "BUY", ["STOP_CONDITION_BELOW_TRIGGER"], False),
        ("TAKE_PROFIT_LIMIT", "BUY", ["REDUCE_ONLY", "STOP_CONDITION_ABOVE_TRIGGER"], True),
    ],
)
def test_which_way_a_trigger_looks(kind: str, side: str, flags: list[str], *, above: bool) -> None:
    """Stops wait for the mark to run away, take-profits for it to come; a flag overrides. At the price it is due."""
    room = Room()
    room.hold(1001, 2 if side == "SELL" else -2)
    room.place(1002, side="BUY" if side == "SELL" else "SELL", price="100", size="4")
    far, due, short = (95, 102, 101) if above else (105, 98, 99)
    order = room.place(
        1001, **stop(kind, side=side, flags=flags, price="100", trigger_price=str(due), instruction="GTC")
    )
    assert order.status == "UNTRIGGERED"
    for mark in (far, short):
        room.move(mark)
        assert order.status == "UNTRIGGERED"
    room.move(due)
    assert (order.status, order.cancel_reason, order.filled) == ("CLOSED", "", 2 * SCALE)


def test_a_trigger_that_is_there_already_is_not_waited_for() -> None:
    """An order whose condition holds when it comes is UNTRIGGERED once, then triggers."""
    room = Room()
    order = room.place(1001, **stop(trigger_price="100", price="99"))
    statuses = [event.order.id for event in room.seen.events if isinstance(event, OrderChanged)]
    assert statuses == [order.id] * 2
    assert order.status == "OPEN"


def test_a_take_profit_of_size_nothing_closes_the_whole_position() -> None:
    """Its size is the position when it triggers; without one there is nothing to reduce."""
    room = Room()
    room.hold(1001, 3)
    room.place(1002, price="99", size="5")
    whole = room.place(
        1001, **stop("TAKE_PROFIT_MARKET", side="SELL", size="0", price=None, trigger_price="103", **REDUCE)
    )
    room.hold(1001, 2)
    room.move(103)
    assert (state(whole), whole.size) == (("CLOSED", "", 0), 5 * SCALE)
    assert room.held(1001) == 0
    late = room.place(
        1001, **stop("STOP_LOSS_MARKET", side="SELL", size="0", price=None, trigger_price="90", **REDUCE)
    )
    assert state(late) == ("CLOSED", "REDUCE_ONLY_WILL_INCREASE", 0)


def test_what_waits_to_reduce_ends_with_its_position() -> None:
    """What waits to reduce is closed when the position no longer covers it; the whole of it, when it is gone."""
    room = Room()
    room.hold(1001, 4)
    stops: dict[str, Any] = stop("STOP_LOSS_MARKET", side="SELL", price=None, trigger_price="90", **REDUCE)
    part, whole = room.place(1001, **stops, size="3"), room.place(1001, **stops, size="0")
    room.hold(1001, -2)
    assert (part.cancel_reason, whole.status) == ("REDUCE_ONLY_WILL_INCREASE", "UNTRIGGERED")
    room.hold(1001, -2)
    assert whole.cancel_reason == "REDUCE_ONLY_WILL_INCREASE"


def test_triggers_are_paused_outside_ok() -> None:
    """In a restricted mode nothing triggers; back in OK, what is due does."""
    room = Room()
    order = room.place(1001, **stop(price="99", trigger_price="101"))
    for mode in ("post_only", "cancel_only", "maintenance"):
        room.set_mode(mode)
        room.move(102)
        assert order.status == "UNTRIGGERED"
    room.set_mode("ok")
    assert order.status == "OPEN"


def test_waiting_orders_leave_nothing_behind() -> None:
    """Cancelled, modified and triggered orders are not kept in the lines they waited in."""
    room = Room()
    orders = [room.place(1001, **stop(trigger_price=str(101 + n), price="99")) for n in range(4)]
    room.modify(orders[0], trigger_price="106", price="98")
    room.desk.cancel(orders[3], room.caller(1001))
    room.work()
    room.move(102)
    waiting = room.engine._triggers._above[SYMBOL]
    assert [order for _, _, order in waiting._entries] == [orders[0], orders[2]]
    assert set(waiting._places) == {orders[0].id, orders[2].id}
