"""What the journal costs an order: from its intent to the moment when that is in the file.

The orders are those of a rehearsed session, and so are the records that wait when one is signed: the quote, and what
was decided because of it. They go to a journal as `bot run` opens one, with the same cleaning, on this machine's
disk, while a worker thread syncs the file all the time. The price of those that wait was paid when they were written
down, but for their bytes in the one write; so it is what an order waits for.
"""

import os
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from itertools import cycle, islice
from pathlib import Path
from statistics import median, quantiles
from typing import Any

import attrs
import trio

from benchmarks.figures import Result, Table, compare
from bot.core.tape import Kind, Stamp, Tape
from bot.journal.file import LocalDisk
from bot.journal.header import Header, new_header
from bot.journal.journal import FLUSH_AFTER, open_journal
from bot.journal.parts import Parts
from bot.journal.record import Lines, payload
from bot.journal.redact import Clean, Cleaner
from bot.journal.settings import JournalSettings
from bot.link.clock import SystemClock
from bot.settings import Settings
from bot.simulation.rehearsal import Rehearsal, rehearse
from bot.trading.strategies.probe import ProbeSettings

WARM_UP = 100  # orders that are not counted
BETWEEN = 0.001  # s between two orders
SYNC_INTERVAL = 0.005  # s


@attrs.frozen
class Told:
    """What somebody wrote to the tape."""

    ns: int
    kind: Kind
    data: Any
    generation: int


@attrs.frozen
class Order:
    """The records that wait when an order is signed, and the two that are written then: its intent and its state."""

    waiting: Sequence[Told]
    own: Sequence[Told]


@attrs.define(eq=False)
class Listener:
    """A `Tape` in front of another, which keeps what passes, order by order."""

    tape: Tape
    orders: list[Order] = attrs.field(factory=list)
    _recent: list[Told] = attrs.field(factory=list)

    def write(self, kind: Kind, data: Any, *, generation: int = 0) -> Stamp:
        stamp = self.tape.write(kind, data, generation=generation)
        self._recent.append(Told(stamp.ns, kind, data, generation))
        return stamp

    def commit(self) -> None:
        intents = [place for place, told in enumerate(self._recent) if told.kind is Kind.INTENT]
        if intents:  # else it was what earlier runs left that had to be in the file
            own, before = self._recent[intents[-1] :], self._recent[: intents[-1]]
            oldest = own[0].ns - FLUSH_AFTER * 1e9
            self.orders.append(Order([told for told in before if told.ns > oldest], own))
        self._recent.clear()
        self.tape.commit()


def rehearsed_orders() -> tuple[list[Order], Clean]:
    """The orders of some seconds, and the cleaning that goes with them: it knows their account and their secrets."""

    async def play(rehearsal: Rehearsal) -> tuple[list[Order], Clean]:
        around = rehearsal.surroundings
        listener = Listener(around.tape)
        rehearsal.surroundings = attrs.evolve(around, tape=listener)
        await rehearsal.trade(20)
        return listener.orders, Cleaner(bytes(32), around.redactor).clean

    settings = attrs.evolve(Settings(), strategy=ProbeSettings(pause=0.3))
    return rehearse(play, settings, delay=0.02, tls=False)


async def write_orders(
    orders: Sequence[Order],
    clean: Clean,
    path: Path,
    count: int,
    now_ns: Callable[[], int] = time.perf_counter_ns,
) -> list[tuple[int, int]]:
    """Write ``count`` orders to a journal in the new file ``path``.

    Returns the ns that each waited, and how many of these it waited for the flush.
    """
    waited = []
    settings = JournalSettings(fsync_interval=SYNC_INTERVAL)
    async with open_journal(
        Parts(LocalDisk(), path),
        _header(),
        SystemClock(),
        settings=settings,
        ask_to_stop=sys.exit,
        clean=clean,
    ) as journal:
        for order in islice(cycle(orders), WARM_UP + count):
            for told in order.waiting:
                journal.write(told.kind, told.data, generation=told.generation)
            began = now_ns()
            for told in order.own:
                journal.write(told.kind, told.data, generation=told.generation)
            written_down = now_ns()
            journal.commit()
            ended = now_ns()
            waited.append((ended - began, ended - written_down))
            await trio.sleep(BETWEEN)
    return waited[WARM_UP:]


def take_apart(
    orders: Sequence[Order],
    clean: Clean,
    path: Path,
    count: int,
    now_ns: Callable[[], int] = time.perf_counter_ns,
) -> Iterator[tuple[int, int, int, int, int]]:
    """Do the same step by step, with nothing beside it: the ns of each step, and the bytes of the write."""
    lines = Lines()
    with path.open("xb", buffering=0) as file:
        for order in islice(cycle(orders), WARM_UP + count):
            before = b"".join(lines.line(clean(_payload(told))) for told in order.waiting)
            began = now_ns()
            records = [_payload(told) for told in order.own]
            encoded = now_ns()
            cleaned = [clean(record) for record in records]
            clean_now = now_ns()
            data = bytearray(before)
            for record in cleaned:
                data += lines.line(record)
            summed = now_ns()
            written = os.write(file.fileno(), data)
            ended = now_ns()
            yield encoded - began, clean_now - encoded, summed - clean_now, ended - summed, written


def _payload(told: Told) -> bytes:
    return payload(1_000, told.ns, told.generation, told.kind, told.data)


def _header() -> Header:
    return new_header(
        environment="embedded", run_id="bench", seed=0, started_ns=0, rest_url="", ws_url="", settings={}
    )


def conclude(waited: Sequence[tuple[int, int]], steps: Sequence[tuple[int, int, int, int, int]]) -> Result:
    """Sum up at least two orders.

    The steps are timed one after the other, without a pause in which the processor forgets them, so that their sum
    is less than the whole.
    """
    everything, flushes = zip(*waited, strict=True)
    encoding, cleaning, checksum, write, sizes = zip(*steps, strict=True)
    waits = {"to be written down and flushed": [everything], "to be flushed": [flushes]}
    parts = {"encoding": [encoding], "cleaning": [cleaning], "checksum": [checksum], "one write": [write]}
    return Result(
        comparisons=(
            compare("an order waits for its intent", "µs", waits, scale=1e3),
            compare("of that", "µs", parts, scale=1e3),
        ),
        tables=(
            Table(
                "the one write",
                {"an order": {"bytes": median(sizes), "p99 of the wait, µs": _p99(everything) / 1e3}},
            ),
        ),
    )


def _p99(figures: Sequence[int]) -> float:
    return quantiles(figures, n=100, method="inclusive")[98]


def measure(orders: int) -> Result:
    """Write so many orders, at least two, to the disk that holds the temporary directory."""
    rehearsed, clean = rehearsed_orders()
    with tempfile.TemporaryDirectory() as folder:
        steps = list(take_apart(rehearsed, clean, Path(folder, "steps"), orders))[WARM_UP:]
        waited = trio.run(write_orders, rehearsed, clean, Path(folder, "bench.journal"), orders)
    return conclude(waited, steps)
