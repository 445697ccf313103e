"""What is seen of a market, step by step, and what must hold there: against the naive market, and in itself."""

from collections import defaultdict
from collections.abc import Iterable

import attrs
from naive_matching import Expected, NaiveMarket

from bot.exchange.clearing.clearing import Clearing
from bot.exchange.clearing.events import Busted
from bot.exchange.event import Event
from bot.exchange.matching.book import Book
from bot.exchange.matching.commands import Bust, Cancel, Command, Modify, Place, Trigger
from bot.exchange.matching.events import BookChanged, Filled, OrderChanged, Trade
from bot.exchange.matching.fills import Fill, Fills
from bot.exchange.matching.ledger import OrderLedger
from bot.exchange.matching.orders import (
    CLOSED,
    NEW,
    OPEN,
    TRANSITIONS,
    UNTRIGGERED,
    Order,
    RequestInfo,
    is_synthetic,
)


@attrs.define
class Seen:
    """What events told: positions and fills in 10⁻⁸, orders in every status they had, levels of the book."""

    events: list[Event] = attrs.field(factory=list)
    orders: dict[str, Order] = attrs.field(factory=dict)
    fills: dict[str, Fill] = attrs.field(factory=dict)
    requests: dict[str, RequestInfo] = attrs.field(factory=dict)
    held: defaultdict[int, int] = attrs.field(factory=lambda: defaultdict(int))
    filled: defaultdict[str, int] = attrs.field(factory=lambda: defaultdict(int))
    values: defaultdict[str, int] = attrs.field(factory=lambda: defaultdict(int))
    statuses: dict[str, str] = attrs.field(factory=dict)
    levels: dict[tuple[str, int], int] = attrs.field(factory=dict)


@attrs.define
class Watch:
    """Compares each step with what was expected of it. ``keeps_place`` is the setting modify_priority."""

    naive: NaiveMarket
    seen: Seen
    book: Book
    ledger: OrderLedger
    fills: Fills
    clearing: Clearing
    accounts: Iterable[int]
    keeps_place: bool
    _first_event: int = 0
    _last_seq: int = 0
    _arrived: int = 0
    _stays: bool = False
    _wanted: int = 0

    # -- what is seen --------------------------------------------------------------------------------------

    def listen(self, event: Event) -> None:
        seen = self.seen
        seen.events.append(event)
        match event:
            case Trade(seq_no=seq_no):
                assert seq_no == self.book.seq_no + 1
            case OrderChanged(order=order):
                self._see_order(order)
            case Filled(fill=fill):
                self._see_fill(fill)
            case Busted(fill_id=fill_id):
                seen.held[seen.fills[fill_id].account] -= seen.fills[fill_id].signed_size
            case BookChanged(changes=changes):
                for side, price, size in changes:
                    assert seen.levels.get((side, price), 0) != size, "nothing changed there"
                    seen.levels[side, price] = size
                    if not size:
                        del seen.levels[side, price]
            case _:
                pass

    def _see_order(self, order: Order) -> None:
        assert not is_synthetic(order.account)
        seen = self.seen
        seen.orders[order.id] = order
        if order.request is not None:
            seen.requests[order.request.id] = order.request
        last, seen.statuses[order.id] = seen.statuses.get(order.id, NEW), order.status
        told_no = order.request is not None and order.request.status == "REJECTED"
        assert order.status in TRANSITIONS[last] or (told_no and order.status == last)
        assert (order.status == CLOSED) != (order in self.ledger.live(order.account))
        if order.status == CLOSED and order.size:
            assert bool(order.remaining) == bool(order.cancel_reason)

    def _see_fill(self, fill: Fill) -> None:
        assert fill.book_seq == self.book.seq_no + 1
        seen = self.seen
        order = seen.orders[fill.order_id]
        before, after = seen.held[fill.account], seen.held[fill.account] + fill.signed_size
        if order.is_reduce_only:
            assert abs(after) == abs(before) - fill.size, "a reduce-only order increased"
        seen.fills[fill.id] = fill
        seen.held[fill.account] = after
        seen.filled[order.id] += fill.size
        seen.values[order.id] += fill.size * fill.price
        assert fill.remaining == order.size - seen.filled[order.id] >= 0

    # -- what is expected ----------------------------------------------------------------------------------

    def before(self, command: Command) -> Expected | None:
        """What a step should do to the book; None when it should not trade."""
        self._first_event, self._last_seq = len(self.seen.events), self.book.seq_no
        match command:
            case Place(order=order) if order.status == NEW:
                self.seen.orders[order.id] = order
                return self._placed(order)
            case Trigger(order=order) if order.status == UNTRIGGERED:
                size = order.size or abs(self.seen.held[order.account])
                if not order.size and not self.naive.covers(order, size):
                    return Expected(ending="REDUCE_ONLY_WILL_INCREASE", is_refusal=True)
                return self.naive.expect(order, order.price, size)
            case Modify(order=order) if order.status == OPEN:
                self._wanted = total_of(command)
                return self._modified(command)
            case _:
                return None

    def _placed(self, order: Order) -> Expected | None:
        if not self.naive.admits(order, order.price):
            return Expected(ending="EXPIRED", is_refusal=True)
        if not order.is_conditional:
            return self.naive.expect(order, order.price, order.remaining)
        if order.is_reduce_only and not self.naive.covers(order, order.size):
            return Expected(ending="REDUCE_ONLY_WILL_INCREASE", is_refusal=True)
        return None

    def _modified(self, command: Modify) -> Expected:
        order = command.order
        total = total_of(command)
        self._stays = self.keeps_place and command.price == order.price and total <= order.size
        known = total > order.filled and command.trigger_price == order.trigger_price
        if not known or not self.naive.admits(order, command.price):
            return Expected(ending="REJECTED", is_refusal=True)
        return self.naive.expect(order, command.price, total - order.filled)

    def after(self, command: Command, expected: Expected | None) -> None:
        """Compare what the step did, and check what must hold after every step."""
        events = self.seen.events[self._first_event :]
        trades = [(event.price, event.size) for event in events if isinstance(event, Trade)]
        if expected is None or isinstance(command, Bust | Cancel) or not self._traded(command, expected):
            assert not trades
        else:
            assert trades == expected.trades
            order = command.order
            resting = not order.remaining or order.status == OPEN
            assert order.cancel_reason == (expected.ending or ("" if resting else "it should rest"))
            assert all(maker.cancel_reason == "SELF_TRADE" for maker in expected.expired)
            assert all(maker.filled for maker in expected.makers)
        changes = sum(isinstance(event, BookChanged) for event in events)
        assert changes == self.book.seq_no - self._last_seq <= 1
        self._note_arrivals(command)
        self.check()

    def _traded(self, command: Place | Trigger | Modify, expected: Expected) -> bool:
        """Whether the order got to the book; where it did not, that it was for the reason expected, or margin."""
        order = command.order
        if isinstance(command, Modify):
            told = self.seen.requests[command.request_id]
            if told.status == "SUCCESS":
                assert not expected.is_refusal
                assert (order.price, order.size) == (command.price, self._wanted)
                return True
            assert told.message in {expected.ending, "NOT_ENOUGH_MARGIN"} or expected.ending == "REJECTED"
            return False
        if not expected.is_refusal and order.cancel_reason != "NOT_ENOUGH_MARGIN":
            return True
        assert order.status == CLOSED
        assert order.cancel_reason in {
            expected.ending,
            "" if is_synthetic(order.account) else "NOT_ENOUGH_MARGIN",
        }
        return False

    def _note_arrivals(self, command: Command) -> None:
        """Who came to rest came last, and so did who was modified, unless it kept its place."""
        resting, arrivals = {*self.book.bids, *self.book.asks}, self.naive.arrivals
        for gone in arrivals.keys() - resting:
            del arrivals[gone]
        new = resting - arrivals.keys()
        if isinstance(command, Modify) and command.order in resting and self._was_moved_back(command):
            new.add(command.order)
        assert new <= ({command.order} if isinstance(command, Place | Trigger | Modify) else set())
        for order in new:
            self._arrived += 1
            arrivals[order] = self._arrived

    def _was_moved_back(self, command: Modify) -> bool:
        return self.seen.requests[command.request_id].status == "SUCCESS" and not self._stays

    # -- what holds after every step -----------------------------------------------------------------------

    def check(self) -> None:
        bids, asks = list(self.book.bids), list(self.book.asks)
        assert not bids or not asks or bids[0].price < asks[0].price, "crossed at rest"
        assert bids == self.naive.line(is_buy=True)
        assert asks == self.naive.line(is_buy=False)
        self._check_levels(bids + asks)
        live = {order for account in self.accounts for order in self.ledger.live(account)}
        assert {o for o in live if o.status == OPEN} == {
            o for o in bids + asks if not is_synthetic(o.account)
        }
        for order in self.seen.orders.values():
            assert 0 <= order.remaining <= order.size
            if not is_synthetic(order.account):
                assert order.filled == self.seen.filled[order.id]
                assert order.filled_value == self.seen.values[order.id]
        for account in self.accounts:
            assert self.clearing.position(account, self.book.market).size == self.seen.held[account]
            self._check_reduce_only(account)
        assert self.clearing.discrepancy() == 0
        assert self.clearing.net_size(self.book.market) == 0
        assert sum(order.status == CLOSED for order in self.ledger) <= self.ledger.kept
        assert len(self.fills) <= self.ledger.kept

    def _check_levels(self, resting: list[Order]) -> None:
        sums: defaultdict[tuple[str, int], int] = defaultdict(int)
        for order in resting:
            assert order.status == OPEN
            assert order.remaining > 0
            sums[order.side, order.price] += order.remaining
        assert sums == self.seen.levels
        for side, is_best_first in (("BUY", True), ("SELL", False)):
            levels = self.book.levels(side)
            assert {(side, price): size for price, size in levels} == {
                key: size for key, size in sums.items() if key[0] == side
            }
            assert levels == sorted(levels, reverse=is_best_first)

    def _check_reduce_only(self, account: int) -> None:
        """Whatever of its orders is filled, in the book's order: none that is reduce-only increases."""
        for side in (self.book.bids, self.book.asks):
            held = self.seen.held[account]
            for order in side:
                if order.account == account:
                    signed = order.remaining if order.is_buy else -order.remaining
                    assert not order.is_reduce_only or (held * signed < 0 and abs(signed) <= abs(held))
                    held += signed

    def check_waiting(self) -> None:
        """What must hold once nothing is left to do.

        Nobody waits for a mark that is there, and in restricted modes nobody rests where none may.
        """
        mode, price = self.naive.mode(), self.naive.price
        if mode == "ok":
            orders = self.seen.orders.values()
            assert not [o for o in orders if o.status == UNTRIGGERED and waits_in_vain(o, price.mark)]
        if mode in {"cancel_only", "post_only"}:
            resting = [*self.book.bids, *self.book.asks]
            assert not [o for o in resting if self.naive.is_outside(o, o.price, price.fair, 5)]


def waits_in_vain(order: Order, mark: int) -> bool:
    """Whether the mark is where a conditional order, without flags about it, wants it."""
    up = order.is_buy != order.type.startswith("TAKE_PROFIT")
    return mark >= order.trigger_price if up else mark <= order.trigger_price


def total_of(command: Modify) -> int:
    """The total size that an order should have after a modification."""
    return command.size if command.counts_filled else command.size + command.order.filled
