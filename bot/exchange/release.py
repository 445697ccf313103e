"""The venue's release: every weekday it takes cancels only, then passive orders only, and drops who is connected."""

from collections.abc import Callable
from itertools import count
from math import inf

import attrs
import trio

from bot.core.clock import Clock
from bot.exchange.matching.modes import Mode
from bot.exchange.settings import ExchangeSettings

LOOK_EVERY = 60.0
"""Seconds between two looks at the clock: it is the wall's, and may be set meanwhile."""

_SECOND = 10**9
_DAY = 24 * 3600 * _SECOND
_THURSDAY = 3
"""Day 0 of the Unix epoch, where Monday is 0."""


def next_release(after_ns: int, minute: int) -> int:
    """When the next one begins, in Unix ns: this many minutes after midnight UTC, Monday to Friday."""
    days = count(after_ns // _DAY)
    times = (day * _DAY + minute * 60 * _SECOND for day in days if (day + _THURSDAY) % 7 < 5)
    return next(time for time in times if time > after_ns)


@attrs.define(eq=False)
class Release:
    """Plays releases, as the settings say and whenever somebody asks for one (protocol reference 1)."""

    _settings: ExchangeSettings
    _clock: Clock
    _set_mode: Callable[[Mode], None]
    _drop: Callable[[], object]
    """Ends every connection."""

    _wanted: trio.Event = attrs.field(factory=trio.Event, init=False)

    def begin(self) -> None:
        """Begin one now, unless one is under way."""
        self._wanted.set()

    async def run(self) -> None:
        """Play each in its time, until cancelled."""
        while True:
            await self._due()
            self._wanted.set()
            self._set_mode("cancel_only")
            await trio.sleep(self._settings.release_cancel_only)
            self._drop()
            self._set_mode("post_only")
            await trio.sleep(self._settings.release_post_only)
            self._set_mode("ok")
            self._wanted = trio.Event()

    async def _due(self) -> None:
        at_ns = inf
        if self._settings.release == "weekdays":
            at_ns = next_release(self._clock.wall_ns(), self._settings.release_minute)
        while not self._wanted.is_set() and (left := at_ns - self._clock.wall_ns()) > 0:
            with trio.move_on_after(inf if left == inf else min(left / _SECOND, LOOK_EVERY)):
                await self._wanted.wait()
