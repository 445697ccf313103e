"""Generations of the WebSocket, over a virtual network, and the venue that they talk to."""

from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from math import inf
from typing import Any, TypeVar

import attrs
import pytest
import trio
from scripted_venue import (
    EPOCH_NS,
    WS_URL,
    Conversation,
    RecordingTape,
    Script,
    ScriptedRest,
    ScriptedSockets,
    answer,
    open_pool,
    serve_tls,
)
from session_stage import Readiness
from virtual_stage import RTT, Stage, stage

from bot.core.errors import BotError, RefusedError, leaves
from bot.link.clock import TrioClock, VenueClock
from bot.link.http import HttpSettings
from bot.link.websocket import StreamSettings
from bot.paradex.answers import OrderReport
from bot.session.capabilities import Session, Token, TokenKeeper, open_authed_rest
from bot.session.entry import OrderEntry
from bot.session.generation import Generations
from bot.session.inbox import Item, OrderReported, Snapshot
from bot.session.snapshot import Snapshots
from bot.session.stream import Stream
from bot.simulation.rehearsal import contexts

BTC, ETH = "BTC-USD-PERP", "ETH-USD-PERP"
OPEN = 3 * RTT
ESTABLISHED = OPEN + 3 * RTT
"""Open, then auth, and the subscriptions to orders and fills of one market."""

COLD_SNAPSHOT = (3 + 3 + 1 + 1) * RTT
"""Four requests, the first two over connections that have to be opened."""

READY = ESTABLISHED + COLD_SNAPSHOT


def order(number: int, status: str = "OPEN") -> dict[str, Any]:
    return {"id": str(number), "market": BTC, "status": status}


def update(number: int, status: str = "OPEN") -> dict[str, Any]:
    params = {"channel": f"orders.{BTC}", "data": order(number, status)}
    return {"jsonrpc": "2.0", "method": "subscription", "params": params}


def report(number: int) -> OrderReport:
    return OrderReport(id=str(number), market=BTC, status="OPEN")


def reported(number: int, at: float, *, generation: int = 1) -> OrderReported:
    """``at``: when its frame came."""
    return OrderReported(generation, report(number), round(at * 1e9))


def taken(requested_at: float, first: int = 1, open_orders: tuple[OrderReport, ...] = ()) -> Snapshot:
    """A snapshot whose answers are numbered from ``first`` on."""
    return Snapshot(
        requested_ns=round(requested_at * 1e9),
        open_orders=open_orders,
        history=(),
        fills=(),
        positions=(),
        exchanges=((first,), (first + 1,), (first + 2,), (first + 3,)),
    )


async def establish(venue: Conversation) -> None:
    """Agree to auth and to both subscriptions of one market."""
    for _ in range(3):
        await venue.agree()


async def live(venue: Conversation) -> None:
    await establish(venue)
    await trio.sleep_forever()


@attrs.define(eq=False, kw_only=True)
class Play:
    """A bot's generations and the venue that they talk to."""

    s: Stage
    generations: Generations
    rest: ScriptedRest
    sockets: ScriptedSockets
    keeper: TokenKeeper
    items: list[tuple[float, Item]]
    """What came into the ordered stream, and when."""
    tape: RecordingTape
    readiness: Readiness[Session] = attrs.field(factory=Readiness)

    async def run(self) -> None:
        """One generation, on the bot's host."""
        await self.generations.run(self.readiness)

    @property
    def kinds(self) -> list[type[Item]]:
        return [type(item) for _, item in self.items]


@asynccontextmanager
async def playing(
    script: Script,
    *,
    markets: tuple[str, ...] = (BTC,),
    settings: StreamSettings | None = None,
    cancel_on_disconnect: bool = False,
    takes_orders: bool = False,
) -> AsyncGenerator[Play]:
    """``takes_orders``: over the WebSocket, too."""
    async with stage() as s:
        rest, sockets = ScriptedRest(answer(b'{"results": []}')), ScriptedSockets(script)
        await serve_tls(s, rest.serve)
        await serve_tls(s, sockets.serve, 8443)
        items: list[tuple[float, Item]] = []

        def inbox(item: Item) -> None:
            items.append((trio.current_time(), item))

        keeper = TokenKeeper(Token("eyJtoken", inf, 300))
        clock = TrioClock(EPOCH_NS)
        tape = RecordingTape(clock)
        async with open_pool(s, HttpSettings(connections=2), tape=tape) as http:
            authed = open_authed_rest(http, keeper)

            def enter(stream: Stream, not_permitted: Callable[[RefusedError], None]) -> OrderEntry | None:
                if not takes_orders:
                    return None
                return OrderEntry(
                    stream=stream,
                    budgets=http.budgets,
                    exchanges=http.exchanges,
                    tape=tape,
                    clock=clock,
                    timeout=10,
                    restricted=http.restricted,
                    not_permitted=not_permitted,
                )

            generations = Generations(
                url=WS_URL,
                tls=contexts()[1],
                settings=settings or StreamSettings(),
                markets=markets,
                authed=authed,
                snapshots=Snapshots(authed, clock, VenueClock(clock), since_ms=0),
                inbox=inbox,
                clock=clock,
                tape=tape,
                cancel_on_disconnect=cancel_on_disconnect,
                enter=enter,
                known=trio.lowlevel.checkpoint,
                wanted_ns=clock.monotonic_ns(),
            )
            yield Play(
                s=s,
                generations=generations,
                rest=rest,
                sockets=sockets,
                keeper=keeper,
                items=items,
                tape=tape,
            )


E = TypeVar("E", bound=BotError)


async def death(play: Play, kind: type[E]) -> E:
    """Run a generation until it dies of one error, whatever groups that comes in."""
    with pytest.RaisesGroup(kind, flatten_subgroups=True, allow_unwrapped=True) as caught:
        await play.run()
    [error] = leaves(caught.value)
    assert isinstance(error, kind)
    return error
