"""The WebSocket: the only importer of trio_websocket on the bot's side."""

import ssl
from collections import deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, Protocol
from urllib.parse import urlsplit

import attrs
import h11
import trio
import trio_websocket
from wsproto.frame_protocol import FrameProtocol
from wsproto.utilities import ProtocolError

from bot.core.clock import Clock
from bot.core.errors import NotSentError, StreamClosedError, leaves
from bot.core.setting import setting
from bot.core.tape import Kind, Tape, portable
from bot.link.tls import TlsStream
from bot.link.wire import SeenStream

MAX_MESSAGE_SIZE = 8 * 2**20
"""Bytes. A whole book is some hundred kilobytes; more than this is no message of the venue's."""


@attrs.frozen
class StreamSettings:
    """The ``[stream]`` table: the WebSocket."""

    connect_timeout: float = setting(
        5.0, "deadline for TCP, TLS and the upgrade together", at_least=0.1, at_most=60, unit="seconds"
    )
    close_timeout: float = setting(
        1.0, "wait for the venue's answer to our close frame", at_least=0.1, at_most=5, unit="seconds"
    )
    ping_interval: float = setting(
        5.0, "time between our own pings", at_least=0.5, at_most=60, unit="seconds"
    )
    ping_deadline: float = setting(
        3.0,
        "a pong later than this means that the connection is dead",
        at_least=0.1,
        at_most=60,
        unit="seconds",
    )
    queue: int = setting(
        4096, "messages held while the reader is busy", at_least=1024, at_most=1_000_000, unit="messages"
    )


@attrs.frozen
class Frame:
    """A message of the venue's, and when it came: ns since the start of the run."""

    data: str | bytes
    ns: int


class Outgoing(Protocol):
    """A message. What is in it is asked when it is about to leave: the system may have no room for it at first."""

    def leave(self) -> tuple[str, Any]:
        """Its text, and what the tape gets of it. What it raises, a `NotSentError`, keeps it here."""
        ...

    def left(self, ns: int) -> None:
        """Its first byte is about to leave, at ``ns`` since the start of the run."""
        ...

    def written(self, ns: int) -> None:
        """The system had taken its last byte at ``ns``."""
        ...


@attrs.frozen
class _Plain:
    """A message that leaves as it is, whenever that is."""

    text: str
    shown: str

    def leave(self) -> tuple[str, Any]:
        return self.text, self.shown

    def left(self, ns: int) -> None:
        pass

    def written(self, ns: int) -> None:
        pass


class WebSocket:
    """One open connection. Made by `open_websocket`; one task reads, any number write, and it ends with all of them.

    Messages go past trio_websocket, which takes a lock for each: it reads, pings, and says goodbye. Nobody's bytes
    come between those of a frame, for each is handed over to ``stream`` at once.
    """

    def __init__(
        self,
        connection: trio_websocket.WebSocketConnection,
        stream: SeenStream | TlsStream,
        seen: SeenStream,
        settings: StreamSettings,
        tape: Tape,
        generation: int,
    ) -> None:
        """``seen``: what is under ``stream``, or the same."""
        self._connection = connection
        self._stream = stream
        self._seen = seen
        self._frames = FrameProtocol(client=True, extensions=[])
        self._settings = settings
        self._tape = tape
        self._generation = generation
        self._begun: Outgoing | None = None
        """Some of it waits for room."""

        self._queue: deque[Outgoing] = deque()
        """What waits for that. No longer than the connection lives, and no more than the venue's limits allow."""

        self._is_late = trio.Event()
        self._is_broken = False
        self.is_closing = False
        self.arrived_ns = 0
        """When the last byte of the newest message was there; later by what followed at once on its heels."""

    def send(self, frame: str, *, shown: str | None = None) -> None:
        """Send ``frame``; see `post`.

        ``shown`` is what the tape gets in place of a frame that holds a secret.
        """
        self.post(_Plain(frame, frame if shown is None else shown))

    def post(self, outgoing: Outgoing) -> None:
        """Send a message now, or when the system has room for it. That is no evidence of delivery: only an answer is.

        Nothing waits here, so nothing can be cancelled: that would leave half a frame on the wire, and the next
        message would vanish into it. What is cancelled is the connection.

        Raises:
            StreamClosedError: the connection has ended.
        """
        if self._connection.closed is not None or self.is_closing or self._is_broken:
            raise self.closed()
        if self._seen.is_flushed and not self._queue:
            self._leave(outgoing)
        else:
            self._queue.append(outgoing)
            self._is_late.set()

    async def receive(self) -> Frame:
        """The next message.

        Raises:
            StreamClosedError: the connection has ended, and everything that came before was received.
        """
        try:
            message = await self._connection.get_message()
        except trio_websocket.ConnectionClosed:
            raise self.closed() from None
        self.arrived_ns = self._seen.read_ns
        stamp = self._tape.write(Kind.FRAME_IN, portable(message), generation=self._generation)
        return Frame(message, stamp.ns)

    async def ping(self) -> None:
        """Send a ping and wait for its pong: for ever, on a dead link.

        Raises:
            StreamClosedError: the connection has ended.
        """
        try:
            await self._connection.ping()
        except trio_websocket.ConnectionClosed:
            raise self.closed() from None

    async def close(self) -> None:
        """Say goodbye with 1000, and wait `StreamSettings.close_timeout` at most for the venue to do the same."""
        self.is_closing = True
        with trio.move_on_after(self._settings.close_timeout):
            await self._connection.aclose(1000)

    async def write(self) -> None:
        """Send what the system had no room for."""
        while not self._is_broken:
            await self._is_late.wait()
            self._is_late = trio.Event()
            try:
                await self._catch_up()
            except (trio.BrokenResourceError, trio.ClosedResourceError):
                self._is_broken = True  # the reader says why

    async def _catch_up(self) -> None:
        while self._begun is not None or self._queue:
            await self._stream.flush()
            if self._begun is not None:
                self._begun.written(self._seen.written_ns)
                self._begun = None
            if self._queue:
                self._leave(self._queue.popleft())

    def _leave(self, outgoing: Outgoing) -> None:
        try:
            frame, shown = outgoing.leave()
        except NotSentError:
            return  # whoever waits for it knows
        outgoing.left(self._tape.write(Kind.FRAME_OUT, shown, generation=self._generation).ns)
        try:
            is_written = self._stream.push(self._frames.send_data(frame, fin=True))
        except (trio.BrokenResourceError, trio.ClosedResourceError):
            self._is_broken = True  # the reader says why
            return
        if is_written:
            outgoing.written(self._seen.written_ns)
        else:
            self._begun = outgoing
            self._is_late.set()

    def used_ns(self) -> int:
        """When something left or came last."""
        return max(self._seen.read_ns, self._seen.written_ns)

    def round_trip_us(self) -> int | None:
        """See `bot.link.wire.round_trip_us`."""
        return self._seen.round_trip_us()

    def closed(self) -> StreamClosedError:
        """How it ended; 1006 where no close frame told."""
        reason = self._connection.closed
        return (
            StreamClosedError(1006, "")
            if reason is None
            else StreamClosedError(int(reason.code), reason.reason or "")
        )


@asynccontextmanager
async def open_websocket(
    url: str, tls: ssl.SSLContext, settings: StreamSettings, tape: Tape, generation: int, clock: Clock
) -> AsyncIterator[WebSocket]:
    """Connect to ``url`` (``wss://`` or ``ws://``), and drop the connection at the end if nobody closed it.

    Raises:
        NotSentError: no connection came about: name, TCP, TLS, the venue's refusal with its status, deadline.
        StreamClosedError: the venue broke the protocol. What the block raises passes unchanged.
    """
    parts = urlsplit(url)
    secure = parts.scheme == "wss"
    host = parts.hostname or ""
    port = parts.port or (443 if secure else 80)
    resource = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    stream: SeenStream | TlsStream | None = None
    websocket: WebSocket | None = None
    try:
        async with trio.open_nursery() as nursery:
            with trio.fail_after(settings.connect_timeout):
                # Opened here and not by trio_websocket, which does not close what its handshake leaves behind.
                stream = seen = SeenStream(await trio.open_tcp_stream(host, port), clock)
                if secure:
                    stream = encrypted = TlsStream(seen, tls, host)
                    # Not left to the first send: trio_websocket would keep to itself why it failed.
                    await encrypted.do_handshake()
                connection = await trio_websocket.wrap_client_stream(
                    nursery,
                    stream,  # type: ignore[arg-type] # any stream will do
                    parts.netloc,
                    resource,
                    message_queue_size=settings.queue,
                    max_message_size=MAX_MESSAGE_SIZE,
                )
            tape.write(Kind.SOCKET_OPEN, {}, generation=generation)
            websocket = WebSocket(connection, stream, seen, settings, tape, generation)
            nursery.start_soon(websocket.write)
            yield websocket
            nursery.cancel_scope.cancel()
    # A refused upgrade is raised by trio_websocket's own task, so it comes in a group like everything else.
    except* (OSError, trio.BrokenResourceError, trio_websocket.HandshakeError, trio.TooSlowError) as errors:
        if websocket is not None:
            raise
        raise NotSentError(f"{url}: {_words(next(leaves(errors)))}") from errors
    # That task dies of a peer that breaks the protocol, and of a ping that comes in while we say goodbye.
    except* (ProtocolError, h11.ProtocolError, trio_websocket.ConnectionClosed) as errors:
        words = _words(next(leaves(errors)))
        if websocket is None:
            raise NotSentError(f"{url}: {words}") from errors
        if not websocket.is_closing:
            raise StreamClosedError(1002, words) from errors
    finally:
        tape.write(Kind.SOCKET_END, _end(websocket), generation=generation)
        if stream is not None:
            await trio.aclose_forcefully(stream)


def _end(websocket: WebSocket | None) -> dict[str, object]:
    if websocket is None:
        return {"code": None, "reason": "", "ours": True}
    closed = websocket.closed()
    return {"code": closed.code, "reason": closed.reason, "ours": websocket.is_closing}


def _words(error: BaseException) -> str:
    match error:
        case trio_websocket.ConnectionRejected():
            return f"HTTP {error.status_code}"
        case trio.TooSlowError():
            return "deadline passed"
        case ProtocolError() | h11.ProtocolError():
            return f"ProtocolError: {error.__context__ or error}"  # the library stumbles over its own answer
        case _:
            cause = next(leaves(error.__cause__ or error))
            return f"{type(cause).__name__}: {cause}"
