"""Connections of which is known when bytes came and left, and how far away their other end is."""

import socket
import struct
import types
from collections.abc import Callable, Coroutine, Generator
from typing import Any, TypeVar

import trio

from bot.core.clock import Clock

T = TypeVar("T")

_RTT_OFFSET = 68
"""Bytes before ``tcpi_rtt`` in Linux's ``struct tcp_info``: eight of one byte, and fifteen numbers of four."""

_TCP_INFO = getattr(socket, "TCP_INFO", None)


class SeenStream(trio.abc.Stream):
    """A connection without its encryption, of which is known when bytes came and left."""

    def __init__(self, stream: trio.SocketStream, clock: Clock) -> None:
        self._stream = stream
        self._clock = clock
        self.read_ns = self.written_ns = clock.monotonic_ns()
        """When something came last, and when the system had taken what left last, or had no room for it."""

    async def send_all(self, data: bytes | bytearray | memoryview) -> None:
        await at_first_stop(self._stream.send_all(data), self._is_written)

    async def wait_send_all_might_not_block(self) -> None:
        await self._stream.wait_send_all_might_not_block()

    async def receive_some(self, max_bytes: int | None = None) -> bytes | bytearray:
        data = await self._stream.receive_some(max_bytes)
        self.read_ns = self._clock.monotonic_ns()
        return data

    async def aclose(self) -> None:
        await self._stream.aclose()

    @property
    def socket(self) -> trio.socket.SocketType:
        return self._stream.socket

    def round_trip_us(self) -> int | None:
        """See `round_trip_us`."""
        return round_trip_us(self._stream.socket)

    def _is_written(self) -> None:
        self.written_ns = self._clock.monotonic_ns()


@types.coroutine
def at_first_stop(work: Coroutine[Any, Any, T], tell: Callable[[], None]) -> Generator[Any, Any, T]:
    """Await ``work``, and ``tell`` when it lets others run for the first time, or has ended.

    A trio socket sends first and lets others run then: only here is known when the bytes had left, and not when
    everybody else had had his turn.
    """
    steps = work.__await__()
    is_told, sent = False, None
    while True:
        try:
            wish = steps.send(sent)
        except StopIteration as end:
            return end.value  # type: ignore[no-any-return]
        finally:
            if not is_told:
                is_told = True
                tell()
        sent = yield wish


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
