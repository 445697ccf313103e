"""Matching, against a model that is too slow to be wrong."""

from collections.abc import Callable
from random import Random

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.exchange.matching.book import Book
from bot.exchange.matching.crossing import Bounds, match
from bot.exchange.matching.orders import EXPIRE_BOTH, EXPIRE_MAKER, EXPIRE_TAKER, Order

MakeOrder = Callable[..., Order]


def order(number: int, side: str, price: int, size: int, account: int = 1, stp: str = EXPIRE_TAKER) -> Order:
    return Order(
        id=str(number),
        account=account,
        client_id="",
        market="BTC-USD-PERP",
        side=side,
        type="LIMIT",
        instruction="GTC",
        price=price,
        size=size,
        stp=stp,
        flags=(),
        signed_at_ms=0,
        received_at_ms=0,
        created_at_ms=0,
        updated_at_ms=0,
        remaining=size,
    )


@attrs.frozen
class Step:
    side: str
    price: int
    size: int
    account: int
    stp: str
    immediate: bool
    cancels: int | None


steps = st.lists(
    st.builds(
        Step,
        side=st.sampled_from(["BUY", "SELL"]),
        price=st.integers(1, 12),
        size=st.integers(1, 20),
        account=st.integers(1, 3),
        stp=st.sampled_from([EXPIRE_MAKER, EXPIRE_TAKER, EXPIRE_BOTH]),
        immediate=st.booleans(),
        cancels=st.none() | st.integers(0, 30),
    ),
    max_size=40,
)


def expected_makers(resting: list[Order], taker: Order) -> list[Order]:
    """Whom the taker may meet, first come first: sorted by price, then by arrival."""
    makers = [maker for maker in resting if maker.side != taker.side and maker.remaining]
    makers.sort(key=lambda maker: (maker.price if taker.is_buy else -maker.price, int(maker.id)))
    return [
        maker
        for maker in makers
        if (maker.price <= taker.price) == taker.is_buy or maker.price == taker.price
    ]


@given(steps)
def test_matching_is_price_time_priority_and_conserves_size(todo: list[Step]) -> None:
    """Makers are met in the model's order, sizes add up, and the book is never crossed at rest."""
    book, resting = Book("BTC-USD-PERP"), list[Order]()
    for number, step in enumerate(todo):
        if step.cancels is not None and step.cancels < len(resting):
            gone = resting.pop(step.cancels)
            assert book.remove(gone)
            assert not book.remove(gone)
        taker = order(number, step.side, step.price, step.size, step.account, step.stp)
        before = {maker.id: maker.remaining for maker in resting}
        line = expected_makers(resting, taker)
        matched = match(book, taker, Bounds(taker.price))

        met = [(trade.maker.id, trade.price) for trade in matched.trades]
        strangers = [maker for maker in line if maker.account != taker.account]
        assert met == [(maker.id, maker.price) for maker in strangers[: len(met)]]
        traded = sum(trade.size for trade in matched.trades)
        assert taker.remaining == taker.size - traded
        assert taker.filled_value == sum(trade.size * trade.price for trade in matched.trades)
        for trade in matched.trades:
            assert trade.size > 0
            assert trade.maker.account != taker.account
            assert before[trade.maker.id] - trade.size == trade.maker.remaining == trade.maker_remaining
        assert [trade.taker_remaining for trade in matched.trades] == [
            taker.size - sum(trade.size for trade in matched.trades[: n + 1]) for n in range(len(met))
        ]
        _check_self_trades(matched.expired, line, taker, step, taker_expired=matched.taker_expired)
        if taker.remaining and not matched.taker_expired:
            left = [maker for maker in line if maker.remaining and maker not in matched.expired]
            assert not left, "stopped although somebody was there to trade with"

        resting = [maker for maker in resting if maker.remaining and maker not in matched.expired]
        if taker.remaining and not matched.taker_expired and not step.immediate:
            book.rest(taker)
            resting.append(taker)
        bids = [bid.price for bid in book.bids]
        asks = [ask.price for ask in book.asks]
        assert bids == sorted(bids, reverse=True)
        assert asks == sorted(asks)
        assert not bids or not asks or bids[0] < asks[0]
        assert {resting_order.id for resting_order in resting} == {o.id for o in (*book.bids, *book.asks)}


def _check_self_trades(
    expired: list[Order], line: list[Order], taker: Order, step: Step, *, taker_expired: bool
) -> None:
    """Own orders are expired in front of the taker, or stop it, as the incoming order's mode says."""
    own = [maker for maker in line if maker.account == taker.account]
    assert all(maker in own for maker in expired)
    if step.stp == EXPIRE_MAKER:
        assert not taker_expired
    if step.stp == EXPIRE_TAKER:
        assert not expired
    if taker_expired:
        ahead = line[: line.index(own[0])]
        assert all(not maker.remaining for maker in ahead)
        assert expired == ([own[0]] if step.stp == EXPIRE_BOTH else [])


@pytest.mark.parametrize("seed", range(3))
def test_best_level_sums_its_orders(seed: int) -> None:
    """The best level is the best price and the total of what remains there."""
    rng = Random(seed)
    book = Book("BTC-USD-PERP")
    asks = [order(n, "SELL", rng.randint(1, 5), rng.randint(1, 9)) for n in range(30)]
    for ask in asks:
        book.rest(ask)
    cheapest = min(ask.price for ask in asks)
    assert book.asks.best_level() == (cheapest, sum(a.size for a in asks if a.price == cheapest))
    assert book.bids.best_level() is None
