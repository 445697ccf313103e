"""What the rest of the program knows of time."""

from typing import Protocol


class Clock(Protocol):
    """A source of time. `bot/link/clock.py` reads the machine's; simulations pass a virtual one."""

    def wall_ns(self) -> int:
        """Nanoseconds since the Unix epoch, as this machine believes."""
        ...

    def monotonic_ns(self) -> int:
        """Nanoseconds on a clock that never goes back; 0 is the start of the run, or near it."""
        ...


class WorkClock(Clock, Protocol):
    """A `Clock` that also knows what work costs."""

    def thread_ns(self) -> int:
        """Nanoseconds that this thread has spent on a processor. In virtual time work takes none."""
        ...
