"""The `order_book` channels: whole books at a pace, and every change of a book (protocol reference 4.4)."""

import math
from collections import defaultdict
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import attrs
import trio

from bot.exchange.agenda import Agenda
from bot.exchange.event import Event
from bot.exchange.matching.book import Book, Change
from bot.exchange.matching.events import BookChanged
from bot.exchange.matching.orders import BUY, SELL
from bot.exchange.stream.bookdata import delta, snapshot, whole
from bot.exchange.stream.frames import Payload
from bot.exchange.stream.index import Index
from bot.exchange.stream.session import Session
from bot.exchange.stream.topics import DeltaFeed, SnapshotFeed, Topic

_DELTAS = DeltaFeed()


@attrs.define(eq=False)
class _Pace:
    """When a snapshot feed may speak next, and whether it is going to."""

    topic: Topic
    feed: SnapshotFeed
    free_at: float = -math.inf
    pending: bool = False


class BookFeeds:
    """Tells of books as long as somebody listens. A new listener is always told the book as it is first."""

    def __init__(self, index: Index, books: Mapping[str, Book]) -> None:
        self._index = index
        self._books = books
        self._paces: defaultdict[str, dict[Topic, _Pace]] = defaultdict(dict)
        self._known: dict[str, set[tuple[str, int]]] = {}
        self._agenda = Agenda()
        self.listeners: dict[type[Event], Callable[[Any], None]] = {BookChanged: self._changed}

    def join(self, topic: Topic) -> None:
        """Somebody listens to a topic of a book from now on."""
        if isinstance(topic.book, SnapshotFeed):
            self._paces[topic.market].setdefault(topic, _Pace(topic, topic.book))
        elif topic.market not in self._known:
            book = self._books[topic.market]
            self._known[topic.market] = {
                (side, level.price) for side in (BUY, SELL) for level in book.levels(side)
            }

    def leave(self, topic: Topic) -> None:
        """Somebody does not any more; the last one ends the work that it took."""
        if self._index.hears(topic):
            return
        if isinstance(topic.book, SnapshotFeed):
            del self._paces[topic.market][topic]
        else:
            del self._known[topic.market]

    def greet(self, topic: Topic, name: str, session: Session) -> None:
        """The book as it is, to a new listener."""
        book = self._books[topic.market]
        if isinstance(topic.book, SnapshotFeed):
            session.publish(name, snapshot(book, topic.book))
        else:
            session.publish(name, whole(book))

    async def run(self) -> None:
        """Send snapshots when they are due, for as long as the exchange lives."""
        await self._agenda.work()

    def _changed(self, event: BookChanged) -> None:
        market = event.book.market
        for pace in self._paces[market].values():
            if not pace.pending:
                pace.pending = True
                self._agenda.add(max(trio.current_time(), pace.free_at), partial(self._send, pace))
        known = self._known.get(market)
        if known is not None:
            self._tell(event, known)

    def _send(self, pace: _Pace) -> None:
        pace.pending = False
        pace.free_at = trio.current_time() + pace.feed.interval
        topic = pace.topic
        if self._paces[topic.market].get(topic) is pace:  # else it is of listeners that left
            data = snapshot(self._books[topic.market], pace.feed)
            self._index.publish(Payload(data), topic)

    def _tell(self, event: BookChanged, known: set[tuple[str, int]]) -> None:
        """Tell a change, which may be of nothing: it has a number all the same."""
        inserts: list[Change] = []
        updates: list[Change] = []
        deletes: list[Change] = []
        for change in event.changes:
            key = (change.side, change.price)
            if not change.size:
                deletes.append(change)
                known.discard(key)
            elif key in known:
                updates.append(change)
            else:
                inserts.append(change)
                known.add(key)
        topic = Topic("order_book", event.book.market, book=_DELTAS)
        self._index.publish(Payload(delta(event.book, inserts, updates, deletes)), topic)
