"""Faults of updates on private channels: lost, late, doubled, out of order, something else, or the end."""

# ruff: noqa: ARG001 - pytest-trio takes its clock from the arguments of a test

import json
from collections.abc import AsyncIterator
from typing import Any, get_args

import pytest
import trio
from calls_stage import accepted, arm, call_all, creates, recorded_socket
from exchange_stage import SocketClient, Stage, Trader
from stream_stage import listening, logged_in, still, trade, updates
from trio.testing import MockClock

from bot.exchange.faults.garbling import ANOTHER, GATEWAY_PAGE, UpdateHow
from bot.exchange.faults.updates import (
    CutUpdate,
    DelayUpdate,
    GarbleUpdate,
    LoseUpdate,
    RepeatUpdate,
    SwapUpdate,
)


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


@pytest.mark.parametrize(("code", "torn"), [(None, False), (None, True), (1012, False), (1013, False)])
async def test_the_socket_ends_instead(
    autojump_clock: MockClock, room: Stage, trader: Trader, code: int | None, *, torn: bool
) -> None:
    """Between acceptance and update: the reply is heard, the update is not, and who does not listen goes on."""
    socket, other = await listening(room, trader, "orders.ALL"), await listening(room, trader, "account")
    arm(room, CutUpdate(client_id="b", status="OPEN", code=code, torn=torn))
    told = await call_all(socket, creates("a", "b"), wait=10)
    assert [(at, number) for at, number, _ in told.replies()] == [(0.0, 1), (0.0, 2)]
    heard = [frame["params"]["data"]["client_id"] for _, frame in told.frames if "method" in frame]
    assert heard == ["a"]
    assert (told.ended_at, told.code) == (0.0, code or 1006)
    assert accepted(room) == ["a", "b"]
    assert room.exchange.faults.struck == {"cut-update": 1}
    assert (await call_all(other, creates("c"), wait=1)).replies() == [(0.0, 1, "ok")]


async def test_half_of_an_update_leaves(autojump_clock: MockClock, room: Stage, trader: Trader) -> None:
    """The torn frame is the update's own, it announces more than comes, and nothing follows it."""
    socket, stream = await recorded_socket(room)
    await socket.call("auth", {"bearer": trader.token})
    await socket.call("subscribe", {"channel": "orders.ALL"})
    before = len(stream.came)
    arm(room, CutUpdate(torn=True), LoseUpdate(times=None))
    await trader.place(room.http(), client_id="a")
    await trader.place(room.http(), client_id="b")
    await trio.sleep(1)
    torn = bytes(stream.came[before:])
    assert torn[:2] == b"\x81\x7e"
    announced = int.from_bytes(torn[2:4])
    assert len(torn) == pytest.approx((announced + 4) / 2, abs=1)
    assert b'"channel":"orders.ALL"' in torn
    assert torn.count(b"\x81") == 1


@pytest.mark.parametrize("how", get_args(UpdateHow))
async def test_something_else_is_heard(
    autojump_clock: MockClock, room: Stage, trader: Trader, how: UpdateHow
) -> None:
    """Each listener hears it under its own name of the channel; the next update is as ever, and so are the books."""
    socket = SocketClient((await room.websocket(message_queue_size=100, max_message_size=2**30)).socket)
    channels = [("subscribe", {"channel": name}) for name in ("orders.ALL", "orders.BTC-USD-PERP")]
    await call_all(socket, [("auth", {"bearer": trader.token}), *channels], wait=0.1)
    arm(room, GarbleUpdate(client_id="a", how=how))
    await trader.place(room.http(), client_id="a")
    await trader.place(room.http(), client_id="b")
    frames = [frame for _, frame in (await call_all(socket, [], wait=1)).frames]
    [first, _] = room.exchange.orders.values()
    assert len(frames) == 4
    true = [frame["params"] for frame in frames[2:]]
    assert [(said["channel"], said["data"]["client_id"], said["data"]["status"]) for said in true] == [
        ("orders.BTC-USD-PERP", "b", "OPEN"),
        ("orders.ALL", "b", "OPEN"),
    ]
    for frame, beside in zip(frames[:2], true, strict=True):
        is_frame = isinstance(frame, dict) and frame["params"]["channel"] == beside["channel"]
        data: Any = frame["params"]["data"] if is_frame else None
        match how:
            case "text":
                assert frame == GATEWAY_PAGE.decode()
            case "binary":
                assert json.loads(frame)["params"]["data"]["id"] == first.id
            case "nulls":
                assert data == dict.fromkeys(beside["data"])
            case "number":
                assert data["id"] == 10**400
            case "another-order":
                assert (data["id"], data["client_id"], data["status"]) == (ANOTHER, "another", "OPEN")
            case "new-words":
                assert (data["id"], data["status"], data["side"], data["type"]) == (
                    first.id,
                    "HALTED",
                    "BOTH",
                    "PEGGED",
                )
            case "new-members":
                assert (data["id"], data["status"]) == (first.id, "OPEN")
                assert set(data) == {*beside["data"], "new_member", "another_member"}
            case "oversized":
                assert len(data.pop("padding")) > 8_000_000
                assert set(data) == set(beside["data"])
            case _:
                assert not is_frame
    assert [order.status for order in room.exchange.resting(trader.address)] == ["OPEN", "OPEN"]


async def test_updates_of_other_channels_are_struck_too(
    autojump_clock: MockClock, room: Stage, trader: Trader
) -> None:
    """A fill is garbled for who listens to fills, and a position cuts who listens to positions, by their market."""
    taker = await logged_in(room, 0xFEDCBA)
    fills, positions = (
        await listening(room, trader, "fills.ALL"),
        await listening(room, trader, "positions", "account"),
    )
    arm(
        room,
        GarbleUpdate(channel="fills", market="ETH-USD-PERP", how="nulls"),
        CutUpdate(channel="positions", market="ETH-USD-PERP", code=1001),
    )
    await trade(room, trader, taker)
    await trade(room, trader, taker, market="ETH-USD-PERP", price="2800", size="0.1")
    told = await updates(fills)
    assert [data["market"] for _, data in told] == ["BTC-USD-PERP", None]
    assert (await call_all(positions, [], wait=1)).code == 1001
