"""Platform modes and what each lets through (protocol reference 1)."""

from typing import Literal, get_args

from bot.exchange.errors import VenueError
from bot.exchange.limits import RESTRICTED_BAND_BPS
from bot.exchange.matching.bands import outside
from bot.exchange.matching.orders import POST_ONLY, RPI, Order

Mode = Literal["ok", "maintenance", "cancel_only", "post_only"]
MODES: tuple[Mode, ...] = get_args(Mode)

RESTRICTED: frozenset[Mode] = frozenset({"cancel_only", "post_only"})
"""The modes in which resting orders must be near the fair price."""


def tolerates(order: Order, price: int, fair: int) -> bool:
    """Whether an order may rest at a price in a restricted mode."""
    return not outside(order, price, fair, RESTRICTED_BAND_BPS)


def check_mode(mode: Mode, order: Order, price: int, fair: int) -> None:
    """Refuse an order at a price that the mode does not let in; ``fair`` is the external fair price in 10⁻⁸.

    Raises:
        VenueError: SYSTEM_STATUS_CANCEL_ONLY, SYSTEM_STATUS_POST_ONLY, or SERVICE_UNAVAILABLE in maintenance.
    """
    if mode == "ok":
        return
    check_available(mode)
    if mode == "cancel_only":
        raise VenueError(
            "SYSTEM_STATUS_CANCEL_ONLY", "system status is CANCEL_ONLY, only cancel orders are allowed"
        )
    if order.instruction not in {POST_ONLY, RPI}:
        raise VenueError(
            "SYSTEM_STATUS_POST_ONLY", "system status is POST_ONLY, only post only orders are allowed"
        )
    if not tolerates(order, price, fair):
        raise VenueError(
            "SYSTEM_STATUS_POST_ONLY",
            "system status is POST_ONLY, price is outside the external fair price band",
        )


def check_available(mode: Mode) -> None:
    """Refuse any change of orders in maintenance.

    Raises:
        VenueError: SERVICE_UNAVAILABLE.
    """
    if mode == "maintenance":
        raise VenueError("SERVICE_UNAVAILABLE", "system status is MAINTENANCE, trading is unavailable")
