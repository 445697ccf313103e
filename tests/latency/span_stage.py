"""An order that was measured, made by hand."""

import attrs

from bot.core.wire import Wire
from bot.latency.spans import Span
from bot.paradex.timing import VenueTimes

MS = 1_000_000
AHEAD = 1_700_000_000_000 * MS
"""The venue's clock is not ours."""

SPAN = Span(
    client_id="a",
    over_websocket=False,
    decided_ns=0,
    begun_ns=1 * MS,
    hashed_ns=3 * MS,
    signed_ns=6 * MS,
    leaving_ns=10 * MS,
    wire=Wire(
        x=1, reused=True, idle_ns=0, written_ns=15 * MS, first_ns=215 * MS, parsed_ns=222 * MS, rtt_us=190_000
    ),
    confirmed_ns=225 * MS,
    venue=VenueTimes(),
    clock=None,
)


def at(ms: float) -> int:
    """On the venue's clock, when ours shows so many ms."""
    return AHEAD + round(ms * MS)


WHOLE = attrs.evolve(SPAN, venue=VenueTimes(received_ns=at(75), matched_ns=at(115), answered_ns=at(175)))

IN_MS = {
    "turn": 1,
    "hash": 2,
    "sign": 3,
    "encode": 4,
    "connect": 0,
    "write": 5,
    "away": 200,
    "network": 100,
    "venue": 100,
    "before": 40,
    "after": 60,
    "there": None,
    "parse": 7,
    "client": 22,
    "overhead": 17,
    "answered": 222,
    "confirmed": 225,
    "kernel": 190,
}
