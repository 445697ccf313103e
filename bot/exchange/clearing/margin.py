"""Cross margin: what positions and open orders require of an account (protocol reference 3.9).

The venue's page on cross margin gives open size, net requirement and what the provisions are for; it has no formula
for the provisions. Chosen here: the fee provision is the exit fee on the open size plus the entry fee on what of it
is not held yet, at the account's taker rate; the open-loss provision is what the orders that would enlarge the
position lose at once, measured at the mark. Both depend on the open size only, so that an order which reduces a
position never needs margin.
"""

from collections.abc import Iterable
from typing import Protocol

import attrs

from bot.core.fixed import SCALE

MMF_PERCENT = 50
"""Maintenance margin in percent of the net initial margin of the position alone."""

_FINE = SCALE * SCALE


class OpenOrder(Protocol):
    """An order that rests, or wants to. Price and remaining size in 10⁻⁸."""

    @property
    def market(self) -> str: ...

    @property
    def is_buy(self) -> bool: ...

    @property
    def price(self) -> int: ...

    @property
    def remaining(self) -> int: ...


@attrs.define
class Exposure:
    """A position of one market and the orders that would change it: sizes in 10⁻⁸, losses in 10⁻¹⁶."""

    position: int
    mark: int
    buys: int = 0
    sells: int = 0
    buy_loss: int = 0
    sell_loss: int = 0

    def add(self, price: int, size: int, *, is_buy: bool) -> None:
        """Count an order. Its loss is how much worse than the mark it may trade."""
        if is_buy:
            self.buys += size
            if price > self.mark:
                self.buy_loss += (price - self.mark) * size
        else:
            self.sells += size
            if price < self.mark:
                self.sell_loss += (self.mark - price) * size

    def add_all(self, orders: Iterable[OpenOrder]) -> "Exposure":
        for order in orders:
            self.add(order.price, order.remaining, is_buy=order.is_buy)
        return self

    def initial(self, imf: int, taker_rate: int) -> int:
        """The initial margin requirement, in 10⁻²⁴ of the settlement asset; both rates in 10⁻⁸."""
        buy, sell = max(0, self.buys + self.position), max(0, self.sells - self.position)
        size = max(buy, sell)
        requirement = self.mark * (size * imf + (2 * size - abs(self.position)) * taker_rate)
        # Of a side that first reduces the position, only what goes beyond it opens anything.
        if self.buy_loss:
            requirement += self.buy_loss * min(buy, self.buys) // self.buys * SCALE
        if self.sell_loss:
            requirement += self.sell_loss * min(sell, self.sells) // self.sells * SCALE
        return requirement

    def maintenance(self, imf: int, taker_rate: int) -> int:
        """The maintenance margin requirement of the position, in 10⁻²⁴."""
        return self.mark * abs(self.position) * maintenance_rate(imf, taker_rate)


def maintenance_rate(imf: int, taker_rate: int) -> int:
    """What a position must be covered by, in 10⁻⁸ of its value: half the initial margin, and the exit fee."""
    return -(-imf * MMF_PERCENT // 100) + taker_rate


def coarse(fine: int) -> int:
    """A requirement of 10⁻²⁴ in 10⁻⁸, rounded up."""
    return -(-fine // _FINE)


def fraction(leverage: int) -> int:
    """The initial margin fraction of a leverage, in 10⁻⁸, rounded up."""
    return -(-SCALE // leverage)


def liquidation_price(position: int, mark: int, cushion: int, rate: int) -> int | None:
    """Where the account's cushion is used up if this market alone moves, in 10⁻⁸; None when nowhere above 0.

    ``cushion`` is account value less maintenance margin in 10⁻⁸, ``rate`` the market's `maintenance_rate`. Moving
    the price by d changes the cushion by ``(position - |position| x rate) x d``.
    """
    slope = position * SCALE - abs(position) * rate
    if not slope:
        return None
    # Rounded toward the mark: the account is not shown to live longer than it does.
    distance = cushion * _FINE // abs(slope)
    price = mark - distance if slope > 0 else mark + distance
    return price if price > 0 else None
