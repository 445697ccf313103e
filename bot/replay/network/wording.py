"""How the venue says what it did: in an answer to a request, or in a reply to a call."""

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

import msgspec

from bot.exchange.errors import VenueError
from bot.exchange.matching.desk import QUEUED
from bot.exchange.stream.rpc import REFUSED
from bot.exchange.transport.http import Answer, json_answer, refusal
from bot.replay.network.question import Question
from bot.replay.network.score import decoded

Said = Answer | str | bytes
"""An answer, or the frame of a reply."""

END = "\n"
"""Text frames of the venue end in a newline (protocol reference 4.1)."""


class Wording(Protocol):
    """One way of saying it."""

    def cancelled(self, venue_id: object) -> Said:
        """The cancel of an order is queued."""
        ...

    def several_cancelled(self, results: Sequence[Mapping[str, object]]) -> Said:
        """What became of each cancel of a batch."""
        ...

    def refused(self, error: VenueError) -> Said: ...


class OverRest:
    """A `Wording` (protocol reference 3.1, 3.7)."""

    def cancelled(self, venue_id: object) -> Said:  # noqa: ARG002 - REST says no more than its status
        return Answer(204)

    def several_cancelled(self, results: Sequence[Mapping[str, object]]) -> Said:
        return json_answer({"results": results})

    def refused(self, error: VenueError) -> Said:
        return refusal(error)


class OverWebSocket:
    """A `Wording` (protocol reference 4.2, 5.2). Its frames have no id yet: see `under_id`."""

    def cancelled(self, venue_id: object) -> Said:
        return _frame(result={"order_id": venue_id, "status": QUEUED})

    def several_cancelled(self, results: Sequence[Mapping[str, object]]) -> Said:
        known = ("id", "market", "status")
        return _frame(
            result={"results": [{name: each[name] for name in known if name in each} for each in results]}
        )

    def refused(self, error: VenueError) -> Said:
        return _frame(error={"code": REFUSED, "message": error.message, "data": error.code})


def wording_of(question: Question) -> Wording:
    """That of the way by which it was asked."""
    return OverWebSocket() if question.is_call else OverRest()


def under_id(frame: str | bytes, identifier: object) -> str | bytes:
    """A reply to the call that has this id; as it is, if it has it already."""
    message = decoded(frame)
    if message.get("id") == identifier:
        return frame
    return msgspec.json.encode(message | {"id": identifier}).decode() + END


def _frame(**said: Any) -> str:
    return msgspec.json.encode({"jsonrpc": "2.0", "id": None, **said}).decode()
