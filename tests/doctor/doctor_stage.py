"""An examination as the verb makes it, with a place, an environment and clocks that a test chooses."""

import random
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import attrs
import trio

from bot.core.clock import Clock
from bot.core.tape import NoTape, Tape
from bot.doctor.checks import CHECKS
from bot.doctor.examination import Check, examine
from bot.doctor.finding import Examined, Report, Verdict
from bot.doctor.patient import Patient
from bot.link.clock import TrioClock
from bot.link.secrets import Redactor
from bot.place import Place
from bot.session.stop import Stop
from bot.settings import Settings
from bot.simulation.rehearsal import EPOCH_NS

KEY = "0x" + "1f" * 31
SLOW = frozenset({"signature"})
"""Most examinations can do without what takes starknet-py a fifth of a second."""

OK, WARNING, BAD, SKIPPED = Verdict.OK, Verdict.WARNING, Verdict.BAD, Verdict.SKIPPED


SCHEMA = {
    "type": "object",
    "additionalProperties": False,
    "required": ["verdict", "exit_code", "seconds", "checks"],
    "properties": {
        "verdict": {"enum": ["ok", "warning", "bad"]},
        "exit_code": {"enum": [0, 2, 3]},
        "seconds": {"type": "number", "minimum": 0},
        "checks": {
            "type": "array",
            "items": {
                "type": "object",
                "additionalProperties": False,
                "required": ["check", "verdict", "found", "why", "mend", "figures", "seconds"],
                "properties": {
                    "check": {"enum": [one.name for one in CHECKS]},
                    "verdict": {"enum": ["ok", "skipped", "warning", "bad"]},
                    "found": {"type": "string", "minLength": 1},
                    "why": {"type": "string", "minLength": 1},
                    "mend": {"type": "string"},
                    "figures": {"type": "object"},
                    "seconds": {"type": "number", "minimum": 0},
                },
            },
        },
    },
}
"""Of what ``--json`` prints."""


@attrs.frozen
class Result:
    """A report, and what it says of each check."""

    report: Report
    patient: Patient

    def __getitem__(self, check: str) -> Examined:
        return next(one for one in self.report.examined if one.check == check)

    def verdict(self, check: str) -> Verdict:
        return self[check].finding.verdict

    def found(self, check: str) -> str:
        return self[check].finding.found

    def mend(self, check: str) -> str:
        return self[check].finding.mend

    def figures(self, check: str) -> Mapping[str, Any]:
        return self[check].finding.figures

    @property
    def verdicts(self) -> dict[str, Verdict]:
        return {one.check: one.finding.verdict for one in self.report.examined}


def on_testnet(folder: Path, **more: str) -> dict[str, str]:
    """The environment of somebody who trades on testnet with `KEY`."""
    return {"BOT__ENVIRONMENT": "testnet", "PARADEX_PRIVATE_KEY": KEY, "XDG_STATE_HOME": str(folder), **more}


async def examined(
    place: Place | Exception,
    environ: Mapping[str, str],
    *,
    upto: str = "",
    clock: Clock | None = None,
    tape: Tape | None = None,
    file: Path | None = None,
    stop: Stop | None = None,
    tell: Callable[[Examined], None] = lambda _: None,
    checks: tuple[Check, ...] | None = None,
) -> Result:
    """Make the checks, without the slow ones, up to one of them."""
    chosen = [check for check in CHECKS if check.name not in SLOW] if checks is None else list(checks)
    if upto and checks is None:
        chosen = chosen[: next(n for n, check in enumerate(chosen, 1) if check.name == upto)]
    clock = clock or TrioClock(EPOCH_NS)

    @asynccontextmanager
    async def open_place(_settings: Settings, _stop: Stop) -> AsyncIterator[Place]:
        if isinstance(place, Exception):
            raise place
        yield place

    async with trio.open_nursery() as nursery:
        patient = Patient(
            file=file,
            environ=environ,
            clock=clock,
            tape=tape or NoTape(clock),
            rng=random.Random(0),
            redactor=Redactor(),
            stop=stop or Stop(),
            open_place=open_place,
            nursery=nursery,
        )
        report = await examine(patient, chosen, tell)
        nursery.cancel_scope.cancel()
    return Result(report, patient)
