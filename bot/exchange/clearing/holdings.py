"""Everything that clearing keeps about one account."""

import attrs

from bot.exchange.clearing.events import Busted, FundingPaid, Liquidated
from bot.exchange.clearing.fees import Volume
from bot.exchange.clearing.position import Position
from bot.exchange.clearing.reports import Transfer
from bot.exchange.history import History
from bot.exchange.limits import KEPT_ACCOUNT_ROWS


@attrs.define(eq=False)
class Holdings:
    """Cash in 10⁻⁸, positions by market, the leverage that was set by market, and the bounded records."""

    account: int
    cash: int = 0
    updated_at_ms: int = 0
    positions: dict[str, Position] = attrs.field(factory=dict)
    leverage: dict[str, int] = attrs.field(factory=dict)
    volume: Volume = attrs.field(factory=Volume)
    transfers: History[Transfer] = attrs.field(factory=lambda: History[Transfer](KEPT_ACCOUNT_ROWS))
    payments: History[FundingPaid] = attrs.field(factory=lambda: History[FundingPaid](KEPT_ACCOUNT_ROWS))
    liquidations: History[Liquidated] = attrs.field(factory=lambda: History[Liquidated](KEPT_ACCOUNT_ROWS))
    busts: History[Busted] = attrs.field(factory=lambda: History[Busted](KEPT_ACCOUNT_ROWS))

    def position(self, market: str) -> Position:
        """Its position of a market, opened when there is none."""
        position = self.positions.get(market)
        if position is None:
            position = self.positions[market] = Position(self.account, market)
        return position
