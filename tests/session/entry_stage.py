"""Order entry over a real WebSocket of the virtual network, to a venue that a test speaks for."""

import json
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from itertools import count
from typing import Any

import attrs
import trio
from scripted_venue import EPOCH_NS, Conversation, RecordingTape, Script
from virtual_stage import Stage, stage
from websocket_stage import opened, scripted

from bot.core.errors import RefusedError, StreamClosedError
from bot.core.fixed import parse
from bot.core.order import Instruction, Order, OrderType, Side
from bot.core.tape import Kind
from bot.link.budgets import Budgets
from bot.link.clock import TrioClock
from bot.link.websocket import WebSocket
from bot.paradex import calls
from bot.paradex.answers import CancelQueued, OrderReport
from bot.paradex.calls import Call
from bot.paradex.orders import SignedOrder
from bot.session.entry import OrderEntry
from bot.session.stream import Stream, hear_replies, open_stream

TIMEOUT = 10.0
MARKET = "BTC-USD-PERP"


def order(client_id: str, venue_id: str = "") -> Order:
    return Order(
        client_id=client_id,
        venue_id=venue_id,
        market=MARKET,
        side=Side.BUY,
        type=OrderType.LIMIT,
        instruction=Instruction.GTC,
        size=parse("0.01"),
        price=parse("42000"),
    )


def signed(client_id: str) -> SignedOrder:
    return SignedOrder(
        order=order(client_id), signature='["11","22"]', signature_timestamp=1, recv_window=5000
    )


def create(client_id: str = "a", cause: int = 17) -> Call[OrderReport]:
    return calls.create(signed(client_id), cause=cause)


def cancel(venue_id: str = "v1") -> Call[CancelQueued]:
    return calls.cancel(order("a", venue_id))


def placed(request: Any) -> dict[str, Any]:
    """A reply that says that the order of ``request`` was taken."""
    client_id = request["params"]["client_id"]
    told = {"id": f"v{client_id}", "market": MARKET, "status": "NEW", "client_id": client_id}
    return {"jsonrpc": "2.0", "id": request["id"], "result": {"order": told, "created_at": 1}}


def refusal(request: Any, code: int, message: str = "no", data: str | None = None) -> dict[str, Any]:
    return {"id": request["id"], "error": {"code": code, "message": message, "data": data}}


async def take_all(venue: Conversation) -> None:
    """Take every order that comes."""
    while True:
        await venue.say(placed(await venue.hear()))


@attrs.define(eq=False)
class Hearing:
    """A venue that hears, and says nothing."""

    heard: list[Any] = attrs.field(factory=list)

    async def __call__(self, venue: Conversation) -> None:
        while True:
            self.heard.append(json.loads(await venue.connection.get_message()))


@attrs.define(eq=False, kw_only=True)
class Play:
    """Order entry, and whom it tells."""

    s: Stage
    websocket: WebSocket
    stream: Stream
    entry: OrderEntry
    tape: RecordingTape
    budgets: Budgets
    restrictions: list[float]
    """When it told of one."""

    refusals: list[RefusedError]
    """By which no other call can succeed."""

    @property
    def left(self) -> list[Any]:
        """What the tape has of calls that left."""
        return [data for _, data in self.tape.told(Kind.FRAME_OUT)]

    @property
    def failures(self) -> list[Any]:
        return [data for _, data in self.tape.told(Kind.FAILURE)]


@asynccontextmanager
async def entering(script: Script, *, seconds: float = TIMEOUT, window: int = 2**16) -> AsyncGenerator[Play]:
    """Order entry to a venue that follows ``script``, with a deadline of so many ``seconds``.

    When the connection ends, the stream is lost.
    """
    async with stage(window=window) as s, trio.open_nursery() as nursery:
        await scripted(s, script)
        clock = TrioClock(EPOCH_NS)
        tape, budgets = RecordingTape(clock), Budgets(clock)
        restrictions, refusals = list[float](), list[RefusedError]()
        async with opened(s, tape=tape) as websocket:
            stream = open_stream(websocket)

            async def read() -> None:
                try:
                    await hear_replies(websocket, stream)
                except StreamClosedError:
                    stream.lose()

            nursery.start_soon(read)
            yield Play(
                s=s,
                websocket=websocket,
                stream=stream,
                entry=OrderEntry(
                    stream=stream,
                    budgets=budgets,
                    exchanges=count(1),
                    tape=tape,
                    clock=clock,
                    timeout=seconds,
                    restricted=lambda: restrictions.append(trio.current_time()),
                    not_permitted=refusals.append,
                ),
                tape=tape,
                budgets=budgets,
                restrictions=restrictions,
                refusals=refusals,
            )
            nursery.cancel_scope.cancel()
