"""Liquidations as fills: what the insurance fund took over is shown to the account like a fill of its own."""

import attrs

from bot.exchange.clearing.events import Liquidated
from bot.exchange.event import Emit, Event
from bot.exchange.instruments.prices import Prices
from bot.exchange.limits import INSURANCE_FUND
from bot.exchange.matching.events import Filled
from bot.exchange.matching.fills import MAKER, TAKER, Fill, Fills
from bot.exchange.matching.orders import BUY, SELL


@attrs.frozen
class Liquidations:
    """Records a fill of type LIQUIDATION, which has no order, for each liquidation, and publishes it."""

    fills: Fills
    prices: Prices
    emit: Emit

    def listen(self, event: Event) -> None:
        if isinstance(event, Liquidated):
            fill = self._fill(event)
            other = SELL if fill.side == BUY else BUY
            fund = attrs.evolve(fill, account=INSURANCE_FUND, id="", side=other, liquidity=MAKER, fee=0)
            self.fills.record(fund, fill)
            self.emit(Filled(fill))

    def _fill(self, event: Liquidated) -> Fill:
        leg, settled = event.leg, event.settled
        return Fill(
            id=leg.fill_id,
            trade_id=leg.fill_id,
            order_id="",
            client_id="",
            account=leg.account,
            market=leg.market,
            side=BUY if leg.size > 0 else SELL,
            liquidity=TAKER,
            price=leg.price,
            size=abs(leg.size),
            remaining=0,
            fee=settled.fee,
            realized_pnl=settled.realized_pnl,
            realized_funding=settled.realized_funding,
            underlying_price=self.prices[leg.market].underlying,
            created_at_ms=event.created_at_ms,
            book_seq=0,
            fill_type="LIQUIDATION",
        )
