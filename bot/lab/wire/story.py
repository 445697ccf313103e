"""What a session says of its requests and calls: which went out, how each ended, and which orders were in them."""

from collections.abc import Iterable
from typing import Any

import attrs
import msgspec

from bot.core.tape import Kind
from bot.journal.record import Record


@attrs.define
class Exchange:
    """A request, or a call over the WebSocket, and how it ended: ``ended_ns`` is None if it did not."""

    name: str
    began_ns: int
    client_id: str = ""
    """Of the order that it places."""

    ended_ns: int | None = None
    failed: bool = False
    """No answer came."""


def exchanges(records: Iterable[Record]) -> list[Exchange]:
    """All of a session, in the order in which they began."""
    found: list[Exchange] = []
    numbered: dict[int, Exchange] = {}
    called: dict[tuple[int, Any], Exchange] = {}
    for record in records:
        match record.kind, record.data:
            case Kind.REQUEST, {"x": number, "method": method, "path": path, **others}:
                found.append(Exchange(f"{method} {path}", record.ns, _placed(others.get("body"))))
                numbered[number] = found[-1]
            case Kind.FRAME_OUT, {"x": number, "frame": str(frame)}:
                call = msgspec.json.decode(frame)
                found.append(Exchange(call["method"], record.ns, _client_id(call["params"])))
                numbered[number] = called[record.generation, call["id"]] = found[-1]
            case Kind.FRAME_IN, str(frame):
                reply = msgspec.json.decode(frame)
                if asked := called.get((record.generation, reply.get("id"))):
                    asked.ended_ns = record.ns
            case ((Kind.ANSWER | Kind.FAILURE), {"x": number}):
                numbered[number].ended_ns = record.ns
                numbered[number].failed = record.kind is Kind.FAILURE
    return found


def unanswered(records: Iterable[Record]) -> set[str]:
    """Orders whose placing ended without a word of the exchange: their client ids."""
    return {each.client_id for each in exchanges(records) if each.client_id and each.failed}


def _placed(body: Any) -> str:
    return _client_id(msgspec.json.decode(body)) if body else ""


def _client_id(order: Any) -> str:
    # What has a size is placed; a modification names its order by the exchange's id.
    return str(order.get("client_id", "")) if isinstance(order, dict) and "size" in order else ""
