"""What the engine can be told to do, one thing at a time."""

import attrs

from bot.exchange.matching.fills import Fill
from bot.exchange.matching.orders import Order


@attrs.frozen
class Place:
    """Risk-check an order that was accepted as NEW, and match it or let it wait for its trigger."""

    order: Order


@attrs.frozen
class Trigger:
    """The mark reached what a conditional order waits for."""

    order: Order


@attrs.frozen
class Modify:
    """Give a resting or waiting order new values, all in 10⁻⁸.

    ``counts_filled`` is whether ``size`` includes what was filled. ``request_id`` names the request in the
    order's event.
    """

    order: Order
    price: int
    size: int
    counts_filled: bool
    trigger_price: int
    signed_at_ms: int
    request_id: str

    @property
    def total(self) -> int:
        """The total size that the order would have now."""
        return self.size if self.counts_filled else self.size + self.order.filled


@attrs.frozen
class Cancel:
    """Close an order if it still lives."""

    order: Order
    reason: str


@attrs.frozen
class Bust:
    """Revert a trade: both sides' fills."""

    fill: Fill
    counterpart: Fill


Command = Place | Trigger | Modify | Cancel | Bust
