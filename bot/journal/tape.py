"""The tape that is kept: numbers, times and checksums, what waits in memory, and what a file did not take."""

from collections.abc import Callable
from typing import Any

import attrs
import trio
from loguru import logger

from bot.core.clock import Clock
from bot.core.errors import JournalError
from bot.core.tape import Kind, Stamp
from bot.journal.file import File
from bot.journal.header import Header
from bot.journal.parts import Parts
from bot.journal.record import LONGEST_LINE, Lines, payload

HELD_AT_MOST = 32 << 20
"""Bytes that may wait for a file that cannot be written: hours of a quiet bot, minutes of a busy one."""


LONGEST_RECORD = LONGEST_LINE // 2
"""Bytes. A reader takes no longer line, and cleaning makes nothing twice as long."""


class Journal:
    """A `bot.core.tape.Tape`. Made by `bot.journal.journal.open_journal`, which also writes what waits, in time.

    What a file does not take stays in memory, and the next try goes on at that very byte: while the disk is full
    nothing is lost, and there is no gap afterwards. There are two ends to that, both for good: `give_up`.
    """

    def __init__(
        self,
        parts: Parts,
        header: Header,
        clock: Clock,
        *,
        clean: Callable[[bytes], bytes],
        ask_to_stop: Callable[[str], None],
    ) -> None:
        self.waiting = trio.Event()
        """There is something to write."""

        self.written = 0
        """Bytes, of all parts together."""

        self.begun_at = 0
        """What ``written`` was when the part began that is written now."""

        self._parts = parts
        self._header = header
        self._clock = clock
        self._clean = clean
        self._ask_to_stop = ask_to_stop
        self._number = 0
        self._unwritten = bytearray()
        self._is_full = False
        self._fault = ""
        self._verdict = ""
        self._write_header()

    def write(self, kind: Kind, data: Any, *, generation: int = 0) -> Stamp:
        self._number += 1
        stamp = Stamp(self._number, self._clock.monotonic_ns())
        if not self._is_full:
            record = payload(stamp.number, stamp.ns, generation, kind, data)
            if len(record) > LONGEST_RECORD:  # an answer without end: that it came is kept
                record = payload(stamp.number, stamp.ns, generation, kind, {"bytes_left_out": len(record)})
            self._append(record)
            if len(self._unwritten) > HELD_AT_MOST and not self.flush():
                self._is_full = True
                self.give_up(f"{HELD_AT_MOST >> 20} MiB wait for a file that cannot be written")
        return stamp

    def commit(self) -> None:
        self.flush()
        if self._verdict or self._fault:
            raise JournalError(self._verdict or self._fault)

    def flush(self) -> bool:
        """Try to write what waits, in one call unless that took only a part. Returns whether all of it is written."""
        file = self._parts.file
        try:
            while self._unwritten:
                count = file.append(self._unwritten)
                del self._unwritten[:count]
                self.written += count
        except OSError as error:
            if not self._fault:
                self._fault = f"the journal cannot be written: {error.strerror}"
                logger.error("[JOURNAL] Paradex new orders are refused: {} ({})", self._fault, file.path)
            return False
        if self._fault:
            self._fault = ""
            logger.warning("[JOURNAL] Paradex the journal is written again, and nothing is missing in it")
        return True

    def begin_part(self) -> File:
        """Go on in the next part. Only when nothing waits: no record may stand in the part after its own.

        Returns the part before, which is to be synced and closed.

        Raises:
            OSError: it cannot be made, and the one before goes on.
        """
        before = self._parts.begin_next()
        self.begun_at = self.written
        self._write_header()
        self.flush()
        return before

    def _write_header(self) -> None:
        """Record 0, in every part: it is none of those that are counted."""
        header = attrs.asdict(attrs.evolve(self._header, part=self._parts.number))
        self._lines = Lines()
        self._append(payload(0, self._clock.monotonic_ns(), 0, Kind.HEADER, header))

    def _append(self, record: bytes) -> None:
        self._unwritten += self._lines.line(self._clean(record))
        self.waiting.set()

    @property
    def has_given_up(self) -> bool:
        return bool(self._verdict)

    def give_up(self, reason: str) -> None:
        """Promise nothing any more: `commit` refuses from now on, and the bot is asked to stop.

        Because too much waits: then nothing more is kept, for after a gap nothing would count. Or because what was
        written may not have reached the disk: then writing goes on all the same, as the best evidence there will be.
        """
        if not self._verdict:
            self._verdict = f"the journal failed: {reason}"
            logger.error(
                "[JOURNAL] Paradex {}; no order may leave any more, and the bot stops", self._verdict
            )
            self._ask_to_stop(self._verdict)
