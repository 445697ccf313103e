"""One record, and the line of text that it is in a file.

A line is a checksum in 8 hex digits, a space, and a JSON array: number, ns since the start of the run, generation,
kind, data. Text, so that a person can read a session before giving it away, and any tool can.

The checksum is the CRC-32 of the JSON of this line and of every line before it in the file. Of this line alone it
would not tell a line that is good from one that is good in another session: the lines of two sessions, spliced,
would read as one.
"""

import zlib
from typing import Annotated, Any, NamedTuple

import attrs
import msgspec

from bot.core.tape import Kind

LONGEST_LINE = 2**26
"""Bytes. The largest message that the bot takes is an eighth of it, and no escape is longer than eight bytes."""


class Record(NamedTuple):
    """A record as it was read. ``data`` is whatever JSON holds; its shape depends on ``kind``."""

    number: int
    ns: int
    generation: int
    kind: Kind | str
    """Plain text if it is a kind of a newer program: to be passed over, as the format stays what it is."""

    data: Any


class DamagedRecordError(ValueError):
    """No line of a journal, or not any more."""


_encoder = msgspec.json.Encoder()
_Natural = Annotated[int, msgspec.Meta(ge=0, le=2**63 - 1)]
_decoder = msgspec.json.Decoder(tuple[_Natural, _Natural, _Natural, Kind, Any])
_decoder_of_newer = msgspec.json.Decoder(tuple[_Natural, _Natural, _Natural, str, Any])


def payload(number: int, ns: int, generation: int, kind: Kind | str, data: Any) -> bytes:
    """The JSON of a record."""
    return _encoder.encode((number, ns, generation, kind, data))


@attrs.define
class Lines:
    """The lines of one file, made or read in their order."""

    checksum: int = 0

    def line(self, payload: bytes) -> bytes:
        """The next line, of the record whose JSON is ``payload``; with its newline."""
        self.checksum = zlib.crc32(payload, self.checksum)
        return b"%08x %b\n" % (self.checksum, payload)

    def record(self, line: bytes, number: int) -> Record:
        """The record that the next line holds, which is ``number``.

        Raises:
            DamagedRecordError: with what is wrong; the next line is still this one.
        """
        payload = line[9:].removesuffix(b"\n")
        checksum = zlib.crc32(payload, self.checksum)
        if line[:9] != b"%08x " % checksum:
            raise DamagedRecordError("the checksum does not match")
        try:
            record = _read(payload)
        except (ValueError, RecursionError) as unreadable:  # msgspec's own errors are ValueErrors
            raise DamagedRecordError(f"no record: {unreadable}") from unreadable
        if record.number != number:
            before = f"follows record {number - 1}" if number else "stands where a header has to"
            raise DamagedRecordError(f"record {record.number} {before}")
        self.checksum = checksum
        return record


def _read(payload: bytes) -> Record:
    try:
        fields = _decoder.decode(payload)
    except msgspec.ValidationError:
        return Record(*_decoder_of_newer.decode(payload))
    return tuple.__new__(Record, fields)  # in half of the time that a call of the class takes
