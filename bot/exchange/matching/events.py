"""What happens to orders and books."""

import attrs

from bot.exchange.event import Event
from bot.exchange.matching.book import Book
from bot.exchange.matching.orders import Fill, Order


@attrs.frozen
class OrderChanged(Event):
    """An order entered another status, was filled or modified. The live order."""

    order: Order


@attrs.frozen
class Filled(Event):
    """An account was filled."""

    fill: Fill


@attrs.frozen
class Trade(Event):
    """Two orders matched. ``side`` is the taker's; ``seq_no`` counts the changes of the book."""

    id: str
    market: str
    side: str
    price: int
    size: int
    created_at_ms: int
    seq_no: int


@attrs.frozen
class BookChanged(Event):
    """A book took its next number. The live book."""

    book: Book
