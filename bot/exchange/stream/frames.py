"""What waits to be sent to a client: answers and updates, not yet encoded, and what faults made of some."""

from typing import Any

import attrs
import msgspec

from bot.exchange.stream.rpc import Id, RpcError


@attrs.frozen
class Reply:
    """The answer to one message, with the times it came and left, in µs."""

    id: Id
    us_in: int
    us_out: int
    result: dict[str, Any] | None = None
    error: RpcError | None = None


class Payload:
    """The data of one update. All its subscribers share it, so that it is encoded once."""

    def __init__(self, data: dict[str, Any]) -> None:
        self.data = data
        self._json: bytes | None = None

    @property
    def json(self) -> bytes:
        if self._json is None:
            self._json = msgspec.json.encode(self.data)
        return self._json


class ChannelData:
    """One update of a channel, under the name it was subscribed by (section 10, item 2).

    Shared by all who subscribed by that name; ``text`` is kept here once somebody's frame was encoded.
    """

    def __init__(self, channel: str, payload: Payload) -> None:
        self.channel = channel
        self.payload = payload
        self.text: str | None = None


@attrs.frozen
class HangUp:
    """Why the exchange ends a socket; without a code there is no closing handshake, the connection just ends."""

    code: int | None
    reason: str


@attrs.frozen
class Mishap:
    """What a fault made of an answer or an update: frames as they leave, if any, and ``then`` perhaps the end.

    With a ``part`` below 1 that part of the frame's bytes leaves, and nothing after it. ``told`` is the status that
    an answer told, in REST's terms, if all of it leaves.
    """

    frames: tuple[str | bytes, ...] = ()
    part: float = 1.0
    then: HangUp | None = None
    told: int | None = None


Outgoing = Reply | ChannelData | Mishap
