"""What the channels say, in virtual time: to whom, under which name, when, and what the first message is."""

# ruff: noqa: ARG001 - pytest-trio takes its clock from the arguments of a test

from collections.abc import AsyncIterator

import pytest
import trio
import trio.testing
from exchange_stage import Stage, Trader
from stream_stage import BTC, ETH, SOL, heard, listening, logged_in, order, still, trade, updates
from trio.testing import MockClock

from bot.core.fixed import parse
from bot.exchange.market.events import FundingTicked
from bot.exchange.stream.encode import encode
from bot.exchange.stream.frames import ChannelData
from bot.exchange.stream.topics import Topic


@pytest.fixture
async def room(autojump_clock: MockClock) -> AsyncIterator[Stage]:
    async with still() as it:
        yield it


@pytest.fixture
async def trader(room: Stage) -> Trader:
    return await logged_in(room)


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
                *("funding_rate_comparison.ALL@500ms", "funding_rate_comparison.ALL@1000ms"),
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


async def test_a_socket_speaks_for_one_account(
    autojump_clock: MockClock, room: Stage, trader: Trader
) -> None:
    """Who authenticates again with a token of the same account stays; another account's token is refused."""
    other = await logged_in(room, 77)
    socket = await listening(room, trader, "orders.ALL")
    assert (await socket.call("auth", {"bearer": other.token}))["error"]["code"] == -32600
    assert "result" in await socket.call("auth", {"bearer": trader.token})
    await other.place(room.http())
    await trader.place(room.http())
    assert [data["account"] for _, data in await updates(socket)] == [hex(trader.address)]


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


async def test_a_frame_is_encoded_once_for_all_who_get_it(autojump_clock: MockClock, room: Stage) -> None:
    """Sockets that subscribed by one name share the frame, and other names the payload in theirs."""
    exchange = room.exchange
    sessions = [exchange.open_session() for _ in range(3)]
    names = ["funding_data", "funding_data", "funding_data.ALL"]
    for session, name in zip(sessions, names, strict=True):
        exchange.feeds.join(Topic("funding_data", "ALL"), name, session)
    exchange.bus.emit(FundingTicked(BTC))
    await trio.testing.wait_all_tasks_blocked()
    first, second, third = (session.outbox.receive_nowait() for session in sessions)
    assert isinstance(first, ChannelData)
    assert isinstance(second, ChannelData)
    assert encode(first) is encode(second)
    assert isinstance(third, ChannelData)
    assert encode(third) != encode(first)
    assert third.payload.json is first.payload.json


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
