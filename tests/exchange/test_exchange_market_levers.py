"""The market held still, moved, frozen, and in the platform's modes. All in virtual time."""

from typing import Any

import attrs
import pytest
import trio
import trio.testing
from market_stage import BTC, CLIENT, Witness, watch

from bot.core.fixed import parse
from bot.exchange.instruments.markets import MARKETS
from bot.exchange.market.driver import PriceError
from bot.exchange.matching.orders import BUY, IOC, POST_ONLY, SELL

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


@pytest.mark.parametrize("price", [0, 1, 1000 * MARKETS[BTC].tick - 1])
def test_a_price_leaves_room_for_a_book_and_is_of_a_market(price: int) -> None:
    """What is too low to quote around, or has no market, changes nothing."""

    async def move(witness: Witness) -> None:
        await trio.lowlevel.checkpoint()
        before = attrs.astuple(witness.exchange.prices[BTC])
        with pytest.raises(PriceError, match="100 at least"):
            witness.exchange.driver.move(BTC, price)
        with pytest.raises(KeyError):
            witness.exchange.driver.move("DOGE", 1)
        assert attrs.astuple(witness.exchange.prices[BTC]) == before

    watch(move, activity=0.0)


def test_the_market_lives_at_the_lowest_price() -> None:
    """Books have both sides and trade, and prices walk on from there."""

    async def fall(witness: Witness) -> None:
        for symbol, market in MARKETS.items():
            witness.exchange.driver.move(symbol, 1000 * market.tick)
        await trio.sleep(10)
        for symbol in MARKETS:
            assert min(witness.levels(symbol)) >= 5
        assert {trade.market for _, trade in witness.trades} == set(MARKETS)

    assert watch(fall, activity=40.0).worst_spread > 0


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
