"""Sees that a step is short: while one lasts nothing else happens, no cancel and no pong (`faults.md` section 2).

What counts is the thread's own time on a processor: a machine that is busy elsewhere is no fault of a strategy.
"""

from collections.abc import Callable
from math import inf

import attrs
from loguru import logger

from bot.session.inbox import Item

LONG_NS = 2_000_000
"""A step above it is named."""

TOO_LONG_NS = 1_000_000_000
"""A step above it pulls the kill switch: what takes so long once may do so in the middle of the worst."""

AGAIN_AFTER_NS = 60_000_000_000
"""A kind of item is named once in this time."""


@attrs.define(eq=False)
class Watchdog:
    """Judges each step after it is done. What it decides is no part of the step: it comes back as an item."""

    pull_kill_switch: Callable[[str], None]
    longest_ns: int = attrs.field(default=0, init=False)
    _named_ns: dict[type[Item], float] = attrs.field(factory=dict, init=False)

    def judge(self, item: Item, now_ns: int, used_ns: int) -> None:
        """``item`` came at ``now_ns``, and its step used the processor for ``used_ns``."""
        self.longest_ns = max(self.longest_ns, used_ns)
        if used_ns <= LONG_NS:
            return
        what = f"a step took {used_ns / 1e6:.1f} ms: {type(item).__name__}"
        if used_ns > TOO_LONG_NS:
            self.pull_kill_switch(what)
        if now_ns >= self._named_ns.get(type(item), -inf) + AGAIN_AFTER_NS:
            self._named_ns[type(item)] = now_ns
            logger.warning("[STEP] Paradex {}", what)
