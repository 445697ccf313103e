"""How a session ran: each record with what was decided because of it, and its time."""

from collections.abc import Iterable, Iterator
from typing import NoReturn

import attrs

from bot.journal.record import Record
from bot.replay.steps.comparison import DECIDED


class PartedError(Exception):
    """The recorded events no longer fit what the bot decides. Says where and why."""


@attrs.define(eq=False)
class RecordedClock:
    """The time of the record that is replayed. A `bot.core.clock.Clock`."""

    started_ns: int
    ns: int = 0

    def wall_ns(self) -> int:
        return self.started_ns + self.ns

    def monotonic_ns(self) -> int:
        return self.ns


def part(record: Record, why: str) -> NoReturn:
    """Raise `PartedError`: from ``record`` on the recorded events say nothing of what the bot decides."""
    raise PartedError(f"record {record.number} ({record.kind}), at {record.ns / 1e9:.6f} s: {why}")


def steps(records: Iterable[Record]) -> Iterator[tuple[Record, list[Record], bool]]:
    """Each record with what was decided because of it, and whether it is the last one that has a cause."""
    cause: Record | None = None
    decided: list[Record] = []
    for record in records:
        if cause is None:
            cause = record
        elif record.kind in DECIDED:
            decided.append(record)
        else:
            yield cause, decided, False
            cause, decided = record, []
    if cause is not None:
        yield cause, decided, True
