"""One end of a TCP connection: what a kernel keeps behind a socket (RFC 9293).

Packets are not lost one by one: a path delivers all of them or, while it is blocked, none. So there are no sequence
numbers and no retransmissions, and what remains is what programs can see: handshake, windows, half-close, reset. The
errors are those of Linux; `tests/simulation/test_virtual_kernel.py` plays the same scenes over its sockets.
"""

import enum
import errno
from collections import deque
from collections.abc import Callable
from typing import ClassVar

from bot.simulation.address import Address, error
from bot.simulation.pipe import Kind, Packet, Pipe
from bot.simulation.readiness import Readiness


class Phase(enum.Enum):
    """Where an end stands. That a direction has ended is no phase: two flags say it, one for each direction."""

    LISTEN = enum.auto()
    SYN_SENT = enum.auto()
    SYN_RECEIVED = enum.auto()
    ESTABLISHED = enum.auto()
    CLOSED = enum.auto()


class Endpoint:
    """One end of a connection.

    At most ``window`` bytes of each direction are on their way or unread; a sender that has used them up blocks.
    """

    def __init__(
        self,
        phase: Phase,
        local: Address,
        peer: Address,
        outgoing: Pipe,
        window: int,
        *,
        listener: Callable[[], "Backlog | None"] = lambda: None,
        changed: Callable[[], None],
    ) -> None:
        self.phase = phase
        self.local = local
        self.peer = peer
        self.readable = Readiness()
        self.writable = Readiness()
        self.released = False
        """Whether its program has closed it."""
        self.was_reset = False
        """Whether the other end, or something that spoke for it, has reset it."""
        self._outgoing = outgoing
        self._listener = listener
        self._changed = changed
        self._inbox: deque[bytes] = deque()
        self._window = window
        self._room = window
        self._read = 0  # bytes, since the peer was last told of room
        self._errno = 0
        self._fin_sent = False
        self._fin_received = False

    # What programs ask for.

    def open(self) -> None:
        """Ask the other end for a connection. `writable` wakes when there is an answer."""
        self._say(Kind.SYN)

    def is_readable(self) -> bool:
        """Whether `recv` has something to say: bytes, an end, or an error."""
        return bool(self._inbox) or self._fin_received or self.phase is Phase.CLOSED

    def is_writable(self) -> bool:
        """Whether `send` has something to say."""
        return self._fin_sent or self.phase is Phase.CLOSED or self._room > 0

    def recv(self, size: int) -> bytes:
        """At most ``size`` bytes of one segment; nothing, at the end.

        Segments are not joined, so that a path that carries short ones is felt by the reader.

        Raises:
            BlockingIOError: nothing has come yet.
            OSError: the connection was reset; said once, after which it has ended.
        """
        if self._inbox and size:
            segment = self._inbox.popleft()
            if len(segment) > size:
                self._inbox.appendleft(segment[size:])
            self._give_room(min(len(segment), size))
            return segment[:size]
        if self._fin_received or not size:
            return b""
        self.raise_error()
        if self.phase is Phase.CLOSED:
            return b""
        raise BlockingIOError

    def send(self, data: bytes) -> int:
        """Put as much of ``data`` on its way as the window allows, and return how much.

        Raises:
            BlockingIOError: the window allows nothing.
            OSError: the connection was reset (said once), or has ended.
        """
        self.raise_error()
        if self._fin_sent or self.phase is not Phase.ESTABLISHED:
            raise error(errno.EPIPE)
        if data and not self._room:
            raise BlockingIOError
        data = data[: self._room]
        self._room -= len(data)
        size = self._outgoing.path.segment
        for start in range(0, len(data), size):
            self._say(Kind.DATA, data[start : start + size])
        return len(data)

    def end(self) -> None:
        """Send nothing more: a half-close.

        Raises:
            OSError: there is no connection.
        """
        if self.phase is not Phase.ESTABLISHED:
            raise error(errno.ENOTCONN)
        if not self._fin_sent:
            self._fin_sent = True
            self._say(Kind.FIN)
            self._close_if_both_have_ended()
            self.writable.wake()

    def close(self) -> None:
        """Leave. What was sent still travels, unless bytes are thrown away unread: then the peer is told by a reset.

        (RFC 2525, section 2.17.)
        """
        if self._inbox:
            self.abort()
            return
        if self.phase is Phase.ESTABLISHED:
            self.end()
        else:
            self.phase = Phase.CLOSED
        self._release()

    def abort(self) -> None:
        """Leave by a reset."""
        if self.phase in {Phase.SYN_RECEIVED, Phase.ESTABLISHED}:
            self._say(Kind.RST)
        self.phase = Phase.CLOSED
        self._release()

    def take_error(self) -> int:
        """The error nobody was told of yet (SO_ERROR), or 0. Taking it is being told."""
        number, self._errno = self._errno, 0
        return number

    def raise_error(self) -> None:
        """Tell of the error nobody was told of yet, if there is one.

        Raises:
            OSError: as an end of the connection was refused or reset.
        """
        if self._errno:
            raise error(self.take_error())

    def _close_if_both_have_ended(self) -> None:
        if self._fin_sent and self._fin_received:
            self.phase = Phase.CLOSED

    def _release(self) -> None:
        self.released = True
        self._inbox.clear()
        self.readable.close()
        self.writable.close()
        self._changed()

    def _say(self, kind: Kind, data: bytes = b"", window: int = 0) -> None:
        self._outgoing.send(Packet(kind, data, window))

    def _give_room(self, size: int) -> None:
        # Half a window at a time, as TCP does to keep windows from becoming silly (RFC 9293, section 3.8.6.2.2).
        self._read += size
        if self._read * 2 >= self._window:
            self._say(Kind.WINDOW, window=self._read)
            self._read = 0

    # What packets say.

    def receive(self, packet: Packet) -> None:
        """Take a packet. One that the table does not list cannot come on a path that keeps order: KeyError."""
        self._RECEIVE[self.phase, packet.kind](self, packet)

    def _on_syn(self, packet: Packet) -> None:
        if self._listener() is None:
            self._answer_reset(packet)
        else:
            self.phase = Phase.SYN_RECEIVED
            self._say(Kind.SYN_ACK)

    def _on_syn_ack(self, _: Packet) -> None:
        self.phase = Phase.ESTABLISHED
        self._say(Kind.ACK)
        self.writable.wake()
        self._changed()

    def _on_ack(self, packet: Packet) -> None:
        backlog = self._listener()
        if backlog is None:
            self._answer_reset(packet)
        else:
            self.phase = Phase.ESTABLISHED
            backlog.add(self)

    def _on_data(self, packet: Packet) -> None:
        # Data behind a FIN only comes where the FIN was forged, by whoever cut the connection.
        if self.released or self._fin_received:
            self._answer_reset(packet)
        elif packet.data:
            self._inbox.append(packet.data)
            self.readable.wake()

    def _on_window(self, packet: Packet) -> None:
        self._room += packet.window
        self.writable.wake()

    def _on_fin(self, _: Packet) -> None:
        self._fin_received = True
        self._close_if_both_have_ended()
        self.readable.wake()

    def _on_refusal(self, _: Packet) -> None:
        self._fail(errno.ECONNREFUSED)

    def _on_reset(self, _: Packet) -> None:
        self.was_reset = True
        self._fail(errno.EPIPE if self._fin_received else errno.ECONNRESET)

    def _fail(self, number: int) -> None:
        self.phase = Phase.CLOSED
        self._errno = number
        self.readable.wake()
        self.writable.wake()
        self._changed()

    def _answer_reset(self, _: Packet) -> None:
        self._say(Kind.RST)
        if self.released or self.phase is not Phase.ESTABLISHED:
            self.phase = Phase.CLOSED

    def _ignore(self, _: Packet) -> None:
        pass

    # RFC 9293, section 3.10.7, without what a path in order rules out.
    _RECEIVE: ClassVar[dict[tuple[Phase, Kind], Callable[["Endpoint", Packet], None]]] = {
        (Phase.LISTEN, Kind.SYN): _on_syn,
        (Phase.LISTEN, Kind.RST): _on_reset,
        (Phase.SYN_SENT, Kind.SYN_ACK): _on_syn_ack,
        (Phase.SYN_SENT, Kind.RST): _on_refusal,
        (Phase.SYN_RECEIVED, Kind.ACK): _on_ack,
        (Phase.SYN_RECEIVED, Kind.RST): _on_reset,
        (Phase.ESTABLISHED, Kind.DATA): _on_data,
        (Phase.ESTABLISHED, Kind.WINDOW): _on_window,
        (Phase.ESTABLISHED, Kind.FIN): _on_fin,
        (Phase.ESTABLISHED, Kind.RST): _on_reset,
        (Phase.CLOSED, Kind.SYN): _answer_reset,
        (Phase.CLOSED, Kind.SYN_ACK): _answer_reset,
        (Phase.CLOSED, Kind.ACK): _ignore,
        (Phase.CLOSED, Kind.DATA): _answer_reset,
        (Phase.CLOSED, Kind.WINDOW): _ignore,
        (Phase.CLOSED, Kind.FIN): _ignore,
        (Phase.CLOSED, Kind.RST): _ignore,
    }


class Backlog:
    """The connections that a listening socket has not accepted yet, without limit: trio asks for 65535."""

    def __init__(self) -> None:
        self.readable = Readiness()
        self._waiting: deque[Endpoint] = deque()

    def is_readable(self) -> bool:
        """Whether `accept` would not block."""
        return bool(self._waiting)

    def add(self, endpoint: Endpoint) -> None:
        """Let a connection wait for `accept`."""
        self._waiting.append(endpoint)
        self.readable.wake()

    def accept(self) -> Endpoint:
        """The connection that has waited longest.

        Raises:
            BlockingIOError: none waits.
        """
        if not self._waiting:
            raise BlockingIOError
        return self._waiting.popleft()

    def close(self) -> None:
        """Reset those that nobody will accept."""
        self.readable.close()
        for endpoint in self._waiting:
            endpoint.abort()
