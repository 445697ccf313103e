"""What can happen to cancel-on-disconnect when the socket ends that asked for it (protocol reference 5.3)."""

from collections.abc import Sequence
from typing import Literal

from bot.exchange.faults.rule import Rule, Seconds
from bot.exchange.matching.orders import Order


class Disconnect(Rule, frozen=True, kw_only=True, tag="disconnect"):
    """The orders that a socket leaves are cancelled ``seconds`` late, half of them only, or not at all.

    ``narrow`` cancels the ``half`` that says which, rounded down. ``market`` and ``client_id`` narrow it to sockets
    that leave such an order; one that leaves none is not struck.
    """

    how: Literal["late", "narrow", "absent"]
    seconds: Seconds = 5.0
    half: Literal["newest", "oldest"] = "newest"

    def fits(self, orders: Sequence[Order]) -> bool:
        return any(
            self.market in {None, order.market} and self.client_id in {None, order.client_id}
            for order in orders
        )

    def play(self, orders: Sequence[Order]) -> tuple[Sequence[Order], float]:
        """Which of them are cancelled, they come oldest first, and how many seconds later than else."""
        if self.how == "late":
            return orders, self.seconds
        few = len(orders) // 2 if self.how == "narrow" else 0
        return (orders[len(orders) - few :] if self.half == "newest" else orders[:few]), 0.0
