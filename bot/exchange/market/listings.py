"""The markets of the embedded exchange: the venue's published figures (protocol reference 3.6)."""

from typing import Any

import attrs

from bot.core.fixed import parse, render


@attrs.frozen
class Market:
    """One perpetual. Prices, sizes and money in 10⁻⁸; rates as the venue's decimal text."""

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
    min_notional: int = parse("10")
    band_bps: int = 500
    slippage_bps: int = 10

    def listing(self) -> dict[str, Any]:
        """The MarketResp object."""
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
            "max_tob_spread": "0.2",
            "clamp_rate": "0.05",
            "interest_rate": "0.01",
            "max_funding_rate": "0.02",
            "max_funding_rate_change": "0.0005",
            "funding_multiplier": 1,
            "funding_period_hours": 8,
            "oracle_ewma_factor": "0.20000046249626113",
            "price_feed_id": "",
            "open_at": 0,
            "expiry_at": 0,
            "strike_price": "0",
            "option_type": None,
            "fee_config": {"api_fee": pro, "interactive_fee": retail, "rpi_fee": retail},
            "delta1_cross_margin_params": {
                "imf_base": self.imf_base,
                "imf_factor": "0",
                "imf_shift": "0",
                "mmf_factor": "0.5",
            },
            "option_cross_margin_params": None,
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
        ),
    )
}
