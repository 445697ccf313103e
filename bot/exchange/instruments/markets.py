"""The markets of the embedded exchange: the venue's published figures (protocol reference 3.6)."""

from collections.abc import Collection
from typing import Any

import attrs

from bot.core.fixed import SCALE, parse, render
from bot.exchange.errors import VenueError

RATE_SCALE = 10**12
"""Rates of funding are ints of 10⁻¹², the resolution of the venue's binary frames (protocol reference 6.3)."""


def rate(text: str) -> int:
    return parse(text) * (RATE_SCALE // SCALE)


def render_rate(value: int) -> str:
    """Write units of 10⁻¹² as a plain decimal without trailing zeros."""
    whole, fraction = divmod(abs(value), RATE_SCALE)
    text = f"{whole}.{fraction:012d}".rstrip("0").rstrip(".")
    return f"-{text}" if value < 0 else text


@attrs.frozen
class Market:
    """One perpetual. Prices, sizes and money in 10⁻⁸; funding rates in 10⁻¹² a period; margin as the venue's text.

    ``house_size`` is what synthetic participants hold to be a lot, ``trade_size`` what they usually take.
    """

    symbol: str
    base: str
    tick: int
    step: int
    max_order_size: int
    position_limit: int
    max_open_orders: int
    imf_base: str
    opening_price: int
    house_size: int
    trade_size: int
    min_notional: int = parse("10")
    band_bps: int = 500
    slippage_bps: int = 10
    interest_rate: int = rate("0.0001")
    clamp_rate: int = rate("0.0005")
    max_funding_rate: int = rate("0.02")
    funding_period_hours: int = 8

    def listing(self) -> dict[str, Any]:
        """The MarketResp object; what only options have is left out, as the schema has no null for it."""
        fee = {"fee_cap": "", "fee_floor": ""}
        pro = {"maker_fee": {"fee": "0.00003", **fee}, "taker_fee": {"fee": "0.00045", **fee}}
        retail = {"maker_fee": {"fee": "0", **fee}, "taker_fee": {"fee": "0", **fee}}
        return {
            "symbol": self.symbol,
            "base_currency": self.base,
            "quote_currency": "USD",
            "settlement_currency": "USDC",
            "asset_kind": "PERP",
            "market_kind": "cross",
            "trading_mode": "STANDARD",
            "tags": [],
            "price_tick_size": render(self.tick),
            "order_size_increment": render(self.step),
            "min_notional": render(self.min_notional),
            "max_order_size": render(self.max_order_size),
            "position_limit": render(self.position_limit),
            "max_open_orders": self.max_open_orders,
            "max_slippage": render(self.slippage_bps * 10_000),
            "price_bands_width": render(self.band_bps * 10_000),
            "iv_bands_width": "0",
            "max_tob_spread": "0.01",
            "clamp_rate": render_rate(self.clamp_rate),
            "interest_rate": render_rate(self.interest_rate),
            "max_funding_rate": render_rate(self.max_funding_rate),
            "max_funding_rate_change": "0.0005",
            "funding_multiplier": 1,
            "funding_period_hours": self.funding_period_hours,
            "oracle_ewma_factor": "0.20000046249626113",
            "price_feed_id": "",
            "open_at": 0,
            "expiry_at": 0,
            "strike_price": "0",
            "fee_config": {"api_fee": pro, "interactive_fee": retail, "rpi_fee": retail},
            "delta1_cross_margin_params": {
                "imf_base": self.imf_base,
                "imf_factor": "0",
                "imf_shift": "0",
                "mmf_factor": "0.5",
            },
        }


MARKETS = {
    market.symbol: market
    for market in (
        Market(
            symbol="BTC-USD-PERP",
            base="BTC",
            tick=parse("0.1"),
            step=parse("0.00001"),
            max_order_size=parse("100"),
            position_limit=parse("300"),
            max_open_orders=150,
            imf_base="0.02",
            opening_price=parse("85000"),
            house_size=parse("2"),
            trade_size=parse("0.04"),
        ),
        Market(
            symbol="ETH-USD-PERP",
            base="ETH",
            tick=parse("0.01"),
            step=parse("0.0001"),
            max_order_size=parse("1000"),
            position_limit=parse("9000"),
            max_open_orders=150,
            imf_base="0.02",
            opening_price=parse("2800"),
            house_size=parse("50"),
            trade_size=parse("1"),
        ),
        Market(
            symbol="SOL-USD-PERP",
            base="SOL",
            tick=parse("0.001"),
            step=parse("0.01"),
            max_order_size=parse("10000"),
            position_limit=parse("60000"),
            max_open_orders=100,
            imf_base="0.02",
            opening_price=parse("130"),
            house_size=parse("1000"),
            trade_size=parse("20"),
        ),
    )
}


def check_market(symbol: str, markets: Collection[str]) -> str:
    """The symbol again.

    Raises:
        VenueError: MARKET_NOT_FOUND.
    """
    if symbol not in markets:
        raise VenueError("MARKET_NOT_FOUND", f"market {symbol[:40]!r} does not exist")
    return symbol
