"""What a benchmark found: medians, their spread, and ratios of which is known how sure they are."""

import random
from collections.abc import Iterator, Mapping, Sequence
from itertools import chain
from statistics import median, quantiles
from typing import TypeVar

import attrs

T = TypeVar("T")

SEED = 1
"""Any: it decides who is first in which round, and which rounds are drawn."""

DRAWS = 1000

Rounds = Sequence[Sequence[float]]
"""What one side took, round by round."""


@attrs.frozen
class Ratio:
    """How many times a median fits into another, and the bounds that hold the true ratio 95 times out of 100."""

    value: float
    low: float
    high: float


@attrs.frozen
class Row:
    """One side: so many figures, their median, and the bounds between which four fifths of them lie."""

    name: str
    count: int
    median: float
    p10: float
    p90: float
    ratio: Ratio | None
    """Its median to that of the side it is compared with."""


@attrs.frozen
class Comparison:
    """Sides that took turns in one run."""

    title: str
    unit: str
    rows: Sequence[Row]


@attrs.frozen
class Table:
    """Figures that are not compared side by side, such as counts, which no noise moves: by row and column."""

    title: str
    rows: Mapping[str, Mapping[str, float]]


@attrs.frozen(kw_only=True)
class Result:
    """All that a benchmark found."""

    comparisons: Sequence[Comparison] = ()
    tables: Sequence[Table] = ()
    skipped: Mapping[str, str] = attrs.field(factory=dict)
    """Sides that could not take part, and why."""

    wrong: Sequence[str] = ()
    """What must not be, such as two sides that should agree and do not."""


def in_turns(sides: Sequence[T], rounds: int) -> Iterator[T]:
    """Each side once a round, in an order that changes: what disturbs the machine for a while hits all alike.

    In a fixed order a side would always follow the same other one, and find the caches as that left them.
    """
    rng = random.Random(SEED)  # noqa: S311 - to be repeatable
    for _ in range(rounds):
        yield from rng.sample(sides, len(sides))


def compare(
    title: str, unit: str, sides: Mapping[str, Rounds], *, base: str | None = None, scale: float = 1.0
) -> Comparison:
    """Sum up what each side took, in ``unit`` when divided by ``scale``; ratios are to the side ``base``."""
    return Comparison(
        title,
        unit,
        [
            _row(name, rounds, scale, None if base in {None, name} else ratio(rounds, sides[base]))
            for name, rounds in sides.items()
        ],
    )


def _row(name: str, rounds: Rounds, scale: float, found: Ratio | None) -> Row:
    figures = [figure / scale for figure in chain.from_iterable(rounds)]
    tenths = quantiles(figures, n=10, method="inclusive") if len(figures) > 1 else figures * 9
    return Row(name, len(figures), median(figures), tenths[0], tenths[-1], found)


def ratio(of: Rounds, to: Rounds) -> Ratio:
    """The ratio of the medians of two sides that took turns, with an interval by resampling.

    Rounds are drawn, with replacement, and not single figures: those of a round resemble each other, and both sides
    of it saw the same machine (the cluster bootstrap: Davison and Hinkley 1997, section 3.8).
    """
    rng = random.Random(SEED)  # noqa: S311 - as above
    places = range(len(of))
    found = []
    for _ in range(DRAWS):
        drawn = rng.choices(places, k=len(places))
        found.append(_median(of, drawn) / _median(to, drawn))
    bounds = quantiles(found, n=40, method="inclusive")
    return Ratio(_median(of, places) / _median(to, places), bounds[0], bounds[-1])


def _median(rounds: Rounds, drawn: Sequence[int]) -> float:
    return median(chain.from_iterable(rounds[place] for place in drawn))
