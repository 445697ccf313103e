"""What the bot says on a WebSocket by itself, and the replies it waits for meanwhile."""

from collections.abc import Iterator, Sequence

import attrs

from bot.core.tape import HIDDEN
from bot.paradex import rpc
from bot.session.generation import opening


@attrs.define(eq=False)
class Conversation:
    """One generation's: its opening, request by request, each after the reply to the one before."""

    _requests: Iterator[tuple[int, tuple[str, dict[str, str]]]]
    due: str | None = None
    """The frame that leaves next; None if there is none, or a reply has to come first."""

    _next_id: int = 0
    _waiting: int | None = None
    _is_refused: bool = False

    @classmethod
    def begin(cls, markets: Sequence[str]) -> "Conversation":
        conversation = cls(enumerate(opening(HIDDEN, markets), 1))
        conversation._go_on()
        return conversation

    @classmethod
    def ended(cls) -> "Conversation":
        """Nothing is said any more, and nothing was granted."""
        return cls(iter(()), is_refused=True)

    @property
    def is_complete(self) -> bool:
        """Everything was asked, and granted."""
        return self.due is None and self._waiting is None and not self._is_refused

    def sent(self) -> None:
        """The frame that was due has left."""
        self.due, self._waiting = None, self._next_id

    def replied(self, reply: rpc.Reply) -> bool:
        """Take a reply; False if nobody waits for it."""
        if self._waiting is None or reply.id != self._waiting:
            return False
        self._waiting = None
        if reply.error is None:
            self._go_on()
        else:
            self._is_refused = True
        return True

    def _go_on(self) -> None:
        following = next(self._requests, None)
        if following is not None:
            self._next_id, (method, params) = following
            self.due = rpc.request(self._next_id, method, params)
