"""Time stamps, ids and sequence numbers: everything the exchange numbers."""

from random import Random

from bot.core.clock import Clock

_MS = 1_000_000


class Sequence:
    """Numbers that rise and look like nanoseconds of the clock, ``ahead`` of it by some (protocol reference 3.3)."""

    def __init__(self, clock: Clock, ahead: int) -> None:
        self._clock = clock
        self._ahead = ahead
        self._last = 0

    def next(self) -> int:
        self._last = max(self._last + 1, self._clock.wall_ns() + self._ahead)
        return self._last


class Stamps:
    """The exchange's clock in the venue's units, and its ids."""

    def __init__(self, clock: Clock, rng: Random) -> None:
        self._clock = clock
        self._rng = rng
        self._ids = 0
        self.rest_seq = Sequence(clock, 0)
        self.stream_seq = Sequence(clock, rng.randrange(1, 1_000_000))

    def now_ns(self) -> int:
        return self._clock.wall_ns()

    def now_ms(self) -> int:
        return self._clock.wall_ns() // _MS

    def now_us(self) -> int:
        return self._clock.wall_ns() // 1000

    def new_id(self) -> str:
        """28 decimal digits, the first 13 the ms of now (protocol reference 3.3). Never the same twice."""
        self._ids += 1
        return f"{self.now_ms():013d}{self._rng.randrange(10**9):09d}{self._ids % 10**6:06d}"

    def node_id(self) -> str:
        """An opaque name for the node a socket landed on."""
        return f"{self._rng.getrandbits(64):016x}"
