"""Runs a child again when it fails in a way that another try can mend, and lets everything else through."""

import random
from collections import deque
from collections.abc import Awaitable, Callable
from typing import Protocol, TypeVar

import attrs
import trio
from loguru import logger

from bot.core.errors import RequestError, StreamClosedError, leaves

FIRST_DELAY = 0.5
LONGEST_DELAY = 30.0
"""Seconds. The delay doubles from try to try, each with a jitter of up to half of it."""

TRY_AGAIN_LATER = 1013
LATER_DELAY = 5.0
"""The close code of a venue that is overloaded, and for how many seconds more it is then left alone."""

PATIENCE = 20
"""Restarts within an hour, after which a child that became ready no longer starts again at the first delay:
a connection that opens and dies at once must not become a storm."""

T_contra = TypeVar("T_contra", contravariant=True)


class TaskStatus(Protocol[T_contra]):
    """The part of `trio.TaskStatus` that a child uses."""

    def started(self, value: T_contra) -> None: ...


@attrs.define
class Backoff:
    """How long to wait before the next try. ``rng`` gives the jitter."""

    _rng: random.Random
    _longest: float = LONGEST_DELAY
    _delay: float = FIRST_DELAY
    _restarts: deque[float] = attrs.field(factory=deque)

    def succeeded(self) -> None:
        while self._restarts and self._restarts[0] < trio.current_time() - 3600:
            self._restarts.popleft()
        if len(self._restarts) < PATIENCE:
            self._delay = FIRST_DELAY

    def next_delay(self) -> float:
        """Seconds to wait now; the following wait is twice as long, up to the longest."""
        delay, self._delay = self._delay, min(2 * self._delay, self._longest)
        self._restarts.append(trio.current_time())
        return delay * self._rng.uniform(0.5, 1.0)


@attrs.define
class _FirstReadiness(TaskStatus[T_contra]):
    """Passes the first value on to whoever waits for the supervisor, and resets the backoff at each."""

    _backoff: Backoff
    _task_status: TaskStatus[T_contra]
    _passed_on: bool = False

    def started(self, value: T_contra) -> None:
        self._backoff.succeeded()
        if not self._passed_on:
            self._passed_on = True
            self._task_status.started(value)


async def supervise(  # noqa: ASYNC128 - its child calls started()
    name: str,
    child: Callable[[TaskStatus[T_contra]], Awaitable[None]],
    rng: random.Random,
    *,
    longest_delay: float = LONGEST_DELAY,
    task_status: TaskStatus[T_contra],
) -> None:
    """Run ``child`` until it returns; run it again when every leaf of its failure is of the listed kinds.

    ``child`` reports readiness with ``started(value)``; the first value is passed on. A failure that is not
    listed is raised, alone, however many listed ones came with it.
    """
    backoff = Backoff(rng, longest_delay)
    status = _FirstReadiness(backoff, task_status)
    while True:
        try:
            await child(status)
        except* (RequestError, StreamClosedError) as failures:
            reasons = "; ".join(dict.fromkeys(str(leaf) for leaf in leaves(failures)))
            is_overloaded = any(map(_asks_for_patience, leaves(failures)))
        else:
            return
        delay = backoff.next_delay() + LATER_DELAY * is_overloaded
        logger.warning("[INIT] Paradex {} failed ({}), next try in {:.1f} s", name, reasons, delay)
        await trio.sleep(delay)


def _asks_for_patience(failure: BaseException) -> bool:
    return isinstance(failure, StreamClosedError) and failure.code == TRY_AGAIN_LATER
