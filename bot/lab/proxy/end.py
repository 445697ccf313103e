"""A real socket, where a pipe ends."""

import errno
import socket
import struct
from collections import deque
from contextlib import suppress

import trio

from bot.simulation.network import WINDOW
from bot.simulation.pipe import Kind, Packet, Pipe

_RESET = struct.pack("ii", 1, 0)
"""SO_LINGER of no seconds: closing sends a reset."""


class End:
    """One of the two sockets of a relayed connection: `deliver` takes what one pipe brings, `away` is the other.

    What is delivered goes to the system at once, each packet for itself, so that from a pipe which brings single
    bytes the peer receives single bytes.
    """

    def __init__(self, away: Pipe) -> None:
        self.written = 0
        """Bytes handed to the system, or thrown away because nobody takes them any more."""
        self.ended = trio.Event()
        """The last byte was written, and the peer was told so."""
        self._away = away
        self._socket: socket.socket | None = None
        self._is_gone = False
        self._due: deque[Packet] = deque()
        self._stuck, self._progress = trio.lowlevel.ParkingLot(), trio.lowlevel.ParkingLot()

    def attach(self, connected: socket.socket) -> None:
        """The socket, from now on ours to close."""
        connected.setblocking(False)
        connected.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, True)
        self._socket = connected
        self._flush()

    def deliver(self, packet: Packet) -> None:
        """Write bytes, or end writing, after what was delivered before."""
        self._due.append(packet)
        self._flush()

    async def write_on(self) -> None:
        """Write what the system did not take at once, until the socket is closed."""
        with suppress(trio.ClosedResourceError):
            while self._socket is not None:
                if self._due:
                    await trio.lowlevel.wait_writable(self._socket)
                    self._flush()
                else:
                    await self._stuck.park()

    async def read_on(self, far: "End") -> None:
        """Send `away` whatever comes, until its end; no faster than ``far`` writes it."""
        while True:
            await far.room(self._away.sent - WINDOW)
            try:
                data = await self._receive()
            except (OSError, trio.ClosedResourceError):
                self._break()
                return
            step = self._away.path.segment
            for start in range(0, len(data), step):
                self._away.send(Packet(Kind.DATA, data[start : start + step]))
            if not data:
                self._away.send(Packet(Kind.FIN))
                return

    async def room(self, at_least: int) -> None:
        """Wait until so many bytes are written."""
        while self.written < at_least:
            await self._progress.park()

    def close(self, *, reset: bool) -> None:
        """Let go of the socket: with a reset, or in form."""
        self._is_gone = True
        if self._socket is None:
            return
        with suppress(OSError):  # the peer was faster
            if reset:
                self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
            else:
                self._socket.shutdown(socket.SHUT_WR)
        trio.lowlevel.notify_closing(self._socket)
        self._socket.close()
        self._socket = None

    async def _receive(self) -> bytes:
        while self._socket is not None:
            try:
                return self._socket.recv(WINDOW)
            except BlockingIOError:
                await trio.lowlevel.wait_readable(self._socket)
        raise OSError(errno.EBADF, "it is closed")

    def _flush(self) -> None:
        while self._due:
            packet = self._due[0]
            taken = self._write(packet)
            if taken is None:
                self._stuck.unpark_all()
                break
            self.written += taken
            if taken == len(packet.data):
                self._due.popleft()
            else:
                self._due[0] = Packet(Kind.DATA, packet.data[taken:])
        self._progress.unpark_all()

    def _write(self, packet: Packet) -> int | None:
        """So many bytes of it were taken; None: nothing is taken for now."""
        if self._is_gone:
            return len(packet.data)
        if self._socket is None:
            return None
        try:
            if packet.kind is Kind.DATA:
                return self._socket.send(packet.data)
            self._socket.shutdown(socket.SHUT_WR)
        except BlockingIOError:
            return None
        except OSError:
            self._break()
            return len(packet.data)
        self.ended.set()
        return 0

    def _break(self) -> None:
        """The peer is gone: who is at the other end of the way shall hear of it."""
        if not self._is_gone:
            self._is_gone = True
            self._away.send(Packet(Kind.RST))
