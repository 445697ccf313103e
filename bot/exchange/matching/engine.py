"""The engine: takes accepted orders and cancels one at a time, some time after their acceptance was answered.

Acceptance and engine are two phases (protocol reference 3.5): what the engine decides reaches the client on the
`orders` channel only.
"""

import heapq
from collections import defaultdict
from collections.abc import Callable

import attrs
import trio

from bot.exchange.clearing.clearing import Clearing, Leg
from bot.exchange.event import Emit
from bot.exchange.limits import RESTRICTED_BAND_BPS
from bot.exchange.market.house import House
from bot.exchange.market.listings import Market
from bot.exchange.market.prices import Prices
from bot.exchange.matching.book import Book
from bot.exchange.matching.crossing import Match, Matched, match, would_cross
from bot.exchange.matching.events import BookChanged, Filled, OrderChanged, Trade
from bot.exchange.matching.orders import CLOSED, HOUSE, OPEN, Fill, Order, OrderLedger
from bot.exchange.stamps import Stamps

_BPS = 10_000


@attrs.frozen
class Place:
    """Risk-check and match an order that was accepted as NEW."""

    order: Order


@attrs.frozen
class Cancel:
    """Close an order if it still lives."""

    order: Order
    reason: str


Command = Place | Cancel


def outside(order: Order, fair: int, width_bps: int) -> bool:
    """Whether the price is more aggressive than the fair price and a width allow."""
    if order.is_buy:
        return order.price * _BPS > fair * (_BPS + width_bps)
    return order.price * _BPS < fair * (_BPS - width_bps)


class Engine:
    """Books, positions and fills; changed by commands only, one at a time, in order of their due times."""

    def __init__(
        self,
        markets: dict[str, Market],
        ledger: OrderLedger,
        clearing: Clearing,
        prices: Prices,
        stamps: Stamps,
        new_house: Callable[[Market, Book], House],
        emit: Emit,
    ) -> None:
        self._markets = markets
        self._ledger = ledger
        self._stamps = stamps
        self._clearing = clearing
        self._prices = prices
        self._emit = emit
        self._queue: list[tuple[float, int, Command]] = []
        self._queued = 0
        self._arrival = trio.Event()
        self.fills: defaultdict[int, list[Fill]] = defaultdict(list)
        self.books = {symbol: Book(symbol) for symbol in markets}
        self._houses = {symbol: new_house(market, self.books[symbol]) for symbol, market in markets.items()}
        for symbol in markets:
            self._refresh(symbol, self._stamps.now_ms())

    def submit(self, command: Command, delay: float = 0.0) -> None:
        """Queue a command; ``delay`` in seconds is a speed bump before the engine sees it."""
        self._queued += 1
        heapq.heappush(self._queue, (trio.current_time() + delay, self._queued, command))
        self._arrival.set()

    async def run(self) -> None:
        """Work the queue off for as long as the exchange lives."""
        while True:
            if not self._queue:
                self._arrival = trio.Event()
                await self._arrival.wait()
            # A speed bump may be overtaken by a command that is due earlier, so wait for either.
            self._arrival = trio.Event()
            with trio.move_on_at(self._queue[0][0]):
                await self._arrival.wait()
            while self._queue and self._queue[0][0] <= trio.current_time():
                self.step(heapq.heappop(self._queue)[2])
            await trio.lowlevel.checkpoint()

    def step(self, command: Command) -> None:
        """Apply one command, publish every order it changed, and put the house quote back."""
        order = command.order
        if not order.is_live:
            return
        match command:
            case Place():
                self._place(order)
            case Cancel(reason=reason):
                self.books[order.market].remove(order)
                self._update(order, CLOSED, reason)
        self._refresh(order.market, self._stamps.now_ms(), changed=True)

    def _place(self, order: Order) -> None:
        market, book = self._markets[order.market], self.books[order.market]
        reason = self._refusal(order, market, book)
        if reason:
            self._update(order, CLOSED, reason)
            return
        matched = match(book, order, _limit(order, market, self._prices[market.symbol].mark))
        self._settle(matched, book)
        if matched.taker_expired:
            self._update(order, CLOSED, "SELF_TRADE")
        elif not order.remaining:
            self._update(order, CLOSED)
        elif order.type == "MARKET" or order.instruction == "IOC":
            self._update(order, CLOSED, "REMAINING_IOC_CANCEL")
        else:
            book.rest(order)
            self._update(order, OPEN)

    def _refusal(self, order: Order, market: Market, book: Book) -> str:
        """Why the risk check turns the order away, or nothing."""
        if order.type == "MARKET" and book.opposite(order).best() is None:
            return "EMPTY_MARKET"
        if order.type != "MARKET" and outside(order, self._prices[market.symbol].mark, market.band_bps):
            return "EXCEEDS_MAX_SLIPPAGE"
        if order.instruction == "POST_ONLY" and would_cross(book, order):
            return "POST_ONLY_WOULD_CROSS"
        position = self._clearing.position(order.account, order.market).size
        signed = order.size if order.is_buy else -order.size
        if "REDUCE_ONLY" in order.flags and (position * signed >= 0 or abs(signed) > abs(position)):
            return "REDUCE_ONLY_WILL_INCREASE"
        pending = sum(
            other.remaining
            for other in self._ledger.live(order.account, order.market)
            if other.side == order.side and other.status == OPEN
        )
        if order.size + pending + (position if order.is_buy else -position) > market.position_limit:
            return "ORDER_EXCEEDS_POSITION_LIMIT"
        return ""

    def _settle(self, matched: Matched, book: Book) -> None:
        for order in matched.expired:
            self._update(order, CLOSED, "SELF_TRADE")
        for made in matched.trades:
            self._record(made, book.touched(self._stamps.now_ms()))
            if made.maker.account != HOUSE:
                self._update(made.maker, OPEN if made.maker.remaining else CLOSED)

    def _record(self, made: Match, book_seq: int) -> None:
        taker, now_ms = made.taker, self._stamps.now_ms()
        trade = Trade(
            self._stamps.new_id(), taker.market, taker.side, made.price, made.size, now_ms, book_seq
        )
        self._emit(trade)
        for order, liquidity, remaining in (
            (made.maker, "MAKER", made.maker_remaining),
            (made.taker, "TAKER", made.taker_remaining),
        ):
            settled = self._clearing.settle(
                Leg(
                    order.account,
                    order.market,
                    made.size if order.is_buy else -made.size,
                    made.price,
                    is_maker=order is made.maker,
                    retail="INTERACTIVE" in order.flags,
                )
            )
            if order.account == HOUSE:
                continue
            fill = Fill(
                id=self._stamps.new_id(),
                trade_id=trade.id,
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
                underlying_price=self._prices[order.market].underlying,
                created_at_ms=now_ms,
                book_seq=book_seq,
            )
            self.fills[order.account].append(fill)
            self._emit(Filled(fill))

    def _update(self, order: Order, status: str, reason: str = "") -> None:
        order.move(status, reason)
        order.updated_at_ms = self._stamps.now_ms()
        order.seq_no = self._stamps.rest_seq.next()
        if status == CLOSED:
            self._ledger.retire(order)
        self._emit(OrderChanged(order))

    def _refresh(self, symbol: str, now_ms: int, *, changed: bool = False) -> None:
        if self._houses[symbol].quote(now_ms) or changed:
            self.books[symbol].touched(now_ms)
            self._emit(BookChanged(self.books[symbol]))

    def restrict(self) -> None:
        """Close resting orders that a restricted mode does not tolerate (protocol reference 1)."""
        for order in self._ledger:
            fair = self._prices[order.market].fair
            if order.status == OPEN and outside(order, fair, RESTRICTED_BAND_BPS):
                self.submit(Cancel(order, "EXPIRED"))


def _limit(order: Order, market: Market, mark: int) -> int:
    """The worst price the order may trade at: its own, or the edge of the price band for MARKET."""
    if order.type != "MARKET":
        return order.price
    width = market.band_bps if order.is_buy else -market.band_bps
    return mark * (_BPS + width) // _BPS
