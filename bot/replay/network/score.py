"""A recorded session, sorted for somebody who plays its venue: what was answered, what came unasked, and when."""

from collections import defaultdict, deque
from collections.abc import Mapping
from typing import Any

import attrs
import msgspec

from bot.core.tape import Kind, restored
from bot.exchange.errors import UNREADABLE
from bot.exchange.transport.http import split_target
from bot.journal.reader import Recording
from bot.journal.record import Record
from bot.replay.errors import UnusableRecordingError

Key = tuple[str, tuple[str, ...], tuple[tuple[str, str], ...], str]
"""What makes two requests the same question: method, path without ``/v1``, query, and the client id in the body."""

Call = tuple[int, int | str]
"""A request over a WebSocket: the generation, and the id in it."""

ORDERS = ("orders",)

FINAL = "CLOSED"
RANKS = {"NEW": 0, "OPEN": 1, "UNTRIGGERED": 1, FINAL: 2}
"""An order never goes back: a report of a lower rank is an old one."""


def key_of(method: str, segments: tuple[str, ...], query: Mapping[str, str], body: str | bytes) -> Key:
    """The key of a request. Whose key logs in does not matter: the recorded one is not there to log in again."""
    if segments[:1] == ("auth",):
        segments = segments[:1]
    client_id = decoded(body).get("client_id") if (method, segments) == ("POST", ORDERS) else None
    return method, segments, tuple(sorted(query.items())), client_id if isinstance(client_id, str) else ""


def key_of_record(asked: Record) -> Key:
    """The key of an ``http>`` record."""
    segments, query = split_target(asked.data["path"])
    return key_of(asked.data["method"], segments, query, asked.data.get("body", ""))


def decoded(text: object) -> dict[str, Any]:
    """The JSON object that ``text`` holds; an empty one where it holds none."""
    try:
        value = msgspec.json.decode(text) if isinstance(text, str | bytes) else None
    except UNREADABLE:
        value = None
    return value if isinstance(value, dict) else {}


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
    def failure(self) -> str:
        """Which it was of the three, or ``cancelled``; empty where there is an answer, or no end."""
        return "" if self.ended is None or self.is_answered else str(self.ended.data["failure"])

    @property
    def took_ns(self) -> int:
        return 0 if self.ended is None else self.ended.ns - self.asked.ns


@attrs.frozen(eq=False)
class Turn:
    """A state that an order came to, as the recording tells it: in a frame, or in an answer."""

    record: Record
    """Whose number and time these are."""

    report: dict[str, Any]
    channel: str = ""
    """Of the frame; empty for an answer."""

    needs_cancel: bool = False
    """The order ended because somebody had it cancelled."""

    @property
    def is_frame(self) -> bool:
        return bool(self.channel)


@attrs.define(eq=False)
class Part:
    """One order's part in the session. ``order`` is our client id; of somebody else's order the venue's id."""

    order: str
    posted: Record | None = None
    """The request that brought it; None for an order that the recording does not bring."""

    cancelled: Record | None = None
    """The first request for its cancel."""

    missed: Record | None = None
    """The first list of open orders that it should be in and is not."""

    turns: list[Turn] = attrs.field(factory=list)


@attrs.frozen(eq=False)
class Score:
    """All of it. Made by `read_score`."""

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
    started_ns: int
    """When the bot did something for the first time."""

    end_ns: int
    usual_ns: int
    """How long an answer took, mostly."""

    timers: Mapping[tuple[str, str], deque[int]]
    """The numbers of the records of timers that elapsed, by purpose and subject, to be taken from."""

    def was_taken(self, part: Part) -> bool:
        """Whether the venue took the order, says the recording."""
        exchanges = self.exchanges.get(("POST", ORDERS, (), part.order), ())
        return bool(part.turns) or any(exchange.is_success for exchange in exchanges)

    def named(self, segments: tuple[str, ...]) -> Part | None:
        """The order that the path of a cancel names."""
        match segments:
            case "orders", "by_client_id", client_id:
                return self.parts.get(client_id)
            case "orders", venue_id:
                return self.by_venue_id.get(venue_id)
        return None


def read_score(recording: Recording) -> Score:
    """Sort a recording.

    Raises:
        UnusableRecordingError: it is empty, or its records are not what this program writes.
    """
    if not recording.records:
        raise UnusableRecordingError("the recording holds no record but its header")
    try:
        return _Reading(recording.records).score()
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise UnusableRecordingError(f"a record is not of the kind it says: {error!r}") from error


class _Reading:
    def __init__(self, records: list[Record]) -> None:
        self._records = records
        self._exchanges = self._pair()
        self._parts: dict[str, Part] = {}
        self._by_venue_id: dict[str, Part] = {}
        self._calls: dict[Call, Record] = {}
        self._replies: dict[Call, Record] = {}
        self._unasked: list[Record] = []

    def _pair(self) -> list[Exchange]:
        ended = {each.data["x"]: each for each in self._records if each.kind in {Kind.ANSWER, Kind.FAILURE}}
        return [
            Exchange(key_of_record(each), each, ended.get(each.data["x"]))
            for each in self._records
            if each.kind is Kind.REQUEST
        ]

    def score(self) -> Score:
        by_key: defaultdict[Key, deque[Exchange]] = defaultdict(deque)
        timers: defaultdict[tuple[str, str], deque[int]] = defaultdict(deque)
        for exchange in self._exchanges:
            by_key[exchange.key].append(exchange)
        took = sorted(each.took_ns for each in self._exchanges if each.is_answered)
        score = Score(
            exchanges=by_key,
            parts=self._parts,
            by_venue_id=self._by_venue_id,
            calls=self._calls,
            replies=self._replies,
            unasked=self._unasked,
            opened={each.generation: each for each in self._records if each.kind is Kind.SOCKET_OPEN},
            ended={each.generation: each for each in self._records if each.kind is Kind.SOCKET_END},
            stop=next((each for each in self._records if each.kind is Kind.STOP), self._records[-1]),
            hurry=next(filter(_is_hurry, self._records), None),
            started_ns=self._records[0].ns,
            end_ns=self._records[-1].ns,
            usual_ns=took[len(took) // 2] if took else 0,
            timers=timers,
        )
        self._read_orders()
        answered = {each.ended.number: each for each in self._exchanges if each.ended is not None}
        for each in self._records:
            match each.kind:
                case Kind.FRAME_OUT:
                    self._calls[each.generation, decoded(each.data).get("id", 0)] = each
                case Kind.FRAME_IN:
                    self._read_frame(each)
                case Kind.ANSWER:
                    self._read_answer(answered[each.number])
                case Kind.REQUEST if each.data["method"] == "DELETE":
                    part = score.named(key_of_record(each)[1])
                    if part is not None and part.cancelled is None:
                        part.cancelled = each
                case Kind.TIMER:
                    timers[each.data["purpose"], each.data["subject"]].append(each.number)
        return score

    def _read_orders(self) -> None:
        """Which orders the recording brings, before any report is read: an update may come before the answer."""
        for exchange in self._exchanges:
            client_id = exchange.key[3]
            if client_id and client_id not in self._parts:
                self._parts[client_id] = Part(client_id, posted=exchange.asked)

    def _read_frame(self, frame: Record) -> None:
        message = decoded(restored(frame.data))
        identifier = message.get("id")
        if isinstance(identifier, int | str) and ("result" in message or "error" in message):
            call = frame.generation, identifier
            if call in self._calls and call not in self._replies:
                self._replies[call] = frame
                return
        params = message.get("params")
        if isinstance(params, dict):
            channel, report = str(params.get("channel")), params.get("data")
            if not channel.startswith("orders.") or not isinstance(report, dict):
                report = {}
            if self._read_report(frame, report, channel):
                return
        self._unasked.append(frame)

    def _read_answer(self, exchange: Exchange) -> None:
        """What an answer says was so when the question came, or became so then."""
        assert exchange.ended is not None
        body = decoded(exchange.ended.data["body"]) if exchange.is_success else {}
        match exchange.key[:2]:
            case "POST", ("orders",):
                part = self._parts[exchange.key[3]]
                if body.get("client_id") == part.order:
                    self._name(part, body)
                    part.turns.insert(0, Turn(exchange.asked, body))
            case "GET", ("orders" | "orders-history",):
                results = body.get("results")
                reports = (
                    [each for each in results if isinstance(each, dict)] if isinstance(results, list) else []
                )
                if exchange.key[1] == ORDERS and exchange.is_success:
                    self._see_who_is_missing(exchange.asked, {str(each.get("client_id")) for each in reports})
                for report in reports:
                    self._read_report(exchange.asked, report)

    def _see_who_is_missing(self, asked: Record, listed: set[str]) -> None:
        """What is not among the open orders any more has ended, although it may be long before somebody says so."""
        for part in self._parts.values():
            if part.order in listed:
                part.missed = None
            elif part.missed is None and part.turns and part.turns[-1].record.ns < asked.ns:
                part.missed = asked

    def _read_report(self, record: Record, report: dict[str, Any], channel: str = "") -> bool:
        """Whether it could be told which order the report is about."""
        client_id, venue_id, status = (report.get(name) for name in ("client_id", "id", "status"))
        part = self._parts.get(client_id) if isinstance(client_id, str) else None
        if part is None and isinstance(venue_id, str):
            part = self._parts.setdefault(venue_id, Part(venue_id))
        if part is None:
            return False
        self._name(part, report)
        last = next((turn.report for turn in reversed(part.turns)), {})
        is_news = rank(report) > rank(last) or (
            status == last.get("status") and report.get("remaining_size") != last.get("remaining_size")
        )
        if channel or is_news:
            needs_cancel = (
                status == FINAL
                and part.cancelled is not None
                and report.get("cancel_reason") in {"USER_CANCELED", "", None}
                and not _is_filled(report)
            )
            if part.missed is not None and status == FINAL and not channel:
                record = part.missed
            part.turns.append(Turn(record, report, channel, needs_cancel))
        return True

    def _name(self, part: Part, report: dict[str, Any]) -> None:
        if isinstance(report.get("id"), str):
            self._by_venue_id.setdefault(report["id"], part)


def _is_hurry(record: Record) -> bool:
    return record.kind is Kind.COMMAND and bool(record.data.get("command") == "hurry")


def _is_filled(report: dict[str, Any]) -> bool:
    return (
        str(report.get("remaining_size", "")).strip("0.") == "" and report.get("remaining_size") is not None
    )
