"""What tests in virtual time cost: a bot that places an order a second, and a meter that cuts its run into parts."""

import os
import resource
import subprocess

import attrs

from bot.link.clock import SystemClock
from bot.settings import Settings
from bot.trading.strategies.probe import ProbeSettings

HOUR = 3600.0

DELAY = 0.05
PAUSE = 0.7
"""Seconds. An order takes three round trips (its price, itself, its cancel) and a pause: a second."""


@attrs.frozen
class Span:
    """A part of the run: its orders, what they cost in seconds, and what the process holds at its end, in MiB."""

    orders: int
    cpu: float
    wall: float
    memory: float


def settings() -> Settings:
    """Those of a bot that places an order a second, `DELAY` away from its venue."""
    return attrs.evolve(Settings(), strategy=ProbeSettings(pause=PAUSE))


class Meter:
    """Cuts a run into parts."""

    def __init__(self) -> None:
        self.spans: list[Span] = []
        self._clock = SystemClock()
        self._orders, self._cpu, self._wall = 0, _cpu_seconds(), 0

    def read(self, orders: int) -> None:
        """A part is over: ``orders`` were accepted so far."""
        cpu, wall = _cpu_seconds(), self._clock.monotonic_ns()
        self.spans.append(
            Span(orders - self._orders, cpu - self._cpu, (wall - self._wall) / 1e9, memory_of(os.getpid()))
        )
        self._orders, self._cpu, self._wall = orders, _cpu_seconds(), self._clock.monotonic_ns()


def memory_of(pid: int) -> float:
    """What a process holds in memory, in MiB."""
    shown = subprocess.run(  # noqa: S603 - a number we got from the kernel
        ["/bin/ps", "-o", "rss=", "-p", str(pid)], capture_output=True, check=True
    )
    return int(shown.stdout) / 1024


def _cpu_seconds() -> float:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime
