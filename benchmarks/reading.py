"""How fast frames are read: by `bot.link.websocket` and `bot.paradex.rpc` from a socket, and by wsproto from memory.

The frames are those that a rehearsed session got: replies and updates of its orders. wsproto is what trio-websocket
parses with, so the ratio tells what tasks, sockets, the tape and the understanding of frames come to.
"""

from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Sequence
from contextlib import asynccontextmanager
from itertools import cycle, islice

import attrs
import trio
from wsproto import ConnectionType, WSConnection
from wsproto.events import AcceptConnection, Event, Request, TextMessage

from benchmarks.figures import Result, compare, in_turns
from bot.core.tape import Kind, NoTape
from bot.lab.proxy.relay import LOOPBACK
from bot.link.clock import SystemClock
from bot.link.websocket import StreamSettings, WebSocket, open_websocket
from bot.paradex import rpc
from bot.place import trusting
from bot.settings import Settings
from bot.simulation.rehearsal import Rehearsal, rehearse
from bot.trading.requests import WS
from bot.trading.strategies.probe import ProbeSettings

BURST = 1000
"""Frames that a side is given in its turn."""

CHUNK = 4096
"""Bytes that trio-websocket asks for at a time."""

BARE, UNDERSTOOD, BOT = "wsproto, from memory", "bot.paradex.rpc alone", "this bot, from a socket"


def measure(rounds: int) -> Result:
    """So many bursts for each side."""
    return trio.run(read_bursts, list(islice(cycle(rehearsed_frames()), BURST)), rounds)


def rehearsed_frames() -> list[str]:
    """What came over the WebSocket in some seconds of trading."""

    async def play(rehearsal: Rehearsal) -> list[str]:
        await rehearsal.trade(20)
        return [text for _, way, text in rehearsal.trace if way == Kind.FRAME_IN]

    base = Settings()
    settings = attrs.evolve(base, orders=attrs.evolve(base.orders, via=WS), strategy=ProbeSettings(pause=0.3))
    return rehearse(play, settings, delay=0.02, tls=False)


async def read_bursts(frames: Sequence[str], rounds: int) -> Result:
    """Have each side read ``frames`` so often, in turns."""
    clock = SystemClock()
    client, data = in_memory(frames)
    async with open_source(data) as source:
        from_memory: dict[str, Callable[[], int]] = {
            BARE: lambda: sum(1 for _ in texts(client, data)),
            UNDERSTOOD: lambda: len([rpc.read(frame) for frame in frames]),
        }
        taken: dict[str, list[list[float]]] = {name: [] for name in (*from_memory, BOT)}
        wrong = set()
        for name in in_turns(list(taken), rounds):
            began_ns = clock.monotonic_ns()
            if name in from_memory:
                read = from_memory[name]()
            else:
                read = await source.read(len(frames))
            taken[name].append([(clock.monotonic_ns() - began_ns) / len(frames)])
            if read != len(frames):
                wrong.add(f"{name}: {read} frames of {len(frames)}")
    return Result(
        comparisons=(compare("a frame takes", "µs", taken, base=BARE, scale=1e3),), wrong=sorted(wrong)
    )


def in_memory(frames: Iterable[str]) -> tuple[WSConnection, bytes]:
    """A client that is connected, and ``frames`` as its server sends them."""
    client, server = WSConnection(ConnectionType.CLIENT), WSConnection(ConnectionType.SERVER)
    server.receive_data(client.send(Request(host=LOOPBACK, target="/")))
    _drain(server)
    client.receive_data(server.send(AcceptConnection()))
    _drain(client)
    return client, b"".join(server.send(TextMessage(frame)) for frame in frames)


def texts(client: WSConnection, data: bytes) -> Iterator[str]:
    """The messages in ``data``, which comes in pieces as from a socket."""
    parts: list[str] = []
    for start in range(0, len(data), CHUNK):
        client.receive_data(data[start : start + CHUNK])
        for event in client.events():
            if isinstance(event, TextMessage):
                parts.append(event.data)
                if event.message_finished:
                    yield "".join(parts)
                    parts.clear()


def _drain(connection: WSConnection) -> list[Event]:
    return list(connection.events())


@attrs.define(eq=False)
class Source:
    """This bot's WebSocket, and a server that sends a burst when it is told to."""

    websocket: WebSocket
    _wanted: trio.MemorySendChannel[None]

    async def read(self, count: int) -> int:
        """Have a burst sent, and read and understand so many frames."""
        await self._wanted.send(None)
        return len([rpc.read((await self.websocket.receive()).data) for _ in range(count)])


@asynccontextmanager
async def open_source(data: bytes) -> AsyncIterator[Source]:
    """Connect over loopback to a server whose bursts are ``data``."""
    clock = SystemClock()
    wanted, told = trio.open_memory_channel[None](0)

    async def serve(stream: trio.SocketStream) -> None:
        server = WSConnection(ConnectionType.SERVER)
        server.receive_data(await stream.receive_some())
        _drain(server)
        await stream.send_all(server.send(AcceptConnection()))
        async for _ in told:
            await stream.send_all(data)

    async with trio.open_nursery() as nursery:
        (listener,) = await trio.open_tcp_listeners(0, host=LOOPBACK)
        await nursery.start(trio.serve_listeners, serve, [listener])
        url = f"ws://{LOOPBACK}:{listener.socket.getsockname()[1]}/v1"
        async with open_websocket(url, trusting(""), StreamSettings(), NoTape(clock), 1, clock) as websocket:
            yield Source(websocket, wanted)
        nursery.cancel_scope.cancel()
