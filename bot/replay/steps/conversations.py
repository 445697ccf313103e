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
    _due: Method | None = None
    """What leaves next of the opening; None if there is nothing, or a reply has to come first."""

    _last_id: int = 0
    _goodbye_id: int = 0
    _waiting_id: int = 0
    """Of the request that waits for a reply; 0 for none."""

    _sent: Method | None = None
    """The last of the opening."""

    _is_refused: bool = False
    _is_armed: bool = False

    @classmethod
    def begin(cls, markets: Sequence[str], *, cancel_on_disconnect: bool) -> "Conversation":
        conversation = cls(opening(HIDDEN, markets, cancel_on_disconnect=cancel_on_disconnect))
        conversation._go_on()
        return conversation

    @classmethod
    def ended(cls) -> "Conversation":
        """Nothing is said any more, and nothing was granted."""
        return cls(iter(()), is_refused=True)

    @property
    def is_complete(self) -> bool:
        """Everything was asked, and granted."""
        return self._due is None and not self._waiting_id and not self._is_refused

    @property
    def due(self) -> str | None:
        """The frame that leaves next; None if there is none, or a reply has to come first."""
        return None if self._due is None else rpc.request(self._last_id + 1, *self._due)

    def sent(self) -> None:
        """The frame that was due has left."""
        self._last_id += 1
        self._sent, self._due, self._waiting_id = self._due, None, self._last_id

    def ends_with(self, frame: str) -> bool:
        """Whether ``frame`` is the goodbye, which may come at any time once there is something to take back."""
        if not self._is_armed or frame != rpc.request(self._last_id + 1, *arming(enabled=False)):
            return False
        self._last_id += 1
        self._is_armed, self._goodbye_id = False, self._last_id  # nothing depends on its reply
        return True

    def goes_on_with(self, request_id: int) -> bool:
        """A call of an order has left under this id; False if that is not the next."""
        self._last_id += 1
        return request_id == self._last_id

    def replied(self, reply: rpc.Reply) -> bool:
        """Take a reply; False if nobody waits for it."""
        if reply.id == self._goodbye_id:
            return True
        if not self._waiting_id or reply.id != self._waiting_id:
            return False
        self._waiting_id = 0
        if reply.error is None:
            self._is_armed |= self._sent == arming(enabled=True)
            self._go_on()
        else:
            self._is_refused = True
        return True

    def _go_on(self) -> None:
        self._due = next(self._requests, None)
