"""The history of orders over REST, and the exchange's own time."""

# ruff: noqa: ARG001 - pytest-trio takes its clock from the arguments of a test

from typing import Any

import pytest
import trio
import trio.testing
from exchange_stage import HttpClient, Stage, StageClock, Trader, refused, stage
from trio.testing import MockClock

OTHER_KEY = 0xFEDCBA9876543210
BOGUS = '["1","2"]'


async def test_history_pages_forth_and_back(
    autojump_clock: MockClock, client: HttpClient, trader: Trader
) -> None:
    """Following next and then prev shows every order once each way, newest first, new orders or not."""
    ids = []
    for n in range(7):
        ids.append((await trader.place(client, client_id=f"h{n}")).json()["id"])
        await trio.sleep(1)
    newest_first = ids[::-1]
    pages: list[Any] = []
    cursor: str | None = ""
    while cursor is not None:
        page = (await trader.ask(client, "GET", f"/v1/orders-history?page_size=3&cursor={cursor}")).json()
        if not pages:
            assert page["prev"] is None
            await trader.place(client)
        pages.append(page)
        cursor = page["next"]
    assert [[order["id"] for order in page["results"]] for page in pages] == [
        newest_first[:3],
        newest_first[3:6],
        newest_first[6:],
    ]
    back = (await trader.ask(client, "GET", f"/v1/orders-history?cursor={pages[2]['prev']}")).json()
    assert [order["id"] for order in back["results"]] == newest_first[3:6]
    for bad in ("nonsense", pages[0]["next"][:-4] + "AAAA"):
        reply = await trader.ask(client, "GET", f"/v1/orders-history?cursor={bad}")
        assert refused(reply) == (400, "INVALID_REQUEST_PARAMETER")
    other = Trader(OTHER_KEY)
    await other.log_in(client)
    reply = await other.ask(client, "GET", f"/v1/orders-history?cursor={pages[0]['next']}")
    assert refused(reply) == (400, "INVALID_REQUEST_PARAMETER")


async def test_history_is_filtered(autojump_clock: MockClock, client: HttpClient, trader: Trader) -> None:
    """Every filter narrows; what is no value of a filter is refused."""
    start = StageClock().wall_ns() // 10**6
    await trader.place(client, client_id="buy")
    await trio.sleep(1)
    await trader.place(client, client_id="sell", side="SELL", price="90000")
    await trader.place(client, client_id="eth", market="ETH-USD-PERP", size="0.01", price="2700")
    await trio.sleep(1)
    await trader.place(client, client_id="take", type="MARKET", instruction="GTC")
    await trader.ask(client, "DELETE", "/v1/orders/by_client_id/sell?market=BTC-USD-PERP")
    await trio.testing.wait_all_tasks_blocked()
    for query, expected in [
        ("", ["take", "eth", "sell", "buy"]),
        ("client_id=sell", ["sell"]),
        ("side=SELL", ["sell"]),
        ("market=ETH-USD-PERP", ["eth"]),
        ("status=CLOSED", ["take", "sell"]),
        ("status=OPEN", ["eth", "buy"]),
        ("type=MARKET", ["take"]),
        (f"start_at={start + 1000}&end_at={start + 1000}", ["eth", "sell"]),
        ("client_id=nobody", []),
    ]:
        page = (await trader.ask(client, "GET", f"/v1/orders-history?{query}")).json()
        assert [order["client_id"] for order in page["results"]] == expected, query
    for bad in ("side=UP", "status=GONE", "type=X", "page_size=0", "page_size=5001", "start_at=yesterday"):
        reply = await trader.ask(client, "GET", f"/v1/orders-history?{bad}")
        assert refused(reply) == (400, "INVALID_REQUEST_PARAMETER")


async def test_one_seed_is_one_exchange() -> None:
    """The same requests to exchanges of the same seed get the same bytes, tokens aside."""

    async def story(seed: int) -> list[bytes]:
        async with stage(seed=seed, verify=False) as room:
            client, trader = room.http(), Trader()
            await trader.log_in(client)
            answers = [
                await trader.place(client),
                await trader.place(client, type="MARKET", instruction="GTC"),
                await client.request("GET", "/v1/bbo/BTC-USD-PERP"),
                await trader.ask(client, "GET", "/v1/orders-history?page_size=1"),
            ]
            return [answer.body for answer in answers]

    def run(seed: int) -> list[bytes]:
        return trio.run(story, seed, clock=trio.testing.MockClock(autojump_threshold=0))

    first, again, other = [await trio.to_thread.run_sync(run, seed) for seed in (1, 1, 2)]
    assert first == again
    assert first != other


async def test_processing_takes_its_time(autojump_clock: MockClock) -> None:
    """Every request is answered after the time processing takes; it was received before that."""
    async with stage(processing_ms=40) as room:
        client, trader = room.http(), Trader()
        await client.request("GET", "/v1/system/time")
        assert trio.current_time() == pytest.approx(0.04)
        await trader.log_in(client)
        order = (await trader.place(client)).json()
        assert trio.current_time() == pytest.approx(0.16)
        assert order["created_at"] - order["received_at"] == 40


async def test_retail_orders_meet_the_speed_bump(
    autojump_clock: MockClock, room: Stage, client: HttpClient, trader: Trader
) -> None:
    """An interactive token's orders and cancels reach the engine 300 ms later, and others overtake them."""
    await trader.log_in(client, "?token_usage=interactive")
    order = (await trader.place(client)).json()
    await trio.sleep(0.299)
    assert room.exchange.orders[order["id"]].status == "NEW"
    await trio.sleep(0.002)
    assert room.exchange.orders[order["id"]].status == "OPEN"
    await trader.ask(client, "DELETE", f"/v1/orders/{order['id']}")
    await trio.sleep(0.299)
    assert room.exchange.orders[order["id"]].status == "OPEN"
    await trader.log_in(client)
    pro = (await trader.place(client)).json()
    await trio.testing.wait_all_tasks_blocked()
    assert room.exchange.orders[pro["id"]].status == "OPEN"
    await trio.sleep(0.002)
    assert room.exchange.orders[order["id"]].status == "CLOSED"
