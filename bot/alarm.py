"""What happens when something needs a person."""

import subprocess
from collections.abc import Callable
from math import inf

import attrs
import trio
from loguru import logger

from bot.core.setting import setting

COMMAND_DEADLINE = 30.0
"""Seconds that the alarm command may run."""

AGAIN_AFTER = 60.0
"""Seconds in which an alarm in the same words is the same: nobody is called again."""


@attrs.frozen
class AlarmSettings:
    """The ``[alarm]`` table."""

    command: tuple[str, ...] = setting(
        (), "program and arguments started at an alarm; empty for none (an ERROR line is always written)"
    )


class Alarms:
    """Raises alarms, and remembers them for the summary. The command runs in ``nursery`` and is not waited for.

    ``redact`` takes the secrets out of what the venue is quoted with: the command may send it who knows where.
    """

    def __init__(self, settings: AlarmSettings, nursery: trio.Nursery, redact: Callable[[str], str]) -> None:
        self.raised: list[str] = []
        self._raised_at: dict[str, float] = {}
        self._command = settings.command
        self._nursery = nursery
        self._redact = redact

    def __call__(self, text: str) -> None:
        text = self._redact(text)
        now = trio.current_time()
        if now < self._raised_at.get(text, -inf) + AGAIN_AFTER:
            return
        self._raised_at[text] = now
        logger.error("[ALARM] Paradex {}", text)
        self.raised.append(text)
        if self._command:
            self._nursery.start_soon(self._run, text)

    async def _run(self, text: str) -> None:
        """Start the command with the alarm's text as its last argument; that it fails is only a line in the log."""
        with trio.move_on_after(COMMAND_DEADLINE) as deadline:
            try:
                await trio.run_process([*self._command, text], stdin=subprocess.DEVNULL, capture_stdout=True)
            except (OSError, subprocess.CalledProcessError) as error:
                logger.error("[ALARM] the alarm command failed: {}", error)
        if deadline.cancelled_caught:
            logger.error("[ALARM] the alarm command was ended after {:g} s", COMMAND_DEADLINE)
