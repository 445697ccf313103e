"""Why and since when the bot is stopping, or takes nothing new. Signals and faults say so, everyone reads it."""

from collections.abc import Iterator
from contextlib import contextmanager

import trio

from bot.core.errors import NotSentError

SAME_WISH = 1.0
"""Seconds. Launchers deliver a Ctrl-C twice: a second signal so soon is the same wish (`faults.md` section 2)."""


class KillSwitch:
    """Once it is pulled nothing new is accepted, for the rest of the run; the bot stays up, to see its orders go."""

    def __init__(self) -> None:
        self.reason = ""
        self._pulled = trio.Event()

    @property
    def is_pulled(self) -> bool:
        return self._pulled.is_set()

    def pull(self, reason: str) -> None:
        """It holds from this moment, whatever is under way. Pulled again, it changes nothing."""
        if not self.is_pulled:
            self.reason = reason
            self._pulled.set()

    async def wait_pulled(self) -> None:
        await self._pulled.wait()


class Stop:
    """Set once; the first reason stays."""

    def __init__(self) -> None:
        self.reason = ""
        self.is_fatal = False
        self.kill_switch = KillSwitch()
        self._asked_at = float("inf")
        self._asked = trio.Event()
        self._hurry = trio.Event()
        self._brief: dict[trio.CancelScope, float] = {}

    @property
    def is_asked(self) -> bool:
        return self._asked.is_set()

    def ask(self, reason: str) -> None:
        """Begin to stop. Asked again, it changes nothing."""
        if not self._asked.is_set():
            self.reason = reason
            self._asked_at = trio.current_time()
            self._asked.set()
            for scope, seconds in self._brief.items():
                scope.deadline = self._asked_at + seconds

    async def ask_after(self, seconds: float) -> None:
        """Ask for it when the time of the run is up, as ``--for`` wants."""
        await trio.sleep(seconds)
        self.ask(f"--for {seconds:g}")

    def fail(self, reason: str) -> None:
        """Begin to stop because going on cannot help."""
        self.is_fatal = True
        self.ask(reason)

    def signalled(self, name: str) -> None:
        """A signal asks. The first begins the stop, an echo of it is ignored, and a later one asks to hurry."""
        if trio.current_time() > self._asked_at + SAME_WISH:
            self._hurry.set()
        self.ask(name)

    def refuse_new_orders(self) -> None:
        """Raise `NotSentError` once the bot is stopping, or its kill switch pulled."""
        if self.is_asked:
            raise NotSentError(f"the bot is stopping: {self.reason}")
        if self.kill_switch.is_pulled:
            raise NotSentError(f"the kill switch is pulled: {self.kill_switch.reason}")

    @contextmanager
    def no_longer_than(self, seconds: float) -> Iterator[None]:
        """A block that is left when the bot has been stopping for so long."""
        with trio.CancelScope(deadline=self._asked_at + seconds) as scope:
            self._brief[scope] = seconds
            try:
                yield
            finally:
                del self._brief[scope]

    async def wait_asked(self) -> None:
        await self._asked.wait()

    async def wait_hurry(self) -> None:
        """Wait until somebody no longer wants to wait for a clean end."""
        await self._hurry.wait()

    async def cancel(self, scope: trio.CancelScope) -> None:
        """Wait until the stop is asked for, and cancel ``scope``: for work that holds nothing yet."""
        await self._asked.wait()
        scope.cancel()
