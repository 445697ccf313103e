"""What a checksum cannot see: whether the records of a session can have happened, and whether secrets are in it."""

import re
from collections.abc import Iterable, Iterator
from typing import Any

import attrs

from bot.core.recovered import retold
from bot.core.tape import HIDDEN, Kind
from bot.journal.record import Record
from bot.journal.sent import BatchForms, client_id_of, decoded, modified, orders_in, placed
from bot.journal.telling import as_json
from bot.paradex import rpc


@attrs.frozen
class Finding:
    """Something that no session of ours should hold."""

    record: int
    text: str


def findings(records: Iterable[Record]) -> Iterator[Finding]:
    """What is wrong with ``records``, which are all of a session, in order."""
    last_ns = 0
    exchanges = _Exchanges()
    story = _Story(exchanges)
    for record in records:
        if record.ns < last_ns:
            yield Finding(
                record.number, f"its time is {last_ns - record.ns} ns before that of the record before it"
            )
        last_ns = record.ns
        for text in (*exchanges.meet(record), *story.meet(record), *_secrets(record)):
            yield Finding(record.number, text)


@attrs.define
class _Exchanges:
    """Requests, and what comes before and after each."""

    asked: dict[int, Record] = attrs.field(factory=dict)
    """The requests, by the number of the exchange."""

    unanswered: set[int] = attrs.field(factory=set)
    answers: dict[int, Any] = attrs.field(factory=dict)
    """The bodies of the answers, by the number of the exchange."""

    unsent: dict[tuple[str, str], dict[str, Any]] = attrs.field(factory=dict)
    """What is going to be sent, says an intent: terms, by what is done and what it is done to."""

    calls: dict[tuple[int, int | str], int] = attrs.field(factory=dict)
    """The numbers of calls over the WebSocket that have no reply yet, by generation and id."""

    forms: BatchForms = attrs.field(factory=BatchForms)

    def meet(self, record: Record) -> Iterator[str]:
        again = self.forms.refused(record.kind, record.generation, record.data)
        self.unsent |= {("place", client_id_of(order)): order for order in again}
        match record.kind, record.data:
            case Kind.INTENT, {"client_id": str(client_id), "request": {"body": body}} if orders_in(body):
                [order, *_] = orders_in(body)
                is_modification = record.data.get("what") == "modify"
                self.unsent[_modify(order) if is_modification else ("place", client_id)] = order
            case Kind.REQUEST, {"x": int(exchange), "method": _, "path": str(_)}:
                yield from self._leaves(record, exchange)
            case Kind.FRAME_OUT, {"x": int(exchange), "frame": str(frame)}:
                self.calls[record.generation, rpc.id_of(frame)] = exchange
                yield from self._leaves(record, exchange)
            case Kind.FRAME_IN, str(frame) | {"bytes": str(frame)} if self.calls:
                self._reply(record.generation, frame)
            case ((Kind.ANSWER | Kind.FAILURE), {"x": int(exchange), **others}):
                if exchange not in self.unanswered:
                    yield f"it ends exchange {exchange}, which is not open"
                self.unanswered.discard(exchange)
                if record.kind == Kind.ANSWER:
                    self.answers[exchange] = others.get("body")
            case Kind.WIRE, {"x": int(exchange)} if exchange not in self.asked or exchange in self.unanswered:
                yield f"it is about exchange {exchange}, which has not ended"
            case Kind.FRAME_OUT, dict():
                yield f"it has not the form of its kind, {record.kind}"
            case ((Kind.INTENT | Kind.REQUEST | Kind.ANSWER | Kind.FAILURE), _):
                yield f"it has not the form of its kind, {record.kind}"

    def _leaves(self, record: Record, exchange: int) -> Iterator[str]:
        self.asked[exchange] = record
        self.unanswered.add(exchange)
        orders = placed(record.kind, record.data)
        for order in [] if orders is None else orders or [{}]:
            yield from self._intended(("place", client_id_of(order)), order)
        terms = modified(record.kind, record.data)
        if terms is not None:
            yield from self._intended(_modify(terms), terms)

    def _intended(self, what: tuple[str, str], order: dict[str, Any]) -> Iterator[str]:
        do, about = what
        words = f"order {about or '?'} is sent" if do == "place" else f"new terms of {about or '?'} are sent"
        if what not in self.unsent:
            yield f"{words}, and no intent before this is of it"
        elif self.unsent.pop(what) != order:
            yield f"{words} otherwise than its intent says"

    def _reply(self, generation: int, frame: str) -> None:
        match decoded(frame):
            case {"id": int(request_id) | str(request_id)} if (generation, request_id) in self.calls:
                exchange = self.calls.pop((generation, request_id))
                self.unanswered.discard(exchange)
                self.answers[exchange] = frame


def _modify(terms: dict[str, Any]) -> tuple[str, str]:
    return "modify", str(terms.get("id", ""))


SNAPSHOT = ("/orders", "/orders-history", "/fills", "/positions")
"""Where the parts of a snapshot come from."""

DECIDED = frozenset({Kind.EFFECT, Kind.ORDER, Kind.REPAIR, Kind.ALARM})
"""What stands right behind its cause."""

TRADING = frozenset({Kind.GENERATION, Kind.INTENT, Kind.OUTCOME, Kind.TIMER, Kind.MODE, *DECIDED})


@attrs.define
class _Story:
    """What the order manager was told, and what it made of that."""

    exchanges: _Exchanges
    cause: Record | None = None
    """The last record that was no decision."""

    has_begun: bool = False

    def meet(self, record: Record) -> Iterator[str]:
        match record.kind, record.data:
            case Kind.RECOVERED, data:
                if self.has_begun:
                    yield "what earlier runs left is taken over when trading has begun"
                yield from _readable(data)
            case Kind.OUTCOME, {"what": "snapshot", "x": list(parts), "requested_ns": int(requested_ns)}:
                yield from self._snapshot(parts, requested_ns)
            case Kind.OUTCOME, {"x": list(numbers)}:
                yield from (f"exchange {as_json(x)} has no answer" for x in numbers if not self._is_told(x))
            case Kind.MODE, {"mode": str(mode), "x": number}:
                if self._path(number) != "/system/state" or not _tells(self.exchanges.answers[number], mode):
                    yield f"exchange {as_json(number)} does not tell that the mode is {mode}"
            case Kind.REPAIR, _ if not _is_snapshot(self.cause):
                yield "something is repaired, and not because of a snapshot"
        if record.kind not in DECIDED:
            self.cause = record
        self.has_begun |= record.kind in TRADING

    def _snapshot(self, parts: list[Any], requested_ns: int) -> Iterator[str]:
        if len(parts) != len(SNAPSHOT) or not all(isinstance(part, list) and part for part in parts):
            yield "it is no snapshot of orders, history, fills and positions"
            return
        for path, part in zip(SNAPSHOT, parts, strict=True):
            for number in part:
                if self._path(number) != path:
                    yield f"exchange {as_json(number)} is no answer to GET {path}"
                elif self.exchanges.asked[number].ns < requested_ns:
                    yield f"exchange {number} began before its snapshot"

    def _path(self, number: Any) -> str:
        """What was asked and answered under this number, without its query; empty for nothing."""
        if not self._is_told(number) or self.exchanges.asked[number].data.get("method") != "GET":
            return ""
        return str(self.exchanges.asked[number].data["path"]).partition("?")[0]

    def _is_told(self, number: Any) -> bool:
        return isinstance(number, int) and number in self.exchanges.answers and number in self.exchanges.asked


def _is_snapshot(cause: Record | None) -> bool:
    """Or the next part of one that was too long for one step."""
    match cause:
        case Record(kind=Kind.OUTCOME, data={"what": "snapshot"}):
            return True
        case Record(kind=Kind.TIMER, data={"purpose": "part of a snapshot"}):
            return True
    return False


def _tells(body: Any, mode: str) -> bool:
    match decoded(body):
        case {"status": status}:
            return bool(status == mode)
    return False


def _readable(data: Any) -> Iterator[str]:
    try:
        retold(data)
    except (KeyError, TypeError, ValueError, AttributeError):
        yield f"it has not the form of its kind, {Kind.RECOVERED}"


# As they stand in JSON, and in the text of JSON in JSON, however often: with backslashes before their quotes.
_SECRETS = {
    "a token": re.compile(rf'eyJ[\w-]{{10}}|(?:bearer|jwt_token)\\*"\s*+:\s*+\\*+"(?!{HIDDEN})[^\\"]'),
    "an authorization": re.compile(r"(?:[Aa]uthorization\W{1,9}|[Bb]earer\s)[\w.~+/=-]{16}"),
}
_OURS = {"a signature": re.compile(r'(?:signature|SIGNATURE)\\*"\s*+:\s*+[\\"\[]*+(?:0x)?[0-9a-f]')}
"""Where we sent one. What comes back may hold numbers there: hashes, from `bot.journal.redact`."""

_HINTS = (
    "eyJ",
    "earer",
    "jwt_token",
    "uthorization",
    "ignature",
    "IGNATURE",
)  # to look for these takes no time


def _secrets(record: Record) -> Iterator[str]:
    text = as_json(record.data)
    if not any(hint in text for hint in _HINTS):
        return
    is_ours = record.kind in {Kind.FRAME_OUT, Kind.REQUEST, Kind.INTENT}
    for name, pattern in (_SECRETS | _OURS if is_ours else _SECRETS).items():
        if pattern.search(text):
            yield f"it looks as if {name} stood in it"
