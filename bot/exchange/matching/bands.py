"""How far from the going price an order may be: the band around the mark, and the slippage of market orders."""

from bot.exchange.instruments.markets import Market
from bot.exchange.matching.book import Book
from bot.exchange.matching.crossing import Bounds
from bot.exchange.matching.orders import MARKET, Order

_BPS = 10_000


def outside(order: Order, price: int, fair: int, width_bps: int) -> bool:
    """Whether a price of the order's is more aggressive than a fair price and a width allow."""
    if order.is_buy:
        return price * _BPS > fair * (_BPS + width_bps)
    return price * _BPS < fair * (_BPS - width_bps)


def bounds(order: Order, market: Market, mark: int, book: Book) -> Bounds:
    """How far the order may go: to its own price, or to the edge of the price band when it has none.

    A MARKET order is also held to an average price: the one it asked for, or the best price it meets and the
    market's largest slippage. Triggered orders are not: they have the band only. Neither rule is in the
    protocol reference beyond "max_slippage also applies" (3.5); the venue's release notes of 2025-11-18 and
    2025-12-03 and its page on VWAP price protection say so.
    """
    if not order.is_market:
        return Bounds(order.price)
    edge = _away(order, mark, market.band_bps)
    if order.type != MARKET:
        return Bounds(edge)
    if order.average_limit:
        return Bounds(edge, order.average_limit, market.step)
    best = book.opposite(order).best()
    if best is None:
        return Bounds(edge)
    return Bounds(edge, _away(order, best.price, market.slippage_bps), market.step)


def _away(order: Order, price: int, bps: int) -> int:
    return price * (_BPS + (bps if order.is_buy else -bps)) // _BPS
