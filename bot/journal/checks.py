"""What a checksum cannot see: whether the records of a session can have happened, and whether secrets are in it."""

import re
from collections.abc import Iterable, Iterator
from typing import Any

import attrs
import msgspec

from bot.core.tape import HIDDEN, Kind
from bot.journal.record import Record
from bot.journal.telling import as_json


@attrs.frozen
class Finding:
    """Something that no session of ours should hold."""

    record: int
    text: str


def findings(records: Iterable[Record]) -> Iterator[Finding]:
    """What is wrong with ``records``, which are all of a session, in order."""
    last_ns = 0
    exchanges = _Exchanges()
    for record in records:
        if record.ns < last_ns:
            yield Finding(
                record.number, f"its time is {last_ns - record.ns} ns before that of the record before it"
            )
        last_ns = record.ns
        for text in (*exchanges.meet(record), *_secrets(record)):
            yield Finding(record.number, text)


@attrs.define
class _Exchanges:
    """Requests, and what comes before and after each."""

    unanswered: set[int] = attrs.field(factory=set)
    unsent: dict[str, Any] = attrs.field(factory=dict)
    """The bodies of orders whose intent is recorded, by client id."""

    def meet(self, record: Record) -> Iterator[str]:
        match record.kind, record.data:
            case Kind.INTENT, {"client_id": str(client_id), "request": {"body": body}}:
                self.unsent[client_id] = body
            case Kind.REQUEST, {"x": int(exchange), "method": method, "path": path, **others}:
                self.unanswered.add(exchange)
                if (method, path) == ("POST", "/orders"):
                    yield from self._sent(others.get("body"))
            case ((Kind.ANSWER | Kind.FAILURE), {"x": int(exchange)}):
                if exchange not in self.unanswered:
                    yield f"it ends exchange {exchange}, which is not open"
                self.unanswered.discard(exchange)
            case ((Kind.INTENT | Kind.REQUEST | Kind.ANSWER | Kind.FAILURE), _):
                yield f"it has not the form of its kind, {record.kind}"

    def _sent(self, body: Any) -> Iterator[str]:
        client_id = _client_id(body)
        if client_id not in self.unsent:
            yield f"order {client_id or '?'} is sent, and no intent before this is of it"
        elif self.unsent.pop(client_id) != body:
            yield f"order {client_id} is sent otherwise than its intent says"


def _client_id(body: Any) -> str:
    try:
        order = msgspec.json.decode(body)
    except (TypeError, ValueError, RecursionError):
        return ""
    match order:
        case {"client_id": str(client_id)}:
            return client_id
    return ""


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
