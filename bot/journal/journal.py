"""Writes a session down while it happens: the tape, and the work that it leaves to others."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import attrs
import trio
from loguru import logger

from bot.core.clock import Clock
from bot.journal.file import File
from bot.journal.header import Header
from bot.journal.parts import Parts
from bot.journal.settings import JournalSettings
from bot.journal.tape import Journal

FLUSH_AFTER = 0.15
"""Seconds that a record may wait in memory for company. Late wake-ups included, 0.2 are promised."""

END_DEADLINE = 1.0
"""Seconds that the disk has for the end of a session, before the bot goes without knowing."""

MEBIBYTE = 1 << 20


def as_it_is(record: bytes) -> bytes:
    """What a journal does to its records that hides nothing."""
    return record


@asynccontextmanager
async def open_journal(
    parts: Parts,
    header: Header,
    clock: Clock,
    *,
    settings: JournalSettings,
    ask_to_stop: Callable[[str], None],
    clean: Callable[[bytes], bytes] = as_it_is,
) -> AsyncIterator[Journal]:
    """Record a session in ``parts``, from its header to the end of the block.

    Args:
        parts: where.
        header: what the session is.
        clock: gives every record its time.
        settings: how.
        ask_to_stop: called, at most once and with the reason, when the journal can no longer keep what it promises.
        clean: takes the secrets out of the JSON of a record, before anything else sees it.
    """
    journal = Journal(parts, header, clock, clean=clean, ask_to_stop=ask_to_stop)
    journal.flush()
    upkeep = Upkeep(journal, parts, settings)
    try:
        async with trio.open_nursery() as jobs:
            jobs.start_soon(upkeep.write_in_time, jobs)
            yield journal
            jobs.cancel_scope.cancel()
    finally:
        with trio.move_on_after(END_DEADLINE, shield=True) as deadline:
            await upkeep.end()
        if deadline.cancelled_caught:
            journal.give_up(f"the disk did not answer for {END_DEADLINE:g} s, and may lose its end")


@attrs.define(eq=False)
class Upkeep:
    """One timer. What is slow and is not to be waited for, fsync and compression, it starts as jobs of their own."""

    journal: Journal
    parts: Parts
    settings: JournalSettings
    _closing: list[File] = attrs.field(factory=list, init=False)
    """Parts that nothing is written to any more."""

    _synced: int = attrs.field(default=0, init=False)
    """So many of all bytes written cannot be lost any more."""

    _is_syncing: bool = attrs.field(default=False, init=False)
    _is_stuck: bool = attrs.field(default=False, init=False)
    """The part is full, but there can be no other."""

    async def write_in_time(self, jobs: trio.Nursery) -> None:
        """Write what waits, soon after it began to wait; again and again, while it cannot be written."""
        while True:
            await self.journal.waiting.wait()
            await trio.sleep(FLUSH_AFTER)
            if not self.journal.flush():
                continue
            self.journal.waiting = trio.Event()
            if self.parts.file.is_lost():
                self.journal.give_up(f"{self.parts.file.path} was removed")
            self._begin_part_if_full()
            if not self._is_syncing and (self._closing or self.settings.fsync_interval):
                self._is_syncing = True
                jobs.start_soon(self._sync_until_quiet, jobs)

    def _begin_part_if_full(self) -> None:
        if self.journal.written - self.journal.begun_at < self.settings.part_size * MEBIBYTE:
            return
        try:
            self._closing.append(self.journal.begin_part())
            self._is_stuck = False
        except OSError as error:
            if not self._is_stuck:
                logger.error(
                    "[JOURNAL] Paradex {} grows on, there can be no next: {}", self.parts.file.path, error
                )
            self._is_stuck = True

    async def _sync_until_quiet(self, jobs: trio.Nursery) -> None:
        """At most one of these at a time: a file must not be closed while it is synced."""
        while self._closing or self._synced < self.journal.written:
            await trio.sleep(self.settings.fsync_interval)
            while self._closing:
                await self._close(self._closing[0])
                jobs.start_soon(self._compress, self._closing.pop(0).path)
            written = self.journal.written
            await self._sync(self.parts.file)
            self._synced = written
        self._is_syncing = False

    async def _sync(self, file: File) -> None:
        """Once it failed there is no other: the system may have dropped what it could not write, and forgotten it."""
        if self.settings.fsync_interval and not self.journal.has_given_up:
            try:
                await file.sync()
            except OSError as error:
                self.journal.give_up(f"the disk may have lost what was written: {error.strerror}")

    async def _close(self, file: File) -> None:
        await self._sync(file)
        try:
            file.close()
        except OSError as error:
            self.journal.give_up(f"the disk may have lost what was written: {error.strerror}")

    async def _compress(self, path: Path) -> None:
        try:
            await self.parts.disk.compress(path)
        except OSError as error:
            logger.warning("[JOURNAL] Paradex {} stays as large as it is: {}", path, error.strerror)

    async def end(self) -> None:
        """Write, sync and close."""
        if not self.journal.flush():
            self.journal.give_up("its end cannot be written")
        for file in (*self._closing, self.parts.file):
            await self._close(file)
