"""Positions and money of every account.

Money is conserved exactly. At any moment, over all accounts and with everything in 10⁻¹⁶::

    Σ (cash - cost + size x funding index) + venue = Σ deposits        and, in each market, Σ size = 0

Cash moves in whole 10⁻⁸; what rounding leaves over goes to the venue, whose account also takes the fees and is kept
in 10⁻¹⁶. Unrealised profit and funding are in the formula through cost and index, whatever the prices are.
"""

from collections.abc import Callable, Iterable, Mapping

import attrs

from bot.core.fixed import SCALE
from bot.exchange.clearing import fees
from bot.exchange.clearing.announcer import Announcer
from bot.exchange.clearing.events import (
    FILL,
    LIQUIDATION,
    AccountChanged,
    Busted,
    Deposited,
    Liquidated,
    PositionChanged,
)
from bot.exchange.clearing.holdings import Holdings
from bot.exchange.clearing.leg import Leg, Settled
from bot.exchange.clearing.margin import OpenOrder
from bot.exchange.clearing.position import Position
from bot.exchange.clearing.reports import Fees, PositionReport, Summary, Transfer
from bot.exchange.clearing.valuation import Valuation
from bot.exchange.errors import VenueError
from bot.exchange.event import Emit
from bot.exchange.instruments.markets import Market
from bot.exchange.instruments.prices import Prices
from bot.exchange.limits import INSURANCE_FUND, SYNTHETIC_ACCOUNTS
from bot.exchange.stamps import Stamps

OpenOrders = Callable[[int, str], Iterable[OpenOrder]]
"""An account's open orders of a market."""


def _no_orders(_account: int, _market: str) -> Iterable[OpenOrder]:
    return ()


class Clearing:
    """The money of every account; changed by matches, their reverts and deposits only.

    Synthetic participants (accounts below `limits.SYNTHETIC_ACCOUNTS`) are cleared like everybody, but pay no fees,
    need no margin, and no event tells of them. ``open_orders`` is what summaries count as open.
    """

    def __init__(
        self,
        markets: Mapping[str, Market],
        prices: Prices,
        stamps: Stamps,
        emit: Emit,
        open_orders: OpenOrders = _no_orders,
    ) -> None:
        self._prices = prices
        self._stamps = stamps
        self._emit = emit
        self._open_orders = open_orders
        self._announcer = Announcer(stamps, emit)
        self._valuation = Valuation(markets, prices, stamps)
        self._index = self._valuation.index
        self._holdings: dict[int, Holdings] = {}
        self._open_interest = dict.fromkeys(markets, 0)
        self._deposited = 0
        self.venue = 0
        """The venue's own money in 10⁻¹⁶: fees and what rounding left over."""

    # -- what changes money --------------------------------------------------------------------------------

    def deposit(self, account: int, amount: int) -> Transfer:
        """Credit an account; the transfer that it becomes.

        Raises:
            ValueError: the amount is not positive.
        """
        if amount <= 0:
            raise ValueError(f"not an amount to deposit: {amount}")
        held, now_ms = self.holdings(account), self._stamps.now_ms()
        held.cash += amount
        held.updated_at_ms = now_ms
        self._deposited += amount
        transfer = Transfer(self._stamps.new_id(), account, amount, now_ms)
        held.transfers.add(transfer)
        self._emit(Deposited(transfer))
        self._emit(AccountChanged(account))
        return transfer

    def accrue(self, market: str, index: int) -> None:
        """The funding index of a market is now this, in 10⁻⁸. Each position settles it with its next fill (3.9)."""
        self._index[market] = index

    def settle(self, leg: Leg) -> Settled:
        """Book one side of a match, and say what it came to. The other side must be booked at the same index."""
        # First, since what is booked is told at once.
        self.holdings(leg.account).position(leg.market).last_fill_id = leg.fill_id
        return self._book(leg, self._fee(leg))

    def revert(self, leg: Leg, fee: int) -> None:
        """Undo one side of a match: the same leg again, and the fee it had paid. Both sides must be.

        The size goes back at the price of the fill, so that what the account has realised and not yet realised comes
        to what it was without the fill. Funding that was settled or accrued in between stays where it is: the index
        moved for a position that was there.
        """
        self._book(attrs.evolve(leg, size=-leg.size), -fee)
        if leg.account >= SYNTHETIC_ACCOUNTS:
            busted = Busted(leg.account, leg.fill_id, self._stamps.now_ms())
            self.holdings(leg.account).busts.add(busted)
            self._emit(busted)

    def liquidate(self, account: int, market: str, size: int, penalty: int) -> Liquidated:
        """Hand a part of a position, ``size`` with its sign, to the insurance fund at the mark, for a penalty."""
        mark, fill_id, now_ms = self._prices[market].mark, self._stamps.new_id(), self._stamps.now_ms()
        leg = Leg(account, market, -size, mark, is_maker=False, retail=False, fill_id=fill_id)
        self.holdings(account).position(market).last_fill_id = fill_id
        settled = self._book(leg, penalty, LIQUIDATION)
        self._book(attrs.evolve(leg, account=INSURANCE_FUND, size=size), 0)
        liquidated = Liquidated(leg, settled, now_ms)
        self.holdings(account).liquidations.add(liquidated)
        self._emit(liquidated)
        return liquidated

    def bear_loss(self, account: int) -> int:
        """Let the venue pay what an account without positions owes; how much that was, in 10⁻⁸.

        Where positions are left, their profit covers the debt.
        """
        held, now_ms = self.holdings(account), self._stamps.now_ms()
        if held.cash >= 0 or any(position.size for position in held.positions.values()):
            return 0
        debt, held.cash, held.updated_at_ms = -held.cash, 0, now_ms
        self.venue -= debt * SCALE
        self._announcer.relieved(held, debt)
        return debt

    def _book(self, leg: Leg, fee: int, kind: str = FILL) -> Settled:
        held, index, now_ms = self.holdings(leg.account), self._index[leg.market], self._stamps.now_ms()
        position = held.position(leg.market)
        before, size_before = held.cash, position.size
        funding, funding_rest = divmod(position.funding_due(index), SCALE)
        pnl, pnl_rest = divmod(position.trade(leg.size, leg.price, now_ms), SCALE)
        self._open_interest[leg.market] += max(0, position.size) - max(0, size_before)
        position.funding_index = index
        position.updated_at_ms = now_ms
        if position.size * size_before > 0:
            position.realized_pnl += pnl + funding
            position.realized_funding += funding
        held.cash = before + funding + pnl - fee
        held.updated_at_ms = now_ms
        self.venue += funding_rest + pnl_rest + fee * SCALE
        settled = Settled(fee, pnl, funding)
        if leg.account >= SYNTHETIC_ACCOUNTS:
            self._announcer.booked(held, leg, settled, before=before, index=index, kind=kind)
        return settled

    def _fee(self, leg: Leg) -> int:
        if leg.account < SYNTHETIC_ACCOUNTS:
            return 0
        volume, now_ms = self.holdings(leg.account).volume, self._stamps.now_ms()
        taker_rate = fees.tier(volume.total(now_ms)).taker_rate
        volume.add(abs(leg.size) * leg.price // SCALE, now_ms)
        rate = fees.rate(taker_rate, is_maker=leg.is_maker, retail=leg.retail, fast=leg.fast)
        return fees.fee(rate, leg.size, leg.price)

    # -- margin --------------------------------------------------------------------------------------------

    def can_carry(
        self,
        account: int,
        market: str,
        is_buy: bool,  # noqa: FBT001 - the order's, as everywhere
        price: int,
        size: int,
        open_orders: Callable[[str], Iterable[OpenOrder]],
    ) -> bool:
        """Whether the risk check admits an order: the account covers the initial margin with it, or it adds none.

        ``price`` is the worst at which the order may trade; ``open_orders`` gives the account's others by market,
        without this one.
        """
        if account < SYNTHETIC_ACCOUNTS:
            return True
        return self._valuation.carries(
            self.holdings(account), market, price, size, open_orders, is_buy=is_buy
        )

    def leverage(self, account: int, market: str) -> int:
        """The leverage of an account in a market: what it set, or the market's largest."""
        return self._valuation.leverage(self.holdings(account), market)

    def set_leverage(self, account: int, market: str, leverage: int, margin_type: str) -> None:
        """Choose the leverage of a market.

        Raises:
            VenueError: INVALID_REQUEST_PARAMETER for a leverage the market does not have, or another type than
                CROSS; REQUEST_NOT_ALLOWED when the account would not cover the initial margin.
        """
        largest = self._valuation.largest_leverage(market)
        if margin_type != "CROSS":
            raise VenueError(
                "INVALID_REQUEST_PARAMETER", "margin_type must be CROSS: no isolated margin here"
            )
        if not 1 <= leverage <= largest:
            raise VenueError("INVALID_REQUEST_PARAMETER", f"leverage must be between 1 and {largest}")
        held = self.holdings(account)
        old = held.leverage.get(market, largest)
        held.leverage[market] = leverage
        summary = self.summary(account)
        if leverage < old and summary.value < summary.initial_margin:
            held.leverage[market] = old
            raise VenueError(
                "REQUEST_NOT_ALLOWED", "the account does not cover the initial margin of this leverage"
            )
        if market in held.positions:
            self._emit(PositionChanged(account, market))
        self._emit(AccountChanged(account))

    # -- what there is -------------------------------------------------------------------------------------

    def position(self, account: int, market: str) -> Position:
        """The live position; an empty one when there never was any."""
        held = self._holdings.get(account)
        position = held.positions.get(market) if held else None
        return position or Position(account, market)

    def holdings(self, account: int) -> Holdings:
        """Cash, and the records of transfers, funding payments and busts."""
        held = self._holdings.get(account)
        if held is None:
            held = self._holdings[account] = Holdings(account)
        return held

    def exposed(self) -> list[int]:
        """The accounts, synthetic ones apart, that hold positions, have open orders, or owe money."""
        return [
            account
            for account, held in self._holdings.items()
            if account >= SYNTHETIC_ACCOUNTS
            and (
                held.cash < 0
                or any(position.size for position in held.positions.values())
                or any(True for market in self._index for _ in self._open_orders(account, market))
            )
        ]

    def fees(self, account: int) -> Fees:
        """What the account's next Pro orders pay."""
        volume = self.holdings(account).volume.total(self._stamps.now_ms())
        tier = fees.tier(volume)
        return Fees(fees.MAKER_RATE, tier.taker_rate, tier.name, volume)

    def summary(self, account: int) -> Summary:
        """The account at the marks, with its open orders."""
        return self._valuation.summary(
            self.holdings(account), lambda market: self._open_orders(account, market)
        )

    def position_report(self, account: int, market: str) -> PositionReport:
        """A position at the mark; an empty one when there never was any."""
        return self._valuation.report(self.holdings(account), self.position(account, market))

    def position_reports(self, account: int) -> list[PositionReport]:
        """Every market where the account ever had a position, closed ones too, in the order of their first fills."""
        return [self.position_report(account, market) for market in self.holdings(account).positions]

    def open_interest(self, market: str) -> int:
        """The sum of all long positions in 10⁻⁸, which is that of all short ones."""
        return self._open_interest[market]

    # -- what must hold ------------------------------------------------------------------------------------

    def discrepancy(self) -> int:
        """How far the books are from conserving money, in 10⁻¹⁶. Anything but 0 is a fault of ours."""
        held = sum(
            holdings.cash * SCALE
            + sum(
                position.size * position.funding_index - position.cost
                for position in holdings.positions.values()
            )
            for holdings in self._holdings.values()
        )
        return held + self.venue - self._deposited * SCALE

    def net_size(self, market: str) -> int:
        """The sum of all positions of a market: 0 between matches."""
        return sum(self.position(account, market).size for account in self._holdings)
