"""One market's resting orders, in price-time priority."""

from bisect import bisect_left, insort
from collections.abc import Iterator

import attrs

from bot.exchange.matching.orders import Order


class Side:
    """The bids or the asks of a book. A level keeps its orders in order of arrival."""

    def __init__(self, *, is_bid: bool) -> None:
        # Sorted worst to best, so that the best level is popped from the end: bids by price, asks by -price.
        self._sign = 1 if is_bid else -1
        self._keys: list[int] = []
        self._levels: dict[int, dict[str, Order]] = {}

    def add(self, order: Order) -> None:
        key = order.price * self._sign
        level = self._levels.get(key)
        if level is None:
            self._levels[key] = {order.id: order}
            insort(self._keys, key)
        else:
            level[order.id] = order

    def remove(self, order: Order) -> bool:
        """Take an order out. False when it was not here."""
        key = order.price * self._sign
        level = self._levels.get(key)
        if level is None or level.pop(order.id, None) is None:
            return False
        if not level:
            del self._levels[key]
            del self._keys[bisect_left(self._keys, key)]
        return True

    def best(self) -> Order | None:
        """The order first in line: best price, then oldest."""
        return next(iter(self), None)

    def best_level(self) -> tuple[int, int] | None:
        """Price and total size of the best level."""
        if not self._keys:
            return None
        level = self._levels[self._keys[-1]]
        return abs(self._keys[-1]), sum(order.remaining for order in level.values())

    def __iter__(self) -> Iterator[Order]:
        """All orders by priority."""
        for key in reversed(self._keys):
            yield from self._levels[key].values()


@attrs.define
class Book:
    """Both sides of a market. ``seq_no`` counts changes, ``updated_at_ms`` is the last one's time."""

    market: str
    seq_no: int = 0
    updated_at_ms: int = 0
    bids: Side = attrs.field(factory=lambda: Side(is_bid=True))
    asks: Side = attrs.field(factory=lambda: Side(is_bid=False))

    def own(self, order: Order) -> Side:
        """The side an order rests on."""
        return self.bids if order.is_buy else self.asks

    def opposite(self, order: Order) -> Side:
        """The side an order takes from."""
        return self.asks if order.is_buy else self.bids

    def rest(self, order: Order) -> None:
        self.own(order).add(order)

    def remove(self, order: Order) -> bool:
        """Take a resting order out. False when it was not resting."""
        return self.own(order).remove(order)

    def touched(self, now_ms: int) -> int:
        """Count a change and return its number."""
        self.seq_no += 1
        self.updated_at_ms = now_ms
        return self.seq_no
