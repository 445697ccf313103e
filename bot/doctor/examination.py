"""An examination: one check after another, each with a deadline, all of them with one."""

from collections.abc import Awaitable, Callable, Sequence
from typing import Any

import attrs
import trio

from bot.doctor.finding import Examined, Finding, Report
from bot.doctor.patient import NotLearnedError, Patient
from bot.link.secrets import Redactor
from bot.session.stop import Stop

DEADLINE = 90.0
"""Seconds for everything. Each check has less; this is for a venue where many of them take long."""


@attrs.frozen(kw_only=True)
class Check:
    """One thing to look at."""

    name: str
    why: str
    """Why it matters."""

    look: Callable[[Patient], Finding | Awaitable[Finding]]
    deadline: float = 10.0
    """Seconds."""


async def examine(patient: Patient, checks: Sequence[Check], tell: Callable[[Examined], None]) -> Report:
    """Make ``checks`` in their order, ``tell`` of each as soon as it is made; ends early when ``stop`` is asked for.

    A check that needs what another one did not find out is skipped.
    """
    began = trio.current_time()
    examined: list[Examined] = []
    causes: dict[str, str] = {}

    def note(check: Check, finding: Finding, seconds: float = 0.0) -> None:
        examined.append(_without_secrets(Examined(check.name, check.why, finding, seconds), patient.redactor))
        tell(examined[-1])

    with trio.move_on_after(DEADLINE) as everything:
        patient.nursery.start_soon(patient.stop.cancel, everything)  # noqa: ASYNC111 - cancelling it later is no harm
        for check in checks:
            await trio.lowlevel.checkpoint()  # signals are heard between checks that wait for nothing
            check_began = trio.current_time()
            finding = await _look(patient, check, causes)
            note(check, finding, trio.current_time() - check_began)
    if len(examined) < len(checks):
        under_way, *others = checks[len(examined) :]
        note(under_way, _broken_off(patient.stop))
        for check in others:
            note(check, Finding.skipped("because the examination ended before"))
    return Report(examined, trio.current_time() - began)


def _broken_off(stop: Stop) -> Finding:
    """Of the check that was under way when everything ended."""
    if stop.is_fatal:
        return Finding.bad(stop.reason, "`bot exchange` shows on stderr what is wrong with it")
    if stop.is_asked:
        return Finding.skipped(f"because of {stop.reason}")
    return Finding.bad(f"the {DEADLINE:g} s for the examination ran out here", "try again")


async def _look(patient: Patient, check: Check, causes: dict[str, str]) -> Finding:
    """Make one check. ``causes`` says of each that was skipped which one was to blame in the first place."""
    try:
        with trio.fail_after(check.deadline):
            finding = check.look(patient)
            return finding if isinstance(finding, Finding) else await finding
    except NotLearnedError as missing:
        causes[check.name] = causes.get(missing.check, missing.check)
        return Finding.skipped(f"because of {causes[check.name]}")
    except trio.TooSlowError:
        return Finding.bad(
            f"no answer within {check.deadline:g} s",
            "try again; if it stays so, the way to the venue swallows what is sent",
        )


def _without_secrets(examined: Examined, redactor: Redactor) -> Examined:
    def clean(value: Any) -> Any:
        match value:
            case str():
                return redactor.redact(value)
            case dict():
                return {clean(key): clean(below) for key, below in value.items()}
            case list():
                return [clean(below) for below in value]
            case _:
                return value

    found = examined.finding
    cleaned = Finding(found.verdict, clean(found.found), clean(found.mend), clean(dict(found.figures)))
    return attrs.evolve(examined, finding=cleaned)
