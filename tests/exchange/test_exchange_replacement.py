"""What the engine makes of modifications: in place, under the order's own id."""

from typing import Any

import pytest
from matching_room import Room, change, stop

from bot.core.fixed import SCALE
from bot.exchange.matching.events import OrderChanged
from bot.exchange.matching.orders import Order, RequestInfo


def told(room: Room, order: Order) -> list[RequestInfo | None]:
    """What was told about a request with each event of an order from here on; kept by the caller."""
    infos: list[RequestInfo | None] = []

    def listen(event: object) -> None:
        if isinstance(event, OrderChanged) and event.order is order:
            infos.append(order.request)

    room.bus.listen(listen)
    return infos


@pytest.mark.parametrize("setting", ["once", "stays"])
def test_the_outcome_is_told_with_the_orders_event(setting: str) -> None:
    """The answer is PENDING and changes nothing; SUCCESS comes under the same id, and on later events if it stays."""
    room = Room(request_info=setting)
    order = room.place(1001)
    infos = told(room, order)
    shown = room.desk.modify(order.id, change(order, price="98", size="3"), room.caller(1001))
    assert (shown.id, shown.price, shown.size) == (order.id, 99 * SCALE, 2 * SCALE)
    assert shown.request is not None
    assert shown.request.status == "PENDING"
    assert (order.price, order.request, infos) == (99 * SCALE, None, [])
    room.work()
    assert (order.price, order.size, order.remaining) == (98 * SCALE, 3 * SCALE, 3 * SCALE)
    room.desk.cancel(order, room.caller(1001))
    room.work()
    success = RequestInfo(shown.request.id, "SUCCESS")
    assert infos == [success, success if setting == "stays" else None]
    assert success.request_type == "MODIFY_ORDER"


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"price": "101"}, "POST_ONLY_WOULD_CROSS"),
        ({"size": "10"}, "ORDER_EXCEEDS_POSITION_LIMIT"),
        ({"size": "6"}, "NOT_ENOUGH_MARGIN"),
    ],
)
def test_a_modification_that_is_refused_leaves_the_order(changes: dict[str, Any], reason: str) -> None:
    """What the risk check does not let in is REJECTED with the reason; the order rests on as it was, at its place."""
    room = Room(deposit=80)
    order = room.place(1001, instruction="POST_ONLY")
    room.place(1002, price="99")
    room.place(1002, side="SELL", price="101")
    room.place(1001, price="97", size="3")
    updated = order.updated_at_ms
    outcome = room.modify(order, **changes)
    assert (outcome.status, outcome.message) == ("REJECTED", reason)
    assert (order.status, order.price // SCALE, order.size // SCALE) == ("OPEN", 99, 2)
    assert order.updated_at_ms == updated
    assert next(iter(room.book.bids)) is order


def test_a_modified_price_may_trade() -> None:
    """A price that crosses matches, as an incoming order would; the event of the outcome shows what came of it."""
    room = Room()
    room.place(1002, side="SELL", price="101", size="3")
    order = room.place(1001, size="5")
    infos = told(room, order)
    assert room.modify(order, price="101").status == "SUCCESS"
    assert (order.status, order.remaining // SCALE, order.price // SCALE) == ("OPEN", 2, 101)
    room.place(1002, side="SELL", price="101", size="2")
    assert order.status == "CLOSED"
    assert [info.status if info else None for info in infos] == ["SUCCESS", None]


def test_a_modified_price_knows_the_band_and_the_bound_of_reduce_only() -> None:
    """No modification is a way round the price band, or to where a reduce-only order would not fit."""
    room = Room()
    order = room.place(1001, **stop(trigger_price="100"))
    assert order.is_triggered
    assert room.modify(order, price="106").message == "EXCEEDS_MAX_SLIPPAGE"
    room.hold(1002, -4)
    room.place(1002, price="98", size="3")
    reducing = room.place(1002, price="99", flags=["REDUCE_ONLY"])
    assert room.modify(reducing, price="97").message == "REDUCE_ONLY_WILL_INCREASE"
    assert room.modify(reducing, size="4").status == "SUCCESS"
    assert room.modify(reducing, size="5").message == "REDUCE_ONLY_WILL_INCREASE"


def test_a_modified_order_needs_its_margin_once() -> None:
    """What rests does not count beside what it is to become."""
    room = Room(deposit=80)
    order = room.place(1001, size="5")
    assert room.modify(order, price="98").status == "SUCCESS"
    assert room.modify(order, size="9").message == "NOT_ENOUGH_MARGIN"


@pytest.mark.parametrize(
    ("setting", "changes", "keeps"),
    [
        ("lost", {"size": "3"}, False),
        ("kept", {"size": "3"}, True),
        ("kept", {"size": "5"}, False),
        ("kept", {"price": "98"}, False),
    ],
)
def test_the_place_in_line(setting: str, changes: dict[str, Any], *, keeps: bool) -> None:
    """A modification costs the place in line; with ``kept`` one that only makes the order smaller does not."""
    room = Room(modify_priority=setting)
    order, other = room.place(1001, size="4"), room.place(1002)
    first = room.place(1002, price="98")
    assert room.modify(order, **changes).status == "SUCCESS"
    rivals = [bid for bid in room.book.bids if bid.price == order.price]
    assert rivals == ([order, other] if keeps else [other if order.price == other.price else first, order])


@pytest.mark.parametrize(("setting", "remaining"), [("total", 1), ("remaining", 3)])
def test_what_the_size_counts(setting: str, remaining: int) -> None:
    """The new size counts what was filled, or only what is to remain."""
    room = Room(modify_size=setting)
    order = room.place(1001, size="6", price="100")
    room.place(1002, side="SELL", size="2", price="100")
    assert room.modify(order, size="3").status == "SUCCESS"
    assert (order.filled // SCALE, order.remaining // SCALE) == (2, remaining)


def test_what_happened_meanwhile_counts() -> None:
    """Closed, filled beyond the new size, triggered: the engine decides on the order as it is when it comes to it."""
    room = Room()
    caller = room.caller(1001)
    order = room.place(1001, size="6", price="100")
    smaller = room.desk.modify(order.id, change(order, size="3"), caller)
    queue, room.queue[:] = list(room.queue), []
    room.place(1002, side="SELL", size="4", price="100")
    room.queue.extend(queue)
    room.work()
    assert smaller.request is not None
    assert room.seen.requests[smaller.request.id].message == "INVALID_ORDER_SIZE"
    assert (order.status, order.remaining) == ("OPEN", 2 * SCALE)
    late = room.desk.modify(order.id, change(order, price="99"), caller)
    room.queue.insert(0, room.queue.pop())
    room.desk.cancel(order, caller)
    room.queue.reverse()
    room.work()
    assert late.request is not None
    assert room.seen.requests[late.request.id].message == "ORDER_IS_NOT_OPEN"
    assert (order.status, order.cancel_reason) == ("CLOSED", "USER_CANCELED")
    waiting = room.place(1001, **stop(price="99", trigger_price="103"))
    moved = room.desk.modify(waiting.id, change(waiting, trigger_price="104"), caller)
    room.move(103)
    room.work()
    assert moved.request is not None
    assert room.seen.requests[moved.request.id].message == "INVALID_REQUEST_PARAMETER"


def test_a_waiting_order_gets_a_new_trigger() -> None:
    """Trigger, price and size of a waiting order change; one that is due then triggers at once."""
    room = Room()
    order = room.place(1001, **stop(price="99"))
    assert room.modify(order, trigger_price="103", price="98", size="3").status == "SUCCESS"
    assert (order.status, order.trigger_price, order.price, order.size) == (
        "UNTRIGGERED",
        103 * SCALE,
        98 * SCALE,
        3 * SCALE,
    )
    room.move(102)
    assert order.status == "UNTRIGGERED"
    room.modify(order, trigger_price="102")
    assert (order.status, order.remaining) == ("OPEN", 3 * SCALE)
    with pytest.raises(Exception, match="triggered already"):
        room.desk.modify(order.id, change(order, trigger_price="105"), room.caller(1001))


def test_a_waiting_market_order_has_no_price_to_modify() -> None:
    """Of a stop or take-profit without a price, trigger and size change; the price that comes along is not one."""
    room = Room()
    order = room.place(1001, **stop("STOP_MARKET", price=None))
    assert room.modify(order, price="95", trigger_price="105").status == "SUCCESS"
    assert (order.price, order.trigger_price) == (0, 105 * SCALE)
