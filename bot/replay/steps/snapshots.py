"""Snapshots of the account in a replay: put together again, and asked for from where the one before began."""

from collections import deque
from collections.abc import Callable

import attrs

from bot.journal.record import Record
from bot.replay.steps.report import Divergence
from bot.replay.steps.shapes import Outcome
from bot.replay.steps.traffic import CLOCK_TOLERANCE_MS, Traffic
from bot.session.inbox import Snapshot
from bot.session.snapshot import OVERLAP_MS

SINCE = "start_at="


@attrs.define(eq=False)
class Snapshots:
    """What a `bot.session.snapshot.Snapshots` does, as far as it can be seen from outside."""

    _traffic: Traffic
    _differ: Callable[[Divergence], None]
    _since_ms: deque[int] = attrs.field(factory=lambda: deque(maxlen=3))
    """Up to here everything was known, in venue time, the newest last; one that was begun before another ended does
    not know of that."""

    def begin(self, seen_ms: int | None) -> None:
        """The run takes over: everything is known up to ``seen_ms``, or there was nothing before it."""
        self._since_ms.append(self._traffic.venue_ms() if seen_ms is None else seen_ms)

    def asked(self, record: Record) -> None:
        """Something was asked for: see that no list of a snapshot begins too late, or too early."""
        if record.data["of"]:  # where a list begins that is decided stands in the decision
            return
        text = record.data["path"].partition(SINCE)[2].partition("&")[0]
        if not text.isdecimal() or not self._since_ms:
            return
        wanted = [each - OVERLAP_MS for each in self._since_ms]
        if all(abs(int(text) - each) > CLOCK_TOLERANCE_MS for each in wanted):
            what = f"{SINCE[:-1]}, to {CLOCK_TOLERANCE_MS} ms"
            self._differ(Divergence(record.number, record.ns, record.kind, what, int(text), wanted[-1]))

    def read(self, outcome: Outcome) -> Snapshot | None:
        """What the order manager is told of one; None if nobody asked for that."""
        exchanges = self._traffic.take_snapshot(outcome.x)
        if exchanges is None or any(outcome.requested_ns > each.ns for part in exchanges for each in part):
            return None
        self._since_ms.append(max((*self._since_ms, self._traffic.venue_ms(outcome.requested_ns))))
        open_orders, history, fills, positions = (
            tuple(report for each in part for report in each.result.results) for part in exchanges
        )
        return Snapshot(
            requested_ns=outcome.requested_ns,
            open_orders=open_orders,
            history=history,
            fills=fills,
            positions=positions,
            exchanges=tuple(tuple(each.x for each in part) for part in exchanges),
        )
