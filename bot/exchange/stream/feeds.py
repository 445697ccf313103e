"""From events to channels: what each event becomes, and which sockets it goes to."""

from collections import defaultdict
from collections.abc import Callable, Iterable
from typing import Any

from bot.exchange.event import Event
from bot.exchange.faults.faults import Faults
from bot.exchange.settings import ExchangeSettings
from bot.exchange.stream.books import BookFeeds
from bot.exchange.stream.index import Index
from bot.exchange.stream.private import PrivateFeeds
from bot.exchange.stream.public import PublicFeeds
from bot.exchange.stream.session import Session
from bot.exchange.stream.sources import Sources
from bot.exchange.stream.topics import Topic


class Feeds:
    """The open sockets, and what they hear of."""

    def __init__(self, sources: Sources, settings: ExchangeSettings, faults: Faults) -> None:
        self.sessions: dict[Session, None] = {}
        self._index = index = Index()
        self.private = PrivateFeeds(index, sources.stamps, sources.ledger, sources.clearing, settings, faults)
        self._public = PublicFeeds(index, sources, settings)
        self._books = BookFeeds(index, sources.books)
        self._listeners: defaultdict[type[Event], list[Callable[[Any], None]]] = defaultdict(list)
        for feeds in (self.private, self._public, self._books):
            for kind, listener in feeds.listeners.items():
                self._listeners[kind].append(listener)

    def publish(self, event: Event) -> None:
        """Deliver what an event means to every socket that subscribed to it."""
        for listener in self._listeners.get(type(event), ()):
            listener(event)

    async def run(self) -> None:
        """Send what is not sent at once, for as long as the exchange lives."""
        await self._books.run()

    def join(self, topic: Topic, name: str, session: Session) -> None:
        """The socket hears of a topic from now on, under a name."""
        self._index.add(topic, name, session)
        if topic.book is not None:
            self._books.join(topic)
        elif not topic.account:
            self._public.join(topic)

    def leave(self, topic: Topic, name: str, session: Session) -> None:
        """Undo `join`."""
        self._index.remove(topic, name, session)
        if topic.book is not None:
            self._books.leave(topic)

    def greet(self, topics: Iterable[Topic], name: str, session: Session) -> None:
        """Tell a new listener what there is, as far as the topics begin with that."""
        for topic in topics:
            if topic.book is not None:
                self._books.greet(topic, name, session)
            elif topic.account:
                self.private.greet(topic, name, session)
            else:
                self._public.greet(topic, name, session)

    def open(self, session: Session) -> None:
        """Note a new socket."""
        self.sessions[session] = None

    def close(self, session: Session) -> None:
        """Forget a socket and all it listened to."""
        for subscription in session.subscriptions.values():
            for topic in subscription.topics:
                self.leave(topic, subscription.name, session)
        del self.sessions[session]
