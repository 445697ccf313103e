"""What passes between the bot and the venue, as short lines for tests and stories; a tape in front of another."""

from collections.abc import Callable
from typing import Any

import attrs
import trio

from bot.core.tape import HIDDEN, Kind, Stamp, Tape

SHOWN = frozenset({Kind.REQUEST, Kind.ANSWER, Kind.FRAME_OUT, Kind.FRAME_IN})


@attrs.define(eq=False)
class Trace:
    """A `Tape` that passes everything on to ``tape``, and keeps the messages."""

    tape: Tape
    lines: list[tuple[float, str, str]] = attrs.field(factory=list)
    """When (seconds of trio's clock), which way (the kind of the record), and what: ``GET /orders``,
    ``200 {…} /orders``, a frame."""

    listeners: list[Callable[[str, str], None]] = attrs.field(factory=list)
    """Each is called with way and text of every message, as it passes."""

    _paths: dict[int, str] = attrs.field(factory=dict)

    def write(self, kind: Kind, data: Any, *, generation: int = 0) -> Stamp:
        stamp = self.tape.write(kind, data, generation=generation)
        if kind is Kind.FAILURE:
            self._paths.pop(data["x"], None)  # of a call there is none
        elif kind in SHOWN:
            text = self._text(kind, data)
            self.lines.append((trio.current_time(), str(kind), text))
            for listener in self.listeners:
                listener(str(kind), text)
        return stamp

    def commit(self) -> None:
        self.tape.commit()

    def _text(self, kind: Kind, data: Any) -> str:
        match kind:
            case Kind.REQUEST:
                self._paths[data["x"]] = data["path"]
                return f"{data['method']} {data['path']} {data.get('body', '')}"
            case Kind.ANSWER:
                body = "[secret]" if data["body"] == HIDDEN else data["body"]
                return f"{data['status']} {body} {self._paths.pop(data['x'])}"
            case Kind.FRAME_OUT if isinstance(data, dict):
                return str(data["frame"])
        return str(data)
