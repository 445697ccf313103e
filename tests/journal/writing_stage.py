"""A journal on a disk in memory, in virtual time and without threads, for the tests of this room."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from functools import cache, partial, wraps
from pathlib import Path
from typing import Any, ParamSpec

import attrs

from bot.core.tape import Kind
from bot.journal import names
from bot.journal.header import Header, new_header
from bot.journal.journal import open_journal
from bot.journal.parts import Parts
from bot.journal.reader import read
from bot.journal.settings import JournalSettings
from bot.journal.tape import Journal
from bot.link.clock import TrioClock
from bot.simulation.disk import MemoryDisk, MemoryFile
from bot.simulation.world import run

P = ParamSpec("P")

FIRST = Path("session.journal")


def virtual(test: Callable[P, Awaitable[None]]) -> Callable[P, None]:
    """Make it a test in virtual time, in which nothing may run in a thread."""

    @wraps(test)
    def in_virtual_time(*args: P.args, **kwargs: P.kwargs) -> None:
        run(partial(test, *args, **kwargs), seed=0)

    return in_virtual_time


@cache
def header() -> Header:
    return new_header(
        environment="embedded", run_id="run", seed=1, started_ns=0, rest_url="", ws_url="", settings={}
    )


@attrs.frozen
class Stage:
    """A journal that is open, the disk it is on, and what it asked."""

    journal: Journal
    disk: MemoryDisk
    stops: list[str]

    def write(self, text: str = "x") -> int:
        return self.journal.write(Kind.COMMAND, {"command": text}).number

    def file(self, part: int = 1) -> MemoryFile:
        return self.disk.files[names.part(FIRST, part)]

    def texts(self, part: int = 1) -> list[str]:
        """What `write` was given, as far as it is in the file."""
        return [line.split(b'"')[-2].decode() for line in self.file(part).content.splitlines()[1:]]


@asynccontextmanager
async def staged(disk: MemoryDisk | None = None, **settings: Any) -> AsyncIterator[Stage]:
    disk = disk or MemoryDisk()
    stops: list[str] = []
    async with open_journal(
        Parts(disk, FIRST),
        header(),
        TrioClock(0),
        settings=JournalSettings(**settings),
        ask_to_stop=stops.append,
    ) as journal:
        yield Stage(journal, disk, stops)


def numbers(disk: MemoryDisk, folder: Path) -> list[int]:
    """Of the records in the session, as the reader finds them, with nothing set aside."""
    for path, file in disk.files.items():
        (folder / path).write_bytes(file.content)
    recording = read(folder / FIRST)
    assert recording.damage is None
    return [record.number for record in recording.records]
