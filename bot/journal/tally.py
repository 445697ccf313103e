"""What a session comes to, in numbers."""

from collections.abc import Iterable, Iterator

import attrs

from bot.core.tape import Kind
from bot.journal.record import Record


@attrs.define
class Tally:
    """Counts the records that pass."""

    records: int = 0
    orders: int = 0
    """Intents to place one: each is an order that was about to leave."""

    ns: int = 0
    """The time of the last record."""

    exit_code: int | None = None
    """Of the run, if it ended by itself."""

    def passing(self, records: Iterable[Record]) -> Iterator[Record]:
        for record in records:
            self.records += 1
            self.ns = record.ns
            match record.kind, record.data:
                case Kind.INTENT, data if not (isinstance(data, dict) and data.get("what") == "modify"):
                    self.orders += 1
                case Kind.END, {"exit_code": int(code)}:
                    self.exit_code = code
            yield record
