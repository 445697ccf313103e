"""HTTP: the only importer of httpx, and a pool whose connections are known one by one.

httpx's own pool always takes its first idle connection, so nobody can ask it to warm the others, and it queues
what finds none free, where a cancellation leaks a connection (httpcore 1.0). Here each connection is a
transport of its own with room for one, the lanes keep as many requests in flight as there are connections,
and which of them is taken is decided here.
"""

import bisect
import enum
import math
import socket
import ssl
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from itertools import repeat
from typing import Any, Generic, TypeVar

import attrs
import httpx  # noqa: ASYNC127 - named by the project; httpx2 is one import away, and this is the place
import trio

from bot.core.clock import Clock
from bot.core.errors import BotError, NotSentError, UnknownOutcomeError
from bot.core.setting import setting
from bot.core.tape import Tape
from bot.paradex.rest import Request

T = TypeVar("T")

CLOSE_DEADLINE = 1.0
"""Seconds to close a connection that failed to open, or what is left of the pool."""


@attrs.frozen
class HttpSettings:
    """The ``[http]`` table: one pool of warm connections to the venue's REST host."""

    connections: int = setting(
        4, "connections kept open; orders may use all but one", at_least=2, at_most=100
    )
    idle_timeout: float = setting(
        60.0,
        "the venue hangs up on a connection idle for this long",
        at_least=1,
        at_most=3600,
        unit="seconds",
    )
    tcp_keepalive: float = setting(
        30.0, "idle time before the kernel probes a connection", at_least=1, at_most=3600, unit="seconds"
    )
    connect_timeout: float = setting(
        10.0, "deadline for TCP, and again for TLS", at_least=0.1, at_most=60, unit="seconds"
    )
    request_timeout: float = setting(
        10.0, "deadline of a whole request", at_least=0.1, at_most=60, unit="seconds"
    )


class Lane(enum.Enum):
    """Who may use how much of the pool: orders all connections but one, everything else one at a time."""

    ORDERS = enum.auto()
    HOUSEKEEPING = enum.auto()


@attrs.define
class HttpCounters:
    """What the connections were used for so far."""

    connections_opened: int = 0
    requests: int = 0
    reused: int = 0
    order_requests: int = 0
    order_requests_cold: int = 0


@attrs.frozen(kw_only=True)
class Answer(Generic[T]):
    """What a request brought back, and how it got there."""

    value: T
    reused: bool
    """It went over a connection that was open already."""

    elapsed_ns: int
    """From the moment it was handed to a connection until its answer was read."""


@attrs.define(eq=False)
class Connection:
    """One connection of the pool: closed at first, and again when a request on it fails."""

    transport: httpx.AsyncHTTPTransport
    used_at: float | None = None
    """trio time of its last answer; None while it is known to be closed."""

    @property
    def freshness(self) -> float:
        return -math.inf if self.used_at is None else self.used_at


class Http:
    """The shared client. Made by `open_http`; whoever holds a `bot.session.capabilities.Rest` uses it."""

    def __init__(
        self,
        client: httpx.AsyncClient,
        connections: list[Connection],
        settings: HttpSettings,
        clock: Clock,
        tape: Tape,
    ) -> None:
        self.counters = HttpCounters()
        self._client = client
        self._settings = settings
        self._clock = clock
        self._tape = tape
        self._idle = connections  # the one used last stands last, closed ones stand first
        self._went_cold = trio.Event()
        self._lanes = {
            Lane.ORDERS: trio.Semaphore(settings.connections - 1),
            Lane.HOUSEKEEPING: trio.Semaphore(1),
        }

    @asynccontextmanager
    async def reserve(self, lane: Lane) -> AsyncIterator["Reservation"]:
        """Wait for a turn in ``lane`` and hold a connection: the freshest for an order, the stalest for the rest.

        So an order finds a warm one wherever there is one, and each request of housekeeping warms the
        connection that needs it most.
        """
        async with self._lanes[lane]:
            with self._taken(-1 if lane is Lane.ORDERS else 0) as connection:
                yield Reservation(self, connection, lane)

    async def warm_up(self, request: Request[T]) -> list[Answer[T]]:
        """Send ``request`` over every closed connection at once, and so open them.

        Raises:
            An exception group of what `Reservation.send` raises.
        """
        answers: list[Answer[T]] = []

        async def warm(lane: Lane) -> None:
            async with self._lanes[lane]:
                with self._taken(0) as connection:
                    answers.append(await Reservation(self, connection, Lane.HOUSEKEEPING).send(request))

        closed = sum(not self._is_warm(connection) for connection in self._idle)
        # No lane has room for all; with one in this lane and the rest in the other orders wait, as they should.
        lanes = [Lane.HOUSEKEEPING, *repeat(Lane.ORDERS, closed - 1)][:closed]
        async with trio.open_nursery() as nursery:
            for lane in lanes:
                nursery.start_soon(warm, lane)
        return answers

    async def connection_needs_warming(self) -> None:
        """Return when an idle connection is closed, or will be unless somebody uses it soon."""
        while True:
            self._went_cold = trio.Event()
            stalest = self._idle[0].used_at if self._idle else trio.current_time()
            if stalest is None:
                return
            with trio.move_on_at(stalest + self._settings.idle_timeout / 2):
                await self._went_cold.wait()
                continue
            if self._idle and self._idle[0].used_at == stalest:
                return

    def _is_warm(self, connection: Connection) -> bool:
        used_at = connection.used_at
        return used_at is not None and trio.current_time() < used_at + self._settings.idle_timeout

    @contextmanager
    def _taken(self, index: int) -> Iterator[Connection]:
        connection = self._idle.pop(index)
        try:
            yield connection
        finally:
            # Where it belongs, which is not the end if nothing was sent over it.
            bisect.insort(self._idle, connection, key=lambda idle: idle.freshness)
            if connection.used_at is None:
                self._went_cold.set()

    async def send(self, connection: Connection, lane: Lane, request: Request[T]) -> Answer[T]:
        progress = _Progress()
        if not self._is_warm(connection):
            await (
                connection.transport.aclose()
            )  # the venue hangs up on it about now: a request must not meet that
        connection.used_at = None  # until an answer was read, for a request that is cut short closes it
        outgoing = self._client.build_request(
            request.method,
            request.path,
            content=request.body,
            headers={"Content-Type": "application/json", **request.headers}
            if request.body
            else request.headers,
            extensions={"connection": connection, "trace": progress.trace},
        )
        self._tape("http>", f"{request.method} {request.path} {(request.body or b'').decode()}")
        started_ns = self._clock.monotonic_ns()
        response: httpx.Response | None = None
        try:
            with progress.mapped_errors(request), trio.fail_after(self._settings.request_timeout):
                response = await self._client.send(outgoing)
        finally:
            self._count(lane, progress)
            if response is None:
                with trio.move_on_after(CLOSE_DEADLINE, shield=True):
                    await _discard(connection, progress)
        elapsed_ns = self._clock.monotonic_ns() - started_ns
        connection.used_at = trio.current_time()
        self._tape(
            "http<",
            f"{response.status_code} {'[secret]' if request.secret else response.text} {request.path}",
        )
        value = request.read(response.status_code, response.content)
        return Answer(value=value, reused=progress.reused, elapsed_ns=elapsed_ns)

    def _count(self, lane: Lane, progress: "_Progress") -> None:
        counters = self.counters
        counters.requests += 1
        counters.reused += progress.reused
        counters.connections_opened += progress.connected
        if lane is Lane.ORDERS:
            counters.order_requests += 1
            counters.order_requests_cold += not progress.reused


@attrs.frozen
class Reservation:
    """A turn in a lane, with the connection that goes with it."""

    _http: Http
    _connection: Connection
    _lane: Lane

    async def send(self, request: Request[T]) -> Answer[T]:
        """Send ``request`` once. Nothing below repeats it.

        Raises:
            NotSentError: no byte of it left.
            RefusedError: the venue said no.
            UnknownOutcomeError: everything else.
        """
        return await self._http.send(self._connection, self._lane, request)


@attrs.define
class _Progress:
    """How far a request got, as httpcore's trace extension tells."""

    reused: bool = True
    connected: bool = False
    sending: bool = False
    opening: trio.abc.AsyncResource | None = None
    """A connection over which nothing was sent yet."""

    async def trace(self, event: str, info: dict[str, Any]) -> None:
        if event == "connection.connect_tcp.started":
            self.reused = False
        elif event == "connection.connect_tcp.complete":
            self.connected = True
            self.opening = info["return_value"]
        elif event == "http11.send_request_headers.started":
            self.sending = True
            self.opening = None

    @contextmanager
    def mapped_errors(self, request: Request[Any]) -> Iterator[None]:
        """Map what httpx and our deadline raise to whether the venue may have the request."""
        try:
            yield
        except (httpx.RequestError, trio.TooSlowError) as error:
            kind: type[BotError] = UnknownOutcomeError if self.sending else NotSentError
            raise kind(f"{request.method} {request.path.partition('?')[0]}: {_words(error)}") from error


def _words(error: BaseException) -> str:
    """What is at the bottom of it: the text of the error itself is often empty, or speaks of sub-exceptions."""
    match error, error.__cause__, error.args:
        case trio.TooSlowError(), _, _:
            return "deadline passed"
        case BaseExceptionGroup(), _, _:
            return _words(error.exceptions[0])
        case _, BaseException() as cause, _:
            return _words(cause)
        case _, _, (BaseException() as cause, *_):  # httpcore hands it over as an argument
            return _words(cause)
    return f"{type(error).__name__}: {error}"


async def _discard(connection: Connection, progress: _Progress) -> None:
    """Close what a failed request leaves behind; the next one opens another connection.

    A cancellation at the wrong moment makes httpcore 1.0 forget to: in the TLS handshake it leaves the socket
    open, right after it the connection in its pool, busy for ever.
    """
    await connection.transport.aclose()
    if progress.opening is not None:
        await progress.opening.aclose()


class _OneConnectionEach(httpx.AsyncBaseTransport):
    """Sends each request over the connection that it names."""

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        connection: Connection = request.extensions["connection"]
        return await connection.transport.handle_async_request(request)


@asynccontextmanager
async def open_http(
    settings: HttpSettings, base_url: str, tls: ssl.SSLContext, clock: Clock, tape: Tape
) -> AsyncIterator[Http]:
    """Make the client for ``base_url``, which ends in ``/v1``. No connection is opened yet."""
    connections = [
        Connection(
            httpx.AsyncHTTPTransport(
                verify=tls,
                limits=httpx.Limits(
                    # Keep-alive counts busy connections too, and expires after 5 s unless told otherwise;
                    # and it reads a clock of its own, so when a connection is too old is decided above.
                    max_connections=1,
                    max_keepalive_connections=1,
                    keepalive_expiry=None,
                ),
                socket_options=_keepalive_options(round(settings.tcp_keepalive)),
                trust_env=False,
            )
        )
        for _ in range(settings.connections)
    ]
    client = httpx.AsyncClient(
        base_url=base_url,
        transport=_OneConnectionEach(),
        timeout=httpx.Timeout(settings.request_timeout, connect=settings.connect_timeout),
        trust_env=False,  # a proxy or a .netrc of the environment has no business with orders
    )
    async with client:
        try:
            yield Http(client, list(connections), settings, clock, tape)
        finally:
            with trio.move_on_after(CLOSE_DEADLINE, shield=True):
                for connection in connections:
                    await connection.transport.aclose()


def _keepalive_options(seconds: int) -> list[tuple[int, int, int]]:
    if sys.platform == "darwin":
        idle = socket.TCP_KEEPALIVE
    else:
        idle = socket.TCP_KEEPIDLE
    return [(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1), (socket.IPPROTO_TCP, idle, seconds)]
