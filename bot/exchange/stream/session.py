"""One WebSocket's conversation: who it speaks for, what it subscribed to, and what waits to be sent to it. No I/O."""

from collections.abc import Callable, Mapping
from typing import Any

import attrs
import trio
from loguru import logger

from bot.exchange.identity.accounts import Account
from bot.exchange.identity.tokens import Grant
from bot.exchange.limits import WS_UNREAD_MESSAGES, WS_UNSENT_ANSWERS
from bot.exchange.stamps import Stamps
from bot.exchange.stream.frames import ChannelData, HangUp, Outgoing, Payload, Reply
from bot.exchange.stream.rpc import (
    INTERNAL_ERROR,
    METHOD_NOT_FOUND,
    Call,
    RpcError,
    id_of,
    read_call,
    read_message,
)
from bot.exchange.stream.topics import Topic


@attrs.frozen
class Done:
    """What a call came to; ``then`` is run once its reply is on its way."""

    result: dict[str, Any]
    then: Callable[[], None] | None = None


@attrs.frozen
class Handled:
    """What was called, by the name of a method that there is or ``unknown``, and what it came to.

    ``then`` is to be run once the reply is on its way.
    """

    method: str
    reply: Reply
    then: Callable[[], None] | None

    @property
    def code(self) -> int | None:
        """That of the error, if it is one."""
        return None if self.reply.error is None else self.reply.error.code


@attrs.define
class Subscription:
    """A channel under its name, and what it hears of. ``scoped``: its markets may be changed in place."""

    name: str
    topics: dict[Topic, None]
    scoped: bool = False


@attrs.frozen
class Speaker:
    """Who a socket speaks for, and by what right."""

    account: Account
    grant: Grant


UNKNOWN = "unknown"
"""The name of every method that there is not."""

Method = Callable[["Session", Call], Done]
"""What a method does for a socket. Raises `RpcError` to refuse."""


class Session:
    """The exchange's end of one socket of a client at ``ip``.

    ``outbox`` is drained by the transport, which takes from ``answers`` before it has a message handled, and gives
    back once the answer has left; ``hang_up`` tells the transport to end, once; ``subscribed`` is set while at least
    one subscription is held, ``unsubscribed`` while none is.
    """

    def __init__(self, node_id: str, ip: str, methods: Mapping[str, Method], stamps: Stamps) -> None:
        self.node_id = node_id
        self.ip = ip
        self.methods = methods
        self._stamps = stamps
        self._outgoing, self.outbox = trio.open_memory_channel[Outgoing](WS_UNREAD_MESSAGES)
        self.answers = trio.Semaphore(WS_UNSENT_ANSWERS)
        self.speaker: Speaker | None = None
        self.subscriptions: dict[str, Subscription] = {}
        self.ending: HangUp | None = None
        self.hung_up = trio.Event()
        self.subscribed = trio.Event()
        self.unsubscribed = trio.Event()
        self.unsubscribed.set()

    def handle(self, text: str, received_ns: int) -> Handled:
        """Execute one message and put its answer into the outbox. Never raises for what a client sends."""
        handled = self.execute(text, received_ns)
        self.answer(handled)
        return handled

    def answer(self, handled: Handled) -> None:
        """Queue the answer to a message that was executed."""
        self.deliver(handled.reply)
        if handled.then is not None:
            handled.then()

    def execute(self, text: str, received_ns: int) -> Handled:
        """Do what one message says. Never raises for what a client sends."""
        identifier = None
        method = UNKNOWN
        done: Done | None = None
        refused: RpcError | None = None
        try:
            message = read_message(text)
            identifier = id_of(message)
            call = read_call(message, received_ns)
            execute = self._find(call.method)
            method = call.method
            done = execute(self, call)
        except RpcError as error:
            refused = error
        except Exception as error:  # noqa: BLE001 - one faulty method must not end everybody's exchange
            logger.opt(exception=error).error("{} failed", method)
            refused = RpcError(INTERNAL_ERROR, "internal error")
        result = None if done is None else done.result
        reply = Reply(identifier, received_ns // 1000, self._stamps.now_us(), result, refused)
        return Handled(method, reply, None if done is None else done.then)

    def deliver(self, item: Outgoing) -> None:
        """Queue something for the client; one that does not read is hung up on."""
        if self.ending is not None:
            return
        try:
            self._outgoing.send_nowait(item)
        except trio.WouldBlock:
            self.hang_up(None, f"more than {WS_UNREAD_MESSAGES} unread messages")
        except trio.BrokenResourceError:
            self.hang_up(None, "the connection is gone")

    def publish(self, channel: str, data: dict[str, Any]) -> None:
        """Queue an update that only this socket is to see."""
        self.deliver(ChannelData(channel, Payload(data)))

    def hang_up(self, code: int | None, reason: str) -> None:
        """End the socket, with a close frame or without. The first reason stays."""
        if self.ending is None:
            self.ending = HangUp(code, reason)
            self.hung_up.set()

    def hold(self, subscription: Subscription) -> None:
        """Note a subscription."""
        self.subscriptions[subscription.name] = subscription
        if len(self.subscriptions) == 1:
            self.subscribed.set()
            self.unsubscribed = trio.Event()

    def drop(self, name: str) -> None:
        """Give up a subscription that is held."""
        del self.subscriptions[name]
        if not self.subscriptions:
            self.unsubscribed.set()
            self.subscribed = trio.Event()

    def _find(self, name: str) -> Method:
        method = self.methods.get(name)
        if method is None:
            raise RpcError(METHOD_NOT_FOUND, "method does not exist", name[:80])
        return method
