"""Reads a recorded session for somebody who plays its venue: what was answered, what came unasked, and when."""

from collections import defaultdict, deque
from typing import Any

from bot.core.fixed import parse
from bot.core.order import State
from bot.core.recovered import Recovered, retold
from bot.core.tape import Kind, restored
from bot.journal.reader import Recording
from bot.journal.record import Record
from bot.replay.errors import UnusableRecordingError
from bot.replay.network.pairing import pair
from bot.replay.network.question import Does, Key
from bot.replay.network.score import (
    CANCEL,
    FINAL,
    Exchange,
    Part,
    Score,
    Turn,
    decoded,
    modification,
    objects,
    rank,
)
from bot.replay.network.shapes import check_shapes

PULL = "pull the kill switch"
"""What an effect is called that does."""


def read_score(recording: Recording) -> Score:
    """Sort a recording.

    Raises:
        UnusableRecordingError: it is empty, or its records are not what this program writes.
    """
    if not recording.records:
        raise UnusableRecordingError("the recording holds no record but its header")
    check_shapes(recording.records)
    try:
        return _Reading(recording.records).score()
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise UnusableRecordingError(f"a record is not of the kind it says: {error!r}") from error


class _Reading:
    def __init__(self, records: list[Record]) -> None:
        self._records = records
        self._exchanges = pair(records)
        self._parts: dict[str, Part] = {}
        self._by_venue_id: dict[str, Part] = {}
        self._unasked: list[Record] = []
        self._takeover = next((each for each in records if each.kind is Kind.RECOVERED), None)
        self._counted: set[tuple[str, str]] = set()
        """Fills that were told of, by kind and id."""

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
            unasked=self._unasked,
            opened={each.generation: each for each in self._records if each.kind is Kind.SOCKET_OPEN},
            ended={each.generation: each for each in self._records if each.kind is Kind.SOCKET_END},
            stop=next((each for each in self._records if each.kind is Kind.STOP), self._records[-1]),
            hurry=self._command("hurry"),
            kill_switch=self._kill_switch(),
            started_ns=self._records[0].ns,
            end_ns=self._records[-1].ns,
            usual_ns=took[len(took) // 2] if took else 0,
            timers=timers,
            recovered=Recovered() if self._takeover is None else retold(self._takeover.data),
            positions=self._successes("positions"),
            states=self._successes("system", "state"),
        )
        self._read_orders(score.recovered)
        asked = {each.asked.number: each for each in self._exchanges}
        answered = {each.ended.number: each for each in self._exchanges if each.ended and each.is_answered}
        repeated = {each.number for exchange in self._exchanges for each in exchange.repeats}
        for each in self._records:
            if each.number in answered:
                self._read_answer(answered[each.number])
                continue
            match each.kind:
                case Kind.FRAME_IN if each.number not in repeated:
                    self._read_frame(each)
                case Kind.REQUEST | Kind.FRAME_OUT:
                    self._read_wish(asked[each.number], score)
                case Kind.TIMER:
                    timers[each.data["purpose"], each.data["subject"]].append(each.number)
        return score

    def _command(self, command: str) -> Record | None:
        return next(
            (each for each in self._records if each.kind is Kind.COMMAND and each.data["command"] == command),
            None,
        )

    def _kill_switch(self) -> Record | None:
        """The bot decides to have it pulled before that is done; where somebody else did, it agrees afterwards."""
        decided = (each for each in self._records if each.kind is Kind.EFFECT and each.data["do"] == PULL)
        pulled, agreed = self._command("kill switch"), next(decided, None)
        is_own = pulled is not None and agreed is not None and agreed.number < pulled.number
        return None if is_own else pulled

    def _successes(self, *segments: str) -> list[Exchange]:
        return [each for each in self._exchanges if each.key[:2] == ("GET", segments) and each.is_success]

    def _read_orders(self, recovered: Recovered) -> None:
        """Which orders the recording brings, before any report is read: an update may come before the answer."""
        for order in (each.order for each in recovered.orders):
            part = self._parts[order.client_id] = Part(order.client_id)
            if order.venue_id:
                self._by_venue_id[order.venue_id] = part
        asked = {each.asked.number: each for each in self._exchanges}
        absent: set[object] = set()
        for record in self._records:
            match record.kind, record.data:
                case Kind.REQUEST | Kind.FRAME_OUT, _:
                    self._read_new(asked[record.number], absent)
                case Kind.ORDER, {"state": State.NEVER_ACCEPTED, "client_id": client_id}:
                    absent.add(client_id)

    def _read_new(self, exchange: Exchange, absent: set[object]) -> None:
        """Orders that may be new. One that came to nothing is ``absent``, and may be sent again."""
        question = exchange.question
        for client_id, terms in zip(question.client_ids, question.orders, strict=True):
            part = self._parts.setdefault(client_id, Part(client_id))
            if part.posted is None or client_id in absent:
                part.posted, part.terms = exchange, terms
            (absent.add if exchange.is_refused else absent.discard)(client_id)

    def _read_wish(self, exchange: Exchange, score: Score) -> None:
        """Somebody may want orders gone, or one otherwise."""
        question = exchange.question
        for part in filter(None, map(score.named, question.names)):
            if question.does is Does.CANCEL:
                part.asked.setdefault(CANCEL, exchange.asked)
            elif question.does is Does.MODIFY:
                number = sum(name != CANCEL for name in part.asked) + 1
                part.asked[modification(number)] = exchange.asked

    def _read_frame(self, frame: Record) -> None:
        message = decoded(restored(frame.data))
        params = message.get("params")
        if isinstance(params, dict) and isinstance(params.get("data"), dict):
            channel, data = str(params.get("channel")), params["data"]
            if channel.startswith("orders.") and self._read_report(frame, data, channel):
                return
            if channel.startswith("fills.") and self._read_fill(frame, data, channel):
                return
        self._unasked.append(frame)

    def _read_answer(self, exchange: Exchange) -> None:
        """What an answer says was so when the question came, or became so then."""
        for report in _taken(exchange):
            self._read_taken(exchange.asked, report)
        match exchange.key[:2]:
            case "GET", ("orders" | "orders-history" as what,):
                reports = objects(exchange.result.get("results"))
                if what == "orders" and exchange.is_success:
                    self._see_who_is_missing(exchange.asked, {str(each.get("client_id")) for each in reports})
                for report in reports:
                    self._read_report(exchange.asked, report)
            case "GET", ("fills",):
                for fill in reversed(objects(exchange.result.get("results"))):
                    self._read_fill(exchange.asked, fill)

    def _read_taken(self, asked: Record, report: dict[str, Any]) -> None:
        part = self._parts.get(str(report.get("client_id")))
        if part is not None and part.posted is not None:
            self._name(part, report)
            part.turns.insert(0, Turn(asked, report))

    def _see_who_is_missing(self, asked: Record, listed: set[str]) -> None:
        """What is not among the open orders any more has ended, although it may be long before somebody says so."""
        for part in self._parts.values():
            if part.order in listed:
                part.missed = None
            elif part.missed is None and part.turns and part.turns[-1].record.ns < asked.ns:
                part.missed = asked

    def _part_of(self, client_id: object, venue_id: object) -> Part | None:
        part = self._parts.get(client_id) if isinstance(client_id, str) else None
        if part is None and isinstance(venue_id, str):
            part = self._by_venue_id.get(venue_id) or self._parts.setdefault(venue_id, Part(venue_id))
        return part

    def _read_report(self, record: Record, report: dict[str, Any], channel: str = "") -> bool:
        """Whether it could be told which order the report is about."""
        part = self._part_of(report.get("client_id"), report.get("id"))
        if part is None:
            return False
        self._name(part, report)
        if channel or _is_news(report, part.last_report):
            is_final = report.get("status") == FINAL
            if part.missed is not None and is_final and not channel:
                record = part.missed
            elif (
                self._takeover is not None and part.posted is None and not (part.turns or is_final or channel)
            ):
                record = self._takeover  # it was there before this run began
            part.turns.append(Turn(record, report, channel=channel, needs=_cause_of(report, part)))
        return True

    def _read_fill(self, record: Record, fill: dict[str, Any], channel: str = "") -> bool:
        """The same of a fill. One that only a list told of came before its order was reported with it."""
        part = self._part_of(fill.get("client_id"), fill.get("order_id"))
        if part is None:
            return False
        key = str(fill.get("fill_type")), str(fill.get("id"))
        if channel or key not in self._counted:
            place = len(part.turns) if channel else _place_of(fill, part.turns)
            if place < len(part.turns):
                record = part.turns[place].record
            part.turns.insert(place, Turn(record, fill=fill, channel=channel))
        self._counted.add(key)
        return True

    def _name(self, part: Part, report: dict[str, Any]) -> None:
        if isinstance(report.get("id"), str):
            self._by_venue_id.setdefault(report["id"], part)


def _taken(exchange: Exchange) -> list[dict[str, Any]]:
    """The reports of the new orders that an exchange brought."""
    question, result = exchange.question, exchange.result
    if question.does is not Does.PLACE:
        return []
    if not question.is_call:
        return objects(result.get("orders")) if question.is_batch else [result]
    rows = objects(result.get("results")) if question.is_batch else [result]
    return objects([row.get("order") for row in rows])


def _is_news(report: dict[str, Any], last: dict[str, Any]) -> bool:
    if rank(report) > rank(last):
        return True
    times = report.get("last_updated_at"), last.get("last_updated_at")
    is_old = isinstance(times[0], int) and isinstance(times[1], int) and times[0] < times[1]
    changing = ("remaining_size", "size", "price")
    is_another = any(report.get(name) != last.get(name) for name in changing)
    return report.get("status") == last.get("status") and is_another and not is_old


def _cause_of(report: dict[str, Any], part: Part) -> str:
    """Which request brought an order to what is reported, as `Turn.needs`."""
    if report.get("status") == FINAL:
        by_cancel = report.get("cancel_reason") in {"USER_CANCELED", "", None} and not _is_filled(report)
        return CANCEL if by_cancel and CANCEL in part.asked else ""
    request = report.get("request_info")
    if isinstance(request, dict) and request.get("request_type") == "MODIFY_ORDER":
        return next((name for name in reversed(part.asked) if name != CANCEL), "")
    return ""


def _place_of(fill: dict[str, Any], turns: list[Turn]) -> int:
    """Before the first report with no more left than after the fill."""
    left = _size(fill)
    for place, turn in enumerate(turns):
        reported = _size(turn.report)
        if left is not None and reported is not None and reported <= left:
            return place
    return len(turns)


def _size(report: dict[str, Any]) -> int | None:
    try:
        return parse(report["remaining_size"])
    except (KeyError, TypeError, ValueError):
        return None


def _is_filled(report: dict[str, Any]) -> bool:
    return _size(report) == 0
