"""Histories in pages: every row once each way, whatever is added, forgotten or filtered, and no forged cursor."""

import base64
from collections.abc import Iterator

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.exchange.errors import VenueError
from bot.exchange.history import History
from bot.exchange.rest.pages import Field, Listed, Listing, Page, Pager, Rows


@attrs.frozen
class Row:
    number: int
    at_ms: int
    kind: str


LISTING = Listing[Row]("rows", lambda row: row.at_ms, {"kind": Field(lambda row: row.kind, frozenset("ab"))})
OTHER = Listing[Row]("others", lambda row: row.at_ms, LISTING.fields)
PAGER = Pager(b"secret")
OWNER = 2**250 + 17

kinds = st.lists(st.tuples(st.sampled_from("ab"), st.integers(0, 2)), max_size=30)


def rows_of(parts: list[tuple[str, int]], history: History[Row] | None = None) -> History[Row]:
    """Rows whose times rise by the numbers given."""
    history = History() if history is None else history
    now = max((row.at_ms for row in history), default=1000)
    for kind, later in parts:
        now += later
        history.add(Row(history.end, now, kind))
    return history


def page_of(rows: Rows[Row], **query: object) -> Page[Row]:
    return PAGER.page(LISTING, OWNER, rows, {name: str(value) for name, value in query.items()})


def walk(rows: Rows[Row], **query: object) -> Iterator[Page[Row]]:
    """The first page and all older ones."""
    page = page_of(rows, **query)
    yield page
    while page.next is not None:
        page = page_of(rows, cursor=page.next)
        yield page


@given(parts=kinds, size=st.integers(1, 7), kind=st.sampled_from(["", "a", "b"]), window=st.integers(0, 40))
def test_pages_show_every_admitted_row_once_each_way(
    parts: list[tuple[str, int]], size: int, kind: str, window: int
) -> None:
    """Down from the newest, then up from the oldest page: what the filter admits, whole pages, in order."""
    rows = rows_of(parts)
    start, end = 1000 + window // 4, 1000 + window
    expected = [row for row in rows if kind in {"", row.kind} and start <= row.at_ms <= end][::-1]
    query = {"page_size": size, "kind": kind, "start_at": start, "end_at": end}
    down = list(walk(rows, **query))
    assert [row for page in down for row in page.rows] == expected
    assert down[0].prev is None
    assert all(len(page.rows) == size for page in down[:-1])
    up = [down[-1]]
    while up[-1].prev is not None:
        up.append(page_of(rows, cursor=up[-1].prev))
    assert [page.rows for page in up] == [page.rows for page in down[::-1]]
    assert [page.next for page in up] == [page.next for page in down[::-1]]


@given(parts=kinds, more=kinds, size=st.integers(1, 7))
def test_new_rows_do_not_move_older_pages(
    parts: list[tuple[str, int]], more: list[tuple[str, int]], size: int
) -> None:
    """A cursor made before new rows came leads to the same rows after."""
    rows = rows_of(parts)
    first = page_of(rows, page_size=size)
    if first.next is not None:
        before = page_of(rows, cursor=first.next)
        rows_of(more, rows)
        assert page_of(rows, cursor=first.next).rows == before.rows


@given(parts=kinds, more=kinds, size=st.integers(1, 7), kept=st.integers(1, 20))
def test_forgotten_rows_are_missing_at_the_end_and_nowhere_else(
    parts: list[tuple[str, int]], more: list[tuple[str, int]], size: int, kept: int
) -> None:
    """A history that forgets its oldest rows between two pages is continued where the first page ended."""
    rows = rows_of(parts, History(kept))
    first = page_of(rows, page_size=size)
    rest = [row for row in rows if not first.rows or row.number < first.rows[-1].number]
    rows_of(more, rows)
    still = {row.number for row in rows}
    if first.next is not None:
        shown = [row for page in walk(rows, cursor=first.next) for row in page.rows]
        assert shown == [row for row in rest if row.number in still][::-1]


def test_a_page_with_nothing_older_left_has_no_next() -> None:
    """Where all that was older is forgotten by now, the way back ends."""
    rows = rows_of([("a", 1)] * 4, History(4))
    back = page_of(rows, cursor=page_of(rows, page_size=2).next).prev
    rows_of([("a", 1)] * 4, rows)
    page = page_of(rows, cursor=back, page_size=10)
    assert [row.number for row in page.rows] == [7, 6, 5, 4]
    assert (page.next, page.prev) == (None, None)


@given(parts=kinds, kept=st.integers(1, 10))
def test_a_history_keeps_the_newest_and_their_numbers(parts: list[tuple[str, int]], kept: int) -> None:
    """However many came, the last ones are there, under the numbers that they were given."""
    everything, some = rows_of(parts), rows_of(parts, History(kept))
    assert list(some) == list(everything)[-kept:]
    assert [number for number, _ in some.forward(0)] == [row.number for row in some]
    assert list(some.backward()) == list(some.forward(0))[::-1]
    assert (len(some), some.end) == (min(kept, len(parts)), len(parts))


@given(parts=kinds, first=st.integers(0, 5))
def test_a_list_is_a_history_too(parts: list[tuple[str, int]], first: int) -> None:
    """Rows of a plain sequence are numbered from where the sequence says it begins."""
    rows = list(rows_of(parts))
    listed = Listed(rows, first)
    assert list(listed.forward(first + 1)) == list(enumerate(rows, first))[1:]
    assert list(listed.backward()) == list(enumerate(rows, first))[::-1]
    assert list(listed.backward(first)) == list(enumerate(rows, first))[:1]


def test_a_page_may_be_resized_under_way() -> None:
    """Beside a cursor the page size counts, and nothing else of the query."""
    rows = rows_of([("a", 1), ("b", 1)] * 5)
    cursor = page_of(rows, kind="a", page_size=1).next
    page = PAGER.page(
        LISTING, OWNER, rows, {"cursor": str(cursor), "kind": "b", "page_size": "3", "start_at": "1010"}
    )
    assert [row.number for row in page.rows] == [6, 4, 2]


def test_forged_and_foreign_cursors_are_refused() -> None:
    """A cursor is good for its own listing, owner and pager, unchanged, and for nothing else."""
    rows = rows_of([("a", 1)] * 5)
    cursor = page_of(rows, page_size=1).next
    assert cursor is not None
    data = base64.urlsafe_b64decode(cursor)
    changed = base64.urlsafe_b64encode(data[:-1] + bytes([data[-1] ^ 1])).decode()
    unsigned = base64.urlsafe_b64encode(data[16:]).decode()
    for pager, listing, owner, text in [
        (PAGER, LISTING, OWNER + 1, cursor),
        (PAGER, OTHER, OWNER, cursor),
        (Pager(b"another"), LISTING, OWNER, cursor),
        (PAGER, LISTING, OWNER, changed),
        (PAGER, LISTING, OWNER, unsigned),
        (PAGER, LISTING, OWNER, cursor[:-1]),
        (PAGER, LISTING, OWNER, "é" + cursor),
        (PAGER, LISTING, OWNER, "="),
    ]:
        with pytest.raises(VenueError) as refused:
            pager.page(listing, owner, rows, {"cursor": text})
        assert refused.value.code == "INVALID_REQUEST_PARAMETER"


@pytest.mark.parametrize(
    "query",
    [
        {"page_size": "0"},
        {"page_size": "5001"},
        {"page_size": "-1"},
        {"page_size": "1.0"},
        {"page_size": "\u0661"},
        {"start_at": "yesterday"},
        {"end_at": str(2**63)},
        {"kind": "c"},
    ],
)
def test_bad_parameters_are_refused(query: dict[str, str]) -> None:
    """What is no number, out of range or no value of a filter is a parameter error."""
    with pytest.raises(VenueError) as refused:
        PAGER.page(LISTING, OWNER, rows_of([]), query)
    assert refused.value.code == "INVALID_REQUEST_PARAMETER"


def test_empty_parameters_are_absent_ones() -> None:
    """A parameter without a value narrows nothing."""
    rows = rows_of([("a", 1), ("b", 1)])
    empty = {"kind": "", "start_at": "", "end_at": "", "page_size": "", "cursor": ""}
    assert len(PAGER.page(LISTING, OWNER, rows, empty).rows) == 2
