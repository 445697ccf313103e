"""A stage for tests: an exchange whose market is watched, in virtual time, without clients or transport."""

from collections.abc import Awaitable, Callable
from typing import Any

import attrs
import trio
from exchange_stage import StageClock

from bot.exchange.event import Event
from bot.exchange.exchange import Exchange
from bot.exchange.instruments.markets import MARKETS
from bot.exchange.market.events import FundingTicked, PriceMoved
from bot.exchange.market.floor import limit_order
from bot.exchange.matching.events import BookChanged, Trade
from bot.exchange.matching.orders import BUY, IOC, SELL, Order
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
        order = limit_order(
            self.exchange.stamps, CLIENT, symbol, price, size, instruction, is_buy=side == BUY
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
