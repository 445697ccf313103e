"""The files of one session: the one that is written, and where the next one will be."""

from pathlib import Path

from bot.journal import names
from bot.journal.file import Disk, File


class Parts:
    """A session's place on ``disk``. It is taken as soon as this is made, before anything is known of the session."""

    def __init__(self, disk: Disk, first: Path) -> None:
        """The first part is ``first``.

        Raises:
            FileExistsError: a file of a session of that name is there.
            OSError: it cannot be made.
        """
        self.disk = disk
        self.number = 1
        self._first = first
        self.file = disk.create(first)

    def begin_next(self) -> File:
        """Go on in another file. Returns the one before it, which is to be synced and closed.

        Raises:
            OSError: it cannot be made; then nothing is changed.
        """
        file = self.disk.create(names.part(self._first, self.number + 1))
        before, self.file = self.file, file
        self.number += 1
        return before

    def give_back(self) -> None:
        """Leave no trace of a session that never began."""
        if self.file.is_empty:
            self.file.close()
