"""Watches in which mode the venue's platform is (protocol reference 1, "Platform modes")."""

import random

import attrs
import trio
from loguru import logger

from bot.core.errors import RequestError
from bot.link.answer import Answer
from bot.paradex import rest
from bot.paradex.answers import SystemState
from bot.paradex.mode import OK
from bot.session.capabilities import Rest
from bot.session.inbox import Inbox, PlatformMode

INTERVAL = (30.0, 60.0)
"""Seconds between two questions while all is well, drawn anew each time."""

RESTRICTED_INTERVAL = 5.0
"""While it is not, or nobody can tell (`faults.md` section 2)."""

LEAST_INTERVAL = 1.0
"""However many answers tell of a restriction."""


@attrs.define(eq=False, kw_only=True)
class ModeWatch:
    """Asks for the mode, and puts each change of it into the ordered stream."""

    plain: Rest
    inbox: Inbox
    rng: random.Random

    asked: trio.Event = attrs.field(factory=trio.Event, init=False)
    """The first question was answered, or failed: no session opens before that."""

    _told: str = attrs.field(default=OK, init=False)

    async def run(self) -> None:
        """Ask now, then from time to time, and at once when an answer to anybody tells of a restriction."""
        while True:
            asked_at = trio.current_time()
            restriction = self.plain.next_restriction()
            try:
                self._tell(await self.plain.call(rest.system_state()))
            except RequestError as failure:
                logger.warning("[HTTP] Paradex platform mode not known: {}", failure)
                restriction = self.plain.next_restriction()  # the answer to this question may have been one
                interval = RESTRICTED_INTERVAL
            else:
                interval = self.rng.uniform(*INTERVAL) if self._told == OK else RESTRICTED_INTERVAL
            self.asked.set()
            with trio.move_on_at(asked_at + interval):
                await restriction.wait()
                await trio.sleep_until(asked_at + LEAST_INTERVAL)

    def _tell(self, answer: Answer[SystemState]) -> None:
        mode = answer.value.status
        if mode != self._told:
            self._told = mode
            self.inbox(PlatformMode(mode, answer.exchange))
