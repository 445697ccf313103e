"""The verb of `just sweep`: cancel the scripted session everywhere, or play one of its sessions again."""

# ruff: noqa: T201 - data goes to stdout

import os
import sys
from collections import Counter
from concurrent.futures import ProcessPoolExecutor
from typing import Literal

import cyclopts
from loguru import logger

from bot.link.clock import SystemClock
from bot.simulation.sweep.cases import Case, cases, violations
from bot.simulation.sweep.checkpoints import Moment, Point, Scope

CLOCK = SystemClock()


def main(
    *,
    seed: int = 1,
    scope: Scope | None = None,
    moment: Moment = Moment.WAITING,
    step: int | None = None,
    tls: bool = False,
    via: Literal["rest", "ws"] = "rest",
) -> int:
    """Cancel the scripted session at each of its checkpoints in turn. With scope and step, show one such session.

    Args:
        seed: decides everything in the session.
        scope: what is cancelled.
        moment: while the task waits, or when it was woken.
        step: after, or before, this step of the bot's tasks.
        tls: count the steps in TLS handshakes.
        via: the way of its orders.
    """
    logger.remove()
    if scope is None or step is None:
        return _campaign(seed)
    return _story(Case(Point(scope, moment, step), seed, tls, via))


def _campaign(seed: int) -> int:
    everything = cases(seed)
    processes = os.cpu_count() or 1
    started = CLOCK.monotonic_ns()
    print(f"cancellation sweep, seed {seed}: {len(everything)} sessions on {processes} processes", flush=True)
    found = 0
    with ProcessPoolExecutor(processes, initializer=logger.remove) as pool:
        for each in pool.map(violations, everything, chunksize=8):
            found += len(each)
            for violation in each:
                print(violation, flush=True)
    kinds = Counter((c.point.scope, c.point.moment, c.via, c.tls) for c in everything)
    for (scope, moment, way, tls), count in kinds.items():
        print(f"  {scope:<12}{moment:<9}{way:<6}{'in TLS handshakes' if tls else '':<18}{count:>6}")
    print(f"{found} violations in {(CLOCK.monotonic_ns() - started) / 1e9:.0f} s")
    return int(found > 0)


def _story(case: Case) -> int:
    played = case.play()
    for line in played.notes.lines:
        print(f"{line.at:10.4f} {line.kind:<10} {line.data}")
    for violation in played.violations:
        print(violation)
    return int(bool(played.violations))


if __name__ == "__main__":
    sys.exit(cyclopts.run(main))
