"""A simulated day of the whole bot against the whole exchange: an order a second, and the weekday release in it.

A bot that runs for weeks may not grow. So what the process holds after each hour is compared with what it held after
the first: memory, tasks, open files. By then everything that remembers so many things and no more is full; where that
would take longer it remembers less here. Nor may a judge grow: orders are followed while they live, compared with the
exchange's books when they end, and forgotten. The session is recorded; a part that is full is read, and thrown away.
"""

import gc
import os
import sys
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Annotated, Any, Literal

import attrs
import cyclopts
import msgspec
import trio
from cyclopts.validators import Number
from loguru import logger

from bot.core.fixed import parse
from bot.core.order import State
from bot.core.tape import Kind, Stamp, Tape
from bot.exchange.exchange import Exchange
from bot.exchange.matching.orders import CLOSED
from bot.exchange.settings import ExchangeSettings
from bot.journal.journal import MEBIBYTE
from bot.journal.part import open_part
from bot.journal.settings import JournalSettings
from bot.lab import meter
from bot.lab.meter import DELAY, HOUR, Meter, Span
from bot.settings import Settings
from bot.simulation.disk import ThreadlessDisk
from bot.simulation.rehearsal import Rehearsal, rehearse
from bot.simulation.world import replaced
from bot.summary import Summary
from bot.trading.step import ledger

Via = Literal["rest", "ws"]

RELEASE_MINUTE = 12 * 60 + 30
"""After midnight UTC. A rehearsal begins on a Friday at 08:00, and the venue's own hour would be Saturday's."""

REMEMBERED = 3000
"""Orders that are over: an hour's, about."""

PART_SIZE = 8
"""MiB: some minutes of the session."""

MORE_MEMORY = 0.03
"""Part by which memory may differ from that after the first hour: what an allocator holds is no exact thing."""

MOST_LIVE = 10
"""Orders at a time. The strategy has one."""

LOOKS, LOOK_EVERY = 40, 0.67
"""How often tasks and files are counted, and after how many seconds: orders come and go meanwhile."""

MORE_TASKS = 3
"""By which tasks may differ: some jobs meet the rhythm of the orders for minutes, and then do not. Who leaks one an
hour has 23 more at the end."""

OVER = frozenset({State.CLOSED, State.REJECTED, State.NEVER_ACCEPTED})


@attrs.frozen
class Reading:
    """An hour, and the fewest tasks and open files that the process had in a while at its end."""

    span: Span
    tasks: int
    files: int


@attrs.define(eq=False)
class Audit:
    """A `Tape` in front of another, which follows every order, and keeps those that live."""

    tape: Tape
    exchange: Exchange
    live: dict[str, State] = attrs.field(factory=dict)
    over: Counter[State] = attrs.field(factory=Counter)
    violations: list[str] = attrs.field(factory=list)
    _newest: int = 0

    def write(self, kind: Kind, data: Any, *, generation: int = 0) -> Stamp:
        if kind is Kind.INTENT and data["what"] == "place":
            self._intended(data["client_id"])
        elif kind is Kind.ORDER:
            self._moved(data)
        return self.tape.write(kind, data, generation=generation)

    def commit(self) -> None:
        self.tape.commit()

    def _intended(self, client_id: str) -> None:
        number = int(client_id.rpartition("-")[2])
        if number <= self._newest:
            self.violations.append(f"{client_id} is sent again")
        self._newest = number
        self.live[client_id] = State.INTENT
        if len(self.live) > MOST_LIVE:
            self.violations.append(f"{len(self.live)} orders live: {', '.join(self.live)}")

    def _moved(self, order: dict[str, Any]) -> None:
        client_id, state = order["client_id"], State(order["state"])
        if client_id not in self.live:
            self.violations.append(f"{client_id} is {state}, and was over or never sent")
        elif state not in OVER:
            self.live[client_id] = state
        else:
            del self.live[client_id]
            self.over[state] += 1
            there = self.exchange.orders.get(order["venue_id"])
            books = (there.status, there.filled) if there else (None, 0)
            here = (CLOSED if state is State.CLOSED else None, parse(order["filled"]))
            if books != here:
                self.violations.append(f"{client_id} is {here} here, and {books} there")


class ForgetfulDisk(ThreadlessDisk):
    """This machine's; but a part that is closed is read once more, and thrown away."""

    def __init__(self) -> None:
        self.parts = self.size = self.records = 0
        """Thrown away: parts, their bytes, their records."""

    async def compress(self, path: Path) -> None:
        """Raises DamagedPartError: the part is not good."""
        await trio.lowlevel.checkpoint()
        with open_part(path) as part:
            for record in part.records(self.records):
                self.records = record.number
        self.parts += 1
        self.size += path.stat().st_size  # noqa: ASYNC240 - in virtual time it takes none
        path.unlink()  # noqa: ASYNC240 - as above


@attrs.frozen
class Day:
    """What a day was: ``journal`` is what was recorded in ``parts`` that were full, in MiB."""

    via: Via
    readings: list[Reading]
    orders: int
    generations: int
    parts: int
    journal: float
    violations: list[str]


def settings(via: Via) -> Settings:
    """Those of the simulated hour, with a release, and an exchange that remembers little."""
    base = meter.settings()
    return attrs.evolve(
        base,
        orders=attrs.evolve(base.orders, via=via),
        journal=JournalSettings(part_size=PART_SIZE),
        exchange=ExchangeSettings(release="weekdays", release_minute=RELEASE_MINUTE, kept_orders=1000),
    )


def live(via: Via, seconds: float, step: float, tell: Callable[[Reading], object]) -> Day:
    """Trade for so many virtual seconds; ``tell`` is told of each ``step`` of them."""
    disk, readings = ForgetfulDisk(), list[Reading]()

    async def play(rehearsal: Rehearsal) -> Day:
        exchange = rehearsal.exchange
        # Not the rehearsal's own tape, which keeps every message.
        audit = Audit(rehearsal.messages.tape, exchange)
        rehearsal.surroundings = attrs.evolve(rehearsal.surroundings, tape=audit)
        meter = Meter()

        async def watch() -> None:
            while True:
                await trio.sleep(step - LOOKS * LOOK_EVERY)
                tasks, files = [], []
                for _ in range(LOOKS):
                    await trio.sleep(LOOK_EVERY)
                    tasks.append(trio.lowlevel.current_statistics().tasks_living)
                    files.append(len(os.listdir("/dev/fd")))  # noqa: PTH208 - numbers, not paths
                gc.collect()
                meter.read(exchange.ledger.accepted)
                readings.append(Reading(meter.spans[-1], min(tasks), min(files)))
                tell(readings[-1])

        async with trio.open_nursery() as nursery:
            nursery.start_soon(watch)
            summary = await rehearsal.trade(seconds + 1)
            nursery.cancel_scope.cancel()
        found = [*audit.violations, *_unlike(summary, audit), *growth(readings)]
        return Day(
            via=via,
            readings=readings,
            orders=summary.orders.placed,
            generations=summary.generations,
            parts=disk.parts,
            journal=disk.size / MEBIBYTE,
            violations=found,
        )

    with (
        tempfile.TemporaryDirectory(prefix="paradex-day-") as folder,
        replaced(ledger, "REMEMBERED", REMEMBERED),
    ):
        return rehearse(
            play, settings(via), delay=DELAY, tls=False, journal=Path(folder) / "day.journal", disk=disk
        )


def _unlike(summary: Summary, audit: Audit) -> Iterator[str]:
    """What does not agree at the end: the bot's own count, what was followed, and the exchange's books."""
    orders, exchange = summary.orders, audit.exchange
    if summary.exit_code or summary.alarms:
        yield f"exit code {summary.exit_code}, alarms: {summary.alarms}"
    yield from (f"{client_id} is {state} at the end" for client_id, state in audit.live.items())
    if exchange.ledger.accepted != orders.closed:
        yield f"{exchange.ledger.accepted} accepted there, {orders.closed} closed here"
    if orders.placed != audit.over.total() or orders.closed != audit.over[State.CLOSED]:
        yield f"the summary counts {orders}, and there were {dict(audit.over)}"
    for account in exchange.accounts:
        yield from (f"{order.client_id} rests" for order in exchange.resting(account.address))


def growth(readings: list[Reading]) -> Iterator[str]:
    """What is more at the end than after the first hour."""
    if len(readings) < 2:
        return
    first, *later = readings
    for name, more in (("tasks", MORE_TASKS), ("files", 0)):
        before, most = getattr(first, name), max(getattr(reading, name) for reading in later)
        if most > before + more:
            yield f"{most} {name}, and {before} after the first hour"
    before, now = first.span.memory, later[-1].span.memory
    if now > before * (1 + MORE_MEMORY):
        yield f"{now:.1f} MiB of memory, and {before:.1f} after the first hour"


def _line(number: int, reading: Reading) -> str:
    span = reading.span
    return (
        f"hour {number:2}{span.orders:7} orders{span.memory:8.1f} MiB{reading.tasks:5} tasks"
        f"{reading.files:4} files{span.cpu:8.1f} s of CPU"
    )


def main(
    *,
    hours: Annotated[int, cyclopts.Parameter(validator=Number(gte=1))] = 24,
    via: Via | None = None,
    json: Annotated[bool, cyclopts.Parameter(negative="")] = False,
) -> int:
    """Simulate a day of an order a second, with the weekday release in it. Exit code 1: something is wrong, or grows.

    Args:
        hours: how many of the day.
        via: the way of the orders; without it one day by each.
        json: print one JSON object instead of lines.
    """
    logger.remove()
    ways: tuple[Via, ...] = ("rest", "ws") if via is None else (via,)
    failed = False
    days = []
    for way in ways:
        told: list[Reading] = []

        def tell(reading: Reading, told: list[Reading]) -> None:
            told.append(reading)
            if not json:
                print(_line(len(told), reading), flush=True)  # noqa: T201 - data goes to stdout

        day = live(way, hours * HOUR, HOUR, partial(tell, told=told))
        days.append(day)
        failed |= bool(day.violations)
        if not json:
            _print(day)
    if json:
        print(msgspec.json.encode([attrs.asdict(day) for day in days]).decode())  # noqa: T201 - as above
    return 1 if failed else 0


def _print(day: Day) -> None:
    verdict = "\n".join(day.violations) or "nothing is wrong, and nothing grows"
    print(  # noqa: T201 - data goes to stdout
        f"orders over {day.via}: {day.orders} in {len(day.readings)} h, {day.generations} sessions,"
        f" {day.parts} parts of the journal with {day.journal:.0f} MiB: {verdict}"
    )


if __name__ == "__main__":
    sys.exit(cyclopts.run(main))
