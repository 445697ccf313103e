"""Which sockets listen to what."""

from collections.abc import Iterator

from bot.exchange.stream.frames import ChannelData, Payload
from bot.exchange.stream.session import Session
from bot.exchange.stream.topics import Topic


class Index:
    """The sockets by what they listen to, and under which name: an update costs what its listeners cost."""

    def __init__(self) -> None:
        self._names: dict[Topic, dict[str, dict[Session, None]]] = {}

    def add(self, topic: Topic, name: str, session: Session) -> None:
        """From now on the socket hears of the topic, under this name."""
        self._names.setdefault(topic, {}).setdefault(name, {})[session] = None

    def remove(self, topic: Topic, name: str, session: Session) -> None:
        """Undo `add`."""
        names = self._names[topic]
        del names[name][session]
        if not names[name]:
            del names[name]
        if not names:
            del self._names[topic]

    def hears(self, *topics: Topic) -> bool:
        """Whether anybody listens to one of these."""
        return not self._names.keys().isdisjoint(topics)

    def publish(self, data: Payload, *topics: Topic) -> None:
        """Queue an update for whoever listens to these; who does under several names gets it under each."""
        for update, sessions in self.updates(data, *topics):
            for session in sessions:
                session.deliver(update)

    def updates(self, data: Payload, *topics: Topic) -> Iterator[tuple[ChannelData, dict[Session, None]]]:
        """The update under each name that somebody listens by, and who does."""
        for topic in topics:
            for name, sessions in self._names.get(topic, {}).items():
                yield ChannelData(name, data), sessions
