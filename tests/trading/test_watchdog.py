"""Steps that take long are named, and those that take far too long pull the kill switch."""

from collections.abc import Iterator

import pytest
from loguru import logger

from bot.session.inbox import SessionLost
from bot.trading.effects import StopAsked
from bot.trading.watchdog import AGAIN_AFTER_NS, LONG_NS, TOO_LONG_NS, Watchdog


@pytest.fixture
def named() -> Iterator[list[str]]:
    """The warnings of a test."""
    lines: list[str] = []
    sink = logger.add(lines.append, level="WARNING", format="{message}")
    yield lines
    logger.remove(sink)


def test_a_step_of_2_ms_is_short(named: list[str]) -> None:
    """Above it the step is named, by what it handled."""
    watchdog = Watchdog(pytest.fail)
    watchdog.judge(SessionLost(1), 0, LONG_NS)
    assert named == []
    watchdog.judge(SessionLost(1), 0, LONG_NS + 1_000_000)
    assert named == ["[STEP] Paradex a step took 3.0 ms: SessionLost\n"]


def test_each_kind_of_item_is_named_once_a_minute(named: list[str]) -> None:
    """However often it is slow; another kind is another fault."""
    watchdog = Watchdog(pytest.fail)
    for now_ns in (0, 1, AGAIN_AFTER_NS - 1):
        watchdog.judge(SessionLost(1), now_ns, 2 * LONG_NS)
    assert len(named) == 1
    watchdog.judge(StopAsked(), AGAIN_AFTER_NS - 1, 2 * LONG_NS)
    watchdog.judge(SessionLost(2), AGAIN_AFTER_NS, 2 * LONG_NS)
    assert [line.split(": ")[1].strip() for line in named] == ["SessionLost", "StopAsked", "SessionLost"]


def test_a_step_of_more_than_a_second_pulls_the_kill_switch(named: list[str]) -> None:
    """Every time, with or without a warning: who pulls it again changes nothing."""
    pulled: list[str] = []
    watchdog = Watchdog(pulled.append)
    watchdog.judge(SessionLost(1), 0, TOO_LONG_NS)
    assert pulled == []
    for _ in range(2):
        watchdog.judge(SessionLost(1), 0, TOO_LONG_NS + 500_000_000)
    assert pulled == ["a step took 1500.0 ms: SessionLost"] * 2
    assert len(named) == 1
