"""The machine's clocks, the virtual ones, and the venue's time as seen from here."""

import time

import pytest
import trio
from virtual_stage import virtually

from bot.link.clock import SystemClock, TrioClock, VenueClock

EPOCH_NS = 1_800_000_000_000_000_000


def test_the_system_clock_reads_this_machine() -> None:
    """The wall in ns since the Unix epoch, and a clock that never goes back."""
    clock = SystemClock()
    assert time.time_ns() <= clock.wall_ns() <= time.time_ns()
    assert time.monotonic_ns() <= clock.monotonic_ns() <= clock.monotonic_ns()


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
    assert clock.offset_ns == ahead_ms * 10**6
    await trio.sleep(10)
    assert clock.now_ms() == EPOCH_NS // 10**6 + 10_400 + ahead_ms
    clock.measured(server_time_ms=clock.now_ms() + 5, elapsed_ns=0)
    assert clock.offset_ns == (ahead_ms + 5) * 10**6
