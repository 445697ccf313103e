"""One HTTP/1.1 connection of the pool, which knows when a request left, and when its answer came.

h11 speaks HTTP, and this hands its bytes over. A request leaves in one piece: one TLS record, one packet.
"""

import re
import socket
import ssl
import struct
import sys
from collections.abc import Iterable, Sequence
from contextlib import suppress

import attrs
import h11
import trio

from bot.core.clock import Clock
from bot.link.answer import Permit
from bot.link.tls import TlsStream
from bot.link.wire import SeenStream

FAILURES = (
    h11.ProtocolError,
    OSError,
    trio.BrokenResourceError,
    trio.ClosedResourceError,
    trio.TooSlowError,
)
"""What a request over a `Line` ends with when no answer can be read."""

SocketOption = tuple[int, int, int]

_AT_ONCE = struct.pack("ii", 1, 0)
"""Lingering, for no time."""

_CONTROL = re.compile(rb"[\x00-\x08\x0a-\x1f\x7f]")

LONGEST_HEAD = 100 * 1024
"""Bytes of an answer's status line and headers."""


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

    opened_ns: int = 0
    """That one was ready, TLS included."""

    has_begun: bool = False
    """Its first byte left, or was about to."""

    written_ns: int = 0
    """The system took its last byte."""

    first_ns: int = 0
    """The first byte of its answer was there."""


@attrs.frozen
class Heard:
    """An answer, as it came."""

    status: int
    headers: list[tuple[bytes, bytes]]
    """Names in lower case."""

    body: bytes


class Line:
    """One connection at a time, which the request opens that finds none; and one request at a time."""

    def __init__(
        self,
        host: str,
        port: int,
        tls: ssl.SSLContext | None,
        options: Iterable[SocketOption],
        connect_timeout: float,
    ) -> None:
        """``tls``: None for none. ``connect_timeout``: seconds for TCP, and again for TLS."""
        self._host = host
        self._port = port
        self._tls = tls
        self._options = list(options)
        self._connect_timeout = connect_timeout
        self._opened: _Opened | None = None

    async def exchange(
        self,
        method: str,
        target: bytes,
        headers: list[tuple[bytes, bytes]],
        body: bytes,
        progress: Progress,
    ) -> Heard:
        """Send a request, and read the whole answer. Raises one of `FAILURES`."""
        opened = self._opened
        # It has expired if there is something to read though nobody asked: be it the end.
        if opened is None or opened.seen.socket.is_readable():
            self.close()
            progress.reused = False
            opened = await self._open(progress)
        request = written(method, target, headers, body)
        await trio.lowlevel.checkpoint_if_cancelled()
        progress.permit()
        progress.has_begun = True
        # The venue may have said why, before it closed the connection.
        with suppress(trio.BrokenResourceError):
            if not opened.stream.push(request):
                await opened.stream.flush()
        progress.written_ns = opened.seen.written_ns
        # h11, which reads the answer, takes 0.1 ms for the same bytes: it is told when they have left.
        http = opened.http
        http.send(h11.Request(method=method, target=target, headers=headers))
        if body:
            http.send(h11.Data(data=body))
        http.send(h11.EndOfMessage())
        heard = await _receive(opened, progress)
        if http.our_state is not h11.DONE or http.their_state is not h11.DONE:
            self.close()
        elif not self.holds_more():
            http.start_next_cycle()
        return heard

    def holds_more(self) -> bool:
        """Whether more came than the answer. It would be taken for that to the next request.

        What comes later is seen by that request itself, which leaves a connection alone that has something to say.
        """
        return self._opened is not None and bool(self._opened.http.trailing_data[0])

    def round_trip_us(self) -> int | None:
        """The kernel's estimate; None where it has none."""
        return None if self._opened is None else self._opened.seen.round_trip_us()

    def close(self) -> None:
        """Close the connection, however far it came."""
        opened, self._opened = self._opened, None
        if opened is not None:
            opened.seen.socket.close()

    def abandon(self) -> None:
        """Close the connection so that nothing more of a request leaves: the system drops what it still holds."""
        if self._opened is not None:
            with suppress(OSError):  # it may be closed by now
                self._opened.seen.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _AT_ONCE)
        self.close()

    async def _open(self, progress: Progress) -> "_Opened":
        with trio.fail_after(self._connect_timeout):
            tcp = await trio.open_tcp_stream(self._host, self._port)
        for option in self._options:
            tcp.setsockopt(*option)
        seen = SeenStream(tcp, progress.clock)
        progress.connected = True
        self._opened = opened = _Opened(seen, seen)
        if self._tls is not None:
            opened.stream = encrypted = TlsStream(seen, self._tls, self._host)
            with trio.fail_after(self._connect_timeout):
                await encrypted.do_handshake()
        progress.opened_ns = progress.clock.monotonic_ns()
        return opened


def written(method: str, target: bytes, headers: Sequence[tuple[bytes, bytes]], body: bytes) -> bytes:
    """A request as it stands on the wire (RFC 9112): as h11 would write it.

    Raises:
        h11.LocalProtocolError: something in its head would end it early, or be another header.
    """
    lines = [b"%s %s HTTP/1.1" % (method.encode("ascii"), target), *map(b": ".join, headers)]
    if any(map(_CONTROL.search, lines)):
        raise h11.LocalProtocolError("a control character in the head of a request")
    return b"\r\n".join((*lines, b"", body))


@attrs.define(eq=False)
class _Opened:
    """A connection."""

    seen: SeenStream
    stream: SeenStream | TlsStream
    """It, or the encryption over it."""

    http: h11.Connection = attrs.field(
        factory=lambda: h11.Connection(h11.CLIENT, max_incomplete_event_size=LONGEST_HEAD)
    )


async def _more(opened: _Opened, progress: Progress) -> bytes:
    data = await opened.stream.receive_some()
    progress.first_ns = progress.first_ns or opened.seen.read_ns
    return bytes(data)


async def _receive(opened: _Opened, progress: Progress) -> Heard:
    status, headers, parts = 0, list[tuple[bytes, bytes]](), list[bytes]()
    while True:
        match opened.http.next_event():
            case h11.NEED_DATA:
                data = await _more(opened, progress)
                if not data and opened.http.their_state is h11.SEND_RESPONSE:
                    raise h11.RemoteProtocolError("the venue disconnected without an answer")
                opened.http.receive_data(data)
            case h11.Response() as response:
                status, headers = response.status_code, list(response.headers)
            case h11.Data(data=data):
                parts.append(bytes(data))
            case h11.EndOfMessage():
                return Heard(status, headers, b"".join(parts))


def keepalive_options(seconds: int) -> list[SocketOption]:
    """Have the kernel probe a connection that was idle for so long."""
    if sys.platform == "darwin":
        idle = socket.TCP_KEEPALIVE
    else:
        idle = socket.TCP_KEEPIDLE
    return [(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1), (socket.IPPROTO_TCP, idle, seconds)]
