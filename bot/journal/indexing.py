"""Writes what the records of a session tell of orders into the tables of `bot.journal.index`."""

import sqlite3

import msgspec

from bot.core.fixed import render
from bot.core.recovered import RecoveredOrder, retold_order, told_order
from bot.journal.reader import RecordedSession
from bot.journal.record import Record
from bot.journal.recovery import SessionOrders

_BATCH = 10_000  # changes that are held in memory


class Reading:
    """Takes over what the records of one session tell of orders."""

    def __init__(self, database: sqlite3.Connection, session: RecordedSession) -> None:
        self._database = database
        self._session = str(session.first)
        self._started_ns = session.header.started_ns
        self._orders = SessionOrders(session.header, known=self._find)
        rows = database.execute("SELECT told FROM orders WHERE session = ? AND NOT is_over", (self._session,))
        for row in rows:
            known = retold_row(row[0])
            self._orders.open[known.order.client_id] = known
        self._shown = {client_id: _shown(each) for client_id, each in self._orders.open.items()}
        self._changed: dict[str, tuple[RecoveredOrder, int]] = {}
        """Since `keep`, by client id, with the time of the first record that changed it."""

        self._changes: list[tuple[object, ...]] = []

    def meet(self, record: Record) -> None:
        """Raises UnknownRecordError as `SessionOrders.meet`."""
        ns = self._started_ns + record.ns
        for each in self._orders.meet(record):
            order, shown = each.order, _shown(each)
            _, first_ns = self._changed.get(order.client_id, (None, ns))
            self._changed[order.client_id] = each, first_ns
            if self._shown.get(order.client_id) != shown:
                self._changes.append((order.client_id, self._session, record.number, ns, *shown))
            if order.is_over:
                self._shown.pop(order.client_id, None)
            else:
                self._shown[order.client_id] = shown
        if len(self._changes) > _BATCH:
            self.keep()

    def keep(self) -> None:
        """Write what was met."""
        self._database.executemany(
            "INSERT INTO orders VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT (client_id) DO UPDATE SET"
            " venue_id = excluded.venue_id, is_over = excluded.is_over, told = excluded.told,"
            " session = excluded.session",
            (
                (client_id, each.order.venue_id, first_ns, each.order.is_over, _row(each), self._session)
                for client_id, (each, first_ns) in self._changed.items()
            ),
        )
        self._database.executemany(
            "INSERT OR REPLACE INTO changes VALUES (?, ?, ?, ?, ?, ?, ?, ?)", self._changes
        )
        self._changed.clear()
        self._changes.clear()

    def _find(self, client_id: str) -> RecoveredOrder | None:
        if client_id in self._changed:
            return self._changed[client_id][0]
        row = self._database.execute("SELECT told FROM orders WHERE client_id = ?", (client_id,)).fetchone()
        return row and retold_row(row[0])


def _row(each: RecoveredOrder) -> str:
    return msgspec.json.encode(told_order(each)).decode()


def retold_row(told: str) -> RecoveredOrder:
    """What the column ``told`` holds."""
    return retold_order(msgspec.json.decode(told))


def _shown(each: RecoveredOrder) -> tuple[str, str, str, bool]:
    """What is told of a change."""
    order = each.order
    return order.state, render(order.filled), order.reason, order.cancelling
