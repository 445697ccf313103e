"""What the records that go into a replay look like. What comes out of it is compared, so it needs no shape here."""

from typing import Any, Literal, TypeVar

import msgspec

from bot.journal.record import Record
from bot.replay.errors import UnusableRecordingError
from bot.trading.effects import CLOCK_MARGIN_NS, Signed

T = TypeVar("T")


class Request(msgspec.Struct):
    x: int
    of: int
    lane: str
    method: str
    path: str
    headers: dict[str, str] = {}
    body: str = ""


class Call(msgspec.Struct):
    x: int
    of: int
    frame: str


class Answer(msgspec.Struct):
    x: int
    status: int
    reused: bool
    elapsed_ns: int
    body: str | dict[str, str]


class Failure(msgspec.Struct):
    x: int
    failure: str


class Intent(msgspec.Struct):
    what: Signed
    client_id: str
    signature_timestamp: int
    sent_ns: int
    sign_ns: int
    message_hash: str
    signature_digest: str
    hash_ns: int | None = None
    signed_ns: int | None = None
    margin_ns: int = CLOCK_MARGIN_NS


class Prepared(msgspec.Struct):
    client_id: str
    signature_timestamp: int
    until_ns: int
    sign_ns: int
    hash_ns: int | None = None


class Outcome(msgspec.Struct):
    what: Literal["place", "prepare", "modify", "cancel", "look up", "quote", "snapshot"]
    client_id: str = ""
    market: str = ""
    x: list[Any] = []
    """Numbers; of a snapshot four lists of numbers."""

    failure: str = ""
    requested_ns: int = 0


class Generation(msgspec.Struct):
    session: Literal["ready", "lost"]


class Timer(msgspec.Struct):
    purpose: str
    subject: str


class Stop(msgspec.Struct):
    reason: str


class Mode(msgspec.Struct):
    x: int


class Command(msgspec.Struct):
    command: str
    reason: str = ""


class SocketEnd(msgspec.Struct):
    code: int | None
    reason: str
    ours: bool


class End(msgspec.Struct):
    exit_code: int


def unusable(record: Record, why: object) -> UnusableRecordingError:
    return UnusableRecordingError(f"record {record.number} ({record.kind}) cannot be replayed: {why}")


def shaped(record: Record, shape: type[T]) -> T:
    """The data of a record. Raises `UnusableRecordingError` if it is of another shape."""
    try:
        return msgspec.convert(record.data, shape)
    except msgspec.ValidationError as error:
        raise unusable(record, error) from error
