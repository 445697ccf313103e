"""Trading fees (protocol reference 3.9)."""

import attrs

from bot.core.fixed import SCALE, parse

MAKER_RATE: int = parse("0.00003")
"""Of Pro orders. Rates are in 10⁻⁸."""

TAKER_FLOOR: int = parse("0.000175")
"""No discount takes the taker fee of a Pro order below this."""

FAST_FILL_DISCOUNT_PERCENT = 30
"""Off the taker fee of a Pro order that fills a passive Retail order."""

VOLUME_DAYS = 14
_DAY_MS = 86_400_000


@attrs.frozen
class Tier:
    """A taker rate in 10⁻⁸, and the 14-day volume in 10⁻⁸ USD from which it holds."""

    name: str
    volume: int
    taker_rate: int


TIERS = (
    Tier("Pro 0", parse("0"), parse("0.00045")),
    Tier("Pro 1", parse("1000000"), parse("0.00042")),
    Tier("Pro 2", parse("5000000"), parse("0.00039")),
    Tier("Pro 3", parse("10000000"), parse("0.00037")),
    Tier("Pro 4", parse("25000000"), parse("0.00035")),
)
"""Of Pro orders, as the venue's page on fees names them."""


class Volume:
    """What an account traded, in 10⁻⁸ USD: today and the 13 days (of UTC) before."""

    def __init__(self) -> None:
        self._days: dict[int, int] = {}
        self._today = 0
        self._total = 0

    def add(self, value: int, now_ms: int) -> None:
        """Count a trade. A bust leaves the volume as it was."""
        self._advance(now_ms)
        self._days[self._today] = self._days.get(self._today, 0) + value
        self._total += value

    def total(self, now_ms: int) -> int:
        self._advance(now_ms)
        return self._total

    def _advance(self, now_ms: int) -> None:
        today = now_ms // _DAY_MS
        if today == self._today:
            return
        self._today = today
        for day in [day for day in self._days if day <= today - VOLUME_DAYS]:
            self._total -= self._days.pop(day)


def tier(volume: int) -> Tier:
    """The tier of a 14-day volume."""
    return next(tier for tier in reversed(TIERS) if volume >= tier.volume)


def rate(taker_rate: int, *, is_maker: bool, retail: bool, fast: bool) -> int:
    """What one side of a match pays, in 10⁻⁸ of its value. Retail orders pay nothing."""
    if retail:
        return 0
    if is_maker:
        return MAKER_RATE
    if fast:
        return max(taker_rate * (100 - FAST_FILL_DISCOUNT_PERCENT) // 100, TAKER_FLOOR)
    return taker_rate


def fee(fee_rate: int, size: int, price: int) -> int:
    """Rate x size x price in 10⁻⁸, rounded up: the venue is not underpaid."""
    return -(-fee_rate * abs(size) * price // (SCALE * SCALE))
