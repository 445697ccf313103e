"""Market data over REST: what the parameters do, and which are refused."""

# ruff: noqa: ARG001 - pytest-trio takes its clock from the arguments of a test

from collections.abc import AsyncIterator
from itertools import pairwise
from typing import Any

import pytest
import trio
from exchange_stage import EPOCH, HttpClient, Stage, Trader, stage
from trio.testing import MockClock

BTC = "BTC-USD-PERP"
NOW = EPOCH * 1000
HOUR = 3_600_000


@pytest.fixture
async def room(autojump_clock: MockClock) -> AsyncIterator[Stage]:
    async with stage(activity=10.0) as it:
        yield it


async def get(client: HttpClient, path: str) -> Any:
    reply = await client.request("GET", f"/v1{path}")
    assert reply.status == 200, (path, reply.body)
    return reply.json()


async def test_markets_are_listed_and_narrowed(
    autojump_clock: MockClock, room: Stage, client: HttpClient
) -> None:
    """All three, or those that symbol, base asset and kind leave; an unknown symbol is an error, a filter is not."""
    for query, expected in [
        ("", ["BTC", "ETH", "SOL"]),
        ("?market=ETH-USD-PERP", ["ETH"]),
        ("?base_asset=SOL", ["SOL"]),
        ("?base_asset=DOGE", []),
        ("?asset_kind=PERP", ["BTC", "ETH", "SOL"]),
        ("?asset_kind=OPTION", []),
        ("?market=ETH-USD-PERP&base_asset=BTC", []),
    ]:
        rows = (await get(client, f"/markets{query}"))["results"]
        assert [row["base_currency"] for row in rows] == expected, query
    for query, expected in [("market=ALL", ["BTC", "ETH", "SOL"]), ("market=ALL&base_asset=ETH", ["ETH"])]:
        rows = (await get(client, f"/markets/summary?{query}"))["results"]
        assert [row["symbol"][:3] for row in rows] == expected, query


async def test_a_book_has_its_depth_and_steps(
    autojump_clock: MockClock, room: Stage, client: HttpClient
) -> None:
    """20 levels or as many as asked, best first; with a price tick each is a sum of finer ones, none better."""
    fine = await get(client, f"/orderbook/{BTC}")
    assert (len(fine["bids"]), len(fine["asks"])) == (20, 20)
    assert fine["best_bid_api"] == fine["bids"][0] == fine["best_bid_interactive"]
    for side, sign in (("bids", -1), ("asks", 1)):
        prices = [sign * float(price) for price, _ in fine[side]]
        assert prices == sorted(prices)
    assert float(fine["bids"][0][0]) < float(fine["asks"][0][0])
    assert (await get(client, f"/orderbook/{BTC}?depth=3"))["asks"] == fine["asks"][:3]
    assert await get(client, f"/orderbook/{BTC}/interactive") == fine
    whole = await get(client, f"/orderbook/{BTC}?depth=1000")
    coarse = await get(client, f"/orderbook/{BTC}?depth=1000&price_tick=10")
    assert all(float(price) % 10 == 0 for price, _ in coarse["bids"] + coarse["asks"])
    for side in ("bids", "asks"):
        assert sum(float(size) for _, size in coarse[side]) == pytest.approx(
            sum(float(size) for _, size in whole[side])
        )
    assert float(coarse["bids"][0][0]) <= float(whole["bids"][0][0])
    assert float(coarse["asks"][0][0]) >= float(whole["asks"][0][0])
    bbo = await get(client, f"/bbo/{BTC}")
    assert [[bbo["bid"], bbo["bid_size"]], bbo["seq_no"]] == [fine["bids"][0], fine["seq_no"]]


async def test_an_impact_price_is_what_a_market_order_would_pay(
    autojump_clock: MockClock, room: Stage, client: HttpClient
) -> None:
    """The best price for a little, worse for more, and no answer for more than there is."""
    book = await get(client, f"/orderbook/{BTC}")
    (first, first_size), (second, _) = book["asks"][:2]
    path = f"/orderbook/{BTC}/impact-price?size="
    assert (await get(client, path + first_size))["impact_price"] == first
    more = await get(client, path + str(float(first_size) + 0.00001))
    assert float(first) < float(more["impact_price"]) < float(second)
    assert (await get(client, path + "0.00001&side=SELL"))["impact_price"] == book["bids"][0][0]
    assert (await client.request("GET", f"/v1{path}100000")).status == 400


async def test_trades_are_paged_by_time(autojump_clock: MockClock, room: Stage, client: HttpClient) -> None:
    """Newest first, a page after the other without a gap, within the times asked for."""
    await trio.sleep(10)
    everything = (await get(client, f"/trades?market={BTC}&page_size=1000"))["results"]
    times = [trade["created_at"] for trade in everything]
    assert times == sorted(times, reverse=True)
    assert times[0] > NOW
    paged: list[Any] = []
    query = f"market={BTC}&page_size=7"
    while len(paged) < 30:
        page = await get(client, f"/trades?{query}")
        paged += page["results"]
        query = f"market={BTC}&cursor={page['next']}"
    assert paged == everything[: len(paged)]
    start, end = times[20], times[10]
    within = (await get(client, f"/trades?market={BTC}&start_at={start}&end_at={end}"))["results"]
    assert within == [trade for trade in everything if start <= trade["created_at"] <= end]
    other = await client.request("GET", f"/v1/trades?market=ETH-USD-PERP&cursor={page['next']}")
    assert other.status == 400
    assert (await get(client, "/trades?baseAsset=BTC"))["results"] == []


async def test_klines_of_an_index_are_those_of_the_underlying(
    autojump_clock: MockClock, client: HttpClient
) -> None:
    """ccxt's name of the price does not hinder its users."""
    query = f"/markets/klines?symbol={BTC}&resolution=5&start_at={NOW - HOUR}&end_at={NOW}&price_kind="
    bars = (await get(client, f"{query}index"))["results"]
    assert bars == (await get(client, f"{query}underlying"))["results"] != []


async def test_klines_cover_the_time_asked_for(
    autojump_clock: MockClock, room: Stage, client: HttpClient
) -> None:
    """Bars of the resolution, oldest first, each one after the other, also from before the exchange opened."""
    await trio.sleep(5)
    for minutes in (1, 3, 5, 15, 30, 60):
        for kind in ("last", "mark", "underlying"):
            times = f"start_at={NOW - 3 * HOUR}&end_at={NOW + HOUR}"
            query = f"symbol={BTC}&resolution={minutes}&price_kind={kind}&{times}"
            bars = (await get(client, f"/markets/klines?{query}"))["results"]
            starts = [bar[0] for bar in bars]
            assert all(later - earlier == minutes * 60_000 for earlier, later in pairwise(starts))
            assert NOW - 3 * HOUR <= starts[0] < NOW - 3 * HOUR + minutes * 60_000
            assert starts[-1] <= NOW + 5_000 < starts[-1] + minutes * 60_000
            for _, opened, high, low, close, volume in bars:
                assert low <= min(opened, close) <= max(opened, close) <= high
                assert (volume > 0) <= (kind == "last")


async def test_funding_data_has_a_past(autojump_clock: MockClock, room: Stage, client: HttpClient) -> None:
    """A row a minute, newest first, and what is newer than a page is behind its prev."""
    path = "/funding/data?market=SOL-USD-PERP"
    first = await get(client, f"{path}&page_size=5")
    second = await get(client, f"{path}&cursor={first['next']}")
    times = [row["created_at"] for row in first["results"] + second["results"]]
    assert times == sorted(times, reverse=True)
    assert len(times) == 10
    assert await get(client, f"{path}&cursor={second['prev']}") == first


REFUSED = [
    ("/bbo/DOGE", (404, "MARKET_NOT_FOUND")),
    ("/markets?asset_kind=SHARE", (400, "INVALID_REQUEST_PARAMETER")),
    ("/markets/summary", (400, "INVALID_REQUEST_PARAMETER")),
    ("/markets/summary?market=DOGE", (404, "MARKET_NOT_FOUND")),
    ("/markets/summary?market=ALL&start=now", (400, "INVALID_REQUEST_PARAMETER")),
    (f"/orderbook/{BTC}?depth=0", (400, "INVALID_REQUEST_PARAMETER")),
    (f"/orderbook/{BTC}?depth=-1", (400, "INVALID_REQUEST_PARAMETER")),
    (f"/orderbook/{BTC}?depth=1001", (400, "INVALID_REQUEST_PARAMETER")),
    (f"/orderbook/{BTC}?price_tick=0.05", (400, "INVALID_REQUEST_PARAMETER")),
    (f"/orderbook/{BTC}?price_tick=0", (400, "INVALID_REQUEST_PARAMETER")),
    (f"/orderbook/{BTC}?price_tick=x", (400, "INVALID_REQUEST_PARAMETER")),
    (f"/orderbook/{BTC}/impact-price", (400, "INVALID_REQUEST_PARAMETER")),
    (f"/orderbook/{BTC}/impact-price?size=1&side=UP", (400, "INVALID_REQUEST_PARAMETER")),
    ("/trades", (400, "INVALID_REQUEST_PARAMETER")),
    (f"/trades?market={BTC}&baseAsset=BTC", (400, "INVALID_REQUEST_PARAMETER")),
    (f"/trades?market={BTC}&page_size=1001", (400, "INVALID_REQUEST_PARAMETER")),
    ("/trades?baseAsset=DOGE", (400, "INVALID_REQUEST_PARAMETER")),
    ("/funding/data", (400, "INVALID_REQUEST_PARAMETER")),
    (
        f"/markets/klines?symbol={BTC}&resolution=2&start_at=1&end_at=2",
        (400, "INVALID_REQUEST_PARAMETER"),
    ),
    (f"/markets/klines?symbol={BTC}&start_at=1&end_at=2", (400, "INVALID_REQUEST_PARAMETER")),
    (f"/markets/klines?symbol={BTC}&resolution=1&end_at=2", (400, "INVALID_REQUEST_PARAMETER")),
    (
        f"/markets/klines?symbol={BTC}&resolution=1&start_at=2&end_at=1",
        (400, "INVALID_REQUEST_PARAMETER"),
    ),
    (
        f"/markets/klines?symbol={BTC}&resolution=1&start_at=1&end_at=2&price_kind=fair",
        (400, "INVALID_REQUEST_PARAMETER"),
    ),
    ("/markets/klines?symbol=DOGE&resolution=1&start_at=1&end_at=2", (404, "MARKET_NOT_FOUND")),
    (f"/markets/settlement-price?market={BTC}", (404, "MARKET_NOT_SETTLED")),
]


async def test_bad_parameters_are_refused(autojump_clock: MockClock) -> None:
    """Each mistake has its code, in the venue's form."""
    async with stage() as room:
        client = room.http()
        for path, expected in REFUSED:
            reply = await client.request("GET", f"/v1{path}")
            assert (reply.status, reply.json()["error"]) == expected, path
            assert set(reply.json()) == {"error", "message", "data"}


async def test_switches_change_what_is_undocumented(autojump_clock: MockClock) -> None:
    """server_time, empty_side, unfilled_price and closed_by_id do what they say."""
    switched: dict[str, Any] = {
        "server_time": "number",
        "empty_side": "null",
        "unfilled_price": "zero",
        "closed_by_id": "not-found",
    }
    async with stage(**switched) as room:
        client, trader = room.http(), Trader()
        assert await get(client, "/system/time") == {"server_time": NOW}
        room.exchange.driver.freeze()
        book = room.exchange.engine.books[BTC]
        for order in list(book.bids):
            room.exchange.engine.cancel_now(order)
        assert [(await get(client, f"/bbo/{BTC}"))[name] for name in ("bid", "bid_size")] == [None, None]
        await trader.log_in(client)
        placed = (await trader.place(client)).json()
        assert placed["avg_fill_price"] == "0"
        await trader.ask(client, "DELETE", f"/v1/orders/{placed['id']}")
        await trio.testing.wait_all_tasks_blocked()
        gone = await trader.ask(client, "GET", f"/v1/orders/{placed['id']}")
        assert (gone.status, gone.json()["error"]) == (404, "ORDER_ID_NOT_FOUND")
