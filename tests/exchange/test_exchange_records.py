"""What is remembered of orders and fills, how long, and what a book shows of itself."""

from collections import defaultdict
from typing import Any

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st
from matching_room import SYMBOL, Room

from bot.core.fixed import SCALE
from bot.exchange.matching.book import Book, Level, aggregate
from bot.exchange.matching.fills import Fill, Fills, FillUnknown
from bot.exchange.matching.orders import Order
from bot.exchange.matching.rows import Rows


@given(st.lists(st.booleans() | st.integers(0, 300), max_size=300), st.integers(0, 300))
def test_rows_keep_their_numbers(doings: list[Any], start: int) -> None:
    """Rows are added (true) and forgotten (a number); what is left is walked both ways under its old numbers."""
    rows, model = Rows[str](), dict[int, str]()
    for doing in doings:
        if isinstance(doing, bool):
            model[rows.add("row")] = "row"
        else:
            rows.forget(doing)
            model.pop(doing, None)
    assert list(model) == sorted(model)
    assert [number for number, _ in rows.forward(start)] == [number for number in model if number >= start]
    assert [number for number, _ in rows.backward(start)] == [n for n in reversed(model) if n <= start]
    assert [number for number, _ in rows.backward()] == list(reversed(model))
    assert (len(rows), len(list(rows))) == (len(model), len(model))


def test_many_forgotten_rows_take_no_room() -> None:
    """However many came and went, the lists stay as long as what is kept, times a constant."""
    rows = Rows[int]()
    for n in range(10_000):
        rows.add(n)
        rows.forget(n - 10)
    assert list(rows) == list(range(9_990, 10_000))
    assert len(rows._rows) < 200


def test_the_oldest_closed_orders_are_forgotten_with_all_that_was_theirs() -> None:
    """Of closed orders the last ones are kept; the rest is gone from every index, live ones stay however old."""
    room = Room(kept=3)
    caller = room.caller(1001)
    living = room.place(1001, price="50", client_id="living")
    orders = []
    for n in range(5):
        room.place(1002, side="SELL", price="100", client_id=f"m{n}")
        orders.append(room.place(1001, price="100", client_id=f"t{n}"))
        room.place(1002, price="100")
        room.place(1001, side="SELL", price="100")
    forgotten, kept = orders[0], orders[-1]
    assert room.ledger.find(1001, forgotten.id) is None
    assert room.ledger.find_client_id(1001, "t0") is None
    assert forgotten.id not in room.ledger.by_id
    assert living in list(room.ledger.history(1001))
    assert room.ledger.find_client_id(1001, "living") is living
    assert len([order for order in room.ledger if not order.is_live]) == 3
    assert room.ledger.accepted == 21
    assert len(room.engine.fills) <= 3
    assert {fill.order_id for fill in room.engine.fills} <= set(room.ledger.by_id)
    room.place(1001, price="51", client_id="t0")
    assert not kept.is_live
    room.desk.cancel_all(None, caller)
    room.work()
    for index in (room.ledger.by_id, room.ledger._numbers, room.ledger._by_client_id):
        assert len(index) <= 3
    assert sum(len(room.engine.fills._by_order[each]) for each in room.engine.fills._by_order) <= 3


def test_a_forgotten_order_takes_no_newer_one_along() -> None:
    """A client id that was used again finds the newer order, when the older one is forgotten too."""
    room = Room(kept=1, client_ids="while-open")
    older = room.place(1001, client_id="a")
    room.desk.cancel_all(None, room.caller(1001))
    room.work()
    newer = room.place(1001, client_id="a")
    room.place(1001, instruction="IOC")
    assert older.id not in room.ledger.by_id
    assert room.ledger.find_client_id(1001, "a") is newer


def some_fill(number: int, order_id: str, account: int) -> Fill:
    return Fill(
        id=str(number),
        trade_id=str(number // 2),
        order_id=order_id,
        client_id="",
        account=account,
        market=SYMBOL,
        side="BUY" if number % 2 else "SELL",
        liquidity="TAKER" if number % 2 else "MAKER",
        price=SCALE,
        size=SCALE,
        remaining=0,
        fee=0,
        realized_pnl=0,
        realized_funding=0,
        underlying_price=SCALE,
        created_at_ms=0,
        book_seq=0,
    )


def test_an_order_with_endless_fills_keeps_the_newest() -> None:
    """Fills are bounded by themselves, too; those of participants are kept as somebody's counterpart only."""
    fills = Fills(4)
    for n in range(0, 20, 2):
        fills.record(some_fill(n, "maker", 5), some_fill(n + 1, "taker", 1001))
    assert [fill.id for fill in fills] == ["13", "15", "17", "19"] == [fill.id for fill in fills.of(1001)]
    assert not len(fills.of(5))
    fill, counterpart = fills.bust("19")
    assert (fill.id, counterpart.id) == ("19", "18")
    for unknown in ("19", "18", "11"):
        with pytest.raises(FillUnknown):
            fills.bust(unknown)
    fills.forget_order("taker")
    fills.forget_order("none")
    assert not len(fills)
    assert not fills._by_order


@attrs.frozen
class Rest:
    is_buy: bool
    price: int
    size: int
    retail: bool


rests = st.lists(
    st.builds(
        Rest, is_buy=st.booleans(), price=st.integers(1, 30), size=st.integers(1, 9), retail=st.booleans()
    ),
    max_size=30,
)


def resting(number: int, rest: Rest) -> Order:
    # Bids and asks apart: what is tested here is no matching.
    price = rest.price if rest.is_buy else rest.price + 100
    return Order(
        id=str(number),
        account=1,
        client_id="",
        market=SYMBOL,
        side="BUY" if rest.is_buy else "SELL",
        type="LIMIT",
        instruction="GTC",
        price=price,
        size=rest.size,
        stp="EXPIRE_TAKER",
        flags=("INTERACTIVE",) if rest.retail else (),
        signed_at_ms=0,
        received_at_ms=0,
        created_at_ms=0,
        updated_at_ms=0,
        remaining=rest.size,
    )


@given(rests, st.lists(st.integers(0, 29), max_size=10), st.integers(1, 9), st.none() | st.integers(1, 5))
def test_levels_and_changes_add_up(todo: list[Rest], gone: list[int], tick: int, depth: int | None) -> None:
    """Levels are sums of what rests, changes all that differs since the last step, coarser levels sums of finer."""
    book = Book(SYMBOL)
    shown: dict[tuple[str, int], int] = {}
    alive: dict[int, Order] = {}
    for number, rest in enumerate(todo):
        alive[number] = resting(number, rest)
        book.rest(alive[number])
        if number % 3 == 0:
            step(book, shown)
    for number in gone:
        if number in alive:
            assert book.remove(alive.pop(number))
    step(book, shown)
    assert book.close_step(7) is None
    for side, sign in (("BUY", 1), ("SELL", -1)):
        sums: defaultdict[int, int] = defaultdict(int)
        coarse: defaultdict[int, int] = defaultdict(int)
        for order in alive.values():
            if order.side == side:
                sums[order.price] += order.remaining
                coarse[sign * (sign * order.price // tick * tick)] += order.remaining
        levels = [Level(price, sums[price]) for price in sorted(sums, reverse=sign > 0)]
        assert book.levels(side) == levels
        assert book.levels(side, 2) == levels[:2]
        assert {key: size for key, size in shown.items() if key[0] == side} == {
            (side, price): size for price, size in levels
        }
        expected = [Level(price, coarse[price]) for price in sorted(coarse, reverse=sign > 0)]
        assert aggregate(levels, side, tick, depth) == expected[:depth]


def step(book: Book, shown: dict[tuple[str, int], int]) -> None:
    before = book.seq_no
    changes = book.close_step(5)
    assert book.seq_no == before + (changes is not None)
    for side, price, size in changes or ():
        shown[side, price] = size
        if not size:
            del shown[side, price]


def test_a_step_that_puts_back_what_it_took_is_a_step() -> None:
    """The book takes a number although no total changed, and the changes are empty."""
    book = Book(SYMBOL)
    order = resting(1, Rest(is_buy=True, price=5, size=3, retail=False))
    book.rest(order)
    book.close_step(1)
    book.remove(order)
    book.rest(order)
    assert (book.close_step(2), book.seq_no, book.updated_at_ms) == ((), 2, 2)
