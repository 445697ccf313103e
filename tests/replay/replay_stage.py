"""Recorded sessions in memory, whole or tampered with."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, nullcontext
from copy import deepcopy
from functools import cache
from pathlib import Path
from typing import Any

import attrs
import msgspec

from bot.core.tape import Kind
from bot.journal.header import Header
from bot.journal.reader import Damage, Recording, find, read
from bot.journal.record import Record
from bot.replay.scenarios import SCENARIOS

FOLDER = Path(__file__).parent / "sessions"
SESSIONS = sorted({find(path).first for path in FOLDER.iterdir()})
"""The first file of each, whatever there is of it: later parts, or compressed ones."""


@attrs.frozen
class Session:
    """What `bot.replay.steps.manners` replays."""

    header: Header
    records: list[Record]
    damage: Damage | None = None

    def __iter__(self) -> Iterator[Record]:
        return iter(self.records)

    def until(self, number: int) -> "Session":
        """Without what came after a record."""
        return attrs.evolve(self, records=[record for record in self.records if record.number <= number])

    def find(self, kind: Kind, wanted: Callable[[Any], bool] = lambda _data: True) -> Record:
        """The first record of a kind whose data are ``wanted``."""
        return next(record for record in self.records if record.kind == kind and wanted(record.data))

    def with_record(self, changed: Record) -> "Session":
        """With another record under the same number."""
        records = [changed if record.number == changed.number else record for record in self.records]
        return attrs.evolve(self, records=records)

    def edited(self, number: int, edit: Callable[[Any], Any]) -> "Session":
        """With other data in one record; ``edit`` changes a copy in place, or returns another."""
        record = next(record for record in self.records if record.number == number)
        data = deepcopy(record.data)
        data = edit(data) or data
        return self.with_record(record._replace(data=data))

    def without(self, number: int) -> "Session":
        """As if a record had never been: the others are numbered anew, and name each other so."""
        records = []
        for record in self.records:
            if record.number != number:
                moved = record.number - (record.number > number)
                data = record.data
                if record.kind is Kind.REQUEST and data["of"] > number:
                    data = data | {"of": data["of"] - 1}
                records.append(record._replace(number=moved, data=data))
        return attrs.evolve(self, records=records)


@cache
def read_session(name: str) -> Recording:
    """The session of this name, as it is played."""
    return read(FOLDER / f"{name}.journal")


def acted(name: str) -> AbstractContextManager[None]:
    """Bots trade meanwhile as in the session of this name, by whatever strategy that was."""
    return SCENARIOS[name].acted() if name in SCENARIOS else nullcontext()


def recorded(name: str) -> Session:
    """The same as it is replayed by steps."""
    recording = read_session(name)
    return Session(recording.header, recording.records)


def in_json(**changes: Any) -> Callable[[Any], Any]:
    """An edit of data that are JSON in text."""
    return lambda text: msgspec.json.encode(_merged(msgspec.json.decode(text), changes)).decode()


def in_body(**changes: Any) -> Callable[[Any], Any]:
    """An edit of an HTTP body, or of that in an intent's request."""

    def edit(data: Any) -> None:
        holder = data.get("request", data)
        holder["body"] = in_json(**changes)(holder["body"])

    return edit


def _merged(data: Any, changes: dict[str, Any]) -> Any:
    for name, value in changes.items():
        if isinstance(value, dict) and isinstance(data.get(name), dict):
            _merged(data[name], value)
        else:
            data[name] = value
    return data
