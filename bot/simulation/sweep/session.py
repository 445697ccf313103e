"""One session as the script has it, cancelled at one point, and judged."""

import warnings
from collections.abc import Generator
from contextlib import contextmanager

import attrs
import trio
from loguru import logger

from bot import app
from bot.core.errors import StreamClosedError, leaves
from bot.session.capabilities import Session
from bot.session.generation import Generations
from bot.session.supervise import TaskStatus
from bot.simulation.notes import Notes
from bot.simulation.rehearsal import Rehearsal, rehearse
from bot.simulation.sweep import audit
from bot.simulation.sweep.checkpoints import Bug, Checkpoints, Point, Scope
from bot.simulation.sweep.script import Script, settings
from bot.simulation.world import replaced
from bot.summary import Summary
from bot.trading.requests import REST

DELAY, JITTER = 0.02, 0.1
"""Seconds, each way: over another connection a later request, and even the one after that, may arrive earlier."""

STOP_AFTER = 0.01
"""Seconds from when the third order leaves to the wish to stop: it is on its way then, and the fourth waits."""

END_DEADLINE = 60.0
"""Virtual seconds after which a session that has not ended never will."""


@attrs.frozen
class Played:
    """A session that is over, and what was wrong with it."""

    checkpoints: Checkpoints
    notes: Notes
    summary: Summary | None
    violations: list[str]


def play(chosen: Point | None = None, *, seed: int, tls: bool = False, via: str = REST) -> Played:
    """Play the script, cancel at ``chosen``, and look at everything. With ``tls`` points are in handshakes only.

    Orders go by the way ``via``.
    """
    errors: list[str] = []
    files = audit.open_files()
    sink = logger.add(errors.append, level="ERROR", format="{message}")
    try:
        with warnings.catch_warnings(record=True) as warned:
            warnings.simplefilter("always")
            # httpx makes a generator of a body that it sends in one piece; nothing hangs on its end.
            warnings.filterwarnings("ignore", "Async generator 'httpx._content.ByteStream")
            session = _Session(chosen, Checkpoints(chosen, handshakes_only=tls), errors)
            played = rehearse(session.play, settings(via), seed=seed, delay=DELAY, jitter=JITTER, tls=tls)
    finally:
        logger.remove(sink)
    played.violations.extend(f"warning: {warning.message}" for warning in warned)
    played.violations.extend(f"file {number} was left open" for number in audit.open_files() - files)
    return played


@attrs.define(eq=False)
class _Session:
    chosen: Point | None
    checkpoints: Checkpoints
    errors: list[str]
    violations: list[str] = attrs.field(factory=list)
    stopped_at: float | None = None

    @property
    def must_end_well(self) -> bool:
        return self.chosen is None or self.chosen.scope.is_survived

    async def play(self, rehearsal: Rehearsal) -> Played:
        notes = Notes(rehearsal.surroundings.tape)
        rehearsal.surroundings = attrs.evolve(rehearsal.surroundings, tape=notes)
        self.checkpoints.tell = notes.remark

        def stop() -> None:
            self.stopped_at = trio.current_time()
            rehearsal.stop.ask("the script's end")

        script = Script(rehearsal.exchange.drop_websockets, lambda: rehearsal.network.after(STOP_AFTER, stop))
        others = audit.everybody()
        with self._played_by(script):
            summary = await self._trade(rehearsal)
        self.violations += await audit.leaked(rehearsal.network, others)
        self._judge(rehearsal, notes, summary)
        if self.must_end_well and not script.is_done:
            self.violations.append("the session did not come to the end of its script")
        if self.chosen is not None and self.chosen.scope is Scope.BUG and summary is not None:
            self.violations.append("somebody swallowed the bug")
        return Played(self.checkpoints, notes, summary, self.violations)

    async def _trade(self, rehearsal: Rehearsal) -> Summary | None:
        summary = None
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._end)
            try:
                with self.checkpoints.counted():
                    summary = await app.trade(rehearsal.settings, rehearsal.surroundings, rehearsal.stop)
            except* Bug:
                pass
            except* Exception as group:  # noqa: BLE001 - whatever it is, nobody should have met it
                self.violations += [f"raised {leaf!r}" for leaf in leaves(group)]
            nursery.cancel_scope.cancel()
        return summary

    async def _end(self) -> None:
        await trio.sleep(END_DEADLINE)
        self.violations.append(f"the session did not end within {END_DEADLINE:g} s")
        self.checkpoints.caller.cancel()

    @contextmanager
    def _played_by(self, script: Script) -> Generator[None]:
        """Let ``script`` trade, count what happens, and look at the pool between the ends of work and services."""
        checkpoints, trade, serve = self.checkpoints, app.Work.run, Generations.run

        async def work(work: app.Work, wanted_ns: int) -> Summary:
            try:
                with checkpoints.working():
                    return await trade(work, wanted_ns)
            finally:
                with checkpoints.paused(), trio.move_on_after(END_DEADLINE, shield=True):
                    self.violations += await audit.unusable(work.http, work.settings.http.connections)

        async def generation(  # noqa: ASYNC128 - serve calls it
            generations: Generations, ready: TaskStatus[Session]
        ) -> None:
            with checkpoints.generation() as scope:
                await serve(generations, ready)
            if scope.cancelled_caught:
                raise StreamClosedError(1006, "cancelled")

        with (
            replaced(app, "Probe", lambda *_: script),
            replaced(app.Work, "run", work),
            replaced(Generations, "run", generation),
        ):
            yield

    def _judge(self, rehearsal: Rehearsal, notes: Notes, summary: Summary | None) -> None:
        exchange, found = rehearsal.exchange, self.violations
        found += audit.sent_twice(notes, exchange)
        found += audit.placed_too_early(notes)
        found += audit.left_resting(exchange, summary, self.errors)
        found += audit.left_unknown(exchange, summary)
        ends = {"the stop": self.stopped_at}
        if not self.must_end_well:
            ends["the cancellation"] = self.checkpoints.cancelled_at
        for event, at in ends.items():
            if at is not None:
                found += audit.placed_too_late(notes, exchange, at, event, DELAY + JITTER)
