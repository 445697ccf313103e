"""The book channels, in virtual time: what they begin with, their pace and levels (deltas: a file of their own)."""

# ruff: noqa: ARG001 - pytest-trio takes its clock from the arguments of a test

from collections.abc import AsyncIterator
from typing import Any

import pytest
import trio
import trio.testing
from exchange_stage import Stage, Trader
from stream_stage import BTC, listening, logged_in, still, updates
from trio.testing import MockClock

from bot.core.fixed import parse


@pytest.fixture
async def room(autojump_clock: MockClock) -> AsyncIterator[Stage]:
    async with still() as it:
        yield it


@pytest.fixture
async def trader(room: Stage) -> Trader:
    return await logged_in(room)


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


async def test_a_new_subscription_keeps_its_pace_too(
    autojump_clock: MockClock, room: Stage, trader: Trader
) -> None:
    """What was due for a subscription that was given up is not told to the next one."""
    client = room.http()
    channel = {"channel": f"order_book.{BTC}.snapshot@15@100ms"}
    socket = await listening(room, None, channel["channel"])
    await trader.place(client)
    await trader.place(client)
    await trio.sleep(0.02)
    await socket.call("unsubscribe", channel)
    await socket.call("subscribe", channel)
    await trader.place(client)
    await updates(socket)
    await trader.place(client)
    await trio.sleep(0.09)
    assert not await updates(socket)
    await trio.sleep(0.01)
    assert len(await updates(socket)) == 1


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
