"""What happens to accounts and their money. Synthetic participants have none of these."""

import attrs

from bot.exchange.clearing.leg import Leg, Settled
from bot.exchange.clearing.reports import Transfer
from bot.exchange.event import Event

FILL = "TRANSACTION_FILL"
LIQUIDATION = "TRANSACTION_LIQUIDATE"
"""Kinds of balance changes, as the venue names its transactions (protocol reference 4.3)."""


@attrs.frozen
class PositionChanged(Event):
    """A fill, a bust or its leverage changed a position: `Clearing.position_report` says what it is now."""

    account: int
    market: str


@attrs.frozen
class AccountChanged(Event):
    """An account's money, positions or margin changed: `Clearing.summary` says what it is now."""

    account: int


@attrs.frozen
class Deposited(Event):
    """Money came in."""

    transfer: Transfer


@attrs.frozen
class BalanceChanged(Event):
    """What a fill or liquidation did to the balance (protocol reference 4.3, balance_events). Money in 10⁻⁸.

    ``fees`` are positive when paid; ``realized_pnl`` is without funding. ``after`` is ``before`` + realised - fees.
    Where the venue bears the loss of a liquidated account, market and fill id are empty.
    """

    kind: str
    account: int
    market: str
    fill_id: str
    fees: int
    realized_pnl: int
    realized_funding: int
    funding_index: int
    before: int
    after: int
    created_at_ms: int


@attrs.frozen
class FundingPaid(Event):
    """Funding was settled. ``payment`` is what the balance gained, negative when the account paid; in 10⁻⁸."""

    id: str
    account: int
    market: str
    payment: int
    index: int
    fill_id: str
    created_at_ms: int


@attrs.frozen
class Liquidated(Event):
    """The insurance fund took over a part of a position; the fee is the penalty."""

    leg: Leg
    settled: Settled
    created_at_ms: int


@attrs.frozen
class Busted(Event):
    """A fill of this account was reverted (protocol reference 8, item 18)."""

    account: int
    fill_id: str
    created_at_ms: int
