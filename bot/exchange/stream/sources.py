"""What feeds look at when an event says that something changed."""

from collections.abc import Mapping

import attrs

from bot.exchange.clearing.clearing import Clearing
from bot.exchange.market.funding import Funding
from bot.exchange.market.summary import Summaries
from bot.exchange.matching.book import Book
from bot.exchange.matching.ledger import OrderLedger
from bot.exchange.stamps import Stamps


@attrs.frozen
class Sources:
    """The parts of an exchange that channels show."""

    stamps: Stamps
    books: Mapping[str, Book]
    ledger: OrderLedger
    clearing: Clearing
    summaries: Summaries
    funding: Funding
