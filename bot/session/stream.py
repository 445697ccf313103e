"""One WebSocket of one generation: what is asked over it, and the replies. A capability like those next door."""

from collections.abc import Mapping
from contextlib import suppress
from itertools import count
from typing import Any

import attrs
import msgspec
import trio

from bot.core.capability import Capability
from bot.core.tape import HIDDEN
from bot.link.websocket import Outgoing, WebSocket
from bot.paradex import rpc


@attrs.define(eq=False)
class PendingReply:
    """What somebody waits for, from `Stream.expect` to `Stream.forget`."""

    arrived: trio.Event = attrs.field(factory=trio.Event)
    """Set when there is nothing more to wait for."""

    reply: rpc.Reply | None = None
    ns: int = 0
    """When it came, since the start of the run."""

    arrived_ns: int = 0
    """When its last byte was there."""

    id: int = 0
    """Of the request; 0 as long as that has not left."""

    def hear(self, reply: rpc.Reply) -> None:
        """It came."""
        self.reply = reply
        self.arrived.set()


class Stream(metaclass=Capability):
    """One WebSocket of one generation: requests over it, and the replies to them."""

    def __init__(self, websocket: WebSocket) -> None:
        self.is_lost = False
        """It has ended, and no reply will come."""

        self._websocket = websocket
        self._ids = count(1)
        self._waiting: dict[PendingReply, None] = {}
        self._by_id: dict[int | str, PendingReply] = {}

    async def call(self, method: str, params: Mapping[str, Any] | msgspec.Raw, *, secret: str = "") -> None:
        """Send a request and wait for its reply: for ever, so the caller owns the deadline.

        ``secret`` is a text among ``params`` that the tape does not get.

        Raises:
            RefusedError, UnknownOutcomeError: the reply is an error.
            StreamClosedError: the connection ended first.
        """
        pending = PendingReply()
        self.expect(pending)
        try:
            frame = rpc.request(self.number(pending), method, params)
            self._websocket.send(frame, shown=frame.replace(secret, HIDDEN) if secret else None)
            await pending.arrived.wait()
        finally:
            self.forget(pending)
        if pending.reply is None:
            raise self._websocket.closed()
        if pending.reply.error is not None:
            raise pending.reply.error

    def post(self, outgoing: Outgoing) -> None:
        """See `WebSocket.post`."""
        self._websocket.post(outgoing)

    def expect(self, pending: PendingReply) -> None:
        """Wait for a reply from now on.

        Raises:
            StreamClosedError: none will come.
        """
        if self.is_lost:
            raise self._websocket.closed()
        self._waiting[pending] = None

    def forget(self, pending: PendingReply) -> None:
        """Wait for it no longer: what comes later is one that nobody asked for."""
        self._waiting.pop(pending, None)
        self._by_id.pop(pending.id, None)

    def number(self, pending: PendingReply) -> int:
        """The next id: that of the request to which ``pending`` is to be the reply."""
        pending.id = next(self._ids)
        self._by_id[pending.id] = pending
        return pending.id

    def replied(self, reply: rpc.Reply, ns: int) -> bool:
        """Hand over a reply that came at ``ns``; False if nobody waits for it. A second one is nobody's."""
        pending = self._by_id.pop(reply.id, None)
        if pending is None:
            return False
        pending.ns, pending.arrived_ns = ns, self._websocket.arrived_ns
        pending.hear(reply)
        return True

    def used_ns(self) -> int:
        """See `WebSocket.used_ns`."""
        return self._websocket.used_ns()

    def round_trip_us(self) -> int | None:
        """See `WebSocket.round_trip_us`."""
        return self._websocket.round_trip_us()

    def lose(self) -> None:
        """It has ended: whoever waits for a reply waits in vain."""
        self.is_lost = True
        for pending in self._waiting:
            pending.arrived.set()


def open_stream(websocket: WebSocket) -> Stream:
    return Stream._mint(websocket)  # noqa: SLF001 - the minting module


async def hear_replies(websocket: WebSocket, stream: Stream) -> None:
    """The reader of a WebSocket over which nothing but replies is wanted; ends with a `StreamClosedError`."""
    while True:
        frame = await websocket.receive()
        with suppress(rpc.UnreadableFrameError):  # a run sets them aside, too
            message = rpc.read(frame.data)
            if isinstance(message, rpc.Reply):
                stream.replied(message, frame.ns)
