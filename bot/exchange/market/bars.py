"""Bars: open, high, low, close and volume, a minute each, and put together to longer ones."""

from bisect import bisect_left
from collections.abc import Iterator, Sequence

import attrs

MINUTE_MS = 60_000
KEPT_MINUTES = 3 * 24 * 60
"""How many minutes a series remembers. Chosen."""


@attrs.define
class Bar:
    """One bar. Prices in 10⁻⁸; ``volume`` in the base asset and ``value`` in USD, in 10⁻⁸ too."""

    start_ms: int
    open: int
    high: int
    low: int
    close: int
    volume: int = 0
    value: int = 0

    def take(self, price: int, volume: int = 0, value: int = 0) -> None:
        """Another price, and what was traded at it."""
        self.high = max(self.high, price)
        self.low = min(self.low, price)
        self.close = price
        self.volume += volume
        self.value += value

    def join(self, later: "Bar") -> None:
        """Take in the bar that follows."""
        self.high = max(self.high, later.high)
        self.low = min(self.low, later.low)
        self.close = later.close
        self.volume += later.volume
        self.value += later.value


def start_of(bar: Bar) -> int:
    return bar.start_ms


class Series:
    """The minutes of one price, oldest first; a minute in which nothing came has no bar. Bounded."""

    def __init__(self) -> None:
        self._bars: list[Bar] = []
        self.forgot = False
        """Whether minutes were forgotten: what lies before them is forgotten too."""

    def take(self, now_ms: int, price: int, volume: int = 0, value: int = 0) -> None:
        """Record a price at a time that is not before any earlier one's."""
        start = now_ms - now_ms % MINUTE_MS
        if self._bars and self._bars[-1].start_ms >= start:
            self._bars[-1].take(price, volume, value)
            return
        self._bars.append(Bar(start, price, price, price, price, volume, value))
        if len(self._bars) >= 2 * KEPT_MINUTES:
            del self._bars[:KEPT_MINUTES]
            self.forgot = True

    def bars(self) -> Sequence[Bar]:
        """The recorded minutes, oldest first. Not to be changed by the caller."""
        return self._bars


def since(bars: Sequence[Bar], start_ms: int) -> int:
    """The index of the first bar that starts at this time or later."""
    return bisect_left(bars, start_ms, key=start_of)


def longer(bars: Sequence[Bar], length_ms: int, start_ms: int, end_ms: int) -> Iterator[Bar]:
    """Bars of this length that start within both times, from minutes.

    Every length gets its bar from the first minute there is to ``end_ms``: where nothing came, the last price
    stands, with no volume.
    """
    if not bars:
        return
    start = max(start_ms, bars[0].start_ms - bars[0].start_ms % length_ms)
    start += -start % length_ms
    index = since(bars, start)
    close = bars[index - 1].close if index else bars[0].open
    while start <= end_ms:
        bar = Bar(start, close, close, close, close)
        if index < len(bars) and bars[index].start_ms < start + length_ms:
            first = bars[index]
            bar = Bar(start, first.open, first.high, first.low, first.close, first.volume, first.value)
            index += 1
            while index < len(bars) and bars[index].start_ms < start + length_ms:
                bar.join(bars[index])
                index += 1
        close = bar.close
        yield bar
        start += length_ms
