"""What was traded."""

import attrs

from bot.core.order import Side


@attrs.frozen(kw_only=True)
class Fill:
    """One fill of our account. Size, price and fee in units of 10⁻⁸."""

    kind: str
    """``fill_type`` of the venue, such as ``FILL`` or ``LIQUIDATION``."""

    id: str
    """Unique among the fills of its kind."""

    venue_id: str
    """The order's, as the venue calls it."""

    client_id: str
    """The order's, as whoever placed it calls it; empty for none."""

    market: str
    side: Side
    size: int
    price: int
    fee: int
    """Below 0 for a rebate."""

    fee_currency: str
    created_ms: int

    @property
    def key(self) -> tuple[str, str]:
        """By this it is counted, once."""
        return self.kind, self.id
