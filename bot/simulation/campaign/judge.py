"""What is wrong with a run of several lives: the oracle's invariants, and what no life may do whatever strikes."""

from collections.abc import Iterator
from collections.abc import Set as AbstractSet

import attrs

from bot import app
from bot.core.order import State
from bot.core.tape import Kind as Record
from bot.exchange.matching.orders import CLOSED
from bot.journal.checks import findings
from bot.journal.reader import find
from bot.journal.sent import placed
from bot.replay.errors import UnusableRecordingError
from bot.replay.steps.manners import repeat
from bot.simulation.campaign.invariants import armed, left_in_time, reserve_kept
from bot.simulation.campaign.life import Life
from bot.simulation.campaign.schedule import Schedule
from bot.simulation.campaign.stage import Stage
from bot.simulation.campaign.strikes.kind import Excuse
from bot.simulation.campaign.strikes.table import KINDS
from bot.simulation.evidence import Evidence
from bot.simulation.notes import Line, Notes
from bot.simulation.oracle import INVARIANTS
from bot.simulation.world import replaced

STOPS = "the end of the campaign"
"""Why the last life stops."""

OF_EACH_LIFE = ("I5", "I7", "I10")
"""Invariants that hold of what one life did, whatever came before and after."""

OF_ALL = ("I1", "I2")
AT_REST = ("I3",)
OF_THE_LAST = ("I4",)
OF_WHO_ENDED = ("I6", "I9")

FATAL, LEFT = 3, 4

REPLAYED_EVERY = 4
"""The journals of one seed in so many are replayed."""


@attrs.define(eq=False)
class AllLives(Evidence):
    """The lives of one account as if they were one."""

    run_ids: tuple[str, ...] = attrs.field(kw_only=True)

    def is_ours(self, client_id: str) -> bool:
        return client_id.startswith(tuple(f"{run_id}-" for run_id in self.run_ids))


def at_its_end(life: Life) -> list[str]:
    """What has to hold right when a life has ended by itself."""
    evidence = life.evidence
    if evidence is None or life.summary is None:
        return []
    evidence.summary = life.summary
    return list(_named(life, evidence, ("I6",)))


def at_the_end(stage: Stage, schedule: Schedule) -> list[str]:
    """What has to hold when everything is over."""
    excused = {
        excuse
        for strike in schedule.strikes
        if stage.struck[strike.number]
        for excuse in KINDS[strike.kind].excuses
    }
    return [*_invariants(stage, excused), *_endings(stage, excused), *_journals(stage), *_venue(stage)]


def _invariants(stage: Stage, excused: AbstractSet[Excuse]) -> Iterator[str]:
    lives = [life for life in stage.lives if life.evidence is not None]
    for life in lives:
        assert life.evidence is not None
        life.evidence.one_way = float("inf")  # who says how long a message took, on such a way
        life.evidence.well_since = stage.seconds
        life.evidence.summary = life.summary
        yield from _named(life, life.evidence, OF_EACH_LIFE)
        yield from (f"armed: life {life.number}: {found}" for found in _not_armed(stage, life.evidence))
        for found in reserve_kept(life.evidence.lines, stage.scarce):
            yield f"reserve: life {life.number}: {found}"
        for found in left_in_time(life.evidence.lines, life.evidence.seconds):
            yield f"ahead: life {life.number}: {found}"
        if life.summary is not None:
            yield from _named(life, life.evidence, ("I6",) if life.has_lost_its_journal else OF_WHO_ENDED)
    if not lives:
        return
    last, together = lives[-1], _together(lives)
    yield from _named(None, together, OF_ALL if Excuse.LIED in excused else (*OF_ALL, "gate"))
    if last.summary is not None:
        assert last.evidence is not None
        yield from _named(last, last.evidence, OF_THE_LAST)
        yield from _named(None, together, AT_REST)


def _not_armed(stage: Stage, evidence: Evidence) -> Iterator[str]:
    if stage.conditions.settings.orders.cancel_on_disconnect:
        yield from armed(evidence.lines)


def _named(life: Life | None, evidence: Evidence, names: tuple[str, ...]) -> Iterator[str]:
    whose = "" if life is None else f"life {life.number}: "
    for name in names:
        for found in INVARIANTS[name](evidence):
            yield f"{name}: {whose}{found}"


def _together(lives: list[Life]) -> AllLives:
    *_, last = told = [life.evidence for life in lives if life.evidence is not None]
    lines = [line for life in lives for line in _that_left(life)]
    return AllLives(
        exchange=last.exchange,
        notes=Notes(last.notes.tape, lines),
        run_id=last.run_id,
        public_key=last.public_key,
        one_way=last.one_way,
        journal=None,
        summary=last.summary,
        openings=[opening for each in told for opening in each.openings],
        managers=last.managers if len(lives) == 1 else [],
        run_ids=tuple(each.run_id for each in told),
    )


def _that_left(life: Life) -> Iterator[Line]:
    """The lines of a life; but of a killed one nothing of orders that had not left, or not again."""
    assert life.evidence is not None
    lines = life.evidence.lines
    if life.killed_at is None:
        yield from lines
        return
    left = {order["client_id"] for line in lines for order in placed(line.kind, line.data) or ()}
    for line in lines:
        if line.kind is Record.ORDER and life.evidence.is_ours(name := line.data["client_id"]):
            if name in left and line.data["state"] != State.INTENT:
                yield line
        else:
            yield line


# How lives end.


def _endings(stage: Stage, excused: AbstractSet[Excuse]) -> Iterator[str]:
    for life in stage.lives:
        yield from (f"life {life.number}: it raised {error!r}" for error in life.raised)
        if life.gave_up and Excuse.FATAL not in excused:
            yield f"life {life.number}: it gave up: {life.gave_up}"
        if life.summary is None:
            continue
        code, is_last = life.summary.exit_code, life.rehearsal.stop.reason == STOPS
        if code == FATAL and Excuse.FATAL not in excused:
            yield f"life {life.number}: it gave up: {life.summary.exit_reason}"
        if code == LEFT and is_last and Excuse.LOST not in excused:
            names = ", ".join(order.client_id for order in life.summary.unresolved)
            yield f"life {life.number}: it left {names} unresolved, and all was well"
    last = stage.lives[-1]
    if last.rehearsal.stop.reason != STOPS and not last.raised:
        yield f"there were {len(stage.lives)} lives, and none came to the end"


def _venue(stage: Stage) -> Iterator[str]:
    """The exchange is sound itself; and what others placed there is nobody's business."""
    if missing := stage.exchange.clearing.discrepancy():
        yield f"exchange: its books miss conserving money by {missing}"
    if stage.exchange.engine.faults:
        yield f"exchange: {stage.exchange.engine.faults} commands broke in it"
    if stage.conditions.settings.orders.cancel_on_disconnect:
        return  # the venue may do it: these were on the account when a WebSocket of ours ended
    for order_id in stage.foreign:
        order = stage.exchange.orders.get(order_id)  # a restart may have lost it
        if order is not None and order.status == CLOSED and order.cancel_reason == "USER_CANCELED":
            yield f"order {order_id} of somebody else was cancelled"


# What is written.


def _journals(stage: Stage) -> Iterator[str]:
    for life in stage.lives:
        if life.journal.exists():
            yield from (f"life {life.number}: {found}" for found in _journal(stage, life))


def _journal(stage: Stage, life: Life) -> Iterator[str]:
    session = find(life.journal)
    for finding in findings(session):
        yield f"record {finding.record} of its journal: {finding.text}"
    may_be_torn = life.killed_at is not None or life.has_lost_its_journal
    if session.damage is not None and not may_be_torn:
        yield f"its journal is damaged: {session.damage}"
    text = life.journal.read_bytes()
    yield from ("I8: a secret is in its journal" for secret in secrets_of(stage) if secret in text)
    if stage.seed % REPLAYED_EVERY == 0:
        yield from _replay(life)


def _replay(life: Life) -> Iterator[str]:
    """Played again from its journal by the same strategy, it decides the same."""
    with replaced(app, "Probe", lambda *_: life.new_strategy()):
        try:
            report = repeat(find(life.journal))
        except UnusableRecordingError as unusable:
            if life.evidence is not None and life.evidence.managers and not life.has_lost_its_journal:
                yield f"replay: {unusable}"
            return
    if report.stopped:
        yield f"replay: stopped at {report.stopped}"
    yield from (f"replay: {divergence.to_text()}" for divergence in report.divergences[:1])


def secrets_of(stage: Stage) -> tuple[bytes, ...]:
    """What nobody may write down: the key, and the beginning of any token."""
    key = int(stage.private_key, 16)
    return f"{key:x}".encode(), str(key).encode(), b"eyJ"
