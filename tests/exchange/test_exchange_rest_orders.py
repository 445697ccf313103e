"""Orders over REST: what is accepted, what is refused, and what becomes of it."""

# ruff: noqa: ARG001 - pytest-trio takes its clock from the arguments of a test

from typing import Any

import pytest
import trio
import trio.testing
from exchange_stage import EPOCH, HttpClient, Stage, Trader, refused
from trio.testing import MockClock

from bot.exchange.matching.risk import Risk

OTHER_KEY = 0xFEDCBA9876543210
BOGUS = '["1","2"]'


async def test_an_order_is_accepted_first_and_decided_later(
    autojump_clock: MockClock, room: Stage, client: HttpClient, trader: Trader
) -> None:
    """201 says NEW; OPEN, and after a cancel CLOSED, come from the engine."""
    placed = await trader.place(client, client_id="mine")
    order = placed.json()
    assert (placed.status, order["status"], order["remaining_size"]) == (201, "NEW", "0.001")
    assert len(order["id"]) == 28
    assert int(order["id"][:13]) == order["created_at"] == EPOCH * 1000
    await trio.testing.wait_all_tasks_blocked()
    for path in (f"/v1/orders/{order['id']}", "/v1/orders/by_client_id/mine"):
        assert (await trader.ask(client, "GET", path)).json()["status"] == "OPEN"
    open_orders = (await trader.ask(client, "GET", "/v1/orders?market=BTC-USD-PERP")).json()["results"]
    assert [o["id"] for o in open_orders] == [order["id"]]
    assert (await trader.ask(client, "GET", "/v1/orders?market=ETH-USD-PERP")).json() == {"results": []}
    cancelled = await trader.ask(client, "DELETE", f"/v1/orders/{order['id']}")
    assert (cancelled.status, cancelled.body) == (204, b"")
    await trio.testing.wait_all_tasks_blocked()
    closed = (await trader.ask(client, "GET", f"/v1/orders/{order['id']}")).json()
    assert (closed["status"], closed["cancel_reason"]) == ("CLOSED", "USER_CANCELED")
    assert closed["seq_no"] > order["seq_no"] > 10**18
    assert refused(await trader.ask(client, "DELETE", f"/v1/orders/{order['id']}")) == (
        400,
        "ORDER_IS_CLOSED",
    )
    by_client_id = await trader.ask(client, "GET", "/v1/orders/by_client_id/mine")
    assert refused(by_client_id) == (404, "CLIENT_ORDER_ID_NOT_FOUND")
    assert refused(await trader.place(client, client_id="mine")) == (400, "DUPLICATED_CLIENT_ID")
    assert list(room.exchange.orders) == [order["id"]]


async def test_orders_of_others_are_invisible(
    autojump_clock: MockClock, client: HttpClient, trader: Trader
) -> None:
    """Another account neither sees nor cancels an order, and may use the same client id."""
    order = (await trader.place(client, client_id="same")).json()
    other = Trader(OTHER_KEY)
    await other.log_in(client)
    for method in ("GET", "DELETE"):
        reply = await other.ask(client, method, f"/v1/orders/{order['id']}")
        assert refused(reply) == (404, "ORDER_ID_NOT_FOUND")
    assert (await other.place(client, client_id="same")).status == 201
    assert (await other.ask(client, "DELETE", "/v1/orders")).status == 200
    await trio.testing.wait_all_tasks_blocked()
    assert len((await trader.ask(client, "GET", "/v1/orders")).json()["results"]) == 1


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"market": "DOGE-USD-PERP"}, (404, "MARKET_NOT_FOUND")),
        ({"side": "HOLD", "signature": BOGUS}, (400, "VALIDATION_ERROR")),
        ({"type": "ICEBERG"}, (400, "VALIDATION_ERROR")),
        ({"instruction": "FOK"}, (400, "VALIDATION_ERROR")),
        ({"instruction": "RPI"}, (403, "RPI_ACCOUNT_NOT_WHITELISTED")),
        ({"flags": ["MMP"]}, (403, "MMP_NOT_ENABLED")),
        ({"type": "MARKET", "instruction": "POST_ONLY"}, (400, "VALIDATION_ERROR")),
        ({"stp": "NEVER"}, (400, "VALIDATION_ERROR")),
        ({"flags": ["FAST"]}, (400, "VALIDATION_ERROR")),
        ({"price": "80750.05"}, (400, "VALIDATION_ERROR")),
        ({"price": "0"}, (400, "VALIDATION_ERROR")),
        ({"price": "-1", "signature": BOGUS}, (400, "VALIDATION_ERROR")),
        ({"price": "1e5", "signature": BOGUS}, (400, "VALIDATION_ERROR")),
        ({"size": "0.000015"}, (400, "INVALID_ORDER_SIZE")),
        ({"size": "0"}, (400, "INVALID_ORDER_SIZE")),
        ({"size": "-1", "signature": BOGUS}, (400, "INVALID_ORDER_SIZE")),
        ({"size": "0.0001"}, (400, "INVALID_ORDER_SIZE")),
        ({"size": "100.00001"}, (400, "INVALID_ORDER_SIZE")),
        ({"size": "0.0000000001", "signature": BOGUS}, (400, "INVALID_ORDER_SIZE")),
        ({"client_id": "x" * 65}, (400, "VALIDATION_ERROR")),
        ({"recv_window": 9}, (400, "VALIDATION_ERROR")),
        ({"recv_window": 10, "signature_timestamp": EPOCH * 1000 - 11}, (400, "INVALID_TIMESTAMP")),
        ({"signature_timestamp": EPOCH * 1000 - 300_001}, (400, "INVALID_TIMESTAMP")),
        ({"signature_timestamp": 0}, (400, "INVALID_TIMESTAMP")),
        ({"signature": "sesame"}, (400, "INVALID_ORDER_SIGNATURE")),
        ({"signature": '["0","0"]'}, (400, "INVALID_ORDER_SIGNATURE")),
        ({"signature": BOGUS}, (400, "INVALID_ORDER_SIGNATURE")),
        ({"size": 1, "signature": BOGUS}, (400, "VALIDATION_ERROR")),
        ({"market": None, "signature": BOGUS}, (400, "VALIDATION_ERROR")),
    ],
)
async def test_bad_orders_are_refused_and_leave_nothing(
    autojump_clock: MockClock,
    room: Stage,
    client: HttpClient,
    trader: Trader,
    changes: dict[str, Any],
    expected: tuple[int, str],
) -> None:
    """Each rule refuses, in the venue's form, and neither an order nor its client id is left behind."""
    if "signature" not in changes and {"side", "market"} & set(changes):
        changes = {**changes, "signature": BOGUS}
    assert refused(await trader.place(client, **{"client_id": "c", **changes})) == expected
    assert not room.exchange.orders
    assert (await trader.place(client, client_id="c")).status == 201


@pytest.mark.parametrize("field", ["signature_timestamp", "size", "price", "side", "type", "market"])
async def test_the_signature_covers_the_order(
    autojump_clock: MockClock, client: HttpClient, trader: Trader, field: str
) -> None:
    """An order changed after signing is refused."""
    order = trader.order()
    changed = {
        "signature_timestamp": order["signature_timestamp"] + 1,
        "size": "0.002",
        "price": "80750.1",
        "side": "SELL",
        "type": "MARKET",
        "market": "ETH-USD-PERP",
    }
    body = {
        **order,
        field: changed[field],
        "instruction": "GTC",
        "size": changed["size"] if field == "market" else "0.001",
    }
    if field == "market":
        body["size"] = "0.01"
    if field == "size":
        body["size"] = "0.002"
    assert refused(await trader.ask(client, "POST", "/v1/orders", body)) == (400, "INVALID_ORDER_SIGNATURE")


@pytest.mark.parametrize(
    "changes",
    [
        {"recv_window": 10, "signature_timestamp": EPOCH * 1000 - 10},
        {"recv_window": None, "stp": None, "client_id": "", "flags": []},
        {"instruction": "", "price": "80000.10"},
        {"type": "MARKET", "instruction": "GTC", "price": "0"},
        {"type": "MARKET", "instruction": "IOC", "price": None},
        {"unknown": {"field": 1}, "on_behalf_of_account": None, "trigger_price": None},
        {"signature_timestamp": EPOCH * 1000 + 30_000},
        {"client_id": "x" * 64},
    ],
)
async def test_what_real_clients_send_is_accepted(
    autojump_clock: MockClock, client: HttpClient, trader: Trader, changes: dict[str, Any]
) -> None:
    """Nulls, empty strings, unknown fields and a fast clock do not stop an order."""
    assert (await trader.place(client, **changes)).status == 201


async def test_identical_signed_orders_are_two_orders(
    autojump_clock: MockClock, room: Stage, client: HttpClient, trader: Trader
) -> None:
    """The signature is no nonce (section 10, item 4): without a client id a repeated order is another order."""
    order = trader.order(client_id="")
    for _ in range(2):
        assert (await trader.ask(client, "POST", "/v1/orders", order)).status == 201
    assert len(room.exchange.orders) == 2


async def test_open_orders_are_limited(autojump_clock: MockClock, client: HttpClient, trader: Trader) -> None:
    """A market takes max_open_orders of an account, NEW ones included, and then refuses."""
    for _ in range(100):
        reply = await trader.place(client, market="SOL-USD-PERP", size="1", price="125")
        assert reply.status == 201
    refusal = await trader.place(client, market="SOL-USD-PERP", size="1", price="125")
    assert refused(refusal) == (400, "REQUEST_NOT_ALLOWED")
    assert (await trader.place(client)).status == 201
    assert (await trader.ask(client, "DELETE", "/v1/orders?market=SOL-USD-PERP")).status == 200
    await trio.testing.wait_all_tasks_blocked()
    assert (await trader.place(client, market="SOL-USD-PERP", size="1", price="125")).status == 201
    assert len((await trader.ask(client, "GET", "/v1/orders")).json()["results"]) == 2


async def test_modes_let_through_what_the_venue_says(
    autojump_clock: MockClock, room: Stage, client: HttpClient, trader: Trader
) -> None:
    """cancel_only lets cancels through, post_only passive orders too, maintenance nothing but reads."""
    order = (await trader.place(client)).json()
    room.exchange.set_mode("cancel_only")
    assert (await client.request("GET", "/v1/system/state")).json() == {"status": "cancel_only"}
    assert refused(await trader.place(client)) == (400, "SYSTEM_STATUS_CANCEL_ONLY")
    room.exchange.set_mode("maintenance")
    assert refused(await trader.place(client)) == (503, "SERVICE_UNAVAILABLE")
    assert refused(await trader.ask(client, "DELETE", f"/v1/orders/{order['id']}")) == (
        503,
        "SERVICE_UNAVAILABLE",
    )
    room.exchange.set_mode("post_only")
    assert refused(await trader.place(client, instruction="GTC")) == (400, "SYSTEM_STATUS_POST_ONLY")
    assert refused(await trader.place(client, price="85042.6")) == (400, "SYSTEM_STATUS_POST_ONLY")
    assert (await trader.place(client, price="85042.5")).status == 201
    assert (await trader.place(client)).status == 201
    assert (await trader.ask(client, "DELETE", f"/v1/orders/{order['id']}")).status == 204
    room.exchange.set_mode("ok")
    assert (await trader.place(client, instruction="GTC")).status == 201


async def test_restricted_modes_close_aggressive_orders(
    autojump_clock: MockClock, room: Stage, client: HttpClient, trader: Trader
) -> None:
    """Resting orders more than 5 bps beyond the fair price are closed when a restricted mode begins."""
    far = (await trader.place(client)).json()["id"]
    near = (await trader.place(client, instruction="GTC", size="3", price="85050")).json()["id"]
    await trio.testing.wait_all_tasks_blocked()
    assert room.exchange.orders[near].status == "OPEN"
    room.exchange.set_mode("cancel_only")
    await trio.testing.wait_all_tasks_blocked()
    orders = room.exchange.orders
    assert [(orders[i].status, orders[i].cancel_reason) for i in (near, far)] == [
        ("CLOSED", "EXPIRED"),
        ("OPEN", ""),
    ]


async def test_a_command_that_breaks_costs_its_order_only(
    autojump_clock: MockClock,
    room: Stage,
    client: HttpClient,
    trader: Trader,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """An error of ours in the engine ends the order it was about, and the exchange goes on."""
    with monkeypatch.context() as broken:
        broken.setattr(Risk, "refusal", None)
        doomed = (await trader.place(client)).json()["id"]
        await trio.testing.wait_all_tasks_blocked()
    seen = (await trader.ask(client, "GET", f"/v1/orders/{doomed}")).json()
    assert (seen["status"], seen["cancel_reason"]) == ("CLOSED", "UNEXPECTED_FAILURE")
    healthy = (await trader.place(client)).json()["id"]
    await trio.testing.wait_all_tasks_blocked()
    assert (await trader.ask(client, "GET", f"/v1/orders/{healthy}")).json()["status"] == "OPEN"
    assert room.exchange.engine.faults == 1
    room.exchange.engine._inbox.faults = 0
