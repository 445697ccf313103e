"""Who asks for something about orders."""

import attrs

from bot.exchange.identity.accounts import Account
from bot.exchange.identity.tokens import Grant
from bot.exchange.limits import RETAIL_SPEED_BUMP


@attrs.frozen
class Caller:
    """Who asks, by what right, and when the request was received, in ms.

    ``interactive`` is whether new orders are Retail ones: those of an interactive token are, until its quota is
    used up: then they are Pro orders, without the speed bump (protocol reference 2.2).
    """

    account: Account
    grant: Grant
    received_ms: int
    interactive: bool = attrs.field(
        default=attrs.Factory(lambda self: self.grant.interactive, takes_self=True)
    )

    @property
    def speed_bump(self) -> float:
        """Seconds that the caller's orders, modifications and cancels wait before the engine sees them (3.5)."""
        return RETAIL_SPEED_BUMP if self.interactive else 0.0
