"""The recorded venue's end of a WebSocket. It speaks only when it is told to, byte by byte if need be.

wsproto and not trio-websocket: the end of a recorded session may be a frame cut in half, or a close that is answered
a second later, and a library that is good to its callers does neither.
"""

from collections.abc import Callable
from contextlib import suppress

import attrs
import trio
from wsproto import ConnectionType, WSConnection
from wsproto.connection import ConnectionState
from wsproto.events import (
    AcceptConnection,
    BytesMessage,
    CloseConnection,
    Event,
    Ping,
    RejectConnection,
    Request,
    TextMessage,
)
from wsproto.utilities import ProtocolError

from bot.simulation.connection import Connection

_GONE = (trio.BrokenResourceError, trio.ClosedResourceError)


@attrs.define(eq=False)
class SocketEnd:
    """One connection, from its upgrade on. What it hears goes to the three callbacks; what it says is queued."""

    generation: int
    """Which attempt of the bot's this is, counted from 1."""

    stream: trio.abc.Stream
    wire: Connection
    dialled: Callable[["SocketEnd"], None]
    heard: Callable[["SocketEnd", str], None]
    left: Callable[["SocketEnd"], None]
    """The other side says goodbye, and waits for `say_goodbye`."""

    is_open: bool = False
    channels: set[str] = attrs.field(factory=set)
    """What was subscribed."""

    is_armed: bool = False
    """The orders that were placed over it are to be cancelled when it ends."""

    placed: list[str] = attrs.field(factory=list)
    """Our ids of them."""

    _protocol: WSConnection = attrs.field(factory=lambda: WSConnection(ConnectionType.SERVER))
    _outgoing: list[bytes] = attrs.field(factory=list)
    _to_write: trio.Event = attrs.field(factory=trio.Event)
    _goodbye: CloseConnection | None = None

    async def serve(self) -> None:
        """Until both have said goodbye, or the connection is gone."""
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._write, nursery.cancel_scope)
            with suppress(*_GONE):
                await self._read()
            if self._protocol.state is not ConnectionState.CLOSED:
                nursery.cancel_scope.cancel()
        self.is_open = False

    async def _read(self) -> None:
        text = ""
        while data := await self.stream.receive_some():
            try:
                self._protocol.receive_data(bytes(data))
                events = list(self._protocol.events())
            except ProtocolError:
                return
            for event in events:
                match event:
                    case Request():
                        self.dialled(self)
                    case TextMessage():
                        text += event.data
                        if event.message_finished:
                            self.heard(self, text)
                            text = ""
                    case Ping():
                        self._queue(event.response())
                    case CloseConnection() if self._protocol.state is ConnectionState.CLOSED:
                        self._to_write.set()
                        return
                    case CloseConnection():
                        self._goodbye = event.response()
                        self.left(self)

    async def _write(self, serving: trio.CancelScope) -> None:
        with suppress(*_GONE):
            while True:
                self._to_write = trio.Event()
                data, self._outgoing = b"".join(self._outgoing), []
                if data:
                    await self.stream.send_all(data)
                elif self._protocol.state is ConnectionState.CLOSED:
                    break
                else:
                    await self._to_write.wait()
        serving.cancel()

    def accept(self) -> None:
        """Let the upgrade succeed."""
        self.is_open = True
        self._queue(AcceptConnection())

    def refuse(self) -> None:
        """Refuse the upgrade. A reset would do, but trio-websocket notices that at its deadline only."""
        self._queue(RejectConnection(status_code=503))

    def say(self, message: str | bytes, *, torn: bool = False) -> None:
        """Send a message; ``torn``: the connection is reset in the middle of its frame."""
        event: Event = BytesMessage(data=message) if isinstance(message, bytes) else TextMessage(data=message)
        self._queue(event, torn=torn)

    def close(self, code: int, reason: str) -> None:
        """Say goodbye first."""
        self._queue(CloseConnection(code=code, reason=reason or None))
        self.is_open = False

    def say_goodbye(self) -> None:
        """Answer the other side's goodbye."""
        if self._goodbye is not None:
            self._queue(self._goodbye)

    def cut(self) -> None:
        self.is_open = False
        self.wire.cut()

    def _queue(self, event: Event, *, torn: bool = False) -> None:
        data = self._protocol.send(event)
        if torn:
            self.wire.down.cut_after(len(data) // 2)
            self.is_open = False
        self._outgoing.append(data)
        self._to_write.set()
