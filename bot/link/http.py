"""HTTP: one httpx client, and behind it a `bot.link.line.Line` for each connection of the pool."""

import ssl
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from itertools import count, repeat
from typing import Any, TypeVar

import attrs
import httpx  # noqa: ASYNC127 - named by the project; httpx2 is one import away, and this is the place
import trio
from loguru import logger

from bot.core.clock import Clock
from bot.core.errors import RequestError
from bot.core.setting import setting
from bot.core.tape import HIDDEN, Kind, Tape, readable
from bot.core.wire import Wire
from bot.link.answer import Answer, Permit, always
from bot.link.budgets import Budgets
from bot.link.line import FAILURES, Heard, Line, Progress, keepalive_options
from bot.link.pool import Connection, Lane, Pool
from bot.paradex import outcome
from bot.paradex.mode import tells_of_restriction
from bot.paradex.request import Request

T = TypeVar("T")


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


HttpConnection = Connection[Line]


class Http:
    """The shared client. Made by `open_http`; whoever holds a `bot.session.capabilities.Rest` uses it."""

    def __init__(
        self,
        client: httpx.AsyncClient,
        pool: Pool[Line],
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
        base_url = client.base_url
        self._base_url = str(base_url).removesuffix("/")
        self._base_path = base_url.raw_path.removesuffix(b"/")
        self._headers = client.headers.raw
        self._order_headers = [
            (b"Host", base_url.netloc),
            *((name, b"identity" if name == b"Accept-Encoding" else value) for name, value in self._headers),
        ]
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
        self, connection: HttpConnection, lane: Lane, request: Request[T], permit: Permit, bearer: str
    ) -> Answer[T]:
        spent = await self.budgets.spend(request.method, request.path)
        progress = Progress(self._clock, permit)
        used_at, is_of_orders = connection.used_at, lane is Lane.ORDERS
        if not self._pool.is_warm(connection):
            # The venue hangs up on it about now, and the request must not meet that.
            connection.transport.close()
        connection.used_at = None  # until an answer was read, for a request that is cut short closes it
        exchange = next(self.exchanges)
        began_at = trio.current_time()
        started_ns = self._tape.write(Kind.REQUEST, told(exchange, lane, request)).ns
        heard: Heard | None = None
        failure: RequestError | None = None
        try:
            with _mapped_errors(request, progress), trio.fail_after(self._settings.request_timeout):
                speak = self._past_the_client if is_of_orders else self._through_the_client
                heard = await speak(connection.transport, request, bearer, progress)
        except RequestError as error:
            failure = error
            raise
        finally:
            self._count(lane, progress)
            if heard is None:
                why = {"failure": "cancelled"} if failure is None else failure.told()
                self._tape.write(Kind.FAILURE, {"x": exchange} | why)
                connection.transport.abandon()
        elapsed_ns = self._clock.monotonic_ns() - started_ns
        if connection.transport.holds_more():
            logger.warning("[HTTP] Paradex answered {} more than once, or too long", request.method)
            connection.transport.close()
        else:
            connection.used_at = trio.current_time()
        headers = {name.decode(): text.decode("latin-1") for name, text in heard.headers}
        self.budgets.answered(spent, heard.status, headers)
        if tells_of_restriction(heard.status, heard.body):
            self.restricted()
        self._tape.write(
            Kind.ANSWER,
            {
                "x": exchange,
                "status": heard.status,
                "reused": progress.reused,
                "elapsed_ns": elapsed_ns,
                "body": HIDDEN if request.secret_answer else readable(heard.body),
            },
        )
        idle_s = 0.0 if used_at is None or not progress.reused else began_at - used_at
        try:
            value = request.read(heard.status, heard.body)
        finally:
            if is_of_orders:
                self._tape.write(Kind.WIRE, self._wire(exchange, progress, idle_s, connection).told())
        return Answer(value=value, reused=progress.reused, elapsed_ns=elapsed_ns, exchange=exchange)

    async def _through_the_client(
        self, line: Line, request: Request[Any], bearer: str, progress: Progress
    ) -> Heard:
        # Not by the client's `build_request`, which parses and merges the same parts of the URL each time.
        outgoing = httpx.Request(
            request.method,
            f"{self._base_url}{request.path}",
            content=request.body,
            headers=[*self._headers, *_headers(request, bearer)],
            extensions={"line": line, "progress": progress},
        )
        return _heard(await self._client.send(outgoing))

    async def _past_the_client(
        self, line: Line, request: Request[Any], bearer: str, progress: Progress
    ) -> Heard:
        """Orders go past it: it does nothing for them, and takes a fifth of the time."""
        body = request.body or b""
        length = () if request.body is None else ((b"Content-Length", b"%d" % len(body)),)
        heard = await line.exchange(
            request.method,
            self._base_path + request.path.encode("ascii"),
            [*self._order_headers, *_headers(request, bearer), *length],
            body,
            progress,
        )
        if any(name == b"content-encoding" for name, _ in heard.headers):  # though nobody wanted that
            return _heard(_response(heard))
        return heard

    def _wire(self, exchange: int, progress: Progress, idle_s: float, connection: HttpConnection) -> Wire:
        return Wire(
            x=exchange,
            reused=progress.reused,
            idle_ns=round(idle_s * 1e9),
            opened_ns=progress.opened_ns or None,
            written_ns=progress.written_ns,
            first_ns=progress.first_ns,
            parsed_ns=self._clock.monotonic_ns(),
            rtt_us=connection.transport.round_trip_us(),
        )

    def _count(self, lane: Lane, progress: Progress) -> None:
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

    async def send(self, request: Request[T], permit: Permit = always, *, bearer: str = "") -> Answer[T]:
        """Send ``request`` once, for the holder of the token ``bearer``. Nothing below repeats it.

        It leaves when the venue's limits have room for it; an order that finds none is not sent (see `Budgets`).
        To open a connection takes time, so whether it still may leave is asked of ``permit`` after that.

        Raises:
            NotSentError: no byte of it left.
            RefusedError: the venue said no.
            UnknownOutcomeError: everything else.
        """
        return await self._http.send(self._connection, self._lane, request, permit, bearer)


@contextmanager
def _mapped_errors(request: Request[Any], progress: Progress) -> Iterator[None]:
    """Map what a line, the client and our deadline raise to whether the venue may have the request."""
    try:
        yield
    except (*FAILURES, httpx.RequestError) as error:
        words = f"{request.method} {request.path.partition('?')[0]}: {_words(error)}"
        raise outcome.of_exception(words, has_begun=progress.has_begun) from error


def _words(error: BaseException) -> str:
    """What is at the bottom of it: the text of the error itself is often empty, or speaks of sub-exceptions."""
    match error, error.__cause__:
        case trio.TooSlowError(), _:
            return "deadline passed"
        case BaseExceptionGroup(), _:
            return _words(error.exceptions[0])
        case _, BaseException() as cause:
            return _words(cause)
    return f"{type(error).__name__}: {error}"


class _Lines(httpx.AsyncBaseTransport):
    """Sends each request over the line that it names, and tells the progress that it names."""

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        line: Line = request.extensions["line"]
        heard = await line.exchange(
            request.method,
            request.url.raw_path,
            request.headers.raw,
            request.content,
            request.extensions["progress"],
        )
        return _response(heard)


def _response(heard: Heard) -> httpx.Response:
    return httpx.Response(heard.status, headers=heard.headers, content=heard.body)


def _heard(response: httpx.Response) -> Heard:
    """Without the encoding that it came in."""
    headers = [(name.lower(), value) for name, value in response.headers.raw]
    return Heard(response.status_code, headers, response.content)


@asynccontextmanager
async def open_http(
    settings: HttpSettings, base_url: str, tls: ssl.SSLContext, clock: Clock, tape: Tape
) -> AsyncIterator[Http]:
    """Make the client for ``base_url``, which ends in ``/v1``. No connection is opened yet."""
    url = httpx.URL(base_url)
    options = keepalive_options(round(settings.tcp_keepalive))
    is_secure = url.scheme == "https"
    port, wanted_tls = url.port or (443 if is_secure else 80), tls if is_secure else None
    lines = [
        Line(url.host, port, wanted_tls, options, settings.connect_timeout)
        for _ in range(settings.connections)
    ]
    client = httpx.AsyncClient(
        base_url=base_url,
        transport=_Lines(),
        timeout=None,  # noqa: S113 - deadlines are ours
        trust_env=False,  # a proxy or a .netrc of the environment has no business with orders
    )
    async with client:
        try:
            yield Http(client, Pool(lines, settings.idle_timeout), settings, clock, tape)
        finally:
            for line in lines:
                line.close()


def _headers(request: Request[Any], bearer: str) -> Iterator[tuple[bytes, bytes]]:
    if bearer:
        yield b"Authorization", b"Bearer " + bearer.encode("ascii")
    if request.body:
        yield b"Content-Type", b"application/json"
    for name, value in request.headers.items():
        yield name.encode("ascii"), value.encode("ascii")
