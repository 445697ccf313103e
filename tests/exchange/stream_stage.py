"""A stage for tests of the stream: sockets that hear updates, and traders without the cost of signatures."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import trio
import trio.testing
from exchange_stage import SocketClient, Stage, StageClock, Trader, stage

BTC, ETH, SOL = "BTC-USD-PERP", "ETH-USD-PERP", "SOL-USD-PERP"
ANY_SIGNATURE = '["1","2"]'

Frame = dict[str, Any]


@asynccontextmanager
async def still(**settings: Any) -> AsyncIterator[Stage]:
    """An exchange whose market stands still, and which takes any signature."""
    async with stage(verify=False, **{"activity": 0, **settings}) as room:
        yield room


async def logged_in(room: Stage, key: int = 0x1234567890ABCDEF1234567890ABCDEF) -> Trader:
    trader = Trader(key)
    await trader.log_in(room.http())
    return trader


async def listening(room: Stage, trader: Trader | None, *channels: str) -> SocketClient:
    """A socket that speaks for a trader, if one is given, and subscribed to these channels."""
    socket = await room.websocket(message_queue_size=1000)
    if trader is not None:
        assert "result" in await socket.call("auth", {"bearer": trader.token})
    for channel in channels:
        await socket.send("subscribe", {"channel": channel})
    for frame in await heard(socket):
        assert "error" not in frame, frame
    return socket


async def heard(socket: SocketClient) -> list[Frame]:
    """All frames that came, in order, once everything that happens now has happened."""
    frames: list[Frame] = []
    while True:
        with trio.move_on_after(0.001) as waiting:
            frames.append(await socket.receive())
        if waiting.cancelled_caught:
            return frames


async def updates(socket: SocketClient) -> list[tuple[str, Frame]]:
    """The channels and data of all updates that came."""
    return [
        (frame["params"]["channel"], frame["params"]["data"])
        for frame in await heard(socket)
        if frame.get("method") == "subscription"
    ]


def order(**changes: Any) -> dict[str, Any]:
    """A far POST_ONLY bid for BTC, or what the changes make of it; its signature is nobody's."""
    return {
        "market": BTC,
        "side": "BUY",
        "type": "LIMIT",
        "size": "0.001",
        "price": "84000",
        "instruction": "POST_ONLY",
        "signature": ANY_SIGNATURE,
        "signature_timestamp": StageClock().wall_ns() // 10**6,
        **changes,
    }


async def trade(room: Stage, maker: Trader, taker: Trader, **changes: Any) -> None:
    """A match of 0.002 BTC between two traders, inside the spread, or of what the changes say."""
    await maker.place(room.http(), **{"side": "SELL", "price": "84999.9", "size": "0.003", **changes})
    await trio.testing.wait_all_tasks_blocked()
    await taker.place(room.http(), **{"instruction": "GTC", "price": "84999.9", "size": "0.002", **changes})
    await trio.testing.wait_all_tasks_blocked()


async def create(socket: SocketClient, **changes: Any) -> dict[str, Any]:
    reply = await socket.call("order.create", order(**changes))
    created: dict[str, Any] = reply["result"]["order"]
    await trio.testing.wait_all_tasks_blocked()
    return created
