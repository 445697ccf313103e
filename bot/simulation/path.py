"""The way between two hosts: how long it takes, how much it carries, and what stands in the way."""

from collections import deque
from collections.abc import Callable
from math import inf
from random import Random
from typing import Generic, TypeVar

import attrs

from bot.simulation.timeline import Timeline

ETHERNET_SEGMENT = 1460
"""Bytes of a TCP segment in an Ethernet frame of 1500 (RFC 9293, section 3.7.1)."""


class Passage:
    """Something that packets pass in order, and that can be blocked.

    What is blocked waits at the far end and passes, in order, when the way is free again: TCP retransmits what was
    lost, so the bytes behind a gap are never seen before the gap is filled. Its timers, which give up after minutes,
    are not part of this: whoever wants to notice needs a deadline of their own, as on a real network.
    """

    def __init__(self, timeline: Timeline) -> None:
        self._timeline = timeline
        self._held: deque[Callable[[], None]] = deque()
        self._blocked_until = -inf

    def black_hole(self) -> None:
        """Deliver nothing and say nothing, until `heal`."""
        self._blocked_until = inf

    def stall(self, seconds: float) -> None:
        """Deliver nothing for ``seconds``, then go on."""
        self._blocked_until = max(self._blocked_until, self._timeline.now() + seconds)
        self._timeline.at(self._blocked_until, self._release)

    def heal(self) -> None:
        """End a black hole or a stall: what has arrived meanwhile is delivered now."""
        self._blocked_until = -inf
        self._release()

    def _admit(self, deliver: Callable[[], None]) -> None:
        if self._held or self._timeline.now() < self._blocked_until:
            self._held.append(deliver)
        else:
            deliver()

    def _release(self) -> None:
        while self._held and self._timeline.now() >= self._blocked_until:
            self._held.popleft()()


class Order:
    """Whose packets must not overtake one another: those of one direction of one connection."""

    def __init__(self) -> None:
        self.last_arrival = -inf


class Path(Passage):
    """One direction between two hosts. All connections share it; its properties may change at any time.

    Packets on their way keep the arrival they had; later ones never overtake earlier ones of their connection.
    """

    def __init__(self, timeline: Timeline, random: Random) -> None:
        super().__init__(timeline)
        self.delay = 0.0
        """Seconds from end to end."""
        self.jitter = 0.0
        """Seconds on top of the delay, at most; drawn evenly for each packet."""
        self.bandwidth = inf
        """Bytes a second, of all connections together."""
        self.segment = ETHERNET_SEGMENT
        """Bytes that travel, and are received, in one piece at most; 1 hands over byte by byte."""
        self.refusing = False
        """Whether whoever opens a connection along this path is refused."""
        self._random = random
        self._queue: deque[tuple[int, Order, Callable[[], None]]] = deque()
        self._transmitting = False

    def shape(
        self,
        *,
        delay: float | None = None,
        jitter: float | None = None,
        bandwidth: float | None = None,
        segment: int | None = None,
    ) -> None:
        """Change what is given: seconds, seconds, bytes a second, bytes.

        Raises:
            ValueError: a negative time, or a width of nothing.
        """
        delay = self.delay if delay is None else delay
        jitter = self.jitter if jitter is None else jitter
        bandwidth = self.bandwidth if bandwidth is None else bandwidth
        segment = self.segment if segment is None else segment
        if min(delay, jitter) < 0 or bandwidth <= 0 or segment < 1:
            raise ValueError("a path takes no negative time, and carries at least one byte at a time")
        self.delay, self.jitter, self.bandwidth, self.segment = delay, jitter, bandwidth, segment

    def refuse(self) -> None:
        """Answer every attempt to connect with a reset, until `heal`."""
        self.refusing = True

    def heal(self) -> None:
        self.refusing = False
        super().heal()

    def carry(self, size: int, order: Order, deliver: Callable[[], None]) -> None:
        """Call ``deliver()`` at the other end when ``size`` bytes have travelled."""
        if self._transmitting:
            self._queue.append((size, order, deliver))
        else:
            self._transmit(size, order, deliver)

    def _transmit(self, size: int, order: Order, deliver: Callable[[], None]) -> None:
        # One packet after the other, each at the bandwidth of its moment: a slow spell ends when it ends, and does
        # not live on in arrivals computed long before.
        if duration := size / self.bandwidth:
            self._transmitting = True
            self._timeline.after(duration, self._transmitted, order, deliver)
        else:
            self._fly(order, deliver)

    def _transmitted(self, order: Order, deliver: Callable[[], None]) -> None:
        self._transmitting = False
        self._fly(order, deliver)
        while self._queue and not self._transmitting:
            self._transmit(*self._queue.popleft())

    def _fly(self, order: Order, deliver: Callable[[], None]) -> None:
        arrival = self._timeline.now() + self.delay + self.jitter * self._random.random()
        order.last_arrival = max(arrival, order.last_arrival)
        self._timeline.at(order.last_arrival, self._admit, deliver)


P = TypeVar("P", bound=Passage)


@attrs.define(eq=False)
class Duplex(Generic[P]):
    """Both directions of something; ``up`` leads from the client to the server."""

    up: P
    down: P

    def black_hole(self) -> None:
        """Deliver nothing in either direction and say nothing, until `heal`."""
        self.up.black_hole()
        self.down.black_hole()

    def stall(self, seconds: float) -> None:
        """Deliver nothing in either direction for ``seconds``, then go on."""
        self.up.stall(seconds)
        self.down.stall(seconds)

    def heal(self) -> None:
        """End what blocks either direction."""
        self.up.heal()
        self.down.heal()


@attrs.define(eq=False)
class Way(Duplex[Path]):
    """Both paths between a client's and a server's host."""

    def shape(
        self,
        *,
        delay: float | None = None,
        jitter: float | None = None,
        bandwidth: float | None = None,
        segment: int | None = None,
    ) -> None:
        """Shape both directions alike; see `Path.shape`."""
        self.up.shape(delay=delay, jitter=jitter, bandwidth=bandwidth, segment=segment)
        self.down.shape(delay=delay, jitter=jitter, bandwidth=bandwidth, segment=segment)
