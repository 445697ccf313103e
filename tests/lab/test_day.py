"""The simulated day, some minutes of it; and that its judge sees what it should."""

from typing import Any

import attrs
import pytest

from bot.core.tape import Kind, NoTape
from bot.exchange.exchange import Exchange
from bot.exchange.settings import ExchangeSettings
from bot.journal import journal
from bot.lab import day
from bot.lab.day import Audit, Reading, growth
from bot.lab.meter import Span
from bot.link.clock import SystemClock


def test_minutes_of_a_day(monkeypatch: pytest.MonkeyPatch) -> None:
    """A release in it, which stops all orders for two minutes, a part of the journal that is full and goes, readings
    from before and after; and nothing is wrong.
    """
    monkeypatch.setattr(day, "RELEASE_MINUTE", 8 * 60 + 1)
    monkeypatch.setattr(day, "PART_SIZE", 1)
    monkeypatch.setattr(journal, "MEBIBYTE", 1 << 16)
    monkeypatch.setattr(day, "MORE_MEMORY", 1.0)  # nothing is full yet
    told: list[Reading] = []
    played = day.live("ws", 220, 55, told.append)
    assert played.violations == []
    assert played.generations == 2
    assert played.readings == told
    assert len(told) == 4
    assert sum(each.span.orders for each in told) == pytest.approx(played.orders, abs=3)
    assert played.orders == pytest.approx(220 - 120, abs=8)
    assert played.parts > 5


def reading(memory: float = 100.0, tasks: int = 40, files: int = 12) -> Reading:
    return Reading(Span(orders=3600, cpu=1.0, wall=1.0, memory=memory), tasks, files)


@pytest.mark.parametrize(
    ("later", "found"),
    [
        ([reading(), reading(102.0)], []),
        ([reading(130.0), reading(101.0)], []),  # for a while
        ([reading(), reading(104.0)], ["104.0 MiB of memory, and 100.0 after the first hour"]),
        ([reading(tasks=43), reading()], []),
        ([reading(tasks=44), reading()], ["44 tasks, and 40 after the first hour"]),
        ([reading(files=11), reading(files=13)], ["13 files, and 12 after the first hour"]),
    ],
)
def test_what_growth_is(later: list[Reading], found: list[str]) -> None:
    """More memory at the end, or more tasks or files at any time, than after the first hour."""
    assert list(growth([reading(), *later])) == found


SENT = (Kind.INTENT, {"what": "place", "client_id": "run-1"})
RESTS = (Kind.ORDER, {"client_id": "run-1", "venue_id": "9", "state": "OPEN", "filled": "0"})
ENDED = (Kind.ORDER, {"client_id": "run-1", "venue_id": "9", "state": "CLOSED", "filled": "0"})
NEVER = (Kind.ORDER, {"client_id": "run-1", "venue_id": "", "state": "NEVER_ACCEPTED", "filled": "0"})


@attrs.frozen
class _Order:
    status: str
    filled: int = 0


@pytest.mark.parametrize(
    ("records", "there", "found"),
    [
        ([SENT, RESTS, ENDED], _Order("CLOSED"), []),
        ([SENT, NEVER], None, []),
        ([SENT, SENT], None, ["run-1 is sent again"]),
        ([RESTS], None, ["run-1 is OPEN, and was over or never sent"]),
        (
            [SENT, ENDED, RESTS],
            _Order("CLOSED"),
            ["run-1 is OPEN, and was over or never sent"],
        ),
        ([SENT, ENDED], _Order("OPEN"), ["run-1 is ('CLOSED', 0) here, and ('OPEN', 0) there"]),
        ([SENT, ENDED], _Order("CLOSED", 7), ["run-1 is ('CLOSED', 0) here, and ('CLOSED', 7) there"]),
        ([SENT, ENDED], None, ["run-1 is ('CLOSED', 0) here, and (None, 0) there"]),
    ],
)
def test_what_the_audit_sees(
    records: list[tuple[Kind, Any]], there: Any, found: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """An order that is sent twice, moves after its end, or ends otherwise than the books say."""
    clock = SystemClock()
    exchange = Exchange(ExchangeSettings(activity=0), clock)
    monkeypatch.setitem(exchange.orders, "9", there)
    audit = Audit(NoTape(clock), exchange)
    for kind, data in records:
        audit.write(kind, data)
    assert audit.violations == found
