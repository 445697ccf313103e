"""The verb `doctor`: this machine's clock, signals and terminal, put around an examination."""

import os
import random
import shutil
import sys
from json import dumps
from pathlib import Path

import attrs
import trio

from bot.core.tape import NoTape
from bot.doctor.checks import CHECKS
from bot.doctor.examination import examine
from bot.doctor.finding import Examined, Report
from bot.doctor.patient import Patient
from bot.doctor.telling import Page
from bot.journal.output import INTERRUPTED
from bot.link.clock import SystemClock
from bot.link.outlet import Outlet, open_outlet
from bot.link.secrets import Redactor
from bot.listen import watch_signals
from bot.log import LogSettings, set_up
from bot.place import open_place
from bot.session.stop import Stop
from bot.signals import EarlySignals

COLUMNS = 100
"""Of a page that is no terminal."""


@attrs.frozen(kw_only=True)
class Options:
    """What the command line says of one examination."""

    settings: Path | None = None
    json: bool = False


def examine_bot(options: Options, early: EarlySignals) -> int:
    """Look at everything that a run needs, and tell; returns the exit code."""
    with open_outlet(sys.stderr) as stderr, open_outlet(sys.stdout) as stdout:
        redactor = Redactor()
        # What goes wrong here is somebody's finding; the log would tell it twice.
        set_up(LogSettings(level="CRITICAL"), redactor, stderr)
        return trio.run(_examine, options, early, redactor, stdout)


async def _examine(options: Options, early: EarlySignals, redactor: Redactor, stdout: Outlet) -> int:
    is_coloured = stdout.isatty() and not os.environ.get("NO_COLOR")
    page = Page(shutil.get_terminal_size((COLUMNS, 1)).columns, is_coloured)

    def tell(examined: Examined) -> None:
        if not options.json:
            stdout.write("".join(f"{line}\n" for line in page.lines(examined)))

    stop, clock = Stop(), SystemClock()
    async with trio.open_nursery() as nursery:
        await nursery.start(watch_signals, stop, early)
        patient = Patient(
            file=options.settings,
            environ=os.environ,
            clock=clock,
            tape=NoTape(clock),
            rng=random.SystemRandom(),
            redactor=redactor,
            stop=stop,
            open_place=open_place,
            nursery=nursery,
        )
        report = await examine(patient, CHECKS, tell)
        nursery.cancel_scope.cancel()
    stdout.write(_as_json(report) if options.json else "".join(f"{line}\n" for line in page.end(report)))
    return INTERRUPTED if stop.is_asked and not stop.is_fatal else report.exit_code


def _as_json(report: Report) -> str:
    """In ASCII: no terminal obeys what a stranger's certificate says."""
    return dumps(report.to_dict(), indent=2) + "\n"
