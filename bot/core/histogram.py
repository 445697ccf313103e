"""Durations, counted in classes so narrow that a percentile is right to 1 in 1000. Histograms add up exactly."""

import math
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import attrs

BITS = 10
"""Values that agree in their first so many binary digits and one are in one class."""

PERCENTILES = {"p50": 50.0, "p90": 90.0, "p99": 99.0, "p99.9": 99.9}


@attrs.define
class Histogram:
    """How often each duration (ns) was measured; negative ones, of two clocks that differ, too.

    It takes as much memory as there are classes that something fell into: some thousands for a day's latencies.
    Count, smallest and largest value are exact, and `merge` of the parts equals the whole.
    """

    classes: dict[int, tuple[int, int]] = attrs.field(factory=dict)
    """By its number: how many values are in it, and their sum."""

    count: int = 0
    min_ns: int | None = None
    max_ns: int | None = None

    @classmethod
    def of(cls, values_ns: Iterable[int]) -> "Histogram":
        histogram = cls()
        for ns in values_ns:
            histogram.add(ns)
        return histogram

    def add(self, ns: int) -> None:
        self._put(class_of(ns), 1, ns)
        self._reach(ns, ns)

    def merge(self, other: "Histogram") -> None:
        """Count what ``other`` did, too."""
        for number, (count, total_ns) in other.classes.items():
            self._put(number, count, total_ns)
        if other.min_ns is not None and other.max_ns is not None:
            self._reach(other.min_ns, other.max_ns)

    def percentile(self, per_cent: float) -> int | None:
        """The smallest value that at least so many per cent of all do not exceed, in ns; None where there is none.

        It is the mean of the class that this value is in: the value itself where that class holds no other.
        """
        rank = max(math.ceil(self.count * per_cent / 100), 1)
        return next((mean_ns for mean_ns, reached in self.cumulated() if reached >= rank), None)

    def cumulated(self) -> Iterator[tuple[int, int]]:
        """Class by class, the smallest values first: their mean in ns, and how many values there are up to them."""
        reached = 0
        for number in sorted(self.classes):
            count, total_ns = self.classes[number]
            reached += count
            yield round(total_ns / count), reached

    def summary_ms(self) -> dict[str, float | int | None]:
        """``count``, the percentiles p50, p90, p99, p99.9, and ``max``, in ms; None where nothing was measured."""
        figures = {name: self.percentile(per_cent) for name, per_cent in PERCENTILES.items()}
        return {"count": self.count} | {
            name: None if ns is None else round(ns / 1e6, 3)
            for name, ns in (figures | {"max": self.max_ns}).items()
        }

    def to_dict(self) -> dict[str, Any]:
        """For JSON; `from_dict` makes the same of it."""
        return {
            "min_ns": self.min_ns,
            "max_ns": self.max_ns,
            "classes": sorted((number, *held) for number, held in self.classes.items()),
        }

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> "Histogram":
        """Raises KeyError, TypeError or ValueError for what `to_dict` never makes."""
        histogram = cls(min_ns=data["min_ns"], max_ns=data["max_ns"])
        for number, count, total_ns in data["classes"]:
            lowest, highest = bounds(number)
            if count < 1 or not lowest * count <= total_ns <= highest * count:
                raise ValueError(f"class {number} of a histogram cannot hold {count} values of {total_ns} ns")
            histogram._put(number, count, total_ns)
        if bool(histogram.count) != (histogram.min_ns is not None):
            raise ValueError("classes and extremes of a histogram do not fit")
        return histogram

    def _put(self, number: int, count: int, total_ns: int) -> None:
        known, known_ns = self.classes.get(number, (0, 0))
        self.classes[number] = known + count, known_ns + total_ns
        self.count += count

    def _reach(self, min_ns: int, max_ns: int) -> None:
        self.min_ns = min_ns if self.min_ns is None else min(self.min_ns, min_ns)
        self.max_ns = max_ns if self.max_ns is None else max(self.max_ns, max_ns)


def class_of(ns: int) -> int:
    """The number of the class of ``ns``. Numbers rise with the values."""
    if ns < 0:
        return -class_of(-ns)
    shift = max(ns.bit_length() - BITS - 1, 0)
    return (shift << BITS) + (ns >> shift)


def bounds(number: int) -> tuple[int, int]:
    """The smallest and the largest value of a class, in ns."""
    if number < 0:
        lowest, highest = bounds(-number)
        return -highest, -lowest
    shift = max((number >> BITS) - 1, 0)
    lowest = (number - (shift << BITS)) << shift
    return lowest, lowest + (1 << shift) - 1
