"""The journal's door to the disk: everything that it asks of one, and the one of this machine."""

import contextlib
import errno
import fcntl
import os
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Protocol

import trio

from bot.journal.compression import compress, compress_all
from bot.journal.private import new_file, sync_folder


class File(Protocol):
    """A part that is being written. What the disk does not do, it refuses with an `OSError`."""

    @property
    def path(self) -> Path: ...

    @property
    def is_empty(self) -> bool: ...

    def append(self, data: bytearray) -> int:
        """Write at the end, in one call, as `os.write` does. Returns how many bytes were taken, at least one."""
        ...

    def is_lost(self) -> bool:
        """Whether somebody removed it: what is written to it, nobody finds."""
        ...

    async def sync(self) -> None:
        """Wait until a power cut could not take what was appended before the call."""
        ...

    def close(self) -> None:
        """Let go of it, once. If it is empty it disappears, for it says nothing of any session."""
        ...


class Disk(Protocol):
    """Where the parts of a session are."""

    def create(self, path: Path) -> File:
        """Begin a new file, which nobody else can read.

        Raises:
            FileExistsError: there is something of that name; it is left as it is.
            OSError: it cannot be made.
        """
        ...

    async def compress(self, path: Path) -> None:
        """Replace a part that is closed by its compressed form.

        Raises:
            BlockingIOError: somebody is writing it still, or compressing it.
            OSError: it cannot be done; the part is what it was.
        """
        ...


class LocalFile:
    """A `File` of this machine."""

    def __init__(self, path: Path) -> None:
        """Raises OSError as `Disk.create` does."""
        self._path = path
        self._descriptor = new_file(path)
        self.is_empty = True
        self._is_listed = False
        self._is_closed = False
        # Tells `compress`, of this process and of others, to leave it. A disk that knows no locks refuses them there,
        # too: then nothing is compressed.
        with contextlib.suppress(OSError):
            fcntl.flock(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)

    @property
    def path(self) -> Path:
        return self._path

    def append(self, data: bytearray) -> int:
        written = os.write(self._descriptor, data)
        if not written:
            raise OSError(errno.EIO, "it takes nothing")
        self.is_empty = False
        return written

    def is_lost(self) -> bool:
        try:
            return os.fstat(self._descriptor).st_nlink == 0
        except OSError:
            return False  # the next append meets it too, and says so

    async def sync(self) -> None:
        await trio.to_thread.run_sync(self._sync, abandon_on_cancel=True)

    def _sync(self) -> None:
        os.fsync(self._descriptor)
        if not self._is_listed:
            sync_folder(self._path.parent)
            self._is_listed = True

    def close(self) -> None:
        if self._is_closed:
            return
        self._is_closed = True
        if self.is_empty:
            self._path.unlink(missing_ok=True)
        os.close(self._descriptor)


def is_being_written(path: Path) -> bool:
    """Whether somebody writes the part in ``path`` still, as far as this disk knows of locks, and lets us look."""
    try:
        with path.open("rb") as file:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except OSError as error:
        return error.errno == errno.EWOULDBLOCK
    return False


class LocalDisk:
    """The `Disk` of this machine."""

    def create(self, path: Path) -> LocalFile:
        return LocalFile(path)

    async def compress(self, path: Path) -> None:
        await _beside(compress, path)

    async def compress_all(self, folder: Path) -> None:
        """Compress the parts in ``folder`` that nobody writes any more."""
        await _beside(compress_all, folder)


async def _beside(work: Callable[[Path, threading.Event], None], path: Path) -> None:
    """Do it in a worker thread. One that nobody waits for any more is told so, and ends soon."""
    abandoned = threading.Event()
    try:
        await trio.to_thread.run_sync(work, path, abandoned, abandon_on_cancel=True)
    finally:
        abandoned.set()
