"""WebSocket transport: upgrade, pings, closing. The room's only importer of trio-websocket."""

from contextlib import suppress
from functools import partial

import h11
import trio
from trio_websocket import ConnectionClosed, WebSocketConnection, wrap_server_stream
from wsproto.utilities import LocalProtocolError

from bot.exchange.errors import VenueError
from bot.exchange.exchange import Exchange
from bot.exchange.faults.ask import call_name
from bot.exchange.faults.faults import kind_of
from bot.exchange.faults.requests import RequestFault
from bot.exchange.faults.witness import Seen
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
from bot.exchange.stream.frames import Mishap, Reply
from bot.exchange.stream.handling import CallHandling, note_handled, read_call_ask
from bot.exchange.stream.session import Handled, Session
from bot.exchange.transport.http import HttpConnection, refusal
from bot.exchange.transport.rewound import CLOSE_FRAME, Rewound
from bot.exchange.transport.upgrade import read_upgrade

ABNORMAL = 1006
TOO_BIG = 1009
UNREADABLE = frozenset({1002, 1007})
"""The library's codes for frames against the protocol, and for text that is not UTF-8."""

UNSUPPORTED_DATA = 1003
NO_SUBSCRIPTION = 4031


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
                upgrade = read_upgrade(head)
            except (VenueError, h11.RemoteProtocolError) as error:
                self._exchange.counters.requests["refused upgrade"] += 1
                refused = error if isinstance(error, VenueError) else VenueError("BINDING_ERROR", str(error))
                with trio.move_on_after(HTTP_CLOSE):
                    await http.answer_last(refusal(refused))
        if upgrade is not None:
            await self._converse(Rewound(stream, upgrade, http.unread()), peer)

    async def _converse(self, stream: Rewound, peer: str) -> None:
        session = self._exchange.open_session(peer)
        socket: WebSocketConnection | None = None
        try:
            async with trio.open_nursery() as nursery:
                request = await wrap_server_stream(nursery, stream, WS_INBOX, WS_LARGEST_MESSAGE)
                socket = await request.accept()
                stream.last_words = partial(_last_words, socket)
                stream.accepted.set()
                nursery.start_soon(_write, stream, socket, session)
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
            elif session.ending is not None:
                pass
            elif self._exchange.is_watched:
                await self._handle_watched(session, message, started)
            else:
                if self._processing:
                    await trio.sleep(self._processing)
                if await _may_answer(session):
                    handled = session.handle(message, received_ns)
                    self._exchange.counters.requests[call_name(handled.method)] += 1
                    self._exchange.request_log.call(handled.method, handled.code, _account(session), started)

    async def _handle_watched(self, session: Session, text: str, started: int) -> None:
        """The same, where something may be wrong with it on purpose, or somebody keeps a record of it."""
        exchange = self._exchange
        ask = read_call_ask(text, session.methods, exchange.ledger)
        fault = exchange.faults.strike_request(ask)
        seen = Seen(ask, exchange.stamps.now_ms(), None if fault is None else kind_of(fault))
        exchange.witness.note(seen)
        code: int | None = None

        def execute(received_ns: int) -> Handled:
            nonlocal code
            handled = session.execute(text, received_ns)
            exchange.counters.requests[ask.name] += 1
            seen.account, code = _account(session), handled.code
            note_handled(seen, handled, received_ns)
            return handled

        def serve(received_ns: int) -> Handled | None:
            is_alive = session in exchange.feeds.sessions
            return execute(received_ns) if is_alive or ask.is_about("order-writes") else None

        async def undergo(  # noqa: ASYNC128 - the handling calls started()
            fault: RequestFault, task_status: trio.TaskStatus[None]
        ) -> None:
            handling = CallHandling(
                text=text,
                serve=serve,
                processing=self._processing,
                stamps=exchange.stamps,
                agenda=exchange.faults.agenda,
                task_status=task_status,
            )
            said = await fault.play(handling)
            session.deliver(said)
            end(said.told)
            if handling.then is not None:
                handling.then()
            handling.step_aside()

        def end(told: int | None) -> None:
            if told is not None and session.ending is None:
                seen.answered, seen.answered_ms = told, exchange.stamps.now_ms()
            exchange.request_log.call(ask.method, code, _account(session), started, seen.fault)

        if fault is not None:
            await exchange.faults.begin(partial(undergo, fault))
            return
        received_ns = exchange.stamps.now_ns()
        if self._processing:
            await trio.sleep(self._processing)
        if await _may_answer(session):
            handled = execute(received_ns)
            session.answer(handled)
            end(seen.status)


def _account(session: Session) -> int | None:
    return None if session.speaker is None else session.speaker.account.address


async def _may_answer(session: Session) -> bool:
    """Wait until not too many answers are on their way; a client that takes none meanwhile does not read."""
    with trio.move_on_after(WS_ANSWER_WITHIN):
        await session.answers.acquire()
        return True
    session.hang_up(None, "answers are left unread")
    return False


async def _write(stream: Rewound, socket: WebSocketConnection, session: Session) -> None:
    async for item in session.outbox:
        # Once the socket is closed what is left goes nowhere, and still leaves, so that reading comes to its end.
        with suppress(ConnectionClosed):
            if isinstance(item, Mishap):
                stream.part = item.part
                for frame in item.frames:
                    await socket.send_message(frame)
            else:
                await socket.send_message(encode(item))
        if isinstance(item, Reply):
            session.answers.release()
        elif isinstance(item, Mishap) and item.then is not None:
            session.hang_up(item.then.code, item.then.reason)
            return


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
    return CLOSE_FRAME + code.to_bytes(2) if code in UNREADABLE else b""
