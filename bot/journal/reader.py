"""Reads a recorded session, as far as it is good.

Everything before the first damage is read, and what follows it is set aside, even where it looks good again: a
session with a hole in it never was, and nobody should replay or audit one.
"""

import os
from collections.abc import Iterator
from errno import EISDIR, ENOENT
from pathlib import Path
from typing import NamedTuple

import attrs

from bot.journal import names
from bot.journal.header import Header
from bot.journal.part import COUNTED, DamagedPartError, Part, open_part
from bot.journal.record import Record


class NotAJournalError(ValueError):
    """Not even a header can be read, or it is of a format that this program does not know."""


@attrs.frozen
class Damage:
    """Where the good records end before the session does."""

    part: Path
    offset: int
    """Where in the text of that part, in bytes: of a compressed part, when it is decompressed."""

    size: int
    """How many bytes of its text are set aside, as far as they can be read, up to `COUNTED`."""

    reason: str
    later_parts: int = 0
    """How many parts follow it, and are set aside, too."""

    def __str__(self) -> str:
        size = f"{self.size} bytes" if self.size < COUNTED else f"{COUNTED} bytes or more"
        later = f" and {self.later_parts} later part{'s'[: self.later_parts - 1]}" if self.later_parts else ""
        return f"{self.part}, byte {self.offset}: {self.reason}; {size}{later} set aside"


class Place(NamedTuple):
    """Between two records of a session."""

    part: int
    offset: int
    """In the text of the part; 0 is behind its header."""

    checksum: int
    """Of the part, up to here."""

    record: int
    """The number of the record before it."""


BEGINNING = Place(1, 0, 0, 0)


@attrs.define(eq=False)
class RecordedSession:
    """A session on the disk: iterate, as often as you like, for its records. Made by `find`."""

    first: Path
    """Its first part, as that is called when it is not compressed: what the session is known by."""

    parts: dict[int, Path]
    """The files that there are of it, by number, in order."""

    header: Header
    damage: Damage | None = attrs.field(default=None, init=False)
    """Known when an iteration came to its end."""

    _from: Place = attrs.field(default=BEGINNING, init=False)
    _reached: tuple[int, Part] | None = attrs.field(default=None, init=False)
    """The part that an iteration has come to since, and its number."""

    @property
    def place(self) -> Place:
        """Behind the last record that an iteration came to."""
        if self._reached is None:
            return self._from
        number, part = self._reached
        return Place(number, *part.standing, part.last)

    def __iter__(self) -> Iterator[Record]:
        """The records after the header, in order, their numbers without a gap; one at a time is in memory."""
        return self.since(BEGINNING)

    def since(self, place: Place) -> Iterator[Record]:
        """The records behind ``place``, as if it had been read to there just now.

        Raises:
            ChangedPartError: there is no such place any more.
        """
        self.damage = None
        self._from, self._reached = place, None
        last = place.record
        for number in range(place.part, max(self.parts) + 1):
            path = self.parts.get(number, names.part(self.first, number))
            if not path.exists() and names.compressed(path).exists():  # by now
                path = names.compressed(path)
            try:
                with open_part(path) as part:
                    self._see_that_it_is(part, number)
                    if number == place.part and place.offset:
                        part.go_to(place.offset, place.checksum)
                    self._reached = number, part
                    yield from part.records(last)
                    last = part.last
            except DamagedPartError as error:
                fault = error
            except FileNotFoundError:
                fault = DamagedPartError(0, 0, "the part is missing")
            except OSError as error:
                fault = DamagedPartError(0, 0, f"it cannot be opened: {error.strerror}")
            else:
                continue
            later = sum(other > number for other in self.parts)
            self.damage = Damage(path, fault.offset, fault.size, fault.reason, later)
            return

    def _see_that_it_is(self, part: Part, number: int) -> None:
        found = part.header
        if (found.run_id, found.part) != (self.header.run_id, number):
            raise part.damaged(f"it is part {found.part} of session {found.run_id}")


@attrs.frozen
class Recording:
    """A session as it was read: the header, all records after it in order, and what could not be read."""

    header: Header
    records: list[Record]
    damage: Damage | None


def find(path: Path) -> RecordedSession:
    """The session of which ``path`` is the first part, or any other; with or without what compression adds to a name.

    Raises:
        NotAJournalError: it is none.
        OSError: there is no such file, or it cannot be opened.
    """
    if path.is_dir():
        raise IsADirectoryError(EISDIR, os.strerror(EISDIR), str(path))
    first, number = names.place(path)
    if number > 1 and _begins_a_session(path):
        first = names.plain(path)
    parts = {
        number: part
        for number, part in names.parts(first).items()
        if number == 1 or not _begins_a_session(part)
    }
    faults = []
    for part in parts.values():
        try:
            with open_part(part) as opened:
                return RecordedSession(first, parts, opened.header)
        except DamagedPartError as fault:
            faults.append(fault)
    if not faults:
        raise FileNotFoundError(ENOENT, os.strerror(ENOENT), str(path))
    raise NotAJournalError(f"{next(iter(parts.values()))} cannot be read as a journal: {faults[0].reason}")


def _begins_a_session(path: Path) -> bool:
    """Whether a file that is named as a later part is the first of a session."""
    try:
        with open_part(path) as part:
            return part.header.part == 1
    except (OSError, DamagedPartError):
        return False


def read(path: Path) -> Recording:
    """The session in ``path`` (see `find`), all of it in memory.

    Raises:
        NotAJournalError: it is none.
        OSError: the file cannot be read.
    """
    session = find(path)
    records = list(session)
    return Recording(session.header, records, session.damage)
