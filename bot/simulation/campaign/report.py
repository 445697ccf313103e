"""What a campaign came to, for people and for programs."""

from collections import Counter
from typing import Any

import attrs
import msgspec

from bot.simulation.campaign.jobs import Done
from bot.simulation.campaign.play import Played
from bot.simulation.campaign.strikes.table import KINDS

COLUMNS = 4


@attrs.define
class Report:
    """Adds up seeds as they are done."""

    seconds: float = 0.0
    """Simulated."""

    seeds: int = 0
    lives: int = 0
    orders: int = 0
    repairs: int = 0
    wall: float = 0.0
    struck: Counter[str] = attrs.field(factory=lambda: Counter(dict.fromkeys(KINDS, 0)))
    failed: list[Done] = attrs.field(factory=list)
    shrunk: list[Done] = attrs.field(factory=list)

    def add(self, done: Done) -> None:
        self.seeds += 1
        if done.violations:
            self.failed.append(done)
        if (played := done.played) is not None:
            self.seconds += played.seconds
            self.lives += played.lives
            self.orders += played.orders
            self.repairs += played.repairs
            self.struck.update(played.struck)

    @property
    def violations(self) -> int:
        return sum(len(done.violations) for done in self.failed)

    def to_json(self) -> bytes:
        told: dict[str, Any] = {
            "seeds": self.seeds,
            "simulated_hours": round(self.seconds / 3600, 3),
            "lives": self.lives,
            "orders": self.orders,
            "repairs": self.repairs,
            "wall_seconds": round(self.wall, 1),
            "struck": dict(sorted(self.struck.items())),
            "violations": [
                {"command": done.task.command(), "violations": done.violations} for done in self.failed
            ],
            "shrunk": [{"command": _repeating(done), "violations": done.violations} for done in self.shrunk],
        }
        return msgspec.json.format(msgspec.json.encode(told), indent=2) + b"\n"

    def to_text(self) -> str:
        lines = [
            f"seeds        {self.seeds}",
            f"simulated    {self.seconds / 3600:.1f} hours in {self.wall:.0f} s",
            f"lives        {self.lives}",
            f"orders       {self.orders}",
            f"repairs      {self.repairs}",
            f"faults       {self.struck.total()}, each kind {min(self.struck.values())} times at least",
            *_table(self.struck),
            f"violations   {self.violations} in {len(self.failed)} seeds",
        ]
        for done in sorted(self.failed, key=lambda done: done.task.seed):
            lines += ["", done.task.command(), *(f"    {violation}" for violation in done.violations)]
        for done in self.shrunk:
            lines += [
                "",
                f"shrunk: {_repeating(done)}",
                *(f"    {violation}" for violation in done.violations),
            ]
        return "\n".join(lines) + "\n"


def _repeating(done: Done) -> str:
    return done.task.command(None if done.played is None else _numbers(done.played))


def _numbers(played: Played) -> tuple[int, ...]:
    return tuple(strike.number for strike in played.schedule.strikes)


def _table(struck: Counter[str]) -> list[str]:
    cells = [f"{count:>6} {name:<29}" for name, count in sorted(struck.items())]
    rows = -(-len(cells) // COLUMNS)
    return ["".join(cells[row::rows]).rstrip() for row in range(rows)]


def story(played: Played) -> str:
    """One seed, from its beginning to its verdict."""
    lines = [f"{each.at:10.3f}  {each.text}" for each in played.story]
    struck = ", ".join(f"{name} {count}" for name, count in played.struck.items())
    lines += [
        "",
        f"simulated {played.seconds:.0f} s, {played.lives} lives, {played.orders} orders, {played.repairs} repairs",
        f"struck: {struck or 'nothing'}",
        f"digest of all records: {played.digest}",
        *(f"VIOLATION  {violation}" for violation in played.violations),
    ]
    return "\n".join([*lines, "" if played.violations else "nothing is wrong"]).rstrip() + "\n"
