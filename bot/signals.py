"""The signals that the bot listens to, from the first line of the program to its last."""

import signal
from types import FrameType

STOPPING = ("SIGINT", "SIGTERM", "SIGHUP")
"""Ctrl-C, a supervisor, a terminal that is closed."""

KILL_SWITCH = "SIGUSR1"


class EarlySignals:
    """Catches the signals that come while the program is still being imported, so that none ends it midway.

    ``nohup`` says that a closed terminal is no reason to stop, by having SIGHUP ignored: so it stays.
    """

    def __init__(self) -> None:
        self.received: list[int] = []
        # By name, for Windows has not all of them, and is refused in words, a little later.
        named = [number for number in signal.Signals if number.name in {*STOPPING, KILL_SWITCH}]
        self.numbers = [
            number
            for number in named
            if number.name != "SIGHUP" or signal.getsignal(number) is not signal.SIG_IGN
        ]
        """Those that are listened to."""

        self._replaced = {number: signal.signal(number, self._receive) for number in self.numbers}

    def _receive(self, number: int, _frame: FrameType | None) -> None:
        self.received.append(number)

    def restore(self) -> None:
        """Let signals do what they did before, to programs that need no end of their own."""
        for number, handler in self._replaced.items():
            signal.signal(number, handler)

    def ignore(self) -> None:
        """For when the exit code is known: a launcher's echo of a signal shall not change it any more.

        The interpreter takes a good part of a second to end, and early in that gives handlers back to the system; but
        what is ignored stays ignored.
        """
        for number in self.numbers:
            signal.signal(number, signal.SIG_IGN)
