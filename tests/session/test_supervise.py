"""The supervisor: what it restarts, when, and what it lets through."""

import random
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from itertools import pairwise

import pytest
import trio
from session_stage import NoJitter
from virtual_stage import virtually

from bot.core.errors import (
    BotError,
    FatalError,
    InvalidOrderError,
    NotSentError,
    RefusedError,
    RevokedError,
    SessionGoneError,
    StreamClosedError,
    UnknownOutcomeError,
)
from bot.session.supervise import (
    FIRST_DELAY,
    LATER_DELAY,
    LONGEST_DELAY,
    PATIENCE,
    Backoff,
    TaskStatus,
    supervise,
)

LOST = StreamClosedError(1006, "")
RESTARTED = (NotSentError("no"), RefusedError(400, "NO", "no"), UnknownOutcomeError("perhaps"), LOST)
NOT_RESTARTED = (
    FatalError("the end"),
    BotError("ours"),
    InvalidOrderError("ours"),
    RevokedError("ours"),
    SessionGoneError("gone"),
    OSError("disk full"),
    ValueError("a bug"),
    KeyboardInterrupt(),
)


class Child:
    """Fails as listed, one failure a run, and then returns. ``ready_in`` names the runs that become ready."""

    def __init__(
        self, failures: Iterable[BaseException], *, ready_in: Callable[[int], bool] = lambda _: False
    ) -> None:
        self._failures: Iterator[BaseException] = iter(failures)
        self._ready_in = ready_in
        self.started_at: list[float] = []

    async def run(self, task_status: TaskStatus[int]) -> None:
        run = len(self.started_at)
        self.started_at.append(trio.current_time())
        await trio.lowlevel.checkpoint()
        if self._ready_in(run):
            task_status.started(run)
        for failure in self._failures:
            raise failure

    @property
    def delays(self) -> list[float]:
        return [later - earlier for earlier, later in pairwise(self.started_at)]


async def supervised(child: Child) -> None:
    await supervise("child", child.run, NoJitter(), task_status=trio.TASK_STATUS_IGNORED)


def nested(*errors: BaseException) -> BaseException:
    return BaseExceptionGroup("outer", [BaseExceptionGroup("inner", errors), NotSentError("beside it")])


@pytest.mark.parametrize("failure", RESTARTED, ids=lambda error: type(error).__name__)
@virtually
async def test_listed_failures_are_tried_again(failure: Exception) -> None:
    """Alone and in groups, however nested; a return ends it."""
    child = Child([failure, ExceptionGroup("", [failure]), nested(failure, failure, LOST)])
    await supervised(child)
    assert child.delays == [0.5, 1, 2]


@pytest.mark.parametrize("failure", NOT_RESTARTED, ids=lambda error: type(error).__name__)
@virtually
async def test_other_failures_end_it(failure: BaseException) -> None:
    """One leaf that is not listed is enough, and it is raised without those that are."""
    for raised in (failure, nested(failure), nested(LOST, failure, NotSentError("no"))):
        child = Child([LOST, raised])
        with pytest.RaisesGroup(type(failure), allow_unwrapped=True, flatten_subgroups=True) as caught:
            await supervised(child)
        assert len(child.started_at) == 2
        assert "beside it" not in repr(caught.value)


@virtually
async def test_a_cancellation_passes() -> None:
    """In the child and between two tries; nothing is started again."""

    class Sleeper(Child):
        async def run(self, task_status: TaskStatus[int]) -> None:  # noqa: ASYNC128 - the one above calls it
            await super().run(task_status)
            await trio.sleep_forever()

    for child, runs in ((Sleeper([]), 1), (Child([LOST] * 100), 3)):
        start = trio.current_time()
        with trio.move_on_after(2) as scope:
            await supervised(child)
        assert scope.cancelled_caught
        assert (len(child.started_at), trio.current_time()) == (runs, start + 2)


@virtually
async def test_a_cancellation_beside_a_failure_passes() -> None:
    """The failure is dropped, for whoever cancelled no longer cares; nothing is started again."""

    async def fail_when_cancelled(_: TaskStatus[int]) -> None:  # noqa: ASYNC128 - it never gets that far
        starts.append(trio.current_time())

        async def fail() -> None:
            try:
                await trio.sleep_forever()
            finally:
                raise LOST

        async with trio.open_nursery() as nursery:
            nursery.start_soon(fail)
            await trio.sleep_forever()

    starts: list[float] = []
    with trio.move_on_after(2) as scope:
        await supervise("child", fail_when_cancelled, NoJitter(), task_status=trio.TASK_STATUS_IGNORED)
    assert scope.cancelled_caught
    assert starts == [0]


@virtually
async def test_delays_double_up_to_half_a_minute() -> None:
    """As long as the child does not become ready."""
    child = Child([LOST] * 9)
    await supervised(child)
    assert child.delays == [0.5, 1, 2, 4, 8, 16, 30, 30, 30]


@virtually
async def test_an_overloaded_venue_is_left_alone_for_longer() -> None:
    """It says 1013, alone or among other failures; whatever else happens, the delay is the usual one."""
    busy = StreamClosedError(1013, "try again later")
    child = Child([busy, LOST, nested(LOST, busy), LOST])
    await supervised(child)
    assert child.delays == [0.5 + LATER_DELAY, 1, 2 + LATER_DELAY, 4]


@virtually
async def test_delays_are_jittered() -> None:
    """Evenly between half of the delay and all of it, and not always the same."""
    children = [Child([LOST] * 8) for _ in range(200)]
    async with trio.open_nursery() as nursery:
        for seed, child in enumerate(children):
            nursery.start_soon(
                partial(supervise, "x", child.run, random.Random(seed), task_status=trio.TASK_STATUS_IGNORED)
            )
    for number, delays in enumerate(zip(*(child.delays for child in children), strict=True)):
        longest = min(FIRST_DELAY * 2**number, LONGEST_DELAY)
        assert longest / 2 <= min(delays) < 0.55 * longest
        assert 0.95 * longest < max(delays) <= longest


@virtually
async def test_readiness_resets_the_delay() -> None:
    """A child that got as far as being ready is tried again soon."""
    child = Child([LOST] * 6, ready_in=lambda run: run == 3)
    await supervised(child)
    assert child.delays == [0.5, 1, 2, 0.5, 1, 2]


@virtually
async def test_a_connection_that_dies_at_once_does_not_become_a_storm() -> None:
    """After twenty restarts within an hour readiness resets nothing any more; an hour later it does again."""
    child = Child([LOST] * 27, ready_in=lambda _: True)
    await supervised(child)
    assert child.delays == [0.5] * PATIENCE + [1, 2, 4, 8, 16, 30, 30]

    backoff = Backoff(NoJitter())
    for _ in range(PATIENCE):
        backoff.next_delay()
    await trio.sleep(3600)
    backoff.succeeded()
    assert backoff.next_delay() == LONGEST_DELAY
    await trio.sleep(1)
    backoff.succeeded()
    assert backoff.next_delay() == FIRST_DELAY


@virtually
async def test_the_first_readiness_is_passed_on_and_no_other() -> None:
    """Whoever starts it gets the value when there is one, after failures too; later ones only reset the delay."""
    child = Child([LOST] * 4, ready_in=lambda run: run >= 2)
    async with trio.open_nursery() as nursery:
        assert await nursery.start(partial(supervise, "child", child.run, NoJitter())) == 2
        assert trio.current_time() == 1.5
    assert len(child.started_at) == 5
