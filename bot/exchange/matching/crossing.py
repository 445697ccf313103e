"""Matching one incoming order against a book. Pure: no clock, no ids, no publishing."""

import attrs

from bot.exchange.matching.book import Book
from bot.exchange.matching.orders import Order

EXPIRE_MAKER = "EXPIRE_MAKER"
EXPIRE_TAKER = "EXPIRE_TAKER"
EXPIRE_BOTH = "EXPIRE_BOTH"


@attrs.frozen
class Match:
    """One match. The price is the maker's, in 10⁻⁸; what remained of each order right after it."""

    maker: Order
    taker: Order
    price: int
    size: int
    maker_remaining: int
    taker_remaining: int


@attrs.define
class Matched:
    """What an incoming order did: trades in order, makers expired by self-trade prevention, and itself."""

    trades: list[Match] = attrs.field(factory=list)
    expired: list[Order] = attrs.field(factory=list)
    taker_expired: bool = False


def crosses(taker: Order, limit: int, price: int) -> bool:
    """Whether an incoming order with this limit would trade at a resting price."""
    return price <= limit if taker.is_buy else price >= limit


def would_cross(book: Book, order: Order) -> bool:
    """Whether the order would take liquidity at its own price."""
    best = book.opposite(order).best()
    return best is not None and crosses(order, order.price, best.price)


def match(book: Book, taker: Order, limit: int) -> Matched:
    """Fill the incoming order from the book, best price first and oldest first within a price.

    Fills orders and removes exhausted or expired makers from the book; the caller gives orders their statuses
    and rests what remains. Self-trade prevention is the incoming order's mode (protocol reference 3.5).
    """
    matched = Matched()
    side = book.opposite(taker)
    while taker.remaining:
        maker = side.best()
        if maker is None or not crosses(taker, limit, maker.price):
            break
        if maker.account == taker.account:
            if taker.stp != EXPIRE_TAKER:
                side.remove(maker)
                matched.expired.append(maker)
            if taker.stp != EXPIRE_MAKER:
                matched.taker_expired = True
                break
            continue
        size = min(taker.remaining, maker.remaining)
        taker.fill(maker.price, size)
        maker.fill(maker.price, size)
        matched.trades.append(Match(maker, taker, maker.price, size, maker.remaining, taker.remaining))
        if not maker.remaining:
            side.remove(maker)
    return matched
