"""The two manners of a replay by steps: under the recorded settings, and under others."""

from collections.abc import Iterator
from typing import Protocol

import attrs

from bot.core.tape import Kind
from bot.journal.header import Header
from bot.journal.reader import Damage
from bot.journal.record import Record
from bot.link.clock import SystemClock
from bot.replay.errors import UnusableRecordingError
from bot.replay.steps.course import part
from bot.replay.steps.hashes import Hashing, Key, StructHashing
from bot.replay.steps.replay import Replay
from bot.replay.steps.report import Divergence, Report, shown
from bot.settings import Settings
from bot.settings.recorded import of_recording
from bot.settings.value import plain

TRADING = ("strategy", "orders", "limits")
"""The sections of the settings that decide what is traded; the others are of the connection, which is recorded."""

WAY = ("via", "cancel_on_disconnect")
"""Of the orders: by which way they go is of the connection, too."""


class Session(Protocol):
    """A `bot.journal.reader.RecordedSession`: its records are read while they are replayed."""

    @property
    def header(self) -> Header: ...

    @property
    def damage(self) -> Damage | None: ...

    def __iter__(self) -> Iterator[Record]: ...


def repeat(session: Session, key: Key | None = None, hashing: Hashing | None = None) -> Report:
    """Replay a session as it was recorded: whatever differs is a divergence, and so is what makes no sense.

    ``hashing`` is what hashes the orders of a session until the ``key`` can, if there is one.

    Raises:
        UnusableRecordingError: it cannot be replayed.
    """
    report = _new_report(session.header)

    def misfit(record: Record, why: str) -> None:
        report.divergences.append(Divergence(record.number, record.ns, record.kind, why, record.data, None))

    replay = Replay(
        header=session.header,
        records=session,
        settings=recorded_settings(session.header),
        key=key,
        hashing=hashing or StructHashing(),
        report=report,
        differ=report.divergences.append,
        misfit=misfit,
    )
    _run(replay, session, report)
    if key is None:
        report.notes.append(
            "account, message hashes and signatures were believed: it takes --key to compare them"
        )
    elif session.header.account != "kept":
        report.notes.append("account and message hashes stand in the session as hashes, and were believed")
    return report


def decide_anew(session: Session, settings: Settings) -> Report:
    """Replay a session under the strategy and orders of ``settings``: its divergences are the other decisions.

    The events stay those that were recorded, whatever they say of orders with other terms; it stops where they speak
    of what is not done any more.

    Raises:
        UnusableRecordingError: it cannot be replayed.
    """
    recorded = recorded_settings(session.header)
    settings = attrs.evolve(recorded, **{name: getattr(settings, name) for name in TRADING})
    # What came of a call is no answer to a request: orders go the recorded way.
    way = {name: getattr(recorded.orders, name) for name in WAY}
    settings = attrs.evolve(settings, orders=attrs.evolve(settings.orders, **way))
    report = _new_report(session.header)
    report.settings = _changes(recorded, settings)
    placed_otherwise: set[str] = set()

    def differ(divergence: Divergence) -> None:
        data = divergence.expected if divergence.came is None else divergence.came
        match divergence.kind, data:
            case Kind.EFFECT, {"do": "place" | "modify", "client_id": str(client_id)}:
                placed_otherwise.add(client_id)
            case Kind.EFFECT, {"do": "place batch", "orders": list(batch)}:
                placed_otherwise.update(order["client_id"] for order in batch)
            case Kind.INTENT, {"client_id": client_id} if client_id not in placed_otherwise:
                pass  # only how it is sent is another
            case Kind.ALARM, {"text": str(text)} if not any(f"{name}:" in text for name in placed_otherwise):
                pass
            case Kind.EFFECT, _:
                pass
            case _:
                return  # it follows from another decision
        report.divergences.append(divergence)

    replay = Replay(
        header=session.header,
        records=session,
        settings=settings,
        key=None,
        hashing=StructHashing(),
        report=report,
        differ=differ,
        misfit=lambda record, why: part(record, f"{why}: from here on the recorded events tell nothing"),
    )
    _run(replay, session, report)
    return report


def recorded_settings(header: Header) -> Settings:
    """Raises `UnusableRecordingError`."""
    try:
        return of_recording(header.settings)
    except ValueError as error:
        raise UnusableRecordingError(f"the settings of the session cannot be read: {error}") from error


def _run(replay: Replay, session: Session, report: Report) -> None:
    clock = SystemClock()  # of the speed alone: no step reads it
    replay.run()
    report.seconds = clock.monotonic_ns() / 1e9
    if not report.records and not report.stopped:
        why = "" if session.damage is None else f", up to the damage in {session.damage}"
        raise UnusableRecordingError(f"the recording holds no record but its header{why}")
    if session.damage is not None:
        report.notes.append(f"replayed up to the damage in {session.damage}")
    elif not report.stopped and not replay.has_ended:
        report.notes.append("the recording has no end: the bot was ended while it ran")


def _new_report(header: Header) -> Report:
    return Report(
        run_id=header.run_id,
        environment=header.environment,
        version=str(header.versions.get("paradex-bot", "unknown")),
    )


def _changes(recorded: Settings, settings: Settings) -> list[str]:
    before, after = plain(recorded), plain(settings)
    return [
        f"[{section}] {name} = {shown(after[section][name])}, then {shown(value)}"
        for section in TRADING
        for name, value in before[section].items()
        if after[section][name] != value
    ] or ["the same settings"]
