"""The only reader of the machine's clocks, and the venue's clock as seen from here."""

import math
import time

import trio

from bot.core.clock import Clock
from bot.core.errors import NotSentError

WRONG_NS = 250_000_000
"""A wall clock that is certainly further than this from the venue's is wrong (`faults.md` section 2)."""

JUMP_NS = 5_000_000_000
"""What moves the wall clock further than this between two looks was no drift: somebody set it, or we slept."""

LOOK_EVERY = 5.0
"""Seconds between two looks at the wall clock."""


class SystemClock:
    """This machine's clocks, the monotonic one counted from here on. Satisfies `bot.core.clock.WorkClock`."""

    def __init__(self) -> None:
        self._origin_ns = time.monotonic_ns()

    def wall_ns(self) -> int:
        return time.time_ns()

    def monotonic_ns(self) -> int:
        return time.monotonic_ns() - self._origin_ns

    def thread_ns(self) -> int:
        return time.thread_time_ns()


class TrioClock:
    """Both clocks driven by trio's, so that a run under `trio.testing.MockClock` has virtual stamps too.

    Satisfies `bot.core.clock.WorkClock`. ``epoch_ns`` is the wall time at trio time 0, in ns since the Unix
    epoch.
    """

    def __init__(self, epoch_ns: int) -> None:
        self._epoch_ns = epoch_ns

    def wall_ns(self) -> int:
        return self._epoch_ns + self.monotonic_ns()

    def monotonic_ns(self) -> int:
        return round(trio.current_time() * 1e9)

    def thread_ns(self) -> int:
        return 0


class VenueClock:
    """The venue's time: our monotonic clock and the offset last measured against ``GET /system/time``.

    Order and login signatures carry this time; intervals never do. The wall clock says where to begin and
    nothing after that: when somebody sets it, a signature must not come to lie in the future, for then the
    venue could accept the order later than we believe.
    """

    def __init__(self, clock: Clock, offset_ns: int = 0) -> None:
        """``offset_ns``: how much the venue is believed to be ahead of our wall clock."""
        self.ours = clock
        self.uncertainty_ns: int | None = None
        """How far the last measurement may be from the truth: half of its round trip. None: there is none."""

        self.is_wall_wrong = False
        """By the last measurement our wall clock is certainly wrong, by more than `WRONG_NS`."""

        self._ahead_ns = clock.wall_ns() - clock.monotonic_ns() + offset_ns  # of the monotonic clock
        self._measured_ns = 0

    def now_ms(self) -> int:
        """Unix ms, as the venue counts them."""
        return (self.ours.monotonic_ns() + self._ahead_ns) // 1_000_000

    def ns_at(self, unix_ms: int) -> int:
        """When the venue's clock shows ``unix_ms``, by its last measurement: on our monotonic clock."""
        return unix_ms * 1_000_000 - self._ahead_ns

    @property
    def offset_ns(self) -> int:
        """How much the venue's clock, as it is reckoned here, is ahead of our wall clock as it stands now.

        It shows a wall clock that is wrong, and a monotonic one that stood still while the machine slept.
        """
        return self._ahead_ns + self.ours.monotonic_ns() - self.ours.wall_ns()

    def check(self, recv_window_ms: int) -> None:
        """Raise `NotSentError` where nobody can say well enough when an order would be signed.

        That is when the clocks may differ by more than half of ``recv_window_ms`` (`faults.md` section 2).
        """
        if self.uncertainty_ns is None:
            raise NotSentError("the venue's clock has to be measured first")
        offset_ns = self.offset_ns
        if abs(offset_ns) + self.uncertainty_ns > recv_window_ms * 500_000:
            raise NotSentError(
                f"our clock and the venue's differ by {offset_ns / 1e9:.3f} s, known to"
                f" {self.uncertainty_ns / 1e9:.3f} s: more than half of the recv_window"
            )

    def measured(self, *, server_time_ms: int, elapsed_ns: int) -> None:
        """Take over what an answer just read says, which was on its way for half of ``elapsed_ns``."""
        self._measured_ns = self.ours.monotonic_ns()
        self._ahead_ns = server_time_ms * 1_000_000 + elapsed_ns // 2 - self._measured_ns
        self.uncertainty_ns = elapsed_ns // 2
        self.is_wall_wrong = abs(self.offset_ns) - self.uncertainty_ns > WRONG_NS

    def doubt(self) -> None:
        """Something happened to our clocks: the last measurement says nothing any more."""
        self.uncertainty_ns = None

    def age(self) -> float:
        """Seconds since the last measurement that counts; infinite where there is none."""
        if self.uncertainty_ns is None:
            return math.inf
        return (self.ours.monotonic_ns() - self._measured_ns) / 1e9


class WallWatch:
    """Looks from time to time whether the wall clock jumps: a suspended laptop, or somebody who sets it."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._lead_ns = clock.wall_ns() - clock.monotonic_ns()

    async def jumped(self) -> float:
        """Wait until it does, and return how many seconds forward. No jump is missed between two calls."""
        while True:
            await trio.sleep(LOOK_EVERY)
            before_ns, self._lead_ns = self._lead_ns, self._clock.wall_ns() - self._clock.monotonic_ns()
            if abs(self._lead_ns - before_ns) > JUMP_NS:
                return (self._lead_ns - before_ns) / 1e9
