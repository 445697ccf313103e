"""The collector of garbage, kept out of the way of orders."""

import gc

import trio.testing

from bot import garbage
from bot.garbage import THRESHOLDS, collect_now_and_then, garbage_kept_away


class HandClock:
    now_ns = 0

    def wall_ns(self) -> int:
        return self.now_ns

    def monotonic_ns(self) -> int:
        self.now_ns += 1000
        return self.now_ns


class Cycle:
    def __init__(self) -> None:
        self.itself = self


def test_what_was_there_is_not_looked_at_again() -> None:
    """And afterwards all is as it was before."""
    thresholds, callbacks, frozen = gc.get_threshold(), list(gc.callbacks), gc.get_freeze_count()
    with garbage_kept_away(HandClock()):
        assert gc.get_freeze_count() > frozen
        assert gc.get_threshold() == THRESHOLDS
    assert (gc.get_threshold(), gc.callbacks) == (thresholds, callbacks)
    assert gc.get_freeze_count() == 0


def test_pauses_are_measured() -> None:
    """Those within the block, each from its start to its end."""
    with garbage_kept_away(HandClock()) as watch:
        before = watch.pauses.count
        gc.collect()
        assert watch.pauses.count == before + 1
    gc.collect()
    assert watch.pauses.count == before + 1
    assert (watch.pauses.min_ns, watch.pauses.max_ns) == (1000, 1000)


async def test_cycles_do_not_stay_for_ever(autojump_clock: trio.testing.MockClock) -> None:
    """They are found by the next look at everything."""
    del autojump_clock
    with garbage_kept_away(HandClock()) as watch:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(collect_now_and_then)
            await trio.sleep(garbage.FULL_EVERY / 2)
            kept = [Cycle() for _ in range(3 * THRESHOLDS[0] * THRESHOLDS[1])]
            del kept
            looks = watch.pauses.count
            await trio.sleep(garbage.FULL_EVERY)
            assert watch.pauses.count > looks
            assert not [each for each in gc.get_objects() if isinstance(each, Cycle)]
            nursery.cancel_scope.cancel()
