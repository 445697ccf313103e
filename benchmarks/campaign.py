"""How fast simulated time passes: with a campaign's seed, where everything goes wrong, and in quiet trading."""

from collections.abc import Callable

from benchmarks.figures import Result, compare, in_turns
from bot.lab.meter import DELAY, settings
from bot.link.clock import SystemClock
from bot.simulation.campaign.task import SECONDS, Task
from bot.simulation.rehearsal import rehearse

QUIET, SEED = "an order a second, and no fault", "a seed of the campaign"


def measure(seeds: int, seconds: float = SECONDS) -> Result:
    """Play seeds 1 to ``seeds``, as `bot simulate` does, and as often as much time in which nothing goes wrong."""
    clock = SystemClock()
    costs: dict[str, list[list[float]]] = {QUIET: [], SEED: []}
    wrong: list[str] = []

    def quiet() -> tuple[str, float]:
        rehearse(lambda rehearsal: rehearsal.trade(seconds), settings(), delay=DELAY, tls=False)
        return QUIET, seconds

    def seed() -> tuple[str, float]:
        played = Task(seed=1 + len(costs[SEED]), seconds=seconds).run()
        wrong.extend(f"seed {played.schedule.seed}: {violation}" for violation in played.violations)
        return SEED, played.seconds

    sides: list[Callable[[], tuple[str, float]]] = [quiet, seed]
    for play in in_turns(sides, seeds):
        began_ns = clock.monotonic_ns()
        side, simulated_s = play()
        costs[side].append([(clock.monotonic_ns() - began_ns) / 1e6 / simulated_s])
    return Result(
        comparisons=(compare("a simulated second takes", "ms", costs, base=QUIET),), wrong=tuple(wrong)
    )
