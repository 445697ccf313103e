"""WebSocket transport: upgrade, pings, closing. The room's only importer of trio-websocket."""

import base64
import binascii
from collections.abc import Callable
from contextlib import suppress
from functools import partial

import h11
import trio
from trio_websocket import ConnectionClosed, WebSocketConnection, wrap_server_stream
from wsproto.utilities import LocalProtocolError

from bot.exchange.errors import VenueError
from bot.exchange.exchange import Exchange
from bot.exchange.limits import (
    HTTP_CLOSE,
    WS_ANSWER_WITHIN,
    WS_CLOSE,
    WS_HANDSHAKE,
    WS_INBOX,
    WS_LARGEST_MESSAGE,
    WS_PING_EVERY,
    WS_PONG_WITHIN,
)
from bot.exchange.peer import LOOPBACK
from bot.exchange.stream.encode import encode
from bot.exchange.stream.frames import Reply
from bot.exchange.stream.session import Handled, Session
from bot.exchange.transport.http import HttpConnection, refusal, split_target

ABNORMAL = 1006
TOO_BIG = 1009
UNREADABLE = frozenset({1002, 1007})
"""The library's codes for frames against the protocol, and for text that is not UTF-8."""

UNSUPPORTED_DATA = 1003
NO_SUBSCRIPTION = 4031

_KEY_BYTES = 16
_CLOSE_FRAME = b"\x88\x02"
_CANNOT_SEND = (trio.BrokenResourceError, trio.ClosedResourceError, trio.BusyResourceError)


class _Rewound(trio.abc.Stream):
    """A stream that first gives back what was read already: the upgrade, and once that is accepted the rest.

    The library loses what it reads between the upgrade and its acceptance. And it closes the stream of a client that
    it cannot read without the close frame that says so (RFC 6455, 7.1.7): ``last_words`` is what is sent then.
    """

    def __init__(self, stream: trio.abc.Stream, upgrade: bytes, rest: bytes) -> None:
        self._stream = stream
        self._read = [upgrade, rest]
        self.accepted = trio.Event()
        self.closed = trio.Event()
        self.last_words: Callable[[], bytes] = bytes

    async def receive_some(self, max_bytes: int | None = None) -> bytes | bytearray:
        if len(self._read) < 2:
            await self.accepted.wait()
        while self._read:
            data = self._read.pop(0)
            if data:
                await trio.lowlevel.checkpoint()
                return data
        return await self._stream.receive_some(max_bytes)

    async def send_all(self, data: bytes | bytearray | memoryview) -> None:
        if data[:1] == _CLOSE_FRAME[:1]:
            self.last_words = bytes
        await self._stream.send_all(data)

    async def wait_send_all_might_not_block(self) -> None:
        await self._stream.wait_send_all_might_not_block()

    async def aclose(self) -> None:
        if words := self.last_words():
            with suppress(*_CANNOT_SEND):
                await self._stream.send_all(words)
        await self._stream.aclose()
        self.closed.set()


class SocketServer:
    """Serves the WebSocket port of one exchange."""

    def __init__(self, exchange: Exchange) -> None:
        self._exchange = exchange
        self._processing = exchange.settings.processing_ms / 1000
        self._grace = exchange.settings.unsubscribed_seconds

    async def serve(self, stream: trio.abc.Stream, peer: str = LOOPBACK) -> None:
        """One connection: an upgrade request, and then a conversation until either side ends it.

        Raises:
            trio.BrokenResourceError: the connection died before it was a WebSocket.
        """
        http = HttpConnection(stream, self._exchange.clock, peer)
        upgrade: bytes | None = None
        with trio.move_on_after(WS_HANDSHAKE):
            try:
                head = await http.read_head()
                if head is None:
                    return
                self._exchange.quotas.take_connect(peer)
                upgrade = _read_upgrade(head)
            except (VenueError, h11.RemoteProtocolError) as error:
                self._exchange.counters.requests["refused upgrade"] += 1
                refused = error if isinstance(error, VenueError) else VenueError("BINDING_ERROR", str(error))
                with trio.move_on_after(HTTP_CLOSE):
                    await http.answer_last(refusal(refused))
        if upgrade is not None:
            await self._converse(_Rewound(stream, upgrade, http.unread()), peer)

    async def _converse(self, stream: _Rewound, peer: str) -> None:
        session = self._exchange.open_session(peer)
        socket: WebSocketConnection | None = None
        try:
            async with trio.open_nursery() as nursery:
                request = await wrap_server_stream(nursery, stream, WS_INBOX, WS_LARGEST_MESSAGE)
                socket = await request.accept()
                stream.last_words = partial(_last_words, socket)
                stream.accepted.set()
                nursery.start_soon(_write, socket, session)
                nursery.start_soon(_ping, socket, session)
                if self._grace:
                    nursery.start_soon(_insist_on_subscription, session, self._grace)
                nursery.start_soon(_end, socket, session, nursery.cancel_scope)
                await self._read(socket, session)
                if stream.last_words():
                    with trio.move_on_after(WS_CLOSE):
                        await stream.closed.wait()
                if session.ending is None:
                    nursery.cancel_scope.cancel()
        except* (ConnectionClosed, LocalProtocolError, trio.BrokenResourceError, trio.ClosedResourceError):
            # The library's reader task dies of these when a peer vanishes, or speaks on while we close.
            pass
        finally:
            session.outbox.close()
            self._exchange.close_session(session, *_how_it_ended(session, socket))

    async def _read(self, socket: WebSocketConnection, session: Session) -> None:
        """Handle the messages of a socket in order, until it closes."""
        while True:
            try:
                message = await socket.get_message()
            except ConnectionClosed:
                return
            received_ns, started = self._exchange.stamps.now_ns(), self._exchange.request_log.start()
            if isinstance(message, bytes):
                session.hang_up(UNSUPPORTED_DATA, "clients never send binary")
            elif session.ending is None:
                if self._processing:
                    await trio.sleep(self._processing)
                if await _may_answer(session):
                    self._note(session, session.handle(message, received_ns), started)

    def _note(self, session: Session, handled: Handled, started: int) -> None:
        """Count a message, and log it if that is wished."""
        self._exchange.counters.requests[f"WS {handled.method}"] += 1
        account = None if session.speaker is None else session.speaker.account.address
        self._exchange.request_log.call(handled.method, handled.code, account, started)


async def _may_answer(session: Session) -> bool:
    """Wait until not too many answers are on their way; a client that takes none meanwhile does not read."""
    with trio.move_on_after(WS_ANSWER_WITHIN):
        await session.answers.acquire()
        return True
    session.hang_up(None, "answers are left unread")
    return False


async def _write(socket: WebSocketConnection, session: Session) -> None:
    async for item in session.outbox:
        # Once the socket is closed what is left goes nowhere, and still leaves, so that reading comes to its end.
        with suppress(ConnectionClosed):
            await socket.send_message(encode(item))
        if isinstance(item, Reply):
            session.answers.release()


async def _ping(socket: WebSocketConnection, session: Session) -> None:
    """Ping every 55 s; a pong that takes more than 5 s ends the connection (protocol reference 4.1)."""
    sent = 0
    while True:
        await trio.sleep(WS_PING_EVERY)
        sent += 1
        with trio.move_on_after(WS_PONG_WITHIN) as waiting:
            try:
                await socket.ping(sent.to_bytes(8))
            except ConnectionClosed:
                return
        if waiting.cancelled_caught:
            session.hang_up(None, "no pong")
            return


async def _insist_on_subscription(session: Session, grace: float) -> None:
    """End a socket that holds no subscription for longer than ``grace`` seconds (protocol reference 4.1)."""
    while True:
        await session.unsubscribed.wait()
        with trio.move_on_after(grace):
            await session.subscribed.wait()
            continue
        session.hang_up(NO_SUBSCRIPTION, "no active subscription")
        return


async def _end(socket: WebSocketConnection, session: Session, scope: trio.CancelScope) -> None:
    """Once the session hangs up, close the socket: in form when there is a code, else at once."""
    await session.hung_up.wait()
    assert session.ending is not None
    if session.ending.code is not None:
        with trio.move_on_after(WS_CLOSE):
            await socket.aclose(session.ending.code, session.ending.reason)
    scope.cancel()


def _how_it_ended(session: Session, socket: WebSocketConnection | None) -> tuple[int, str, str]:
    """Code, sender and reason of a socket's end."""
    if session.ending is not None:
        return session.ending.code or ABNORMAL, "server", session.ending.reason
    if socket is None or socket.closed is None:
        return ABNORMAL, "server", "the exchange stopped"
    by = "server" if socket.closed.code in {TOO_BIG, *UNREADABLE} else "client"
    return socket.closed.code, by, socket.closed.reason or ""


def _last_words(socket: WebSocketConnection) -> bytes:
    """The close frame for a client that could not be read; nothing for others."""
    code = 0 if socket.closed is None else socket.closed.code
    return _CLOSE_FRAME + code.to_bytes(2) if code in UNREADABLE else b""


def _read_upgrade(head: h11.Request) -> bytes:
    """Check an upgrade request, and write the plain one that the WebSocket library is given instead.

    Extensions and subprotocols are offers, and none is taken up. The library sees nothing a client wrote but the
    key: it would die of a host that is no host name.

    Raises:
        VenueError: another path, not an upgrade, or an encoding that is not served.
    """
    segments, query = split_target(head.target.decode("latin-1"))
    headers: dict[bytes, bytes] = {}
    for name, value in head.headers:
        headers[name] = headers[name] + b"," + value if name in headers else value
    if segments not in {("v1",), ("v1", "")}:
        raise VenueError("NOT_FOUND", "no such path")
    tokens = {token.strip() for token in headers.get(b"connection", b"").lower().split(b",")}
    if (
        head.method != b"GET"
        or b"upgrade" not in tokens
        or headers.get(b"upgrade", b"").lower() != b"websocket"
    ):
        raise VenueError("BINDING_ERROR", "this port serves WebSockets only", status=426)
    if headers.get(b"sec-websocket-version") != b"13":
        raise VenueError("BINDING_ERROR", "Sec-WebSocket-Version is not 13", status=426)
    if "sbeSchemaId" in query or "sbeSchemaVersion" in query:
        raise VenueError("INVALID_REQUEST_PARAMETER", "unsupported sbeSchemaId or sbeSchemaVersion")
    key = headers.get(b"sec-websocket-key", b"")
    try:
        nonce = base64.b64decode(key, validate=True)
    except binascii.Error as error:
        raise VenueError("BINDING_ERROR", "Sec-WebSocket-Key is not base64") from error
    if len(nonce) != _KEY_BYTES:
        raise VenueError("BINDING_ERROR", "Sec-WebSocket-Key is not 16 bytes")
    return (
        b"GET /v1 HTTP/1.1\r\nHost: exchange\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: " + key + b"\r\n\r\n"
    )
