"""The records of a run in memory, for whoever judges it afterwards; a tape in front of another."""

from typing import Any

import attrs
import trio

from bot.core.tape import Kind, Stamp, Tape

COMMITTED = "committed"
"""Everything before this line is in the file."""


@attrs.frozen
class Line:
    """A record of the tape, or a remark of ours; ``at`` in seconds of trio's clock."""

    at: float
    kind: Kind | str
    data: Any
    generation: int = 0


@attrs.define(eq=False)
class Notes:
    """A `Tape` that keeps everything in memory, and passes it on to ``tape``."""

    tape: Tape
    lines: list[Line] = attrs.field(factory=list)

    def write(self, kind: Kind, data: Any, *, generation: int = 0) -> Stamp:
        self.lines.append(Line(trio.current_time(), kind, data, generation))
        return self.tape.write(kind, data, generation=generation)

    def commit(self) -> None:
        self.tape.commit()
        self.lines.append(Line(trio.current_time(), COMMITTED, ""))

    def remark(self, text: str) -> None:
        """Say something between two records."""
        self.lines.append(Line(trio.current_time(), "cancelled", text))
