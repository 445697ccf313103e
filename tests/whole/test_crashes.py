"""Bots that are killed at each point of an order's life, and of their own, and are started again.

Real processes, real sockets and SIGKILL: nothing else shows what the file holds of a process that is gone, what the
venue has of its requests, and what becomes of its lock. All stories run side by side, each on an account of its own,
for they mostly wait. Which of the second crashes are tried changes with SWEEP_SEED, which the header shows.
"""

import os
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from signal import SIGTERM

import pytest
import trio
from crash_audit import books_of, violations
from crash_points import BY_NAME, POINTS, RECOVERY, Leaves, Manner, Point, install
from crash_seams import Seam, SeamGoneError, When, find
from crash_stage import PLACED, Process, Stage, Story, open_stage, play

from bot.trading.step.recovery import ADOPT

EVERY = 3
"""Of the second crashes after one that leaves doubt one in so many is tried."""

TAKING_OVER = [
    point for point in POINTS[2:] if point.leaves is Leaves.NOTHING and point.manner is Manner.PROBE
]
"""What every run comes to on its way to its first order."""

SECOND = {
    Leaves.DOUBT: [*TAKING_OVER, *(point for point in RECOVERY if point.leaves is Leaves.DOUBT)],
    Leaves.RESTING: TAKING_OVER,
}
"""Where the next run can die, by what it finds."""


@pytest.fixture
def stage(tmp_path: Path) -> Iterator[Stage]:
    with open_stage(tmp_path) as stage:
        yield stage


def stories(seed: int) -> Iterator[Story]:
    """Each point, and then a clean run. And where it leaves something: two crashes, and the other setting of what
    becomes of an order that rests.
    """
    for point in POINTS:
        yield Story(points=[point])
    left = {leaves: [point for point in POINTS if point.leaves is leaves] for leaves in Leaves}
    again = [*left[Leaves.RESTING], *left[Leaves.DOUBT][seed % EVERY :: EVERY]]
    for number, point in enumerate(again, seed):
        seconds = SECOND[point.leaves]
        yield Story(points=[point, seconds[number % len(seconds)]], leftovers=ADOPT)
    yield Story(points=[BY_NAME["stop decided"], BY_NAME["cancel of what was left sent"]])


async def found_in(stage: Stage, stories: list[Story]) -> list[list[str]]:
    """Play them all; what is wrong in each."""
    accounts = [stage.account(BOT__ORDERS__LEFTOVERS=story.leftovers) for story in stories]
    found: list[list[str]] = [[] for _ in stories]

    async def note(number: int) -> None:
        found[number] += await play(stage, stories[number], accounts[number])

    async with trio.open_nursery() as nursery:
        for number in range(len(stories)):
            nursery.start_soon(note, number)
    for number, books in enumerate(books_of(stage, accounts)):
        found[number] += violations(accounts[number], books)
    return found


async def test_wherever_it_dies_nothing_is_lost_doubled_or_guessed(stage: Stage) -> None:
    """Each order is at the exchange once, or never and that is known; nothing rests, nothing is sent too early, and
    who reads a journal twice reads the same.
    """
    all_ = list(stories(int(os.environ["SWEEP_SEED"])))
    found = await found_in(stage, all_)
    lines = [f"{story.name}: {fault}" for story, faults in zip(all_, found, strict=True) for fault in faults]
    assert not lines, "\n".join(lines)


BUGS = {
    "intent after the send": (
        Story(points=[BY_NAME["order sent"]], bugs={0: "intent after the send"}),
        "without an intent",
    ),
    "unknown forgotten": (
        Story(points=[BY_NAME["order about to leave"]], bugs={1: "unknown forgotten"}),
        "is open, says the last journal",
    ),
    "journals dropped early": (
        Story(
            points=[BY_NAME["order sent"], BY_NAME["recovered written"]], bugs={1: "journals dropped early"}
        ),
        "rests",
    ),
    "gate open early": (
        Story(points=[BY_NAME["order about to leave"]], bugs={1: "gate open early"}),
        "was in doubt",
    ),
}


async def test_it_would_find(stage: Stage) -> None:
    """What is looked for is also found: here are bugs for it, put in on purpose."""
    played = await found_in(stage, [story for story, _ in BUGS.values()])
    for faults, (name, (_, words)) in zip(played, BUGS.items(), strict=True):
        assert any(words in fault for fault in faults), (name, faults)
    assert await second_bot(stage, "no lock") == 0


async def test_one_bot_at_a_time(stage: Stage) -> None:
    """The second on an account ends at once."""
    assert await second_bot(stage) == 3


async def second_bot(stage: Stage, bug: str = "") -> int | None:
    """How a bot ends that is started beside another."""
    account = stage.account()
    trading: list[Process] = []
    trades = trio.Event()

    def heard(process: Process, line: str) -> None:
        if PLACED in line:
            trading.append(process)
            trades.set()

    async with trio.open_nursery() as nursery:
        nursery.start_soon(partial(stage.run, account, heard=heard))
        await trades.wait()
        second = await stage.run(account, bug=bug, seconds=2.0)
        trading[0].signal(SIGTERM)
    return second.code


@pytest.mark.parametrize("point", BY_NAME.values(), ids=lambda point: point.name)
def test_each_point_has_its_seam(point: Point) -> None:
    if isinstance(point.seam, Seam):
        find(point.seam.place)


@pytest.mark.parametrize("place", ["bot.nowhere:x", "bot.run:nothing", "bot.core.order:Order.nothing"])
def test_a_seam_that_is_gone(place: str) -> None:
    """Is no point where nothing happens."""
    with pytest.raises(SeamGoneError):
        install(Point("gone", Seam(place, When.BEFORE)))
