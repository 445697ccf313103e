"""Those who take: some for no reason, some because they know where the price goes; and those who drop by."""

from collections import deque
from collections.abc import Callable
from random import Random

from bot.exchange.market.fair import PPB
from bot.exchange.market.floor import Floor
from bot.exchange.matching.orders import Order

REACH = 500_000
"""How far through the best price noise takes, in parts of a billion. Chosen, as is all of how takers behave."""

EDGE = 50_000
"""What the informed want to gain at least, in parts of a billion."""

GREED = 4
PATIENCE = 10
"""The informed take that many times the usual size, and more when they gain that many times what they want."""

VISITORS = 16
"""At most so many orders of visitors rest; the oldest goes when another comes."""

NEAR = 1_500_000
"""How far from the best price visitors rest, at most, in parts of a billion."""


class NoiseTaker:
    """Buys or sells a little at whatever price is there."""

    def __init__(self, account: int, floor: Floor, rng: Random) -> None:
        self._account = account
        self._floor = floor
        self._rng = rng

    def act(self) -> None:
        is_buy = self._rng.random() < 0.5
        size = self._floor.whole(self._rng.expovariate(1 / self._floor.market.trade_size))
        side = self._floor.book.asks if is_buy else self._floor.book.bids
        best = side.best_level()
        if best is not None:
            through = best.price * REACH // PPB
            self._floor.take(
                self._account, best.price + through if is_buy else best.price - through, size, is_buy=is_buy
            )


class InformedTaker:
    """Takes what will have been cheap or dear when the price has moved; ``coming`` tells it the fair price then."""

    def __init__(self, account: int, floor: Floor, rng: Random, coming: Callable[[], int]) -> None:
        self._account = account
        self._floor = floor
        self._rng = rng
        self._coming = coming

    def act(self) -> bool:
        """Take, the more the more there is to gain. Whether there was anything."""
        coming = self._coming()
        edge = coming * EDGE // PPB
        ask, bid = self._floor.book.asks.best_level(), self._floor.book.bids.best_level()
        usual = self._rng.expovariate(1 / (GREED * self._floor.market.trade_size))
        is_buy = ask is not None and ask.price <= coming - edge
        best = ask if is_buy else bid
        if best is None or not (is_buy or best.price >= coming + edge):
            return False
        gain = abs(coming - best.price) // edge
        limit = coming - edge if is_buy else coming + edge
        self._floor.take(
            self._account, limit, self._floor.whole(usual * max(gain / PATIENCE, 1)), is_buy=is_buy
        )
        return True


class Visitors:
    """Rest an order near the best price, and are gone after a while."""

    def __init__(self, account: int, floor: Floor, rng: Random) -> None:
        self._account = account
        self._floor = floor
        self._rng = rng
        self._orders: deque[Order] = deque()

    def act(self) -> None:
        is_buy = self._rng.random() < 0.5
        size = self._floor.whole(self._rng.expovariate(1 / (2 * self._floor.market.trade_size)))
        side = self._floor.book.bids if is_buy else self._floor.book.asks
        best = side.best_level()
        if best is None:
            return
        if len(self._orders) == VISITORS:
            self._floor.cancel(self._orders.popleft())
        away = round(best.price * self._rng.uniform(-0.1, 1.0) * NEAR / PPB)
        order = self._floor.rest(
            self._account, best.price - away if is_buy else best.price + away, size, is_buy=is_buy
        )
        if order is not None:
            self._orders.append(order)
