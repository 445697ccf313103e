"""What everybody may hear of the markets: best prices, trades, summaries, funding (protocol reference 4.3)."""

from collections.abc import Callable
from typing import Any

from bot.exchange.event import Event
from bot.exchange.market.events import FundingTicked, PriceMoved
from bot.exchange.matching.book import Book, Level
from bot.exchange.matching.events import BookChanged, Trade
from bot.exchange.settings import ExchangeSettings
from bot.exchange.stream.channels import COMPARISON
from bot.exchange.stream.frames import Payload
from bot.exchange.stream.index import Index
from bot.exchange.stream.session import Session
from bot.exchange.stream.sources import Sources
from bot.exchange.stream.topics import ALL, Topic
from bot.exchange.views.market import bbo_view, comparison_view, funding_view, summary_view, trade_view

_Top = tuple[Level | None, Level | None]
"""The best bid and ask."""


class PublicFeeds:
    """Tells whoever listens about the markets.

    ``markets`` stays silent, since no listing ever changes here; a best price is told when it changes, a trade when
    it happens, summaries and funding each time the market is looked at.
    """

    def __init__(self, index: Index, sources: Sources, settings: ExchangeSettings) -> None:
        self._index = index
        self._sources = sources
        self._greets = settings.snapshots == "sent"
        self._empty = None if settings.empty_side == "null" else ""
        self._tops: dict[str, _Top] = {}
        self.listeners: dict[type[Event], Callable[[Any], None]] = {
            BookChanged: self._book,
            Trade: self._trade,
            PriceMoved: self._price,
            FundingTicked: self._funded,
        }
        self._present: dict[str, Callable[[str], dict[str, Any]]] = {
            "bbo": self._bbo_data,
            "markets_summary": self._summary_data,
            "funding_data": self._funding_data,
            COMPARISON: self._comparison_data,
        }

    def join(self, topic: Topic) -> None:
        """Somebody listens to a topic from now on: what counts as a change is one from here."""
        if topic.family == "bbo":
            for market in self._markets(topic):
                self._tops.setdefault(market, _top(self._sources.books[market]))

    def greet(self, topic: Topic, name: str, session: Session) -> None:
        """What there is already, to a new listener, if that is wished."""
        present = self._present.get(topic.family)
        if self._greets and present is not None:
            for market in self._markets(topic):
                session.publish(name, present(market))

    def _book(self, event: BookChanged) -> None:
        market = event.book.market
        if not self._hears("bbo", market):
            self._tops.pop(market, None)
            return
        top = _top(event.book)
        if top != self._tops.get(market):
            self._tops[market] = top
            self._tell("bbo", market, self._bbo_data(market))

    def _trade(self, event: Trade) -> None:
        if self._hears("trades", event.market):
            self._tell("trades", event.market, trade_view(event))

    def _price(self, event: PriceMoved) -> None:
        if self._hears("markets_summary", event.symbol):
            self._tell("markets_summary", event.symbol, self._summary_data(event.symbol))

    def _funded(self, event: FundingTicked) -> None:
        if self._hears("funding_data", event.symbol):
            self._tell("funding_data", event.symbol, self._funding_data(event.symbol))
        if self._hears(COMPARISON, event.symbol):
            self._tell(COMPARISON, event.symbol, self._comparison_data(event.symbol))

    def _bbo_data(self, market: str) -> dict[str, Any]:
        return bbo_view(self._sources.books[market], empty=self._empty)

    def _summary_data(self, market: str) -> dict[str, Any]:
        return summary_view(self._sources.summaries(market, self._sources.stamps.now_ms()))

    def _funding_data(self, market: str) -> dict[str, Any]:
        return funding_view(self._sources.funding.now(market))

    def _comparison_data(self, market: str) -> dict[str, Any]:
        return comparison_view(self._sources.funding.now(market))

    def _hears(self, family: str, market: str) -> bool:
        return self._index.hears(Topic(family, market), Topic(family, ALL))

    def _tell(self, family: str, market: str, data: dict[str, Any]) -> None:
        self._index.publish(Payload(data), Topic(family, market), Topic(family, ALL))

    def _markets(self, topic: Topic) -> list[str]:
        return list(self._sources.books) if topic.market == ALL else [topic.market]


def _top(book: Book) -> _Top:
    return book.bids.best_level(), book.asks.best_level()
