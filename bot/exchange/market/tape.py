"""The tape: every public trade, newest remembered, and the figures that are made of trades."""

from bot.exchange.event import Event
from bot.exchange.history import History
from bot.exchange.market.bars import MINUTE_MS
from bot.exchange.market.klines import Klines
from bot.exchange.market.past import Past
from bot.exchange.matching.events import Trade

KEPT_TRADES = 20_000
"""Trades remembered in each market. Chosen."""

DAY_MS = 24 * 60 * MINUTE_MS
PASTS_BEFORE = 400
"""The total volume begins with what the past traded, so many times. Chosen."""


class Tape:
    """Listens for trades. Begins with those of the past."""

    def __init__(self, pasts: dict[str, Past], klines: Klines) -> None:
        self._pasts = pasts
        self._klines = klines
        self._trades: dict[str, History[Trade]] = {}
        self._last: dict[str, int] = {}
        self._before: dict[str, int] = {}
        self._traded = dict.fromkeys(pasts, 0)

    def listen(self, event: Event) -> None:
        """Record the event if it is a trade."""
        if isinstance(event, Trade):
            self._open(event.market).add(event)
            self._last[event.market] = event.price
            self._traded[event.market] += self._klines.trade(event)

    def trades(self, symbol: str) -> History[Trade]:
        """The trades of a market. Not to be changed by the caller."""
        return self._open(symbol)

    def last(self, symbol: str) -> int:
        """The price of the last trade in 10⁻⁸."""
        self._open(symbol)
        return self._last[symbol]

    def volume_24h(self, symbol: str, now_ms: int) -> int:
        """USD traded in the last 24 hours, to the minute, in 10⁻⁸."""
        return sum(bar.value for bar in self._klines.minutes(symbol, "last", now_ms - DAY_MS))

    def total_volume(self, symbol: str) -> int:
        """USD ever traded, in 10⁻⁸: in the past, which the total before it is a multiple of, and since."""
        if symbol not in self._before:
            minutes = self._pasts[symbol].minutes()
            self._before[symbol] = sum(minute.last.value for minute in minutes) * PASTS_BEFORE
        return self._before[symbol] + self._traded[symbol]

    def price_24h_ago(self, symbol: str, now_ms: int) -> int:
        """The last price as it was 24 hours ago, in 10⁻⁸."""
        bars = self._klines.minutes(symbol, "last", now_ms - DAY_MS)
        return bars[0].open if bars else self.last(symbol)

    def _open(self, symbol: str) -> History[Trade]:
        trades = self._trades.get(symbol)
        if trades is None:
            trades = self._trades[symbol] = History(KEPT_TRADES)
            for trade in self._pasts[symbol].trades():
                trades.add(trade)
                self._last[symbol] = trade.price
        return trades
