"""Records in words, a line each, for people."""

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any

import msgspec

from bot.core.tape import Kind
from bot.journal.record import Record

LONGEST = 240
"""Characters that are told of a record. What is longer is cut; as JSON there is all of it."""


def told(record: Record) -> str:
    """Number, seconds since the start, generation of the WebSocket if that matters, kind, and what happened."""
    happened = words(record)
    if len(happened) > LONGEST:
        happened = f"{happened[:LONGEST]}… ({len(happened)} characters)"
    return f"{record.number:>7} {record.ns / 1e9:>12.6f} {record.generation or '':>3} {record.kind:<10} {happened}"


def utc(ns: Any) -> str:
    """A wall time, as far as there is a calendar for it."""
    try:
        return f"{datetime.fromtimestamp(ns / 1e9, UTC):%Y-%m-%d %H:%M:%S} UTC"
    except (OverflowError, OSError, TypeError, ValueError):
        return f"at {ns} ns"


def as_json(data: Any) -> str:
    """What a record holds as JSON again; what is nested too deeply for that is left out."""
    try:
        return msgspec.json.encode(data).decode()
    except RecursionError:
        return '"<nested too deeply>"'


def words(record: Record) -> str:
    """What happened, as long as that may be."""
    match record.data:
        case dict(data):
            telling = _WORDS.get(record.kind)
            return telling(data) if telling else as_json(data)
        case data:
            return _message(data)


def _of(data: Mapping[str, Any], *names: str) -> list[str]:
    """Values as text, of those names that have one."""
    values = (data.get(name) for name in names)
    return [
        value if isinstance(value, str) else as_json(value) for value in values if value not in (None, "")
    ]


def _phrase(data: Mapping[str, Any], *names: str) -> str:
    return " ".join(_of(data, *names))


def _milliseconds(data: Mapping[str, Any], name: str) -> str:
    match data.get(name):
        case int(ns) if abs(ns) < 2**63:
            return f"in {ns / 1e6:.2f} ms"
    return ""


def _joined(*parts: str) -> str:
    return " ".join(filter(None, parts))


def _ids(data: Mapping[str, Any], name: str) -> str:
    return " ".join(f"id={venue_id}" for venue_id in _of(data, name))


def _terms(data: Mapping[str, Any]) -> str:
    """An order as traders write it: ``BUY 0.01 BTC-USD-PERP @ 83299.6 POST_ONLY``."""
    price = "at market" if data.get("type") == "MARKET" else _joined("@", _phrase(data, "price"))
    return _joined(_phrase(data, "side", "size", "market"), price, _phrase(data, "instruction"))


def _header(data: Mapping[str, Any]) -> str:
    begun = utc(data.get("started_ns"))
    return f"{_phrase(data, 'environment', 'run_id')}, begun {begun} on {_phrase(data, 'platform')}"


def _effect(data: Mapping[str, Any]) -> str:
    match data.get("do"):
        case "place":
            return _joined("place", _terms(data), "as", _phrase(data, "client_id"))
        case "wait":
            return _joined("wake in", _phrase(data, "seconds"), "s:", _phrase(data, "purpose", "subject"))
    return _joined(_phrase(data, "do", "client_id", "market", "reason"), _ids(data, "venue_id"))


def _request(data: Mapping[str, Any]) -> str:
    cause = f"for record {_phrase(data, 'of')}" if data.get("of") else ""
    return _joined(_exchange(data), _phrase(data, "method", "path"), cause, _message(data.get("body")))


def _answer(data: Mapping[str, Any]) -> str:
    connection = "" if data.get("reused") else "over a new connection"
    how = _joined(_phrase(data, "status"), _milliseconds(data, "elapsed_ns"), connection)
    return _joined(_exchange(data), how, _message(data.get("body")))


def _failure(data: Mapping[str, Any]) -> str:
    return _joined(_exchange(data), _phrase(data, "failure", "status", "code", "text"))


def _exchange(data: Mapping[str, Any]) -> str:
    return f"#{_phrase(data, 'x')}"


def _outcome(data: Mapping[str, Any]) -> str:
    match data.get("x"):
        case [_, *_] as answers:
            result = "answered in " + ", ".join(f"#{as_json(answer)}" for answer in answers)
        case _:
            result = _phrase(data, "failure", "status", "code", "text") or "done"
    return f"{_phrase(data, 'what', 'client_id', 'market')}: {result}"


def _intent(data: Mapping[str, Any]) -> str:
    signed = _joined("signed", _milliseconds(data, "sign_ns"))
    return f"{_phrase(data, 'client_id')}: {signed}, struct hash {_phrase(data, 'struct_hash')}"


def _order(data: Mapping[str, Any]) -> str:
    how = _joined("filled", _phrase(data, "filled", "reason"), _ids(data, "venue_id"))
    return f"{_phrase(data, 'client_id', 'state')}: {how}"


def _socket_end(data: Mapping[str, Any]) -> str:
    if data.get("code") is None:
        return "never opened"
    return _joined("closed by", "us:" if data.get("ours") else "the venue:", _phrase(data, "code", "reason"))


_WORDS: dict[str, Callable[[Mapping[str, Any]], str]] = {
    Kind.HEADER: _header,
    Kind.SOCKET_OPEN: lambda _: "opened",
    Kind.SOCKET_END: _socket_end,
    Kind.REQUEST: _request,
    Kind.ANSWER: _answer,
    Kind.FAILURE: _failure,
    Kind.GENERATION: lambda data: f"session {_phrase(data, 'session')}",
    Kind.INTENT: _intent,
    Kind.OUTCOME: _outcome,
    Kind.TIMER: lambda data: _phrase(data, "purpose", "subject"),
    Kind.COMMAND: lambda data: _phrase(data, "command"),
    Kind.STOP: lambda data: _phrase(data, "reason"),
    Kind.EFFECT: _effect,
    Kind.ORDER: _order,
    Kind.ALARM: lambda data: _phrase(data, "text"),
    Kind.END: lambda data: f"exit code {_phrase(data, 'exit_code')}",
}


def _message(raw: Any) -> str:
    """A frame or a body: an order as an order, whatever else as it is."""
    if not isinstance(raw, str):
        return "" if raw is None else as_json(raw)
    try:
        message = msgspec.json.decode(raw)
    except (ValueError, RecursionError):
        return raw.rstrip()
    match message:
        case {"method": "subscription", "params": {"channel": str(channel), "data": data}}:
            return f"{channel}: {_report(data) or as_json(data)}"
        case {"method": str(method), "params": params}:
            return f"{method} {as_json(params)}"
    return _report(message) or raw.rstrip()


def _report(data: Any) -> str:
    """An order as the venue knows it, or is asked to; nothing if ``data`` is something else."""
    if not isinstance(data, dict) or not {"side", "size", "market", "client_id"} <= data.keys():
        return ""
    left = "".join(f", {size} left" for size in _of(data, "remaining_size"))
    names = _joined(_phrase(data, "cancel_reason", "client_id"), _ids(data, "id"))
    return f"{_joined(_phrase(data, 'status'), _terms(data))}{left}: {names}"
