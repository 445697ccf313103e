"""The house: a quiet quote on each side, so that a book is never empty."""

from collections.abc import Callable
from random import Random

from bot.exchange.market.listings import Market
from bot.exchange.matching.book import Book
from bot.exchange.matching.orders import HOUSE, OPEN, Order


class House:
    """Keeps one resting order on each side of one book. It never takes, and it never moves by itself.

    The distance from the mark is drawn once, 1 to 4 ticks per side. A quote that was eaten comes back whole, at
    its price or, while somebody rests in the way, one tick behind them.
    """

    def __init__(self, market: Market, book: Book, rng: Random, new_id: Callable[[], str]) -> None:
        self._market = market
        self._book = book
        self._new_id = new_id
        self._bid_price = market.opening_price - rng.randint(1, 4) * market.tick
        self._ask_price = market.opening_price + rng.randint(1, 4) * market.tick
        self._bid: Order | None = None
        self._ask: Order | None = None

    def quote(self, now_ms: int) -> bool:
        """Put back what is missing or displaced. True when the book changed."""
        best_ask, best_bid = self._book.asks.best(), self._book.bids.best()
        tick = self._market.tick
        bid = self._bid_price if best_ask is None else min(self._bid_price, best_ask.price - tick)
        ask = self._ask_price if best_bid is None else max(self._ask_price, best_bid.price + tick)
        changed = False
        if self._bid is None or not self._bid.remaining or self._bid.price != bid:
            self._bid = self._replace(self._bid, "BUY", bid, now_ms)
            changed = True
        if self._ask is None or not self._ask.remaining or self._ask.price != ask:
            self._ask = self._replace(self._ask, "SELL", ask, now_ms)
            changed = True
        return changed

    def _replace(self, old: Order | None, side: str, price: int, now_ms: int) -> Order:
        if old is not None:
            self._book.remove(old)
        order = Order(
            id=self._new_id(),
            account=HOUSE,
            client_id="",
            market=self._market.symbol,
            side=side,
            type="LIMIT",
            instruction="POST_ONLY",
            price=price,
            size=self._market.house_size,
            stp="EXPIRE_TAKER",
            flags=(),
            signed_at_ms=now_ms,
            received_at_ms=now_ms,
            created_at_ms=now_ms,
            updated_at_ms=now_ms,
            remaining=self._market.house_size,
            status=OPEN,
        )
        self._book.rest(order)
        return order
