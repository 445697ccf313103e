"""What a replay by steps came to, for people and for programs."""

from typing import Any

import attrs
import msgspec

from bot.core.tape import Kind
from bot.journal.record import Record
from bot.journal.telling import words

SHOWN = 20
"""Divergences that the text shows: whoever has more looks at the first ones anyway. The JSON holds all."""

NOTHING = "nothing"
"""Stands where the one or the other has no record."""


@attrs.frozen
class Divergence:
    """The program of today does something else than the one that was recorded."""

    record: int
    """Number of the record that holds what was done then; or of the one after which nothing was."""

    ns: int
    kind: Kind | str
    what: str
    expected: Any
    """As recorded, or None for nothing."""

    came: Any

    def to_text(self) -> str:
        """Where, in which fields, and all of both."""
        lines = [f"record {self.record}, at {self.ns / 1e9:.6f} s, {self.kind}: {self.what}"]
        if isinstance(self.expected, dict) and isinstance(self.came, dict):
            lines += [
                f"    {name}: expected {then}, came {now}"
                for name, then, now in differing(self.expected, self.came)
            ]
        return "\n".join([*lines, f"  expected {shown(self.expected)}", f"  came     {shown(self.came)}"])

    def to_decision(self) -> str:
        """The same of a decision under other settings, in words."""
        then, now = (
            NOTHING if data is None else words(Record(self.record, self.ns, 0, self.kind, data))
            for data in (self.expected, self.came)
        )
        if self.kind == Kind.INTENT:
            requests = [{"request": each.get("request")} for each in (self.expected, self.came)]
            fields = differing(requests[0], requests[1])
            then, now = (
                f"send {self.came['client_id']} with "
                + ", ".join(f"{field[0]} {field[side]}" for field in fields)
                for side in (1, 2)
            )
        return "\n".join(
            [
                f"{self.ns / 1e9:>12.6f} s  record {self.record}",
                f"    then  {then}",
                f"    now   {now}",
            ]
        )


def differing(expected: dict[str, Any], came: dict[str, Any], within: str = "") -> list[tuple[str, str, str]]:
    """The fields in which two records differ, with both values as text. What is JSON in JSON is looked into."""
    found = []
    for name in dict.fromkeys((*expected, *came)):
        then, now = _inner(expected.get(name)), _inner(came.get(name))
        if isinstance(then, dict) and isinstance(now, dict):
            found += differing(then, now, f"{within}{name}.")
        elif name not in expected or name not in came or then != now:
            texts = [shown(each[name]) if name in each else NOTHING for each in (expected, came)]
            found.append((within + name, texts[0], texts[1]))
    return found


def shown(data: Any) -> str:
    """A record's data, or what stands for none."""
    return NOTHING if data is None else msgspec.json.encode(data).decode()


def _inner(value: Any) -> Any:
    if isinstance(value, str) and value.startswith("{"):
        try:
            return msgspec.json.decode(value)
        except (ValueError, RecursionError):
            pass
    return value


@attrs.define(kw_only=True)
class Report:
    """Of one replay."""

    run_id: str
    environment: str
    version: str
    """Of the bot that recorded it."""

    settings: list[str] = attrs.field(factory=list)
    """What is other than recorded, in words, where decisions under other settings were asked for."""

    records: int = 0
    """That were replayed."""

    frames: int = 0
    """Of the WebSocket, in both directions."""

    orders: int = 0
    """That were signed."""

    requests: int = 0
    divergences: list[Divergence] = attrs.field(factory=list)
    stopped: str = ""
    """Where and why the rest was not replayed; empty for no such reason."""

    notes: list[str] = attrs.field(factory=list)
    """What else whoever reads this has to know."""

    seconds: float = 0.0
    """How long it took, from the first record read to the last."""

    @property
    def exit_code(self) -> int:
        return 1 if self.divergences or self.stopped else 0

    @property
    def records_per_second(self) -> float:
        return self.records / self.seconds if self.seconds else 0.0

    def to_json(self) -> bytes:
        told = attrs.asdict(self) | {"records_per_second": round(self.records_per_second)}
        return msgspec.json.format(msgspec.json.encode(told), indent=2) + b"\n"

    def to_text(self) -> str:
        """For people: figures, then the divergences, or the decisions that are others."""
        lines = [
            f"session      {self.run_id}, {self.environment}, recorded by version {self.version}",
            *(f"now          {change}" for change in self.settings),
            f"records      {self.records}",
            f"frames       {self.frames}",
            f"orders       {self.orders}",
            f"requests     {self.requests}",
            f"{'otherwise' if self.settings else 'divergences':<12} {len(self.divergences)}",
            f"speed        {self.records_per_second:.0f} records/s, {self.seconds:.3f} s",
            *(f"note         {note}" for note in self.notes),
        ]
        for place, divergence in enumerate(self.divergences[:SHOWN]):
            lines.append("")
            if self.settings:
                lines.append(divergence.to_decision())
            else:
                lines.append(f"{'another' if place else 'the first divergence'}: {divergence.to_text()}")
        if len(self.divergences) > SHOWN:
            lines += ["", f"and {len(self.divergences) - SHOWN} more; --json shows all"]
        if self.stopped:
            lines += ["", f"stopped at {self.stopped}"]
        return "\n".join(lines) + "\n"
