"""The verbs of ``bot journal``. Each returns the exit code.

``folder`` is where sessions are that are not named by a file. Only who needs it calls it, for it reads the settings,
and raises ValueError if they do not tell.

Each prints a line for every session, record or file. With ``json`` that is a JSON object: ``jq`` takes them one by
one, and begins with the first before the last is known.
"""

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from decimal import Decimal
from itertools import chain, takewhile
from operator import attrgetter
from pathlib import Path
from typing import Any

import attrs
import msgspec

from bot.core.tape import Kind
from bot.journal import names
from bot.journal.checks import Finding, findings
from bot.journal.concern import about, ids_of
from bot.journal.file import is_being_written
from bot.journal.output import DAMAGED, GOOD, REFUSED, complain, into_a_pipe, put, put_json
from bot.journal.reader import Damage, RecordedSession
from bot.journal.record import Record
from bot.journal.sessions import in_words, newest_first, session_chosen
from bot.journal.tally import Tally
from bot.journal.telling import as_json, told, utc

MOST_FINDINGS = 100
"""So many are told of a session. Whoever has more knows enough."""


@into_a_pipe
def ls(folder: Callable[[], Path], *, json: bool = False) -> int:
    """Print the sessions in a folder, the newest first. Each is read to its end, to know how it ended."""
    try:
        sessions = newest_first(folder(), complain)
    except (OSError, ValueError) as error:
        complain(in_words(error))
        return REFUSED
    for session in sessions:
        entry = _entry(session)
        if json:
            put_json(entry)
        else:
            put(_row(entry))
    return GOOD


@into_a_pipe
def show(
    name: str | None,
    folder: Callable[[], Path],
    *,
    order: str | None = None,
    kinds: Sequence[str] = (),
    begin: str = "0",
    end: str | None = None,
    json: bool = False,
) -> int:
    """Print the records of a session, its header first, and say in the end if it is damaged.

    Args:
        name: a file of the session, or its run id; None for the newest.
        folder: as above.
        order: only what concerns this order: our id of it, or the venue's.
        kinds: only records of these kinds; ``ws`` is every kind that begins so and goes on with a sign.
        begin: from this record on: its number, or a time like ``12.5s``.
        end: to this record, as ``begin``.
        json: the records as they are.
    """
    try:
        session = session_chosen(name, folder)
        chosen = _chosen(session, order, frozenset(kinds), _place(begin), _place(end) if end else None)
    except (OSError, ValueError) as error:
        complain(in_words(error))
        return REFUSED
    nothing = True
    for record in chosen:
        nothing = False
        if json:
            data = msgspec.Raw(as_json(record.data).encode())
            put_json(
                {
                    "number": record.number,
                    "ns": record.ns,
                    "generation": record.generation,
                    "kind": record.kind,
                    "data": data,
                }
            )
        else:
            put(told(record))
    if session.damage is not None:
        complain(str(session.damage))
        return DAMAGED
    if nothing and order is not None:
        complain(f"{session.first} holds nothing of an order {order}")
        return REFUSED
    return GOOD


@into_a_pipe
def verify(sessions: Iterable[str], folder: Callable[[], Path], *, json: bool = False) -> int:
    """Read sessions to their end, and print of each whether it is good: undamaged, possible, and without secrets.

    ``sessions`` are files or run ids, as for `show`.
    """
    code = GOOD
    for name in sessions:
        try:
            session = session_chosen(name, folder)
        except (OSError, ValueError) as error:
            code = REFUSED
            if json:
                put_json({"session": name, "good": False, "error": in_words(error)})
            else:
                put(in_words(error))
            continue
        tally = Tally()
        found = list(findings(tally.passing(session)))
        is_good = not found and session.damage is None
        if not is_good:
            code = max(code, DAMAGED)
        if json:
            put_json(
                {
                    "session": str(session.first),
                    "good": is_good,
                    "records": tally.records,
                    "orders": tally.orders,
                    "seconds": tally.ns / 1e9,
                    "parts": len(session.parts),
                    "damage": _plain(session.damage),
                    "findings": [attrs.asdict(finding) for finding in found[:MOST_FINDINGS]],
                    "more_findings": max(0, len(found) - MOST_FINDINGS),
                }
            )
        else:
            _tell(session, tally, found)
    return code


def _tell(session: RecordedSession, tally: Tally, found: Sequence[Finding]) -> None:
    faults = ["damaged"] if session.damage else []
    faults += [f"{len(found)} finding{'s' if len(found) > 1 else ''}"] if found else []
    put(f"{session.first}: {', '.join(faults) or 'good'}; {tally.records} records, {tally.orders} orders")
    for finding in found[:MOST_FINDINGS]:
        put(f"  record {finding.record}: {finding.text}")
    if len(found) > MOST_FINDINGS:
        put(f"  and {len(found) - MOST_FINDINGS} more")
    if session.damage is not None:
        put(f"  {session.damage}")


def _row(entry: dict[str, Any]) -> str:
    files = f"{entry['bytes'] / 1024:.0f} KiB" + (f" in {entry['parts']} parts" if entry["parts"] > 1 else "")
    return (
        f"{utc(entry['started_ns'])}  {entry['environment']:<8}  {entry['run_id']:<20}  {entry['seconds']:>9.1f} s"
        f"  {entry['records']:>8} records  {entry['orders']:>6} orders  {entry['end']:<9}  {files}"
    )


def _entry(session: RecordedSession) -> dict[str, Any]:
    tally = Tally()
    for _ in tally.passing(session):
        pass
    return {
        "session": str(session.first),
        "run_id": session.header.run_id,
        "environment": session.header.environment,
        "started_ns": session.header.started_ns,
        "seconds": tally.ns / 1e9,
        "records": tally.records,
        "orders": tally.orders,
        "end": _end(session, tally),
        "exit_code": tally.exit_code,
        "damage": _plain(session.damage),
        "parts": len(session.parts),
        "bytes": sum(map(_size, session.parts.values())),
    }


def _size(part: Path) -> int:
    """In bytes, of the form that is there: since the part was found it may have been compressed, or removed."""
    for path in (part, names.compressed(part)):
        with suppress(FileNotFoundError):
            return path.stat().st_size
    return 0


def _end(session: RecordedSession, tally: Tally) -> str:
    """A session that is being written may end in the middle of a record, so that is looked at first."""
    if tally.exit_code is None and is_being_written(session.parts[max(session.parts)]):
        return "running"
    if session.damage is not None:
        return "damaged"
    return "broke off" if tally.exit_code is None else f"exit {tally.exit_code}"


def _plain(damage: Damage | None) -> dict[str, Any] | None:
    return None if damage is None else attrs.asdict(damage) | {"part": str(damage.part)}


Place = tuple[Callable[[Record], int], int]
"""What to look at in a record, and with what to compare it."""


def _place(text: str) -> Place:
    match = re.fullmatch(r"(\d{1,18})|(\d{1,9}(?:\.\d{1,9})?)s", text, re.ASCII)
    if match is None:
        raise ValueError(f"{text} is no place in a session: that is a record's number, or a time like 12.5s")
    number, seconds = match.groups()
    if number is not None:
        return attrgetter("number"), int(number)
    return attrgetter("ns"), int(Decimal(seconds) * 10**9)


def _chosen(
    session: RecordedSession, order: str | None, kinds: frozenset[str], begin: Place, end: Place | None
) -> Iterator[Record]:
    unknown = kinds - {*Kind, *map(_stem, Kind)}
    if unknown:
        raise ValueError(f"there is no kind {', '.join(sorted(unknown))}: the kinds are {' '.join(Kind)}")
    records: Iterable[Record] = chain([Record(0, 0, 0, Kind.HEADER, attrs.asdict(session.header))], session)
    if order is not None:
        records = about(ids_of(order, session), records)
    if end is not None:
        last, latest = end
        records = takewhile(lambda record: last(record) <= latest, records)
    first, earliest = begin
    return (
        record
        for record in records
        if first(record) >= earliest and (not kinds or record.kind in kinds or _stem(record.kind) in kinds)
    )


def _stem(kind: str) -> str:
    return kind.rstrip("+<>!")
