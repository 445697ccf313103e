"""SIGINT and SIGTERM, from the first line of the program to its last."""

import signal
from types import FrameType

STOPPING = (signal.SIGINT, signal.SIGTERM)


class EarlySignals:
    """Catches the signals that come while the program is still being imported, so that none ends it midway."""

    def __init__(self) -> None:
        self.received: list[int] = []
        self._replaced = {number: signal.signal(number, self._receive) for number in STOPPING}

    def _receive(self, number: int, _frame: FrameType | None) -> None:
        self.received.append(number)

    def restore(self) -> None:
        """Let signals do what they did before, to programs that need no end of their own."""
        for number, handler in self._replaced.items():
            signal.signal(number, handler)
