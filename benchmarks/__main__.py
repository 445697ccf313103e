"""Every measurement of this bot on this machine, one after the other."""

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Literal, get_args

import attrs
import cyclopts
from loguru import logger

from benchmarks import campaign, hour, journal, reading, signing
from benchmarks.figures import Result
from benchmarks.machine import this_machine
from benchmarks.orders import round_trip
from benchmarks.telling import as_json, as_text, machine_as_text

Name = Literal["signing", "orders", "reading", "journal", "campaign", "hour"]


@attrs.frozen
class Benchmark:
    """How it is measured, and how much of it: in full, and to see quickly whether it works."""

    measure: Callable[[int], Result]
    full: int
    quick: int


BENCHMARKS: dict[Name, Benchmark] = {
    "signing": Benchmark(signing.measure, full=100, quick=10),
    "orders": Benchmark(round_trip.measure, full=50, quick=5),
    "reading": Benchmark(reading.measure, full=50, quick=10),
    "journal": Benchmark(journal.measure, full=2000, quick=200),
    "campaign": Benchmark(campaign.measure, full=20, quick=2),
    "hour": Benchmark(hour.measure, full=3600, quick=120),
}


def main(
    *,
    only: tuple[Name, ...] = get_args(Name),
    quick: Annotated[bool, cyclopts.Parameter(negative="")] = False,
    json: Path | None = None,
) -> int:
    """Measure, and print a table of each comparison: medians, where four fifths of the figures lie, ratios.

    Args:
        only: some of them: a name, or several with the option repeated.
        quick: much less of each, to see whether it works; the figures are worth little.
        json: a file that gets everything as one JSON object.
    """
    logger.remove()
    machine = this_machine()
    _say(machine_as_text(machine))
    results: dict[str, Result] = {}
    for name in only:
        benchmark = BENCHMARKS[name]
        results[name] = benchmark.measure(benchmark.quick if quick else benchmark.full)
        _say(f"\n# {name}\n\n{as_text(results[name])}")
    if json is not None:
        json.write_bytes(as_json(machine, results))
    return int(any(result.wrong for result in results.values()))


def _say(text: str) -> None:
    print(text, flush=True)  # noqa: T201 - data goes to stdout


if __name__ == "__main__":
    sys.exit(cyclopts.run(main))
