"""Distributions of what orders waited for: each way and each phase by itself, as histograms that merge exactly."""

from collections.abc import Iterator
from typing import Any

import attrs

from bot.core.histogram import PERCENTILES, Histogram
from bot.latency.phases import PHASES, measured
from bot.latency.spans import Span

REST, WS = "rest", "ws"
"""The ways of an order, as `bot.trading.requests` names them."""

WORDS = {
    (REST, True): "REST, over an open connection",
    (REST, False): "REST, over a new connection",
    (WS, True): "WebSocket, over an open connection",
    (WS, False): "WebSocket, over a new connection",
}


def way_of(span: Span) -> str:
    return WS if span.over_websocket else REST


@attrs.frozen
class Series:
    """Orders that went by one way. Those that found no open connection count apart: they waited for one."""

    way: str
    is_warm: bool
    histograms: dict[str, Histogram] = attrs.field(factory=lambda: {name: Histogram() for name in PHASES})
    """By the name of the phase."""

    @property
    def count(self) -> int:
        return self.histograms["answered"].count

    def summary_ms(self) -> dict[str, Any]:
        """By phase, as `Histogram.summary_ms` gives them."""
        return {name: histogram.summary_ms() for name, histogram in self.histograms.items()}

    def to_text(self) -> str:
        """A table of the figures in ms, for people; phases that took no time, and unknown ones, are left out."""
        columns = (*PERCENTILES, "max")
        heading = f"{WORDS[self.way, self.is_warm]}: {self.count} orders, ms"
        lines = [f"{heading:<62}" + "".join(f"{column:>10}" for column in columns)]
        for name, histogram in self.histograms.items():
            if histogram.max_ns:
                figures = histogram.summary_ms()
                cells = "".join(f"{figures[column]:>10.3f}" for column in columns)
                lines.append(f"{f'{name:<11}{PHASES[name].words}':<62}{cells}")
        return "\n".join(lines) + "\n"


@attrs.define
class Distributions:
    """What the orders of one session waited for, or of several: the parts merge to the whole."""

    _series: dict[tuple[str, bool], Series] = attrs.field(factory=dict)

    def add(self, span: Span) -> None:
        histograms = self._of(way_of(span), is_warm=span.wire.reused).histograms
        for name, ns in measured(span).items():
            if ns is not None:
                histograms[name].add(ns)

    def merge(self, other: "Distributions") -> None:
        for series in other:
            mine = self._of(series.way, is_warm=series.is_warm).histograms
            for name, histogram in series.histograms.items():
                mine[name].merge(histogram)

    def __iter__(self) -> Iterator[Series]:
        """Those that there are: REST before the WebSocket, and open connections before new ones."""
        return (self._series[key] for key in WORDS if key in self._series)

    def __bool__(self) -> bool:
        return bool(self._series)

    def to_dict(self) -> dict[str, dict[str, dict[str, Any]]]:
        """The figures in ms: by way, by ``warm`` or ``cold``, by phase; all of them, whether there are any or not."""
        return {
            way: {
                name: self._series.get((way, is_warm), Series(way, is_warm)).summary_ms()
                for name, is_warm in (("warm", True), ("cold", False))
            }
            for way in (REST, WS)
        }

    def to_text(self) -> str:
        return "\n".join(series.to_text() for series in self)

    def _of(self, way: str, *, is_warm: bool) -> Series:
        return self._series.setdefault((way, is_warm), Series(way, is_warm))
