"""What an account is told of itself: computed when asked, from positions, marks and open orders.

Prices, sizes and money in 10⁻⁸, ``*_ms`` in ms since the epoch.
"""

import attrs

ACTIVE = "ACTIVE"
LIQUIDATION = "LIQUIDATION"


@attrs.frozen
class PositionReport:
    """A position at the mark. ``size`` is signed; the liquidation price is None where no price would do it."""

    account: int
    market: str
    size: int
    average_entry_price: int
    average_exit_price: int
    cost: int
    leverage: int
    liquidation_price: int | None
    maintenance_margin: int
    unrealized_pnl: int
    unrealized_funding: int
    realized_pnl: int
    realized_funding: int
    funding_index: int
    last_fill_id: str
    opened_at_ms: int
    updated_at_ms: int
    closed_at_ms: int


@attrs.frozen
class Summary:
    """An account at the marks (terms as in the venue's margin term reference).

    ``status`` is ACTIVE, or LIQUIDATION when its value is below maintenance margin.
    """

    account: int
    collateral: int
    value: int
    initial_margin: int
    maintenance_margin: int
    updated_at_ms: int

    @property
    def free_collateral(self) -> int:
        """The account's value in excess of its initial margin requirement (openapi)."""
        return self.value - self.initial_margin

    @property
    def cushion(self) -> int:
        return self.value - self.maintenance_margin

    @property
    def status(self) -> str:
        return LIQUIDATION if self.cushion < 0 else ACTIVE


@attrs.frozen
class Fees:
    """What an account pays: rates of Pro orders in 10⁻⁸, the name of its tier, its 14-day volume in 10⁻⁸ USD."""

    maker_rate: int
    taker_rate: int
    tier: str
    volume: int


@attrs.frozen
class Transfer:
    """Money that came in or, negative, went out."""

    id: str
    account: int
    amount: int
    created_at_ms: int
