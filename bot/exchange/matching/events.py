"""What happens to orders and books."""

import attrs

from bot.exchange.event import Event
from bot.exchange.matching.book import Book, Change
from bot.exchange.matching.fills import Fill
from bot.exchange.matching.orders import Order


@attrs.frozen
class OrderAccepted(Event):
    """An order was accepted as NEW, and waits for the engine. The live order."""

    order: Order


@attrs.frozen
class OrderChanged(Event):
    """An order entered another status, was filled or modified, or a modification was rejected. The live order."""

    order: Order


@attrs.frozen
class Filled(Event):
    """An account was filled."""

    fill: Fill


@attrs.frozen
class Trade(Event):
    """Two orders matched. ``side`` is the taker's; ``seq_no`` is the number that the book gets from this step."""

    id: str
    market: str
    side: str
    price: int
    size: int
    created_at_ms: int
    seq_no: int


@attrs.frozen
class BookChanged(Event):
    """A step of the engine touched a book, which took its next number. The live book.

    ``changes`` are the new totals of the prices whose totals it changed; it may be empty. Trades of the same step
    come before, with the same number.
    """

    book: Book
    changes: tuple[Change, ...]
