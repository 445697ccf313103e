"""What books, trades and markets look like to clients (protocol reference 3.6)."""

from collections.abc import Sequence
from typing import Any

from bot.core.fixed import SCALE, render
from bot.exchange.instruments.markets import Market, render_rate
from bot.exchange.market.bars import Bar
from bot.exchange.market.funding import FundingPoint
from bot.exchange.market.summary import Summary
from bot.exchange.matching.book import Book, Level, aggregate
from bot.exchange.matching.events import Trade
from bot.exchange.matching.orders import BUY, SELL

DEPTH = 20
"""Levels of a REST order book when its request names no depth."""

_GREEKS = {
    "delta": "1",
    "gamma": "0",
    "vega": "0",
    "theta": "0",
    "rho": "0",
    "vanna": "0",
    "volga": "0",
}
"""Those of a perpetual: it moves with its underlying, and with nothing else."""


def listing_view(market: Market) -> dict[str, Any]:
    """A MarketResp."""
    return market.listing()


def bbo_view(book: Book, *, empty: str | None = "") -> dict[str, Any]:
    """A BBO; price and size of an empty side are both ``empty``."""
    return {
        "market": book.market,
        "seq_no": book.seq_no,
        "last_updated_at": book.updated_at_ms,
        **_touch(book.bids.best_level(), book.asks.best_level(), empty),
    }


def book_view(book: Book, depth: int = DEPTH, price_tick: int | None = None) -> dict[str, Any]:
    """A REST order book: the best levels, best first, put together in steps of ``price_tick`` (10⁻⁸) if given.

    Nobody is whitelisted for RPI here, so what retail sees (``interactive``) is what all see. A best level is
    ``[price, size]``, and empty on an empty side.
    """
    bids, asks = best_levels(book, BUY, depth, price_tick), best_levels(book, SELL, depth, price_tick)
    best_bid, best_ask = book.bids.best_level(), book.asks.best_level()
    return {
        "market": book.market,
        "seq_no": book.seq_no,
        "last_updated_at": book.updated_at_ms,
        "bids": [_pair(level) for level in bids],
        "asks": [_pair(level) for level in asks],
        "best_bid_api": _pair(best_bid),
        "best_ask_api": _pair(best_ask),
        "best_bid_interactive": _pair(best_bid),
        "best_ask_interactive": _pair(best_ask),
    }


def best_levels(book: Book, side: str, depth: int | None, price_tick: int | None = None) -> Sequence[Level]:
    """The best levels of BUY (bids) or SELL (asks), best first; in steps of ``price_tick`` (10⁻⁸) if given."""
    if price_tick is None:
        return book.levels(side, depth)
    return aggregate(book.levels(side), side, price_tick, depth)


def trade_view(trade: Trade) -> dict[str, Any]:
    """A TradeResult."""
    return {
        "id": trade.id,
        "market": trade.market,
        "side": trade.side,
        "price": render(trade.price),
        "size": render(trade.size),
        "created_at": trade.created_at_ms,
        "trade_type": "FILL",
    }


def summary_view(summary: Summary) -> dict[str, Any]:
    """A MarketSummary. What only options and dated futures have is an empty text."""
    before = summary.price_24h_ago
    change = (summary.last - before) * 10**6 // before if before else 0
    return {
        "symbol": summary.symbol,
        "created_at": summary.created_at_ms,
        "mark_price": render(summary.mark),
        "underlying_price": render(summary.underlying),
        "last_traded_price": render(summary.last),
        **_touch(summary.bid, summary.ask, ""),
        "volume_24h": render(summary.volume_24h),
        "total_volume": render(summary.total_volume),
        "open_interest": render(summary.open_interest),
        "price_change_rate_24h": render(change * (SCALE // 10**6)),
        "funding_rate": render_rate(summary.funding_rate),
        "external_fair_price": render(summary.fair),
        "delta": "1",
        "greeks": dict(_GREEKS),
        "future_funding_rate": "",
        "forward_rate": "",
        "risk_free_rate": "",
        "mark_iv": "",
        "bid_iv": "",
        "ask_iv": "",
        "last_iv": "",
    }


def funding_view(point: FundingPoint) -> dict[str, Any]:
    """A FundingData."""
    return {
        "market": point.market,
        "created_at": point.created_at_ms,
        "funding_rate": render_rate(point.rate),
        "funding_rate_8h": render_rate(point.rate * 8 // point.period_hours),
        "funding_index": render(point.index),
        "funding_premium": render(point.premium),
        "funding_period_hours": point.period_hours,
        "impact_premium_rate": render_rate(point.impact_premium_rate),
    }


def comparison_view(point: FundingPoint) -> dict[str, Any]:
    """A FundingRateComparison (protocol reference 4.3): this venue's own rate, of an hour."""
    return {
        "symbol": point.market,
        "asset_kind": "PERP",
        "source": "PARADEX",
        "hourly_funding_rate": render_rate(point.rate // point.period_hours),
        "last_updated_at": point.created_at_ms,
    }


def kline_view(bar: Bar) -> list[float]:
    """A row of klines: start in ms, open, high, low, close, volume in the base asset. Numbers, as on the venue."""
    return [
        bar.start_ms,
        bar.open / SCALE,
        bar.high / SCALE,
        bar.low / SCALE,
        bar.close / SCALE,
        bar.volume / SCALE,
    ]


def _touch(
    bid: tuple[int, int] | None, ask: tuple[int, int] | None, empty: str | None
) -> dict[str, str | None]:
    return {
        "bid": render(bid[0]) if bid else empty,
        "bid_size": render(bid[1]) if bid else empty,
        "ask": render(ask[0]) if ask else empty,
        "ask_size": render(ask[1]) if ask else empty,
    }


def _pair(level: Level | None) -> list[str]:
    return [render(level.price), render(level.size)] if level else []
