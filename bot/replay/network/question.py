"""What is asked of the venue, by whichever way: in a request over HTTP, or in a call over the WebSocket."""

import enum
from collections.abc import Mapping, Sequence
from typing import Any

import attrs

from bot.core.tape import Kind
from bot.exchange.transport.http import split_target
from bot.journal.record import Record
from bot.journal.sent import call_of, decoded, orders_in
from bot.paradex import calls

Key = tuple[str, tuple[str, ...], tuple[tuple[str, str], ...], str]
"""What makes two questions the same: method, path without ``/v1``, query, and what they are about. Calls have neither
path nor query."""


class Does(enum.StrEnum):
    """What a question wants to happen to orders."""

    PLACE = "place"
    MODIFY = "modify"
    CANCEL = "cancel"
    NOTHING = ""


SINCE = "start_at"
"""From when on a list is asked for: that depends on how fast a machine was, and is the same question all the same."""


@attrs.frozen(kw_only=True)
class Question:
    """One, and what it says of orders."""

    method: str
    segments: tuple[str, ...] = ()
    query: Mapping[str, str] = {}
    is_call: bool = False
    does: Does = Does.NOTHING
    is_batch: bool = False
    orders: Sequence[Mapping[str, Any]] = ()
    """The terms of new orders."""

    names: Sequence[str] = ()
    """Orders that are there already, by the venue's ids or ours."""

    details: Sequence[object] = ()
    """What else makes it another question."""

    @property
    def client_ids(self) -> list[str]:
        """Of the new orders."""
        return [str(terms.get("client_id")) for terms in self.orders]

    @property
    def subject(self) -> str:
        """The orders that it is about; empty for none."""
        return " ".join([*self.client_ids, *self.names])

    @property
    def key(self) -> Key:
        asked = tuple(sorted((name, value) for name, value in self.query.items() if name != SINCE))
        about = " ".join([*self.client_ids, *self.names, *map(str, self.details)])
        return self.method, self.segments, asked, about

    def __str__(self) -> str:
        if self.is_call:
            return self.method
        return f"{self.method} /{'/'.join(self.segments[:1] if self.does else self.segments)}"


def of_request(
    method: str, segments: tuple[str, ...], query: Mapping[str, str], body: str | bytes
) -> Question:
    """Whose key logs in does not matter: the recorded one is not there to log in again."""
    said = decoded(body)
    known: dict[str, Any] = {}
    match method, segments:
        case _, ("auth", *_):
            segments = segments[:1]
        case "POST", ("orders",) | ("orders", "batch"):
            known = {"does": Does.PLACE, "orders": orders_in(said)}
        case "PUT", ("orders", name):
            known = {"does": Does.MODIFY, "names": [name], "details": _terms(said)}
        case "DELETE", ("orders", "batch"):
            known = {"does": Does.CANCEL, "names": _named(said)}
        case "DELETE", ("orders", *named):
            known = {"does": Does.CANCEL, "names": named[-1:]}
    is_batch = segments == ("orders", "batch")
    return Question(method=method, segments=segments, query=query, is_batch=is_batch, **known)


def of_call(frame: str | bytes) -> Question:
    """What a frame of a client's asks."""
    method, params = call_of(frame)
    known: dict[str, Any] = {}
    match method:
        case calls.CREATE | calls.CREATE_BATCH:
            # One form of a batch may be refused, and the other taken.
            form = ["array"] if isinstance(params, list) else []
            known = {"does": Does.PLACE, "orders": orders_in(params), "details": form}
        case calls.MODIFY:
            known = {"does": Does.MODIFY, "names": _texts(params, "id"), "details": _terms(params)}
        case calls.CANCEL:
            known = {"does": Does.CANCEL, "names": _texts(params, "id", "client_id")}
        case calls.CANCEL_BATCH:
            known = {"does": Does.CANCEL, "names": _named(params)}
        case calls.CANCEL_ALL:
            known = {"does": Does.CANCEL, "details": _texts(params, "market")}
        case method if method != "auth" and isinstance(params, dict):
            known = {"details": list(params.values())}
    is_batch = method in {calls.CREATE_BATCH, calls.CANCEL_BATCH}
    return Question(method=method, is_call=True, is_batch=is_batch, **known)


def of_record(asked: Record) -> Question:
    """What an ``http>`` or ``ws>`` record asks."""
    data = asked.data
    if asked.kind is Kind.FRAME_OUT:
        return of_call(data["frame"] if is_order_call(asked) else data)
    segments, query = split_target(data["path"])
    return of_request(data["method"], segments, query, data.get("body", ""))


def is_order_call(record: Record) -> bool:
    """Whether a record is a call that was decided on, and not one by which a WebSocket is opened or closed."""
    return record.kind is Kind.FRAME_OUT and isinstance(record.data, dict) and "frame" in record.data


def _terms(said: Any) -> list[Any]:
    return [said.get(name) for name in ("size", "price")] if isinstance(said, dict) else []


def _named(said: Any) -> list[str]:
    """The orders that a batch of cancels names, by the venue's ids and ours."""
    ids = [said.get(name) for name in ("order_ids", "client_order_ids")] if isinstance(said, dict) else []
    return [each for several in ids if isinstance(several, list) for each in several if isinstance(each, str)]


def _texts(said: Any, *names: str) -> list[str]:
    texts = [said.get(name) for name in names] if isinstance(said, dict) else []
    return [text for text in texts if isinstance(text, str)]
