"""Conditional orders that wait for the mark."""

from bisect import bisect_left, insort
from collections import defaultdict

from bot.exchange.matching.orders import Order

_Entry = tuple[int, int, Order]


class _Waiting:
    """Orders of one market that wait for the mark to move one way, those that it reaches last first."""

    def __init__(self, sign: int) -> None:
        self._sign = sign
        self._entries: list[_Entry] = []
        self._places: dict[str, tuple[int, int]] = {}
        self._arrivals = 0

    def add(self, order: Order) -> None:
        self._arrivals += 1
        # Negated, so that what the mark reaches first, and of those what came first, is popped from the end.
        place = (-order.trigger_price * self._sign, -self._arrivals)
        self._places[order.id] = place
        insort(self._entries, (*place, order))

    def remove(self, order: Order) -> None:
        place = self._places.pop(order.id, None)
        if place is not None:
            del self._entries[bisect_left(self._entries, place)]

    def take(self, mark: int) -> list[Order]:
        taken: list[Order] = []
        while self._entries and -self._entries[-1][0] <= mark * self._sign:
            order = self._entries.pop()[2]
            del self._places[order.id]
            taken.append(order)
        return taken


class Triggers:
    """Who waits for which mark. Adding, removing and asking cost little however many wait."""

    def __init__(self) -> None:
        self._above: defaultdict[str, _Waiting] = defaultdict(lambda: _Waiting(1))
        self._below: defaultdict[str, _Waiting] = defaultdict(lambda: _Waiting(-1))

    def add(self, order: Order) -> None:
        """Let an order wait for its ``trigger_price``."""
        self._side(order).add(order)

    def remove(self, order: Order) -> None:
        """An order waits no longer; one that did not wait is no error."""
        self._side(order).remove(order)

    def take(self, market: str, mark: int) -> list[Order]:
        """Those whose condition the mark fulfils: nearest trigger first, then by arrival. They wait no longer."""
        return self._above[market].take(mark) + self._below[market].take(mark)

    def _side(self, order: Order) -> _Waiting:
        return (self._above if order.triggers_above else self._below)[order.market]


def is_due(order: Order, mark: int) -> bool:
    """Whether the mark fulfils the order's condition."""
    return mark >= order.trigger_price if order.triggers_above else mark <= order.trigger_price
