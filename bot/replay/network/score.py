"""What a venue did in a recorded session, sorted for somebody who plays it: see `bot.replay.network.reading`."""

from collections import deque
from collections.abc import Mapping, Sequence
from typing import Any

import attrs
import msgspec

from bot.core.recovered import Recovered
from bot.core.tape import Kind
from bot.exchange.errors import UNREADABLE
from bot.exchange.transport.http import split_target
from bot.journal.record import Record

Key = tuple[str, tuple[str, ...], tuple[tuple[str, str], ...], str]
"""What makes two requests the same question: method, path without ``/v1``, query, and what the body is about."""

Call = tuple[int, int | str]
"""A request over a WebSocket: the generation, and the id in it."""

ORDERS = ("orders",)
BATCH = ("orders", "batch")

SINCE = "start_at"
"""From when on a list is asked for: that depends on how fast a machine was, and is the same question all the same."""

FINAL = "CLOSED"
RANKS = {"NEW": 0, "OPEN": 1, "UNTRIGGERED": 1, FINAL: 2}
"""An order never goes back: a report of a lower rank is an old one."""


def key_of(method: str, segments: tuple[str, ...], query: Mapping[str, str], body: str | bytes) -> Key:
    """The key of a request. Whose key logs in does not matter: the recorded one is not there to log in again."""
    if segments[:1] == ("auth",):
        segments = segments[:1]
    about: list[Any] = []
    match method, segments:
        case "POST", ("orders", *_):
            about = [terms.get("client_id") for terms in placed(segments, body)]
        case "PUT", ("orders", _):
            about = [decoded(body).get(name) for name in ("size", "price")]
        case "DELETE", ("orders", "batch"):
            about = named(body)
    asked = tuple(sorted((name, value) for name, value in query.items() if name != SINCE))
    return method, segments, asked, " ".join(map(str, about))


def placed(segments: tuple[str, ...], body: str | bytes) -> list[dict[str, Any]]:
    """The orders that a POST brings: one, or a batch."""
    return objects(_json(body) if segments == BATCH else [_json(body)] if segments == ORDERS else [])


def new_orders(effect: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The orders that a decision of the bot's places: none, one, or a batch."""
    match effect:
        case {"do": "place"}:
            return [dict(effect)]
        case {"do": "place batch", "orders": orders}:
            return objects(orders)
    return []


def named(body: str | bytes) -> list[str]:
    """The orders that a batch of cancels names, by the venue's ids and ours."""
    ids = [decoded(body).get(name) for name in ("order_ids", "client_order_ids")]
    return [each for several in ids if isinstance(several, list) for each in several if isinstance(each, str)]


def key_of_record(asked: Record) -> Key:
    """The key of an ``http>`` record."""
    segments, query = split_target(asked.data["path"])
    return key_of(asked.data["method"], segments, query, asked.data.get("body", ""))


def decoded(text: object) -> dict[str, Any]:
    """The JSON object that ``text`` holds; an empty one where it holds none."""
    value = _json(text)
    return value if isinstance(value, dict) else {}


def _json(text: object) -> Any:
    try:
        return msgspec.json.decode(text) if isinstance(text, str | bytes) else None
    except UNREADABLE:
        return None


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
    """A recorded request, and what came of it."""

    key: Key
    asked: Record
    ended: Record | None
    """``http<`` or ``http!``; None where the recording ends first."""

    @property
    def is_answered(self) -> bool:
        return self.ended is not None and self.ended.kind is Kind.ANSWER

    @property
    def is_success(self) -> bool:
        return self.is_answered and 200 <= self.ended.data["status"] < 300  # type: ignore[union-attr]

    @property
    def results(self) -> object:
        """What a list lists, if this asked for one and was told."""
        return decoded(self.ended.data["body"]).get("results") if self.ended and self.is_success else None

    @property
    def failure(self) -> str:
        """Which it was of the three, or ``cancelled``; empty where there is an answer, or no end."""
        return "" if self.ended is None or self.is_answered else str(self.ended.data["failure"])

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
"""The name of the first request for an order's cancel."""


def modification(number: int) -> str:
    """The name of an order's so manyth request for other terms."""
    return f"modify {number}"


@attrs.define(eq=False)
class Part:
    """One order's part in the session. ``order`` is our client id; of somebody else's order the venue's id."""

    order: str
    posted: Record | None = None
    """The request that brought it; None for an order that the recording does not bring."""

    terms: dict[str, Any] = attrs.field(factory=dict)
    """As that request says them."""

    asked: dict[str, Record] = attrs.field(factory=dict)
    """What was asked of the order later: `CANCEL`, or a `modification`."""

    missed: Record | None = None
    """The first list of open orders that it should be in and is not."""

    turns: list[Turn] = attrs.field(factory=list)

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
    calls: Mapping[Call, Record]
    """Requests over the WebSockets."""

    replies: Mapping[Call, Record]

    unasked: list[Record]
    """Frames that are neither replies nor reports of an order that can be told."""

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

    def was_taken(self, part: Part) -> bool:
        """Whether the venue took the order, says the recording."""
        exchanges = self.exchanges.get(("POST", ORDERS, (), part.order), ())
        return bool(part.turns) or any(exchange.is_success for exchange in exchanges)

    def named(self, name: str) -> Part | None:
        """The order that has this id, the venue's or ours."""
        return self.parts.get(name) or self.by_venue_id.get(name)
