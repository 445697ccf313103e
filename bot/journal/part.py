"""One file of a session, read record by record."""

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from io import BufferedReader
from pathlib import Path

import attrs
import msgspec
import zstandard

from bot.core.tape import Kind
from bot.journal.header import FORMAT, Header
from bot.journal.record import LONGEST_LINE, DamagedRecordError, Lines, Record

COUNTED = 2**30
"""Bytes after a damage that are counted at most: a small compressed file can hold terabytes of zeros."""

_FRAME_HEADER = 18  # bytes that tell all about a compressed file (RFC 8878, 3.1.1.1)
_CHUNK = 2**16


@attrs.frozen(slots=False)
class DamagedPartError(ValueError):
    """Here the good records of a part end."""

    offset: int
    """Where in its text, in bytes: of a compressed part, when it is decompressed."""

    size: int
    """How many bytes of text there are from there on, as far as they can be read, up to `COUNTED`."""

    reason: str


class ChangedPartError(Exception):
    """A part is not any more what somebody had read of it."""


class Part:
    """A file past its header. Made by `open_part`."""

    def __init__(self, text: BufferedReader, size: int | None) -> None:
        """``size`` is how long the text has to be, if that is known. Raises DamagedPartError for a bad header."""
        self._text = text
        self._size = size
        self._lines = Lines()
        self._good = 0
        self.last = 0
        """The number of the last good record."""

        self.header = self._header()

    @property
    def standing(self) -> tuple[int, int]:
        """Behind the last good record: the offset in the text in bytes, and the checksum of all before it."""
        return self._good, self._lines.checksum

    def go_to(self, offset: int, checksum: int) -> None:
        """Go on where `standing` was this. Raises ChangedPartError: there is no such place any more."""
        reached = self._good
        try:
            while reached < offset and (chunk := self._text.read(min(_CHUNK, offset - reached))):
                reached += len(chunk)
            if reached == offset and self._text.peek(1)[:1] == b"\n":
                # So much of a line was not written then.
                self._text.read(1)
                reached = offset = offset + 1
        except (OSError, zstandard.ZstdError) as error:
            raise ChangedPartError from error
        if reached != offset:
            raise ChangedPartError
        self._good = offset
        self._lines = Lines(checksum)

    def records(self, last: int) -> Iterator[Record]:
        """The records that follow, to be read once, and to go on from number ``last``.

        Raises:
            DamagedPartError: what comes next is no record, or not the next one.
        """
        self.last = last
        while True:
            line = b""
            try:
                line = self._text.readline(LONGEST_LINE)
                if not line:
                    break
                record = self._lines.record(line, self.last + 1)
            except (OSError, zstandard.ZstdError) as error:
                raise self.damaged(f"it cannot be read: {error}") from error
            except DamagedRecordError as error:
                raise self.damaged(_appearance(line) or str(error), len(line)) from error
            self._good += len(line)
            self.last += 1
            yield record
        if self._size not in {self._good, None}:
            raise self.damaged("the compressed file is cut short")

    def damaged(self, reason: str, read: int = 0) -> DamagedPartError:
        """The error to raise where the good records end. There is nothing left to read after this.

        ``read`` is how many bytes after them have been read.
        """
        with suppress(OSError, zstandard.ZstdError):
            while read < COUNTED and (chunk := self._text.read(_CHUNK)):
                read += len(chunk)
        return DamagedPartError(self._good, read, reason)

    def _header(self) -> Header:
        record = next(self.records(-1), None)
        if record is None:
            raise self.damaged("it is empty")
        self._good, read = 0, self._good  # until it is understood
        if record.kind is not Kind.HEADER:
            raise self.damaged("it does not begin with a header", read)
        match record.data:
            case {"format": int(other)} if other != FORMAT:
                raise self.damaged(f"its format is {other}, and this program reads {FORMAT}", read)
        try:
            header = msgspec.convert(record.data, Header)
        except msgspec.ValidationError as error:
            raise self.damaged(f"its header cannot be read: {error}", read) from error
        self._good = read
        return header


@contextmanager
def open_part(path: Path) -> Iterator[Part]:
    """The part in ``path``, plain or compressed.

    Raises:
        DamagedPartError: it does not begin with a header that this program can read.
        OSError: the file cannot be opened.
    """
    if path.exists() and not path.is_file():  # a pipe would keep its reader waiting
        raise DamagedPartError(0, 0, "it is no regular file")
    with path.open("rb") as file:
        yield Part(*_text(file))


def _text(file: BufferedReader) -> tuple[BufferedReader, int | None]:
    """The text in ``file``, and how long it has to be if the file says.

    A compressed file is known by how it begins, so it may have any name.
    """
    beginning = file.peek(_FRAME_HEADER)[:_FRAME_HEADER]
    if not beginning.startswith(zstandard.FRAME_HEADER):
        return file, None
    size = None
    with suppress(zstandard.ZstdError):  # reading will raise it again
        told = zstandard.get_frame_parameters(beginning).content_size
        size = None if told == zstandard.CONTENTSIZE_UNKNOWN else told
    stream = zstandard.ZstdDecompressor().stream_reader(file)  # takes 128 MiB of memory at most
    return BufferedReader(stream, _CHUNK), size


def _appearance(line: bytes) -> str:
    """What a line that is no record looks like, if it looks like anything."""
    if not line.strip(b"\0"):
        return "zeros instead of a record"
    if len(line) == LONGEST_LINE:
        return "a line without end"
    return "" if line.endswith(b"\n") else "the record is cut short"
