"""What a simulated hour of the whole bot against the whole exchange costs: an order a second, without TLS.

It is the clock of every long test. Cost has to grow with the number of orders and with nothing else, so each quarter
is charged for itself. Who spends it is found out in a run of its own, for looking at every step of every task costs
something too. The log is silent, as in tests, and the market stands still.
"""

import os
import resource
import sys
from typing import Annotated

import attrs
import cyclopts
import msgspec
import trio
from cyclopts.validators import Number
from loguru import logger

from bot.lab.load import memory_of
from bot.link.clock import SystemClock
from bot.settings import Settings
from bot.simulation.network import Network
from bot.simulation.rehearsal import Rehearsal, rehearse
from bot.trading.strategies.probe import ProbeSettings

HOUR = 3600.0

DELAY = 0.05
PAUSE = 0.7
"""Seconds. An order takes three round trips (its price, itself, its cancel) and a pause: a second."""

QUARTERS = 4
SHARES_OF = 300.0
"""Seconds, virtual ones, of the run that tells who spends the time."""

_OWNERS = {"bot.test": "bot", "venue.test": "exchange", "localhost": "network"}
"""Whose tasks run on which host. The network's own one delivers; what sending costs is the sender's."""


@attrs.frozen
class Span:
    """A part of the run: its orders, what they cost in seconds, and what the process holds at its end, in MiB."""

    orders: int
    cpu: float
    wall: float
    memory: float


@attrs.frozen
class Hour:
    """A run of so many virtual seconds, in quarters; ``shares`` says what part of the time is whose."""

    seconds: float
    quarters: list[Span]
    shares: dict[str, float]

    @property
    def orders(self) -> int:
        return sum(quarter.orders for quarter in self.quarters)

    @property
    def cpu(self) -> float:
        return sum(quarter.cpu for quarter in self.quarters)

    @property
    def wall(self) -> float:
        return sum(quarter.wall for quarter in self.quarters)


def settings() -> Settings:
    """Those of a bot that places an order a second, `DELAY` away from its venue."""
    return attrs.evolve(Settings(), strategy=ProbeSettings(pause=PAUSE))


class Meter:
    """Cuts a run into parts."""

    def __init__(self) -> None:
        self.spans: list[Span] = []
        self._clock = SystemClock()
        self._orders, self._cpu, self._wall = 0, _cpu_seconds(), 0

    def read(self, orders: int) -> None:
        """A part is over: ``orders`` were accepted so far."""
        cpu, wall = _cpu_seconds(), self._clock.monotonic_ns()
        self.spans.append(
            Span(orders - self._orders, cpu - self._cpu, (wall - self._wall) / 1e9, memory_of(os.getpid()))
        )
        self._orders, self._cpu, self._wall = orders, _cpu_seconds(), self._clock.monotonic_ns()


class Ledger(trio.abc.Instrument):
    """Adds up the time that tasks take, by the host that they run on."""

    def __init__(self, network: Network) -> None:
        self.spent = dict.fromkeys(_OWNERS.values(), 0)
        self._network = network
        self._clock = SystemClock()
        self._began = self._clock.monotonic_ns()

    def before_task_step(self, task: trio.lowlevel.Task) -> None:  # noqa: ARG002 - trio's signature
        self._began = self._clock.monotonic_ns()

    def after_task_step(self, task: trio.lowlevel.Task) -> None:
        took = self._clock.monotonic_ns() - self._began
        self.spent[_OWNERS[task.context.run(self._network.here).name]] += took

    def shares(self, total: int) -> dict[str, float]:
        """Parts of ``total`` ns; what no task took is the scheduler's."""
        parts = {owner: spent / total for owner, spent in self.spent.items()}
        return {**parts, "scheduler": 1 - sum(parts.values())}


def _cpu_seconds() -> float:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


def quarters(seconds: float) -> list[Span]:
    """Trade for so many virtual seconds."""

    async def play(rehearsal: Rehearsal) -> None:
        meter = Meter()

        async def watch() -> None:
            for _ in range(QUARTERS):
                await trio.sleep(seconds / QUARTERS)
                meter.read(rehearsal.exchange.ledger.accepted)

        async with trio.open_nursery() as nursery:
            nursery.start_soon(watch)
            await rehearsal.trade(seconds)
        played.extend(meter.spans)

    played: list[Span] = []
    rehearse(play, settings(), delay=DELAY, tls=False)
    return played


def shares(seconds: float) -> dict[str, float]:
    """Whose time it is."""

    async def play(rehearsal: Rehearsal) -> dict[str, float]:
        ledger, clock = Ledger(rehearsal.network), SystemClock()
        trio.lowlevel.add_instrument(ledger)
        began = clock.monotonic_ns()
        await rehearsal.trade(seconds)
        total = clock.monotonic_ns() - began
        trio.lowlevel.remove_instrument(ledger)
        return ledger.shares(total)

    return rehearse(play, settings(), delay=DELAY, tls=False)


def measure(seconds: float) -> Hour:
    """Trade for so many virtual seconds, and then for a few more to see who spends the time."""
    return Hour(seconds, quarters(seconds), shares(min(seconds, SHARES_OF)))


def as_table(hour: Hour) -> str:
    """For people."""
    first, *_, last = costs = [1000 * quarter.cpu / quarter.orders for quarter in hour.quarters]
    each = "  ".join(f"{cost:.2f}" for cost in costs)
    memory = "  ".join(f"{quarter.memory:.0f}" for quarter in hour.quarters)
    parts = "  ".join(f"{owner} {share:.0%}" for owner, share in hour.shares.items())
    what = f"simulated {hour.seconds:.0f} s"
    return "\n".join(
        (
            f"{what:<23}{hour.orders} orders in {hour.wall:.1f} s, {hour.cpu:.1f} s of CPU",
            f"an order, by quarter   {each} ms of CPU: the last {last / first:.2f} x the first",
            f"memory after each      {memory} MiB",
            f"spent by               {parts}",
        )
    )


def as_json(hour: Hour) -> str:
    """For programs."""
    totals = {"orders": hour.orders, "cpu": hour.cpu, "wall": hour.wall}
    return msgspec.json.encode({"hour": {**attrs.asdict(hour), **totals}}).decode()


def main(
    *,
    seconds: Annotated[float, cyclopts.Parameter(validator=Number(gte=20))] = HOUR,
    json: Annotated[bool, cyclopts.Parameter(negative="")] = False,
) -> int:
    """Simulate the bot and its exchange, an order a second.

    Args:
        seconds: how long they trade, in virtual seconds.
        json: print one JSON object instead of a table.
    """
    logger.remove()
    hour = measure(seconds)
    print(as_json(hour) if json else as_table(hour))  # noqa: T201 - data goes to stdout
    return 0


if __name__ == "__main__":
    sys.exit(cyclopts.run(main))
