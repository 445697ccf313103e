"""A flow of orders, in virtual time: at an even pace, each cancelled once it rests, and an end after the last."""

import attrs
import pytest
import trio

from bot import app
from bot.core.clock import WorkClock
from bot.core.histogram import Histogram
from bot.lab.countdown import THROUGH, Countdown
from bot.lab.flow import MOST_UNEVEN, UNCOUNTED, Flow, Meter, Metronome
from bot.settings import Settings
from bot.simulation.notes import Notes
from bot.simulation.rehearsal import Rehearsal, rehearse
from bot.summary import Summary

ORDERS, PER_SECOND = 50, 25


@attrs.define
class HandClock:
    """Each time it is read it shows 3 ms more."""

    ns: int = 0

    def thread_ns(self) -> int:
        self.ns += 3_000_000
        return self.ns


@pytest.fixture(scope="module")
def flowed() -> tuple[Summary, list[float]]:
    """What came of `ORDERS` orders, and when each was decided, in seconds since the first."""
    decided: list[float] = []

    async def play(rehearsal: Rehearsal) -> Summary:
        around = rehearsal.surroundings
        tape = Notes(around.tape)
        countdown = Countdown(tape.tape, rehearsal.stop, ORDERS, lambda: decided.append(trio.current_time()))
        rehearsal.surroundings = attrs.evolve(around, tape=countdown)
        return await rehearsal.trade(60)

    base = Settings()
    settings = attrs.evolve(
        base,
        orders=attrs.evolve(base.orders, via="ws"),
        limits=attrs.evolve(base.limits, orders_per_second=0),
    )
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(app, "Probe", lambda *_: Metronome(PER_SECOND, ORDERS))
        summary = rehearse(play, settings, delay=0.01)
    return summary, [at - decided[0] for at in decided]


def test_the_pace_is_even(flowed: tuple[Summary, list[float]]) -> None:
    """A quarter of a hundred a second; what one order is late is not added to the next."""
    _, decided = flowed
    assert len(decided) == ORDERS
    for at in (10, 25, 49):
        assert decided[at] == pytest.approx(at / PER_SECOND, abs=0.1)


def test_each_is_confirmed_and_cancelled_and_the_last_is_the_end(flowed: tuple[Summary, list[float]]) -> None:
    summary, decided = flowed
    counts = summary.orders
    assert (counts.placed, counts.confirmed, counts.closed) == (ORDERS, ORDERS, ORDERS)
    assert (summary.unresolved, summary.generations, summary.exit_reason) == ([], 1, THROUGH)
    assert decided[-1] < 3
    assert Flow("ws", PER_SECOND, summary, Histogram()).faults(ORDERS) == []


def test_what_is_not_as_it_should_be_is_told(flowed: tuple[Summary, list[float]]) -> None:
    """Orders that were not sent or not confirmed, another session, and costs that are uneven."""
    costs = Histogram()
    for cost in [1_000_000] * 98 + [round(1_000_000 * (MOST_UNEVEN + 1))] * 2:
        costs.add(cost)
    again = attrs.evolve(flowed[0], generations=2)
    found = Flow("ws", PER_SECOND, again, costs).faults(ORDERS + 1)
    assert [fault.split()[0] for fault in found] == ["50", "50", "2", "the"]


def test_what_an_order_costs() -> None:
    """From one decision to the next; not for the first ones."""
    clock: WorkClock = HandClock()  # type: ignore[assignment] # nothing else of it is read
    meter = Meter(clock)
    for _ in range(UNCOUNTED + 5):
        meter.read()
    assert meter.costs.count == 5
    assert meter.costs.percentile(50) == pytest.approx(3_000_000, rel=0.001)
