"""Which records of a session are about one order."""

import re
from collections.abc import Iterable, Iterator
from typing import Any

from bot.core.tape import Kind
from bot.journal.record import Record


def ids_of(order: str, records: Iterable[Record]) -> set[str]:
    """``order``, our id of it or the venue's, and the other id, if the session tells."""
    ids = {order}
    for record in records:
        match record.kind, record.data:
            case Kind.ORDER, {"client_id": str(ours), "venue_id": str(theirs)} if order in {ours, theirs}:
                ids |= {ours, theirs} - {""}
    return ids


def about(ids: Iterable[str], records: Iterable[Record]) -> Iterator[Record]:
    """The records that name one of ``ids``, and the requests that were made because of these, with their answers.

    An outcome names the numbers of its answers: so the list of open orders in which an order was found counts, too.
    """
    name = re.compile(r"(?<![\w-])(?:" + "|".join(map(re.escape, ids)) + r")(?![\w-])")
    causes: set[int] = set()
    exchanges: set[int] = set()
    for record in records:
        data = record.data if isinstance(record.data, dict) else {}
        own, of = _numbers(data.get("x")), _numbers(data.get("of"))
        if own & exchanges or of & causes or any(map(name.search, _texts(record.data))):
            if record.kind is Kind.EFFECT:
                causes.add(record.number)
            if record.kind in {Kind.REQUEST, Kind.ANSWER, Kind.FRAME_OUT}:
                exchanges |= own
            yield record


def _numbers(data: Any) -> set[int]:
    """A number, or those in a list; a snapshot has a list of lists."""
    several = data if isinstance(data, list) else [data]
    flat = [each for part in several for each in (part if isinstance(part, list) else [part])]
    return {number for number in flat if isinstance(number, int)}


def _texts(data: Any) -> Iterator[str]:
    """Every text in ``data``, however deep."""
    waiting = [data]
    while waiting:
        match waiting.pop():
            case str(text):
                yield text
            case dict(members):
                waiting.extend(members.values())
            case list(members):
                waiting.extend(members)
