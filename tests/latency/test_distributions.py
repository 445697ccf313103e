"""The phases of an order, and their distributions: whole, apart by way and connection, and merged."""

from pathlib import Path
from typing import Any

import attrs
import pytest
import trio
from span_stage import IN_MS, MS, SPAN, WHOLE

from bot.core.tape import Kind, NoTape, Stamp
from bot.journal.reader import find
from bot.latency.distributions import REST, WS, Distributions
from bot.latency.phases import PHASES, measured
from bot.latency.spans import Spans
from bot.latency.watch import LatencyWatch
from bot.link.clock import TrioClock

SESSIONS = Path(__file__).parents[1] / "replay" / "sessions"


def test_the_phases_of_an_order() -> None:
    """From the decision to the answer nothing is left out, and nothing counts twice."""
    found = measured(WHOLE)
    assert {name: None if ns is None else ns / MS for name, ns in found.items()} == IN_MS
    assert list(found) == list(PHASES)
    parts = [found[name] or 0 for name, phase in PHASES.items() if not phase.is_total]
    assert sum(parts) == found["answered"]
    cold = measured(attrs.evolve(WHOLE, wire=attrs.evolve(WHOLE.wire, reused=False, opened_ns=13 * MS)))
    changed = {name: ns for name, ns in cold.items() if ns != found[name]}
    assert changed == {"connect": 3 * MS, "write": 2 * MS, "client": 19 * MS, "overhead": 14 * MS}


def test_ways_and_new_connections_count_apart() -> None:
    """A phase of which nothing is known, and one that took no time, are in no table."""
    found = Distributions()
    assert not found
    for span in (
        WHOLE,
        attrs.evolve(SPAN, wire=attrs.evolve(SPAN.wire, reused=False, rtt_us=None)),
        attrs.evolve(SPAN, over_websocket=True, confirmed_ns=None),
        attrs.evolve(SPAN, over_websocket=True, wire=attrs.evolve(SPAN.wire, first_ns=216 * MS)),
    ):
        found.add(span)
    assert found
    counts = {
        (series.way, series.is_warm): [
            series.histograms[name].count for name in ("answered", "confirmed", "kernel", "network")
        ]
        for series in found
    }
    assert counts == {(REST, True): [1, 1, 1, 1], (REST, False): [1, 1, 0, 0], (WS, True): [2, 1, 2, 0]}
    warm, cold, ws = (table.splitlines() for table in found.to_text().split("\n\n"))
    assert cold[0].split()[:6] == ["REST,", "over", "a", "new", "connection:", "1"]
    assert ws[0].startswith("WebSocket, over an open connection: 2 orders, ms")
    assert [line.split()[0] for line in cold[1:]] == [
        *(
            "turn",
            "hash",
            "sign",
            "encode",
            "write",
            "away",
            "parse",
            "client",
            "overhead",
            "answered",
            "confirmed",
        )
    ]
    assert cold[-1].split()[-5:] == ["225.000"] * 5
    assert warm[-1].split()[-5:] == ["190.000"] * 5


def test_the_parts_merge_to_the_whole() -> None:
    """Whatever is where."""
    spans = [WHOLE, SPAN, attrs.evolve(WHOLE, over_websocket=True), attrs.evolve(SPAN, decided_ns=-MS)]
    whole, parts = Distributions(), Distributions()
    for span in spans:
        whole.add(span)
        part = Distributions()
        part.add(span)
        parts.merge(part)
    assert parts == whole


@pytest.mark.parametrize("name", ["plain", "calls", "reconnects"])
async def test_a_run_that_is_watched_has_what_its_session_has(
    name: str, autojump_clock: trio.testing.MockClock
) -> None:
    """The sums are done while it runs, and none is missing when it ends at any moment."""
    del autojump_clock
    records = list(find(SESSIONS / f"{name}.journal"))
    expected, spans = Distributions(), Spans()
    for record in records:
        for span in spans.meet(record):
            expected.add(span)
    for span in spans.rest():
        expected.add(span)
    assert expected

    class Played(NoTape):
        committed = 0

        def write(self, kind: Kind, data: Any, *, generation: int = 0) -> Stamp:
            stamp = super().write(kind, data, generation=generation)
            return Stamp(stamp.number, records[stamp.number - 1].ns)

        def commit(self) -> None:
            self.committed += 1

    played = Played(TrioClock(0))
    watch = LatencyWatch(played)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(watch.run)
        for record in records:
            watch.write(record.kind, record.data, generation=record.generation)  # type: ignore[arg-type] # it is one
            if record.number == len(records) // 2:
                assert not watch.distributions
                await trio.sleep(1)
                assert watch.distributions
        nursery.cancel_scope.cancel()
    watch.commit()
    assert played.committed == 1
    assert watch.finish() == expected
