"""Who asks for something about orders."""

from typing import Self

import attrs

from bot.exchange.identity.accounts import Account
from bot.exchange.identity.quota import Quotas
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

    @classmethod
    def of(cls, account: Account, grant: Grant, received_ms: int, quotas: Quotas) -> Self:
        """A caller whose quota decides whether what an interactive token does now is Retail."""
        retail = grant.interactive and quotas.is_retail(account.address)
        return cls(account, grant, received_ms, retail)

    def placing(self, quotas: Quotas, orders: int = 1) -> Self:
        """The caller, placing so many orders: all are counted as Retail ones, or none if those would be too many."""
        retail = self.interactive and quotas.take_retail(self.account.address, orders)
        return attrs.evolve(self, interactive=retail)

    @property
    def speed_bump(self) -> float:
        """Seconds that the caller's orders, modifications and cancels wait before the engine sees them (3.5)."""
        return RETAIL_SPEED_BUMP if self.interactive else 0.0
