"""The machine's clocks, the virtual ones, and the venue's time as seen from here."""

import time

import pytest
import trio
from virtual_stage import virtually

from bot.link.clock import SystemClock, TrioClock, VenueClock

EPOCH_NS = 1_800_000_000_000_000_000


def test_the_system_clock_reads_this_machine() -> None:
    """The wall in ns since the Unix epoch, and a clock that never goes back and counts from when it was made."""
    before = time.monotonic_ns()
    clock = SystemClock()
    after = time.monotonic_ns()
    assert time.time_ns() <= clock.wall_ns() <= time.time_ns()
    assert time.monotonic_ns() - after <= clock.monotonic_ns() <= time.monotonic_ns() - before
    assert clock.monotonic_ns() <= clock.monotonic_ns()


@virtually
async def test_the_virtual_clocks_move_with_trios() -> None:
    """Both by the same, the wall from its epoch."""
    clock = TrioClock(EPOCH_NS)
    assert (clock.wall_ns(), clock.monotonic_ns()) == (EPOCH_NS, 0)
    await trio.sleep(1.5)
    assert (clock.wall_ns(), clock.monotonic_ns()) == (EPOCH_NS + 1_500_000_000, 1_500_000_000)


@pytest.mark.parametrize("ahead_ms", [0, 1, 3_000, -3_000, 3_600_000])
@virtually
async def test_the_venues_time_is_measured_and_then_runs_on(ahead_ms: int) -> None:
    """An answer of 400 ms was on its way back for half of that; before the first one both clocks agree."""
    clock = VenueClock(TrioClock(EPOCH_NS))
    assert clock.now_ms() == EPOCH_NS // 10**6
    await trio.sleep(0.2)
    server_time_ms = clock.now_ms() + ahead_ms
    await trio.sleep(0.2)
    clock.measured(server_time_ms=server_time_ms, elapsed_ns=400_000_000)
    assert clock.now_ms() == EPOCH_NS // 10**6 + 400 + ahead_ms
    await trio.sleep(10)
    assert clock.now_ms() == EPOCH_NS // 10**6 + 10_400 + ahead_ms
    clock.measured(server_time_ms=clock.now_ms() + 5, elapsed_ns=0)
    assert clock.now_ms() == EPOCH_NS // 10**6 + 10_400 + ahead_ms + 5


@virtually
async def test_the_believed_offset_counts_until_the_first_measurement() -> None:
    """From our wall clock as it is at the beginning, to the nanosecond."""
    await trio.sleep(1)
    assert VenueClock(TrioClock(EPOCH_NS), 7_999_999).now_ms() == EPOCH_NS // 10**6 + 1_007
    assert VenueClock(TrioClock(EPOCH_NS), -1).now_ms() == EPOCH_NS // 10**6 + 999


class SetWall(TrioClock):
    """A machine whose wall clock somebody sets."""

    ahead_ns = 0

    def wall_ns(self) -> int:
        return super().wall_ns() + self.ahead_ns


@pytest.mark.parametrize("jump_s", [10, -10])
@virtually
async def test_nobody_can_set_the_venues_time(jump_s: int) -> None:
    """A wall clock that is set between a measurement and a signature changes nothing, then and later.

    An order that is signed in the future could be accepted later than we believe.
    """
    ours = SetWall(EPOCH_NS)
    clock = VenueClock(ours)
    started_ms = clock.now_ms()
    ours.ahead_ns = jump_s * 10**9
    assert clock.now_ms() == started_ms
    clock.measured(server_time_ms=started_ms + 3_000, elapsed_ns=0)
    await trio.sleep(1)
    ours.ahead_ns += jump_s * 10**9
    assert clock.now_ms() == started_ms + 4_000
    await trio.sleep(1)
    assert clock.now_ms() == started_ms + 5_000
