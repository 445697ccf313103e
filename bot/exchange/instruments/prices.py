"""What each market is worth, as everybody here agrees."""

from collections.abc import Iterable

import attrs

from bot.exchange.instruments.markets import Market


@attrs.define
class Price:
    """Prices of one market in 10⁻⁸: spot oracle (``underlying``), mark, and the external fair price."""

    underlying: int
    mark: int
    fair: int


class Prices:
    """The prices of all markets; whoever simulates the market moves them."""

    def __init__(self, markets: Iterable[Market]) -> None:
        self._prices = {
            market.symbol: Price(market.opening_price, market.opening_price, market.opening_price)
            for market in markets
        }

    def __getitem__(self, symbol: str) -> Price:
        return self._prices[symbol]
