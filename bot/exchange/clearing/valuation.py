"""What accounts are worth at the marks, and what margin they need: nothing here changes any of it."""

from collections.abc import Callable, Iterable, Mapping

from bot.core.fixed import SCALE, parse
from bot.exchange.clearing import fees
from bot.exchange.clearing.holdings import Holdings
from bot.exchange.clearing.margin import (
    Exposure,
    OpenOrder,
    coarse,
    fraction,
    liquidation_price,
    maintenance_rate,
)
from bot.exchange.clearing.position import Position
from bot.exchange.clearing.reports import PositionReport, Summary
from bot.exchange.instruments.markets import Market
from bot.exchange.instruments.prices import Prices
from bot.exchange.stamps import Stamps

Orders = Callable[[str], Iterable[OpenOrder]]
"""The open orders of one account, by market."""


def no_orders(_market: str) -> Iterable[OpenOrder]:
    return ()


class Valuation:
    """Values holdings at the marks and at the funding index of each market, which is here, in 10⁻⁸."""

    def __init__(self, markets: Mapping[str, Market], prices: Prices, stamps: Stamps) -> None:
        self._prices = prices
        self._stamps = stamps
        self._smallest_fraction = {symbol: int(parse(market.imf_base)) for symbol, market in markets.items()}
        self.index = dict.fromkeys(markets, 0)

    def largest_leverage(self, market: str) -> int:
        return SCALE // self._smallest_fraction[market]

    def leverage(self, held: Holdings, market: str) -> int:
        """What the account set, or the market's largest."""
        return held.leverage.get(market) or self.largest_leverage(market)

    def value(self, held: Holdings) -> int:
        """Cash and all that is not realised yet, in 10⁻⁸, rounded down."""
        unrealized = sum(
            position.value(self._prices[market].mark) + position.funding_due(self.index[market])
            for market, position in held.positions.items()
        )
        return held.cash + unrealized // SCALE

    def margins(self, held: Holdings, orders: Orders) -> tuple[int, int]:
        """Initial and maintenance margin in 10⁻⁸."""
        taker_rate = self._taker_rate(held)
        initial = maintenance = 0
        for market in self.index:
            exposure = self._exposure(held, market, orders(market))
            imf = self._fraction(held, market)
            initial += exposure.initial(imf, taker_rate)
            maintenance += exposure.maintenance(imf, taker_rate)
        return coarse(initial), coarse(maintenance)

    def carries(
        self, held: Holdings, market: str, price: int, size: int, orders: Orders, *, is_buy: bool
    ) -> bool:
        """Whether the value covers the initial margin with another order, or the order adds none (3.5)."""
        taker_rate, imf = self._taker_rate(held), self._fraction(held, market)
        exposure = self._exposure(held, market, orders(market))
        without = exposure.initial(imf, taker_rate)
        exposure.add(price, size, is_buy=is_buy)
        required = exposure.initial(imf, taker_rate)
        if required <= without:
            return True
        for other in self.index:
            if other != market:
                part = self._exposure(held, other, orders(other))
                required += part.initial(self._fraction(held, other), taker_rate)
        return self.value(held) >= coarse(required)

    def summary(self, held: Holdings, orders: Orders) -> Summary:
        """An account at the marks, with its open orders."""
        initial, maintenance = self.margins(held, orders)
        return Summary(
            account=held.account,
            collateral=held.cash,
            value=self.value(held),
            initial_margin=initial,
            maintenance_margin=maintenance,
            updated_at_ms=held.updated_at_ms,
        )

    def report(self, held: Holdings, position: Position) -> PositionReport:
        """A position of the account at the mark."""
        market = position.market
        mark, funding = self._prices[market].mark, position.funding_due(self.index[market])
        liquidation = None
        rate = maintenance_rate(self._fraction(held, market), self._taker_rate(held))
        if position.size:
            cushion = self.value(held) - self.margins(held, no_orders)[1]
            liquidation = liquidation_price(position.size, mark, cushion, rate)
        return PositionReport(
            account=held.account,
            market=market,
            size=position.size,
            average_entry_price=position.average_entry_price,
            average_exit_price=position.average_exit_price,
            cost=position.cost // SCALE,
            leverage=self.leverage(held, market),
            liquidation_price=liquidation,
            maintenance_margin=coarse(mark * abs(position.size) * rate),
            unrealized_pnl=(position.value(mark) + funding) // SCALE,
            unrealized_funding=funding // SCALE,
            realized_pnl=position.realized_pnl,
            realized_funding=position.realized_funding,
            funding_index=position.funding_index,
            last_fill_id=position.last_fill_id,
            opened_at_ms=position.opened_at_ms,
            updated_at_ms=position.updated_at_ms,
            closed_at_ms=position.closed_at_ms,
        )

    def _fraction(self, held: Holdings, market: str) -> int:
        """1 / leverage, and no less than the market's own fraction."""
        chosen, smallest = held.leverage.get(market), self._smallest_fraction[market]
        return max(smallest, fraction(chosen)) if chosen else smallest

    def _taker_rate(self, held: Holdings) -> int:
        return fees.tier(held.volume.total(self._stamps.now_ms())).taker_rate

    def _exposure(self, held: Holdings, market: str, orders: Iterable[OpenOrder]) -> Exposure:
        position = held.positions.get(market)
        return Exposure(position.size if position else 0, self._prices[market].mark).add_all(orders)
