"""What an order costs, in counts that no noise moves: writes, records, instructions, and memory.

A real stack with TLS in virtual time, and a journal: all that the bot does when it decides falls into one moment, and
all that it does with the answer and the update into another. Of several orders, none of them the first, the cheapest
counts, so that what happens once in a while has no part in it. Bounds leave room for other versions of Python and of
the libraries. They are there to catch a second write, a record too many, a line of the log or a copy of everything in
the way; no clock is asked. If an order has to do more, its bound may be raised; a failure names who does most.
"""

import gc
import sys
import tracemalloc
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from functools import cache
from itertools import pairwise
from pathlib import Path
from types import CodeType, FrameType
from typing import Any, Protocol, TypeVar

import attrs
import pytest
import trio
from loguru import logger

from benchmarks.orders.relay import Traffic, Watched
from bot import app
from bot.core.fixed import SCALE
from bot.core.order import Instruction, Side
from bot.core.tape import Kind
from bot.settings import Settings
from bot.simulation.disk import MemoryDisk
from bot.simulation.endpoint import Endpoint
from bot.simulation.notes import Line, Notes
from bot.simulation.rehearsal import Rehearsal, rehearse
from bot.trading.requests import REST, WS
from bot.trading.strategies.strategy import Event, Quote, TimerElapsed, TradingOpened
from bot.trading.strategies.trader import Trader

DELAY = 0.125  # s, one way
TIMES = (9.0, 10.0, 11.0, 12.0)  # s of trio's clock, when an order is decided
ANSWERED, CANCELLED = 2 * DELAY, 0.5  # s after that
BEFORE, AFTER = 0.01, 0.05  # s around a moment

MOST_RECORDS = 11
"""On the tape, from the decision until the order rests."""

MOST_INSTRUCTIONS = {REST: (25_000, 27_000), WS: (19_000, 25_000)}
"""Of Python's bytecode: to decide, sign, write down and send; and for what comes back, until all is done."""

MOST_CALLS = {REST: (1_200, 1_350), WS: (970, 1_300)}
"""Of Python functions, likewise."""

MOST_HELD = {REST: (45, 100), WS: (32, 32)}
"""KiB at a time, beyond what was held before, likewise."""

MOST_LEFT = 60
"""Pieces of memory that the bot holds of an order once it is over."""


ROOMS = ("core", "paradex", "link", "journal", "session", "trading")


@attrs.define
class Metronome:
    """An order at each of `TIMES`, and its cancel somewhat later."""

    price: int = 0
    resting: str = ""

    def on_event(self, event: Event, trader: Trader) -> None:
        match event:
            case TradingOpened():
                trader.ask_quote("BTC-USD-PERP")
                for time in TIMES:
                    trader.set_timer(time - trio.current_time())
                    trader.set_timer(time + CANCELLED - trio.current_time())
            case Quote(bid=bid):
                assert bid is not None
                self.price = bid // 2 // SCALE * SCALE
            case TimerElapsed() if self.resting:
                trader.cancel(self.resting)
                self.resting = ""
            case TimerElapsed():
                self.resting = trader.place(
                    "BTC-USD-PERP", Side.BUY, size=10**6, price=self.price, instruction=Instruction.POST_ONLY
                )
            case _:
                pass


class Meter(Protocol):
    """Measures what happens between two calls."""

    def begin(self) -> None: ...
    def end(self) -> None: ...


M = TypeVar("M", bound=Meter)


@attrs.define(eq=False)
class Played:
    """A run, and what it did to the world."""

    lines: list[Line]
    sends: list[tuple[float, bytes]]
    """When the bot handed bytes to the system, and which."""

    logged: list[float]
    """When it logged something."""

    disk: MemoryDisk

    def at(self, time: float) -> list[bytes]:
        """What was sent in that moment."""
        return [data for at, data in self.sends if abs(at - time) < BEFORE]


def played(via: str, measure: Callable[[Rehearsal], None] | None = None) -> Played:
    """Trade until all orders are over. ``measure`` says when to look; then nothing of ours keeps what passes."""
    sends: list[tuple[float, bytes]] = []
    logged: list[float] = []
    disk = MemoryDisk()
    send = Endpoint.send

    def watched(self: Endpoint, data: bytes) -> int:
        if self.local.ip == "10.0.0.1":
            sends.append((trio.current_time(), bytes(data)))
        return send(self, data)

    async def play(rehearsal: Rehearsal) -> list[Line]:
        notes = Notes(rehearsal.messages.tape)
        tape = notes if measure is None else notes.tape
        rehearsal.surroundings = attrs.evolve(rehearsal.surroundings, tape=tape)
        if measure is not None:
            measure(rehearsal)
        summary = await rehearsal.trade(TIMES[-1] + 2)
        assert summary.orders.confirmed == len(TIMES)
        return notes.lines

    base = Settings()
    settings = attrs.evolve(base, orders=attrs.evolve(base.orders, via=via))
    with (
        pytest.MonkeyPatch.context() as patch,
        _listening(logged) if measure is None else nullcontext(),
    ):
        patch.setattr(app, "Probe", lambda *_: Metronome())
        patch.setattr(Endpoint, "send", watched)
        lines = rehearse(play, settings, delay=DELAY, journal=Path("bot.journal"), disk=disk)
    return Played(lines, sends, logged, disk)


@contextmanager
def _listening(logged: list[float]) -> Iterator[None]:
    sink = logger.add(lambda _: logged.append(trio.current_time()), level="DEBUG")
    try:
        yield
    finally:
        logger.remove(sink)


@cache
def unmeasured(via: str) -> Played:
    return played(via)


@attrs.define(eq=False)
class Instructions:
    """What Python's interpreter did, function by function."""

    calls: int = 0
    done: Counter[CodeType] = attrs.field(factory=Counter)

    _before: Any = None

    def begin(self) -> None:
        self._before = sys.gettrace()
        sys.settrace(self._trace)

    def end(self) -> None:
        sys.settrace(self._before)

    def _trace(self, frame: FrameType, event: str, _: object) -> Any:
        if event == "call":
            self.calls += 1
            frame.f_trace_opcodes, frame.f_trace_lines = True, False
        elif event == "opcode":
            self.done[frame.f_code] += 1
        return self._trace

    def told(self) -> str:
        most = (
            f"{count:7} {code.co_qualname}, {code.co_filename}" for code, count in self.done.most_common(25)
        )
        return "\n".join((f"{self.calls} calls, {self.done.total()} instructions, most of them of", *most))


@attrs.define(eq=False)
class Held:
    """How much more memory was held than before, where it was most."""

    kib: float = 0.0

    def begin(self) -> None:
        tracemalloc.start()

    def end(self) -> None:
        self.kib = tracemalloc.get_traced_memory()[1] / 1024
        tracemalloc.stop()


def measured(via: str, meter: Callable[[], M]) -> tuple[list[M], list[M]]:
    """For each order but the first: what its decision took, and what the answer and the update took."""
    moments: tuple[list[M], list[M]] = [], []

    def measure(rehearsal: Rehearsal) -> None:
        for time in TIMES[1:]:
            for after, meters in zip((0.0, ANSWERED), moments, strict=True):
                meters.append(meter())
                rehearsal.network.at(time + after - BEFORE, meters[-1].begin)
                rehearsal.network.at(time + after + AFTER, meters[-1].end)

    played(via, measure)
    return moments


@pytest.mark.parametrize("via", [REST, WS])
def test_an_order_leaves_in_one_write(via: str) -> None:
    """One call of the system, one TLS record, and nothing else is said in that moment; its cancel likewise."""
    run = unmeasured(via)
    for time in TIMES:
        for moment in (time, time + CANCELLED):
            (data,) = run.at(moment)
            traffic = Traffic()
            Watched(traffic).sent(data)
            assert traffic.records == 1


@pytest.mark.parametrize("via", [REST, WS])
def test_nothing_is_logged_when_an_order_leaves(via: str) -> None:
    """That can wait until its bytes are on the wire, and is said when the answer has come."""
    logged = unmeasured(via).logged
    for time in TIMES:
        assert not [at for at in logged if abs(at - time) < BEFORE]
        assert [at for at in logged if abs(at - time - ANSWERED) < BEFORE]


@pytest.mark.parametrize("via", [REST, WS])
def test_an_order_waits_for_one_write_of_its_journal(via: str) -> None:
    """With its intent, and all that came before; what is written down later is left to the timer."""
    run = unmeasured(via)
    for time in TIMES:
        (write,) = (write for write in run.disk.writes if abs(write.at - time) < BEFORE)
        assert b'"intent"' in write.data
        assert len([write for write in run.disk.writes if time - BEFORE < write.at < time + CANCELLED]) <= 3


@pytest.mark.parametrize("via", [REST, WS])
def test_records_of_an_order(via: str) -> None:
    """On the tape: no more than it takes to replay it, and to say where its time went."""
    for time in TIMES:
        lines = unmeasured(via).lines
        kinds = [
            line.kind
            for line in lines
            if isinstance(line.kind, Kind) and time - BEFORE < line.at < time + ANSWERED + AFTER
        ]
        assert len(kinds) <= MOST_RECORDS, kinds


@pytest.mark.parametrize("via", [REST, WS])
def test_instructions_of_an_order(via: str) -> None:
    """Of the interpreter, and calls of Python functions: what the client's time is made of, without the time."""
    for meters, most, most_calls in zip(
        measured(via, Instructions), MOST_INSTRUCTIONS[via], MOST_CALLS[via], strict=True
    ):
        least = min(meters, key=lambda each: each.done.total())
        assert least.done.total() <= most, least.told()
        assert least.calls <= most_calls, least.told()


@pytest.mark.parametrize("via", [REST, WS])
def test_memory_of_an_order(via: str) -> None:
    """So little at a time that no copy of anything large is made on the way."""
    for meters, most in zip(measured(via, Held), MOST_HELD[via], strict=True):
        assert min(each.kib for each in meters) <= most, (
            "a tracemalloc.take_snapshot() in Held.end tells where"
        )


@pytest.mark.parametrize("via", [REST, WS])
def test_what_an_order_leaves_behind(via: str) -> None:
    """In the bot's own rooms, once it is over: pieces of memory between two moments at which nothing is under way."""
    rooms = [tracemalloc.Filter(inclusive=True, filename_pattern=f"*/bot/{room}/*") for room in ROOMS]
    snapshots: list[tracemalloc.Snapshot] = []

    def look() -> None:
        gc.collect()
        snapshots.append(tracemalloc.take_snapshot().filter_traces(rooms))

    def measure(rehearsal: Rehearsal) -> None:
        rehearsal.network.at(TIMES[1] - 2 * BEFORE, tracemalloc.start)
        for time in TIMES[1:]:
            rehearsal.network.at(time - BEFORE, look)

    try:
        played(via, measure)
    finally:
        tracemalloc.stop()
    left = []
    for before, after in pairwise(snapshots):
        found = after.compare_to(before, "lineno")
        left.append((sum(line.count_diff for line in found), found))
    pieces, where = min(left, key=lambda each: each[0])
    assert pieces <= MOST_LEFT, "\n".join(map(str, where[:25]))
