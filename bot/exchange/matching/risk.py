"""The second phase of acceptance: what the engine checks before an order trades (protocol reference 3.5)."""

from collections.abc import Callable, Iterable, Mapping

import attrs

from bot.exchange.clearing.clearing import Clearing
from bot.exchange.instruments.markets import Market
from bot.exchange.instruments.prices import Prices
from bot.exchange.matching.bands import bounds, outside
from bot.exchange.matching.book import Book
from bot.exchange.matching.crossing import would_cross
from bot.exchange.matching.ledger import OrderLedger
from bot.exchange.matching.orders import OPEN, POST_ONLY, Order, is_synthetic
from bot.exchange.matching.reduce_only import reduces


@attrs.frozen
class Risk:
    """Says why an order may not trade at a price and a size. Nothing here changes anything."""

    markets: Mapping[str, Market]
    ledger: OrderLedger
    clearing: Clearing
    prices: Prices

    def refusal(self, order: Order, book: Book, price: int, size: int) -> str:
        """The cancel reason for an order that would trade ``size`` at ``price`` (0 for MARKET types), or nothing.

        Synthetic participants have no limits but those of the book.
        For a modification these are the new values; the order as it rests does not count beside itself.
        """
        reason = self._by_the_book(order, book, price)
        return (
            reason
            if reason or is_synthetic(order.account)
            else self._by_the_account(order, book, price, size)
        )

    def _by_the_book(self, order: Order, book: Book, price: int) -> str:
        if order.is_market and book.opposite(order).best() is None:
            return "EMPTY_MARKET"
        if order.instruction == POST_ONLY and would_cross(book, order, price):
            return "POST_ONLY_WOULD_CROSS"
        return ""

    def _by_the_account(self, order: Order, book: Book, price: int, size: int) -> str:
        market, mark = self.markets[order.market], self.prices[order.market].mark
        if not order.is_market and outside(order, price, mark, market.band_bps):
            return "EXCEEDS_MAX_SLIPPAGE"
        position = self.clearing.position(order.account, order.market).size
        others = [other for other in self._open(order.account, order.market) if other is not order]
        if order.is_reduce_only and not fits(order, price, size, position, others):
            return "REDUCE_ONLY_WILL_INCREASE"
        pending = sum(other.remaining for other in others if other.side == order.side)
        if size + pending + (position if order.is_buy else -position) > market.position_limit:
            return "ORDER_EXCEEDS_POSITION_LIMIT"
        return "" if self._can_carry(order, book, price, size) else "NOT_ENOUGH_MARGIN"

    def trigger_refusal(self, order: Order, size: int) -> str:
        """The cancel reason for an order that would wait for its trigger, or nothing."""
        position = self.clearing.position(order.account, order.market).size
        if order.is_reduce_only and (not reduces(order, position) or size > abs(position)):
            return "REDUCE_ONLY_WILL_INCREASE"
        return ""

    def _can_carry(self, order: Order, book: Book, price: int, size: int) -> bool:
        if order.is_market:
            price = self._worst_price(order, book)
        return self.clearing.can_carry(
            order.account, order.market, order.is_buy, price, size, self._others(order)
        )

    def _worst_price(self, order: Order, book: Book) -> int:
        """What a MARKET type may have to pay on average; without a bound of its own, what is best now."""
        limits = bounds(order, self.markets[order.market], self.prices[order.market].mark, book)
        best = book.opposite(order).best()
        return limits.average or (best.price if best else limits.price)

    def _open(self, account: int, market: str) -> Iterable[Order]:
        return (order for order in self.ledger.live_in(account, market) if order.status == OPEN)

    def _others(self, order: Order) -> Callable[[str], Iterable[Order]]:
        return lambda market: (other for other in self._open(order.account, market) if other is not order)


def fits(order: Order, price: int, size: int, position: int, others: Iterable[Order]) -> bool:
    """Whether a reduce-only order is covered by the position after what is ahead of it among the account's own.

    Nothing is ahead of an order without a price.
    """
    ahead = 0
    if not order.is_market:
        ahead = sum(
            other.remaining
            for other in others
            if other.side == order.side and (other.price >= price if order.is_buy else other.price <= price)
        )
    return reduces(order, position) and ahead + size <= abs(position)
