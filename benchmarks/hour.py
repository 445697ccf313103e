"""What a simulated hour of the whole bot against the whole exchange costs: an order a second, without TLS.

It is the clock of every long test. Cost has to grow with the number of orders and with nothing else, so each quarter
is charged for itself. Who spends it is found out in a run of its own, for looking at every step of every task costs
something too. The log is silent, as in tests, and the market stands still.
"""

from collections.abc import Mapping, Sequence

import trio

from benchmarks.figures import Result, Table
from bot.lab.meter import DELAY, Meter, Span, settings
from bot.link.clock import SystemClock
from bot.simulation.network import Network
from bot.simulation.rehearsal import Rehearsal, rehearse

QUARTERS = 4
SHARES_OF = 300.0
"""Seconds, virtual ones, of the run that tells who spends the time."""

_OWNERS = {"bot.test": "bot", "venue.test": "exchange", "localhost": "network"}
"""Whose tasks run on which host. The network's own one delivers; what sending costs is the sender's."""


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


def measure(seconds: int) -> Result:
    """Trade for so many virtual seconds, and then for a few more to see who spends the time."""
    return told(quarters(seconds), shares(min(seconds, SHARES_OF)))


def told(spans: Sequence[Span], parts: Mapping[str, float]) -> Result:
    """By quarter, and by whose time it is."""
    return Result(
        tables=(
            Table(
                "simulated, an order a second",
                {f"quarter {number}": _told(span) for number, span in enumerate(spans, 1)},
            ),
            Table("whose time it is", {owner: {"%": 100 * part} for owner, part in parts.items()}),
        )
    )


def _told(span: Span) -> dict[str, float]:
    return {
        "orders": span.orders,
        "s": span.wall,
        "ms of CPU an order": 1000 * span.cpu / span.orders,
        "MiB at its end": span.memory,
    }
