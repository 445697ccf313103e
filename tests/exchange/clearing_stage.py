"""A stage for tests of clearing: accounts that trade with each other at any price, without orders or a book."""

from random import Random
from typing import TypeVar

import attrs

from bot.core.fixed import parse
from bot.exchange.clearing.clearing import Clearing
from bot.exchange.clearing.leg import Leg, Settled
from bot.exchange.event import Emit, Event
from bot.exchange.instruments.markets import MARKETS
from bot.exchange.instruments.prices import Prices
from bot.exchange.stamps import Stamps

BTC = "BTC-USD-PERP"
ETH = "ETH-USD-PERP"
ALICE = 0xA11CE
BOB = 0xB0B
CAROL = 0xCA201
ROBOT = 7
"""A synthetic participant."""

E = TypeVar("E", bound=Event)


class HandClock:
    """A clock that stands where it is put."""

    def __init__(self) -> None:
        self.ns = 1_790_000_000 * 10**9

    def wall_ns(self) -> int:
        return self.ns

    def monotonic_ns(self) -> int:
        return self.ns


@attrs.frozen
class Resting:
    """An open order as margin sees it."""

    market: str
    is_buy: bool
    price: int
    remaining: int


class Pit:
    """A clearing, its prices and clock, the events it told of, and the open orders of its accounts."""

    def __init__(self) -> None:
        self.clock = HandClock()
        self.prices = Prices(MARKETS.values())
        self.events: list[Event] = []
        self.orders: dict[int, list[Resting]] = {}
        self.listeners: list[Emit] = [self.events.append]
        self._fills = 0
        stamps = Stamps(self.clock, Random(1))
        self.clearing = Clearing(MARKETS, self.prices, stamps, self._tell, self.open_orders)

    def _tell(self, event: Event) -> None:
        for listener in self.listeners:
            listener(event)

    def open_orders(self, account: int, market: str) -> list[Resting]:
        return [order for order in self.orders.get(account, []) if order.market == market]

    def rest(self, account: int, market: str, size: str, price: str) -> None:
        """Let an order rest; a negative size sells."""
        order = Resting(market, not size.startswith("-"), parse(price), parse(size.lstrip("-")))
        self.orders.setdefault(account, []).append(order)

    def carries(self, account: int, size: str, price: str, market: str = BTC) -> bool:
        return self.clearing.can_carry(
            account,
            market,
            not size.startswith("-"),
            parse(price),
            parse(size.lstrip("-")),
            lambda other: self.open_orders(account, other),
        )

    def mark(self, price: str, market: str = BTC) -> None:
        self.prices[market].mark = parse(price)

    def legs(self, buyer: int, seller: int, size: int, price: int, market: str = BTC) -> tuple[Leg, Leg]:
        """The two sides of a match in which the buyer took."""
        self._fills += 1
        return (
            Leg(buyer, market, size, price, is_maker=False, retail=False, fill_id=f"{self._fills}b"),
            Leg(seller, market, -size, price, is_maker=True, retail=False, fill_id=f"{self._fills}s"),
        )

    def trade(
        self, buyer: int, seller: int, size: str, price: str, market: str = BTC
    ) -> tuple[Settled, Settled]:
        """A match in which the buyer took; what it came to for the two."""
        bought, sold = self.legs(buyer, seller, parse(size), parse(price), market)
        settled = self.clearing.settle(bought), self.clearing.settle(sold)
        self.check()
        return settled

    def told(self, kind: type[E]) -> list[E]:
        return [event for event in self.events if isinstance(event, kind)]

    def check(self) -> None:
        """Money is conserved to the last unit, and what one is long another is short."""
        assert self.clearing.discrepancy() == 0
        for market in MARKETS:
            assert self.clearing.net_size(market) == 0
