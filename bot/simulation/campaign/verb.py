"""The verb `simulate`."""

# ruff: noqa: T201 - data goes to stdout

import os
import re
import sys
from pathlib import Path

import attrs
from loguru import logger

from bot.link.clock import SystemClock
from bot.simulation.campaign.bugs import BUGS
from bot.simulation.campaign.jobs import played
from bot.simulation.campaign.report import Report, story
from bot.simulation.campaign.shrink import Numbers
from bot.simulation.campaign.strikes.table import KINDS
from bot.simulation.campaign.task import Task

BAD_ARGUMENTS = 2
SHRUNK = 3
"""So many of the seeds that fail are shrunk."""

TELL_EVERY_S = 10

EVERY = "all"
"""Stands for every bug."""


@attrs.frozen(kw_only=True)
class Options:
    """What the command line says."""

    seed: int | None = None
    seeds: str = ""
    seconds: float = 60.0
    jobs: int | None = None
    json: Path | None = None
    only: str = ""
    strikes: str = ""
    bug: str = ""

    @property
    def workers(self) -> int:
        return self.jobs or os.cpu_count() or 1

    def range(self) -> range:
        """Raises ValueError: these are no seeds."""
        found = re.fullmatch(r"(\d+)(?:-(\d+))?", self.seeds)
        if found is None:
            raise ValueError(f"--seeds {self.seeds}: it looks like 1-2000")
        first, last = int(found[1]), int(found[2] or found[1])
        if last < first:
            raise ValueError(f"--seeds {self.seeds}: the first is after the last")
        return range(first, last + 1)

    def numbers(self) -> Numbers | None:
        """The strikes that are wanted; None for all. Raises ValueError."""
        if not self.strikes:
            return None
        if self.strikes == "none":
            return ()
        if not re.fullmatch(r"\d+(,\d+)*", self.strikes):
            raise ValueError(f"--strikes {self.strikes}: it looks like 2,5 or none")
        return tuple(map(int, self.strikes.split(",")))

    def check(self) -> None:
        """Raise ValueError for what cannot be meant."""
        if (self.seed is None) == (not self.seeds):
            raise ValueError("one of --seed and --seeds is needed")
        if self.seeds and self.strikes:
            raise ValueError("--strikes needs --seed")
        if self.bug and self.bug not in {*BUGS, EVERY}:
            raise ValueError(f"--bug {self.bug}: there are {', '.join(BUGS)}")
        if self.bug == EVERY and not self.seeds:
            raise ValueError("--bug all needs --seeds")
        if not any(self.only in name for name in KINDS):
            raise ValueError(f"--only {self.only}: no kind of fault has this in its name")
        if not 1 <= self.seconds <= 86_400:
            raise ValueError(f"--for {self.seconds:g}: 1 to 86400 seconds are allowed")


def simulate(options: Options) -> int:
    """Simulate; returns the exit code: 1 with violations."""
    logger.remove()
    try:
        options.check()
        if options.seed is not None:
            return _one(options, options.seed)
        return _hunt(options) if options.bug else _many(options)
    except ValueError as error:
        sys.stderr.write(f"{error}\n")
        return BAD_ARGUMENTS


def _one(options: Options, seed: int) -> int:
    task = _task(options, seed, strikes=options.numbers(), tells_all=True)
    run = task.run()
    print(story(run), end="")
    if run.violations and options.numbers() is None:
        least = attrs.evolve(task, shrinks=True, tells_all=False).run()
        numbers = tuple(strike.number for strike in least.schedule.strikes)
        print(f"\nthe fewest strikes that still fail: {task.command(numbers)}")
        for strike in least.schedule.strikes:
            print(f"    {strike}")
    return int(bool(run.violations))


def _many(options: Options) -> int:
    report, seeds = Report(), options.range()
    try:
        _play_all(options, report, seeds)
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
    print(report.to_text(), end="")
    if options.json is not None:
        options.json.write_bytes(report.to_json())
    return int(bool(report.failed))


def _play_all(options: Options, report: Report, seeds: range) -> None:
    """Play the seeds, and then the first that failed again with ever fewer strikes."""
    clock, told_ns = SystemClock(), -TELL_EVERY_S * 10**9
    for done in played((_task(options, seed) for seed in seeds), min(options.workers, len(seeds))):
        report.add(done)
        report.wall = clock.monotonic_ns() / 1e9
        for violation in done.violations:
            print(f"{done.task.command()}: {violation}", file=sys.stderr, flush=True)
        if clock.monotonic_ns() - told_ns > TELL_EVERY_S * 1e9:
            told_ns = clock.monotonic_ns()
            counts = f"{report.seeds} of {len(seeds)} seeds, {report.violations} violations"
            print(f"{counts}, {report.wall:.0f} s", file=sys.stderr, flush=True)
    failed = sorted(done.task.seed for done in report.failed if done.played is not None)[:SHRUNK]
    again = (_task(options, seed, shrinks=True) for seed in failed)
    report.shrunk += played(again, min(options.workers, len(failed)))


def _hunt(options: Options) -> int:
    """Look for a seed that finds each bug; returns 1 if one is not found."""
    seeds, missed = options.range(), 0
    for bug in BUGS if options.bug == EVERY else (options.bug,):
        tasks = (_task(attrs.evolve(options, bug=bug), seed) for seed in seeds)
        found = next(
            (done for done in played(tasks, min(options.workers, len(seeds))) if done.violations), None
        )
        missed += found is None
        words = "not found" if found is None else f"{found.task.command()}: {found.violations[0]}"
        print(f"{bug:<26}{words}", flush=True)
    return int(missed > 0)


def _task(
    options: Options,
    seed: int,
    *,
    strikes: Numbers | None = None,
    shrinks: bool = False,
    tells_all: bool = False,
) -> Task:
    return Task(
        seed=seed,
        seconds=options.seconds,
        only=options.only,
        strikes=strikes,
        bug=options.bug,
        shrinks=shrinks,
        tells_all=tells_all,
    )
