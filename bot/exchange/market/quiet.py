"""The quiet quote: one order on each side of a market in which nobody else is."""

from random import Random

from bot.exchange.market.floor import Floor
from bot.exchange.matching.orders import HOUSE, Order


class QuietQuote:
    """Never takes, and never moves by itself.

    Its distance from the fair price is drawn once, 1 to 4 ticks per side. A quote that was eaten comes back whole,
    at its price or, while somebody rests in the way, one tick behind them.
    """

    def __init__(self, floor: Floor, rng: Random) -> None:
        self._floor = floor
        self._distances = {True: rng.randint(1, 4), False: rng.randint(1, 4)}
        self._orders: dict[bool, Order | None] = {True: None, False: None}
        self._fair = floor.market.opening_price

    def move(self, fair: int) -> None:
        """Quote around another price."""
        self._fair = fair
        for is_buy in (True, False):
            self._withdraw(is_buy=is_buy)
        self.restore()

    @property
    def is_displaced(self) -> bool:
        """Whether something is missing, or not where it should be."""
        return self._is_displaced(is_buy=True) or self._is_displaced(is_buy=False)

    def restore(self) -> None:
        """Put back what is missing or displaced."""
        for is_buy in (True, False):
            if self._is_displaced(is_buy=is_buy):
                self._withdraw(is_buy=is_buy)
                wanted, size = self._wanted(is_buy=is_buy), self._floor.market.house_size
                self._orders[is_buy] = self._floor.rest(HOUSE, wanted, size, is_buy=is_buy)

    def _is_displaced(self, *, is_buy: bool) -> bool:
        order = self._orders[is_buy]
        return (
            order is None
            or not order.is_live
            or order.remaining < order.size
            or order.price != self._wanted(is_buy=is_buy)
        )

    def _wanted(self, *, is_buy: bool) -> int:
        away = self._distances[is_buy] * self._floor.market.tick
        return self._floor.place(self._fair - away if is_buy else self._fair + away, is_buy=is_buy)

    def _withdraw(self, *, is_buy: bool) -> None:
        order = self._orders[is_buy]
        if order is not None:
            self._floor.cancel(order)
            self._orders[is_buy] = None
