"""Python's garbage collector, kept out of the way: what there is at the start is never looked at again, what comes is
looked at in small portions, and how long each look stops everything is told.
"""

import gc
from collections.abc import Iterator
from contextlib import contextmanager

import attrs
import trio

from bot.core.clock import Clock
from bot.core.histogram import Histogram

THRESHOLDS = (150, 2, 1_000_000)
"""Of the three generations. A look takes as long as there is to look at: with Python's own 700 and 10 a millisecond
each and three for the second generation, at 120 orders a second; with these an eighth and a third of one. The third
generation, which is everything and takes tens of them, is never looked at by itself, but once in `FULL_EVERY`."""

FULL_EVERY = 3600.0
"""Seconds. There is next to nothing to be found: cycles that outlive some orders are those of lost connections."""


@attrs.define(eq=False)
class GarbageWatch:
    """Measures each collection of cycles, which stops everything else."""

    clock: Clock
    pauses: Histogram = attrs.field(factory=Histogram)
    _began_ns: int = 0

    def __call__(self, phase: str, info: dict[str, int]) -> None:  # noqa: ARG002 - as gc.callbacks wants
        if phase == "start":
            self._began_ns = self.clock.monotonic_ns()
        else:
            self.pauses.add(self.clock.monotonic_ns() - self._began_ns)


@contextmanager
def garbage_kept_away(clock: Clock) -> Iterator[GarbageWatch]:
    """A block that begins with what was made before it, tens of thousands of objects, set aside from collection.

    Modules, settings and classes stay for as long as the program does; to look at them for garbage again and again
    would be the longest pauses of a run.
    """
    gc.collect()
    gc.freeze()
    before = gc.get_threshold()
    gc.set_threshold(*THRESHOLDS)
    watch = GarbageWatch(clock)
    gc.callbacks.append(watch)
    try:
        yield watch
    finally:
        gc.callbacks.remove(watch)
        gc.set_threshold(*before)
        gc.unfreeze()


async def collect_now_and_then() -> None:
    """Look at everything, seldom, for ever."""
    while True:
        await trio.sleep(FULL_EVERY)
        gc.collect()
