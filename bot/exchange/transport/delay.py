"""A simulated round trip: a stream whose bytes take half of it each way.

It goes below TLS, so that handshakes cost what they cost on a real link: with a round trip of 50 ms a cold HTTPS
request takes 150 ms (TCP, TLS 1.3, request) and a warm one 50 ms, although loopback takes nothing.
"""

import math
from collections import deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import trio

_CHUNK = 64 * 1024

OVERDUE_BYTES = 1024 * 1024
"""Bytes that have arrived and that nobody takes; beyond them the sender waits, as on a full TCP window.

What is still on its way is not limited: a limit there would be a bandwidth.
"""

DRAIN = 10.0
"""How long bytes may take to leave after the near side closed."""


class _Line:
    """One direction: chunks with the time they are due, in order. Its end is a chunk of no bytes."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._chunks: deque[tuple[float, bytes]] = deque()
        self._changed = trio.lowlevel.ParkingLot()
        self.open = True

    def put(self, data: bytes, not_before: float = 0.0) -> None:
        if self.open:
            self._chunks.append((max(trio.current_time() + self._seconds, not_before), data))
            self._changed.unpark_all()

    def close(self) -> None:
        """Nobody takes from this line any more; who waits at its far end sees the end at once."""
        self.open = False
        self._chunks = deque([(-math.inf, b"")])
        self._changed.unpark_all()

    async def room(self) -> None:
        """Wait until not too much is overdue. True of an idle line at once."""
        await trio.lowlevel.checkpoint()
        while self.open and self._overdue() > OVERDUE_BYTES:
            await self._changed.park()

    def _overdue(self) -> int:
        now = trio.current_time()
        total = 0
        for due, data in self._chunks:
            if due > now:
                break
            total += len(data)
        return total

    async def take(self, most: int) -> bytes:
        """The next bytes that are due, at most so many; nothing at the end of the line, again and again."""
        await trio.lowlevel.checkpoint()
        while True:
            while not self._chunks:
                await self._changed.park()
            due, data = self._chunks[0]
            if due <= trio.current_time():
                break
            await trio.sleep_until(due)
        if len(data) > most:
            self._chunks[0] = (due, data[most:])
        elif data:
            self._chunks.popleft()
        self._changed.unpark_all()
        return data[:most]


class DelayedStream(trio.abc.Stream):
    """The near end of a slow link. Made by `delayed`."""

    def __init__(self, inward: _Line, outward: _Line) -> None:
        self._inward = inward
        self._outward = outward
        self._closed = False
        self._sending = trio.StrictFIFOLock()

    async def send_all(self, data: bytes | bytearray | memoryview) -> None:
        """Put the bytes on the line; returns before they arrive, as the kernel does."""
        async with self._sending:
            await self.wait_send_all_might_not_block()
            if data:
                self._outward.put(bytes(data))

    async def wait_send_all_might_not_block(self) -> None:
        await self._outward.room()
        if self._closed:
            raise trio.ClosedResourceError
        if not self._outward.open:
            raise trio.BrokenResourceError

    async def receive_some(self, max_bytes: int | None = None) -> bytes:
        if self._closed:
            raise trio.ClosedResourceError
        data = await self._inward.take(max_bytes or _CHUNK)
        if self._closed:
            raise trio.ClosedResourceError
        return data

    async def aclose(self) -> None:
        """Close. What was sent before still arrives, and then the peer sees the end."""
        if not self._closed:
            self._closed = True
            if self._outward.open:
                self._outward.put(b"")
            self._inward.close()
        await trio.lowlevel.checkpoint()


@asynccontextmanager
async def delayed(far: trio.abc.Stream, rtt: float) -> AsyncIterator[trio.abc.Stream]:
    """A stream that behaves as if ``far`` were ``rtt`` seconds away. Closes it in the end.

    The connection itself took a round trip that loopback does not show: nothing of the client is seen before one
    and a half round trips after this is entered. With ``rtt`` 0 it is the stream itself.
    """
    if not rtt:
        async with far:
            yield far
        return
    inward, outward = _Line(rtt / 2), _Line(rtt / 2)
    near = DelayedStream(inward, outward)
    async with far, trio.open_nursery() as nursery:
        nursery.start_soon(_carry_in, far, inward, trio.current_time() + 1.5 * rtt)
        drained = trio.Event()
        nursery.start_soon(_carry_out, far, outward, drained)
        yield near
        await near.aclose()
        with trio.move_on_after(DRAIN + rtt):
            await drained.wait()
        nursery.cancel_scope.cancel()


async def _carry_in(far: trio.abc.Stream, line: _Line, not_before: float) -> None:
    while True:
        await line.room()
        try:
            data = await far.receive_some(_CHUNK)
        except (trio.BrokenResourceError, trio.ClosedResourceError):
            data = b""
        line.put(bytes(data), not_before)
        if not data:
            return


async def _carry_out(far: trio.abc.Stream, line: _Line, drained: trio.Event) -> None:
    try:
        while data := await line.take(_CHUNK):
            await far.send_all(data)
        # Closing for sending only would do, but a peer that sees the end of a WebSocket or of an HTTP answer
        # closes too, and trio's SSLStream cannot close by halves.
        await far.aclose()
    except (trio.BrokenResourceError, trio.ClosedResourceError):
        line.close()
    drained.set()
