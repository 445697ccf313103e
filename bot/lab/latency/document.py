"""What a measurement came to, as data: the file that ``bot latency --json`` writes and `compare` reads."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import attrs
import msgspec

from bot.core.histogram import Histogram
from bot.journal.header import Header
from bot.journal.reader import RecordedSession
from bot.journal.telling import utc
from bot.latency import distributions
from bot.latency.clock import Reading
from bot.latency.phases import measured
from bot.latency.spans import Span, Spans

FORMAT = 1

LISTED = 5000
"""So many orders are told one by one."""


@attrs.frozen(kw_only=True)
class Sample:
    """One order."""

    number: int
    """In the order in which they were decided, from 1 on."""

    client_id: str
    way: str
    """``rest`` or ``ws``"""

    warm: bool
    """It went over a connection that was open."""

    at_s: float
    """When it was decided, in seconds since the start of the run."""

    idle_ms: float
    """For so long its connection had not been used."""

    ms: dict[str, float | None]
    """How long each phase took, by the names in `bot.latency.phases.PHASES`; None where it is not known."""


@attrs.frozen(kw_only=True)
class Series:
    """All orders that went by one way, over open connections or over new ones."""

    way: str
    warm: bool
    phases: dict[str, dict[str, Any]]
    """By name: a histogram as `bot.core.histogram.Histogram.to_dict` makes it, and under ``ms`` its figures."""

    def histogram(self, phase: str) -> Histogram:
        """Raises KeyError, TypeError or ValueError for what is none."""
        return Histogram.from_dict(self.phases[phase]["histogram"])

    def to_text(self) -> str:
        """A table of the figures. Raises as `histogram`."""
        return distributions.Series(
            self.way, self.warm, {name: self.histogram(name) for name in self.phases}
        ).to_text()


@attrs.frozen(kw_only=True)
class ClockReading:
    """How far the venue's clock is ahead of ours, as it was known at the end."""

    ahead_ms: float
    uncertainty_ms: float
    """The truth is certainly no further away."""


@attrs.frozen(kw_only=True)
class Conditions:
    """Under which it was measured."""

    run_id: str
    begun_at: str
    """RFC 3339"""

    environment: str
    venue: str
    """Where REST requests went."""

    program: str
    """This program's version."""

    machine: dict[str, str | int]
    """As far as it is known: ``system``, ``python``."""

    signing: str
    """Which library signed; empty if it is not known."""

    token_usage: str = ""
    """``interactive``, whose orders the venue delays, or ``other``; empty if it is not known."""

    simulated: dict[str, float] | None = None
    """What the embedded exchange was set to, ``rtt_ms`` and ``processing_ms``; None of another venue."""


@attrs.frozen(kw_only=True)
class Document:
    """The whole measurement."""

    format: int = FORMAT
    conditions: Conditions
    clock: ClockReading | None
    orders: list[Sample]
    left_out: int = 0
    """Orders that are counted in ``series`` and not listed, for there were too many."""

    series: list[Series]

    def to_json(self) -> bytes:
        return msgspec.json.format(msgspec.json.encode(self), indent=1) + b"\n"


def read_document(path: Path) -> Document:
    """Raises OSError, or ValueError with what is wrong with the file."""
    try:
        document = msgspec.json.decode(path.read_bytes(), type=Document)
    except msgspec.DecodeError as error:
        raise ValueError(f"{path} holds no latency measurement: {error}") from error
    if document.format != FORMAT:
        raise ValueError(f"{path} has format {document.format}, and this program reads {FORMAT}")
    return document


def document_of(sessions: Sequence[RecordedSession], **known: Any) -> Document:
    """Read recorded sessions, at least one, as far as they are good; the first tells the conditions.

    ``known`` is what no session tells of them: ``signing``, ``token_usage``, ``simulated``.
    """
    found, samples, left_out = distributions.Distributions(), list[Sample](), 0
    reading: Reading | None = None
    began_ns = sessions[0].header.started_ns
    for session in sessions:
        for span in _spans_of(session):
            found.add(span)
            reading = span.clock or reading
            if len(samples) < LISTED:
                since_ns = session.header.started_ns - began_ns + span.decided_ns
                samples.append(_sample(len(samples) + 1, span, since_ns))
            else:
                left_out += 1
    return Document(
        conditions=_conditions(sessions[0].header, known),
        clock=None if reading is None else _clock(sessions[-1].header, reading),
        orders=samples,
        left_out=left_out,
        series=[
            Series(
                way=series.way,
                warm=series.is_warm,
                phases={
                    name: {"ms": histogram.summary_ms(), "histogram": histogram.to_dict()}
                    for name, histogram in series.histograms.items()
                },
            )
            for series in found
        ],
    )


def _spans_of(session: RecordedSession) -> Iterator[Span]:
    """In the order in which they were decided, as far as they did not wait for long for their confirmation."""
    spans = Spans()
    for record in session:
        yield from spans.meet(record)
    yield from spans.rest()


def _sample(number: int, span: Span, since_ns: int) -> Sample:
    return Sample(
        number=number,
        client_id=span.client_id,
        way=distributions.way_of(span),
        warm=span.wire.reused,
        at_s=since_ns / 1e9,
        idle_ms=span.wire.idle_ns / 1e6,
        ms={name: None if ns is None else ns / 1e6 for name, ns in measured(span).items()},
    )


def _conditions(header: Header, known: Mapping[str, Any]) -> Conditions:
    return Conditions(
        run_id=header.run_id,
        begun_at=utc(header.started_ns),
        environment=header.environment,
        venue=header.rest_url,
        program=header.versions.get("paradex-bot", ""),
        machine={"system": header.platform, "python": header.versions.get("python", "")},
        **{"signing": "", **known},
    )


def _clock(header: Header, reading: Reading) -> ClockReading:
    """Ahead of the wall clock, as that stood when the session began."""
    return ClockReading(
        ahead_ms=(reading.ahead_ns - header.started_ns) / 1e6, uncertainty_ms=reading.uncertainty_ns / 1e6
    )
