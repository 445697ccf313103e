"""An update of a private channel on its way to whoever listens, for a fault that meets it."""

import attrs

from bot.exchange.faults.garbling import UpdateHow, garble_update
from bot.exchange.stream.encode import encode
from bot.exchange.stream.frames import HangUp, Mishap, Payload
from bot.exchange.stream.index import Index
from bot.exchange.stream.topics import Topic

_TORN = 0.5
"""The part of a torn frame that leaves."""


@attrs.frozen
class ChannelParcel:
    """An update, and what it is about: who listens is looked up when it is delivered."""

    index: Index
    payload: Payload
    topics: tuple[Topic, ...]

    def deliver(self) -> None:
        self.index.publish(self.payload, *self.topics)

    def garble(self, how: UpdateHow) -> None:
        for update, sessions in self.index.updates(self.payload, *self.topics):
            mishap = Mishap((garble_update(encode(update), how),))
            for session in sessions:
                session.deliver(mishap)

    def cut(self, code: int | None, *, torn: bool) -> None:
        end = HangUp(code, "cut on purpose")
        for update, sessions in self.index.updates(self.payload, *self.topics):
            mishap = Mishap((encode(update),), part=_TORN, then=end) if torn else Mishap(then=end)
            for session in sessions:
                session.deliver(mishap)
