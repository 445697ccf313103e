"""The market that goes on by itself: one seed is one market, and its books live. All in virtual time."""

from itertools import pairwise
from statistics import median
from typing import Any

import attrs
import pytest
import trio
from market_stage import BTC, Witness, watch

from bot.core.fixed import parse
from bot.exchange.instruments.markets import MARKETS
from bot.exchange.matching.orders import BUY, POST_ONLY, SELL, Order
from bot.settings import Settings
from bot.simulation.rehearsal import Rehearsal, rehearse
from bot.trading.strategies.probe import ProbeSettings

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
        await trio.lowlevel.checkpoint()
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


# -- with the bot --------------------------------------------------------------------------------------------


def test_the_bot_in_a_moving_market_repeats_with_the_seed() -> None:
    """Every message between bot and exchange, every trade around them: the same again, and others by another seed."""

    async def trade(rehearsal: Rehearsal) -> tuple[Any, ...]:
        summary = await rehearsal.trade(6)
        assert summary.orders.placed == summary.orders.closed > 3
        return rehearsal.trace, [list(rehearsal.exchange.tape.trades(symbol)) for symbol in MARKETS]

    probe = attrs.evolve(Settings(), strategy=ProbeSettings(pause=0.5))
    one, again, other = (
        rehearse(trade, probe, seed=seed, delay=0.05, tls=False, activity=10.0) for seed in (1, 1, 2)
    )
    assert one == again
    assert one[1] != other[1]
