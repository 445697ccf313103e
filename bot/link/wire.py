"""What a connection tells of a request: when it left, when its answer came, and how far away the venue is."""

import socket
import struct
from typing import Any

import attrs
import trio

from bot.core.clock import Clock

_RTT_OFFSET = 68
"""Bytes before ``tcpi_rtt`` in Linux's ``struct tcp_info``: eight of one byte, and fifteen numbers of four."""

_TCP_INFO = getattr(socket, "TCP_INFO", None)


@attrs.frozen(kw_only=True)
class Wire:
    """Times in ns since the start of the run."""

    reused: bool
    """The connection was open already."""

    idle_ns: int
    """For so long it had not been used."""

    written_ns: int
    """The system had taken the last byte of the request."""

    first_ns: int
    """The answer was there: its first byte of one over HTTP, its last one over the WebSocket."""

    parsed_ns: int
    """It was understood."""

    rtt_us: int | None
    """The kernel's smoothed estimate of the round trip; None where it has none."""

    def told(self, exchange: int) -> dict[str, Any]:
        """For the tape, by the number of the exchange."""
        return {"x": exchange, **attrs.asdict(self)}


class SeenStream(trio.abc.Stream):
    """A stream, of which is known when bytes came and left."""

    def __init__(self, stream: trio.abc.Stream, clock: Clock) -> None:
        self._stream = stream
        self._clock = clock
        self.read_ns = self.written_ns = clock.monotonic_ns()
        """When something came last, and when the system had taken what left last."""

    async def send_all(self, data: bytes | bytearray | memoryview) -> None:
        await self._stream.send_all(data)
        self.written_ns = self._clock.monotonic_ns()

    async def wait_send_all_might_not_block(self) -> None:
        await self._stream.wait_send_all_might_not_block()

    async def receive_some(self, max_bytes: int | None = None) -> bytes | bytearray:
        data = await self._stream.receive_some(max_bytes)
        self.read_ns = self._clock.monotonic_ns()
        return data

    async def aclose(self) -> None:
        await self._stream.aclose()

    def round_trip_us(self) -> int | None:
        """See `round_trip_us`."""
        stream = self._stream
        while isinstance(stream, trio.SSLStream):
            stream = stream.transport_stream
        return round_trip_us(stream.socket) if isinstance(stream, trio.SocketStream) else None


def round_trip_us(connected: trio.socket.SocketType) -> int | None:
    """The kernel's estimate for a socket: Linux has one, other systems and networks need not."""
    if _TCP_INFO is None:
        return None
    try:
        info = connected.getsockopt(socket.IPPROTO_TCP, _TCP_INFO, _RTT_OFFSET + 4)
    except OSError:
        return None
    if len(info) < _RTT_OFFSET + 4:
        return None
    (found,) = struct.unpack_from("=I", info, _RTT_OFFSET)
    return int(found) or None
