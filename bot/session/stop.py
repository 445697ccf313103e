"""Why and since when the bot is stopping. Signals and fatal errors set it, everyone reads it."""

import trio

from bot.core.errors import NotSentError

SAME_WISH = 1.0
"""Seconds. Launchers deliver a Ctrl-C twice: a second signal so soon is the same wish (`faults.md` section 2)."""


class Stop:
    """Set once; the first reason stays."""

    def __init__(self) -> None:
        self.reason = ""
        self.is_fatal = False
        self._asked_at = float("inf")
        self._asked = trio.Event()
        self._hurry = trio.Event()

    @property
    def is_asked(self) -> bool:
        return self._asked.is_set()

    def ask(self, reason: str) -> None:
        """Begin to stop. Asked again, it changes nothing."""
        if not self._asked.is_set():
            self.reason = reason
            self._asked_at = trio.current_time()
            self._asked.set()

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
        """Raise `NotSentError` once the bot is stopping."""
        if self.is_asked:
            raise NotSentError(f"the bot is stopping: {self.reason}")

    async def wait_asked(self) -> None:
        await self._asked.wait()

    async def wait_hurry(self) -> None:
        """Wait until somebody no longer wants to wait for a clean end."""
        await self._hurry.wait()

    async def cancel(self, scope: trio.CancelScope) -> None:
        """Wait until the stop is asked for, and cancel ``scope``: for work that holds nothing yet."""
        await self._asked.wait()
        scope.cancel()
