"""The summary of a market: all that changes about it, at a glance."""

from collections.abc import Callable

import attrs

from bot.exchange.instruments.prices import Prices
from bot.exchange.market.funding import Funding
from bot.exchange.market.tape import Tape
from bot.exchange.matching.book import Book

Level = tuple[int, int]


@attrs.frozen
class Summary:
    """Prices, sizes and money in 10⁻⁸, rates in 10⁻¹². A side without orders is None."""

    symbol: str
    created_at_ms: int
    mark: int
    underlying: int
    fair: int
    last: int
    bid: Level | None
    ask: Level | None
    volume_24h: int
    total_volume: int
    open_interest: int
    price_24h_ago: int
    funding_rate: int


@attrs.frozen
class Summaries:
    """Puts summaries together."""

    books: dict[str, Book]
    prices: Prices
    tape: Tape
    funding: Funding
    open_interest: Callable[[str], int]

    def __call__(self, symbol: str, now_ms: int) -> Summary:
        book, price = self.books[symbol], self.prices[symbol]
        return Summary(
            symbol=symbol,
            created_at_ms=now_ms,
            mark=price.mark,
            underlying=price.underlying,
            fair=price.fair,
            last=self.tape.last(symbol),
            bid=book.bids.best_level(),
            ask=book.asks.best_level(),
            volume_24h=self.tape.volume_24h(symbol, now_ms),
            total_volume=self.tape.total_volume(symbol),
            open_interest=self.open_interest(symbol),
            price_24h_ago=self.tape.price_24h_ago(symbol, now_ms),
            funding_rate=self.funding.now(symbol).rate,
        )
