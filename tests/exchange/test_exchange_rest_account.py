"""What an account is told of itself over REST, and what it may ask."""

# ruff: noqa: ARG001 - pytest-trio takes its clock from the arguments of a test

from collections.abc import AsyncIterator
from typing import Any

import pytest
import trio
import trio.testing
from exchange_stage import EPOCH, HttpClient, Stage, Trader, stage
from trio.testing import MockClock

BTC = "BTC-USD-PERP"
MARKET = {"type": "MARKET", "instruction": "IOC"}
OTHER_KEY = 0xFEDCBA9876543210


@pytest.fixture
async def room(autojump_clock: MockClock) -> AsyncIterator[Stage]:
    async with stage(verify=False, activity=1.0) as it:
        yield it


async def results(trader: Trader, client: HttpClient, path: str) -> Any:
    reply = await trader.ask(client, "GET", f"/v1{path}")
    assert reply.status == 200, (path, reply.body)
    return reply.json()["results"]


async def test_a_trade_shows_everywhere(
    autojump_clock: MockClock, client: HttpClient, trader: Trader
) -> None:
    """Fills, fees, position, balance, funding and summary tell one story of a purchase and half its sale."""
    await trader.place(client, **MARKET, size="0.02")
    await trio.sleep(20)
    await trader.place(client, **MARKET, size="0.01", side="SELL")
    await trio.testing.wait_all_tasks_blocked()
    sold, bought = await results(trader, client, "/fills")
    assert [bought["side"], sold["side"]] == ["BUY", "SELL"]
    for fill in (bought, sold):
        value = float(fill["price"]) * float(fill["size"])
        assert float(fill["fee"]) == pytest.approx(value * 0.00045, abs=1e-7)
    [position] = await results(trader, client, "/positions")
    assert (position["size"], position["side"], position["last_fill_id"]) == ("0.01", "LONG", sold["id"])
    [payment] = await results(trader, client, f"/funding/payments?market={BTC}")
    assert (payment["payment"], payment["fill_id"]) == (sold["realized_funding"], sold["id"])
    earned = float(sold["realized_pnl"]) + float(payment["payment"])
    fees = float(bought["fee"]) + float(sold["fee"])
    [balance] = await results(trader, client, "/balance")
    assert float(balance["size"]) == pytest.approx(100_000 + earned - fees, abs=1e-6)
    summary = (await trader.ask(client, "GET", "/v1/account")).json()
    assert summary["total_collateral"] == balance["size"]
    value = float(balance["size"]) + float(position["unrealized_pnl"])
    assert float(summary["account_value"]) == pytest.approx(value, abs=0.5)
    assert await results(trader, client, "/fills?market=ETH-USD-PERP") == []
    assert await results(trader, client, "/fills?asset_kind=OPTION") == []
    assert [fill["id"] for fill in await results(trader, client, "/fills?page_size=1")] == [sold["id"]]


async def test_others_see_nothing_of_it(
    autojump_clock: MockClock, client: HttpClient, trader: Trader
) -> None:
    """Every list is the caller's own."""
    await trader.place(client, **MARKET, size="0.02")
    await trio.testing.wait_all_tasks_blocked()
    other = Trader(OTHER_KEY)
    await other.log_in(client)
    for path in ("/orders", "/orders-history", "/fills", "/positions", f"/funding/payments?market={BTC}"):
        assert await results(other, client, path) == []
    [transfer] = await results(other, client, "/transfers")
    assert (transfer["account"], transfer["created_at"]) == (hex(other.address), EPOCH * 1000)
    assert await results(other, client, "/transfers?status=FAILED") == []
    for address in (trader.address, 5):
        reply = await other.ask(client, "GET", f"/v1/account?subaccount_address={address:#x}")
        assert (reply.status, reply.json()["error"]) == (404, "ACCOUNT_NOT_FOUND")
    for form in ("#x", "#068x", "#X"):
        own = await other.ask(client, "GET", f"/v1/account?subaccount_address={other.address:{form}}")
        assert own.json()["account"] == hex(other.address)


async def test_leverage_is_set_and_shown(
    autojump_clock: MockClock, client: HttpClient, trader: Trader
) -> None:
    """As many times as the market allows, cross margin only; what is refused changes nothing."""
    path = f"/v1/account/margin/{BTC}"
    shown = f"/v1/account/margin?market={BTC}"
    assert (await trader.ask(client, "GET", shown)).json()["configs"][0]["leverage"] == 50
    reply = await trader.ask(client, "POST", path, {"leverage": 20, "margin_type": "CROSS"})
    assert reply.json() == {
        "account": hex(trader.address),
        "market": BTC,
        "leverage": 20,
        "margin_type": "CROSS",
    }
    for where, body, expected in [
        (path, {"leverage": 51, "margin_type": "CROSS"}, (400, "INVALID_REQUEST_PARAMETER")),
        (path, {"leverage": 0, "margin_type": "CROSS"}, (400, "INVALID_REQUEST_PARAMETER")),
        (path, {"leverage": 10, "margin_type": "ISOLATED"}, (400, "INVALID_REQUEST_PARAMETER")),
        (path, {"leverage": "10", "margin_type": "CROSS"}, (400, "VALIDATION_ERROR")),
        (
            path,
            {"leverage": 10, "margin_type": "CROSS", "on_behalf_of_account": "0x5"},
            (400, "REQUEST_NOT_ALLOWED"),
        ),
        (path, b"{", (400, "BINDING_ERROR")),
        (path, b"\xff", (400, "BINDING_ERROR")),
        ("/v1/account/margin/DOGE", {"leverage": 1, "margin_type": "CROSS"}, (404, "MARKET_NOT_FOUND")),
    ]:
        refused = await trader.ask(client, "POST", where, body)
        assert (refused.status, refused.json()["error"]) == expected, body
    assert (await trader.ask(client, "GET", shown)).json()["configs"][0]["leverage"] == 20


async def test_batches_are_whole_or_their_orders_independent(
    autojump_clock: MockClock, client: HttpClient, trader: Trader
) -> None:
    """A batch of the wrong form or size is refused whole; a batch of cancels says what became of each."""
    for method, body, expected in [
        ("POST", [], (400, "BATCH_SIZE_OUT_OF_RANGE")),
        ("POST", [trader.order() for _ in range(11)], (400, "BATCH_SIZE_OUT_OF_RANGE")),
        ("POST", trader.order(), (400, "VALIDATION_ERROR")),
        ("POST", [trader.order(), trader.order(signature="mine")], (400, "INVALID_ORDER_SIGNATURE")),
        ("POST", b"[", (400, "BINDING_ERROR")),
        ("DELETE", {}, (400, "BATCH_SIZE_OUT_OF_RANGE")),
        ("DELETE", {"order_ids": "1"}, (400, "VALIDATION_ERROR")),
        ("DELETE", None, (400, "BINDING_ERROR")),
        ("DELETE", {"client_order_ids": ["x"] * 11}, (400, "BATCH_SIZE_OUT_OF_RANGE")),
    ]:
        refused = await trader.ask(client, method, "/v1/orders/batch", body)
        assert (refused.status, refused.json()["error"]) == expected, body
    assert await results(trader, client, "/orders-history") == []
    made = await trader.ask(client, "POST", "/v1/orders/batch", [trader.order(), trader.order()])
    assert (made.status, made.json()["errors"]) == (201, [])
    assert [order["status"] for order in made.json()["orders"]] == ["NEW", "NEW"]


async def test_a_modification_names_the_order_twice(
    autojump_clock: MockClock, client: HttpClient, trader: Trader
) -> None:
    """The id in the body is the one in the path, and of an order that there is."""
    placed = (await trader.place(client)).json()
    await trio.testing.wait_all_tasks_blocked()
    for order_id, named, code in [
        (placed["id"], "1", "INVALID_REQUEST_PARAMETER"),
        ("1", "1", "ORDER_ID_NOT_FOUND"),
    ]:
        body = trader.order(id=named, price="80000")
        refused = await trader.ask(client, "PUT", f"/v1/orders/{order_id}", body)
        assert refused.json()["error"] == code
