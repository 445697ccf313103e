"""Histories in pages, with signed cursors (protocol reference 3.1)."""

import base64
import hashlib
import hmac
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Generic, Protocol, TypeVar

import attrs
import msgspec

from bot.exchange.limits import DEFAULT_PAGE, LARGEST_PAGE
from bot.exchange.rest.parameters import LATEST_MS, Query, invalid, one_of, whole_number

T = TypeVar("T")
T_co = TypeVar("T_co", covariant=True)

_TAG_BYTES = 16


class Rows(Protocol[T_co]):
    """A history in order of time, whose rows have rising numbers that never change (`history.History` is one)."""

    def forward(self, start: int) -> Iterator[tuple[int, T_co]]:
        """From this number on, oldest first."""
        ...

    def backward(self, start: int | None = None) -> Iterator[tuple[int, T_co]]:
        """From this number (or the newest) down, newest first."""
        ...


@attrs.frozen
class Listed(Generic[T]):
    """Rows from a sequence, oldest first, of which nothing is ever forgotten, or ``first`` rows so far."""

    rows: Sequence[T]
    first: int = 0

    def forward(self, start: int) -> Iterator[tuple[int, T]]:
        for index in range(max(start - self.first, 0), len(self.rows)):
            yield self.first + index, self.rows[index]

    def backward(self, start: int | None = None) -> Iterator[tuple[int, T]]:
        newest = len(self.rows) - 1
        for index in range(newest if start is None else min(start - self.first, newest), -1, -1):
            yield self.first + index, self.rows[index]


@attrs.frozen
class Field(Generic[T]):
    """A filter: what a row says of the parameter, and what the parameter may be (any text without ``allowed``)."""

    of: Callable[[T], str]
    allowed: frozenset[str] | None = None


@attrs.frozen
class Listing(Generic[T]):
    """One paginated read: how its rows are filtered, and the largest page."""

    name: str
    time_ms: Callable[[T], int]
    fields: Mapping[str, Field[T]] = {}
    largest_page: int = LARGEST_PAGE


class _Filter(msgspec.Struct, frozen=True, array_like=True):
    """What to list. Times in ms, both ends included."""

    fields: dict[str, str]
    start_at: int
    end_at: int
    page_size: int


class _Cursor(msgspec.Struct, array_like=True):
    """The number of the row where a page begins, and which way to go from it."""

    number: int
    newer: bool
    filter: _Filter


_CURSOR = msgspec.json.Decoder(_Cursor)


@attrs.frozen
class Page(Generic[T]):
    """Rows, newest first, and the cursors of the older (``next``) and newer (``prev``) page."""

    rows: list[T]
    next: str | None
    prev: str | None

    def view(self, render: Callable[[T], dict[str, object]]) -> dict[str, object]:
        """The envelope of the venue."""
        return {"next": self.next, "prev": self.prev, "results": [render(row) for row in self.rows]}


class Pager:
    """Cuts histories into pages. Cursors carry their filter, and are signed with the pager's secret."""

    def __init__(self, secret: bytes) -> None:
        self._secret = secret

    def page(self, listing: Listing[T], owner: int, rows: Rows[T], query: Query) -> Page[T]:
        """One page of the rows of an owner: an account, or 0 where rows are everybody's.

        A cursor brings its own filter; of the query only ``page_size`` counts beside one.

        Raises:
            VenueError: INVALID_REQUEST_PARAMETER: a parameter or the cursor is malformed, or the cursor was not
                signed for this listing and owner.
        """
        seal = _Seal(self._secret, listing.name, owner)
        wanted = _read(listing, query)
        if not query.get("cursor"):
            return _down(listing, rows, None, wanted, seal)
        cursor = seal.open(query["cursor"])
        size = wanted.page_size if query.get("page_size") else cursor.filter.page_size
        wanted = msgspec.structs.replace(cursor.filter, page_size=size)
        turn = _up if cursor.newer else _down
        return turn(listing, rows, cursor.number, wanted, seal)


def _down(listing: Listing[T], rows: Rows[T], start: int | None, wanted: _Filter, seal: "_Seal") -> Page[T]:
    found = list(_take(_older(listing, rows, start, wanted), wanted.page_size + 1))
    more = len(found) > wanted.page_size
    del found[wanted.page_size :]
    top = found[0][0] if found else start
    fresher = (
        top is not None and start is not None and any(True for _ in _newer(listing, rows, top + 1, wanted))
    )
    return Page(
        rows=[row for _, row in found],
        next=seal.close(_Cursor(found[-1][0] - 1, False, wanted)) if more else None,
        prev=seal.close(_Cursor(top + 1, True, wanted)) if fresher and top is not None else None,
    )


def _up(listing: Listing[T], rows: Rows[T], start: int | None, wanted: _Filter, seal: "_Seal") -> Page[T]:
    begin = start or 0
    found = list(_take(_newer(listing, rows, begin, wanted), wanted.page_size + 1))
    more = len(found) > wanted.page_size
    del found[wanted.page_size :]
    bottom = found[0][0] if found else begin
    older = any(True for _ in _older(listing, rows, bottom - 1, wanted))
    return Page(
        rows=[row for _, row in reversed(found)],
        next=seal.close(_Cursor(bottom - 1, False, wanted)) if older else None,
        prev=seal.close(_Cursor(found[-1][0] + 1, True, wanted)) if more else None,
    )


def _older(listing: Listing[T], rows: Rows[T], start: int | None, wanted: _Filter) -> Iterator[tuple[int, T]]:
    for number, row in rows.backward(start):
        at_ms = listing.time_ms(row)
        if at_ms < wanted.start_at:
            return
        if at_ms <= wanted.end_at and _admits(listing, row, wanted):
            yield number, row


def _newer(listing: Listing[T], rows: Rows[T], start: int, wanted: _Filter) -> Iterator[tuple[int, T]]:
    for number, row in rows.forward(start):
        at_ms = listing.time_ms(row)
        if at_ms > wanted.end_at:
            return
        if at_ms >= wanted.start_at and _admits(listing, row, wanted):
            yield number, row


def _take(rows: Iterator[tuple[int, T]], most: int) -> Iterator[tuple[int, T]]:
    for _, row in zip(range(most), rows, strict=False):
        yield row


def _admits(listing: Listing[T], row: T, wanted: _Filter) -> bool:
    # A loop, not all(): a scan of a long history calls this for each row.
    for name, value in wanted.fields.items():  # noqa: SIM110
        if listing.fields[name].of(row) != value:
            return False
    return True


def _read(listing: Listing[T], query: Query) -> _Filter:
    fields: dict[str, str] = {}
    for name, field in listing.fields.items():
        text = query.get(name, "") if field.allowed is None else one_of(query, name, field.allowed)
        if text:
            fields[name] = text
    return _Filter(
        fields=fields,
        start_at=whole_number(query, "start_at", 0, 0, LATEST_MS),
        end_at=whole_number(query, "end_at", LATEST_MS, 0, LATEST_MS),
        page_size=whole_number(query, "page_size", DEFAULT_PAGE, 1, listing.largest_page),
    )


@attrs.frozen
class _Seal:
    """Signs and reads the cursors of one listing and owner."""

    secret: bytes
    listing: str
    owner: int

    def _tag(self, payload: bytes) -> bytes:
        # The account is a felt, more than JSON numbers of msgspec hold: it goes into the tag only.
        whose = self.owner.to_bytes(32) + self.listing.encode() + b"\0"
        return hmac.digest(self.secret, whose + payload, hashlib.sha256)[:_TAG_BYTES]

    def close(self, cursor: _Cursor) -> str:
        payload = msgspec.json.encode(cursor)
        return base64.urlsafe_b64encode(self._tag(payload) + payload).decode()

    def open(self, text: str) -> _Cursor:
        try:
            data = base64.b64decode(text.encode("ascii"), b"-_", validate=True)
        except ValueError as error:
            raise invalid("cursor") from error
        tag, payload = data[:_TAG_BYTES], data[_TAG_BYTES:]
        if not hmac.compare_digest(tag, self._tag(payload)):
            raise invalid("cursor")
        return _CURSOR.decode(payload)
