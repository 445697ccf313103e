"""Answers: what is read of them, and that no oddness of a field costs the rest."""

import json
from typing import Any

import attrs
import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bot.core.errors import RefusedError, UnknownOutcomeError
from bot.core.fixed import parse
from bot.core.market import Market
from bot.core.order import Instruction, Order, OrderType, Side
from bot.paradex import account, orders, rest
from bot.paradex.answers import (
    AccountSummary,
    BatchAnswer,
    Bbo,
    CancelResult,
    CancelsAnswer,
    EmptyAnswer,
    FillPage,
    FillReport,
    ItemError,
    MarketInfo,
    OrderPage,
    OrderReport,
    OrdersAnswer,
    PositionReport,
    PositionsAnswer,
    RequestInfo,
    SystemState,
    SystemTime,
)
from bot.paradex.request import Request

ORDER = Order(
    client_id="a-1",
    market="M",
    side=Side.BUY,
    type=OrderType.LIMIT,
    instruction=Instruction.GTC,
    size=parse("0.01"),
    price=parse("42000.5"),
)
SIGNED = orders.SignedOrder(order=ORDER, signature="[]", signature_timestamp=1, recv_window=5000)
CREATION = orders.create(SIGNED)
BATCH = orders.create_batch([SIGNED])

OPEN_ORDER = {
    "account": "0x4638e3041366aa71720be63e32e53e1223316c7f0d56f7aa617542ed1e7512",
    "avg_fill_price": "26000",
    "cancel_reason": "NOT_ENOUGH_MARGIN",
    "client_id": "x1234",
    "created_at": 1681493746016,
    "flags": ["REDUCE_ONLY"],
    "id": "123456",
    "instruction": "GTC",
    "last_updated_at": 1681493746017,
    "market": "BTC-USD-PERP",
    "price": "26000",
    "published_at": 1681493746019,
    "received_at": 1681493746018,
    "remaining_size": "0",
    "request_info": {"id": "r1", "message": "no", "request_type": "MODIFY_ORDER", "status": "REJECTED"},
    "seq_no": 1681471234972000000,
    "side": "BUY",
    "size": "0.05",
    "status": "NEW",
    "stp": "EXPIRE_MAKER",
    "timestamp": 1681493746015,
    "trigger_price": "26000",
    "type": "MARKET",
}
"""An order in the form of the venue's specification, with its examples."""

READ = OrderReport(
    id="123456",
    market="BTC-USD-PERP",
    status="NEW",
    client_id="x1234",
    side="BUY",
    type="MARKET",
    instruction="GTC",
    flags=("REDUCE_ONLY",),
    price="26000",
    size="0.05",
    remaining_size="0",
    avg_fill_price="26000",
    cancel_reason="NOT_ENOUGH_MARGIN",
    request_info=RequestInfo(id="r1", request_type="MODIFY_ORDER", status="REJECTED", message="no"),
    timestamp=1681493746015,
    created_at=1681493746016,
    last_updated_at=1681493746017,
    received_at=1681493746018,
    published_at=1681493746019,
    seq_no=1681471234972000000,
)

FILL = {
    "account": "0x978532f46745d7fFBa1CDfa1D8C8202D09D89C9E",
    "client_id": "x1234",
    "created_at": 1681375176910,
    "fee": "-0.5",
    "fee_currency": "USDC",
    "fill_type": "LIQUIDATION",
    "flags": ["interactive"],
    "id": "8615262148007718462",
    "liquidity": "TAKER",
    "market": "BTC-USD-PERP",
    "order_id": "1681462103821101699438490000",
    "orderbook_seq_no": 12345,
    "price": "30000.12",
    "realized_funding": "7.56",
    "realized_pnl": "-7.56",
    "remaining_size": "0.5",
    "side": "BUY",
    "size": "0.25",
    "underlying_price": "30001",
}
FILL_READ = FillReport(
    id="8615262148007718462",
    market="BTC-USD-PERP",
    fill_type="LIQUIDATION",
    order_id="1681462103821101699438490000",
    client_id="x1234",
    side="BUY",
    liquidity="TAKER",
    size="0.25",
    price="30000.12",
    remaining_size="0.5",
    fee="-0.5",
    fee_currency="USDC",
    realized_pnl="-7.56",
    realized_funding="7.56",
    underlying_price="30001",
    flags=("interactive",),
    orderbook_seq_no=12345,
    created_at=1681375176910,
)


def page(*rows: object, cursor: str | None = None) -> bytes:
    return json.dumps({"next": cursor, "prev": None, "results": rows}).encode()


@pytest.mark.parametrize(
    ("request_", "body", "value"),
    [
        (rest.system_time(), b'{"server_time":"1681493415023"}', SystemTime(server_time="1681493415023")),
        (rest.system_time(), b'{"server_time":1681493415023}', SystemTime(server_time=1681493415023)),
        (rest.system_state(), b'{"status":"ok"}', SystemState(status="ok")),
        (rest.system_state(), b'{"status":"auction"}', SystemState(status="auction")),
        (orders.cancel("1"), b"", EmptyAnswer()),
        (orders.cancel("1"), b'{"anything":[1]}', EmptyAnswer()),
        (orders.cancel_all(), b"", EmptyAnswer()),
        (rest.bbo("M"), b'{"market":"M","bid":"","ask":null,"seq_no":1}', Bbo(market="M", bid="", ask=None)),
        (orders.list_open(), b'{"results":[]}', OrdersAnswer(results=[])),
        (orders.history("a"), page(OPEN_ORDER, cursor="c=="), OrderPage(results=[READ], next="c==")),
        (
            orders.history("a", market="M"),
            page({"id": "1", "market": "M", "status": "FROZEN"}),
            OrderPage(results=[OrderReport(id="1", market="M", status="FROZEN")]),
        ),
        (CREATION, json.dumps(OPEN_ORDER).encode(), READ),
        (
            BATCH,
            json.dumps(
                {"orders": [OPEN_ORDER], "errors": [{"error": "VALIDATION_ERROR", "message": "m"}]}
            ).encode(),
            BatchAnswer(orders=[READ], errors=[ItemError(error="VALIDATION_ERROR", message="m")]),
        ),
        (BATCH, b'{"orders":null,"errors":[{"error":null}]}', BatchAnswer(errors=[ItemError()])),
        (
            orders.cancel_batch(["1", "2"]),
            (
                b'{"results":[{"id":"1","client_id":"a","account":"0x1","market":"M","status":"ALREADY_CLOSED"},'
                b'{"id":"2","status":"NOT_FOUND"}]}'
            ),
            CancelsAnswer(
                results=[
                    CancelResult(id="1", client_id="a", market="M", status="ALREADY_CLOSED"),
                    CancelResult(id="2", status="NOT_FOUND"),
                ]
            ),
        ),
        (account.fills(), page(FILL, cursor="c"), FillPage(results=[FILL_READ], next="c")),
        (
            account.positions(),
            (
                b'{"results":[{"id":"p","market":"M","status":"OPEN","side":"SHORT","size":"-0.345",'
                b'"average_entry_price":"29000","leverage":"","seq_no":7,"last_updated_at":1681493415023}]}'
            ),
            PositionsAnswer(
                results=[
                    PositionReport(
                        id="p",
                        market="M",
                        status="OPEN",
                        side="SHORT",
                        size="-0.345",
                        average_entry_price="29000",
                        seq_no=7,
                        last_updated_at=1681493415023,
                    )
                ]
            ),
        ),
        (
            account.summary(),
            b'{"account":"0x1","account_value":"10.5","status":"ACTIVE","updated_at":5,"seq_no":6}',
            AccountSummary(account="0x1", account_value="10.5", status="ACTIVE", updated_at=5, seq_no=6),
        ),
    ],
)
def test_successes(request_: Request[Any], body: bytes, value: object) -> None:
    """Unknown fields are ignored, nulls are nothing, and a new status is only text."""
    assert request_.read(200, body) == value
    assert request_.read(299, body) == value


@pytest.mark.parametrize(
    ("report", "needed"),
    [(OrderReport, {"id", "market", "status"}), (FillReport, {"id", "market"}), (PositionReport, {"market"})],
)
def test_what_may_be_missing(report: type[Any], needed: set[str]) -> None:
    """Whatever nobody can do without is required; the rest may be absent or null, and is then nothing."""
    fields = {field.name for field in attrs.fields(report)}
    least = dict.fromkeys(needed, "x")
    expected = report(**least)
    for body in (least, dict.fromkeys(fields) | least):
        assert msgspec.json.decode(json.dumps(body), type=report) == expected
    for name in needed:
        with pytest.raises(msgspec.ValidationError):
            msgspec.json.decode(json.dumps(least | {name: None}), type=report)
    assert hash(expected) == hash(report(**least))


@pytest.mark.parametrize(
    ("side", "size", "signed"),
    [
        ("LONG", "0.345", "0.345"),
        ("SHORT", "-0.345", "-0.345"),
        ("SHORT", "0.345", "-0.345"),
        ("LONG", "-0.345", "-0.345"),
        (None, "-0.345", "-0.345"),
        ("LONG", "0", "0"),
        ("SHORT", "0", "0"),
    ],
)
def test_the_size_of_a_position(side: str | None, size: str, signed: str) -> None:
    """With the sign that it has, or that the side gives it: in frames of one kind it has none."""
    assert PositionReport(market="M", side=side, size=size).signed_size == parse(signed)


@pytest.mark.parametrize("size", [None, "", "1e5", "NaN"])
def test_a_size_that_cannot_be_read(size: str | None) -> None:
    """Nobody guesses a position."""
    with pytest.raises(ValueError, match="not a plain decimal"):
        _ = PositionReport(market="M", side="LONG", size=size).signed_size


READERS: list[Request[Any]] = [
    rest.system_time(),
    rest.system_state(),
    rest.system_config(),
    rest.markets(),
    rest.bbo("M"),
    CREATION,
    BATCH,
    orders.list_open(),
    orders.cancel("1"),
    orders.cancel_batch(["1"]),
    orders.history(),
    account.fills(),
    account.positions(),
    account.summary(),
]


@settings(deadline=None)
@given(status=st.integers(), body=st.binary() | st.text().map(str.encode))
def test_no_answer_breaks_the_reader(status: int, body: bytes) -> None:
    """Whatever comes back is a value, a refusal or unknown."""
    for asked in READERS:
        try:
            value = asked.read(status, body)
        except (RefusedError, UnknownOutcomeError):
            continue
        assert 200 <= status < 300
        assert isinstance(value, asked.answer)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"null",
        b"[]",
        b"<html>",
        b'{"id":"1","market":"M"}',
        b'{"id":null,"market":"M","status":"NEW"}',
        b'{"id":"1","market":"M","status":"NEW"',
        b'{"id":"1","market":"M","status":"N\xffW"}',
        b'{"id":"1","market":"M","status":"NEW","seq_no":1e400}',
        b'{"id":"1","market":"M","status":"NEW","seq_no":' + b"9" * 10_000 + b"}",
        b'{"id":"1","market":"M","status":"NEW","new":' + b"[" * 100_000 + b"]" * 100_000 + b"}",
    ],
)
def test_a_success_that_cannot_be_read_is_unknown(body: bytes) -> None:
    """The venue took the order, or did not: a broken answer to it never counts as refusal or as success."""
    with pytest.raises(UnknownOutcomeError, match=r"^POST /orders: 201 with a body that does not parse: "):
        CREATION.read(201, body)


INFO = MarketInfo(
    symbol="BTC-USD-PERP",
    price_tick_size="0.1",
    order_size_increment="0.00001",
    min_notional="10",
    max_order_size="100",
)


def test_the_rules_of_a_market_are_read() -> None:
    """Decimal text becomes units of 10⁻⁸."""
    assert rest.read_market(INFO) == Market(
        symbol="BTC-USD-PERP",
        price_tick=10_000_000,
        size_step=1_000,
        min_notional=1_000_000_000,
        max_order_size=10_000_000_000,
    )


@pytest.mark.parametrize(
    "field", ["price_tick_size", "order_size_increment", "min_notional", "max_order_size"]
)
@pytest.mark.parametrize("text", ["", "1e-5", "NaN", "0.000000001"])
def test_rules_that_cannot_be_read(field: str, text: str) -> None:
    """A market whose rules are not understood is not traded by guess."""
    with pytest.raises(ValueError, match=r"not a plain decimal|finer than"):
        rest.read_market(attrs.evolve(INFO, **{field: text}))
