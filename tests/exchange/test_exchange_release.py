"""The weekday release: when it comes, what it lets through, whom it drops."""

# ruff: noqa: ARG001 - pytest-trio takes its clock from the arguments of a test

from datetime import UTC, datetime

import pytest
import trio
from exchange_stage import EPOCH, stage
from trio.testing import MockClock

from bot.exchange.exchange import Exchange
from bot.exchange.release import next_release

CANCEL_ONLY, POST_ONLY = 100.0, 50.0


def at(text: str) -> int:
    return round(datetime.strptime(text, "%Y-%m-%d %H:%M").replace(tzinfo=UTC).timestamp()) * 10**9


@pytest.mark.parametrize(
    ("after", "release"),
    [
        ("2026-11-23 00:00", "2026-11-23 04:30"),  # a Monday
        ("2026-11-23 04:29", "2026-11-23 04:30"),
        ("2026-11-23 04:30", "2026-11-24 04:30"),
        ("2026-11-26 23:59", "2026-11-27 04:30"),
        ("2026-11-27 04:31", "2026-11-30 04:30"),  # a Friday
        ("2026-11-28 12:00", "2026-11-30 04:30"),
    ],
)
def test_when_the_next_one_is(after: str, release: str) -> None:
    """The next one later than that; none on a Saturday or Sunday, of UTC."""
    assert next_release(at(after), 270) == at(release)


async def modes(exchange: Exchange, until: float) -> list[tuple[float, str]]:
    """Each change of the mode, and when, in whole seconds."""
    seen = [(trio.current_time(), str(exchange.mode))]
    while trio.current_time() < until:
        await trio.sleep(1)
        if exchange.mode != seen[-1][1]:
            seen.append((trio.current_time(), exchange.mode))
    return seen


async def test_a_day_with_one(autojump_clock: MockClock) -> None:
    """It begins at its minute, and every connection ends when the first part of it does."""
    minute = EPOCH // 60 % 1440 + 10
    begins = minute * 60 - EPOCH % 86_400
    async with stage(
        release="weekdays",
        release_minute=minute,
        release_cancel_only=CANCEL_ONLY,
        release_post_only=POST_ONLY,
    ) as room:
        seen = await modes(room.exchange, begins + 1000)
        assert room.exchange.faults.struck["restart"] == 1
    parts = [0.0, begins, begins + CANCEL_ONLY, begins + CANCEL_ONLY + POST_ONLY]
    assert [mode for _, mode in seen] == ["ok", "cancel_only", "post_only", "ok"]
    assert [time for time, _ in seen] == pytest.approx(parts, abs=1.5)


async def test_one_that_is_asked_for(autojump_clock: MockClock) -> None:
    """It begins at once, and once: who asks while it goes on asks in vain. Later there can be another."""
    async with stage(release_cancel_only=10.0, release_post_only=10.0) as room:
        for begins in (0.0, 100.0):
            await trio.sleep_until(begins)
            room.exchange.release.begin()
            await trio.sleep(5)
            room.exchange.release.begin()
            assert room.exchange.mode == "cancel_only"
            assert [mode for _, mode in await modes(room.exchange, begins + 60)] == [
                "cancel_only",
                "post_only",
                "ok",
            ]
