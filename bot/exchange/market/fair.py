"""What a market is worth: a random walk of the spot price, and a premium over it that comes and goes."""

from math import sqrt
from random import Random

import attrs

from bot.exchange.instruments.markets import Market

PPB = 10**9
"""Parts of a price are ints of 10⁻⁹."""

YEAR_SECONDS = 365 * 24 * 3600
JUMPS_A_SECOND = 1 / 900
JUMP = 25
"""A jump is that many times as wide as a usual step. Chosen, as are the two below."""

PREMIUM_STEP = 0.16
PREMIUM_LASTS = 600
"""The premium moves that much as widely as spot, and returns to nothing in so many steps."""

BASIS_HALF_LIFE = 3
"""Steps; the smoothing of each external venue's basis (risk-system pages, funding parameters)."""

LOWEST_TICKS = 1000
"""Below so many ticks a spot price is not let: there is no room for a book. Chosen."""

_BASIS_SMOOTHING = round(PPB * (1 - 0.5 ** (1 / BASIS_HALF_LIFE)))


@attrs.frozen
class _Step:
    """How spot and premium will move, in parts of a billion."""

    spot: int
    premium: int


class FairPrice:
    """One market's. Takes a step a second; the step after is drawn already, for those who know where it goes.

    Mark = spot × (1 + smoothed premium): the venue's formula where its own book has no weight, so that no client
    moves the mark (risk-system pages, mark price).
    """

    def __init__(self, market: Market, volatility: float, rng: Random) -> None:
        self._rng = rng
        self._width = PPB * volatility / sqrt(YEAR_SECONDS)
        self.lowest = LOWEST_TICKS * market.tick
        self._premium = 0
        self._basis = 0
        self.spot = market.opening_price
        self._coming = self._draw()

    @property
    def fair(self) -> int:
        """What the rest of the world pays for the perpetual."""
        return self.spot * (PPB + self._premium) // PPB

    @property
    def mark(self) -> int:
        return self.spot * (PPB + self._basis) // PPB

    @property
    def coming(self) -> int:
        """The fair price after the next step."""
        premium = self._premium + self._coming.premium - self._premium // PREMIUM_LASTS
        return self._after(self._coming) * (PPB + premium) // PPB

    def step(self) -> None:
        """A second passes."""
        self.spot = self._after(self._coming)
        self._premium += self._coming.premium - self._premium // PREMIUM_LASTS
        self._basis += (self._premium - self._basis) * _BASIS_SMOOTHING // PPB
        self._coming = self._draw()

    def move(self, price: int) -> None:
        """Everything is at this price now, and walks on from there."""
        self.spot = price
        self._premium = self._basis = 0

    def _after(self, step: _Step) -> int:
        return max(self.spot * (PPB + step.spot) // PPB, self.lowest)

    def _draw(self) -> _Step:
        spot = self._rng.gauss(0.0, self._width)
        if self._rng.random() < JUMPS_A_SECOND:
            spot += self._rng.gauss(0.0, JUMP * self._width)
        return _Step(max(round(spot), -PPB // 2), round(self._rng.gauss(0.0, PREMIUM_STEP * self._width)))
