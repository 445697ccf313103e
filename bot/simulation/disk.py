"""Disks for virtual time: this machine's without its threads, and one in memory that fails as it is told."""

import errno
import os
from math import inf
from pathlib import Path

import attrs
import trio
import zstandard

from bot.journal import names
from bot.journal.file import LocalDisk, LocalFile


class ThreadlessFile(LocalFile):
    """A file of this machine; whether it survives a power cut is left to the system."""

    async def sync(self) -> None:
        await trio.lowlevel.checkpoint()


class ThreadlessDisk(LocalDisk):
    """This machine's, but nothing is synced, and nothing compressed: that takes threads."""

    def create(self, path: Path) -> ThreadlessFile:
        return ThreadlessFile(path)

    async def compress(self, path: Path) -> None:  # noqa: ARG002 - as a disk wants
        await trio.lowlevel.checkpoint()


@attrs.frozen
class Write:
    """What one call wrote, and when: seconds of trio's clock."""

    at: float
    data: bytes


@attrs.define(eq=False)
class MemoryFile:
    """A `bot.journal.file.File` of a `MemoryDisk`."""

    path: Path
    disk: "MemoryDisk"
    content: bytearray = attrs.field(factory=bytearray)
    synced: int = 0
    """So many bytes a power cut would leave."""

    is_closed: bool = False

    @property
    def is_empty(self) -> bool:
        return not self.content

    def append(self, data: bytearray) -> int:
        taken = self.disk.take(bytes(data))
        self.content += taken
        return len(taken)

    def is_lost(self) -> bool:
        return self.disk.files.get(self.path) is not self

    async def sync(self) -> None:
        size = len(self.content)
        self.disk.syncs += 1
        await trio.sleep(self.disk.sync_seconds)
        self.disk.refuse(self.disk.sync_error)
        self.synced = size

    def close(self) -> None:
        self.is_closed = True
        if not self.content and not self.is_lost():
            del self.disk.files[self.path]


@attrs.define(eq=False, kw_only=True)
class MemoryDisk:
    """A `bot.journal.file.Disk` in memory. What it does not do, and for how long, can be changed at any time."""

    room: float = inf
    """So many bytes still fit. A write that is larger takes what fits, and the next is refused."""

    without_room: int = errno.ENOSPC
    """With this error."""

    piece: float = inf
    """No write takes more bytes than this."""

    write_error: int = 0
    """The error of every write, as of every sync, compression and new file below. 0: none."""

    sync_error: int = 0
    compress_error: int = 0
    create_error: int = 0
    sync_seconds: float = 0.0
    """How long a sync takes."""

    files: dict[Path, MemoryFile] = attrs.field(factory=dict, init=False)
    writes: list[Write] = attrs.field(factory=list, init=False)
    """Those that wrote something."""

    syncs: int = attrs.field(default=0, init=False)
    """How many were begun."""

    refusals: int = attrs.field(default=0, init=False)
    """How often it failed."""

    def create(self, path: Path) -> MemoryFile:
        self.refuse(self.create_error)
        if path in self.files:
            self.refuse(errno.EEXIST)
        self.files[path] = MemoryFile(path, self)
        return self.files[path]

    async def compress(self, path: Path) -> None:
        await trio.lowlevel.checkpoint()
        self.refuse(self.compress_error or (0 if path in self.files else errno.ENOENT))
        compressed = names.compressed(path)
        content = zstandard.ZstdCompressor().compress(bytes(self.files[path].content))
        self.files[compressed] = MemoryFile(compressed, self, bytearray(content))
        del self.files[path]

    def take(self, data: bytes) -> bytes:
        """As much of ``data`` as one write takes now.

        Raises:
            OSError: nothing of it.
        """
        self.refuse(self.write_error or (0 if self.room else self.without_room))
        taken = data[: int(min(len(data), self.piece, self.room))]
        self.room -= len(taken)
        self.writes.append(Write(trio.current_time(), taken))
        return taken

    def refuse(self, error: int) -> None:
        """Raise OSError with this number, unless it is 0."""
        if error:
            self.refusals += 1
            raise OSError(error, os.strerror(error))

    def save(self) -> None:
        """Put everything where its name says, on this machine's disk: for who reads files."""
        for path, file in self.files.items():
            path.write_bytes(file.content)
