"""Faults of updates on private channels: lost, late, doubled, out of order."""

# ruff: noqa: ARG001 - pytest-trio takes its clock from the arguments of a test

from collections.abc import AsyncIterator

import pytest
import trio
from exchange_stage import SocketClient, Stage, Trader
from stream_stage import listening, logged_in, still, trade, updates
from trio.testing import MockClock

from bot.exchange.faults.updates import DelayUpdate, LoseUpdate, RepeatUpdate, SwapUpdate


@pytest.fixture
async def room(autojump_clock: MockClock) -> AsyncIterator[Stage]:
    async with still() as it:
        yield it


@pytest.fixture
async def trader(room: Stage) -> Trader:
    return await logged_in(room)


async def heard(socket: SocketClient) -> list[str]:
    """Client ids and statuses of the updates of orders."""
    return [f"{data['client_id']} {data['status']}" for _, data in await updates(socket)]


async def test_an_update_is_lost(autojump_clock: MockClock, room: Stage, trader: Trader) -> None:
    """Nobody hears that the order is closed, which it is; what came before and comes later is heard."""
    socket = await listening(room, trader, "orders.ALL")
    room.exchange.faults.add(LoseUpdate(client_id="a", status="CLOSED"))
    for client_id in ("a", "b"):
        await trader.place(room.http(), client_id=client_id)
    await trader.ask(room.http(), "DELETE", "/v1/orders")
    assert await heard(socket) == ["a OPEN", "b OPEN", "b CLOSED"]
    assert not room.exchange.resting(trader.address)
    assert room.exchange.faults.struck == {"lose-update": 1}


async def test_an_update_is_late(autojump_clock: MockClock, room: Stage, trader: Trader) -> None:
    """Others overtake it; it says what it said then, to whoever listens by now."""
    first = await listening(room, trader, "orders.ALL")
    room.exchange.faults.add(DelayUpdate(status="OPEN", seconds=2))
    placed = (await trader.place(room.http(), client_id="a")).json()
    await trio.sleep(1)
    await trader.ask(room.http(), "DELETE", f"/v1/orders/{placed['id']}")
    second = await listening(room, trader, "orders.BTC-USD-PERP")
    await trio.sleep(1.1)
    told = [data for _, data in await updates(first)]
    assert [data["status"] for data in told] == ["CLOSED", "OPEN"]
    assert told[0]["seq_no"] > told[1]["seq_no"]
    assert await heard(second) == ["a OPEN"]


async def test_an_update_comes_again(autojump_clock: MockClock, room: Stage, trader: Trader) -> None:
    """The same update, number included, as often as the rule says."""
    socket = await listening(room, trader, "orders.ALL")
    room.exchange.faults.add(RepeatUpdate(copies=2, seconds=1))
    await trader.place(room.http(), client_id="a")
    assert await heard(socket) == ["a OPEN"]
    await trio.sleep(1.1)
    told = await updates(socket)
    assert len(told) == 2
    assert told[0] == told[1]


async def test_updates_change_places(autojump_clock: MockClock, room: Stage, trader: Trader) -> None:
    """One waits until the next of its channel was heard, and is not forgotten when the rule is gone by then."""
    socket = await listening(room, trader, "orders.ALL", "account")
    room.exchange.faults.add(SwapUpdate(client_id="a"))
    await trader.place(room.http(), client_id="a")
    room.exchange.faults.clear()
    assert [channel for channel, _ in await updates(socket)].count("orders.ALL") == 0
    await trader.place(room.http(), client_id="b")
    told = [data["client_id"] for channel, data in await updates(socket) if channel == "orders.ALL"]
    assert told == ["b", "a"]


async def test_each_channel_by_itself(autojump_clock: MockClock, room: Stage, trader: Trader) -> None:
    """Fills are lost, of the market that the rule names, and positions are heard."""
    taker = await logged_in(room, 0xFEDCBA)
    socket = await listening(room, trader, "fills.ALL", "positions")
    room.exchange.faults.add(LoseUpdate(channel="fills", market="ETH-USD-PERP", times=None))
    await trade(room, trader, taker)
    await trade(room, trader, taker, market="ETH-USD-PERP", price="2800", size="0.1")
    told = [(channel, data["market"]) for channel, data in await updates(socket)]
    assert told == [
        ("positions", "BTC-USD-PERP"),
        ("fills.ALL", "BTC-USD-PERP"),
        ("positions", "ETH-USD-PERP"),
    ]
    assert set(room.exchange.positions(trader.address).values()) == {-200_000, -10_000_000}
