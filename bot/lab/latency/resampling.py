"""How sure a difference of two runs is: percentiles, and their errors by resampling blocks of consecutive orders.

Orders that follow each other resemble each other (a busy machine stays busy for a while), so a formula for
independent values would be too sure of itself. Whole blocks are drawn instead, with replacement, from a run that is
taken as a circle (the circular block bootstrap: Politis and Romano 1992). What the percentiles of the runs that are
drawn so scatter by is the error of the run's own.
"""

import math
import random
from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from itertools import pairwise
from statistics import NormalDist, stdev

import attrs

DRAWS = 300
"""They tell an error to about 4 %."""

SEED = 7
"""Any: the same runs must give the same answer."""


MOST_ALIKE = 0.95
"""The correlation of neighbours that is reckoned with at most: with more, a run tells next to nothing."""


@attrs.frozen
class Estimate:
    """A percentile of a run, in the unit of its values."""

    value: float
    error: float
    """Its standard error."""

    freedom: float
    """On how many values its error rests, less one."""


@attrs.frozen
class Interval:
    """A difference, and the bounds that hold the true one with the probability that was asked for."""

    difference: float
    low: float
    high: float

    @property
    def excludes_zero(self) -> bool:
        return self.low > 0 or self.high < 0


def percentile(values: Sequence[float], per_cent: float) -> float:
    """The smallest of these sorted values that at least so many per cent do not exceed; as of a `Histogram`."""
    return values[max(math.ceil(len(values) * per_cent / 100), 1) - 1]


def estimates(values: Sequence[float], per_cents: Sequence[float]) -> list[Estimate]:
    """Of at least two values in the order in which they were measured: each of these percentiles with its error."""
    rng = random.Random(SEED)  # noqa: S311 - to be repeatable
    size = round(math.sqrt(len(values)))
    blocks = math.ceil(len(values) / size)
    circle = [*values, *values[: size - 1]]
    drawn: list[list[float]] = []
    for _ in range(DRAWS if min(values) < max(values) else 0):
        run: list[float] = []
        for _ in range(blocks):
            start = rng.randrange(len(values))
            run += circle[start : start + size]
        run = sorted(run[: len(values)])
        drawn.append([percentile(run, per_cent) for per_cent in per_cents])
    found = sorted(values)
    # blocks that are drawn from a run scatter less than runs do, as deviations from the run's own mean do
    wider = math.sqrt(blocks / (blocks - 1) * _cut(values, size))
    return [
        Estimate(
            percentile(found, per_cent),
            wider * stdev(draw[number] for draw in drawn) if drawn else 0.0,
            max(min(blocks, len(values) * (100 - per_cent) / 100), 2) - 1,
        )
        for number, per_cent in enumerate(per_cents)
    ]


def _cut(values: Sequence[float], size: int) -> float:
    """How many times larger a variance is than blocks of this size show, for they cut what hangs together.

    The correlation of neighbours is measured, and taken to fall off geometrically with the distance.
    """
    if min(values) == max(values):
        return 1.0
    ordered = sorted(values)  # ranks, for one order that took long must not hide the rest
    ranks = [bisect_left(ordered, value) + bisect_right(ordered, value) - len(values) for value in values]
    measured = sum(one * other for one, other in pairwise(ranks)) / sum(rank**2 for rank in ranks)
    measured += (1 + 4 * measured) / len(values)  # short runs show too little of it (Kendall 1954)
    alike = min(max(measured, 0.0), MOST_ALIKE)
    shown = 1 + 2 * sum((1 - apart / size) * alike**apart for apart in range(1, size))
    return (1 + alike) / (1 - alike) / shown


def difference(before: Estimate, after: Estimate, risk: float) -> Interval:
    """By how much ``after`` is more. The bounds miss the truth with probability ``risk``, as Welch's do."""
    found = after.value - before.value
    variances = [estimate.error**2 for estimate in (before, after)]
    error = math.sqrt(sum(variances))
    if not error:
        return Interval(found, found, found)
    freedom = error**4 / sum(
        variance**2 / estimate.freedom for variance, estimate in zip(variances, (before, after), strict=True)
    )
    reach = error * student(1 - risk / 2, freedom)
    return Interval(found, found - reach, found + reach)


def student(probability: float, freedom: float) -> float:
    """The quantile of Student's distribution, by Fisher's expansion (Abramowitz and Stegun 26.7.5)."""
    x = NormalDist().inv_cdf(probability)
    return (
        x
        + (x**3 + x) / (4 * freedom)
        + (5 * x**5 + 16 * x**3 + 3 * x) / (96 * freedom**2)
        + (3 * x**7 + 19 * x**5 + 17 * x**3 - 15 * x) / (384 * freedom**3)
    )
