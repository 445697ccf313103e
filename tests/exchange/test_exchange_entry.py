"""Order entry: what is refused at once, and with which of the venue's codes; what is accepted, and as what."""

from typing import Any

import pytest
from matching_room import EPOCH_MS, Room, order_request, stop

from bot.core.fixed import SCALE
from bot.exchange.errors import VenueError
from bot.exchange.matching.orders import NEW
from bot.exchange.matching.requests import (
    convert_modify,
    convert_order,
    convert_orders,
    decode_modify,
    decode_order,
    decode_orders,
)

WINDOW = 300_000

WHOLE: dict[str, Any] = {"size": "0", "flags": ["REDUCE_ONLY"]}

REFUSED: list[tuple[str, dict[str, Any]]] = [
    ("MARKET_NOT_FOUND", {"market": "DOGE-USD-PERP"}),
    ("VALIDATION_ERROR", {"side": "LONG"}),
    ("VALIDATION_ERROR", {"type": "ICEBERG"}),
    ("VALIDATION_ERROR", {"instruction": "FOK"}),
    ("RPI_ACCOUNT_NOT_WHITELISTED", {"instruction": "RPI"}),
    ("VALIDATION_ERROR", {"type": "MARKET", "instruction": "POST_ONLY"}),
    ("VALIDATION_ERROR", stop("STOP_MARKET", instruction="POST_ONLY")),
    ("VALIDATION_ERROR", stop(instruction="IOC")),
    ("VALIDATION_ERROR", {"stp": "NONE"}),
    ("REQUEST_NOT_ALLOWED", {"dime_discount": True}),
    ("VALIDATION_ERROR", {"flags": ["HIDDEN"]}),
    ("MMP_NOT_ENABLED", {"flags": ["MMP"]}),
    ("VALIDATION_ERROR", {"flags": ["TARGET_STRATEGY_VWAP"]}),
    ("VALIDATION_ERROR", {"flags": ["STOP_CONDITION_ABOVE_TRIGGER"]}),
    ("VALIDATION_ERROR", stop(flags=["STOP_CONDITION_ABOVE_TRIGGER", "STOP_CONDITION_BELOW_TRIGGER"])),
    ("REQUEST_NOT_ALLOWED", {"flags": ["INTERACTIVE"]}),
    ("VALIDATION_ERROR", {"client_id": "c" * 65}),
    ("INVALID_ORDER_SIZE", {"size": "0"}),
    ("INVALID_ORDER_SIZE", stop(**WHOLE)),
    ("INVALID_ORDER_SIZE", {"size": "-2"}),
    ("INVALID_ORDER_SIZE", {"size": "2.5"}),
    ("INVALID_ORDER_SIZE", {"size": "2E+0"}),
    ("INVALID_ORDER_SIZE", {"size": "11"}),
    ("INVALID_ORDER_SIZE", {"size": "1"}),
    ("VALIDATION_ERROR", {"price": None}),
    ("VALIDATION_ERROR", {"price": "0"}),
    ("VALIDATION_ERROR", {"price": "-99"}),
    ("VALIDATION_ERROR", {"price": "98.5"}),
    ("VALIDATION_ERROR", {"price": "1" + "0" * 12}),
    ("VALIDATION_ERROR", {"type": "MARKET", "vwap_price": "99"}),
    ("VALIDATION_ERROR", stop(trigger_price=None)),
    ("VALIDATION_ERROR", stop(trigger_price="0")),
    ("VALIDATION_ERROR", stop(trigger_price="100.5")),
    ("VALIDATION_ERROR", stop("STOP_MARKET", price="much")),
    ("VALIDATION_ERROR", {"trigger_price": "101"}),
    ("REQUEST_NOT_ALLOWED", {"on_behalf_of_account": "0x5"}),
    ("REQUEST_NOT_ALLOWED", {"on_behalf_of_account": "mine"}),
    ("INVALID_TIMESTAMP", {"signature_timestamp": 0}),
    ("INVALID_TIMESTAMP", {"signature_timestamp": -5}),
    ("INVALID_TIMESTAMP", {"signature_timestamp": EPOCH_MS + 60_001}),
    ("INVALID_TIMESTAMP", {"signature_timestamp": 2**70}),
    ("INVALID_TIMESTAMP", {"signature_timestamp": EPOCH_MS - WINDOW - 1}),
    ("INVALID_TIMESTAMP", {"signature_timestamp": EPOCH_MS - 11, "recv_window": 10}),
    ("VALIDATION_ERROR", {"recv_window": 9}),
    ("INVALID_ORDER_SIGNATURE", {"signature": "0x1"}),
    ("INVALID_ORDER_SIGNATURE", {"signature": '["one","two"]'}),
]


@pytest.mark.parametrize(("code", "changes"), REFUSED, ids=lambda value: str(value)[:60])
def test_what_cannot_be_accepted_is_refused_and_leaves_nothing(code: str, changes: dict[str, Any]) -> None:
    """A refusal carries the venue's code; nothing is recorded, queued or published, and the client id is free."""
    room = Room()
    before = len(room.seen.events)
    with pytest.raises(VenueError) as refused:
        room.desk.create(order_request(**{"client_id": "mine"} | changes), room.caller(1001))
    assert refused.value.code == code
    assert (room.ledger.accepted, room.queue, len(room.seen.events)) == (0, [], before)
    room.desk.create(order_request(client_id="mine"), room.caller(1001))


ACCEPTED: list[dict[str, Any]] = [
    {},
    {"client_id": "", "recv_window": None, "stp": None, "flags": None, "instruction": None},
    {"client_id": "c" * 64},
    {"instruction": "", "stp": ""},
    {"flags": ["REDUCE_ONLY", "REDUCE_ONLY"]},
    {"instruction": "IOC"},
    {"type": "MARKET", "price": None},
    {"type": "MARKET", "price": "0", "instruction": "IOC"},
    {"type": "MARKET", "flags": ["TARGET_STRATEGY_VWAP"], "vwap_price": "101"},
    {"trigger_price": "0"},
    stop(),
    stop("STOP_MARKET", price=None, instruction="IOC"),
    stop("TAKE_PROFIT_MARKET", price=None, **WHOLE),
    stop("STOP_LOSS_LIMIT", **WHOLE),
    stop("TAKE_PROFIT_LIMIT"),
    stop("STOP_LOSS_MARKET"),
    {"on_behalf_of_account": hex(1001)},
    {"on_behalf_of_account": "0x0003E9"},
    {"signature": '["0x1","0x2"]'},
    {"signature_timestamp": EPOCH_MS + 60_000},
    {"signature_timestamp": EPOCH_MS - WINDOW},
    {"signature_timestamp": EPOCH_MS - 10, "recv_window": 10},
]


@pytest.mark.parametrize("changes", ACCEPTED, ids=lambda value: str(value)[:60])
def test_what_clients_send_is_accepted(changes: dict[str, Any]) -> None:
    """What the documents allow and real clients send becomes a NEW order, published and queued."""
    room = Room()
    order = room.desk.create(order_request(**changes), room.caller(1001))
    assert (order.status, room.ledger.accepted, len(room.queue)) == (NEW, 1, 1)
    assert (order.instruction, order.stp) == (changes.get("instruction") or "GTC", "EXPIRE_TAKER")
    assert len(order.flags) == len(set(order.flags))


@pytest.mark.parametrize("kind", ["TAKE_PROFIT_LIMIT", "STOP_LOSS_MARKET"])
def test_exits_may_have_to_be_reduce_only(kind: str) -> None:
    """A setting refuses take-profit and stop-loss orders without the flag; stops are not meant."""
    room = Room(exits="reduce-only")
    with pytest.raises(VenueError) as refused:
        room.desk.create(order_request(**stop(kind)), room.caller(1001))
    assert refused.value.code == "VALIDATION_ERROR"
    for changes in (stop(kind, flags=["REDUCE_ONLY"]), stop()):
        room.desk.create(order_request(**changes), room.caller(1001))
    assert room.ledger.accepted == 2


def test_less_than_the_minimum_may_close_a_position() -> None:
    """Below the minimum notional only a reduce-only order is accepted that closes the position fully."""
    room = Room()
    room.hold(1001, 3)

    def is_refused(side: str, *flags: str) -> bool:
        closing = order_request(side=side, size="1", price="100", flags=list(flags))
        try:
            room.desk.entry.check(closing, room.caller(1001), "ok")
        except VenueError as refused:
            return refused.code == "INVALID_ORDER_SIZE"
        return False

    assert is_refused("SELL", "REDUCE_ONLY")
    room.hold(1001, -2)
    assert [is_refused("SELL"), is_refused("BUY", "REDUCE_ONLY")] == [True, True]
    assert not is_refused("SELL", "REDUCE_ONLY")


@pytest.mark.parametrize(("setting", "again"), [("once", False), ("while-open", True)])
def test_a_client_id_is_used_once_or_while_its_order_lives(setting: str, again: bool) -> None:  # noqa: FBT001
    """client_ids says whether the id of a closed order may be used again; that of a live one never; others' may."""
    room = Room(client_ids=setting)
    caller = room.caller(1001)
    first = room.desk.create(order_request(client_id="a"), caller)
    room.desk.create(order_request(client_id="a"), room.caller(1002))
    with pytest.raises(VenueError) as refused:
        room.desk.create(order_request(client_id="a"), caller)
    assert refused.value.code == "DUPLICATED_CLIENT_ID"
    room.desk.cancel(first, caller)
    room.work()
    if again:
        second = room.desk.create(order_request(client_id="a"), caller)
        assert room.desk.find_client_id("a", caller) is second
    else:
        with pytest.raises(VenueError):
            room.desk.create(order_request(client_id="a"), caller)


def test_orders_are_counted_by_account_and_market() -> None:
    """No more live orders than the market's max_open_orders, whatever their status; closed ones make room."""
    room = Room()
    caller = room.caller(1001)
    orders = [room.desk.create(order_request(price=str(90 + n)), caller) for n in range(7)]
    orders.append(room.desk.create(order_request(**stop()), caller))
    with pytest.raises(VenueError) as refused:
        room.desk.create(order_request(), caller)
    assert refused.value.code == "REQUEST_NOT_ALLOWED"
    room.desk.create(order_request(), room.caller(1002))
    room.desk.cancel(orders[0], caller)
    room.work()
    room.desk.create(order_request(), caller)


@pytest.mark.parametrize(
    ("mode", "changes", "code"),
    [
        ("cancel_only", {"instruction": "POST_ONLY"}, "SYSTEM_STATUS_CANCEL_ONLY"),
        ("maintenance", {"instruction": "POST_ONLY"}, "SERVICE_UNAVAILABLE"),
        ("post_only", {}, "SYSTEM_STATUS_POST_ONLY"),
        ("post_only", {"type": "MARKET", "price": None}, "SYSTEM_STATUS_POST_ONLY"),
        ("post_only", {"instruction": "POST_ONLY", "price": "101"}, "SYSTEM_STATUS_POST_ONLY"),
        ("post_only", {"instruction": "POST_ONLY", "side": "SELL", "price": "99"}, "SYSTEM_STATUS_POST_ONLY"),
        ("post_only", {"instruction": "POST_ONLY", "price": "100"}, None),
        ("post_only", {"instruction": "POST_ONLY", "side": "SELL", "price": "150"}, None),
    ],
)
def test_modes_let_in_what_they_let_in(mode: Any, changes: dict[str, Any], code: str | None) -> None:
    """CANCEL_ONLY lets nothing in, POST_ONLY post-only orders up to 5 bps more aggressive than the fair price."""
    room = Room()
    room.set_mode(mode)
    if code is None:
        room.desk.create(order_request(**changes), room.caller(1001))
    else:
        with pytest.raises(VenueError) as refused:
            room.desk.create(order_request(**changes), room.caller(1001))
        assert refused.value.code == code


def test_a_batch_is_refused_whole_or_accepted_one_by_one() -> None:
    """One bad order refuses all of a batch; when all are well, each is accepted or refused for itself."""
    room = Room()
    caller = room.caller(1001)
    good = [
        order_request(client_id=name, price=price) for name, price in (("a", "99"), ("a", "98"), ("b", "97"))
    ]
    with pytest.raises(VenueError) as refused:
        room.desk.create_batch([*good, order_request(size="0")], caller)
    assert refused.value.code == "INVALID_ORDER_SIZE"
    assert "order 4" in refused.value.message
    assert not room.ledger.accepted
    outcomes = room.desk.create_batch(good, caller)
    assert [getattr(each, "client_id", None) or getattr(each, "code", None) for each in outcomes] == [
        "a",
        "DUPLICATED_CLIENT_ID",
        "b",
    ]
    room.work()
    assert [order.price for order in room.book.bids] == [99 * SCALE, 97 * SCALE]


@pytest.mark.parametrize(("setting", "most"), [({}, 10), ({"batch_size": 2}, 2)])
def test_batches_have_a_size(setting: dict[str, Any], most: int) -> None:
    """Empty batches and those above the setting are refused, of orders and of cancels."""
    room = Room(**setting)
    caller = room.caller(1001)
    for size in (0, most + 1):
        with pytest.raises(VenueError, match="BATCH_SIZE_OUT_OF_RANGE"):
            room.desk.create_batch([order_request()] * size, caller)
        with pytest.raises(VenueError, match="BATCH_SIZE_OUT_OF_RANGE"):
            room.desk.cancel_batch(["1"] * size, [], caller)
    assert len(room.desk.cancel_batch(["1"], ["a"] * (most - 1), caller)) == most


def test_a_batch_of_cancels_says_what_became_of_each() -> None:
    """Live orders are queued, closed and unknown ones are named so, others' are unknown; in the order asked."""
    room = Room()
    caller = room.caller(1001)
    live, closed, named = (
        room.desk.create(order_request(client_id=name, price="95"), caller)
        for name in ("live", "closed", "named")
    )
    foreign = room.desk.create(order_request(), room.caller(1002))
    room.desk.cancel(closed, caller)
    room.work()
    results = room.desk.cancel_batch([closed.id, live.id, foreign.id, "7"], ["named", "none"], caller)
    assert [(result.order_id, result.client_id, result.status) for result in results] == [
        (closed.id, "closed", "ALREADY_CLOSED"),
        (live.id, "live", "QUEUED_FOR_CANCELLATION"),
        (foreign.id, None, "NOT_FOUND"),
        ("7", None, "NOT_FOUND"),
        (named.id, "named", "QUEUED_FOR_CANCELLATION"),
        (None, "none", "NOT_FOUND"),
    ]
    room.work()
    assert [order.cancel_reason for order in (live, named)] == ["USER_CANCELED"] * 2
    assert foreign.is_live


@pytest.mark.parametrize(
    ("read", "text", "code"),
    [
        (decode_order, b"{", "BINDING_ERROR"),
        (decode_order, b'{"x":' + b"[" * 100_000, "BINDING_ERROR"),
        (decode_order, b"\xff", "BINDING_ERROR"),
        (decode_order, b"[]", "VALIDATION_ERROR"),
        (decode_order, b'{"market":"M"}', "VALIDATION_ERROR"),
        (decode_orders, b"{}", "VALIDATION_ERROR"),
        (decode_orders, b"[1]", "VALIDATION_ERROR"),
        (decode_modify, b'{"id":7}', "VALIDATION_ERROR"),
        (convert_order, None, "VALIDATION_ERROR"),
        (convert_orders, {"orders": []}, "VALIDATION_ERROR"),
        (convert_modify, {"id": []}, "VALIDATION_ERROR"),
    ],
    ids=lambda value: getattr(value, "__name__", str(value))[:30],
)
def test_bodies_that_are_no_orders(read: Any, text: Any, code: str) -> None:
    """What is no JSON cannot be bound, and what is no order is not valid."""
    with pytest.raises(VenueError) as refused:
        read(text)
    assert refused.value.code == code
