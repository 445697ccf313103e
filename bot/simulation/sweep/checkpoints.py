"""Where the bot's tasks wait, counted as they come there, and what may be cancelled at each of these places."""

import enum
from collections.abc import Callable, Generator
from contextlib import contextmanager
from functools import partial
from typing import NoReturn

import attrs
import trio
from trio._core import _run


class Scope(enum.StrEnum):
    """What is cancelled."""

    CALLER = "caller"
    """Whoever awaits `bot.app.trade`, and with it everything."""

    WORK = "work"
    """The work nursery: everything that trades, and not the services."""

    GENERATION = "generation"
    """One generation of the WebSocket."""

    DEADLINE = "deadline"
    """The nearest deadline around the task at its checkpoint passes then and there."""

    BUG = "bug"
    """Nothing: the task at its checkpoint meets an exception that nobody expects."""

    @property
    def is_survived(self) -> bool:
        """Whether the session goes on, and has to come to the end of its script."""
        return self in {Scope.GENERATION, Scope.DEADLINE}


class Moment(enum.StrEnum):
    """When: while the task waits, or when it was woken and has not noticed yet.

    The second differs from the first only if something happened since, at the exchange, on the network or by the
    clock; it is counted only then.
    """

    WAITING = "waiting"
    WOKEN = "woken"


@attrs.frozen
class Point:
    """Where to cancel: ``step`` counts the steps that the bot's tasks make, each to its next checkpoint, from 1."""

    scope: Scope
    moment: Moment
    step: int

    def __str__(self) -> str:
        return f"--scope {self.scope} --moment {self.moment} --step {self.step}"


class Bug(Exception):  # noqa: N818 - it is one
    """What a task meets with `Scope.BUG`."""


class Checkpoints(trio.abc.Instrument):
    """Counts the steps of the bot's tasks, and cancels at ``chosen``; in TLS handshakes only, if these are asked for.

    A scope is cancelled between two steps: after one that ends at a checkpoint, where trio delivers the cancellation
    at once, or before the next one, when the task has its answer and can no longer be cancelled where it waited.
    """

    def __init__(self, chosen: Point | None = None, *, handshakes_only: bool = False) -> None:
        self.points: list[Point] = []
        """Where something can be cancelled, up to ``chosen``."""
        self.cancelled_at: float | None = None
        """When ``chosen`` came, in trio time."""
        self.tell: Callable[[str], object] = lambda _: None
        """Is told of it in words, right before."""
        self.caller = trio.CancelScope()
        """Around everything that is counted."""
        self._chosen = chosen
        self._handshakes_only = handshakes_only
        self._steps = 0
        self._others_steps = 0
        self._paused = False
        self._mine: set[trio.lowlevel.Task] = set()
        self._main: trio.lowlevel.Task | None = None
        self._work_is_nursery: int | None = None
        self._generation: trio.CancelScope | None = None
        self._left_off: tuple[int, float] | None = None

    # What the bot's tasks are, and its scopes.

    @contextmanager
    def counted(self) -> Generator[None]:
        """Count the steps of this task, and of those that it starts, until the end of the block."""
        self._main = trio.lowlevel.current_task()
        self._mine.add(self._main)
        self._steps = 1  # the one that it is making
        trio.lowlevel.add_instrument(self)
        try:
            with self.caller:
                yield
        finally:
            trio.lowlevel.remove_instrument(self)

    @contextmanager
    def working(self) -> Generator[None]:
        """The block is the work: the first nursery that the counted task opens in it is the work nursery."""
        assert self._main is not None
        self._work_is_nursery = len(self._main.child_nurseries)
        try:
            yield
        finally:
            self._work_is_nursery = None

    @contextmanager
    def generation(self) -> Generator[trio.CancelScope]:
        """The block is one generation of the WebSocket."""
        with trio.CancelScope() as scope:
            self._generation = scope
            try:
                yield scope
            finally:
                self._generation = None

    @contextmanager
    def paused(self) -> Generator[None]:
        """The block belongs to whoever watches: do not count."""
        self._paused = True
        try:
            yield
        finally:
            self._paused = False

    # What trio calls.

    def task_spawned(self, task: trio.lowlevel.Task) -> None:
        if task.parent_nursery is not None and task.parent_nursery.parent_task in self._mine:
            self._mine.add(task)

    def task_exited(self, task: trio.lowlevel.Task) -> None:
        self._mine.discard(task)

    def before_task_step(self, task: trio.lowlevel.Task) -> None:
        if task not in self._mine or self._paused:
            self._others_steps += 1
            return
        self._steps += 1
        if self._left_off != (self._others_steps, trio.current_time()):
            self._visit(task, Moment.WOKEN)

    def after_task_step(self, task: trio.lowlevel.Task) -> None:
        if task in self._mine and not self._paused:
            self._visit(task, Moment.WAITING)
            self._left_off = (self._others_steps, trio.current_time())

    # What may be cancelled.

    def _visit(self, task: trio.lowlevel.Task, moment: Moment) -> None:
        if self._chosen is None:
            scopes: tuple[Scope, ...] = tuple(Scope)
        elif (self._chosen.moment, self._chosen.step) == (moment, self._steps):
            scopes = (self._chosen.scope,)
        else:
            return
        if self._handshakes_only and not _in_handshake(task):
            return
        for scope in scopes:
            cancel = self._canceller(scope, moment, task)
            if cancel is not None:
                self.points.append(Point(scope, moment, self._steps))
                if self._chosen is not None:
                    self.cancelled_at = trio.current_time()
                    self.tell(f"{scope}, {moment} {task.name}")
                    cancel()

    def _canceller(
        self, scope: Scope, moment: Moment, task: trio.lowlevel.Task
    ) -> Callable[[], object] | None:
        if scope is Scope.BUG:
            # trio has no door for bugs, but it would let a cancellation in here just so.
            can = moment is Moment.WAITING and self._can_fail(task)
            return partial(task._attempt_abort, _raise_bug) if can else None  # noqa: SLF001
        found = self._scope(scope, task)
        return None if found is None else found.cancel

    def _scope(self, scope: Scope, task: trio.lowlevel.Task) -> trio.CancelScope | None:
        match scope:
            case Scope.CALLER:
                return self.caller
            case Scope.WORK:
                return self._work()
            case Scope.GENERATION:
                return self._generation
            case Scope.DEADLINE:
                around = self._around(task)
                return next((found for found in around if found.deadline < float("inf")), None)
        return None

    def _work(self) -> trio.CancelScope | None:
        nurseries = self._main.child_nurseries if self._main is not None else ()
        if self._work_is_nursery is None or len(nurseries) <= self._work_is_nursery:
            return None
        return nurseries[self._work_is_nursery].cancel_scope

    def _can_fail(self, task: trio.lowlevel.Task) -> bool:
        """Whether it waits, and not to clean up: nobody can clean up after a clean-up that breaks."""
        waits = task._abort_func is not None  # noqa: SLF001 - trio tells nobody
        return waits and not any(scope.shield for scope in self._around(task)) and not _has_said_goodbye(task)

    def _around(self, task: trio.lowlevel.Task) -> Generator[trio.CancelScope]:
        """The scopes that ``task`` is in, the innermost first, as far as they are the bot's."""
        status: _run.CancelStatus | None = task._cancel_status  # noqa: SLF001 - trio tells nobody
        while status is not None and status._scope is not self.caller:  # noqa: SLF001
            yield status._scope  # noqa: SLF001
            status = status.parent


def _raise_bug() -> NoReturn:
    raise Bug


def _has_said_goodbye(task: trio.lowlevel.Task) -> bool:
    """Whether it is trio_websocket's reader, and the goodbye is said.

    We cancel it then, and on its way out it closes a channel: there that takes the place of whatever else it met.
    """
    frame, _ = next(iter(task.iter_await_frames()))
    return frame.f_code.co_name == "_reader_task" and frame.f_locals["self"].closed is not None


def _in_handshake(task: trio.lowlevel.Task) -> bool:
    return any(frame.f_code.co_name == "do_handshake" for frame, _ in task.iter_await_frames())
