"""An order's round trip on the embedded exchange, in a process of its own and over TLS: how long, and how much.

From the terms of an order to its answer, understood. The exchange looks at no signature, adds no delay, and slows
nobody down. Each side sends some orders when it is its turn, and the sides take turns; how much each of them sends
over the wire is counted in a run of its own, through a relay.
"""

from collections.abc import Iterator, Sequence
from contextlib import AsyncExitStack
from itertools import chain

import attrs
import trio

from benchmarks.figures import Comparison, Result, Rounds, Table, compare, in_turns
from benchmarks.orders import bare, ours
from benchmarks.orders.others import others
from benchmarks.orders.relay import open_counting
from benchmarks.orders.side import Side, Taken, Turn, UnavailableError, Way
from bot.garbage import garbage_kept_away
from bot.lab.child import Reached, open_exchange
from bot.link.clock import SystemClock

PER_TURN = 10

FIRST = 1
"""Orders of a turn that are sent before those, and not counted: other sides have had the processor's caches."""

COUNTED = 5
"""Orders that the relay's counts are divided by."""

FLOOR, BOT = "bare socket, the same bytes", "this bot"
UNSIGNED = f"{BOT}, without hash and signature"

HERE = (
    Side(FLOOR, "REST", bare.open_rest),
    Side(BOT, "REST", ours.open_rest),
    Side(FLOOR, "WebSocket", bare.open_calls),
    Side(BOT, "WebSocket", ours.open_calls),
)


def measure(rounds: int) -> Result:
    """So many turns of `PER_TURN` orders for everybody who can be had here."""
    return trio.run(compete, [*HERE, *others()], rounds, PER_TURN)


async def compete(sides: Sequence[Side], rounds: int, per_turn: int) -> Result:
    """Have ``sides`` take turns, and then count what each of them sends."""
    race = _Race()
    counts = {}
    async with open_exchange("--verify", "never") as exchange:
        async with AsyncExitStack() as stack:
            for side in sides:
                try:
                    turn = await stack.enter_async_context(side.open(exchange.reached))
                    await turn(per_turn)  # not counted: caches are filled, connections open
                except UnavailableError as why:
                    race.skip(side, why)
                else:
                    race.turns[side] = turn
            with garbage_kept_away(SystemClock()):  # as a run of the bot does
                for side in in_turns(list(race.turns), rounds):
                    await race.run(side, per_turn)
        for side in race.turns:
            try:
                counts[f"{side.name}, {side.way}"] = await counted(side, exchange.reached)
            except UnavailableError as why:
                race.skipped[f"{side.name}, {side.way}, on the wire"] = str(why)
    return Result(
        comparisons=[*race.comparisons("REST"), *race.comparisons("WebSocket")],
        tables=(Table("on the wire, for an order", counts),),
        skipped=race.skipped,
    )


@attrs.define
class _Race:
    """Who takes part, and what each turn took."""

    turns: dict[Side, Turn] = attrs.field(factory=dict)
    taken: dict[Side, list[Taken]] = attrs.field(factory=dict)
    skipped: dict[str, str] = attrs.field(factory=dict)

    async def run(self, side: Side, count: int) -> None:
        if side in self.turns:
            try:
                taken = await self.turns[side](FIRST + count)
            except UnavailableError as why:
                self.skip(side, why)
            else:
                counts = Taken(taken.whole[FIRST:], taken.unsigned[FIRST:])
                self.taken.setdefault(side, []).append(counts)

    def skip(self, side: Side, why: UnavailableError) -> None:
        """It takes no part any more, and what it has done does not count: it missed rounds."""
        self.skipped[f"{side.name}, {side.way}"] = str(why)
        self.turns.pop(side, None)
        self.taken.pop(side, None)

    def comparisons(self, way: Way) -> Iterator[Comparison]:
        """This bot with the floor, and the others with this bot."""
        series = self.series(way)
        ours = {name: series[name] for name in (FLOOR, BOT, UNSIGNED)}
        yield compare(f"an order by {way}", "ms", ours, base=FLOOR, scale=1e6)
        others = {name: rounds for name, rounds in series.items() if name == BOT or name not in ours}
        if len(others) > 1:
            yield compare(f"an order by {way}, other clients", "ms", others, base=BOT, scale=1e6)

    def series(self, way: Way) -> dict[str, Rounds]:
        """By name: what each side took that went this way."""
        series: dict[str, Rounds] = {}
        for side in self.turns:
            rounds = self.taken.get(side, [])
            if rounds and side.way == way:
                series[side.name] = [taken.whole for taken in rounds]
                if any(chain.from_iterable(taken.unsigned for taken in rounds)):
                    series[UNSIGNED] = [taken.unsigned for taken in rounds]
        return series


async def counted(side: Side, reached: Reached) -> dict[str, float]:
    """What ``side`` sends for an order, whatever else it does in a turn taken off. Raises UnavailableError."""
    async with open_counting(reached) as (here, traffic), side.open(here) as turn:
        seen = []
        for orders in (1, 1, 1 + COUNTED):  # the first may have to log in
            before = attrs.evolve(traffic)
            await turn(orders)
            seen.append(traffic - before)
        more = seen[2] - seen[1]
    return {name.replace("_", " "): figure / COUNTED for name, figure in attrs.asdict(more).items()}
