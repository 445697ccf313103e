"""The only reader of the machine's clocks, and the venue's clock as seen from here."""

import time

import trio

from bot.core.clock import Clock


class SystemClock:
    """This machine's clocks, the monotonic one counted from here on. Satisfies `bot.core.clock.Clock`."""

    def __init__(self) -> None:
        self._origin_ns = time.monotonic_ns()

    def wall_ns(self) -> int:
        return time.time_ns()

    def monotonic_ns(self) -> int:
        return time.monotonic_ns() - self._origin_ns


class TrioClock:
    """Both clocks driven by trio's, so that a run under `trio.testing.MockClock` has virtual stamps too.

    Satisfies `bot.core.clock.Clock`. ``epoch_ns`` is the wall time at trio time 0, in ns since the Unix
    epoch.
    """

    def __init__(self, epoch_ns: int) -> None:
        self._epoch_ns = epoch_ns

    def wall_ns(self) -> int:
        return self._epoch_ns + self.monotonic_ns()

    def monotonic_ns(self) -> int:
        return round(trio.current_time() * 1e9)


class VenueClock:
    """The venue's time: our monotonic clock and the offset last measured against ``GET /system/time``.

    Order and login signatures carry this time; intervals never do. The wall clock says where to begin and
    nothing after that: when somebody sets it, a signature must not come to lie in the future, for then the
    venue could accept the order later than we believe.
    """

    def __init__(self, clock: Clock, offset_ns: int = 0) -> None:
        """``offset_ns``: how much the venue is believed to be ahead of our wall clock."""
        self._clock = clock
        self._offset_ns = clock.wall_ns() - clock.monotonic_ns() + offset_ns

    def now_ms(self) -> int:
        """Unix ms, as the venue counts them."""
        return (self._clock.monotonic_ns() + self._offset_ns) // 1_000_000

    def measured(self, *, server_time_ms: int, elapsed_ns: int) -> None:
        """Take over what an answer just read says, which was on its way for half of ``elapsed_ns``."""
        self._offset_ns = server_time_ms * 1_000_000 + elapsed_ns // 2 - self._clock.monotonic_ns()
