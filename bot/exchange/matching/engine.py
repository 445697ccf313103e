"""The engine: takes accepted orders and cancels one at a time, some time after their acceptance was answered.

Acceptance and engine are two phases (protocol reference 3.5): what the engine decides reaches the client on the
`orders` channel only.
"""

from collections import deque
from collections.abc import Callable
from itertools import takewhile

from bot.exchange.clearing.clearing import Clearing
from bot.exchange.event import Emit
from bot.exchange.instruments.markets import Market
from bot.exchange.instruments.prices import Prices
from bot.exchange.matching.bands import bounds
from bot.exchange.matching.book import Book
from bot.exchange.matching.commands import Bust, Cancel, Command, Modify, Place, Trigger
from bot.exchange.matching.crossing import Matched, match
from bot.exchange.matching.events import BookChanged, OrderChanged
from bot.exchange.matching.fills import Fills
from bot.exchange.matching.inbox import Inbox
from bot.exchange.matching.ledger import OrderLedger
from bot.exchange.matching.modes import RESTRICTED, Mode, tolerates
from bot.exchange.matching.orders import (
    CLOSED,
    IOC,
    NEW,
    OPEN,
    POST_ONLY,
    UNTRIGGERED,
    Order,
    RequestInfo,
    is_synthetic,
)
from bot.exchange.matching.reduce_only import reduces, unfit
from bot.exchange.matching.risk import Risk
from bot.exchange.matching.settlement import Settlement
from bot.exchange.matching.triggers import Triggers, is_due
from bot.exchange.settings import ExchangeSettings
from bot.exchange.stamps import Stamps


class Engine:
    """Books, waiting orders and fills; changed by commands only, one at a time.

    Commands of clients come through `submit` and are due after their speed bump. Those of the exchange itself
    (participants, prices, busts) are executed at once, or, when an event of a step asks for them, right after that
    step: an event's listener never finds the books half changed by another.
    """

    def __init__(
        self,
        markets: dict[str, Market],
        ledger: OrderLedger,
        clearing: Clearing,
        prices: Prices,
        stamps: Stamps,
        emit: Emit,
        *,
        mode: Callable[[], Mode],
        settings: ExchangeSettings,
    ) -> None:
        self._markets = markets
        self._ledger = ledger
        self._clearing = clearing
        self._prices = prices
        self._stamps = stamps
        self._emit = emit
        self._mode = mode
        self._keeps_place = settings.modify_priority == "kept"
        self._info_stays = settings.request_info == "stays"
        self._inbox = Inbox(self.step)
        self._todo: deque[Command] = deque()
        self._stepping = False
        self._lines = 0
        self._moved: dict[int, None] = {}
        self._triggers = Triggers()
        self._risk = Risk(markets, ledger, clearing, prices)
        self.fills = Fills(ledger.kept)
        self._settlement = Settlement(clearing, self.fills, prices, stamps, emit)
        self.books = {symbol: Book(symbol) for symbol in markets}

    # -- what it is told -----------------------------------------------------------------------------------

    def submit(self, command: Command, delay: float = 0.0) -> None:
        """Queue a command; ``delay`` in seconds is a speed bump before the engine sees it."""
        self._inbox.put(command, delay)

    async def run(self) -> None:
        """Work the queue off for as long as the exchange lives."""
        await self._inbox.run()

    @property
    def faults(self) -> int:
        """Commands of clients that broke, by a fault of ours; each cost its order (`Inbox`)."""
        return self._inbox.faults

    def place_now(self, order: Order) -> None:
        """Place an order of a synthetic participant. Its status says what became of it, once its step is over."""
        self.step(Place(order))

    def cancel_now(self, order: Order) -> None:
        """Cancel an order of a synthetic participant; one that is closed already is no error."""
        self.step(Cancel(order, "USER_CANCELED"))

    def prices_moved(self, symbol: str) -> None:
        """A mark or fair price moved: trigger what waited for it, or close what a mode no longer tolerates."""
        mode, price = self._mode(), self._prices[symbol]
        if mode in RESTRICTED:
            for side in (self.books[symbol].bids, self.books[symbol].asks):
                for order in list(
                    takewhile(lambda order: not tolerates(order, order.price, price.fair), side)
                ):
                    self.step(Cancel(order, "EXPIRED"))
        elif mode == "ok":
            for order in self._triggers.take(symbol, price.mark):
                self.step(Trigger(order))

    def mode_changed(self) -> None:
        """Restricted modes close orders outside their band; triggers that were paused are looked at again."""
        for symbol in self._markets:
            self.prices_moved(symbol)

    def bust(self, fill_id: str) -> None:
        """Revert a trade by one of its fills.

        Raises:
            FillUnknown: no such fill is kept, or its trade was busted before.
        """
        self.step(Bust(*self.fills.bust(fill_id)))

    def erase(self, order: Order) -> None:
        """Lose a resting or waiting order of a client without a word: nobody is told but who sees the book."""
        if not self.books[order.market].remove(order):
            self._triggers.remove(order)
        self._ledger.erase(order)
        order.move(CLOSED)
        self._close_step(order.market)

    def step(self, command: Command) -> None:
        """Execute a command, then whatever its events asked for, one after the other."""
        self._todo.append(command)
        if self._stepping:
            return
        self._stepping = True
        try:
            while self._todo:
                self._execute(self._todo.popleft())
        finally:
            self._stepping = False
            self._todo.clear()

    # -- steps ---------------------------------------------------------------------------------------------

    def _execute(self, command: Command) -> None:
        symbol = command.fill.market if isinstance(command, Bust) else command.order.market
        match command:
            case Place(order) if order.status == NEW:
                self._place(order)
            case Trigger(order) if order.status == UNTRIGGERED:
                self._trigger(order)
            case Modify(order) if order.id in self._ledger.by_id:  # else it was erased meanwhile
                self._modify(command)
            case Cancel(order, reason) if order.is_live:
                self._close(order, reason)
            case Bust(fill, counterpart):
                self._settlement.revert(fill, counterpart)
                self._moved |= {fill.account: None, counterpart.account: None}
        self._close_step(symbol)

    def _place(self, order: Order) -> None:
        if not self._mode_admits(order, order.price):
            self._update(order, CLOSED, "EXPIRED")
        elif not order.is_conditional:
            self._enter(order)
        elif reason := self._risk.trigger_refusal(order, order.size):
            self._update(order, CLOSED, reason)
        else:
            self._update(order, UNTRIGGERED)
            self._await_trigger(order)

    def _await_trigger(self, order: Order) -> None:
        """Wait for the mark; where it is there already, trigger right after this step."""
        if self._mode() == "ok" and is_due(order, self._prices[order.market].mark):
            self._todo.append(Trigger(order))
        else:
            self._triggers.add(order)

    def _trigger(self, order: Order) -> None:
        self._triggers.remove(order)
        order.is_triggered = True
        if not order.size:
            position = self._clearing.position(order.account, order.market).size
            if not reduces(order, position):
                self._update(order, CLOSED, "REDUCE_ONLY_WILL_INCREASE")
                return
            order.size = order.remaining = abs(position)
        self._enter(order)

    def _enter(self, order: Order) -> None:
        """Match an order, if the risk check lets it, and rest what remains."""
        book = self.books[order.market]
        if reason := self._risk.refusal(order, book, order.price, order.size):
            self._update(order, CLOSED, reason)
        else:
            self._match(order, book)

    def _match(self, order: Order, book: Book) -> None:
        market = self._markets[order.market]
        matched = match(book, order, bounds(order, market, self._prices[order.market].mark, book))
        self._settle(matched, book.seq_no + 1)
        if matched.taker_expired:
            self._update(order, CLOSED, "SELF_TRADE")
        elif not order.remaining:
            self._update(order, CLOSED)
        elif matched.stopped_by_average:
            self._update(order, CLOSED, "EXCEEDS_MAX_SLIPPAGE")
        elif order.is_market or order.instruction == IOC:
            self._update(order, CLOSED, "REMAINING_IOC_CANCEL")
        else:
            self._lines += 1
            order.line = self._lines
            book.rest(order)
            self._moved[order.account] = None
            self._update(order, OPEN)

    def _settle(self, matched: Matched, book_seq: int) -> None:
        for order in matched.expired:
            self._update(order, CLOSED, "SELF_TRADE")
        for made in matched.trades:
            self._settlement.settle(made, book_seq)
            self._moved |= {made.maker.account: None, made.taker.account: None}
            self._update(made.maker, OPEN if made.maker_remaining else CLOSED)

    def _modify(self, command: Modify) -> None:
        order, book = command.order, self.books[command.order.market]
        if reason := self._modification_refusal(command, book):
            order.request = RequestInfo(command.request_id, "REJECTED", reason)
            self._announce(order)
            return
        order.request = RequestInfo(command.request_id, "SUCCESS")
        order.signed_at_ms = command.signed_at_ms
        self._moved[order.account] = None
        total = command.total
        if order.status == UNTRIGGERED:
            self._triggers.remove(order)
            order.price, order.trigger_price = command.price, command.trigger_price
            order.size = order.remaining = total
            self._update(order, UNTRIGGERED)
            self._await_trigger(order)
        elif self._keeps_place and command.price == order.price and total <= order.size:
            less = order.size - total
            order.resize(total)
            book.own(order).reduce(order, less)
            self._update(order, OPEN)
        else:
            book.remove(order)
            order.resize(total)
            order.price = command.price
            self._match(order, book)

    def _modification_refusal(self, command: Modify, book: Book) -> str:
        """Why a modification leaves its order as it is, or nothing."""
        order = command.order
        if order.status not in {OPEN, UNTRIGGERED}:
            return "ORDER_IS_NOT_OPEN"
        if not self._mode_admits(order, command.price):
            return "SYSTEM_STATUS_POST_ONLY" if self._mode() == "post_only" else "SYSTEM_STATUS_CANCEL_ONLY"
        if order.status == UNTRIGGERED:
            return self._risk.trigger_refusal(order, command.total)
        if command.trigger_price != order.trigger_price:
            return "INVALID_REQUEST_PARAMETER"
        if command.total <= order.filled:
            return "INVALID_ORDER_SIZE"
        return self._risk.refusal(order, book, command.price, command.total - order.filled)

    def _mode_admits(self, order: Order, price: int) -> bool:
        """Whether the mode lets an order in that was accepted before it changed."""
        mode = self._mode()
        return mode not in RESTRICTED or (
            mode == "post_only"
            and order.instruction == POST_ONLY
            and tolerates(order, price, self._prices[order.market].fair)
        )

    # -- what every step ends with -------------------------------------------------------------------------

    def _close(self, order: Order, reason: str) -> None:
        if not self.books[order.market].remove(order):
            self._triggers.remove(order)
        self._update(order, CLOSED, reason)

    def _update(self, order: Order, status: str, reason: str = "") -> None:
        order.move(status, reason)
        if is_synthetic(order.account):
            return
        order.updated_at_ms = self._stamps.now_ms()
        forgotten = self._ledger.retire(order) if status == CLOSED else None
        if forgotten is not None:
            self.fills.forget_order(forgotten.id)
        self._announce(order)

    def _announce(self, order: Order) -> None:
        order.seq_no = self._stamps.rest_seq.next()
        self._emit(OrderChanged(order))
        if not self._info_stays:
            order.request = None

    def _close_step(self, symbol: str) -> None:
        """Close reduce-only orders that no longer only reduce, and number what happened to the book."""
        moved, self._moved = self._moved, {}
        for account in moved:
            if self._ledger.has_reduce_only(account, symbol):
                position = self._clearing.position(account, symbol).size
                for order in unfit(self._ledger.live_in(account, symbol), position):
                    self._close(order, "REDUCE_ONLY_WILL_INCREASE")
        book, now_ms = self.books[symbol], self._stamps.now_ms()
        changes = book.close_step(now_ms)
        if changes is not None:
            self._emit(BookChanged(book, changes))
