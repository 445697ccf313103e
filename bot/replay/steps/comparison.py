"""The tape of a replay: what is written to it is held against what was recorded."""

from collections.abc import Callable, Sequence
from typing import Any

import attrs
import msgspec

from bot.core.tape import Kind, Stamp
from bot.journal.record import Record
from bot.replay.steps.report import Divergence

DECIDED = frozenset({Kind.EFFECT, Kind.ORDER, Kind.REPAIR, Kind.ALARM})
"""What comes out of a step. It stands right behind what the step was told: nothing happens in between."""

OTHERWISE = "other than recorded"

_json = msgspec.json.Encoder().encode


@attrs.define(eq=False)
class ComparingTape:
    """A `bot.core.tape.Tape`, at one record after the other: `turn_to` it, let the bot write, `turn_away`.

    Compared is JSON, to the byte. What the bot decides gets the number of the recorded decision that it is held
    against, so that what was done because of the one is compared with what follows from the other.
    """

    differ: Callable[[Divergence], None]
    record: Record = attrs.field(init=False)
    """The one that it is at."""

    _decided: list[Record | None] = attrs.field(factory=list)
    """None where the same, or something else about the same, was decided again."""

    _reached: int = 0
    """How many of them the bot has passed: it decides in the same order, too."""

    _may_be_torn: bool = False
    """The recording ends here, and what this step decided may be lost."""

    def turn_to(self, record: Record, decided: Sequence[Record], *, may_be_torn: bool) -> None:
        """Expect ``record`` itself, if it is one that the bot writes, and what was ``decided`` then."""
        self.record, self._decided, self._reached, self._may_be_torn = record, [*decided], 0, may_be_torn

    def turn_away(self) -> None:
        """What was recorded and is not written again is a divergence."""
        for missed in self._decided:
            if missed is not None:
                self.differ(
                    Divergence(missed.number, missed.ns, missed.kind, "not decided now", missed.data, None)
                )

    def write(self, kind: Kind, data: Any, *, generation: int = 0) -> Stamp:
        record = self.record
        if kind not in DECIDED:
            self.compare(kind, data, generation=generation)
            return Stamp(record.number, record.ns)
        then = self._decided[self._reached] if self._reached < len(self._decided) else None
        if then is not None and _same(then, kind, data, generation):  # mostly, and quicker than to pick
            self._decided[self._reached] = None
            self._reached += 1
            return Stamp(then.number, then.ns)
        then = self._pick(kind, data)
        if then is None:
            if not self._may_be_torn:
                what = f"decided now after this {record.kind}"
                self.differ(Divergence(record.number, record.ns, kind, what, None, told(data)))
            return Stamp(0, record.ns)
        if not _same(then, kind, data, generation):
            self.differ(Divergence(then.number, then.ns, kind, OTHERWISE, then.data, told(data)))
        return Stamp(then.number, then.ns)

    def commit(self) -> None:
        pass

    def compare(self, kind: Kind, data: Any, *, generation: int = 0) -> None:
        """Hold ``data`` against the record that the tape is at."""
        record = self.record
        if not _same(record, kind, data, generation):
            self.differ(Divergence(record.number, record.ns, record.kind, OTHERWISE, record.data, told(data)))

    def _pick(self, kind: Kind, data: Any) -> Record | None:
        """What was decided then about the same order, timer or market; None if nothing was."""
        subject = _subject(kind, data)
        for place, then in enumerate(self._decided):
            if then is not None and _subject(then.kind, then.data) == subject:
                if place < self._reached:
                    what = "decided now after what came later then"
                    self.differ(Divergence(then.number, then.ns, kind, what, then.data, told(data)))
                self._reached = max(self._reached, place + 1)
                self._decided[place] = None
                return then
        return None


def told(data: Any) -> Any:
    """``data`` as it comes back from the tape."""
    return msgspec.json.decode(_json(data))


def _same(record: Record, kind: Kind, data: Any, generation: int) -> bool:
    return record.kind == kind and record.generation == generation and _json(record.data) == _json(data)


def _subject(kind: Kind | str, data: Any) -> tuple[object, ...]:
    """What a decision is about; an alarm is about whatever it says."""
    if not isinstance(data, dict) or kind == Kind.ALARM:
        return (kind,)
    get = data.get
    return (kind, get("do") or get("what"), get("client_id") or get("market"), get("purpose"), get("subject"))
