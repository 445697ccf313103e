"""The only reader of the machine's clocks."""

import time

import trio


class SystemClock:
    """This machine's clocks. Satisfies `bot.core.clock.Clock`."""

    def wall_ns(self) -> int:
        return time.time_ns()

    def monotonic_ns(self) -> int:
        return time.monotonic_ns()


class TrioClock:
    """Both clocks driven by trio's, so that a run under `trio.testing.MockClock` has virtual stamps too.

    Satisfies `bot.core.clock.Clock`. ``epoch_ns`` is the wall time, in ns since the Unix epoch, at trio time 0.
    """

    def __init__(self, epoch_ns: int) -> None:
        self._epoch_ns = epoch_ns

    def wall_ns(self) -> int:
        return self._epoch_ns + self.monotonic_ns()

    def monotonic_ns(self) -> int:
        return round(trio.current_time() * 1e9)
