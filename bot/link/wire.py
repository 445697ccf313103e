"""Connections of which is known when bytes came and left, and how far away their other end is."""

import errno
import os
import socket
import struct

import trio

from bot.core.clock import Clock

_RTT_OFFSET = 68
"""Bytes before ``tcpi_rtt`` in Linux's ``struct tcp_info``: eight of one byte, and fifteen numbers of four."""

_TCP_INFO = getattr(socket, "TCP_INFO", None)


class SeenStream(trio.abc.Stream):
    """A connection without its encryption, of which is known when bytes came and left.

    What is sent goes to the system in the moment in which it is handed over: no other task has its turn before that.
    """

    def __init__(self, stream: trio.SocketStream, clock: Clock) -> None:
        self._stream = stream
        self._clock = clock
        self._rest = bytearray()
        """What the system had no room for yet."""

        self._flushing = trio.Lock()
        self.read_ns = self.written_ns = clock.monotonic_ns()
        """When something came last, and when the system had taken what left last, or had no room for it."""

    def push(self, data: bytes | bytearray | memoryview) -> bool:
        """Hand ``data`` over, behind what still waits for room; whether the system took all of it.

        Raises:
            trio.BrokenResourceError: the connection is broken, and nobody knows what of it arrived.
            trio.ClosedResourceError: it was closed.
        """
        self._rest += data
        self._write()
        return self.is_flushed

    @property
    def is_flushed(self) -> bool:
        """Nothing waits for room."""
        return not self._rest

    async def flush(self) -> None:
        """Return when the system has taken everything. Raises as `push`."""
        async with self._flushing:
            while self._rest:
                await self._stream.wait_send_all_might_not_block()
                self._write()

    async def send_all(self, data: bytes | bytearray | memoryview) -> None:
        if self.push(data):
            await trio.lowlevel.cancel_shielded_checkpoint()
        else:
            await self.flush()

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

    def _write(self) -> None:
        try:
            while self._rest:
                del self._rest[: send_now(self._stream.socket, self._rest)]
        except BlockingIOError:
            pass
        except OSError as error:
            if error.errno == errno.EBADF:
                raise trio.ClosedResourceError("this connection was closed") from None
            raise trio.BrokenResourceError(f"the connection is broken: {error}") from error
        finally:
            self.written_ns = self._clock.monotonic_ns()


def send_now(connected: trio.socket.SocketType, data: bytes | bytearray) -> int:
    """Hand over as much of ``data`` as the system takes at once, and return how much: trio's own way ends in a wait.

    A socket that is none of the system's, as in `bot.simulation`, has a ``send_now`` of its own.

    Raises:
        BlockingIOError: there is no room.
        OSError: the connection is broken; EBADF if it was closed.
    """
    own = getattr(connected, "send_now", None)
    return int(os.write(connected.fileno(), data) if own is None else own(data))


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
