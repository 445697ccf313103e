"""One direction of one TCP connection."""

import enum
from collections.abc import Callable
from functools import partial

import attrs

from bot.simulation.path import Order, Passage, Path
from bot.simulation.timeline import Timeline


class Kind(enum.Enum):
    """What a packet says."""

    SYN = enum.auto()
    SYN_ACK = enum.auto()
    ACK = enum.auto()
    DATA = enum.auto()
    WINDOW = enum.auto()
    FIN = enum.auto()
    RST = enum.auto()


@attrs.frozen
class Packet:
    """A TCP segment. Only ``data`` uses bandwidth; who receives ``window`` may send so many bytes more."""

    kind: Kind
    data: bytes = b""
    window: int = 0


class Ending(enum.Enum):
    """How a connection is cut: as by a firewall that resets it, or by a proxy that hangs up."""

    RST = Kind.RST
    FIN = Kind.FIN


class Pipe(Passage):
    """What goes in at one end comes out at the other in the same order. It can be blocked apart from its path."""

    def __init__(self, timeline: Timeline, path: Path, cut: Callable[[Ending], None]) -> None:
        super().__init__(timeline)
        self.path = path
        self.sent = 0
        """Bytes put in."""
        self.packets = 0
        """Packets put in, also those without bytes."""
        self.delivered = 0
        """Bytes that came out."""
        self._cut = cut
        self._cut_at: tuple[int, Ending] | None = None
        self._order = Order()
        self._receive: Callable[[Packet], None]

    def lead_to(self, receive: Callable[[Packet], None]) -> None:
        """Hand what comes out to ``receive``."""
        self._receive = receive

    def send(self, packet: Packet) -> None:
        """Put a packet in."""
        self.sent += len(packet.data)
        self.packets += 1
        self.path.carry(len(packet.data), self._order, partial(self._admit, partial(self._deliver, packet)))

    def cut_after(self, count: int, ending: Ending = Ending.RST) -> None:
        """Cut the connection when ``count`` more bytes have come out, be it in the middle of a frame."""
        if count:
            self._cut_at = (self.delivered + count, ending)
        else:
            self._cut(ending)

    def _deliver(self, packet: Packet) -> None:
        if self._cut_at is None or self.delivered + len(packet.data) < self._cut_at[0]:
            self.delivered += len(packet.data)
            self._receive(packet)
            return
        limit, ending = self._cut_at
        self._cut_at = None
        rest = packet.data[: limit - self.delivered]
        self.delivered = limit
        self._receive(Packet(Kind.DATA, rest))
        self._cut(ending)
