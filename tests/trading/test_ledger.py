"""The ledger: what is known of each order, counted once and never moved back."""

from collections.abc import Callable
from itertools import pairwise, permutations

import attrs
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from trading_stage import RUN, SIZE, HandClock, make_order, report

from bot.core.fixed import parse, render
from bot.core.order import TERMINAL, Event, Order, State
from bot.paradex.answers import OrderReport
from bot.trading.step import ledger as ledger_module
from bot.trading.step.ledger import Ledger, OrderCounts

ID = f"{RUN}-1"
MS = 1_000_000


@attrs.define
class Book:
    """A ledger and what it told."""

    ledger: Ledger
    clock: HandClock
    alarms: list[str]
    changes: list[Order]

    def send(self, client_id: str = ID) -> None:
        self.ledger.sending(client_id, signed_ms=1, sent_ns=self.clock.now_ns, last_acceptable_ns=1)

    def report(self, what: OrderReport, *, on_channel: bool = True) -> None:
        order = self.ledger.find(what)
        assert order is not None
        self.ledger.update(order, what, by_channel=on_channel)

    @property
    def order(self) -> Order:
        return self.ledger.get(ID)


def open_book() -> Book:
    clock, alarms, changes = HandClock(), list[str](), list[Order]()
    return Book(Ledger(RUN, alarms.append, changes.append), clock, alarms, changes)


def sent_book() -> Book:
    book = open_book()
    book.ledger.add(make_order())
    book.send()
    return book


def book_in(state: State) -> Book:
    """A book whose order is in this state, and whose counts are at zero."""
    book = open_book()
    book.ledger.add(make_order(state=state))
    return book


@pytest.fixture
def lines(logged_from: Callable[[str], list[str]]) -> list[str]:
    """What is logged, without time and level."""
    return logged_from("INFO")


def test_the_way_of_an_order(lines: list[str]) -> None:
    """Sent, answered, confirmed, closed: states, stamps, counts and the lines that people look for."""
    book = sent_book()
    assert (book.order.state, book.order.sent_ns, book.order.last_acceptable_ns) == (State.SENT, 0, 1)
    book.ledger.answered(ID, report("NEW"), reused=True, request_ns=54_321_000)
    book.clock.pass_seconds(0.060)
    book.report(report("OPEN", remaining="0.01"))
    book.clock.pass_seconds(1)
    book.report(report("CLOSED", remaining="0.004", reason="USER_CANCELED"))
    assert [(order.state, render(order.filled)) for order in book.changes] == [
        (State.SENT, "0"),
        (State.NEW, "0"),
        (State.OPEN, "0"),
        (State.CLOSED, "0.006"),
    ]
    assert (book.order.reason, book.order.venue_id, book.ledger.live()) == ("USER_CANCELED", "v1", [])
    assert book.ledger.counts == OrderCounts(placed=1, confirmed=1, closed=1, rejected=0)
    assert lines == [
        "[ORDER] Paradex order sent: client_id=run-1, reused=true, request=54.3 ms",
        "[ORDER] Paradex order confirmed via WS: id=v1, status=OPEN",
        "[ORDER] Paradex order confirmed via WS: id=v1, status=CLOSED",
    ]
    assert book.alarms == []


STORM = (
    ("NEW", False, None),
    ("NEW", True, "0.01"),
    ("OPEN", True, "0.01"),
    ("OPEN", False, "0.006"),
    ("OPEN", True, "0.006"),
    ("CLOSED", True, "0.002"),
)


def test_reports_in_every_order() -> None:
    """Channel and REST, all orders of arrival: closed once, confirmed once, and nothing ever moves back."""
    for storm in permutations(STORM):
        book = sent_book()
        for status, channel, remaining in storm:
            book.report(report(status, remaining=remaining), on_channel=channel)
        assert book.order.state is State.CLOSED
        assert render(book.order.filled) == "0.008"
        assert book.ledger.counts == OrderCounts(placed=1, confirmed=1, closed=1)
        remaining_sizes = [order.remaining for order in book.changes]
        assert remaining_sizes == sorted(remaining_sizes, reverse=True)
        assert len(book.changes) == len(set(book.changes))
        assert book.alarms == []


statuses = st.sampled_from(["NEW", "OPEN", "UNTRIGGERED", "CLOSED"])
numbers = st.integers(-SIZE, 3 * SIZE).map(render) | st.none() | st.just("")


@settings(deadline=None)
@given(
    st.lists(st.tuples(statuses, st.booleans(), numbers), max_size=15),
    st.lists(st.tuples(statuses, st.booleans(), numbers), max_size=15),
)
def test_sizes_never_grow_back(
    before: list[tuple[str, bool, str | None]], after: list[tuple[str, bool, str | None]]
) -> None:
    """Whatever sizes are reported: what remains only shrinks, and never more is filled than was ordered.

    A size that cannot be is an alarm, each time.
    """
    book = sent_book()
    seen = [book.order]
    for index, (status, channel, remaining) in enumerate([*before, *after]):
        if index == len(before):
            book.ledger.move(book.order, Event.LOST)
        book.report(report(status, remaining=remaining), on_channel=channel)
        seen.append(book.order)
    for earlier, later in pairwise(seen):
        assert later.remaining <= earlier.remaining
        assert 0 <= later.filled <= later.size
        assert earlier.state not in TERMINAL or later.state is earlier.state
    reported = [parse(text) for _, _, text in [*before, *after] if text]
    assert book.order.remaining == max(min([SIZE, *reported]), 0)
    assert book.ledger.counts.confirmed == any(
        channel and status != "NEW" for status, channel, _ in [*before, *after]
    )
    assert len(book.alarms) == sum(not 0 <= size <= SIZE for size in reported)


@pytest.mark.parametrize("state", [State.INTENT, State.REJECTED, State.NEVER_ACCEPTED])
@pytest.mark.parametrize("status", ["NEW", "OPEN", "CLOSED"])
def test_an_impossible_report_changes_nothing(state: State, status: str) -> None:
    """An alarm that names order, state and event, each time; no count and no field moves."""
    book = book_in(state)
    untouched = book.order
    for _ in range(2):
        book.report(report(status, remaining="0.001"))
    assert book.order == untouched
    assert book.ledger.counts == OrderCounts()
    assert book.changes == []
    event = ledger_module.EVENT_OF_STATUS[status]
    assert book.alarms == [f"order run-1 is {state}, and met {event}"] * 2


@pytest.mark.parametrize("state", [state for state in State if state is not State.INTENT])
def test_an_order_leaves_once(state: State) -> None:
    """A second start of a send is impossible: an alarm, and nothing is counted."""
    book = book_in(state)
    book.send()
    assert book.order == make_order(state=state)
    assert book.ledger.counts == OrderCounts()
    assert book.alarms == [f"order run-1 is {state}, and met SEND"]


def test_a_status_unknown_here() -> None:
    """An alarm that names order and status; the order stays as it was."""
    book = sent_book()
    book.report(report("OPEN"))
    untouched = book.order
    book.report(report("FROZEN", remaining="0"))
    assert book.order == untouched
    assert book.alarms == ["order run-1: the venue reports a status unknown here, 'FROZEN'"]


def test_an_answer_of_a_status_unknown_here() -> None:
    """It tells no more than no answer at all: the order is unknown, and will be looked up."""
    book = sent_book()
    book.ledger.answered(ID, report("FROZEN"), reused=True, request_ns=1)
    assert (book.order.state, book.order.reason) == (State.UNKNOWN, "status 'FROZEN' is unknown here")
    assert len(book.alarms) == 1


def test_a_size_that_cannot_be_read() -> None:
    """An alarm; the status counts nevertheless, and the size stays what it was."""
    book = sent_book()
    book.report(report("OPEN", remaining="1e-3"))
    assert (book.order.state, book.order.remaining) == (State.OPEN, SIZE)
    assert book.alarms == [
        "order run-1: its remaining size cannot be read, not a plain decimal number: '1e-3'"
    ]


def test_one_that_never_left_was_never_placed() -> None:
    """Before the first byte or after: neither counts, and both are over with a reason."""
    for leave_first in (False, True):
        book = open_book()
        book.ledger.add(make_order())
        if leave_first:
            book.send()
        book.ledger.unsent(ID, "connection refused")
        assert (book.order.state, book.order.reason) == (State.NEVER_ACCEPTED, "connection refused")
        assert book.ledger.counts == OrderCounts()
        assert book.ledger.live() == []


def test_a_refusal_counts_as_rejected_and_placed() -> None:
    """The request left, and the venue said no."""
    book = sent_book()
    book.ledger.move(book.order, Event.REFUSED, reason="INVALID_ORDER_SIZE: no")
    assert book.ledger.counts == OrderCounts(placed=1, rejected=1)
    assert book.order.reason == "INVALID_ORDER_SIZE: no"


def test_the_reason_stays() -> None:
    """A later report without a reason does not take away the one that is known."""
    book = sent_book()
    book.report(report("CLOSED", reason="POST_ONLY_WOULD_CROSS"))
    book.report(report("CLOSED", reason=""))
    assert book.order.reason == "POST_ONLY_WOULD_CROSS"


def test_who_wants_it_gone() -> None:
    """Noted once, nothing about an order that is over, and KeyError for one that never was."""
    book = sent_book()
    wanted = book.ledger.want_gone(ID)
    assert wanted is not None
    assert wanted.cancelling
    assert book.ledger.want_gone(ID) is None
    book.report(report("CLOSED"))
    assert book.ledger.want_gone(ID) is None
    with pytest.raises(KeyError):
        book.ledger.want_gone("run-2")


def test_orders_of_others(lines: list[str]) -> None:
    """Listed once by their id, with a client id or without, and never touched; ours of long ago are not listed."""
    book = open_book()
    for client_id, venue_id in [
        ("theirs", "v7"),
        (None, "v8"),
        ("theirs", "v7"),
        (None, "v8"),
        ("run-99", "v9"),
    ]:
        assert book.ledger.find(report("OPEN", client_id, venue_id=venue_id)) is None
    assert lines == [
        "[ORDER] Paradex external order, left alone: id=v7, client_id=theirs, market=BTC-USD-PERP, status=OPEN",
        "[ORDER] Paradex external order, left alone: id=v8, client_id=, market=BTC-USD-PERP, status=OPEN",
    ]
    assert (book.ledger.live(), book.alarms, book.changes) == ([], [], [])


def test_memory_is_bounded(monkeypatch: pytest.MonkeyPatch, lines: list[str]) -> None:
    """The oldest of those that are over are forgotten, ours and foreign ones; one that lives never is."""
    monkeypatch.setattr(ledger_module, "REMEMBERED", 3)
    book = open_book()
    book.ledger.add(make_order("run-0"))
    for number in range(1, 6):
        book.ledger.add(make_order(f"run-{number}"))
        book.ledger.unsent(f"run-{number}", "")
        book.ledger.find(report("OPEN", None, venue_id=f"v{number}"))
    assert [order.client_id for order in book.ledger.live()] == ["run-0"]
    for number in (1, 2):
        with pytest.raises(KeyError):
            book.ledger.get(f"run-{number}")
        assert book.ledger.find(report("CLOSED", f"run-{number}")) is None
    assert [book.ledger.get(f"run-{number}").is_over for number in (3, 4, 5)] == [True] * 3
    assert len(lines) == 5
    book.ledger.find(report("OPEN", None, venue_id="v5"))
    assert len(lines) == 5
    book.ledger.find(report("OPEN", None, venue_id="v1"))
    assert len(lines) == 6
