"""Market makers: several levels on each side of what they believe the market is worth, a moment late."""

from collections.abc import Callable
from random import Random

import attrs

from bot.exchange.market.fair import PPB
from bot.exchange.market.floor import Floor
from bot.exchange.matching.orders import CLOSED, Order

LEVELS = 12
"""Of one maker on each side. Chosen, as is all of how makers behave."""

NEAREST = 100_000
WIDENING = 1.4
"""The first level's distance from the fair price in parts of a billion, and each level's ratio to the one before."""

TOLERANCE = PPB * 3 // 20
"""A quote this much of its distance out of place, in parts of a billion, is left where it is."""

MISSING = PPB
"""How far out of place a quote is that is not there."""

LARGEST_SKEW = NEAREST
"""How far a maker shifts its quotes to get rid of what it holds, in parts of a billion."""


@attrs.define(eq=False)
class Slot:
    """One level of a maker: where it should be, and the order that is there."""

    is_buy: bool
    level: int
    distance: int
    size: int
    order: Order | None = None

    @property
    def is_empty(self) -> bool:
        return self.order is None or not self.order.is_live


class Maker:
    """One maker in one market. ``belief`` and ``position`` are asked for the price it sees and what it holds."""

    def __init__(
        self, account: int, floor: Floor, rng: Random, belief: Callable[[], int], position: Callable[[], int]
    ) -> None:
        self._account = account
        self._floor = floor
        self._rng = rng
        self._belief = belief
        self._position = position
        nearest = NEAREST * rng.uniform(1.0, 1.6)
        self._ladder = [nearest * WIDENING**level for level in range(LEVELS)]
        self._sides = {
            is_buy: [self._slot(level, is_buy=is_buy) for level in range(LEVELS)] for is_buy in (True, False)
        }

    def open(self) -> None:
        """Fill every empty level."""
        self._fill([slot for side in self._sides.values() for slot in side if slot.is_empty])

    def withdraw(self) -> None:
        """Take every quote back."""
        for side in self._sides.values():
            for slot in side:
                if slot.order is not None:
                    self._floor.cancel(slot.order)

    def restore(self) -> None:
        """Fill the empty levels of a side that lost more than a third of them."""
        for side in self._sides.values():
            empty = [slot for slot in side if slot.is_empty]
            if len(empty) > LEVELS // 3:
                self._fill(empty)

    def refresh(self) -> None:
        """Look at one side, and put right the level that is most out of place; if none is, change one of them."""
        is_buy = self._rng.random() < 0.5
        slots, centre, (highest_bid, lowest_ask) = self._sides[is_buy], self._centre(), self._floor.bounds()
        worst, most = slots[0], -1
        for slot in slots:
            order = slot.order
            if order is None or order.status == CLOSED:
                worst, most = slot, MISSING
                break
            away = centre * slot.distance // PPB
            target = min(centre - away, highest_bid) if is_buy else max(centre + away, lowest_ask)
            off = abs(order.price - target) * PPB // away
            if off > most:
                worst, most = slot, off
        if most < TOLERANCE:
            worst = self._rng.choice(slots)
            changed = self._slot(worst.level, is_buy=is_buy)
            worst.distance, worst.size = changed.distance, changed.size
        self._quote(worst, centre)

    def _slot(self, level: int, *, is_buy: bool) -> Slot:
        """A level, a little off the ladder, and the larger the farther away."""
        share = (0.02 + 0.04 * level) * self._rng.uniform(0.5, 1.5)
        return Slot(
            is_buy=is_buy,
            level=level,
            distance=round(self._ladder[level] * self._rng.uniform(0.85, 1.15)),
            size=self._floor.whole(share * self._floor.market.house_size),
        )

    def _centre(self) -> int:
        """What the maker quotes around: what it believes, less if it holds much."""
        held = self._position() * PPB // self._floor.market.house_size
        skew = max(-LARGEST_SKEW, min(held * LARGEST_SKEW // (10 * PPB), LARGEST_SKEW))
        return self._belief() * (PPB - skew) // PPB

    def _fill(self, slots: list[Slot]) -> None:
        centre = self._centre()
        for slot in slots:
            self._quote(slot, centre)

    def _quote(self, slot: Slot, centre: int) -> None:
        if slot.order is not None:
            self._floor.cancel(slot.order)
        away = centre * slot.distance // PPB
        target = centre - away if slot.is_buy else centre + away
        slot.order = self._floor.rest(self._account, target, slot.size, is_buy=slot.is_buy)
