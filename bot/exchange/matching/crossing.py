"""Matching one incoming order against a book. Pure: no clock, no ids, no publishing."""

import attrs

from bot.exchange.matching.book import Book
from bot.exchange.matching.orders import EXPIRE_MAKER, EXPIRE_TAKER, Order


@attrs.frozen
class Match:
    """One match. The price is the maker's, in 10⁻⁸; what remained of each order right after it."""

    maker: Order
    taker: Order
    price: int
    size: int
    maker_remaining: int
    taker_remaining: int


@attrs.frozen
class Bounds:
    """How far an incoming order may go, in 10⁻⁸: the worst price of a fill, and the worst average of all its fills.

    Without ``average`` any average goes; with one, fills are cut to multiples of ``step``.
    """

    price: int
    average: int = 0
    step: int = 1


@attrs.define
class Matched:
    """What an incoming order did: trades in order, makers expired by self-trade prevention, and itself.

    ``stopped_by_average`` is whether it would have gone on but for the bound of its average price.
    """

    trades: list[Match] = attrs.field(factory=list)
    expired: list[Order] = attrs.field(factory=list)
    taker_expired: bool = False
    stopped_by_average: bool = False


def crosses(taker: Order, limit: int, price: int) -> bool:
    """Whether an incoming order with this limit would trade at a resting price."""
    return price <= limit if taker.is_buy else price >= limit


def would_cross(book: Book, order: Order, price: int) -> bool:
    """Whether the order would take liquidity at this price."""
    best = book.opposite(order).best()
    return best is not None and crosses(order, price, best.price)


def match(book: Book, taker: Order, bounds: Bounds) -> Matched:
    """Fill the incoming order from the book, best price first and first in line within a price.

    Fills orders and removes exhausted or expired makers from the book; the caller gives orders their statuses
    and rests what remains. Self-trade prevention is the incoming order's mode (protocol reference 3.5).
    """
    matched = Matched()
    side = book.opposite(taker)
    while taker.remaining:
        maker = side.best()
        if maker is None or not crosses(taker, bounds.price, maker.price):
            break
        if maker.account == taker.account:
            if taker.stp != EXPIRE_TAKER:
                side.remove(maker)
                matched.expired.append(maker)
            if taker.stp != EXPIRE_MAKER:
                matched.taker_expired = True
                break
            continue
        size = min(taker.remaining, maker.remaining, _within_average(taker, maker.price, bounds))
        if not size:
            matched.stopped_by_average = True
            break
        taker.fill(maker.price, size)
        maker.fill(maker.price, size)
        side.reduce(maker, size)
        matched.trades.append(Match(maker, taker, maker.price, size, maker.remaining, taker.remaining))
    return matched


def _within_average(taker: Order, price: int, bounds: Bounds) -> int:
    """How much it may take at a price until the average of its fills is at the bound."""
    worse = price - bounds.average if taker.is_buy else bounds.average - price
    if not bounds.average or worse <= 0:
        return taker.remaining
    better = taker.filled * bounds.average - taker.filled_value
    size = (better if taker.is_buy else -better) // worse
    return max(size - size % bounds.step, 0)
