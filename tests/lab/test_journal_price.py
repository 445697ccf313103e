"""The report of what the journal costs an order."""

from itertools import count
from pathlib import Path

import pytest

from bot.core.tape import Kind, NoTape
from bot.journal.reader import read
from bot.lab import journal
from bot.lab.journal import Listener, Order, Told, as_table, conclude, measure, take_apart
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
    waited = await measure([order(1), order(2)], bytes, tmp_path / "s.journal", 3, ticks.__next__)
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


def test_the_table() -> None:
    """Medians in µs, and the one percentile that matters."""
    result = conclude([(30_000, 8_000)] * 98 + [(90_000, 8_000)] * 2, [(1000, 2000, 3000, 4000, 500)] * 3)
    assert (result.median_us, result.p99_us, result.orders) == (30.0, 90.0, 100)
    table = as_table(result)
    assert "8.0 µs               (100 orders; 50 µs are allowed)" in table
    assert "30.0 µs     90.0 µs" in table
    for step in ("encoding       ", "cleaning", "checksum", "one write"):
        assert step in table
    assert "4.0 µs" in table
    assert "(500 bytes)" in table
