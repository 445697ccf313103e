"""One market's resting orders, in price-time priority, with a running total of each price."""

from bisect import bisect_left, insort
from collections.abc import Iterator
from typing import NamedTuple

import attrs

from bot.exchange.matching.orders import BUY, SELL, Order


class Change(NamedTuple):
    """The new total size at one price of one side (BUY: bids); 0 when nobody is left there."""

    side: str
    price: int
    size: int


class Level(NamedTuple):
    """The total size at one price."""

    price: int
    size: int


class _Queue:
    """The orders at one price: retail ones first (protocol reference 3.5), then by arrival."""

    __slots__ = ("others", "retail", "total")

    def __init__(self) -> None:
        self.retail: dict[str, Order] = {}
        self.others: dict[str, Order] = {}
        self.total = 0

    def of(self, order: Order) -> dict[str, Order]:
        return self.retail if order.is_retail else self.others

    def first(self) -> Order:
        return next(iter(self.retail.values() if self.retail else self.others.values()))


class Side:
    """The bids or the asks of a book."""

    def __init__(self, *, is_bid: bool) -> None:
        # Sorted worst to best, so that the best level is popped from the end: bids by price, asks by -price.
        self._sign = 1 if is_bid else -1
        self._name = BUY if is_bid else SELL
        self._keys: list[int] = []
        self._queues: dict[int, _Queue] = {}
        self._touched: dict[int, int] = {}

    def add(self, order: Order) -> None:
        """Put an order at the end of the line at its price."""
        key = order.price * self._sign
        queue = self._queues.get(key)
        if queue is None:
            queue = self._queues[key] = _Queue()
            insort(self._keys, key)
        self._touched.setdefault(key, queue.total)
        queue.of(order)[order.id] = order
        queue.total += order.remaining

    def remove(self, order: Order) -> bool:
        """Take an order out. False when it was not here."""
        key = order.price * self._sign
        queue = self._queues.get(key)
        if queue is None or queue.of(order).pop(order.id, None) is None:
            return False
        self._touched.setdefault(key, queue.total)
        queue.total -= order.remaining
        if not queue.retail and not queue.others:
            del self._queues[key]
            del self._keys[bisect_left(self._keys, key)]
        return True

    def reduce(self, order: Order, size: int) -> None:
        """Count a resting order's size down by what it lost, and take it out when nothing remains of it."""
        key = order.price * self._sign
        queue = self._queues[key]
        self._touched.setdefault(key, queue.total)
        queue.total -= size
        if not order.remaining:
            self.remove(order)

    def best(self) -> Order | None:
        """The order first in line."""
        return self._queues[self._keys[-1]].first() if self._keys else None

    def best_level(self) -> Level | None:
        return self._level(self._keys[-1]) if self._keys else None

    def levels(self, depth: int | None = None) -> list[Level]:
        """The best levels, best first; all of them without ``depth``."""
        keys = self._keys if depth is None else self._keys[max(len(self._keys) - depth, 0) :]
        return [self._level(key) for key in reversed(keys)]

    def changes(self) -> list[Change]:
        """The prices whose totals differ from what they were when this was last asked."""
        touched, self._touched = self._touched, {}
        return [
            Change(self._name, key * self._sign, size)
            for key, before in touched.items()
            if (size := self._queues[key].total if key in self._queues else 0) != before
        ]

    @property
    def is_touched(self) -> bool:
        """Whether an order came, went or was filled since `changes` was last asked."""
        return bool(self._touched)

    def _level(self, key: int) -> Level:
        return Level(key * self._sign, self._queues[key].total)

    def __iter__(self) -> Iterator[Order]:
        """All orders by priority."""
        for key in reversed(self._keys):
            queue = self._queues[key]
            yield from queue.retail.values()
            yield from queue.others.values()


@attrs.define
class Book:
    """Both sides of a market. ``seq_no`` counts the steps that touched it; the last was at ``updated_at_ms``."""

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

    def levels(self, side: str, depth: int | None = None) -> list[Level]:
        """The best levels of BUY (bids) or SELL (asks), best first; all of them without ``depth``."""
        return (self.bids if side == BUY else self.asks).levels(depth)

    def close_step(self, now_ms: int) -> tuple[Change, ...] | None:
        """Number the step that ends here and hand over its changes, or None when it left the book alone.

        Changes may be empty: what a step took away it may have put back.
        """
        if not self.bids.is_touched and not self.asks.is_touched:
            return None
        self.seq_no += 1
        self.updated_at_ms = now_ms
        return (*self.bids.changes(), *self.asks.changes())


def aggregate(levels: list[Level], side: str, tick: int, depth: int | None = None) -> list[Level]:
    """Levels, best first, summed into steps of ``tick`` (10⁻⁸): bids round down and asks up, never better."""
    sums: dict[int, int] = {}
    for price, size in levels:
        rounded = price - price % tick if side == BUY else price + -price % tick
        if depth is not None and len(sums) == depth and rounded not in sums:
            break
        sums[rounded] = sums.get(rounded, 0) + size
    return [Level(price, size) for price, size in sums.items()]
