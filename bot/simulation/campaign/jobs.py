"""Plays many seeds in processes: one that crashes or hangs costs its seed, and nothing else."""

import signal
from collections.abc import Iterable, Iterator
from contextlib import suppress
from multiprocessing import get_context
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess

import attrs
from loguru import logger

from bot.link.clock import SystemClock
from bot.simulation.campaign.play import Played
from bot.simulation.campaign.task import Task

HANGS_S = 180.0
"""Seconds of this machine's after which a seed, which takes one or two, never ends."""

SHRINKS_S = 1800.0
"""The same of one that is played again and again."""

LOOK_S = 1.0
"""Seconds at most from one look at the processes to the next."""


@attrs.frozen
class Done:
    """A task, and what came of it: a run, or in words why there is none."""

    task: Task
    played: Played | None
    failure: str = ""

    @property
    def violations(self) -> tuple[str, ...]:
        return (self.failure,) if self.played is None else self.played.violations


@attrs.define(eq=False)
class Worker:
    """A process that plays one task after the other."""

    process: BaseProcess
    pipe: Connection
    task: Task | None = None
    waited_s: float = 0.0
    """For the task. A look that comes late counts for no more than `LOOK_S`: the machine may have slept."""

    def end(self) -> None:
        self.pipe.close()
        self.process.kill()
        self.process.join()


def played(tasks: Iterable[Task], jobs: int, *, hangs_s: float = HANGS_S) -> Iterator[Done]:
    """Play the tasks, ``jobs`` at a time, and hand over each as it is done. Leaving this early ends everything."""
    clock, waiting = SystemClock(), iter(tasks)
    workers = [_worker() for _ in range(jobs)]
    try:
        for worker in workers:
            _give(worker, next(waiting, None))
        while busy := [worker for worker in workers if worker.task is not None]:
            began_ns = clock.monotonic_ns()
            ready = wait([worker.pipe for worker in busy], timeout=LOOK_S)
            waited_s = min((clock.monotonic_ns() - began_ns) / 1e9, LOOK_S)
            for worker in busy:
                worker.waited_s += waited_s
                done = _look(worker, hangs_s, is_ready=worker.pipe in ready)
                if done is None:
                    continue
                if done.played is None:
                    worker.end()
                    worker.process, worker.pipe = _started()
                _give(worker, next(waiting, None))
                yield done
    finally:
        for worker in workers:
            worker.end()


def _look(worker: Worker, hangs_s: float, *, is_ready: bool) -> Done | None:
    assert worker.task is not None
    task = worker.task
    if is_ready:
        try:
            return Done(task, *worker.pipe.recv())
        except (EOFError, OSError):
            worker.process.join(5)
            return Done(task, None, f"crash: its process ended with {worker.process.exitcode}")
    limit = SHRINKS_S if task.shrinks else hangs_s
    if worker.waited_s > limit:
        return Done(task, None, f"hang: it was not over after {limit:g} s")
    return None


def _give(worker: Worker, task: Task | None) -> None:
    worker.task, worker.waited_s = task, 0.0
    if task is not None:
        worker.pipe.send(task)


def _worker() -> Worker:
    return Worker(*_started())


def _started() -> tuple[BaseProcess, Connection]:
    # Spawned and not forked: each is a process as any other, with a hash seed of its own.
    context = get_context("spawn")
    ours, theirs = context.Pipe()
    process = context.Process(target=_work, args=(theirs,), daemon=True)
    process.start()
    theirs.close()
    return process, ours


def _work(pipe: Connection) -> None:
    logger.remove()
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # a Ctrl-C is for who waits for the results
    while True:
        try:
            task: Task = pipe.recv()
        except (EOFError, OSError):
            return
        try:
            outcome: tuple[Played | None, str] = (task.run(), "")
        except Exception as error:  # noqa: BLE001 - it is told, as the violation that it is
            outcome = (None, f"broke: {error!r}")
        with suppress(OSError):  # whoever wanted to know may be gone
            pipe.send(outcome)
