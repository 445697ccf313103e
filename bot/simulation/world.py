"""A run in virtual time that can be repeated."""

import threading
from collections.abc import Awaitable, Callable, Generator
from contextlib import contextmanager
from typing import Any, NoReturn, TypeVar, TypeVarTuple

import trio
import trio.testing
from trio._core import _run
from trio._core._thread_cache import ThreadCache

T = TypeVar("T")
Args = TypeVarTuple("Args")


class ThreadInSimulation(RuntimeError):  # noqa: N818 - it says what happened
    """Something asked for a thread. Virtual time does not wait for threads: the clock would jump ahead of them."""


def run(async_fn: Callable[[*Args], Awaitable[T]], *args: *Args, seed: int) -> T:
    """`trio.run` in virtual time, with every choice of trio's scheduler made by ``seed``.

    The clock jumps to the next deadline whenever every task waits, and starts at 0. It has no rate: a clock that also
    runs with the wall's would let the speed of the machine take part. What a program asks of the machine itself
    (`os.urandom`, `time`) is no choice of the scheduler's, and not repeated.

    Raises:
        ThreadInSimulation: somebody asked for a thread, even if whoever asked made nothing of the error.
    """
    clock = trio.testing.MockClock(autojump_threshold=0)
    with scheduled_by(seed), without_threads():
        return trio.run(async_fn, *args, clock=clock)


@contextmanager
def scheduled_by(seed: int) -> Generator[None]:
    """Let trio order tasks by ``seed``: it shuffles them, so that nobody relies on an order, and has this switch."""
    state = _run._r.getstate()  # noqa: SLF001 - trio offers the switch to Hypothesis alone
    _run._r.seed(seed)  # noqa: SLF001
    try:
        with replaced(_run, "_ALLOW_DETERMINISTIC_SCHEDULING", True):
            yield
    finally:
        _run._r.setstate(state)  # noqa: SLF001


@contextmanager
def without_threads() -> Generator[None]:
    """Refuse threads to whatever runs in this one.

    Raises:
        ThreadInSimulation: to who asks for a thread, and again at the end of the block.
    """
    asked: list[ThreadInSimulation] = []
    owner = threading.get_ident()
    start_thread = threading.Thread.start
    start_cached = ThreadCache.start_thread_soon

    def refuse(what: object) -> NoReturn:
        asked.append(ThreadInSimulation(f"{what} asked for a thread"))
        raise asked[-1]

    def start(thread: threading.Thread) -> None:
        if threading.get_ident() == owner:
            refuse(thread)
        start_thread(thread)

    def start_soon(
        cache: ThreadCache, fn: Callable[[], Any], deliver: Callable[..., Any], name: str | None
    ) -> None:
        # trio.to_thread takes an idle thread from a cache, which outlives the run that filled it.
        if threading.get_ident() == owner:
            refuse(name or fn)
        start_cached(cache, fn, deliver, name)

    with replaced(threading.Thread, "start", start), replaced(ThreadCache, "start_thread_soon", start_soon):
        yield
    if asked:
        raise asked[0]


@contextmanager
def replaced(place: object, name: str, value: object) -> Generator[None]:
    """Put ``value`` in the place of an attribute, until the end of the block."""
    old = getattr(place, name)
    setattr(place, name, value)
    try:
        yield
    finally:
        setattr(place, name, old)
