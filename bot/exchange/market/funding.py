"""Funding: rate, premium and index of every market, each second (protocol reference 3.9; risk-system pages).

    raw rate  = basis + clip(interest rate - basis, ± clamp rate), clipped to ± the highest rate
    rate      = smoothed raw rate, half-life 30 minutes
    premium   = rate × spot, what a long pays for one unit in one period
    index    += premium × dt / period; nothing after a gap of more than 30 s

All of it per funding period. USDC is worth one USD here.
"""

from collections.abc import Iterator, Mapping

import attrs

from bot.core.fixed import SCALE
from bot.exchange.history import History
from bot.exchange.instruments.markets import RATE_SCALE, Market
from bot.exchange.instruments.prices import Price
from bot.exchange.market.bars import MINUTE_MS
from bot.exchange.market.past import Past

KEPT_POINTS = 7 * 24 * 60
"""Minutes of funding data remembered in each market. Chosen."""

LONGEST_GAP_MS = 30_000
_HALF_LIFE_S = 1800
_SMOOTHING = round((1 - 0.5 ** (1 / _HALF_LIFE_S)) * RATE_SCALE)
_FINER = SCALE
"""The index is kept in 10⁻¹⁶, so that ticks of a second lose nothing that would show."""


@attrs.frozen
class FundingPoint:
    """Funding of a market at a time. Rates in 10⁻¹² a funding period; premium and index in 10⁻⁸ USD a unit."""

    market: str
    created_at_ms: int
    rate: int
    premium: int
    index: int
    impact_premium_rate: int
    period_hours: int


@attrs.define
class _State:
    rate: int
    basis: int
    spot: int
    fine_index: int
    ticked_ms: int
    noted_ms: int


class _Indexes(Mapping[str, int]):
    def __init__(self, states: dict[str, _State]) -> None:
        self._states = states

    def __getitem__(self, symbol: str) -> int:
        return self._states[symbol].fine_index // _FINER

    def __iter__(self) -> Iterator[str]:
        return iter(self._states)

    def __len__(self) -> int:
        return len(self._states)


class Funding:
    """Ticked by the market's driver. One row of history a minute; it begins with the past's."""

    def __init__(self, markets: dict[str, Market], pasts: dict[str, Past], opened_ms: int) -> None:
        self._markets = markets
        self._pasts = pasts
        self._history: dict[str, History[FundingPoint]] = {}
        self._unasked = {symbol: History[FundingPoint](KEPT_POINTS) for symbol in markets}
        self._states = {
            symbol: _State(
                rate=market.interest_rate,
                basis=0,
                spot=market.opening_price,
                fine_index=pasts[symbol].opening_index * _FINER,
                ticked_ms=opened_ms,
                noted_ms=opened_ms,
            )
            for symbol, market in markets.items()
        }
        self.index: Mapping[str, int] = _Indexes(self._states)
        """By symbol: what one unit that was long since launch has paid, in 10⁻⁸ USD."""

    def tick(self, symbol: str, price: Price, now_ms: int) -> None:
        """Move the index by what the last rate made of the time since, then look at the rate again."""
        market, state = self._markets[symbol], self._states[symbol]
        gap_ms = now_ms - state.ticked_ms
        if 0 <= gap_ms <= LONGEST_GAP_MS:  # a machine's clock may be set back
            period_ms = market.funding_period_hours * 60 * MINUTE_MS
            state.fine_index += state.rate * state.spot * _FINER * gap_ms // (RATE_SCALE * period_ms)
        state.ticked_ms = now_ms
        state.spot = price.underlying
        state.basis = (price.mark - price.underlying) * RATE_SCALE // price.underlying
        state.rate += (raw_rate(market, state.basis) - state.rate) * _SMOOTHING // RATE_SCALE
        if now_ms - state.noted_ms >= MINUTE_MS:
            rows = self._history[symbol] if symbol in self._history else self._unasked[symbol]
            rows.add(self.now(symbol))
            state.noted_ms = now_ms

    def now(self, symbol: str) -> FundingPoint:
        """Funding as of the last tick."""
        state = self._states[symbol]
        index = state.fine_index // _FINER
        return self._point(symbol, state.ticked_ms, state.rate, state.basis, state.spot, index)

    def history(self, symbol: str) -> History[FundingPoint]:
        """Funding data of a market, a row a minute. Not to be changed by the caller."""
        if symbol not in self._history:
            self._history[symbol] = self._with_past(symbol)
        return self._history[symbol]

    def _with_past(self, symbol: str) -> History[FundingPoint]:
        """What was noted so far, behind the past, which is worked out when somebody asks."""
        past, rows = self._pasts[symbol], History[FundingPoint](KEPT_POINTS)
        for then in past.funding():
            index = past.opening_index - then.index_back // _FINER
            rows.add(self._point(symbol, then.at_ms, then.rate, then.basis, then.spot, index))
        for point in self._unasked.pop(symbol):
            rows.add(point)
        return rows

    def _point(self, symbol: str, at_ms: int, rate: int, basis: int, spot: int, index: int) -> FundingPoint:
        premium = rate * spot // RATE_SCALE
        return FundingPoint(
            symbol, at_ms, rate, premium, index, basis, self._markets[symbol].funding_period_hours
        )


def raw_rate(market: Market, basis: int) -> int:
    """The rate that a basis alone would make, in 10⁻¹² a period."""
    pull = max(-market.clamp_rate, min(market.interest_rate - basis, market.clamp_rate))
    return max(-market.max_funding_rate, min(basis + pull, market.max_funding_rate))
