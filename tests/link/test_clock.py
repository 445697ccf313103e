"""The machine's clocks, the virtual ones, and the venue's time as seen from here."""

import math
import time

import pytest
import trio
from virtual_stage import virtually

from bot.core.errors import NotSentError
from bot.link.clock import LOOK_EVERY, SystemClock, TrioClock, VenueClock, WallWatch

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


@virtually
async def test_the_offset_is_that_of_the_wall_as_it_stands_now() -> None:
    """Known to half of a round trip; a wall that is set later shows at once, and a nap of the machine, too."""
    ours = SetWall(EPOCH_NS)
    clock = VenueClock(ours)
    assert (clock.uncertainty_ns, clock.age()) == (None, math.inf)
    await trio.sleep(1)
    clock.measured(server_time_ms=EPOCH_NS // 10**6 + 1_300, elapsed_ns=400_000_000)
    assert (clock.offset_ns, clock.uncertainty_ns) == (500_000_000, 200_000_000)
    await trio.sleep(7)
    assert clock.age() == 7
    ours.ahead_ns = 2 * 10**9
    assert clock.offset_ns == -1_500_000_000
    clock.doubt()
    assert (clock.uncertainty_ns, clock.age()) == (None, math.inf)


@pytest.mark.parametrize(
    ("offset_ms", "elapsed_ms", "wrong"),
    [
        (250, 0, False),
        (251, 0, True),
        (-251, 0, True),
        (350, 200, False),
        (351, 200, True),
        (100, 5000, False),
    ],
)
@virtually
async def test_a_wall_clock_is_called_wrong_when_that_is_certain(
    offset_ms: int, elapsed_ms: int, *, wrong: bool
) -> None:
    """More than 250 ms, whatever the answer took on its way."""
    await trio.lowlevel.checkpoint()  # the clock is trio's
    clock = VenueClock(TrioClock(EPOCH_NS))
    server_time_ms = EPOCH_NS // 10**6 + offset_ms - elapsed_ms // 2
    clock.measured(server_time_ms=server_time_ms, elapsed_ns=elapsed_ms * 10**6)
    assert clock.is_wall_wrong is wrong


@pytest.mark.parametrize(
    ("offset_ms", "elapsed_ms", "refuses"),
    [
        (2500, 0, False),
        (2501, 0, True),
        (-2501, 0, True),
        (0, 5000, False),
        (0, 5002, True),
        (1500, 2002, True),
    ],
)
@virtually
async def test_orders_need_clocks_that_agree_to_half_of_the_recv_window(
    offset_ms: int, elapsed_ms: int, *, refuses: bool
) -> None:
    """Here 5 s; whatever the two may be apart counts."""
    await trio.lowlevel.checkpoint()  # the clock is trio's
    clock = VenueClock(TrioClock(EPOCH_NS))
    server_time_ms = EPOCH_NS // 10**6 + offset_ms - elapsed_ms // 2
    clock.measured(server_time_ms=server_time_ms, elapsed_ns=elapsed_ms * 10**6)
    if refuses:
        with pytest.raises(NotSentError, match="more than half of the recv_window"):
            clock.check(5000)
    else:
        clock.check(5000)


@virtually
async def test_orders_need_a_clock_measured_since_ours_jumped() -> None:
    """Not before the first measurement; nor after a nap that nobody has noticed yet."""
    await trio.lowlevel.checkpoint()  # the clock is trio's
    ours = SetWall(EPOCH_NS)
    clock = VenueClock(ours)
    with pytest.raises(NotSentError, match="has to be measured first"):
        clock.check(5000)
    clock.measured(server_time_ms=EPOCH_NS // 10**6, elapsed_ns=0)
    clock.check(5000)
    ours.ahead_ns = 3600 * 10**9
    with pytest.raises(NotSentError, match=r"differ by -3600\.000 s"):
        clock.check(5000)
    clock.doubt()
    with pytest.raises(NotSentError, match="has to be measured first"):
        clock.check(5000)
    clock.measured(server_time_ms=ours.wall_ns() // 10**6, elapsed_ns=0)
    clock.check(5000)


@virtually
async def test_jumps_are_noticed_and_none_is_missed_between_two_calls() -> None:
    """At the next look, with how far it went; drift is none, and a jump is told once."""
    ours = SetWall(EPOCH_NS)
    wall = WallWatch(ours)
    ours.ahead_ns += 6 * 10**9
    assert (await wall.jumped(), trio.current_time()) == (6.0, LOOK_EVERY)
    ours.ahead_ns -= 7 * 10**9
    await trio.sleep(100)
    assert await wall.jumped() == -7.0
    with trio.move_on_after(20 * LOOK_EVERY) as looking:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(wall.jumped)
            while True:
                await trio.sleep(LOOK_EVERY)
                ours.ahead_ns += 5 * 10**9 - 1
    assert looking.cancelled_caught
