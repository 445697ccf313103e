"""The phases of an order, and how long each took."""

import attrs

from bot.latency.attribution import attribute
from bot.latency.spans import Span


@attrs.frozen
class Phase:
    """A part of an order's time."""

    words: str
    """What it is, for people."""

    is_total: bool = False
    """It is made of others, or none of the order's own."""


PHASES = {
    "turn": Phase("decided, until it had its turn"),
    "hash": Phase("the message hash"),
    "sign": Phase("the signature"),
    "encode": Phase("encoded, and its intent in the journal"),
    "connect": Phase("a new connection, TLS included"),
    "write": Phase("until the system had taken it"),
    "away": Phase("on its way and at the venue", is_total=True),
    "network": Phase("of this, on its way there and back"),
    "venue": Phase("of this, at the venue", is_total=True),
    "before": Phase("there, before it was matched"),
    "after": Phase("there, after that until the answer"),
    "there": Phase("on its way there, by both clocks", is_total=True),
    "parse": Phase("the answer, until it was understood"),
    "client": Phase("of all this, the client's", is_total=True),
    "overhead": Phase("of this, without hash and signature", is_total=True),
    "answered": Phase("decided, until the answer was understood", is_total=True),
    "confirmed": Phase("decided, until the orders channel told", is_total=True),
    "kernel": Phase("the kernel's estimate of the round trip", is_total=True),
}
"""By name, in the order in which they happen. Those that are no totals add up to ``answered``, if all are known."""


def measured(span: Span) -> dict[str, int | None]:
    """How long each phase of an order took, in ns; None where that is not known."""
    wire, parts = span.wire, attribute(span)
    connect = 0 if wire.opened_ns is None else wire.opened_ns - span.leaving_ns
    client = wire.written_ns - span.decided_ns - connect + wire.parsed_ns - wire.first_ns
    return {
        "turn": span.begun_ns - span.decided_ns,
        "hash": span.hashed_ns - span.begun_ns,
        "sign": span.signed_ns - span.hashed_ns,
        "encode": span.leaving_ns - span.signed_ns,
        "connect": connect,
        "write": wire.written_ns - span.leaving_ns - connect,
        "away": wire.first_ns - wire.written_ns,
        "network": parts.network_ns,
        "venue": parts.venue_ns,
        "before": parts.before_ns,
        "after": parts.after_ns,
        "there": parts.there_ns,
        "parse": wire.parsed_ns - wire.first_ns,
        "client": client,
        "overhead": client - (span.signed_ns - span.begun_ns),
        "answered": wire.parsed_ns - span.decided_ns,
        "confirmed": None if span.confirmed_ns is None else span.confirmed_ns - span.decided_ns,
        "kernel": None if wire.rtt_us is None else wire.rtt_us * 1000,
    }
