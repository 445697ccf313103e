"""What the channels say, in virtual time: to whom, under which name, when, and what the first message is."""

# ruff: noqa: ARG001 - pytest-trio takes its clock from the arguments of a test

from collections.abc import AsyncIterator
from typing import Any

import pytest
import trio
import trio.testing
from exchange_stage import Stage, Trader
from stream_stage import BTC, ETH, SOL, heard, listening, logged_in, order, still, updates
from trio.testing import MockClock

from bot.core.fixed import parse
from bot.exchange.market.events import FundingTicked, PriceMoved


@pytest.fixture
async def room(autojump_clock: MockClock) -> AsyncIterator[Stage]:
    async with still() as it:
        yield it


@pytest.fixture
async def trader(room: Stage) -> Trader:
    return await logged_in(room)


async def trade(room: Stage, maker: Trader, taker: Trader, **changes: Any) -> None:
    """A match of 0.002 BTC between two traders, inside the spread, or of what the changes say."""
    await maker.place(room.http(), **{"side": "SELL", "price": "84999.9", "size": "0.003", **changes})
    await trio.testing.wait_all_tasks_blocked()
    await taker.place(room.http(), **{"instruction": "GTC", "price": "84999.9", "size": "0.002", **changes})
    await trio.testing.wait_all_tasks_blocked()


@pytest.mark.parametrize(
    ("accepted", "channels"),
    [
        (
            True,
            [
                *(f"bbo.{market}" for market in (BTC, "ALL", f"{ETH}.interactive")),
                *(f"trades.{market}" for market in (BTC, "ALL")),
                *("markets", f"markets.{BTC}", "markets.ALL"),
                *("markets_summary", f"markets_summary.{BTC}", "markets_summary.ALL"),
                *("funding_data", f"funding_data.{BTC}", "funding_data.ALL"),
                *(f"order_book.{BTC}.{feed}" for feed in ("deltas", "interactive_deltas")),
                *(
                    f"order_book.{BTC}.snapshot@15@{rate}"
                    for rate in ("50ms", "100ms", "100ms@0_1", "50ms@100")
                ),
                *(f"order_book.{BTC}.interactive@15@{rate}" for rate in ("100ms", "200ms", "400ms@1")),
                *("account", "positions", "balance_events", "tradebusts", "transfers", "transaction"),
                *(f"{family}.{BTC}" for family in ("orders", "fills", "funding_payments")),
                *(f"{family}.ALL" for family in ("orders", "fills", "funding_payments")),
                *("rfq", "block_trades", "mmp"),
            ],
        ),
        (
            False,
            [
                *(
                    "bbo",
                    "bbo.DOGE",
                    "bbo.",
                    "trades",
                    "trades.BTC",
                    f"trades.{BTC}.interactive",
                    "bbo.ALL.x",
                ),
                *("markets.DOGE", "markets_summary.", "markets_summary.DOGE", "funding_data.DOGE"),
                *("order_book", f"order_book.{BTC}", f"order_book.{BTC}.", "order_book.ALL.deltas"),
                *(f"order_book.{BTC}.{feed}" for feed in ("snapshot", "interactive", "snapshots", "Deltas")),
                *(f"order_book.{BTC}.deltas@15@{rate}" for rate in ("50ms", "100ms", "100ms@0_1")),
                *(
                    f"order_book.{BTC}.snapshot@{how}"
                    for how in ("15", "20@100ms", "15@200ms", "15@100", "@")
                ),
                *(f"order_book.{BTC}.snapshot@15@100ms@{tick}" for tick in ("0_01", "0.1", "", "5", "1@1")),
                f"order_book.{BTC}.interactive@15@50ms",
                *(
                    "orders",
                    "orders.DOGE",
                    "fills",
                    "account.ALL",
                    "positions.ALL",
                    "funding_rate_comparison.ALL",
                ),
                *("nonsense", ".", "x" * 1000, "orders.ALL.", "order_book.DOGE.deltas"),
            ],
        ),
    ],
)
async def test_names_mean_something_or_are_refused(
    autojump_clock: MockClock,
    room: Stage,
    trader: Trader,
    *,
    accepted: bool,
    channels: list[str],
) -> None:
    """Every channel there is can be had once, told back as named; everything else is -32600 and changes nothing."""
    socket = await room.websocket(message_queue_size=1000)
    await socket.call("auth", {"bearer": trader.token})
    for channel in channels:
        await socket.send("subscribe", {"channel": channel}, channel)
    replies = {frame["id"]: frame for frame in await heard(socket) if "id" in frame}
    assert set(replies) == set(channels)
    for channel, reply in replies.items():
        if accepted:
            assert reply["result"] == {"channel": channel}
        else:
            assert reply["error"]["code"] == -32600, channel
    [session] = room.exchange.feeds.sessions
    assert set(session.subscriptions) == (set(channels) if accepted else set())


async def test_private_channels_need_authentication(autojump_clock: MockClock, room: Stage) -> None:
    """40300 without auth, for each of them; public ones are open to all."""
    socket = await listening(room, None, f"bbo.{BTC}", f"order_book.{BTC}.deltas", "markets_summary")
    for channel in ("orders.ALL", f"fills.{BTC}", "account", "positions", "tradebusts", "transfers", "mmp"):
        await socket.send("subscribe", {"channel": channel})
    assert {frame["error"]["code"] for frame in await heard(socket)} == {40300}


async def test_deltas_with_parameters_are_another_name_if_wished(autojump_clock: MockClock) -> None:
    """Served, ``deltas@15@50ms`` says what ``deltas`` says; a form that is none stays refused."""
    async with still(deltas_with_parameters="served") as room:
        socket = await listening(room, None, f"order_book.{BTC}.deltas@15@50ms", f"order_book.{BTC}.deltas")
        reply = await socket.call("subscribe", {"channel": f"order_book.{BTC}.deltas@15"})
        assert reply["error"]["code"] == -32600
        trader = await logged_in(room)
        await trader.place(room.http())
        (named, first), (bare, second) = await updates(socket)
        assert (named, bare) == (f"order_book.{BTC}.deltas@15@50ms", f"order_book.{BTC}.deltas")
        assert first == second


async def test_a_match_is_told_to_its_accounts_in_all_their_channels(
    autojump_clock: MockClock, room: Stage, trader: Trader
) -> None:
    """Each side hears of its own order, fill, position, balance and account, in that sense, and of nobody else's."""
    maker, taker = trader, await logged_in(room, 77)
    channels = ("orders.ALL", f"fills.{BTC}", "fills.ALL", "positions", "balance_events", "account")
    sockets = {who: await listening(room, who, *channels) for who in (maker, taker)}
    await trade(room, maker, taker)
    fills = {}
    for who, socket in sockets.items():
        said = await updates(socket)
        names = [channel for channel, _ in said]
        assert names.count("fills.ALL") == names.count(f"fills.{BTC}") == 1
        assert {"positions", "balance_events", "account"} <= set(names)
        assert {data["account"] for _, data in said if "account" in data} == {hex(who.address)}
        by_name = dict(said)
        assert by_name["fills.ALL"] == by_name[f"fills.{BTC}"]
        fills[who] = by_name["fills.ALL"]
        assert by_name["balance_events"]["fill_id"] == fills[who]["id"]
        assert by_name["positions"]["last_fill_id"] == fills[who]["id"]
        numbers = [data["seq_no"] for name, data in said if name in {"orders.ALL", "positions", "account"}]
        assert numbers == sorted(set(numbers))
    assert [fills[who]["side"] for who in (maker, taker)] == ["SELL", "BUY"]
    assert [fills[who]["liquidity"] for who in (maker, taker)] == ["MAKER", "TAKER"]
    assert dict(await updates(await listening(room, maker, "positions"))) == {}


async def test_trades_and_best_prices_carry_the_number_of_their_step(
    autojump_clock: MockClock, room: Stage, trader: Trader
) -> None:
    """A trade names the taker's side; the best price is told when it changes, under every name, and not otherwise."""
    taker = await logged_in(room, 77)
    names = [f"trades.{BTC}", "trades.ALL", f"bbo.{BTC}", "bbo.ALL", f"bbo.{BTC}.interactive", f"bbo.{ETH}"]
    socket = await listening(room, None, *names)
    await trader.place(room.http())
    assert await updates(socket) == []
    await trade(room, trader, taker)
    said = await updates(socket)
    bbo = [data for name, data in said if name == f"bbo.{BTC}"]
    assert [(data["ask"], data["ask_size"]) for data in bbo] == [("84999.9", "0.003"), ("84999.9", "0.001")]
    for name in ("bbo.ALL", f"bbo.{BTC}.interactive"):
        assert [data for channel, data in said if channel == name] == bbo
    [made] = [data for name, data in said if name == f"trades.{BTC}"]
    assert [data for name, data in said if name == "trades.ALL"] == [made]
    assert (made["market"], made["side"], made["trade_type"]) == (BTC, "BUY", "FILL")
    assert (made["price"], made["size"]) == ("84999.9", "0.002")
    assert {name for name, _ in said} == set(names) - {f"bbo.{ETH}"}


async def test_a_best_price_that_nobody_heard_of_is_forgotten(
    autojump_clock: MockClock, room: Stage, trader: Trader
) -> None:
    """Who listens again after it changed is told of changes from then on, not of the one in between."""
    socket = await listening(room, None, f"bbo.{BTC}")
    await socket.call("unsubscribe", {"channel": f"bbo.{BTC}"})
    await trader.place(room.http(), side="SELL", price="84999.9")
    await trio.testing.wait_all_tasks_blocked()
    await socket.call("subscribe", {"channel": f"bbo.{BTC}"})
    await trader.place(room.http())
    assert await updates(socket) == []


async def test_snapshots_keep_their_pace(autojump_clock: MockClock, room: Stage, trader: Trader) -> None:
    """The book comes at once, whole; changes come at most every 100 ms, the first of a quiet book without delay."""
    client = room.http()
    name = f"order_book.{BTC}.snapshot@15@100ms"
    socket = await room.websocket(message_queue_size=1000)
    await socket.send("subscribe", {"channel": name})
    assert (await socket.receive())["result"] == {"channel": name}
    first = (await socket.receive())["params"]
    assert (first["channel"], first["data"]["update_type"]) == (name, "s")
    await trio.sleep(1)
    started = trio.current_time()
    arrivals: list[tuple[float, Any]] = []

    async def note() -> None:
        while True:
            data = (await socket.receive())["params"]["data"]
            arrivals.append((round(trio.current_time() - started, 6), data["seq_no"]))

    async with trio.open_nursery() as nursery:
        nursery.start_soon(note)
        for _ in range(5):
            await trader.place(client)
            await trio.sleep(0.03)
        await trio.sleep(1)
        nursery.cancel_scope.cancel()
    assert [at for at, _ in arrivals] == [0, 0.1, 0.2]
    assert arrivals[-1][1] == room.exchange.engine.books[BTC].seq_no


async def test_a_snapshot_has_fifteen_levels_of_each_side(
    autojump_clock: MockClock, room: Stage, trader: Trader
) -> None:
    """In ``inserts``, best first; best prices are objects, in both kinds, and grouping never betters a price."""
    client = room.http()
    for step in range(20):
        await trader.place(client, price=f"84{500 - step}.3")
        await trader.place(client, side="SELL", price=f"85{500 + step}.3")
    plain, grouped = f"order_book.{BTC}.snapshot@15@100ms", f"order_book.{BTC}.snapshot@15@100ms@10"
    socket = await room.websocket(message_queue_size=10)
    said = {}
    for name in (plain, grouped):
        await socket.call("subscribe", {"channel": name})
        said[name] = (await socket.receive())["params"]["data"]
    book = room.exchange.engine.books[BTC]
    for data in said.values():
        assert (data["market"], data["seq_no"], data["updates"], data["deletes"]) == (
            BTC,
            book.seq_no,
            [],
            [],
        )
        top = book.bids.best_level()
        assert top is not None
        assert parse(data["best_bid_api"]["price"]) == top.price
        assert data["best_bid_interactive"] == data["best_bid_api"]
        assert data["best_ask_api"]["side"] == "SELL"
        bids = [parse(row["price"]) for row in data["inserts"] if row["side"] == "BUY"]
        asks = [parse(row["price"]) for row in data["inserts"] if row["side"] == "SELL"]
        assert (bids, asks) == (sorted(bids, reverse=True), sorted(asks))
    plain_bids = [row for row in said[plain]["inserts"] if row["side"] == "BUY"]
    assert len(plain_bids) == 15
    for row in said[grouped]["inserts"]:
        assert parse(row["price"]) % parse("10") == 0
    assert {row["price"] for row in said[grouped]["inserts"]} >= {"84490", "85510"}


async def test_scoped_summaries_follow_their_markets(autojump_clock: MockClock, room: Stage) -> None:
    """A list of markets, perhaps empty, is changed in place; what was added and removed is told back."""
    emit = room.exchange.bus.emit
    socket = await room.websocket(message_queue_size=100)
    reply = await socket.call("subscribe", {"channel": "markets_summary", "markets": []})
    assert reply["result"] == {"channel": "markets_summary"}
    change = {"channel": "markets_summary", "add": [BTC, ETH, BTC]}
    reply = await socket.call("modify_subscription", change)
    assert reply["result"] == {"channel": "markets_summary", "add": [BTC, ETH], "remove": []}
    for market in (BTC, ETH, SOL):
        emit(PriceMoved(market))
    assert [(name, data["symbol"]) for name, data in await updates(socket)] == [
        ("markets_summary", BTC),
        ("markets_summary", ETH),
    ]
    change = {"channel": "markets_summary", "add": [ETH, SOL], "remove": [BTC]}
    reply = await socket.call("modify_subscription", change)
    assert reply["result"] == {"channel": "markets_summary", "add": [SOL], "remove": [BTC]}
    for market in (BTC, ETH, SOL):
        emit(PriceMoved(market))
    assert [data["symbol"] for _, data in await updates(socket)] == [ETH, SOL]
    assert "result" in await socket.call("unsubscribe", {"channel": "markets_summary"})
    emit(PriceMoved(ETH))
    assert await updates(socket) == []
    assert not room.exchange.feeds._index._names


@pytest.mark.parametrize(
    ("method", "params", "code"),
    [
        ("subscribe", {"channel": "markets_summary", "markets": "BTC-USD-PERP"}, -32602),
        ("subscribe", {"channel": "markets_summary", "markets": [7]}, -32602),
        ("subscribe", {"channel": "markets_summary", "markets": ["DOGE"]}, -32600),
        ("subscribe", {"channel": "markets_summary", "markets": ["ALL"]}, -32600),
        ("subscribe", {"channel": "markets_summary.ALL", "markets": []}, -32602),
        ("subscribe", {"channel": "trades", "base_asset": "DOGE"}, -32600),
        ("subscribe", {"channel": "orders.ALL", "base_asset": "BTC"}, -32602),
        ("modify_subscription", {"channel": "markets_summary"}, -32600),
        ("modify_subscription", {"channel": "funding_data", "add": [ETH]}, -32600),
        ("modify_subscription", {"channel": "trades.ALL", "add": []}, -32600),
        ("modify_subscription", {"add": []}, -32602),
    ],
)
async def test_what_cannot_be_scoped_is_refused(
    autojump_clock: MockClock, room: Stage, method: str, params: dict[str, Any], code: int
) -> None:
    """Lists of markets belong to ``markets_summary`` alone, base assets to ``bbo`` and ``trades``."""
    socket = await listening(room, None, "funding_data")
    assert (await socket.call(method, params))["error"]["code"] == code


async def test_a_modification_that_is_refused_changes_nothing(autojump_clock: MockClock, room: Stage) -> None:
    """An unknown market, or one both added and removed, leaves the subscription as it was."""
    socket = await room.websocket(message_queue_size=100)
    await socket.call("subscribe", {"channel": "markets_summary", "markets": [BTC]})
    for change in ({"add": [ETH, "DOGE"]}, {"add": [ETH], "remove": [ETH]}, {"add": 7}, {"remove": [None]}):
        assert "error" in await socket.call("modify_subscription", {"channel": "markets_summary", **change})
    for market in (BTC, ETH):
        room.exchange.bus.emit(PriceMoved(market))
    assert [data["symbol"] for _, data in await updates(socket)] == [BTC]


async def test_bare_names_speak_for_all_markets(autojump_clock: MockClock, room: Stage) -> None:
    """Summaries and funding come under the bare name as they come under ``.ALL`` (section 10, items 2 and 15)."""
    names = [f"{family}{suffix}" for family in ("markets_summary", "funding_data") for suffix in ("", ".ALL")]
    socket = await listening(room, None, *names, f"funding_data.{ETH}", f"markets_summary.{ETH}")
    for market in (BTC, ETH):
        room.exchange.bus.emit(PriceMoved(market))
        room.exchange.bus.emit(FundingTicked(market))
    said = await updates(socket)
    for name in names:
        key = "symbol" if name.startswith("markets_summary") else "market"
        assert [data[key] for channel, data in said if channel == name] == [BTC, ETH]
    assert len(said) == 10


async def test_options_of_an_asset_are_none(autojump_clock: MockClock, room: Stage, trader: Trader) -> None:
    """``bbo`` and ``trades`` by base asset are about options: the subscription counts, and stays silent."""
    socket = await room.websocket(message_queue_size=100)
    reply = await socket.call("subscribe", {"channel": "trades", "base_asset": "BTC"})
    assert reply["result"] == {"channel": "trades"}
    await trade(room, trader, await logged_in(room, 77))
    assert await updates(socket) == []
    assert "result" in await socket.call("unsubscribe", {"channel": "trades"})


async def test_subscriptions_begin_with_what_there_is_if_wished(autojump_clock: MockClock) -> None:
    """``sent``: live orders, open positions, the account, best prices, summaries and funding come after the reply."""
    async with still(snapshots="sent") as room:
        trader, other = await logged_in(room), await logged_in(room, 77)
        await trade(room, trader, other)
        for maker, taker in [(trader, other), (other, trader)]:
            await trade(room, maker, taker, market=ETH, price="2800", size="0.01")
        closed = room.exchange.clearing.position_report(trader.address, ETH)
        assert (closed.size, bool(closed.last_fill_id)) == (0, True)
        for channel, count in [
            ("orders.ALL", 1),
            (f"orders.{BTC}", 1),
            (f"orders.{ETH}", 0),
            ("positions", 1),
            ("account", 1),
            ("fills.ALL", 0),
            (f"bbo.{BTC}", 1),
            ("bbo.ALL", 3),
            ("markets_summary", 3),
            (f"funding_data.{SOL}", 1),
            ("trades.ALL", 0),
            ("markets", 0),
        ]:
            socket = await room.websocket(message_queue_size=100)
            await socket.call("auth", {"bearer": trader.token})
            await socket.send("subscribe", {"channel": channel})
            reply, *said = await heard(socket)
            assert reply["result"] == {"channel": channel}
            assert [frame["params"]["channel"] for frame in said] == [channel] * count


async def test_subscriptions_are_silent_until_something_happens(
    autojump_clock: MockClock, room: Stage, trader: Trader
) -> None:
    """By default only books begin with what there is."""
    await trade(room, trader, await logged_in(room, 77))
    names = ["orders.ALL", "positions", "account", "bbo.ALL", "markets_summary", "funding_data", "trades.ALL"]
    socket = await listening(room, trader)
    for name in names:
        await socket.send("subscribe", {"channel": name}, name)
    assert [frame["id"] for frame in await heard(socket)] == names


@pytest.mark.parametrize(("setting", "statuses"), [("silent", ["OPEN"]), ("published", ["NEW", "OPEN"])])
async def test_acceptance_is_published_if_wished(
    autojump_clock: MockClock, setting: str, statuses: list[str]
) -> None:
    """NEW stays in the reply, or comes on the channel as well."""
    async with still(new_orders=setting) as room:
        trader = await logged_in(room)
        socket = await listening(room, trader, "orders.ALL")
        await trader.place(room.http())
        assert [data["status"] for _, data in await updates(socket)] == statuses


@pytest.mark.parametrize(("setting", "price"), [("empty", ""), ("zero", "0")])
async def test_an_unfilled_order_has_its_price(autojump_clock: MockClock, setting: str, price: str) -> None:
    """The average price of what has no fills is empty, or zero, in results and on channels."""
    async with still(unfilled_price=setting) as room:
        socket = await listening(room, await logged_in(room), "orders.ALL")
        await socket.send("order.create", order())
        reply, update = await heard(socket)
        assert reply["result"]["order"]["avg_fill_price"] == price
        assert update["params"]["data"]["avg_fill_price"] == price


async def test_a_deposit_is_told(autojump_clock: MockClock, room: Stage, trader: Trader) -> None:
    """Money that comes in is a transfer, and changes the account."""
    socket = await listening(room, trader, "transfers", "account")
    room.exchange.clearing.deposit(trader.address, parse("7"))
    (first, transfer), (second, account) = await updates(socket)
    assert (first, transfer["amount"], transfer["kind"]) == ("transfers", "7", "DEPOSIT")
    assert (second, account["total_collateral"]) == ("account", "100007")


@pytest.mark.parametrize(("setting", "empty"), [("empty", ""), ("null", None)])
async def test_an_empty_side_has_its_form(autojump_clock: MockClock, setting: str, empty: str | None) -> None:
    """Price and size of a side without orders are empty texts, or null; a book's best prices stay objects."""
    async with still(empty_side=setting, snapshots="sent") as room:
        book = room.exchange.engine.books[BTC]
        for resting in list(book.bids):
            book.remove(resting)
        socket = await room.websocket(message_queue_size=100)
        await socket.call("subscribe", {"channel": f"bbo.{BTC}"})
        data = (await socket.receive())["params"]["data"]
        assert (data["bid"], data["bid_size"]) == (empty, empty)
        assert data["ask"]
        await socket.call("subscribe", {"channel": f"order_book.{BTC}.deltas"})
        data = (await socket.receive())["params"]["data"]
        assert data["best_bid_api"] == {"side": "BUY", "price": "", "size": ""}


async def test_nothing_is_rendered_for_nobody(autojump_clock: MockClock, room: Stage, trader: Trader) -> None:
    """Without a listener no update takes a number; with several, one rendering serves all of them."""
    sequence = room.exchange.stamps.stream_seq
    await trader.place(room.http())
    assert sequence._last == 0
    sockets = [await listening(room, trader, "orders.ALL", f"orders.{BTC}") for _ in range(2)]
    await trader.place(room.http())
    said = [data for socket in sockets for _, data in await updates(socket)]
    assert len(said) == 4
    assert all(data == said[0] for data in said)
    assert sequence._last == said[0]["seq_no"]


async def test_a_closed_socket_leaves_nothing_behind(
    autojump_clock: MockClock, room: Stage, trader: Trader
) -> None:
    """Whatever it subscribed to, nobody works for it any more."""
    names = [
        "orders.ALL",
        "account",
        f"order_book.{BTC}.deltas",
        f"order_book.{BTC}.snapshot@15@50ms",
        "bbo.ALL",
    ]
    socket = await listening(room, trader, *names)
    feeds = room.exchange.feeds
    assert feeds._index._names
    await socket.socket.aclose()
    await trio.testing.wait_all_tasks_blocked()
    assert not feeds._index._names
    assert not feeds._books._known
    assert not any(feeds._books._paces.values())
    await trader.place(room.http())
    assert not feeds.sessions
