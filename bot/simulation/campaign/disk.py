"""The disk of a machine whose bots are killed: it fails as it is told, and what it took is found by the next life."""

import errno
from collections.abc import Callable
from pathlib import Path

import attrs
import trio

from bot.simulation.disk import MemoryDisk, ThreadlessFile


class MachineFile(ThreadlessFile):
    """A file of this machine that takes what its disk lets it."""

    def __init__(self, path: Path, disk: "MachineDisk") -> None:
        super().__init__(path)
        self._disk = disk

    def append(self, data: bytearray) -> int:
        taken = self._disk.take(bytes(data))
        try:
            return super().append(bytearray(taken))
        finally:
            self._disk.written()

    async def sync(self) -> None:
        await trio.sleep(self._disk.sync_seconds)
        self._disk.refuse(self._disk.sync_error)


@attrs.define(eq=False, kw_only=True)
class MachineDisk(MemoryDisk):
    """A `MemoryDisk` whose files are real, for whoever recovers a session reads real ones."""

    dies_in_a_write: Callable[[], None] | None = None
    """Called in the middle of the next write, of which half is taken."""

    def create(self, path: Path) -> MachineFile:  # type: ignore[override] # a file it is, and not in memory
        self.refuse(self.create_error)
        return MachineFile(path, self)

    async def compress(self, path: Path) -> None:  # noqa: ARG002 - no part of a campaign is ever full
        await trio.lowlevel.checkpoint()

    def take(self, data: bytes) -> bytes:
        if self.dies_in_a_write is not None:
            data = data[: max(1, len(data) // 2)]
        return super().take(data)

    def written(self) -> None:
        """A write is done, or as much of it as there was time for."""
        if self.dies_in_a_write is not None:
            dies, self.dies_in_a_write = self.dies_in_a_write, None
            dies()

    def die(self) -> None:
        """Not one more byte."""
        self.write_error = self.sync_error = self.create_error = errno.EIO

    def heal(self) -> None:
        """End every fault."""
        self.room = self.piece = float("inf")
        self.write_error = self.sync_error = self.create_error = 0
        self.sync_seconds = 0.0
