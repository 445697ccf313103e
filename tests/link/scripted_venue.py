"""A venue that does what a test tells it to, over HTTP and over WebSockets, and remembers what it was asked."""

import json
import ssl
from collections import Counter
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from functools import partial
from typing import Any

import attrs
import h11
import trio
import trio_websocket
from virtual_stage import Stage
from wsproto.utilities import ProtocolError

from bot.core.clock import Clock
from bot.core.errors import JournalError
from bot.core.tape import Kind, NoTape, Stamp, Tape
from bot.link.answer import Answer
from bot.link.clock import TrioClock
from bot.link.http import Http, HttpSettings, open_http
from bot.link.pool import Lane
from bot.paradex import rest
from bot.paradex.answers import EmptyAnswer, SystemTime
from bot.paradex.request import Request
from bot.simulation.connection import State
from bot.simulation.pipe import Ending
from bot.simulation.rehearsal import contexts

EPOCH_NS = 1_800_000_000_000_000_000
REST_URL = "https://venue.test/v1"
WS_URL = "wss://venue.test:8443/v1"


@attrs.frozen
class Written:
    """A record of the tape."""

    number: int
    ns: int
    generation: int
    kind: Kind
    data: Any


@attrs.define(eq=False)
class RecordingTape:
    """A `Tape` in memory, whose data is as it comes back from JSON: what that cannot hold fails here."""

    clock: Clock = attrs.field(factory=lambda: TrioClock(EPOCH_NS))
    records: list[Written] = attrs.field(factory=list)
    committed: int = 0
    """How many records were there when somebody last saw to it that they are in the file."""

    is_disk_full: bool = False

    def write(self, kind: Kind, data: Any, *, generation: int = 0) -> Stamp:
        stamp = Stamp(len(self.records) + 1, self.clock.monotonic_ns())
        data = json.loads(json.dumps(data, allow_nan=False))
        self.records.append(Written(stamp.number, stamp.ns, generation, kind, data))
        return stamp

    def commit(self) -> None:
        if self.is_disk_full:
            raise JournalError("no space left on device")
        self.committed = len(self.records)

    def told(self, *kinds: Kind) -> list[tuple[str, Any]]:
        """Kind and data of each record, or of those of ``kinds``."""
        return [(str(each.kind), each.data) for each in self.records if each.kind in (kinds or Kind)]


@attrs.frozen
class Asked:
    """A request as it arrived: on which connection, counted from 0, and when."""

    connection: int
    at: float
    method: str
    path: str
    headers: dict[str, str]
    body: bytes


Reaction = Callable[[trio.abc.Stream, Asked], Awaitable[None]]
"""What the venue does with a request."""


def answer(body: bytes = b"{}", status: int = 200, *headers: str, after: float = 0.0) -> Reaction:
    """Answer in full, ``after`` so many seconds."""
    lines = [f"HTTP/1.1 {status} Whatever", f"content-length: {len(body)}", *headers]
    return raw("\r\n".join(lines).encode() + b"\r\n\r\n" + body, after=after)


def raw(data: bytes, *, after: float = 0.0) -> Reaction:
    """Send these bytes and nothing more."""

    async def react(stream: trio.abc.Stream, _: Asked) -> None:
        await trio.sleep(after)
        await stream.send_all(data)

    return react


def hang_up(data: bytes = b"") -> Reaction:
    """Send these bytes, and close the connection."""

    async def react(stream: trio.abc.Stream, _: Asked) -> None:
        if data:
            await stream.send_all(data)
        await stream.aclose()

    return react


def trickle(data: bytes, *, every: float) -> Reaction:
    """Send a byte at a time."""

    async def react(stream: trio.abc.Stream, _: Asked) -> None:
        for byte in data:
            await stream.send_all(bytes([byte]))
            await trio.sleep(every)

    return react


def cut(s: Stage, ending: Ending) -> Reaction:
    """Have the network cut every connection."""

    async def react(_: trio.abc.Stream, __: Asked) -> None:
        await trio.lowlevel.checkpoint()
        s.link.cut(ending)

    return react


async def silence(_: trio.abc.Stream, __: Asked) -> None:
    await trio.sleep_forever()


SERVER_TIME = answer(b'{"server_time": "1800000000000"}')


@attrs.define(eq=False)
class ScriptedRest:
    """Serves HTTP; what it answers can be changed at any time, for all requests or for a path."""

    reaction: Reaction = SERVER_TIME
    by_path: dict[str, Reaction] = attrs.field(factory=dict)
    asked: list[Asked] = attrs.field(factory=list)
    in_flight: Counter[str] = attrs.field(factory=Counter)
    most_in_flight: Counter[str] = attrs.field(factory=Counter)
    """By path."""

    connections: int = 0

    async def serve(self, stream: trio.abc.Stream) -> None:
        number = self.connections
        self.connections += 1
        with suppress(trio.BrokenResourceError, trio.ClosedResourceError):
            async with stream:
                while (asked := await _next_request(stream, number)) is not None:
                    self.asked.append(asked)
                    self.in_flight[asked.path] += 1
                    self.most_in_flight |= self.in_flight
                    await self.by_path.get(asked.path, self.reaction)(stream, asked)
                    self.in_flight[asked.path] -= 1

    @property
    def used(self) -> list[int]:
        """The connections that requests arrived on."""
        return [asked.connection for asked in self.asked]


async def _next_request(stream: trio.abc.Stream, connection: int) -> Asked | None:
    reader = h11.Connection(h11.SERVER)
    head: h11.Request | None = None
    body = b""
    while True:
        event = reader.next_event()
        match event:
            case h11.NEED_DATA:
                reader.receive_data(bytes(await stream.receive_some()))
            case h11.Request():
                head = event
            case h11.Data():
                body += event.data
            case h11.EndOfMessage():
                assert head is not None
                headers = {name.decode(): value.decode() for name, value in head.headers}
                path = head.target.decode().removeprefix("/v1")
                return Asked(connection, trio.current_time(), head.method.decode(), path, headers, body)
            case _:
                return None


@asynccontextmanager
async def open_pool(
    s: Stage,
    settings: HttpSettings | None = None,
    *,
    url: str = REST_URL,
    tls: ssl.SSLContext | None = None,
    tape: Tape | None = None,
) -> AsyncGenerator[Http]:
    """The pool under test, on the bot's host."""
    clock = TrioClock(EPOCH_NS)
    with s.network.on(s.bot):
        async with open_http(
            settings or HttpSettings(), url, tls or contexts()[1], clock, tape or NoTape(clock)
        ) as http:
            yield http


class Conversation:
    """The venue's end of a WebSocket."""

    def __init__(self, connection: trio_websocket.WebSocketConnection) -> None:
        self.connection = connection

    async def hear(self) -> Any:
        """The next message, as JSON."""
        return json.loads(await self.connection.get_message())

    async def say(self, message: object) -> None:
        await self.connection.send_message(message if isinstance(message, str) else json.dumps(message))

    async def agree(self) -> Any:
        """Answer the next request with success; returns it."""
        request = await self.hear()
        await self.say({"jsonrpc": "2.0", "id": request["id"], "result": {}})
        return request

    async def refuse(self, code: int) -> Any:
        """Answer the next request with an error; returns it."""
        request = await self.hear()
        await self.say({"jsonrpc": "2.0", "id": request["id"], "error": {"code": code, "message": "no"}})
        return request

    async def agree_for_ever(self) -> None:
        while True:
            await self.agree()


Script = Callable[[Conversation], Awaitable[object]]


@attrs.define(eq=False)
class ScriptedSockets:
    """Serves WebSockets by a script, and remembers how they ended."""

    script: Script
    closes: list[tuple[int, str | None]] = attrs.field(factory=list)
    """Code and reason of each socket that has ended."""

    async def serve(self, stream: trio.abc.Stream) -> None:
        connection: trio_websocket.WebSocketConnection | None = None
        try:
            async with stream, trio.open_nursery() as nursery:
                request = await trio_websocket.wrap_server_stream(nursery, stream, 10_000)
                connection = await request.accept()
                nursery.start_soon(_end_with, connection, nursery.cancel_scope)
                await self.script(Conversation(connection))
                nursery.cancel_scope.cancel()
        except* (
            trio_websocket.ConnectionClosed,
            ProtocolError,  # the library's own task, of what comes in while it closes
            trio.BrokenResourceError,
            trio.ClosedResourceError,
        ):
            pass
        finally:
            if connection is not None and connection.closed is not None:
                self.closes.append((connection.closed.code, connection.closed.reason))


async def _end_with(connection: trio_websocket.WebSocketConnection, scope: trio.CancelScope) -> None:
    await connection._close_handshake.wait()
    scope.cancel()


def answer_upgrade(data: bytes) -> Callable[[trio.abc.Stream], Awaitable[None]]:
    """Answer whatever comes with these bytes, and keep the connection."""

    async def serve(stream: trio.abc.Stream) -> None:
        with suppress(trio.BrokenResourceError):
            await stream.receive_some()
            await stream.send_all(data)
            await stream.receive_some()

    return serve


async def mute(stream: trio.abc.Stream) -> None:
    """Take the connection and never say anything."""
    async with stream:
        await trio.sleep_forever()


Handler = Callable[[trio.abc.Stream], Awaitable[object]]


async def serve_tls(s: Stage, handler: Handler, port: int = 443) -> None:
    """Serve at the venue."""
    with s.network.on(s.venue):
        await s.nursery.start(partial(trio.serve_ssl_over_tcp, handler, port, contexts()[0]))


async def serve_tcp(s: Stage, handler: Handler, port: int) -> None:
    """Serve at the venue without TLS."""
    with s.network.on(s.venue):
        await s.nursery.start(partial(trio.serve_tcp, handler, port))


def open_connections(s: Stage) -> int:
    """How many connections the bot has not let go of."""
    return sum(not connection.client.released for connection in s.network.connections)


def established(s: Stage) -> int:
    """How many connections are open at this moment."""
    return sum(connection.state is State.OPEN for connection in s.network.connections)


class _CancelAfter(trio.abc.Instrument):
    def __init__(self, steps: int, scope: trio.CancelScope) -> None:
        self._steps = steps
        self._scope = scope

    def after_task_step(self, task: trio.lowlevel.Task) -> None:  # noqa: ARG002 - any task's
        self._steps -= 1
        if self._steps == 0:
            self._scope.cancel()


async def cancelled_after(steps: int, work: Callable[[], Awaitable[object]]) -> bool:
    """Do ``work``, and cancel it after so many steps of whatever task; False if it was faster."""
    with trio.CancelScope() as scope:
        instrument = _CancelAfter(steps, scope)
        trio.lowlevel.add_instrument(instrument)
        try:
            await work()
        finally:
            trio.lowlevel.remove_instrument(instrument)
    return scope.cancelled_caught


# Ways to keep a connection from coming about, and none.


def no_name(s: Stage) -> None:
    s.network.names.fail("venue.test")


def refused(s: Stage) -> None:
    s.link.refuse()


def black_hole(s: Stage) -> None:
    s.link.black_hole()


def healthy(_: Stage) -> None:
    pass


# The pool under test, asked for what everybody asks.

ORDER: Request[EmptyAnswer] = Request(method="POST", path="/orders", answer=EmptyAnswer, body=b'{"size":"1"}')
TIME = rest.system_time()

TWO = HttpSettings(connections=2)


async def order(http: Http) -> Answer[EmptyAnswer]:
    async with http.reserve(Lane.ORDERS) as reservation:
        return await reservation.send(ORDER)


async def housekeeping(http: Http) -> Answer[SystemTime]:
    async with http.reserve(Lane.HOUSEKEEPING) as reservation:
        return await reservation.send(TIME)


async def opened_venue(s: Stage) -> ScriptedRest:
    venue = ScriptedRest()
    await serve_tls(s, venue.serve)
    return venue
