"""The periodic look at every account that could be in trouble (the venue's pages on risk checks, deleveraging and
liquidations).

Below its initial margin an account loses the open orders that would add to its risk; below its maintenance margin it
loses all of them, and the insurance fund takes over a share of its positions.
"""

from collections.abc import Callable, Iterable, Mapping
from typing import Generic, TypeVar

import trio

from bot.exchange.clearing.clearing import Clearing
from bot.exchange.clearing.events import AccountChanged
from bot.exchange.clearing.liquidation import penalty, portion, share
from bot.exchange.clearing.margin import OpenOrder
from bot.exchange.clearing.reports import Summary
from bot.exchange.event import Emit
from bot.exchange.instruments.markets import Market
from bot.exchange.limits import HEALTH_CHECK_EVERY

OrderT = TypeVar("OrderT", bound=OpenOrder)


class Health(Generic[OrderT]):
    """Checks accounts, and tells of those whose value or margin is another than at the last check.

    ``live`` gives all orders of an account, ``resting`` the open ones of a market; ``cancel`` closes one at once,
    for a reason. While ``paused`` nothing is liquidated, as in the restricted platform modes (protocol reference 1).
    """

    def __init__(
        self,
        clearing: Clearing,
        markets: Mapping[str, Market],
        live: Callable[[int], Iterable[OrderT]],
        resting: Callable[[int, str], Iterable[OrderT]],
        cancel: Callable[[OrderT, str], None],
        paused: Callable[[], bool],
        emit: Emit,
    ) -> None:
        self._clearing = clearing
        self._markets = markets
        self._live = live
        self._resting = resting
        self._cancel = cancel
        self._paused = paused
        self._emit = emit
        self._told: dict[int, Summary] = {}

    async def run(self) -> None:
        """Check for as long as the exchange lives."""
        while True:
            await trio.sleep(HEALTH_CHECK_EVERY)
            self.check()

    def check(self) -> None:
        """Look at every account that is exposed, or was at the last check."""
        exposed = self._clearing.exposed()
        for account in exposed:
            self._treat(account)
        watched = dict.fromkeys([*self._told, *exposed])
        summaries = {account: self._clearing.summary(account) for account in watched}
        for account, summary in summaries.items():
            if summary != self._told.get(account):
                self._emit(AccountChanged(account))
        self._told = {account: summaries[account] for account in exposed}

    def _treat(self, account: int) -> None:
        summary = self._clearing.summary(account)
        if summary.cushion < 0 and not self._paused():
            self._liquidate(account, summary)
        elif summary.value < summary.initial_margin:
            for market in self._markets:
                self._deleverage(account, market)

    def _deleverage(self, account: int, market: str) -> None:
        """Cancel what does not offset the position, and of what does, the most passive beyond its size."""
        position = self._clearing.position(account, market).size
        offsetting: list[OrderT] = []
        for order in list(self._resting(account, market)):
            if position and order.is_buy == (position < 0):
                offsetting.append(order)
            else:
                self._cancel(order, "DELEVERAGE")
        offsetting.sort(key=lambda order: order.price if order.is_buy else -order.price)
        total = sum(order.remaining for order in offsetting)
        for order in offsetting:
            if total <= abs(position):
                break
            total -= order.remaining
            self._cancel(order, "DELEVERAGE")

    def _liquidate(self, account: int, summary: Summary) -> None:
        for order in list(self._live(account)):
            self._cancel(order, "IN_LIQUIDATION")
        part = share(summary.value, summary.maintenance_margin)
        for report in self._clearing.position_reports(account):
            if report.size:
                size = portion(report.size, part, self._markets[report.market].step)
                cost = penalty(report.maintenance_margin, part)
                self._clearing.liquidate(account, report.market, size, cost)
        self._clearing.bear_loss(account)
