"""How `bot doctor` goes about it: order, deadlines, an early end; and how it tells."""

import json
from collections.abc import Awaitable, Callable
from functools import partial, wraps
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import trio
from doctor_stage import BAD, OK, SCHEMA, SKIPPED, WARNING, Result, examined, on_testnet

from bot.core.errors import FatalError
from bot.doctor.checks import CHECKS
from bot.doctor.examination import DEADLINE, Check
from bot.doctor.finding import Examined, Finding, Report, Verdict, together
from bot.doctor.patient import Learned, Patient
from bot.doctor.telling import Page
from bot.link.secrets import Secret
from bot.session.stop import Stop
from bot.simulation.world import run

NOWHERE = FatalError("no exchange in this test")
FINE = Finding.ok("fine")

Play = Callable[[], Awaitable[None]]


def virtually(play: Play) -> Any:
    @wraps(play)
    def in_virtual_time() -> None:
        run(play, seed=0)

    return in_virtual_time


def check(
    name: str, look: Callable[[Patient], Finding | Awaitable[Finding]], deadline: float = 10.0
) -> Check:
    return Check(name=name, why=f"why {name}", look=look, deadline=deadline)


async def look(*checks: Check, **more: Any) -> Result:
    return await examined(NOWHERE, on_testnet(Path("/nowhere")), checks=checks, **more)


async def forever(_: Patient) -> Finding:
    await trio.sleep_forever()


# Order and time.


def test_what_a_check_needs_was_looked_at_before() -> None:
    """Whatever checks hand on is found out by a check that there is; no name twice, and each says why."""
    names = [one.name for one in CHECKS]
    handed_on = [given for given in vars(Patient).values() if isinstance(given, Learned)]
    assert len(handed_on) > 10
    assert {given.check for given in handed_on} <= set(names)
    assert len(set(names)) == len(names)
    assert all(one.why for one in CHECKS)


@virtually
async def test_a_check_that_takes_too_long_is_bad() -> None:
    """Each has its own time; the next one is made all the same."""
    result = await look(check("slow", forever, deadline=3), check("quick", lambda _: FINE))
    assert (result.verdict("slow"), result.found("slow")) == (BAD, "no answer within 3 s")
    assert result.verdict("quick") is OK
    assert [one.seconds for one in result.report.examined] == [3, 0]


@virtually
async def test_the_whole_has_a_deadline() -> None:
    """What was under way is bad, for an examination that was not finished is no good sign; the rest was not made."""
    result = await look(
        check("one", lambda _: FINE),
        check("two", forever, 1000),
        check("three", forever),
        check("four", forever),
    )
    assert list(result.verdicts.values()) == [OK, BAD, SKIPPED, SKIPPED]
    assert "90 s" in result.found("two")
    assert (result.report.seconds, result.report.exit_code) == (DEADLINE, 3)


@virtually
async def test_a_signal_ends_it() -> None:
    """At once, and what was found by then is kept."""
    stop = Stop()

    async def interrupted(_: Patient) -> Finding:
        await trio.sleep(1)
        stop.signalled("SIGINT")
        return await forever(_)

    result = await look(
        check("one", lambda _: FINE), check("two", interrupted), check("three", forever), stop=stop
    )
    assert list(result.verdicts.values()) == [OK, SKIPPED, SKIPPED]
    assert result.found("two") == "because of SIGINT"
    assert trio.current_time() == 1


@virtually
async def test_an_exchange_that_ends_meanwhile_is_bad() -> None:
    """The embedded one is watched; its end is nobody's wish."""
    stop = Stop()

    async def it_ends(_: Patient) -> Finding:
        stop.fail("the embedded exchange ended (exit code 1)")
        return await forever(_)

    result = await look(check("one", it_ends), check("two", forever), stop=stop)
    assert list(result.verdicts.values()) == [BAD, SKIPPED]
    assert result.found("one") == "the embedded exchange ended (exit code 1)"
    assert result.report.exit_code == 3


@virtually
async def test_each_is_told_as_soon_as_it_is_made() -> None:
    """Whoever watches sees where it stands."""
    told: list[tuple[float, str]] = []

    async def a_second(_: Patient) -> Finding:
        await trio.sleep(1)
        return FINE

    await look(
        check("one", a_second),
        check("two", a_second),
        tell=lambda one: told.append((trio.current_time(), one.check)),
    )
    assert told == [(1, "one"), (2, "two")]


@virtually
async def test_secrets_are_removed_from_all_of_a_finding() -> None:
    """From words and figures, however deep."""
    key = "0x" + "ab" * 31

    def blabs(patient: Patient) -> Finding:
        patient.redactor.register(Secret(key))
        return Finding.bad(f"found {key}", f"mend {key}", deep=[{"key": int(key, 16).__str__(), key: 1}])

    result = await look(check("one", blabs))
    assert "ab" * 31 not in json.dumps(result.report.to_dict())
    assert str(int(key, 16)) not in json.dumps(result.report.to_dict())
    assert result.found("one") == "found <hidden>"


# What it comes to.


def report(*verdicts: tuple[str, Verdict]) -> Report:
    return Report([Examined(name, "why", Finding(verdict, "x")) for name, verdict in verdicts], 1.0)


@pytest.mark.parametrize(
    ("verdicts", "verdict", "code"),
    [
        ([("settings", OK), ("key", OK)], OK, 0),
        ([("settings", OK), ("key", WARNING), ("lock", SKIPPED)], WARNING, 0),
        ([("settings", OK), ("key", BAD), ("lock", WARNING)], BAD, 3),
        ([("settings", BAD), ("key", SKIPPED)], BAD, 2),
        ([], OK, 0),
    ],
)
def test_exit_codes(verdicts: list[tuple[str, Verdict]], verdict: Verdict, code: int) -> None:
    """0 with ok and warnings, 2 for settings, 3 for anything else that is bad."""
    assert (report(*verdicts).verdict, report(*verdicts).exit_code) == (verdict, code)


def test_one_finding_of_several() -> None:
    """As bad as the worst; who found the same shares a line; no mend twice."""
    parts = {
        "REST": Finding.ok("same", ms=1),
        "WebSocket": Finding.bad("other", "mend it"),
        "both": Finding.bad("same", "mend it"),
    }
    whole = together(parts)
    assert (whole.verdict, whole.found, whole.mend) == (
        BAD,
        "REST and both: same\nWebSocket: other",
        "mend it",
    )
    assert whole.figures == {"REST": {"ms": 1}, "WebSocket": {}, "both": {}}


def test_the_shape_of_the_json(tmp_path: Path) -> None:
    """One object; each check with its verdict, and what is wrong with how to mend it."""
    result = trio.run(partial(examined, NOWHERE, on_testnet(tmp_path)))
    told = json.loads(json.dumps(result.report.to_dict()))
    jsonschema.validate(told, SCHEMA)
    assert all(bool(one["mend"]) == (one["verdict"] in {"bad", "warning"}) for one in told["checks"])


# For people.

LONG = Finding.bad("one two three " * 30 + "\n\x1b[2J second line", "mend it " * 30)


@pytest.mark.parametrize("columns", [60, 80, 120, 200])
def test_lines_fit(columns: int) -> None:
    """None is longer than the page, nor than 120; text stands in one column, and controls no terminal."""
    lines = list(Page(columns, is_coloured=False).lines(Examined("state directory", "why " * 40, LONG)))
    assert max(map(len, lines)) <= min(columns, 120)
    assert lines[0].startswith("BAD      state directory  one two")
    assert all(line.startswith(" " * 26) for line in lines[1:])
    assert any("why:  why" in line for line in lines)
    assert any("mend: mend it" in line for line in lines)
    assert "\x1b" not in "".join(lines)
    assert any("\\x1b[2J second line" in line for line in lines)


def test_what_is_in_order_takes_one_line() -> None:
    """Why it matters is told where something is wrong."""
    assert list(Page(80, is_coloured=False).lines(Examined("key", "why", FINE))) == [
        "ok       key              fine"
    ]


def test_colours() -> None:
    """Of the verdict alone."""
    [line] = Page(80, is_coloured=True).lines(Examined("key", "why", FINE))
    assert line == "\x1b[32mok       \x1b[0mkey              fine"


def test_the_last_line() -> None:
    """What it comes to, and the counts of what there is."""
    page = Page(80, is_coloured=False)
    assert list(page.end(report(("settings", OK), ("key", OK), ("lock", WARNING)))) == [
        "",
        "the bot can trade, but look at the warnings: 2 ok, 1 warning, in 1.0 s",
    ]
    assert list(page.end(report(("settings", BAD)))) == [
        "",
        "the bot does not trade like this: 1 bad, in 1.0 s",
    ]
