"""Klines of every market: of trades, of the mark and of the spot price (/markets/klines)."""

from collections.abc import Sequence

from bot.core.fixed import SCALE
from bot.exchange.instruments.prices import Price
from bot.exchange.market.bars import MINUTE_MS, Bar, Series, longer, since
from bot.exchange.market.past import Past
from bot.exchange.matching.events import Trade

RESOLUTIONS = (1, 3, 5, 15, 30, 60)
"""Minutes."""

PRICE_KINDS = ("last", "mark", "underlying")


class Klines:
    """Keeps minutes; longer bars are put together when asked for."""

    def __init__(self, pasts: dict[str, Past]) -> None:
        self._pasts = pasts
        self._series = {(symbol, kind): Series() for symbol in pasts for kind in PRICE_KINDS}

    def trade(self, trade: Trade) -> int:
        """Record a trade; what it was worth in USD, in 10⁻⁸."""
        value = trade.price * trade.size // SCALE
        self._series[trade.market, "last"].take(trade.created_at_ms, trade.price, trade.size, value)
        return value

    def price(self, symbol: str, price: Price, now_ms: int) -> None:
        """Record what a market is worth."""
        self._series[symbol, "mark"].take(now_ms, price.mark)
        self._series[symbol, "underlying"].take(now_ms, price.underlying)

    def query(
        self, symbol: str, resolution: int, start_ms: int, end_ms: int, now_ms: int, kind: str = "last"
    ) -> list[Bar]:
        """Bars of so many minutes that start within both times, oldest first; none begins after now."""
        if resolution not in RESOLUTIONS or kind not in PRICE_KINDS:
            raise ValueError(f"no klines of {resolution} min of {kind!r}")
        bars = self._from(symbol, kind, start_ms, before=1)
        return list(longer(bars, resolution * MINUTE_MS, start_ms, min(end_ms, now_ms)))

    def minutes(self, symbol: str, kind: str, start_ms: int) -> Sequence[Bar]:
        """The minutes from this time on in which something came, oldest first. Not to be changed by the caller."""
        return self._from(symbol, kind, start_ms, before=0)

    def _from(self, symbol: str, kind: str, start_ms: int, before: int) -> Sequence[Bar]:
        series = self._series[symbol, kind]
        bars = series.bars()
        index = since(bars, start_ms)
        if index > 0 or series.forgot:
            return bars[max(index - before, 0) :]
        past = [getattr(minute, kind) for minute in self._pasts[symbol].minutes()]
        return [*past[max(since(past, start_ms) - before, 0) :], *bars]
