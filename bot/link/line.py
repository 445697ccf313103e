"""One HTTP/1.1 connection of the pool: an httpx transport that knows when a request left, and when its answer came.

httpcore speaks HTTP; what it writes in pieces, headers and body, leaves here in one: one TLS record, one packet.
"""

import socket
import ssl
import sys
from collections.abc import Iterable
from typing import Any

import attrs
import httpcore
import httpx  # noqa: ASYNC127 - as in `bot.link.http`
import trio

from bot.core.clock import Clock
from bot.link.answer import Permit
from bot.link.wire import round_trip_us

FAILURES = (
    httpcore.NetworkError,
    httpcore.ProtocolError,
    httpcore.TimeoutException,
    httpx.RequestError,
    trio.TooSlowError,
)
"""What a request over a `Line` ends with when no answer can be read."""

SocketOption = tuple[int, int, int]


@attrs.define
class Progress:
    """How far a request got. Times in ns since the start of the run; 0: it did not get there."""

    clock: Clock
    permit: Permit
    """Asked when the first byte is about to leave."""

    reused: bool = True
    """No connection had to be opened for it."""

    connected: bool = False
    """One had to be, and was."""

    has_begun: bool = False
    """Its first byte left, or was about to."""

    written_ns: int = 0
    """The system took its last byte."""

    first_ns: int = 0
    """The first byte of its answer was there."""


class Line(httpx.AsyncBaseTransport):
    """One connection at a time, which the request opens that finds none; and one request at a time.

    A request names its `Progress` in the extension ``progress``.
    """

    def __init__(self, base_url: httpx.URL, tls: ssl.SSLContext, options: Iterable[SocketOption]) -> None:
        port = base_url.port or (443 if base_url.scheme == "https" else 80)
        self._origin = httpcore.Origin(base_url.raw_scheme, base_url.raw_host, port)
        self._tls = tls
        self._options = list(options)
        self._network = _Network()
        self._connection: httpcore.AsyncHTTPConnection | None = None

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Send it, and read the whole answer. Raises one of `FAILURES`."""
        progress: Progress = request.extensions["progress"]
        self._network.progress = progress
        connection = self._connection
        # It has expired if there is something to read though nobody asked: be it the end.
        if connection is None or connection.is_closed() or connection.has_expired():
            await self.aclose()
            progress.reused = False
            connection = self._connection = httpcore.AsyncHTTPConnection(
                self._origin,
                ssl_context=self._tls,
                keepalive_expiry=None,  # httpcore reads a clock of its own; the pool knows how old it is
                network_backend=self._network,
                socket_options=self._options,
            )
        answer = await connection.handle_async_request(
            httpcore.Request(
                request.method,
                httpcore.URL(
                    scheme=self._origin.scheme,
                    host=self._origin.host,
                    port=self._origin.port,
                    target=request.url.raw_path,
                ),
                headers=request.headers.raw,
                content=_Whole(request.content),
                extensions=request.extensions,
            )
        )
        try:
            body = await answer.aread()
        finally:
            await answer.aclose()
        return httpx.Response(answer.status, headers=answer.headers, content=body)

    def holds_more(self) -> bool:
        """Whether more came than the answer. It would be taken for that to the next request, and nobody else looks.

        What comes later is seen by httpcore, which uses no idle connection that has something to say.
        """
        inner = None if self._connection is None else self._connection._connection  # noqa: SLF001 - httpcore does not tell
        if not isinstance(inner, httpcore.AsyncHTTP11Connection):
            return False
        trailing, _ = inner._h11_state.trailing_data  # noqa: SLF001 - as above
        return bool(trailing)

    def round_trip_us(self) -> int | None:
        """The kernel's estimate; None where it has none."""
        opened = self._network.opened
        return None if opened is None else round_trip_us(opened.get_extra_info("socket"))

    async def aclose(self) -> None:
        """Close the connection, however far it came.

        httpcore 1.0 forgets one that is cancelled at the wrong moment: in the TLS handshake, or right after it.
        """
        self._connection = None
        await self._network.aclose()


class _Whole:
    """A body that is sent in one piece. httpcore's own is a generator, which nobody closes when the sending fails."""

    def __init__(self, body: bytes) -> None:
        self._body = body

    def __aiter__(self) -> "_Whole":
        return self

    async def __anext__(self) -> bytes:
        body, self._body = self._body, b""
        if not body:
            raise StopAsyncIteration
        return body


class _Network(httpcore.AsyncNetworkBackend):
    """Opens the connections of a `Line`."""

    progress: Progress

    def __init__(self) -> None:
        self._trio = httpcore.TrioBackend()
        self.opened: httpcore.AsyncNetworkStream | None = None
        """The last one."""

    async def connect_tcp(self, *args: Any, **options: Any) -> httpcore.AsyncNetworkStream:
        stream = await self._trio.connect_tcp(*args, **options)
        self.progress.connected = True
        return self.own(stream)

    def own(self, stream: httpcore.AsyncNetworkStream) -> httpcore.AsyncNetworkStream:
        """See its bytes, and close it with the line."""
        self.opened = stream
        return _Stamped(stream, self)

    async def sleep(self, seconds: float) -> None:
        await self._trio.sleep(seconds)

    async def aclose(self) -> None:
        stream, self.opened = self.opened, None
        if stream is not None:
            await stream.aclose()


class _Stamped(httpcore.AsyncNetworkStream):
    """A connection, whose bytes are seen."""

    def __init__(self, stream: httpcore.AsyncNetworkStream, network: _Network) -> None:
        self._stream = stream
        self._network = network
        self._unwritten = b""

    # httpcore's protocol has these timeouts; we have deadlines of our own.

    async def write(self, buffer: bytes, timeout: float | None = None) -> None:  # noqa: ASYNC109
        """Keep it until there is more; nothing at all is the end of a request, and then everything leaves."""
        self._unwritten += buffer
        if self._unwritten and not buffer:
            data, self._unwritten = self._unwritten, b""
            progress = self._network.progress
            progress.permit()
            progress.has_begun = True
            await self._stream.write(data, timeout)
            progress.written_ns = progress.clock.monotonic_ns()

    async def read(self, max_bytes: int, timeout: float | None = None) -> bytes:  # noqa: ASYNC109
        data = await self._stream.read(max_bytes, timeout)
        progress = self._network.progress
        progress.first_ns = progress.first_ns or progress.clock.monotonic_ns()
        return data

    async def start_tls(
        self,
        ssl_context: ssl.SSLContext,
        server_hostname: str | None = None,
        timeout: float | None = None,  # noqa: ASYNC109
    ) -> httpcore.AsyncNetworkStream:
        return self._network.own(await self._stream.start_tls(ssl_context, server_hostname, timeout))

    def get_extra_info(self, info: str) -> Any:
        return self._stream.get_extra_info(info)

    async def aclose(self) -> None:
        await self._stream.aclose()


def keepalive_options(seconds: int) -> list[SocketOption]:
    """Have the kernel probe a connection that was idle for so long."""
    if sys.platform == "darwin":
        idle = socket.TCP_KEEPALIVE
    else:
        idle = socket.TCP_KEEPIDLE
    return [(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1), (socket.IPPROTO_TCP, idle, seconds)]
