"""The simulated hour: what it tells, and that an order costs the same however many came before it.

No clock decides here: counted are steps of tasks, packets, calls, and the lines of ours that are executed.
"""

import sys
from collections import Counter
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from types import CodeType, FrameType
from typing import Any

import attrs
import pytest
import trio

import bot
from benchmarks import hour
from bot.lab import meter
from bot.lab.meter import DELAY, Span
from bot.simulation.rehearsal import Rehearsal, rehearse

EARLY, LATE = range(4, 7), range(110, 113)
"""Seconds of a run; an order falls into each. Housekeeping falls into some, and never into all three."""

MOST_STEPS = 60
MOST_PACKETS = 10
"""For each order: steps of tasks, and packets. Who needs more has made every long test slower, and says so here."""

MORE = 50
"""By how much the work of a function may vary from order to order, beside a fifth: half of the orders between."""

OURS = str(Path(bot.__file__).parent)

Work = Counter[CodeType]
"""By function: how often it was called or went on, and of ours also how many lines it executed."""


@attrs.define(eq=False)
class Steps(trio.abc.Instrument):
    """Counts steps of tasks."""

    taken: int = 0

    def before_task_step(self, task: trio.lowlevel.Task) -> None:  # noqa: ARG002 - trio's signature
        self.taken += 1


@attrs.frozen
class Second:
    """What was done in a second: work, orders accepted, steps, and packets."""

    work: Work
    orders: int
    steps: int
    packets: int


@contextmanager
def counted(work: Work) -> Generator[None]:
    """Count what is done by functions that are called, or go on, inside the block."""

    def count(frame: FrameType, event: str, _: object) -> Any:
        if event in {"call", "line"}:
            work[frame.f_code] += 1
        return count if frame.f_code.co_filename.startswith(OURS) else None

    before = sys.gettrace()
    sys.settrace(count)
    try:
        yield
    finally:
        sys.settrace(before)


def seconds() -> dict[int, Second]:
    """The early and the late ones of one run."""

    async def play(rehearsal: Rehearsal) -> dict[int, Second]:
        steps = Steps()
        trio.lowlevel.add_instrument(steps)
        seen = {}

        def totals() -> tuple[int, int, int]:
            connections = rehearsal.network.connections
            packets = sum(connection.up.packets + connection.down.packets for connection in connections)
            return rehearsal.exchange.ledger.accepted, steps.taken, packets

        async def watch() -> None:
            for second in (*EARLY, *LATE):
                await trio.sleep_until(second)
                before, work = totals(), Work()
                with counted(work):
                    await trio.sleep_until(second + 1)
                done = (after - then for after, then in zip(totals(), before, strict=True))
                seen[second] = Second(work, *done)

        async with trio.open_nursery() as nursery:
            nursery.start_soon(watch)
            await rehearsal.trade(LATE.stop + 0.5)
        return seen

    return rehearse(play, meter.settings(), delay=DELAY, tls=False)


def test_an_order_costs_what_those_before_it_cost() -> None:
    """A second with one order in it takes as many steps and packets as a hundred orders before, and not too many.

    And no function does more in it: whoever walks over all the orders that ever were is found, and named.
    """
    seen = seconds()
    early, late = ([seen[number] for number in part] for part in (EARLY, LATE))
    assert [second.orders for second in (*early, *late)] == [1] * len(seen)
    steps, packets = min(second.steps for second in late), min(second.packets for second in late)
    assert steps <= max(second.steps for second in early)
    assert packets <= max(second.packets for second in early)
    assert (steps <= MOST_STEPS, packets <= MOST_PACKETS) == (True, True), (steps, packets)
    grown = {}
    for function in {function for second in late for function in second.work}:
        before, now = (max(s.work[function] for s in early), min(s.work[function] for s in late))
        if now > before + before // 5 + MORE:
            grown[function.co_qualname] = (before, now)
    assert not grown


def test_what_is_told() -> None:
    """Each quarter by itself, for cost that grows; and whose time it was."""
    spans = [
        Span(orders=10, cpu=0.1, wall=0.2, memory=100.0),
        Span(orders=20, cpu=0.3, wall=0.4, memory=101.0),
    ]
    quarters, whose = hour.told(spans, {"bot": 0.5, "scheduler": 0.5}).tables
    assert [(row["orders"], row["ms of CPU an order"]) for row in quarters.rows.values()] == [
        (10, 10.0),
        (20, 15.0),
    ]
    assert whose.rows == {"bot": {"%": 50.0}, "scheduler": {"%": 50.0}}


def test_the_whole_of_it() -> None:
    """Nearly an order a second, and all of the time is somebody's; how much it was is not a test's business."""
    quarters, whose = hour.measure(20).tables
    assert sum(row["orders"] for row in quarters.rows.values()) == 19
    assert set(whose.rows) == {"bot", "exchange", "network", "scheduler"}
    assert sum(row["%"] for row in whose.rows.values()) == pytest.approx(100)
    assert all(0 < row["%"] < 100 for row in whose.rows.values())
