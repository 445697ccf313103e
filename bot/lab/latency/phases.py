"""Distributions of what the orders of a session waited for."""

from collections.abc import Callable, Iterable
from typing import Any

import attrs

from bot.core.histogram import PERCENTILES, Histogram
from bot.journal.record import Record
from bot.journal.spans import Span, Spans

REST, WS = "REST", "WebSocket"


def _client(span: Span) -> int:
    until_it_left = span.written_ns - span.decided_ns - (span.signed_ns - span.begun_ns)
    return until_it_left + span.parsed_ns - span.first_ns


PHASES: dict[str, tuple[str, Callable[[Span], int | None]]] = {
    "turn": ("decided, until it had its turn", lambda span: span.begun_ns - span.decided_ns),
    "hash": ("the message hash", lambda span: span.hashed_ns - span.begun_ns),
    "sign": ("the signature", lambda span: span.signed_ns - span.hashed_ns),
    "encode": ("encoded, and its intent in the journal", lambda span: span.leaving_ns - span.signed_ns),
    "write": ("until the system had taken it", lambda span: span.written_ns - span.leaving_ns),
    "away": ("on its way and at the venue", lambda span: span.first_ns - span.written_ns),
    "parse": ("the answer, until it was understood", lambda span: span.parsed_ns - span.first_ns),
    "client": ("of this, the client's without hash and signature", _client),
    "answered": ("decided, until the answer was understood", lambda span: span.parsed_ns - span.decided_ns),
    "confirmed": (
        "decided, until the orders channel confirmed it",
        lambda span: None if span.confirmed_ns is None else span.confirmed_ns - span.decided_ns,
    ),
    "kernel": (
        "the kernel's estimate of the round trip",
        lambda span: None if span.rtt_us is None else span.rtt_us * 1000,
    ),
}
"""By name: what is measured, in words, and how long that took, in ns; None where it is not known."""


@attrs.define
class Distributions:
    """Of the orders that went by one way. Those that found no open connection count apart: they waited for one."""

    warm: dict[str, Histogram] = attrs.field(factory=lambda: {name: Histogram() for name in PHASES})
    cold: dict[str, Histogram] = attrs.field(factory=lambda: {name: Histogram() for name in PHASES})

    def add(self, span: Span) -> None:
        for name, (_, took) in PHASES.items():
            if (ns := took(span)) is not None:
                (self.warm if span.reused else self.cold)[name].add(ns)


@attrs.define
class Latency:
    """What the orders of a session waited for, by the way that they went."""

    ways: dict[str, Distributions] = attrs.field(factory=lambda: {REST: Distributions(), WS: Distributions()})

    @classmethod
    def of(cls, records: Iterable[Record]) -> "Latency":
        latency, spans = cls(), Spans()
        for record in records:
            for span in spans.meet(record):
                latency.add(span)
        for span in spans.rest():
            latency.add(span)
        return latency

    def add(self, span: Span) -> None:
        self.ways[WS if span.over_websocket else REST].add(span)

    def tables(self) -> list[tuple[str, dict[str, Histogram]]]:
        """What there is: a title, and the distributions by the names of the phases."""
        return [
            (f"{way}, {words}", histograms)
            for way, found in self.ways.items()
            for words, histograms in (
                ("over an open connection", found.warm),
                ("over a new connection", found.cold),
            )
            if histograms["answered"].count
        ]

    def to_dict(self) -> dict[str, Any]:
        """For JSON: of each table the figures in ms, and the histograms, which `Histogram.from_dict` reads."""
        return {
            title: {
                name: {"ms": histogram.summary_ms(), "histogram": histogram.to_dict()}
                for name, histogram in histograms.items()
            }
            for title, histograms in self.tables()
        }

    def to_text(self) -> str:
        """The figures in ms, for people."""
        columns = (*PERCENTILES, "max")
        lines: list[str] = []
        for title, histograms in self.tables():
            heading = f"{title}: {histograms['answered'].count} orders, ms"
            lines += ["", f"{heading:<62}" + "".join(f"{column:>10}" for column in columns)]
            for name, histogram in histograms.items():
                figures = histogram.summary_ms()
                cells = (
                    "–" if (figure := figures[column]) is None else f"{figure:.3f}" for column in columns
                )
                words = f"{name:<11}{PHASES[name][0]}"
                lines.append(f"{words:<62}" + "".join(f"{cell:>10}" for cell in cells))
        return "\n".join(lines[1:]) + "\n" if lines else ""
