"""What changed between two measurements, with intervals, so that noise is not called progress.

Many phases are looked at, and each could differ by chance. So the bounds of all of them are made so wide that with
95 % they hold together (Bonferroni): half of the risk of 5 % is given to the medians of ``answered``, which is what
the comparison is about, and the other half is shared by everything else.
"""

from collections import defaultdict
from collections.abc import Iterator
from enum import StrEnum
from typing import Any

import attrs

from bot.lab.latency.document import Document
from bot.lab.latency.names import counted, digits, in_order, listed, title, values
from bot.lab.latency.resampling import Interval, difference, estimates, percentile
from bot.latency.distributions import WS
from bot.latency.phases import PHASES

RISK = 0.05
"""With this probability one bound or more of a comparison misses the truth."""

FEWEST = 20
"""With fewer orders on a side nothing is said of a difference."""

FEWEST_FOR_P99 = 500
"""So that five of them are beyond it."""

_OURS_MS = 0.001
"""Figures are kept in µs."""

_VENUES_MS = 1.0
"""The venue's stamps on orders count ms."""

_SIMILAR = 1.1
"""Numbers of orders that differ by more than this factor are told."""

_FIGURES = {"p50": 50.0, "p99": 99.0}


class Found(StrEnum):
    BETTER = "better"
    WORSE = "worse"
    NOTHING = "no difference shown"
    TOO_FEW = "too few to tell"


@attrs.frozen(kw_only=True)
class Change:
    """One figure of a phase in both measurements, in ms."""

    way: str
    warm: bool
    phase: str
    name: str
    """``p50`` or ``p99``"""

    before_ms: float
    after_ms: float
    interval: Interval | None
    """Of the difference; None if there were too few orders."""

    found: Found

    @property
    def ratio(self) -> float | None:
        """After to before; None if that was 0."""
        return self.after_ms / self.before_ms if self.before_ms else None

    def to_dict(self) -> dict[str, Any]:
        return {
            "way": self.way,
            "warm": self.warm,
            "phase": self.phase,
            "figure": self.name,
            "before_ms": self.before_ms,
            "after_ms": self.after_ms,
            "difference_ms": round(self.after_ms - self.before_ms, 6),
            "ratio": None if self.ratio is None else round(self.ratio, 6),
            "interval_ms": self.interval and [round(self.interval.low, 6), round(self.interval.high, 6)],
            "found": self.found.value,
        }


@attrs.frozen(kw_only=True)
class Comparison:
    """Of two measurements, the earlier one first."""

    before: str
    """Its run id, and how many orders were compared."""

    after: str
    changes: list[Change]
    missing: list[str]
    """What one of them has and the other has not."""

    warnings: list[str]
    """Conditions that differ: something else may have changed than what was meant to."""

    def to_dict(self) -> dict[str, Any]:
        return {
            "before": self.before,
            "after": self.after,
            "risk": RISK,
            "warnings": self.warnings,
            "missing": self.missing,
            "changes": [change.to_dict() for change in self.changes],
        }

    def to_text(self) -> str:
        """The same for people, in ms; phases that took no time on either side are left out."""
        blocks = [[f"before: {self.before}", f"after:  {self.after}"]]
        blocks += [[f"WARNING: {warning}" for warning in self.warnings]]
        tables = defaultdict[str, list[Change]](list)
        for change in self.changes:
            if change.before_ms or change.after_ms:
                tables[title(change.way, warm=change.warm)].append(change)
        for heading, changes in tables.items():
            head = f"{heading + ', ms':<26}" + "".join(
                f"{column:>{width}}" for column, width in _WIDTHS.items()
            )
            blocks += [[head, *map(_row, changes)]]
        blocks += [self.missing, list(_EXPLAINED) if tables else []]
        return "\n\n".join("\n".join(block) for block in blocks if block) + "\n"


_WIDTHS = {"before": 10, "after": 10, "difference": 12, "between": 22, "ratio": 8}

_EXPLAINED = (
    "The difference of the true figures is «between» these two, all of them together with 95 %. A difference counts",
    "if 0 is not between them, and if it is more than the stamps can tell.",
)


def _row(change: Change) -> str:
    moved = change.after_ms - change.before_ms
    sign = "+" if moved > 0 else ""
    between = f"{change.interval.low:+.3f} … {change.interval.high:+.3f}" if change.interval else "–"
    ratio = "–" if change.ratio is None else f"{change.ratio:.3f}"
    return (
        f"  {change.phase:<18}{change.name:<6}{digits(change.before_ms):>10}{digits(change.after_ms):>10}"
        f"{sign + digits(moved):>12}{between:>22}{ratio:>8}  {change.found}"
    )


@attrs.frozen(kw_only=True)
class _Pair:
    """A phase in both measurements, in ms and in the order in which it was measured."""

    way: str
    warm: bool
    phase: str
    before: list[float]
    after: list[float]
    resolution_ms: float

    @property
    def fewer(self) -> int:
        return min(len(self.before), len(self.after))

    def figures(self) -> dict[str, float]:
        return {
            name: per_cent
            for name, per_cent in _FIGURES.items()
            if name == "p50" or self.fewer >= FEWEST_FOR_P99
        }


def compare(before: Document, after: Document) -> Comparison:
    """Each phase of each series that both have. The same documents give the same answer."""
    pairs = list(_pairs(before, after))
    tests = [(pair.phase, name) for pair in pairs if pair.fewer >= FEWEST for name in pair.figures()]
    chief = tests.count(("answered", "p50"))
    risks = {True: RISK / 2 / max(chief, 1), False: RISK / 2 / max(len(tests) - chief, 1)}
    return Comparison(
        before=_named(before),
        after=_named(after),
        changes=[change for pair in pairs for change in _changes(pair, risks)],
        missing=list(_missing(before, after)),
        warnings=list(_warnings(before, after)),
    )


def _pairs(before: Document, after: Document) -> Iterator[_Pair]:
    for series in in_order(before):
        orders = [listed(document, series.way, warm=series.warm) for document in (before, after)]
        for phase in PHASES:
            known = [values(listed_there, phase) for listed_there in orders]
            if all(known):
                yield _Pair(
                    way=series.way,
                    warm=series.warm,
                    phase=phase,
                    before=known[0],
                    after=known[1],
                    resolution_ms=_resolution(phase, series.way, before, after),
                )


def _resolution(phase: str, way: str, before: Document, after: Document) -> float:
    """Differences up to this may be the stamps'."""
    match phase:
        case "there":  # each clock may be this wrong, all through its run
            return sum(document.clock.uncertainty_ms for document in (before, after) if document.clock)
        case "before" | "after":
            return _VENUES_MS
        case "network" | "venue" if way != WS:
            return _VENUES_MS
    return _OURS_MS


def _changes(pair: _Pair, risks: dict[bool, float]) -> Iterator[Change]:
    figures = pair.figures()
    errors = [
        estimates(side, list(figures.values())) if pair.fewer >= FEWEST else None
        for side in (pair.before, pair.after)
    ]
    for number, (name, per_cent) in enumerate(figures.items()):
        interval = None
        if errors[0] and errors[1]:
            risk = risks[(pair.phase, name) == ("answered", "p50")]
            interval = difference(errors[0][number], errors[1][number], risk)
        yield Change(
            way=pair.way,
            warm=pair.warm,
            phase=pair.phase,
            name=name,
            before_ms=percentile(sorted(pair.before), per_cent),
            after_ms=percentile(sorted(pair.after), per_cent),
            interval=interval,
            found=_found(interval, pair.resolution_ms),
        )


def _found(interval: Interval | None, resolution_ms: float) -> Found:
    if interval is None:
        return Found.TOO_FEW
    if not interval.excludes_zero or abs(interval.difference) <= resolution_ms:
        return Found.NOTHING
    return Found.WORSE if interval.difference > 0 else Found.BETTER


def _named(document: Document) -> str:
    conditions = document.conditions
    orders = counted(len(document.orders), "order")
    return f"{conditions.run_id}, {conditions.begun_at}, program {conditions.program}, {orders}"


def _missing(before: Document, after: Document) -> Iterator[str]:
    """Series and phases that one of them has, and not the other."""
    sides = ("before", before, after), ("after", after, before)
    for where, document, other in sides:
        for series in in_order(document):
            name = title(series.way, warm=series.warm)
            here, there = (listed(each, series.way, warm=series.warm) for each in (document, other))
            if not here:
                yield f"{name}: no order is listed one by one {where}."
            elif not there:
                yield f"{name}: measured {where} only."
            elif alone := [phase for phase in PHASES if values(here, phase) and not values(there, phase)]:
                yield f"{name}: known {where} only: {', '.join(alone)}."
        if document.left_out:
            yield f"Not compared, for they are not listed one by one: {counted(document.left_out, 'order')} {where}."


def _warnings(before: Document, after: Document) -> Iterator[str]:
    was, became = (attrs.asdict(document.conditions) for document in (before, after))
    told = [(name, was[name], became[name]) for name in was if name not in _EXPECTED]
    for name, one, other in told:
        if one != other:
            yield f"{name.replace('_', ' ')} differs: {_in_words(one)} before, {_in_words(other)} after"
    for series in in_order(before):
        counts = [len(listed(document, series.way, warm=series.warm)) for document in (before, after)]
        if all(counts) and max(counts) > _SIMILAR * min(counts):
            name = title(series.way, warm=series.warm)
            yield f"{name}: {counted(counts[0], 'order')} before, {counts[1]} after"


_EXPECTED = frozenset({"run_id", "begun_at", "program"})
"""Conditions that differ from run to run, or that the comparison may be about."""


def _in_words(condition: Any) -> str:
    match condition:
        case dict():
            return ", ".join(f"{name} {value}" for name, value in condition.items()) or "unknown"
        case "":
            return "unknown"
        case None:
            return "none"
    return str(condition)
