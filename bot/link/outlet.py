"""Text for people, on stdout and stderr, without ever waiting for them.

A pipe that nobody reads is full after 64 KiB, and a terminal that was stopped with Ctrl-S takes nothing: whoever
writes there waits, and with the event loop every order. Making the descriptor non-blocking was no way: that belongs
to all who have it open, the user's shell included.
"""

import os
import select
from collections.abc import Iterator
from contextlib import contextmanager
from queue import SimpleQueue
from threading import Thread
from typing import TextIO

WAITING_LINES = 10_000
"""That many are kept for a reader who is slow; those that come while it is so are lost, and counted."""

LAST_WORDS = 1.0
"""Seconds for what still waits when the program ends."""


class Outlet:
    """Takes text at once; a thread of its own writes it. Only one task or thread may write at a time, as a log does.

    It never raises: if the terminal or the reader is gone, or the disk full, there is nobody who could be told.
    """

    def __init__(self, stream: TextIO) -> None:
        """``stream`` has a descriptor, and from now on nobody else writes to it."""
        self._descriptor = stream.fileno()
        self._encoding = stream.encoding
        self._is_terminal = stream.isatty()
        self._waiting: SimpleQueue[str | None] = SimpleQueue()
        self._lost = 0
        # A daemon, for it may never come back from a write. It must not write to `stream` itself: the lock of that,
        # held by a thread like this, makes the interpreter abort when it ends.
        self._thread = Thread(target=self._run, name=f"outlet {self._descriptor}", daemon=True)
        self._thread.start()

    def isatty(self) -> bool:
        return self._is_terminal

    def write(self, text: str) -> None:
        """Have ``text``, one or more whole lines, written as soon as it can be."""
        if self._waiting.qsize() >= WAITING_LINES:
            self._lost += 1
            return
        self._tell_of_lost()
        self._waiting.put(text)

    def close(self) -> None:
        """Give what still waits its last chance."""
        self._tell_of_lost()
        self._waiting.put(None)
        self._thread.join(LAST_WORDS)

    def _tell_of_lost(self) -> None:
        if self._lost:
            self._waiting.put(f"… {self._lost} lines are missing here: nobody read them\n")
            self._lost = 0

    def _run(self) -> None:
        while (text := self._waiting.get()) is not None:
            self._write(text.encode(self._encoding, "backslashreplace"))

    def _write(self, rest: bytes) -> None:
        try:
            while rest:
                try:
                    rest = rest[os.write(self._descriptor, rest) :]
                except BlockingIOError:  # somebody else has made it non-blocking
                    select.select([], [self._descriptor], [])
        except OSError:
            return


@contextmanager
def open_outlet(stream: TextIO) -> Iterator[Outlet]:
    """An `Outlet` for as long as the block lasts, and a moment longer if somebody reads."""
    outlet = Outlet(stream)
    try:
        yield outlet
    finally:
        outlet.close()
