"""A bot in a process of its own: its log and its session, read while it writes them."""

import signal
import subprocess
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import attrs
import trio

from bot.journal.reader import NotAJournalError, RecordedSession, find
from bot.journal.record import Record
from bot.lab.wire.errors import RowFailedError

LOOK_EVERY = 0.05
"""Seconds between two looks into the journal."""

KILL_DEADLINE = 5.0
"""Seconds in which a process that was killed is gone."""


@attrs.define(eq=False)
class Run:
    """One bot. Made by `open_run`, which ends it with its block."""

    process: trio.Process
    journal: Path
    records: list[Record] = attrs.field(factory=list)
    """So far, without the header."""

    log: str = ""
    """So far: what it wrote to stderr."""

    session: RecordedSession | None = None
    _news: trio.Event = attrs.field(factory=trio.Event)

    async def until(self, is_wanted: Callable[[Record], bool], since: int = 0) -> Record:
        """The first such record from the number ``since`` on, when it is there.

        Raises:
            RowFailedError: the bot ended before.
        """
        looked_at = 0
        while True:
            news = self._news
            for record in self.records[looked_at:]:
                if record.number >= since and is_wanted(record):
                    return record
            looked_at = len(self.records)
            await self._wait(news)

    async def until_logged(self, text: str) -> None:
        """Wait for a text in the log. Raises `RowFailedError`: the bot ended before."""
        while text not in self.log:
            await self._wait(self._news)

    async def _wait(self, news: trio.Event) -> None:
        if self.process.returncode is not None:
            raise RowFailedError(f"the bot ended with {self.process.returncode}: {self.log[-500:]}")
        await news.wait()

    async def stop(self) -> int:
        """As Ctrl-C does; the exit code, when the session is read to its end."""
        self.process.send_signal(signal.SIGINT)
        code = await self.process.wait()
        self._read()
        return code

    @property
    def next_number(self) -> int:
        """Of the record that comes next."""
        return len(self.records) + 1

    async def follow(self) -> None:
        """Read the journal while it grows, until cancelled."""
        while True:
            await trio.sleep(LOOK_EVERY)
            self._read()

    async def listen(self) -> None:
        """Read the log, until it ends."""
        assert self.process.stderr is not None
        async for data in self.process.stderr:
            self.log += data.decode(errors="replace")
            self._tell()

    def _read(self) -> None:
        if self.session is None:
            with suppress(FileNotFoundError, NotAJournalError):  # not yet
                self.session = find(self.journal)
        elif fresh := list(self.session.since(self.session.place)):
            self.records += fresh
            self._tell()

    def _tell(self) -> None:
        self._news.set()
        self._news = trio.Event()


@asynccontextmanager
async def open_run(command: Sequence[str], journal: Path, env: Mapping[str, str]) -> AsyncIterator[Run]:
    """Start ``command``, a bot that records in ``journal``; if it runs on, kill it with the block."""
    process = await trio.lowlevel.open_process(
        [*command, "--record", str(journal)],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        cwd=journal.parent,
        env=env,
        start_new_session=True,  # Ctrl-C is for whoever runs this
    )
    run = Run(process, journal)
    try:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(run.follow)
            nursery.start_soon(run.listen)
            yield run
            nursery.cancel_scope.cancel()
    finally:
        process.kill()
        with trio.move_on_after(KILL_DEADLINE, shield=True):
            await process.wait()
