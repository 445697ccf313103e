"""The market that goes on by itself: its seed, its books, its levers. All in virtual time."""

from collections.abc import Awaitable, Callable
from itertools import pairwise
from statistics import median
from typing import Any

import attrs
import pytest
import trio
import trio.testing
from exchange_stage import StageClock

from bot.core.fixed import parse
from bot.exchange.event import Event
from bot.exchange.exchange import Exchange
from bot.exchange.market.events import FundingTicked, PriceMoved
from bot.exchange.market.listings import MARKETS
from bot.exchange.matching.events import BookChanged, Trade
from bot.exchange.matching.orders import BUY, IOC, LIMIT, POST_ONLY, SELL, Order
from bot.exchange.settings import ExchangeSettings
from bot.simulation.world import run

BTC = "BTC-USD-PERP"
CLIENT = 999
"""An account that is cleared like the participants: these tests are not about margin."""

Play = Callable[["Witness"], Awaitable[None]]


@attrs.define
class Witness:
    """An exchange, and everything that happened in its markets since it opened."""

    exchange: Exchange
    trades: list[tuple[float, Trade]] = attrs.field(factory=list)
    changes: list[tuple[Any, ...]] = attrs.field(factory=list)
    prices: list[tuple[Any, ...]] = attrs.field(factory=list)
    funding: list[tuple[Any, ...]] = attrs.field(factory=list)
    worst_spread: int = 10**20

    def listen(self, event: Event) -> None:
        now = trio.current_time()
        match event:
            case Trade():
                self.trades.append((now, event))
            case BookChanged(book=book, changes=changes):
                self.changes.append((now, book.market, book.seq_no, changes))
                bid, ask = book.bids.best_level(), book.asks.best_level()
                if bid and ask:
                    self.worst_spread = min(self.worst_spread, ask.price - bid.price)
            case PriceMoved(symbol=symbol):
                self.prices.append((now, symbol, *attrs.astuple(self.exchange.prices[symbol])))
            case FundingTicked(symbol=symbol):
                self.funding.append((now, symbol, self.exchange.funding.now(symbol)))
            case _:
                pass

    def levels(self, symbol: str = BTC) -> tuple[int, int]:
        book = self.exchange.engine.books[symbol]
        return len(book.levels(BUY)), len(book.levels(SELL))

    def depth(self) -> list[int]:
        """The size on each side of each book."""
        books = self.exchange.engine.books.values()
        return [sum(level.size for level in book.levels(side)) for book in books for side in (BUY, SELL)]

    def spread_bps(self, symbol: str = BTC) -> float:
        book = self.exchange.engine.books[symbol]
        return (
            10_000
            * (book.levels(SELL)[0].price - book.levels(BUY)[0].price)
            / self.exchange.prices[symbol].fair
        )

    def off_bps(self, symbol: str = BTC) -> float:
        """How far the middle of the book is from the fair price."""
        book, fair = self.exchange.engine.books[symbol], self.exchange.prices[symbol].fair
        middle = (book.levels(SELL)[0].price + book.levels(BUY)[0].price) / 2
        return 10_000 * abs(middle - fair) / fair

    def place(self, side: str, price: int, size: int, instruction: str = IOC, symbol: str = BTC) -> Order:
        now_ms = self.exchange.stamps.now_ms()
        order = Order(
            id=self.exchange.stamps.new_id(),
            account=CLIENT,
            client_id="",
            market=symbol,
            side=side,
            type=LIMIT,
            instruction=instruction,
            price=price,
            size=size,
            stp="EXPIRE_TAKER",
            flags=(),
            signed_at_ms=now_ms,
            received_at_ms=now_ms,
            created_at_ms=now_ms,
            updated_at_ms=now_ms,
            remaining=size,
        )
        self.exchange.engine.place_now(order)
        return order

    def sweep(self, side: str, symbol: str = BTC) -> Order:
        """Take everything within the price band."""
        market, mark = MARKETS[symbol], self.exchange.prices[symbol].mark
        width = market.band_bps if side == BUY else -market.band_bps
        edge = mark * (10_000 + width) // 10_000
        return self.place(side, edge - edge % market.tick, 10**9 * market.house_size, IOC, symbol)


def watch(play: Play | float, *, scheduling: int = 0, **settings: Any) -> Witness:
    """Run an exchange in virtual time while something is played, or for so many seconds."""

    async def staged() -> Witness:
        witness = Witness(Exchange(ExchangeSettings(**settings), StageClock(), verify=False))
        witness.exchange.bus.listen(witness.listen)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(witness.exchange.run)
            if isinstance(play, int | float):
                await trio.sleep(play)
            else:
                await play(witness)
            nursery.cancel_scope.cancel()
        return witness

    return run(staged, seed=scheduling)


# -- one seed is one market ----------------------------------------------------------------------------------


def test_the_same_seed_gives_the_same_market() -> None:
    """Trade by trade with its id, book by book, price by price; however the scheduler orders the tasks."""
    one, other = watch(40.5, activity=10.0, seed=3), watch(40.5, activity=10.0, seed=3, scheduling=1)
    assert len(one.trades) > 50
    assert len(one.changes) > 1000
    assert one.trades == other.trades
    assert one.changes == other.changes
    assert one.prices == other.prices
    assert one.funding == other.funding


def test_another_seed_gives_another_market() -> None:
    """Prices, trades and opening books."""
    one, other = watch(5, activity=10.0, seed=3), watch(5, activity=10.0, seed=4)
    assert one.prices != other.prices
    assert [(at, trade.price) for at, trade in one.trades] != [
        (at, trade.price) for at, trade in other.trades
    ]
    assert one.changes != other.changes
    assert one.exchange.funding.index[BTC] != other.exchange.funding.index[BTC]


def test_what_clients_do_changes_the_book_and_not_the_price() -> None:
    """A client who sweeps the book meets the same prices as one who does nothing, at the same times."""

    async def sweep(witness: Witness) -> None:
        for _ in range(4):
            await trio.sleep(5)
            witness.sweep(BUY)
        await trio.sleep(0.5)

    still, swept = watch(20.5, seed=5), watch(sweep, seed=5)
    assert swept.prices == still.prices
    assert swept.funding == still.funding
    assert swept.changes != still.changes


# -- books ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("seed", range(4))
def test_books_are_full_from_the_beginning(seed: int) -> None:
    """At time 0 every side has 20 levels or more, near the fair price, in whole ticks and steps."""

    async def look(witness: Witness) -> None:
        for symbol, market in MARKETS.items():
            assert min(witness.levels(symbol)) >= 20
            assert 0 < witness.spread_bps(symbol) < 5
            assert witness.off_bps(symbol) < 1
            book = witness.exchange.engine.books[symbol]
            for level in (*book.levels(BUY), *book.levels(SELL)):
                assert level.price % market.tick == 0 == level.size % market.step < level.size
                assert abs(level.price - market.opening_price) * 100 < market.opening_price

    watch(look, seed=seed)


def test_books_move_and_trade_and_are_never_crossed() -> None:
    """In two minutes: every market trades both ways, prices move, the book stays full and near the fair price."""
    offs, spreads = [], []

    async def look(witness: Witness) -> None:
        for _ in range(120):
            await trio.sleep(1)
            for symbol in MARKETS:
                assert min(witness.levels(symbol)) >= 15
                offs.append(witness.off_bps(symbol))
                spreads.append(witness.spread_bps(symbol))

    witness = watch(look, seed=7)
    assert witness.worst_spread > 0
    assert {(trade.market, trade.side) for _, trade in witness.trades} == {
        (symbol, side) for symbol in MARKETS for side in (BUY, SELL)
    }
    assert median(offs) < 5
    assert max(offs) < 40
    assert median(spreads) < 5
    assert max(spreads) < 20
    for symbol in MARKETS:
        marks = [mark for _, moved, _, mark, _ in witness.prices if moved == symbol]
        assert len(marks) in {119, 120}
        assert len(set(marks)) > 100
        assert all(abs(later - earlier) * 100 < earlier for earlier, later in pairwise(marks))


@pytest.mark.parametrize("activity", [0.05, 4.0])
@pytest.mark.parametrize("side", [BUY, SELL])
def test_books_recover_when_everything_was_taken(side: str, activity: float) -> None:
    """After a client took all within the band, both sides are full and close again in two seconds."""

    async def sweep(witness: Witness) -> None:
        for symbol in MARKETS:
            await trio.sleep(1.1)
            taken = witness.sweep(side, symbol)
            assert taken.filled > MARKETS[symbol].house_size
            assert witness.levels(symbol)[side == BUY] == 0
            await trio.sleep(2)
            assert min(witness.levels(symbol)) >= 20
            assert witness.spread_bps(symbol) < 15
        assert witness.exchange.clearing.discrepancy() == 0
        assert witness.exchange.clearing.net_size(BTC) == 0

    assert watch(sweep, activity=activity).worst_spread > 0


def test_an_obstinate_order_does_not_stop_the_market() -> None:
    """Quotes stay behind an order that rests on the wrong side of the fair price, until somebody takes it."""

    async def rest(witness: Witness) -> None:
        witness.sweep(BUY)
        order = witness.place(BUY, parse("86000"), parse("3"), POST_ONLY)
        await trio.sleep(30)
        assert not order.is_live
        assert witness.off_bps() < 40

    assert watch(rest, seed=2).worst_spread > 0


def test_participants_come_as_often_as_the_setting_says() -> None:
    """20 orders a second in each market, give or take what chance does in 30 s."""
    placed: list[str] = []

    async def count(witness: Witness) -> None:
        engine = witness.exchange.engine
        place = engine.place_now

        def counted(order: Order) -> None:
            placed.append(order.market)
            place(order)

        engine.place_now = counted  # type: ignore[method-assign]
        await trio.sleep(30)

    watch(count, activity=20.0, volatility=0.3)
    for symbol in MARKETS:
        assert 500 < placed.count(symbol) < 700


def test_money_is_conserved_among_participants() -> None:
    """Nothing is made or lost by what the market does with itself."""
    exchange = watch(8, activity=40.0).exchange
    assert exchange.clearing.discrepancy() == 0
    for symbol in MARKETS:
        assert exchange.clearing.net_size(symbol) == 0
        assert exchange.clearing.open_interest(symbol) > 0


# -- a market that stands still ------------------------------------------------------------------------------


def test_without_activity_nothing_happens() -> None:
    """An hour later prices and books are what they were: one quote on each side, and no event."""

    async def wait(witness: Witness) -> None:
        before = {symbol: attrs.astuple(witness.exchange.prices[symbol]) for symbol in MARKETS}
        await trio.sleep(3600)
        assert {symbol: attrs.astuple(witness.exchange.prices[symbol]) for symbol in MARKETS} == before
        assert {witness.levels(symbol) for symbol in MARKETS} == {(1, 1)}

    witness = watch(wait, activity=0.0)
    assert (witness.trades, witness.changes, witness.prices, witness.funding) == ([], [], [], [])


def test_a_quiet_quote_comes_back_at_once() -> None:
    """Eaten, in part or whole, it is whole again in no time, at its price; behind whoever rests in the way."""

    async def eat(witness: Witness) -> None:
        book = witness.exchange.engine.books[BTC]
        bid, ask = book.levels(BUY)[0], book.levels(SELL)[0]
        for size in (parse("0.1"), MARKETS[BTC].house_size):
            witness.place(BUY, ask.price, size)
            await trio.testing.wait_all_tasks_blocked()
            assert trio.current_time() == 0
            assert book.levels(SELL) == [ask]
        witness.place(SELL, bid.price, MARKETS[BTC].house_size)
        intruder = witness.place(SELL, bid.price, parse("1"), POST_ONLY)
        await trio.testing.wait_all_tasks_blocked()
        assert intruder.is_live
        assert [level.price for level in book.levels(BUY)] == [bid.price - MARKETS[BTC].tick]
        witness.exchange.engine.cancel_now(intruder)
        await trio.testing.wait_all_tasks_blocked()
        assert book.levels(BUY) == [bid]

    watch(eat, activity=0.0)


# -- levers --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("activity", [0.0, 4.0])
@pytest.mark.parametrize("price", ["81234.5", "88765.43210001"])
def test_a_moved_price_is_everywhere_at_once(price: str, activity: float) -> None:
    """Spot, mark and fair price are the new one, the book quotes around it, and only this market moved."""

    async def move(witness: Witness) -> None:
        await trio.sleep(1.5)
        others = witness.prices[-2:]
        witness.exchange.driver.move(BTC, parse(price))
        assert attrs.astuple(witness.exchange.prices[BTC]) == (parse(price),) * 3
        assert witness.off_bps() < 1
        assert witness.spread_bps() < 5
        await trio.testing.wait_all_tasks_blocked()
        assert witness.prices[-1][1] == BTC
        assert others == witness.prices[-3:-1]
        await trio.sleep(10)
        assert witness.off_bps() < 15
        [bar] = witness.exchange.klines.query(BTC, 60, 0, 2**62, witness.exchange.stamps.now_ms(), "mark")[
            -1:
        ]
        assert bar.low <= parse(price) <= bar.high

    watch(move, activity=activity)


def test_a_price_is_above_zero_and_of_a_market() -> None:
    """What cannot be a price, or has no market, changes nothing."""

    async def move(witness: Witness) -> None:
        before = attrs.astuple(witness.exchange.prices[BTC])
        with pytest.raises(ValueError, match="above zero"):
            witness.exchange.driver.move(BTC, 0)
        with pytest.raises(KeyError):
            witness.exchange.driver.move("DOGE", 1)
        assert attrs.astuple(witness.exchange.prices[BTC]) == before

    watch(move, activity=0.0)


def test_a_frozen_market_stands_still_until_it_is_thawed() -> None:
    """No price, no quote, no funding for an hour, not even to fill a hole; then it goes on, without a leap."""

    async def freeze(witness: Witness) -> None:
        driver, funding = witness.exchange.driver, witness.exchange.funding
        await trio.sleep(4.5)
        driver.thaw()  # it is not frozen
        await trio.sleep(0.7)
        assert len(witness.prices) == 5 * len(MARKETS)
        driver.freeze()
        witness.sweep(BUY)
        seen = len(witness.changes), len(witness.prices), len(witness.trades)
        index, mark = funding.index[BTC], witness.exchange.prices[BTC].mark
        await trio.sleep(3600)
        assert (len(witness.changes), len(witness.prices), len(witness.trades)) == seen
        assert witness.levels()[1] == 0
        driver.thaw()
        driver.thaw()
        await trio.sleep(1.5)
        assert len(witness.prices) == seen[1] + len(MARKETS)
        assert len(witness.changes) < seen[0] + 300
        assert funding.index[BTC] == index
        assert 0 < abs(witness.exchange.prices[BTC].mark - mark) * 1000 < mark
        assert min(witness.levels()) >= 20

    watch(freeze)


@pytest.mark.parametrize(
    ("mode", "quotes"), [("post_only", True), ("cancel_only", False), ("maintenance", False)]
)
def test_participants_keep_to_the_mode(mode: Any, *, quotes: bool) -> None:
    """Nobody takes while only passive orders are allowed, nobody quotes when none are; prices go on."""

    async def restrict(witness: Witness) -> None:
        await trio.sleep(3)
        witness.exchange.set_mode(mode)
        await trio.sleep(0.001)
        before = len(witness.trades), len(witness.changes), len(witness.prices)
        depth = witness.depth()
        await trio.sleep(10)
        assert len(witness.trades) == before[0]
        assert len(witness.changes) - before[1] > 100 or not quotes
        assert quotes or all(now <= then for now, then in zip(witness.depth(), depth, strict=True))
        assert min(witness.levels()) >= 15
        assert len(witness.prices) == before[2] + 10 * len(MARKETS)
        witness.exchange.set_mode("ok")
        await trio.sleep(5)
        assert len(witness.trades) > before[0]
        assert min(witness.levels()) >= 20

    watch(restrict, activity=10.0)


def test_clearing_knows_the_index_that_funding_publishes() -> None:
    """Every second, for every market: what a position would settle is what the channel says."""

    async def compare(witness: Witness) -> None:
        await trio.sleep(2.5)
        for symbol in MARKETS:
            order = witness.place(
                BUY, 10**6 * MARKETS[symbol].opening_price, MARKETS[symbol].step, IOC, symbol
            )
            assert order.filled
            held = witness.exchange.clearing.position(CLIENT, symbol)
            assert held.funding_index == witness.exchange.funding.index[symbol]

    witness = watch(compare)
    assert [at for at, symbol, _ in witness.funding if symbol == BTC] == [1.0, 2.0]
