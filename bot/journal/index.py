"""An index of the orders in recorded sessions, in SQLite.

It is a cache. The sessions tell everything; a session only grows, so of each is read what came since. What is
missing, damaged, of another version, or does not fit the sessions any more, is thrown away and made again.
"""

import os
import sqlite3
from collections.abc import Callable, Iterable, Sequence
from contextlib import closing, suppress
from pathlib import Path
from typing import TypeVar

import attrs
import msgspec

from bot.core.recovered import RecoveredOrder
from bot.journal import names
from bot.journal.indexing import Reading, retold_row
from bot.journal.part import ChangedPartError
from bot.journal.private import new_file
from bot.journal.reader import BEGINNING, Place, RecordedSession
from bot.journal.recovery import UnknownRecordError

T = TypeVar("T")

NAME = "orders.index"

VERSION = 1
"""Of what follows, and of what is read out of sessions."""

BUSY_S = 2.0
"""Seconds to wait for somebody else who asks."""

_TABLES = """
CREATE TABLE sessions (first TEXT PRIMARY KEY, run_id TEXT, started_ns INTEGER, files TEXT, place TEXT);
CREATE TABLE orders (client_id TEXT PRIMARY KEY, venue_id TEXT, placed_ns INTEGER, is_over INTEGER, told TEXT,
                     session TEXT);
CREATE INDEX orders_by_venue_id ON orders (venue_id);
CREATE TABLE changes (client_id TEXT, session TEXT, record INTEGER, ns INTEGER, state TEXT, filled TEXT, reason TEXT,
                      cancelling INTEGER, PRIMARY KEY (client_id, session, record)) WITHOUT ROWID;
CREATE INDEX changes_by_session ON changes (session);
"""


@attrs.frozen
class IndexedOrder:
    """An order of ours, as the newest record tells that concerns it."""

    recovered: RecoveredOrder
    placed_ns: int
    """When it was decided: Unix ns, as the machine believed."""

    session: Path
    """The first part of the newest that tells of it."""


@attrs.frozen
class Change:
    """What a record changed of an order. ``ns`` is as in `IndexedOrder`."""

    session: Path
    record: int
    ns: int
    state: str
    filled: str
    reason: str
    cancelling: bool


class Index:
    """What `ask` gives to a question."""

    def __init__(self, database: sqlite3.Connection) -> None:
        self._database = database

    def update(self, sessions: Iterable[RecordedSession]) -> None:
        """Take over what ``sessions`` tell since the last time. What else is known stays, if it is still there.

        Raises:
            OSError: one of them cannot be read.
        """
        in_order = sorted(sessions, key=lambda session: session.header.started_ns)
        if not self._is_of(in_order):
            self._clear()
        try:
            for session in in_order:
                self._read(session)
        except ChangedPartError:
            self._clear()
            for session in in_order:
                self._read(session)

    def orders(self, *, every: bool, session: Path | None = None) -> list[IndexedOrder]:
        """The newest first; unless ``every`` one is wanted, those that are not known to be over.

        ``session`` is the first part of one; of another only orders are told that this one tells of.
        """
        rows = self._database.execute(
            "SELECT told, placed_ns, session FROM orders WHERE (? OR NOT is_over) AND (? IS NULL OR client_id IN"
            " (SELECT client_id FROM changes WHERE session = ?)) ORDER BY placed_ns DESC, rowid DESC",
            (every, session and str(session), session and str(session)),
        )
        return list(map(_indexed, rows))

    def order(self, name: str) -> IndexedOrder | None:
        """The one that we, or the venue, call so."""
        row = self._database.execute(
            "SELECT told, placed_ns, session FROM orders WHERE client_id = ? OR (venue_id = ? AND venue_id != '')",
            (name, name),
        ).fetchone()
        return row and _indexed(row)

    def history(self, client_id: str) -> list[Change]:
        """What happened to it, in order."""
        rows = self._database.execute(
            "SELECT changes.session, record, ns, state, filled, reason, cancelling FROM changes"
            " JOIN sessions ON sessions.first = changes.session WHERE client_id = ? ORDER BY started_ns, record",
            (client_id,),
        )
        return [
            Change(Path(session), record, ns, state, filled, reason, bool(cancelling))
            for session, record, ns, state, filled, reason, cancelling in rows
        ]

    def _is_of(self, in_order: Sequence[RecordedSession]) -> bool:
        """Whether what it holds goes on with these: none is gone or another, and none is older than what is known."""
        known = dict(self._database.execute("SELECT first, run_id FROM sessions"))
        newest = next(iter(self._database.execute("SELECT max(started_ns) FROM sessions")))[0] or 0
        for session in in_order:
            run_id = known.pop(str(session.first), None)
            if run_id is None and session.header.started_ns < newest:
                return False
            if run_id not in {None, session.header.run_id}:
                return False
        return all(map(_is_there, known))

    def _clear(self) -> None:
        for table in ("sessions", "orders", "changes"):
            self._database.execute(f"DELETE FROM {table}")  # noqa: S608 - names from the line above

    def _read(self, session: RecordedSession) -> None:
        first, files = str(session.first), _state_of_files(session)
        row = self._database.execute("SELECT files, place FROM sessions WHERE first = ?", (first,)).fetchone()
        if row is not None and row[0] == files:
            return
        place = BEGINNING if row is None else Place(*msgspec.json.decode(row[1]))
        reading = Reading(self._database, session)
        with suppress(UnknownRecordError):  # a newer program's; what is before it counts, as before a damage
            for record in session.since(place):
                reading.meet(record)
                place = session.place
        reading.keep()
        self._database.execute(
            "INSERT OR REPLACE INTO sessions VALUES (?, ?, ?, ?, ?)",
            (
                first,
                session.header.run_id,
                session.header.started_ns,
                files,
                msgspec.json.encode(place).decode(),
            ),
        )


def ask(folder: Path | None, sessions: Sequence[RecordedSession], question: Callable[[Index], T]) -> T:
    """The answer to ``question`` of the index in ``folder``, after it took over ``sessions``.

    Where none can be kept, because of the disk or of somebody else who asks, there is one in memory for this once; so
    there is without a folder.

    Raises:
        OSError: a session cannot be read.
    """
    if folder is not None:
        with suppress(OSError, sqlite3.OperationalError):
            return _ask_kept(folder / NAME, sessions, question)
    return _ask(sqlite3.connect(":memory:"), sessions, question)


def _ask_kept(path: Path, sessions: Sequence[RecordedSession], question: Callable[[Index], T]) -> T:
    try:
        return _ask(_connect(path), sessions, question)
    except sqlite3.OperationalError:  # it may be good
        raise
    except (sqlite3.DatabaseError, KeyError, TypeError, ValueError):
        _remove(path)
    return _ask(_connect(path), sessions, question)


def _ask(
    database: sqlite3.Connection, sessions: Sequence[RecordedSession], question: Callable[[Index], T]
) -> T:
    database.isolation_level = None  # transactions begin and end where it is said here
    with closing(database):
        database.execute("BEGIN IMMEDIATE")
        (version,) = database.execute("PRAGMA user_version").fetchone()
        if version == 0:
            for statement in (*_TABLES.split(";"), f"PRAGMA user_version = {VERSION}"):
                database.execute(statement)
        elif version != VERSION:
            raise sqlite3.DatabaseError("it is of another version")
        index = Index(database)
        index.update(sessions)
        database.execute("COMMIT")
        return question(index)


def _connect(path: Path) -> sqlite3.Connection:
    with suppress(FileExistsError):
        os.close(new_file(path))  # nobody else may read it
    return sqlite3.connect(path, timeout=BUSY_S)


def _remove(path: Path) -> None:
    """With what an interrupted transaction left: another index must not be mended by that."""
    path.with_name(f"{path.name}-journal").unlink(missing_ok=True)
    path.unlink(missing_ok=True)


def _indexed(row: tuple[str, int, str]) -> IndexedOrder:
    told, placed_ns, session = row
    return IndexedOrder(retold_row(told), placed_ns, Path(session))


def _is_there(first: str) -> bool:
    try:
        return bool(names.parts(Path(first)))
    except FileNotFoundError:
        return False


def _state_of_files(session: RecordedSession) -> str:
    """It is another after anything was written."""
    states = []
    for part in session.parts.values():
        for path in (
            part,
            names.compressed(part),
        ):  # since it was found it may have been compressed, or removed
            with suppress(FileNotFoundError):
                status = path.stat()
                states.append((path.name, status.st_size, status.st_mtime_ns))
    return msgspec.json.encode(states).decode()
