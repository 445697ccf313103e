"""Whether new orders are taken: limits, the venue's mode, markets in doubt, and the switch that ends it all.

Limits of what an order may come to refuse it. Limits of how fast things happen are circuit breakers: when one trips,
something is out of hand, and the kill switch is pulled.
"""

from collections import deque
from collections.abc import Iterable

import attrs

from bot.core.errors import LimitExceededError, TradingHaltedError
from bot.core.fixed import SCALE, Fixed, multiply, render
from bot.core.order import Instruction, Order, Side, State
from bot.core.setting import setting
from bot.trading.effects import PullKillSwitch
from bot.trading.step.decisions import Decisions

TAKES_ALL, TAKES_POST_ONLY = "ok", "post_only"
"""Modes of the venue that take new orders, or some; the others, and those unknown here, take none."""

SECOND_NS, HOUR_NS = 10**9, 3600 * 10**9


@attrs.frozen
class LimitsSettings:
    """The ``[limits]`` table: what trading never exceeds. 0 is no limit."""

    orders_per_second: int = setting(
        200, "more orders, new and modified, than this pull the kill switch", at_least=0, at_most=800
    )
    reconnects_per_hour: int = setting(
        60, "more new sessions than this pull the kill switch", at_least=0, at_most=100_000
    )
    open_orders: int = setting(
        100, "an order that would be one more at the same time is refused", at_least=0, at_most=100_000
    )
    order_notional: Fixed = setting(
        Fixed(100_000 * SCALE), "an order worth more, in USD, is refused", at_least=0
    )
    position_notional: Fixed = setting(
        Fixed(500_000 * SCALE),
        "an order is refused that could take the position in its market above this, in USD; a position that is above "
        "it by half pulls the kill switch",
        at_least=0,
    )


@attrs.define(eq=False)
class Guard:
    """Asked before each new order, and told of what happens."""

    _settings: LimitsSettings
    _decisions: Decisions
    killed: str = ""
    """Why the kill switch was pulled; empty while it was not."""

    _mode: str = TAKES_ALL
    _in_doubt: dict[str, str] = attrs.field(factory=dict)
    """Orders whose outcome is unknown beyond its bound, with their markets."""

    _placed_ns: deque[int] = attrs.field(factory=deque)
    _opened_ns: deque[int] = attrs.field(factory=deque)

    @property
    def needs_price(self) -> bool:
        """Whether a limit is in money."""
        return bool(self._settings.order_notional or self._settings.position_notional)

    def check(
        self,
        market: str,
        side: Side,
        instruction: Instruction,
        *,
        size: int,
        price: int,
        live: Iterable[Order],
        position: int,
    ) -> None:
        """See whether an order may be placed beside those that are ``live``. ``price`` is what it is worth at most.

        Raises:
            TradingHaltedError: no order is taken, or none like this one.
            LimitExceededError: it would exceed a limit.
        """
        self.check_kill_switch()
        if self._mode != TAKES_ALL and not (
            self._mode == TAKES_POST_ONLY and instruction is Instruction.POST_ONLY
        ):
            raise TradingHaltedError(f"the venue is in mode {self._mode}")
        if market in self._in_doubt.values():
            raise TradingHaltedError(f"{market}: an order's outcome has been unknown for too long")
        self._check_limits(market, side, size=size, price=price, live=list(live), position=position)

    def check_kill_switch(self) -> None:
        """Raise `TradingHaltedError` once it was pulled."""
        if self.killed:
            raise TradingHaltedError(f"the kill switch was pulled: {self.killed}")

    def _check_limits(
        self, market: str, side: Side, *, size: int, price: int, live: list[Order], position: int
    ) -> None:
        limits = self._settings
        if limits.open_orders and len(live) >= limits.open_orders:
            raise LimitExceededError(f"[limits] open_orders: {len(live)} are open")
        notional = multiply(size, price)
        if limits.order_notional and notional > limits.order_notional:
            raise LimitExceededError(f"[limits] order_notional: {market}, worth {render(notional)} USD")
        if limits.position_notional:
            same_side = sum(each.exposure for each in live if (each.market, each.side) == (market, side))
            signed = position if side is Side.BUY else -position
            could_be = multiply(signed + same_side + size, price)
            if could_be > limits.position_notional:
                raise LimitExceededError(
                    f"[limits] position_notional: {market}, could come to {render(could_be)} USD"
                )

    def placed(self) -> None:
        """An order, or new terms for one, are on their way."""
        self._trip(self._placed_ns, SECOND_NS, self._settings.orders_per_second, "orders_per_second")

    def opened(self) -> None:
        """A session became ready."""
        self._trip(self._opened_ns, HOUR_NS, self._settings.reconnects_per_hour, "reconnects_per_hour")

    def holds(self, market: str, position: int, price: int) -> None:
        """A fill at ``price`` made the position what it is."""
        limit = self._settings.position_notional
        notional = multiply(abs(position), price)
        if limit and 2 * notional > 3 * limit:
            self.pull(f"[limits] position_notional: the position in {market} is worth {render(notional)} USD")

    def mode_changed(self, mode: str) -> None:
        self._mode = mode

    def doubt(self, order: Order) -> None:
        """Halt a market until an order's outcome is known."""
        if order.client_id not in self._in_doubt:
            self._in_doubt[order.client_id] = order.market
            what = "its outcome"
            if order.state is not State.UNKNOWN:
                what = f"{order.state}, and the venue has forgotten it: its end"
            self._decisions.alarm(
                f"order {order.client_id}: {what} stays unknown; until then no new ones in {order.market}"
            )

    def known(self, order: Order) -> None:
        """The outcome of an order is known."""
        self._in_doubt.pop(order.client_id, None)

    def pull(self, reason: str) -> None:
        """Take no new order from now on, for good. The first reason stays."""
        if not self.killed:
            self.killed = reason
            self._decisions.alarm(f"the kill switch was pulled: {reason}")
            self._decisions.add(PullKillSwitch(reason))

    def _trip(self, happened_ns: deque[int], window_ns: int, limit: int, name: str) -> None:
        now_ns = self._decisions.now_ns
        happened_ns.append(now_ns)
        while happened_ns[0] <= now_ns - window_ns:
            happened_ns.popleft()
        if limit and len(happened_ns) > limit:
            self.pull(f"[limits] {name}: {len(happened_ns)}")
