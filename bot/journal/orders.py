"""The verb ``bot orders``: our orders, as the sessions of the state directory tell of them."""

from collections.abc import Callable, Iterable
from itertools import groupby
from operator import attrgetter
from pathlib import Path
from typing import Any

import attrs

from bot.core.fixed import render
from bot.core.order import TERMINAL, Order, OrderType
from bot.core.recovered import told_order
from bot.journal.account import listed_journals
from bot.journal.file import is_being_written
from bot.journal.index import Change, Index, IndexedOrder, ask
from bot.journal.output import complain, into_a_pipe, put, put_json
from bot.journal.reader import NotAJournalError, RecordedSession, find
from bot.journal.sessions import in_words, newest_first, session_named
from bot.journal.telling import utc

GOOD, REFUSED = 0, 2

WIDTH = 120
"""Characters of a terminal that people have."""

_SHORT_ID = 8
"""The last digits of the venue's id, where there is no room for more."""

_HEADINGS = (
    "UTC",
    "client id",
    "venue id",
    "market",
    "side",
    "type",
    "size",
    "filled",
    "price",
    "state",
    "reason",
)
_VENUE_ID, _REASON = _HEADINGS.index("venue id"), _HEADINGS.index("reason")
_NUMBERS = {_HEADINGS.index(name) for name in ("size", "filled", "price")}

Told = tuple[IndexedOrder, list[Change]]
"""An order and its history."""


@into_a_pipe
def orders(name: str | None, folder: Callable[[], Path], *, every: bool = False, json: bool = False) -> int:
    """Print orders, the newest first. Returns the exit code.

    Args:
        name: a session, by a file of it or its run id: only orders that it tells of. Or one order, by our id or the
            venue's: with its history.
        folder: where sessions are, and their index. It raises ValueError if the settings do not tell.
        every: those that are over, too.
        json: a JSON object for each, with its history.
    """
    try:
        place = folder().absolute()
        sessions = _sessions(place)
        session = session_named(name, lambda: sessions) if name else None
        if name and session is None:
            return _print_one(name, ask(place, sessions, lambda index: _one(index, name)), json=json)
        first = None if session is None else session.first.absolute()
        question = _Question(every=every, session=first, with_histories=json)
        if session is None or first in {each.first for each in sessions}:
            found = ask(place, sessions, question.ask)
        else:  # of no concern to the index
            sessions = [find(session.first.absolute())]
            found = ask(None, sessions, question.ask)
    except (OSError, ValueError) as error:
        complain(in_words(error))
        return REFUSED
    if not every:
        ended = {each.first for each in sessions if _has_ended_with_its_exchange(each)}
        found = [told for told in found if told[0].session not in ended]
    if json:
        for told in found:
            put_json(_plain(told))
    elif found:
        _print_table([order for order, _ in found])
    else:
        complain("there is no order" if every else "every order is over, as far as is known")
    return GOOD


def _sessions(folder: Path) -> list[RecordedSession]:
    """Those in the folder, and those elsewhere without which nobody knows what is open."""
    sessions = newest_first(folder, complain)
    for path in listed_journals(folder) - {session.first for session in sessions}:
        try:
            sessions.append(find(path))
        except (NotAJournalError, OSError) as error:
            complain(in_words(error))
    return list({session.header.run_id: session for session in sessions}.values())  # a copy tells nothing new


def _has_ended_with_its_exchange(session: RecordedSession) -> bool:
    """Whatever became of its orders, there is no venue any more that could hold one."""
    return (
        session.header.environment == "embedded"
        and not session.header.settings.get("venue", {}).get("rest_url")
        and not is_being_written(session.parts[max(session.parts)])
    )


@attrs.frozen(kw_only=True)
class _Question:
    every: bool
    session: Path | None
    with_histories: bool

    def ask(self, index: Index) -> list[Told]:
        return [
            (each, index.history(each.recovered.order.client_id) if self.with_histories else [])
            for each in index.orders(every=self.every, session=self.session)
        ]


def _one(index: Index, name: str) -> Told | None:
    order = index.order(name)
    return None if order is None else (order, index.history(order.recovered.order.client_id))


def _print_one(name: str, told: Told | None, *, json: bool) -> int:
    if told is None:
        complain(f"no order and no session is called {name}")
        return REFUSED
    if json:
        put_json(_plain(told))
        return GOOD
    order, history = told[0].recovered.order, told[1]
    put(
        f"{order.client_id}: {order.side} {render(order.size)} {order.market}, {order.type} at {_price(order)}, "
        f"{order.instruction}; id={order.venue_id or 'unknown'}"
    )
    for session, changes in groupby(history, key=attrgetter("session")):
        put(f"in {session}:")
        for change in changes:
            time = utc(change.ns, "%Y-%m-%d %H:%M:%S.%f")
            remark = _remark(change.reason, change.state, cancelling=change.cancelling)
            put(
                f"  {time} {change.record:>8}  {change.state:<14}  filled {change.filled:<10}  {remark}".rstrip()
            )
    return GOOD


def _print_table(found: Iterable[IndexedOrder]) -> None:
    rows = [_HEADINGS, *map(_cells, found)]
    widths = _widths(rows)
    if sum(widths) + len(widths) > WIDTH + 1:
        rows = [(*row[:_VENUE_ID], _shortened(row[_VENUE_ID]), *row[_VENUE_ID + 1 :]) for row in rows]
        widths = _widths(rows)
    room = max(len(_HEADINGS[_REASON]), WIDTH - sum(widths[:_REASON]) - _REASON)
    for row in rows:
        cells = (
            cell.rjust(width) if column in _NUMBERS else cell.ljust(width)
            for column, (cell, width) in enumerate(zip(row[:_REASON], widths[:_REASON], strict=True))
        )
        put(" ".join([*cells, _cut(row[_REASON], room)]).rstrip())


def _cut(text: str, room: int) -> str:
    return text if len(text) <= room else f"{text[: room - 1]}…"


def _widths(rows: Iterable[tuple[str, ...]]) -> list[int]:
    return [max(map(len, column)) for column in zip(*rows, strict=True)]


def _shortened(venue_id: str) -> str:
    return venue_id if len(venue_id) <= _SHORT_ID + 1 else f"…{venue_id[-_SHORT_ID:]}"


def _cells(indexed: IndexedOrder) -> tuple[str, ...]:
    order = indexed.recovered.order
    return (
        utc(indexed.placed_ns, "%m-%d %H:%M:%S"),
        order.client_id,
        order.venue_id,
        order.market,
        order.side,
        order.type,
        render(order.size),
        render(order.filled),
        _price(order),
        order.state,
        _remark(order.reason, order.state, cancelling=order.cancelling),
    )


def _price(order: Order) -> str:
    return "market" if order.type is OrderType.MARKET else render(order.price)


def _remark(reason: str, state: str, *, cancelling: bool) -> str:
    return ", ".join(filter(None, ("cancel asked" if cancelling and state not in TERMINAL else "", reason)))


def _plain(told: Told) -> dict[str, Any]:
    order, history = told
    return {
        "placed_ns": order.placed_ns,
        "session": str(order.session),
        **told_order(order.recovered),
        "history": [attrs.asdict(change) | {"session": str(change.session)} for change in history],
    }
