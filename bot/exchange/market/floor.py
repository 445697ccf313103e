"""The floor of one market: what synthetic participants may do there."""

from typing import Protocol

from bot.exchange.instruments.markets import Market
from bot.exchange.matching.book import Book
from bot.exchange.matching.orders import BUY, EXPIRE_TAKER, IOC, LIMIT, POST_ONLY, SELL, Order
from bot.exchange.stamps import Stamps

UNBOUNDED = 1 << 100
"""No price is higher."""


class Matching(Protocol):
    """What is needed of the engine: both act at once, and past entry and its checks."""

    def place_now(self, order: Order) -> None: ...

    def cancel_now(self, order: Order) -> None: ...


class Floor:
    """Orders of participants, who are accounts with small numbers. Prices and sizes in 10⁻⁸."""

    def __init__(self, market: Market, book: Book, matching: Matching, stamps: Stamps) -> None:
        self.market = market
        self.book = book
        self._matching = matching
        self._stamps = stamps

    def rest(self, account: int, price: int, size: int, *, is_buy: bool) -> Order | None:
        """Rest an order at this price, or as near to it as the other side lets it. None when there is no place."""
        price = self.place(price, is_buy=is_buy)
        if price <= 0:
            return None
        order = self._order(account, price, size, POST_ONLY, is_buy=is_buy)
        self._matching.place_now(order)
        return order

    def take(self, account: int, limit: int, size: int, *, is_buy: bool) -> None:
        """Take what there is up to this price."""
        tick = self.market.tick
        limit = limit - limit % tick if is_buy else limit + -limit % tick
        self._matching.place_now(self._order(account, limit, size, IOC, is_buy=is_buy))

    def cancel(self, order: Order) -> None:
        """Take an order back, if it still rests."""
        if order.is_live:
            self._matching.cancel_now(order)

    def place(self, price: int, *, is_buy: bool) -> int:
        """The price, or the best one behind it that does not cross; in whole ticks, never more aggressive."""
        tick = self.market.tick
        highest_bid, lowest_ask = self.bounds()
        return min(price - price % tick, highest_bid) if is_buy else max(price + -price % tick, lowest_ask)

    def bounds(self) -> tuple[int, int]:
        """The highest price that a bid may rest at now, and the lowest for an ask."""
        ask, bid = self.book.asks.best_level(), self.book.bids.best_level()
        tick = self.market.tick
        return UNBOUNDED if ask is None else ask.price - tick, 0 if bid is None else bid.price + tick

    def whole(self, size: float) -> int:
        """A size in whole steps, one at least."""
        step = self.market.step
        return max(int(size) // step, 1) * step

    def _order(self, account: int, price: int, size: int, instruction: str, *, is_buy: bool) -> Order:
        return limit_order(self._stamps, account, self.market.symbol, price, size, instruction, is_buy=is_buy)


def limit_order(
    stamps: Stamps,
    account: int,
    symbol: str,
    price: int,
    size: int,
    instruction: str,
    *,
    is_buy: bool,
    client_id: str = "",
) -> Order:
    """An order that comes now, and not over an interface."""
    now_ms = stamps.now_ms()
    return Order(
        id=stamps.new_id(),
        account=account,
        client_id=client_id,
        market=symbol,
        side=BUY if is_buy else SELL,
        type=LIMIT,
        instruction=instruction,
        price=price,
        size=size,
        stp=EXPIRE_TAKER,
        flags=(),
        signed_at_ms=now_ms,
        received_at_ms=now_ms,
        created_at_ms=now_ms,
        updated_at_ms=now_ms,
        remaining=size,
    )
