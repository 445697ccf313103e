"""HTTP: the only importer of httpx. One client, and behind it one transport for each connection of the pool."""

import socket
import ssl
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from itertools import count, repeat
from typing import Any, TypeVar

import attrs
import httpcore
import httpx  # noqa: ASYNC127 - named by the project; httpx2 is one import away, and this is the place
import trio
from loguru import logger

from bot.core.clock import Clock
from bot.core.errors import RequestError
from bot.core.setting import setting
from bot.core.tape import HIDDEN, Kind, Tape, readable
from bot.link.answer import Answer, Permit, always
from bot.link.budgets import Budgets
from bot.link.pool import Connection, Lane, Pool
from bot.paradex import outcome
from bot.paradex.mode import tells_of_restriction
from bot.paradex.request import Request

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


@attrs.define
class HttpCounters:
    """What the connections were used for so far."""

    connections_opened: int = 0
    requests: int = 0
    reused: int = 0
    order_requests: int = 0
    order_requests_cold: int = 0


HttpConnection = Connection[httpx.AsyncHTTPTransport]


class Http:
    """The shared client. Made by `open_http`; whoever holds a `bot.session.capabilities.Rest` uses it."""

    def __init__(
        self,
        client: httpx.AsyncClient,
        pool: Pool[httpx.AsyncHTTPTransport],
        settings: HttpSettings,
        clock: Clock,
        tape: Tape,
    ) -> None:
        self.counters = HttpCounters()
        self._client = client
        self._pool = pool
        self._settings = settings
        self._clock = clock
        self._tape = tape
        self._base_url = str(client.base_url).removesuffix("/")
        self._headers = client.headers.raw
        self._timeouts = client.timeout.as_dict()
        self.budgets = Budgets(clock)
        """The venue's limits, which whatever else is sent to it counts against, too."""

        self._restriction = trio.Event()
        self.exchanges = count(1)
        """The numbers of exchanges of request and answer on the tape, by whichever way they go."""

    @asynccontextmanager
    async def reserve(self, lane: Lane, *, gives_way: bool = False) -> AsyncIterator["Reservation"]:
        """Wait for a turn in ``lane``, and hold the connection that suits it (see `Pool`)."""
        async with self._pool.reserve(lane, gives_way=gives_way) as connection:
            yield Reservation(self, connection, lane)

    async def warm_up(self, request: Request[T]) -> list[Answer[T]]:
        """Send ``request`` over every closed connection at once, and so open them.

        Raises:
            An exception group of what `Reservation.send` raises.
        """
        answers: list[Answer[T]] = []

        async def warm(lane: Lane) -> None:
            async with self._pool.reserve(lane, to_warm=True) as connection:
                answers.append(await Reservation(self, connection, Lane.HOUSEKEEPING).send(request))

        # No lane has room for all; with one in this lane and the rest in the other orders wait, as they should.
        lanes = [Lane.HOUSEKEEPING, *repeat(Lane.ORDERS, self._pool.cold() - 1)][: self._pool.cold()]
        async with trio.open_nursery() as nursery:
            for lane in lanes:
                nursery.start_soon(warm, lane)
        return answers

    async def connection_needs_warming(self) -> None:
        """Return when an idle connection is closed, or will be unless somebody uses it soon."""
        await self._pool.needs_warming()

    def distrust_connections(self) -> None:
        """Whatever is idle was idle for longer than it seems: nothing is sent over it before it is opened anew."""
        self._pool.distrust()

    def next_restriction(self) -> trio.Event:
        """Set at the next answer that tells of a restricted platform mode. There is one listener, the last to ask."""
        self._restriction = trio.Event()
        return self._restriction

    def restricted(self) -> None:
        """An answer told of a restricted platform mode."""
        self._restriction.set()

    async def send(
        self, connection: HttpConnection, lane: Lane, request: Request[T], permit: Permit
    ) -> Answer[T]:
        spent = await self.budgets.spend(request.method, request.path)
        progress = _Progress(permit)
        if not self._pool.is_warm(connection):
            # The venue hangs up on it about now, and the request must not meet that.
            await connection.transport.aclose()
        connection.used_at = None  # until an answer was read, for a request that is cut short closes it
        # Not by the client's `build_request`, which parses and merges the same parts of the URL each time.
        outgoing = httpx.Request(
            request.method,
            f"{self._base_url}{request.path}",
            content=request.body,
            headers=[*self._headers, *_headers(request)],
            extensions={"connection": connection, "trace": progress.trace, "timeout": self._timeouts},
        )
        exchange = next(self.exchanges)
        started_ns = self._tape.write(Kind.REQUEST, told(exchange, lane, request)).ns
        response: httpx.Response | None = None
        failure: RequestError | None = None
        try:
            with progress.mapped_errors(request), trio.fail_after(self._settings.request_timeout):
                response = await self._client.send(outgoing)
        except RequestError as error:
            failure = error
            raise
        finally:
            self._count(lane, progress)
            if response is None:
                why = {"failure": "cancelled"} if failure is None else failure.told()
                self._tape.write(Kind.FAILURE, {"x": exchange} | why)
                with trio.move_on_after(CLOSE_DEADLINE, shield=True):
                    await _discard(connection, progress)
        elapsed_ns = self._clock.monotonic_ns() - started_ns
        if _holds_more(connection.transport):
            logger.warning("[HTTP] Paradex answered {} more than once, or too long", request.method)
            await _discard(connection, progress)
        else:
            connection.used_at = trio.current_time()
        # Not by the names, which its headers would look for one by one.
        headers = {name.lower().decode(): text.decode("latin-1") for name, text in response.headers.raw}
        self.budgets.answered(spent, response.status_code, headers)
        if tells_of_restriction(response.status_code, response.content):
            self.restricted()
        self._tape.write(
            Kind.ANSWER,
            {
                "x": exchange,
                "status": response.status_code,
                "reused": progress.reused,
                "elapsed_ns": elapsed_ns,
                "body": HIDDEN if request.secret_answer else readable(response.content),
            },
        )
        value = request.read(response.status_code, response.content)
        return Answer(value=value, reused=progress.reused, elapsed_ns=elapsed_ns, exchange=exchange)

    def _count(self, lane: Lane, progress: "_Progress") -> None:
        counters = self.counters
        counters.requests += 1
        counters.reused += progress.reused
        counters.connections_opened += progress.connected
        if lane is Lane.ORDERS:
            counters.order_requests += 1
            counters.order_requests_cold += not progress.reused


def told(exchange: int, lane: Lane, request: Request[Any]) -> dict[str, Any]:
    """What the tape gets of a request."""
    return {"x": exchange, "of": request.cause, "lane": lane.name.lower(), **request.shown(HIDDEN)}


@attrs.frozen
class Reservation:
    """A turn in a lane, with the connection that goes with it."""

    _http: Http
    _connection: HttpConnection
    _lane: Lane

    async def send(self, request: Request[T], permit: Permit = always) -> Answer[T]:
        """Send ``request`` once. Nothing below repeats it.

        It leaves when the venue's limits have room for it; an order that finds none is not sent (see `Budgets`).
        To open a connection takes time, so whether it still may leave is asked of ``permit`` after that.

        Raises:
            NotSentError: no byte of it left.
            RefusedError: the venue said no.
            UnknownOutcomeError: everything else.
        """
        return await self._http.send(self._connection, self._lane, request, permit)


@attrs.define
class _Progress:
    """How far a request got, as httpcore's trace extension tells."""

    permit: Permit
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
            self.permit()
            self.sending = True
            self.opening = None

    @contextmanager
    def mapped_errors(self, request: Request[Any]) -> Iterator[None]:
        """Map what httpx and our deadline raise to whether the venue may have the request."""
        try:
            yield
        except (httpx.RequestError, trio.TooSlowError) as error:
            words = f"{request.method} {request.path.partition('?')[0]}: {_words(error)}"
            raise outcome.of_exception(words, has_begun=self.sending) from error


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


def _holds_more(transport: httpx.AsyncHTTPTransport) -> bool:
    """Whether more came than the answer. It would be taken for the answer to the next request, and nobody else looks.

    What comes later is seen by httpcore, which uses no idle connection that has something to say.
    """
    for connection in transport._pool.connections:  # noqa: SLF001 - httpcore does not tell otherwise
        if isinstance(connection, httpcore.AsyncHTTPConnection) and connection._connection is not None:  # noqa: SLF001
            assert isinstance(connection._connection, httpcore.AsyncHTTP11Connection)  # noqa: SLF001
            trailing, _ = connection._connection._h11_state.trailing_data  # noqa: SLF001
            if trailing:
                return True
    return False


async def _discard(connection: HttpConnection, progress: _Progress) -> None:
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
        connection: HttpConnection = request.extensions["connection"]
        return await connection.transport.handle_async_request(request)


@asynccontextmanager
async def open_http(
    settings: HttpSettings, base_url: str, tls: ssl.SSLContext, clock: Clock, tape: Tape
) -> AsyncIterator[Http]:
    """Make the client for ``base_url``, which ends in ``/v1``. No connection is opened yet."""
    transports = [
        httpx.AsyncHTTPTransport(
            verify=tls,
            limits=httpx.Limits(
                # Keep-alive counts busy connections too, and expires after 5 s unless told otherwise; and it
                # reads a clock of its own, so when a connection is too old is decided in the pool.
                max_connections=1,
                max_keepalive_connections=1,
                keepalive_expiry=None,
            ),
            socket_options=_keepalive_options(round(settings.tcp_keepalive)),
            trust_env=False,
        )
        for _ in range(settings.connections)
    ]
    client = httpx.AsyncClient(
        base_url=base_url,
        transport=_OneConnectionEach(),
        timeout=httpx.Timeout(
            None, connect=settings.connect_timeout
        ),  # of the whole request we have a deadline
        trust_env=False,  # a proxy or a .netrc of the environment has no business with orders
    )
    async with client:
        try:
            yield Http(client, Pool(transports, settings.idle_timeout), settings, clock, tape)
        finally:
            with trio.move_on_after(CLOSE_DEADLINE, shield=True):
                for transport in transports:
                    await transport.aclose()


def _headers(request: Request[Any]) -> Iterator[tuple[bytes, bytes]]:
    if request.body:
        yield b"Content-Type", b"application/json"
    for name, value in request.headers.items():
        yield name.encode("ascii"), value.encode("ascii")


def _keepalive_options(seconds: int) -> list[tuple[int, int, int]]:
    if sys.platform == "darwin":
        idle = socket.TCP_KEEPALIVE
    else:
        idle = socket.TCP_KEEPIDLE
    return [(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1), (socket.IPPROTO_TCP, idle, seconds)]
