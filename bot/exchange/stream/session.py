"""One WebSocket's conversation: who it speaks for, what it subscribed to, and what waits to be sent to it. No I/O."""

from collections.abc import Callable, Container
from typing import Any

import attrs
import trio

from bot.exchange.identity.tokens import Grant, TokenRefused, Tokens
from bot.exchange.limits import WS_UNREAD_MESSAGES
from bot.exchange.stamps import Stamps
from bot.exchange.stream.channels import check_channel
from bot.exchange.stream.rpc import (
    INVALID_BEARER,
    INVALID_REQUEST,
    MALFORMED_BEARER,
    METHOD_NOT_FOUND,
    Call,
    ChannelData,
    Outgoing,
    Reply,
    RpcError,
    id_of,
    read_call,
    read_message,
    read_text_param,
)


@attrs.frozen
class HangUp:
    """Why the exchange ends a socket; without a code there is no closing handshake, the connection just ends."""

    code: int | None
    reason: str


class Session:
    """The exchange's end of one socket.

    ``outbox`` is drained by the transport; ``hang_up`` tells the transport to end, once; ``subscribed`` is set
    while at least one subscription is held, ``unsubscribed`` while none is.
    """

    def __init__(
        self,
        node_id: str,
        tokens: Tokens,
        markets: Container[str],
        stamps: Stamps,
        may_trade: Callable[[int], bool],
    ) -> None:
        self._node_id = node_id
        self._tokens = tokens
        self._markets = markets
        self._stamps = stamps
        self._may_trade = may_trade
        self._outgoing, self.outbox = trio.open_memory_channel[Outgoing](WS_UNREAD_MESSAGES)
        self._subscriptions: dict[str, None] = {}
        self.grant: Grant | None = None
        self.ending: HangUp | None = None
        self.hung_up = trio.Event()
        self.subscribed = trio.Event()
        self.unsubscribed = trio.Event()
        self.unsubscribed.set()
        self._methods: dict[str, Callable[[Call], dict[str, Any]]] = {
            "auth": self._authenticate,
            "subscribe": self._subscribe,
            "unsubscribe": self._unsubscribe,
        }

    def is_subscribed(self, account: int, channel: str) -> bool:
        """Whether updates of this account's channel go here."""
        return self.grant is not None and self.grant.account == account and channel in self._subscriptions

    def handle(self, text: str, us_in: int) -> None:
        """Execute one message and put its answer into the outbox. Never raises for what a client sends."""
        identifier = None
        result: dict[str, Any] | None = None
        refused: RpcError | None = None
        try:
            message = read_message(text)
            identifier = id_of(message)
            result = self._execute(read_call(message))
        except RpcError as error:
            refused = error
        self.deliver(Reply(identifier, us_in, self._stamps.now_us(), result, refused))

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
        """Queue an update of a channel."""
        self.deliver(ChannelData(channel, data))

    def hang_up(self, code: int | None, reason: str) -> None:
        """End the socket, with a close frame or without. The first reason stays."""
        if self.ending is None:
            self.ending = HangUp(code, reason)
            self.hung_up.set()

    def _execute(self, call: Call) -> dict[str, Any]:
        method = self._methods.get(call.method)
        if method is None:
            raise RpcError(METHOD_NOT_FOUND, "method does not exist", call.method[:80])
        return method(call)

    def _authenticate(self, call: Call) -> dict[str, Any]:
        bearer = read_text_param(call, "bearer")
        try:
            grant = self._tokens.check(bearer)
        except TokenRefused as error:
            code = MALFORMED_BEARER if error.malformed else INVALID_BEARER
            raise RpcError(code, str(error)) from error
        if not self._may_trade(grant.account):
            raise RpcError(INVALID_BEARER, "invalid bearer token", "the account is not onboarded")
        if self.grant is not None and self.grant.account != grant.account:
            raise RpcError(INVALID_REQUEST, "invalid request", "the connection belongs to another account")
        self.grant = grant
        return {"node_id": self._node_id}

    def _subscribe(self, call: Call) -> dict[str, Any]:
        channel = read_text_param(call, "channel")
        check_channel(channel, self._markets, authenticated=self.grant is not None)
        if channel in self._subscriptions:
            raise RpcError(INVALID_REQUEST, "invalid subscribe request", f"already subscribed to {channel}")
        self._subscriptions[channel] = None
        if len(self._subscriptions) == 1:
            self.subscribed.set()
            self.unsubscribed = trio.Event()
        return {"channel": channel}

    def _unsubscribe(self, call: Call) -> dict[str, Any]:
        channel = read_text_param(call, "channel")
        if channel not in self._subscriptions:
            raise RpcError(
                INVALID_REQUEST, "invalid unsubscribe request", f"not subscribed to {channel[:80]}"
            )
        del self._subscriptions[channel]
        if not self._subscriptions:
            self.unsubscribed.set()
            self.subscribed = trio.Event()
        return {"channel": channel}
