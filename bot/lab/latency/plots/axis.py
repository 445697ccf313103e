"""Axes in ms, linear or logarithmic: where a value lies, and which ones are written."""

import math
from collections.abc import Iterable, Iterator

import attrs

from bot.lab.latency.plots.markup import Layout, Markup, element, line, plain, text

_LEAST_MS = 0.001
"""What a logarithmic axis shows at least: shorter is what nobody measured."""

LOG_FROM = 10.0
"""Where values differ by more than so many times, an axis is logarithmic."""

FAR = 4.0
"""A target that is so many times above all values, or below them, is not drawn: the plot would be empty."""


@attrs.frozen
class Axis:
    """From ``low`` to ``high`` in the unit of the values, from ``start`` to ``end`` in pixels."""

    low: float
    high: float
    start: float
    end: float
    is_log: bool = False
    is_of_numbers: bool = False
    """Only whole values are written."""

    def at(self, value: float) -> float:
        """In pixels; what lies outside is put on the edge."""
        low, high, value = (self._scaled(each) for each in (self.low, self.high, value))
        share = (min(max(value, low), high) - low) / (high - low)
        return self.start + share * (self.end - self.start)

    def ticks(self, most: int) -> list[float]:
        """Round values, at most so many."""
        if self.is_log and self.high >= 5 * self.low:
            decades = range(math.floor(math.log10(self.low)), math.ceil(math.log10(self.high)) + 1)
            for mantissas in ((1, 1.5, 2, 3, 4, 5, 6, 8), (1, 2, 3, 5, 7), (1, 2, 5), (1, 3), (1,)):
                found = [each * 10.0**decade for decade in decades for each in mantissas]
                found = [each for each in found if self.low <= each <= self.high]
                if len(found) <= most:
                    return found
        step = 10.0 ** math.floor(math.log10((self.high - self.low) / most))
        step = next(
            each * step for each in (1, 2, 5, 10, 20) if (self.high - self.low) / (each * step) < most
        )
        if self.is_of_numbers:
            step = max(step, 1.0)
        first, last = math.ceil(self.low / step - 1e-9), math.floor(self.high / step + 1e-9)
        return [number * step for number in range(first, last + 1)]

    def _scaled(self, value: float) -> float:
        return math.log(max(value, _LEAST_MS)) if self.is_log else value


def around(values_ms: Iterable[float], target_ms: float, start: float, end: float, *, is_log: bool) -> Axis:
    """An axis that has room for all of these, and for the target if that is not far off."""
    values = list(values_ms)
    low, high = min(values), max(values)
    if low / FAR <= target_ms <= high * FAR:
        low, high = min(low, target_ms), max(high, target_ms)
    if is_log:
        return Axis(max(low, _LEAST_MS) / 1.15, max(high, _LEAST_MS) * 1.15, start, end, is_log=True)
    margin = (high - low) * 0.06 or high * 0.1 or 1.0
    return Axis(max(low - margin, 0.0), high + margin, start, end)


def from_zero(high_ms: float, start: float, end: float) -> Axis:
    return Axis(0.0, max(high_ms, _LEAST_MS), start, end)


def written(value: float) -> str:
    """A tick."""
    return f"{value:.10g}"


def below(axis: Axis, top: float, bottom: float, title: str, layout: Layout) -> Iterator[Markup]:
    """Draw it along the bottom, with lines up to ``top``. It takes 40 pixels below ``bottom``."""
    for tick in axis.ticks(5 if layout.is_narrow else 10):
        yield line(axis.at(tick), top, axis.at(tick), bottom, "grid")
        yield text(axis.at(tick), bottom + 16, written(tick), "middle", "tick")
    yield line(axis.start, bottom, axis.end, bottom, "axis")
    yield text((axis.start + axis.end) / 2, bottom + 34, title, "middle")


def beside(axis: Axis, left: float, right: float, title: str) -> Iterator[Markup]:
    """Draw it along the left, with lines to ``right``; its title stands above it."""
    for tick in axis.ticks(7):
        yield line(left, axis.at(tick), right, axis.at(tick), "grid")
        yield text(left - 6, axis.at(tick) + 4, written(tick), "end", "tick")
    yield line(left, axis.start, left, axis.end, "axis")
    yield text(2, axis.end - 12, title)


def path(points: Iterable[tuple[float, float]], class_: str) -> Markup:
    """Straight lines from point to point."""
    told = " ".join(f"{plain(x)},{plain(y)}" for x, y in points)
    return element("polyline", points=told, class_=class_)
