"""What a venue did in a recorded session, sorted for somebody who plays it: see `bot.replay.network.reading`."""

from collections import deque
from collections.abc import Mapping, Sequence
from typing import Any

import attrs

from bot.core.errors import RefusedError
from bot.core.recovered import Recovered
from bot.core.tape import Kind, restored
from bot.journal import sent
from bot.journal.record import Record
from bot.paradex import outcome
from bot.replay.network.question import Key, Question

FINAL = "CLOSED"
RANKS = {"NEW": 0, "OPEN": 1, "UNTRIGGERED": 1, FINAL: 2}
"""An order never goes back: a report of a lower rank is an old one."""


def new_orders(effect: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The orders that a decision of the bot's places: none, one, or a batch."""
    match effect:
        case {"do": "place"}:
            return [dict(effect)]
        case {"do": "place batch", "orders": orders}:
            return objects(orders)
    return []


def decoded(text: object) -> dict[str, Any]:
    """The JSON object that ``text`` holds; an empty one where it holds none."""
    return as_object(sent.decoded(text))


def as_object(value: object) -> dict[str, Any]:
    """A JSON object; an empty one in place of anything else."""
    return value if isinstance(value, dict) else {}


def objects(values: object) -> list[dict[str, Any]]:
    """Those of ``values`` that are JSON objects."""
    return [each for each in values if isinstance(each, dict)] if isinstance(values, list) else []


def rank(report: Mapping[str, Any]) -> int:
    """How far an order is that is reported so; -1 for what nobody here can tell."""
    status = report.get("status")
    return RANKS.get(status, -1) if isinstance(status, str) else -1


def seconds(ns: int) -> float:
    return ns / 1e9


@attrs.frozen(eq=False)
class Exchange:
    """A recorded request or call, and what came of it."""

    question: Question
    asked: Record
    ended: Record | None
    """The answer, or the failure; of a call that got neither the end of its WebSocket. None where the recording ends
    first."""

    repeats: Sequence[Record] = ()
    """The reply to a call once more, and again."""

    @property
    def key(self) -> Key:
        return self.question.key

    @property
    def is_answered(self) -> bool:
        return self.ended is not None and self.ended.kind in {Kind.ANSWER, Kind.FRAME_IN}

    @property
    def said(self) -> dict[str, Any]:
        """The body of the answer, or the frame of the reply; empty for none that is an object."""
        if self.ended is None or not self.is_answered:
            return {}
        data = self.ended.data if self.question.is_call else self.ended.data["body"]
        return decoded(restored(data))

    @property
    def is_success(self) -> bool:
        if self.ended is None or not self.is_answered:
            return False
        if self.question.is_call:
            return self.said.get("error") is None
        status: int = self.ended.data["status"]
        return 200 <= status < 300

    @property
    def result(self) -> dict[str, Any]:
        """What a success says; empty for anything else."""
        if not self.is_success:
            return {}
        return as_object(self.said.get("result")) if self.question.is_call else self.said

    @property
    def is_refused(self) -> bool:
        """The venue said no, and has nothing of it."""
        if self.ended is None or not self.is_answered or self.is_success:
            return False
        error = self.said.get("error")
        if self.question.is_call:
            said = as_object(error)
            end = outcome.of_reply(said.get("code", 0), str(said.get("message", "")), said.get("data"))
        else:
            end = outcome.of_answer(self.ended.data["status"], error if isinstance(error, str) else "", "")
        return isinstance(end, RefusedError)

    @property
    def failure(self) -> str:
        """Which it was of the three, or ``cancelled``; empty where there is an answer, or nothing is said."""
        if self.ended is None or self.ended.kind is not Kind.FAILURE:
            return ""
        return str(self.ended.data["failure"])

    @property
    def took_ns(self) -> int:
        return 0 if self.ended is None else self.ended.ns - self.asked.ns


@attrs.frozen(eq=False)
class Turn:
    """What happened to an order, as the recording tells it in a frame or in an answer: a state, or a fill."""

    record: Record
    """Whose number and time these are."""

    report: dict[str, Any] = attrs.field(factory=dict)
    """The state that it came to; nothing for a fill."""

    fill: dict[str, Any] | None = None
    channel: str = ""
    """Of the frame; empty for an answer."""

    needs: str = ""
    """Which request brought it about, by its name in `Part.asked`; empty: the order's own."""

    @property
    def is_frame(self) -> bool:
        return bool(self.channel)


CANCEL = "cancel"
"""The name of the first question for an order's cancel."""


def modification(number: int) -> str:
    """The name of an order's so manyth request for other terms."""
    return f"modify {number}"


@attrs.define(eq=False)
class Part:
    """One order's part in the session. ``order`` is our client id; of somebody else's order the venue's id."""

    order: str
    posted: Exchange | None = None
    """What brought it; None for an order that the recording does not bring."""

    terms: Mapping[str, Any] = attrs.field(factory=dict)
    """As that says them."""

    asked: dict[str, Record] = attrs.field(factory=dict)
    """What was asked of the order later: `CANCEL`, or a `modification`."""

    missed: Record | None = None
    """The first list of open orders that it should be in and is not."""

    turns: list[Turn] = attrs.field(factory=list)

    @property
    def was_taken(self) -> bool:
        """Whether the venue took the order, says the recording."""
        posted = self.posted
        return bool(self.turns) or (posted is not None and posted.is_success and not posted.question.is_batch)

    @property
    def last_report(self) -> dict[str, Any]:
        return next((turn.report for turn in reversed(self.turns) if turn.report), {})


@attrs.frozen(eq=False)
class Score:
    """All of it."""

    exchanges: Mapping[Key, deque[Exchange]]
    """In recorded order, to be taken from."""

    parts: Mapping[str, Part]
    """By order, as `Part.order`."""

    by_venue_id: Mapping[str, Part]
    unasked: list[Record]
    """Frames that are neither replies to what was asked nor reports of an order that can be told."""

    opened: Mapping[int, Record]
    ended: Mapping[int, Record]
    """How the WebSocket of each generation began (if it did) and ended (if that was recorded)."""

    stop: Record
    """The stop; the last record, where the recording ends without one."""

    hurry: Record | None
    kill_switch: Record | None
    """Somebody pulled it; None where nobody did, or the bot itself by a limit of its own."""

    started_ns: int
    """When the bot did something for the first time."""

    end_ns: int
    usual_ns: int
    """How long an answer took, mostly."""

    timers: Mapping[tuple[str, str], deque[int]]
    """The numbers of the records of timers that elapsed, by purpose and subject, to be taken from."""

    recovered: Recovered
    """What earlier runs had left."""

    positions: Sequence[Exchange]
    """Those that asked for positions and were told, in recorded order."""

    states: Sequence[Exchange]
    """The same of the platform's mode."""

    def named(self, name: str) -> Part | None:
        """The order that has this id, the venue's or ours."""
        return self.parts.get(name) or self.by_venue_id.get(name)
