"""From a match to money: both sides are cleared, and what becomes of it is kept and published."""

import attrs

from bot.exchange.clearing.clearing import Clearing
from bot.exchange.clearing.leg import Leg
from bot.exchange.event import Emit
from bot.exchange.instruments.prices import Prices
from bot.exchange.matching.crossing import Match
from bot.exchange.matching.events import Filled, Trade
from bot.exchange.matching.fills import MAKER, TAKER, Fill, Fills
from bot.exchange.matching.orders import Order, is_synthetic
from bot.exchange.stamps import Stamps


@attrs.frozen
class Settlement:
    """Settles matches, and reverts what was settled."""

    clearing: Clearing
    fills: Fills
    prices: Prices
    stamps: Stamps
    emit: Emit

    def settle(self, made: Match, book_seq: int) -> None:
        """Publish the trade, clear its sides and, of accounts that are not synthetic, publish the fills."""
        taker, maker, now_ms = made.taker, made.maker, self.stamps.now_ms()
        trade_id = self.stamps.new_id()
        self.emit(Trade(trade_id, taker.market, taker.side, made.price, made.size, now_ms, book_seq))
        if is_synthetic(maker.account) and is_synthetic(taker.account):
            self.clearing.settle(_leg(made, maker, ""))
            self.clearing.settle(_leg(made, taker, ""))
            return
        maker_fill = self._fill(made, maker, MAKER, made.maker_remaining, trade_id, book_seq, now_ms)
        taker_fill = self._fill(made, taker, TAKER, made.taker_remaining, trade_id, book_seq, now_ms)
        self.fills.record(maker_fill, taker_fill)
        for fill in (maker_fill, taker_fill):
            if not is_synthetic(fill.account):
                self.emit(Filled(fill))

    def revert(self, fill: Fill, counterpart: Fill) -> None:
        """Undo both sides of a trade."""
        for side in (fill, counterpart):
            retail = "interactive" in side.flags
            leg = Leg(
                side.account,
                side.market,
                side.signed_size,
                side.price,
                is_maker=side.liquidity == MAKER,
                retail=retail,
                fast="fastfill" in side.flags,
                fill_id=side.id,
            )
            self.clearing.revert(leg, side.fee)

    def _fill(
        self,
        made: Match,
        order: Order,
        liquidity: str,
        remaining: int,
        trade_id: str,
        book_seq: int,
        now_ms: int,
    ) -> Fill:
        fill_id = self.stamps.new_id()
        leg = _leg(made, order, "" if is_synthetic(order.account) else fill_id)
        settled = self.clearing.settle(leg)
        return Fill(
            id=fill_id,
            trade_id=trade_id,
            order_id=order.id,
            client_id=order.client_id,
            account=order.account,
            market=order.market,
            side=order.side,
            liquidity=liquidity,
            price=made.price,
            size=made.size,
            remaining=remaining,
            fee=settled.fee,
            realized_pnl=settled.realized_pnl,
            realized_funding=settled.realized_funding,
            underlying_price=self.prices[order.market].underlying,
            created_at_ms=now_ms,
            book_seq=book_seq,
            flags=(("interactive",) if order.is_retail else ()) + (("fastfill",) if leg.fast else ()),
        )


def _leg(made: Match, order: Order, fill_id: str) -> Leg:
    is_maker = order is made.maker
    return Leg(
        order.account,
        order.market,
        made.size if order.is_buy else -made.size,
        made.price,
        is_maker=is_maker,
        retail=order.is_retail,
        # FastFills: a Pro order that takes from a passive retail one (3.5).
        fast=not is_maker and not order.is_retail and made.maker.is_retail,
        fill_id=fill_id,
    )
