"""What the market did before the exchange opened, so that bars, funding data and 24-hour figures are not empty.

All of it is a function of the seed, and worked out backwards from the opening price when somebody asks: nothing is
spent on an exchange whose past nobody asks for.
"""

from collections.abc import Iterator
from math import sqrt
from random import Random

import attrs

from bot.core.fixed import SCALE
from bot.exchange.instruments.markets import RATE_SCALE, Market
from bot.exchange.market.bars import MINUTE_MS, Bar
from bot.exchange.matching.events import Trade

PAST_MINUTES = 25 * 60
"""How far the past reaches. Chosen: a little over the 24 hours that the summary looks back."""

TRADED_MINUTES = 10
"""The last minutes of the past, whose single trades are known."""

_PPB = 10**9
_INDEX = _PPB // 50
"""The opening funding index is at most so much of the opening price, in parts of a billion. Chosen."""

_YEAR_MINUTES = 365 * 24 * 60


@attrs.frozen
class Minute:
    """A minute of the past: the three prices that klines are kept of (``price_kind`` of /markets/klines)."""

    underlying: Bar
    mark: Bar
    last: Bar


@attrs.frozen
class PastFunding:
    """Funding at the end of a past minute; rates in 10⁻¹² a period, ``index_back`` in 10⁻¹⁶: how much less it was."""

    at_ms: int
    rate: int
    basis: int
    spot: int
    index_back: int


class Past:
    """The past of one market, up to the minute in which the exchange opened."""

    def __init__(self, market: Market, seed: str, opened_ms: int, volatility: float) -> None:
        self._market = market
        self._seed = seed
        self._end_ms = opened_ms - opened_ms % MINUTE_MS
        self._step = _PPB * volatility / sqrt(_YEAR_MINUTES)
        self._minutes: list[Minute] = []
        self._walk = self._backwards()
        self._trades: list[Trade] | None = None
        self._funding: list[PastFunding] | None = None
        self.opening_index = Random(f"{seed} index").randint(-_INDEX, _INDEX) * market.opening_price // _PPB  # noqa: S311
        """The funding index at time 0 in 10⁻⁸ USD: as if the market had been open for long."""

    def minutes(self) -> list[Minute]:
        """All minutes, oldest first."""
        self.trades()  # which decide the volumes of the last minutes
        return self._newest(PAST_MINUTES)[::-1]

    def trades(self) -> list[Trade]:
        """The trades of the last minutes, oldest first."""
        if self._trades is None:
            rng = Random(f"{self._seed} trades")  # noqa: S311 - a simulation; one seed is one past
            self._trades = []
            for minute in reversed(self._newest(TRADED_MINUTES)):
                self._trades += self._split(minute.last, rng, len(self._trades))
        return self._trades

    def funding(self) -> list[PastFunding]:
        """Funding minute by minute, oldest first."""
        if self._funding is None:
            rng = Random(f"{self._seed} funding")  # noqa: S311 - as above
            market, rate, index_back = self._market, self._market.interest_rate, 0
            period = market.funding_period_hours * 60
            newest_first = []
            for minute in self._newest(PAST_MINUTES):
                spot, mark = minute.underlying.close, minute.mark.close
                basis = (mark - spot) * RATE_SCALE // spot
                newest_first.append(
                    PastFunding(minute.mark.start_ms + MINUTE_MS, rate, basis, spot, index_back)
                )
                index_back += rate * spot * SCALE // (RATE_SCALE * period)
                rate += (
                    round(rng.gauss(0.0, 0.02) * market.interest_rate) + (market.interest_rate - rate) // 40
                )
            self._funding = newest_first[::-1]
        return self._funding

    def _newest(self, count: int) -> list[Minute]:
        while len(self._minutes) < count:
            self._minutes.append(next(self._walk))
        return self._minutes[:count]

    def _backwards(self) -> Iterator[Minute]:
        """Minute by minute into the past: spot is a random walk, the premium of the mark returns to nothing."""
        rng = Random(f"{self._seed} past")  # noqa: S311 - as above
        market, close, premium, start_ms = self._market, self._market.opening_price, 0, self._end_ms
        while True:
            start_ms -= MINUTE_MS
            opened = max(
                close * _PPB // max(_PPB + round(rng.gauss(0.0, self._step)), _PPB // 2), market.tick
            )
            up, down = (round(rng.expovariate(2.0) * self._step) for _ in range(2))
            spot = Bar(
                start_ms,
                open=opened,
                high=max(opened, close) * (_PPB + up) // _PPB,
                low=min(opened, close) * _PPB // (_PPB + down),
                close=close,
            )
            mark = scaled(spot, _PPB + premium, 1)
            last = scaled(spot, _PPB + premium, market.tick)
            last.volume = round(rng.lognormvariate(-0.5, 1.0) * 60 * market.trade_size)
            last.volume -= last.volume % market.step
            last.value = last.volume * (last.high + last.low) // (2 * SCALE)
            yield Minute(spot, mark, last)
            close = opened
            premium = round(premium * 0.9 + rng.gauss(0.0, self._step / 10))

    def _split(self, bar: Bar, rng: Random, number: int) -> Iterator[Trade]:
        """Single trades that make up a bar."""
        prices = [bar.open, *rng.sample([bar.high, bar.low], 2), bar.close]
        prices[1:1] = [rng.choice(prices) for _ in range(rng.randint(0, 8))]
        times = sorted(rng.randrange(bar.start_ms, bar.start_ms + MINUTE_MS) for _ in prices)
        steps = bar.volume // self._market.step
        cuts = sorted(rng.randint(0, max(steps - len(prices), 0)) for _ in prices[1:])
        bounds = [0, *(cut + place for place, cut in enumerate(cuts, 1)), max(steps, len(prices))]
        bar.volume = bar.value = 0
        for place, (price, at_ms) in enumerate(zip(prices, times, strict=True)):
            size = (bounds[place + 1] - bounds[place]) * self._market.step
            bar.volume += size
            bar.value += size * price // SCALE
            yield Trade(
                id=f"{at_ms:013d}{rng.randrange(10**9):09d}{number + place:06d}",
                market=self._market.symbol,
                side=rng.choice(["BUY", "SELL"]),
                price=price,
                size=size,
                created_at_ms=at_ms,
                seq_no=0,
            )


def pasts_of(markets: dict[str, Market], seed: int, opened_ms: int, volatility: float) -> dict[str, Past]:
    """The past of each market by symbol; ``volatility`` as a part of the price in a year."""
    return {
        symbol: Past(market, f"{seed} {symbol}", opened_ms, volatility) for symbol, market in markets.items()
    }


def scaled(bar: Bar, parts: int, tick: int) -> Bar:
    """A bar with its prices multiplied by so many parts in a billion, and rounded down to the tick."""

    def scale(price: int) -> int:
        price = price * parts // _PPB
        return max(price - price % tick, tick)

    return Bar(bar.start_ms, scale(bar.open), scale(bar.high), scale(bar.low), scale(bar.close))
