"""What a session with a fault in it came to, and whether the bot kept its promise (`faults.md`): nothing lost,
nothing doubled, and nothing guessed.
"""

from collections import Counter
from collections.abc import Iterator, Mapping
from collections.abc import Set as AbstractSet
from typing import Any

import attrs

from bot.core.fixed import parse
from bot.core.order import TERMINAL, State
from bot.core.tape import Kind
from bot.journal.record import Record
from bot.replay.network.orders import Book, VenueOrder
from bot.replay.network.score import new_orders
from bot.replay.network.story import words

SAME = {
    State.NEW: frozenset({"NEW"}),
    State.UNTRIGGERED: frozenset({"UNTRIGGERED"}),
    State.OPEN: frozenset({"OPEN", "UNTRIGGERED"}),
    State.PARTLY_FILLED: frozenset({"NEW", "OPEN", "UNTRIGGERED"}),
    State.CLOSED: frozenset({"CLOSED"}),
    State.REJECTED: frozenset({""}),
    State.NEVER_ACCEPTED: frozenset({""}),
}
"""What the venue has when the bot is right; an order in any other state is in doubt."""


TERMS = ("market", "side", "size", "price")
"""Two orders of the same are one that is sent again, if nobody knows yet what became of the first."""


@attrs.frozen(kw_only=True)
class Standing:
    """One order, as the bot knows it and as the venue has it."""

    client_id: str
    state: str
    filled: str
    venue_status: str
    """Empty: the venue has no such order."""

    venue_filled: int | None
    """In units of 10⁻⁸; None where the venue contradicts itself."""

    @property
    def is_over(self) -> bool:
        return self.state in TERMINAL

    @property
    def agrees(self) -> bool:
        if self.state not in SAME or self.venue_status not in SAME[State(self.state)]:
            return False
        return not self.venue_status or self.venue_filled in {None, parse(self.filled)}

    def __str__(self) -> str:
        return f"{self.client_id}: {self.state}, filled {self.filled}; at the venue {self.venue_status or 'none'}"


def standings(known: Mapping[str, Mapping[str, Any]], book: Book) -> list[Standing]:
    """Every order that the bot decided on or the venue has. ``known``: the last that the tape said of each."""
    here = [name for name, order in book.orders.items() if order.part.posted is not None and order.is_here]
    names = dict.fromkeys([*known, *here])
    return [_standing(name, known.get(name, {}), book.orders.get(name)) for name in names]


def _standing(client_id: str, known: Mapping[str, Any], order: VenueOrder | None) -> Standing:
    is_here = order is not None and order.is_here
    return Standing(
        client_id=client_id,
        state=known.get("state", "not known to the bot"),
        filled=known.get("filled", "0"),
        venue_status=order.status if order is not None and is_here else "",
        venue_filled=None if order is None or order.contradicts_itself else order.filled,
    )


def broken_promises(
    orders: list[Standing], unresolved: AbstractSet[str], sent: Mapping[str, int], records: list[Record]
) -> Iterator[str]:
    """What the bot did that it must not do, in words. ``sent``: how often the venue was sent each order."""
    for order in orders:
        if not order.is_over and order.client_id not in unresolved:
            yield f"lost: {order}, and nobody was told"
        elif order.is_over and not order.agrees:
            yield f"guessed: {order}"
    yield from _doubled(sent, records)


def _doubled(sent: Mapping[str, int], records: list[Record]) -> Iterator[str]:
    terms: dict[str, list[Any]] = {}
    unknown: set[str] = set()
    again: Counter[str] = Counter()
    for record in records:
        match record.kind, record.data:
            case Kind.ORDER, {"client_id": client_id, "state": state}:
                (unknown.add if state == State.UNKNOWN else unknown.discard)(client_id)
                again[client_id] += state == State.NEVER_ACCEPTED  # a fact: it may be sent again
            case Kind.EFFECT, data:
                placed = {order["client_id"]: [order[each] for each in TERMS] for order in new_orders(data)}
                for other in sorted(unknown):
                    if terms.get(other) in placed.values():
                        yield f"doubled: {words(record)}, while nobody knows what became of {other}"
                terms |= placed
    for client_id, times in sent.items():
        if times > 1 + again[client_id]:
            yield f"doubled: {client_id} was sent {times} times"
