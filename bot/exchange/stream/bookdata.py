"""What the `order_book` channels say: PriceBookUpdate objects (protocol reference 4.4).

Nothing here is invisible on the API book, so the ``interactive`` best prices are those of the API.
"""

from collections.abc import Iterable
from typing import Any

from bot.core.fixed import render
from bot.exchange.matching.book import Book, Change, Level
from bot.exchange.matching.orders import BUY, SELL
from bot.exchange.stream.channels import BOOK_DEPTH
from bot.exchange.stream.topics import SnapshotFeed
from bot.exchange.views.market import best_levels

Row = dict[str, str]


def whole(book: Book) -> dict[str, Any]:
    """All levels of a book."""
    return _update(book, "s", [_row(side, level) for side in (BUY, SELL) for level in book.levels(side)])


def snapshot(book: Book, feed: SnapshotFeed) -> dict[str, Any]:
    """The best levels of a book, grouped as the feed has them."""
    rows = [
        _row(side, level)
        for side in (BUY, SELL)
        for level in best_levels(book, side, BOOK_DEPTH, feed.price_tick)
    ]
    return _update(book, "s", rows)


def delta(
    book: Book, inserts: Iterable[Change], updates: Iterable[Change], deletes: Iterable[Change]
) -> dict[str, Any]:
    """One change of a book, perhaps of no level."""
    return _update(
        book, "d", *([_row(change.side, change) for change in part] for part in (inserts, updates, deletes))
    )


def _update(
    book: Book,
    kind: str,
    inserts: list[Row],
    updates: list[Row] | None = None,
    deletes: list[Row] | None = None,
) -> dict[str, Any]:
    bid, ask = _top(BUY, book.bids.best_level()), _top(SELL, book.asks.best_level())
    return {
        "market": book.market,
        "seq_no": book.seq_no,
        "last_updated_at": book.updated_at_ms,
        "update_type": kind,
        "inserts": inserts,
        "updates": updates or [],
        "deletes": deletes or [],
        "best_bid_api": bid,
        "best_ask_api": ask,
        "best_bid_interactive": bid,
        "best_ask_interactive": ask,
    }


def _row(side: str, level: Level | Change) -> Row:
    return {"side": side, "price": render(level.price), "size": render(level.size)}


def _top(side: str, level: Level | None) -> Row:
    """A best price; clients take it for an object, so an empty side is one of empty texts."""
    return {"side": side, "price": "", "size": ""} if level is None else _row(side, level)
