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
from typing import Annotated, Any

import attrs
import cyclopts
import msgspec
import trio
from cyclopts.validators import Number
from loguru import logger

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

ALLOWED_US = 50
"""The flush of an intent, and of everything before it, may take so long in the median."""

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


@attrs.frozen(kw_only=True)
class Result:
    """What an order waits for, in µs: the flush alone, and everything; and the medians of what that is made of.

    The steps are timed one after the other, without a pause in which the processor forgets them, so that their sum
    is less than the whole.
    """

    flush_us: float
    """From the commit until everything that waited is in the file."""

    median_us: float
    p99_us: float
    encode_us: float
    clean_us: float
    checksum_us: float
    write_us: float
    bytes_written: int
    """In the one write, in the median."""

    orders: int


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


async def measure(
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
        environment="embedded", run_id="lab", seed=0, started_ns=0, rest_url="", ws_url="", settings={}
    )


def conclude(waited: Sequence[tuple[int, int]], steps: Sequence[tuple[int, int, int, int, int]]) -> Result:
    """Sum up at least two orders."""
    encode, clean, checksum, write, size = (median(step) for step in zip(*steps, strict=True))
    everything, flushes = zip(*waited, strict=True)
    return Result(
        flush_us=median(flushes) / 1e3,
        median_us=median(everything) / 1e3,
        p99_us=quantiles(everything, n=100)[98] / 1e3,
        encode_us=encode / 1e3,
        clean_us=clean / 1e3,
        checksum_us=checksum / 1e3,
        write_us=write / 1e3,
        bytes_written=round(size),
        orders=len(waited),
    )


def as_table(result: Result) -> str:
    """For people."""
    notes = f"{result.orders} orders; {ALLOWED_US} µs are allowed"
    return "\n".join(
        (
            f"{'an order waits for its intent':<36}{'median':>9}{'p99':>12}",
            f"{'  to be flushed':<36}{result.flush_us:>6.1f} µs{'':>12}   ({notes})",
            f"{'  to be written down and flushed':<36}{result.median_us:>6.1f} µs{result.p99_us:>9.1f} µs",
            f"{'  of that: encoding':<36}{result.encode_us:>6.1f} µs",
            f"{'           cleaning':<36}{result.clean_us:>6.1f} µs",
            f"{'           checksum':<36}{result.checksum_us:>6.1f} µs",
            f"{'           one write':<36}{result.write_us:>6.1f} µs{'':>12}   ({result.bytes_written} bytes)",
        )
    )


def main(
    *,
    orders: Annotated[int, cyclopts.Parameter(validator=Number(gte=2))] = 2000,
    json: Annotated[bool, cyclopts.Parameter(negative="")] = False,
) -> int:
    """Time what the journal costs an order, on the disk that holds the temporary directory.

    Args:
        orders: how many.
        json: print one JSON object instead of a table.
    """
    logger.remove()
    rehearsed, clean = rehearsed_orders()
    with tempfile.TemporaryDirectory() as folder:
        steps = list(take_apart(rehearsed, clean, Path(folder, "steps"), orders))[WARM_UP:]
        waited = trio.run(measure, rehearsed, clean, Path(folder, "lab.journal"), orders)
    result = conclude(waited, steps)
    # Print is how data goes to stdout. How fast it is decides nothing: that is the machine's business, too.
    print(msgspec.json.encode({"journal": result}).decode() if json else as_table(result))  # noqa: T201
    return 0


if __name__ == "__main__":
    sys.exit(cyclopts.run(main))
