"""What the bot says on a WebSocket by itself, and the replies it waits for meanwhile."""

from collections.abc import Iterator, Sequence

import attrs

from bot.core.tape import HIDDEN
from bot.paradex import rpc
from bot.session.generation import Method, arming, opening


@attrs.define(eq=False)
class Conversation:
    """One generation's: its opening, request by request, each after the reply to the one before; and its goodbye."""

    _requests: Iterator[Method]
    _goodbye: Method | None = None
    _due: Method | None = None
    """What leaves next of the opening; None if there is nothing, or a reply has to come first."""

    _last_id: int = 0
    _goodbye_id: int = 0
    _is_waiting: bool = False
    _is_refused: bool = False

    @classmethod
    def begin(cls, markets: Sequence[str], *, cancel_on_disconnect: bool) -> "Conversation":
        conversation = cls(
            opening(HIDDEN, markets, cancel_on_disconnect=cancel_on_disconnect),
            arming(enabled=False) if cancel_on_disconnect else None,
        )
        conversation._go_on()
        return conversation

    @classmethod
    def ended(cls) -> "Conversation":
        """Nothing is said any more, and nothing was granted."""
        return cls(iter(()), is_refused=True)

    @property
    def is_complete(self) -> bool:
        """Everything was asked, and granted."""
        return self._due is None and not self._is_waiting and not self._is_refused

    @property
    def due(self) -> str | None:
        """The frame that leaves next; None if there is none, or a reply has to come first."""
        method = self._goodbye if self.is_complete else self._due
        return None if method is None else rpc.request(self._last_id + 1, *method)

    def sent(self) -> None:
        """The frame that was due has left."""
        self._last_id += 1
        if self.is_complete:
            self._goodbye, self._goodbye_id = None, self._last_id  # nothing depends on its reply
        else:
            self._due, self._is_waiting = None, True

    def goes_on_with(self, request_id: int) -> bool:
        """A call of an order has left under this id; False if that is not the next."""
        self._last_id += 1
        return request_id == self._last_id

    def replied(self, reply: rpc.Reply) -> bool:
        """Take a reply; False if nobody waits for it."""
        if reply.id == self._goodbye_id:
            return True
        if not self._is_waiting or reply.id != self._last_id:
            return False
        self._is_waiting = False
        if reply.error is None:
            self._go_on()
        else:
            self._is_refused = True
        return True

    def _go_on(self) -> None:
        self._due = next(self._requests, None)
