"""The report of what the journal costs an order."""

from itertools import count
from pathlib import Path

import pytest

from benchmarks import journal
from benchmarks.journal import Listener, Order, Told, conclude, take_apart, write_orders
from bot.core.tape import Kind, NoTape
from bot.journal.reader import read
from bot.link.clock import TrioClock

STATE = Told(0, Kind.ORDER, {"state": "SENT"}, 0)


def order(number: int) -> Order:
    return Order(
        [Told(0, Kind.OUTCOME, {"what": "quote"}, 0)], [Told(0, Kind.INTENT, {"n": number}, 0), STATE]
    )


async def test_each_order_is_timed_from_its_intent_to_the_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The clock is read three times an order; those of the warm-up are in the file, too, but not in the figures."""
    monkeypatch.setattr(journal, "WARM_UP", 2)
    ticks = count(step=7)
    waited = await write_orders([order(1), order(2)], bytes, tmp_path / "s.journal", 3, ticks.__next__)
    assert waited == [(14, 7), (14, 7), (14, 7)]
    records = read(tmp_path / "s.journal").records
    assert [record.data["n"] for record in records if record.kind is Kind.INTENT] == [1, 2, 1, 2, 1]
    assert len(records) == 3 * 5


def test_the_steps(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Encoding, cleaning, checksums and the one write, each by itself; the write has what waited in it."""
    monkeypatch.setattr(journal, "WARM_UP", 0)
    ticks = iter((0, 1, 3, 7, 15))
    ((*steps, size),) = take_apart([order(1)], bytes, tmp_path / "s", 1, ticks.__next__)
    assert steps == [1, 2, 4, 8]
    assert size == (tmp_path / "s").stat().st_size
    assert (tmp_path / "s").read_bytes().count(b"\n") == 3


def test_what_waits_when_an_order_is_signed() -> None:
    """Records since the last order that the timer has not taken meanwhile."""
    now = [0]
    clock = TrioClock(0)
    clock.monotonic_ns = lambda: now[0]  # type: ignore[method-assign]
    listener = Listener(NoTape(clock))
    for ns, kind in (
        (0, Kind.TIMER),
        (149_000_000, Kind.OUTCOME),
        (150_000_000, Kind.INTENT),
        (150_000_000, Kind.ORDER),
    ):
        now[0] = ns
        listener.write(kind, {})
    listener.commit()
    now[0] += 1
    listener.write(Kind.INTENT, {})
    listener.commit()
    assert [[told.kind for told in each.waiting] for each in listener.orders] == [[Kind.OUTCOME], []]
    assert [[told.kind for told in each.own] for each in listener.orders] == [
        [Kind.INTENT, Kind.ORDER],
        [Kind.INTENT],
    ]


def test_the_figures() -> None:
    """Medians in µs of both waits and of the four steps, and the one percentile that matters."""
    result = conclude([(30_000, 8_000)] * 98 + [(90_000, 8_000)] * 2, [(1000, 2000, 3000, 4000, 500)] * 3)
    waits, steps = result.comparisons
    assert [(row.name, row.median, row.count) for row in waits.rows] == [
        ("to be written down and flushed", 30.0, 100),
        ("to be flushed", 8.0, 100),
    ]
    assert [row.median for row in steps.rows] == [1.0, 2.0, 3.0, 4.0]
    assert result.tables[0].rows == {"an order": {"bytes": 500, "p99 of the wait, µs": 90.0}}


def test_the_whole_of_it() -> None:
    """Orders of a rehearsal really go to a journal; how long they waited is not a test's business."""
    result = journal.measure(2)
    assert [row.count for comparison in result.comparisons for row in comparison.rows] == [2] * 6
    assert result.tables[0].rows["an order"]["bytes"] > 500
