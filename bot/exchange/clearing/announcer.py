"""Tells an account what was booked on it."""

import attrs

from bot.exchange.clearing.events import (
    LIQUIDATION,
    AccountChanged,
    BalanceChanged,
    FundingPaid,
    PositionChanged,
)
from bot.exchange.clearing.holdings import Holdings
from bot.exchange.clearing.leg import Leg, Settled
from bot.exchange.event import Emit
from bot.exchange.stamps import Stamps


@attrs.frozen
class Announcer:
    """Records funding payments, and emits what channels show: payment, balance, position, account, in this order."""

    stamps: Stamps
    emit: Emit

    def booked(
        self, held: Holdings, leg: Leg, settled: Settled, *, before: int, index: int, kind: str
    ) -> None:
        """A leg was booked; ``before`` was the balance, ``index`` is the funding index, all in 10⁻⁸."""
        now_ms = held.updated_at_ms
        if settled.realized_funding:
            payment = FundingPaid(
                self.stamps.new_id(),
                leg.account,
                leg.market,
                settled.realized_funding,
                index,
                leg.fill_id,
                now_ms,
            )
            held.payments.add(payment)
            self.emit(payment)
        self.emit(
            BalanceChanged(
                kind=kind,
                account=leg.account,
                market=leg.market,
                fill_id=leg.fill_id,
                fees=settled.fee,
                realized_pnl=settled.realized_pnl,
                realized_funding=settled.realized_funding,
                funding_index=index,
                before=before,
                after=held.cash,
                created_at_ms=now_ms,
            )
        )
        self.emit(PositionChanged(leg.account, leg.market))
        self.emit(AccountChanged(leg.account))

    def relieved(self, held: Holdings, debt: int) -> None:
        """The venue paid an account's debt, in 10⁻⁸: a profit of no fill and no market."""
        self.emit(
            BalanceChanged(
                kind=LIQUIDATION,
                account=held.account,
                market="",
                fill_id="",
                fees=0,
                realized_pnl=debt,
                realized_funding=0,
                funding_index=0,
                before=held.cash - debt,
                after=held.cash,
                created_at_ms=held.updated_at_ms,
            )
        )
        self.emit(AccountChanged(held.account))
