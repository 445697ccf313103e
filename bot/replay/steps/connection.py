"""The WebSocket side of a replay: sockets that open and end, frames, and the sessions that come of them."""

from collections.abc import Callable
from contextlib import ExitStack
from types import TracebackType
from typing import Self

import attrs

from bot.core.tape import Kind, restored
from bot.journal.record import Record
from bot.paradex import rpc
from bot.replay.steps import shapes
from bot.replay.steps.comparison import ComparingTape
from bot.replay.steps.conversations import Conversation
from bot.replay.steps.errands import Exchange
from bot.replay.steps.shapes import shaped, unusable
from bot.replay.steps.traffic import Traffic
from bot.session.capabilities import open_session
from bot.session.generation import hear
from bot.session.inbox import Item, SessionLost, SessionOpened
from bot.trading.executor import OrdersSettings


@attrs.define(eq=False, kw_only=True)
class Connection:
    """Handles the records of it, one by one. A session that is open when its block is left ends there."""

    settings: OrdersSettings
    tape: ComparingTape
    traffic: Traffic
    misfit: Callable[[Record, str], None]
    tell: Callable[[Item], None]
    """What the order manager is told of."""

    frames: int = 0
    """How many there were, in and out."""

    has_snapshot: bool = False
    """The order manager got a snapshot since the WebSocket opened."""

    _session: int = attrs.field(default=0, init=False)
    """The generation that is ready; 0 for none."""

    _session_scope: ExitStack = attrs.field(factory=ExitStack, init=False)
    _conversations: dict[int, Conversation] = attrs.field(factory=dict, init=False)
    _calls: dict[tuple[int, int | str], Exchange] = attrs.field(factory=dict, init=False)
    """Calls over the WebSockets, by generation and id."""

    _open: set[int] = attrs.field(factory=set, init=False)
    """The generations whose WebSocket opened and has not ended."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        _type: type[BaseException] | None,
        _error: BaseException | None,
        _traceback: TracebackType | None,
    ) -> None:
        self._session_scope.close()

    @property
    def is_up(self) -> bool:
        """A WebSocket is open, or a session ready."""
        return bool(self._open or self._session)

    def socket_open(self, record: Record) -> None:
        if record.generation <= max(self._conversations, default=0):
            self.misfit(record, "a WebSocket opens under a number that was used")
        if self._open:
            self.misfit(record, "a WebSocket opens while another is open")
        self._open = {record.generation}
        self._conversations[record.generation] = Conversation.begin(
            self.settings.markets, cancel_on_disconnect=self.settings.cancel_on_disconnect
        )
        self.has_snapshot = False

    def socket_end(self, record: Record) -> None:
        shaped(record, shapes.SocketEnd)
        self._open.discard(record.generation)
        self._conversations[record.generation] = Conversation.ended()

    def frame_out(self, record: Record) -> None:
        self.frames += 1
        conversation = self._conversations.get(record.generation)
        if conversation is not None and conversation.is_complete and isinstance(record.data, dict):
            self._call(record, conversation)
            return
        if conversation is not None and conversation.ends_with(record.data):
            return
        due = None if conversation is None else conversation.due
        if conversation is None or due is None:
            self.misfit(record, "a frame that the bot does not send at this point")
            return
        self.tape.compare(Kind.FRAME_OUT, due, generation=record.generation)
        conversation.sent()

    def _call(self, record: Record, conversation: Conversation) -> None:
        called = self.traffic.call(record)
        if called is None:
            return
        request_id, exchange = called
        if not conversation.goes_on_with(request_id):
            self.misfit(record, "a call under an id that was used, or passed over")
        self._calls[record.generation, request_id] = exchange

    def frame_in(self, record: Record) -> None:
        self.frames += 1
        conversation = self._conversations.get(record.generation)
        if conversation is None:
            self.misfit(record, "a frame of a WebSocket that was never opened")
            return
        try:
            data = restored(record.data)
        except ValueError as error:
            raise unusable(record, error) from error
        try:
            message = rpc.read(data)
        except rpc.UnreadableFrameError:  # it was set aside then, too: else something would follow from it
            return

        def replied(reply: rpc.Reply, ns: int) -> bool:
            exchange = self._calls.pop((record.generation, reply.id), None)
            return (
                conversation.replied(reply) if exchange is None else self.traffic.reply(exchange, reply, ns)
            )

        hear(message, record.ns, record.generation, replied, self.tell)

    def generation(self, record: Record) -> None:
        generation = record.generation
        if shaped(record, shapes.Generation).session == "ready":
            conversation = self._conversations.get(generation)
            is_subscribed = conversation is not None and conversation.is_complete
            if not is_subscribed or not self.has_snapshot or self._session:
                self.misfit(record, "a session that cannot be ready")
                return
            self._session = generation
            self.tell(SessionOpened(self._session_scope.enter_context(open_session(generation))))
        elif generation != self._session:
            self.misfit(record, "a session is lost that was not ready")
        else:
            self._session = 0
            self.tell(SessionLost(generation))
            self._session_scope.close()
