"""Matching as it would be written by somebody with all the time in the world: one coin at a time."""

from collections.abc import Callable

import attrs

from bot.core.fixed import SCALE
from bot.exchange.instruments.markets import Market
from bot.exchange.instruments.prices import Price
from bot.exchange.matching.modes import Mode
from bot.exchange.matching.orders import EXPIRE_MAKER, EXPIRE_TAKER, Order, is_synthetic


@attrs.define
class Expected:
    """What a step should do: trades as (price, size), makers it expires, and why its order is refused or closed.

    ``ending`` is nothing when the order is filled or rests; ``is_refusal`` when it should not have traded at all.
    """

    trades: list[tuple[int, int]] = attrs.field(factory=list)
    makers: list[Order] = attrs.field(factory=list)
    expired: list[Order] = attrs.field(factory=list)
    ending: str = ""
    is_refusal: bool = False


@attrs.define
class NaiveMarket:
    """Who rests in a market since when, and what accounts hold there. Arrivals are given by who watches."""

    market: Market
    price: Price
    mode: Callable[[], Mode]
    held: Callable[[int], int]
    arrivals: dict[Order, int] = attrs.field(factory=dict)

    def refusal(self, order: Order, price: int, size: int) -> str:
        """Why an order may not trade, margin aside."""
        opposite = self.line(is_buy=not order.is_buy)
        if order.is_market and not opposite:
            return "EMPTY_MARKET"
        if order.instruction == "POST_ONLY" and opposite and reaches(order, price, opposite[0].price):
            return "POST_ONLY_WOULD_CROSS"
        return "" if is_synthetic(order.account) else self._refusal_of_account(order, price, size)

    def _refusal_of_account(self, order: Order, price: int, size: int) -> str:
        if not order.is_market and self.is_outside(order, price, self.price.mark, self.market.band_bps):
            return "EXCEEDS_MAX_SLIPPAGE"
        own = [
            other
            for other in self.line(is_buy=order.is_buy)
            if other.account == order.account and other is not order
        ]
        ahead = 0 if order.is_market else sum(o.remaining for o in own if reaches(order, o.price, price))
        if order.is_reduce_only and not self.covers(order, size + ahead):
            return "REDUCE_ONLY_WILL_INCREASE"
        signed = self.held(order.account) * (1 if order.is_buy else -1)
        if size + sum(other.remaining for other in own) + signed > self.market.position_limit:
            return "ORDER_EXCEEDS_POSITION_LIMIT"
        return ""

    def expect(self, order: Order, price: int, size: int) -> Expected:
        """What an order does that wants ``size`` at ``price``, if the account can pay for it."""
        reason = self.refusal(order, price, size)
        if reason:
            return Expected(ending=reason, is_refusal=True)
        expected = Expected()
        line = self.line(is_buy=not order.is_buy)
        worst_average = self._worst_average(order, line[0].price) if line else None
        value = filled = 0
        for maker in line:
            if filled == size or not self._is_reachable(order, price, maker.price):
                break
            if maker.account == order.account:
                if order.stp != EXPIRE_TAKER:
                    expected.expired.append(maker)
                if order.stp != EXPIRE_MAKER:
                    expected.ending = "SELF_TRADE"
                    return expected
                continue
            coins = 0
            while coins < maker.remaining and filled < size:
                spent, bought = value + maker.price * SCALE, filled + SCALE
                if worst_average and worse(order, spent, worst_average * bought):
                    expected.ending = "EXCEEDS_MAX_SLIPPAGE"
                    break
                coins, filled, value = coins + SCALE, bought, spent
            if coins:
                expected.trades.append((maker.price, coins))
                expected.makers.append(maker)
            if expected.ending:
                return expected
        if filled < size and (order.is_market or order.instruction == "IOC"):
            expected.ending = "REMAINING_IOC_CANCEL"
        return expected

    def line(self, *, is_buy: bool) -> list[Order]:
        """Everybody on a side: by price, then retail first, then by arrival."""
        return sorted(
            (order for order in self.arrivals if order.is_buy == is_buy),
            key=lambda order: (
                -order.price if is_buy else order.price,
                not order.is_retail,
                self.arrivals[order],
            ),
        )

    def covers(self, order: Order, size: int) -> bool:
        """Whether the account holds so much on the other side."""
        held = self.held(order.account)
        return (held < 0 if order.is_buy else held > 0) and size <= abs(held)

    def admits(self, order: Order, price: int) -> bool:
        """Whether the platform's mode lets an order in."""
        if self.mode() in {"ok", "maintenance"}:
            return True
        near = not self.is_outside(order, price, self.price.fair, 5)
        return self.mode() == "post_only" and order.instruction == "POST_ONLY" and near

    @staticmethod
    def is_outside(order: Order, price: int, center: int, bps: int) -> bool:
        edge = center * (10_000 + bps if order.is_buy else 10_000 - bps)
        return price * 10_000 > edge if order.is_buy else price * 10_000 < edge

    def _is_reachable(self, order: Order, price: int, maker_price: int) -> bool:
        if order.is_market:
            return not self.is_outside(order, maker_price, self.price.mark, self.market.band_bps)
        return reaches(order, price, maker_price)

    def _worst_average(self, order: Order, best: int) -> int | None:
        if order.type != "MARKET":
            return None
        slip = self.market.slippage_bps
        return order.average_limit or best * (10_000 + slip if order.is_buy else 10_000 - slip) // 10_000


def reaches(order: Order, price: int, other: int) -> bool:
    """Whether an order at ``price`` is at least as aggressive as ``other``."""
    return other <= price if order.is_buy else other >= price


def worse(order: Order, value: int, bound: int) -> bool:
    return value > bound if order.is_buy else value < bound
