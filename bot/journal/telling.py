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


def utc(ns: Any, form: str = "%Y-%m-%d %H:%M:%S UTC") -> str:
    """A wall time in this form, as far as there is a calendar for it. UTC: the machine may have been moved since."""
    try:
        return f"{datetime.fromtimestamp(ns / 1e9, UTC):{form}}"
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
    limit = data.get("price") or data.get("average_entry_price")
    price = "at market" if data.get("type") == "MARKET" else _joined("@", _phrase({"price": limit}, "price"))
    return _joined(_phrase(data, "side", "size", "market"), price, _phrase(data, "instruction"))


def _header(data: Mapping[str, Any]) -> str:
    begun = utc(data.get("started_ns"))
    return f"{_phrase(data, 'environment', 'run_id')}, begun {begun} on {_phrase(data, 'platform')}"


def _effect(data: Mapping[str, Any]) -> str:  # noqa: PLR0911 - one for each kind of effect
    match data.get("do"):
        case "place" | "prepare" as what:
            how = "prepared" if data.get("prepared") else ""
            return _joined(what, how, _terms(data), "as", _phrase(data, "client_id"))
        case "place batch":
            return f"place {_several(data, lambda order: _joined(_terms(order), 'as', _phrase(order, 'client_id')))}"
        case "cancel batch":
            return f"cancel {_several(data, lambda order: _phrase(order, 'client_id'))}"
        case "look up batch" | "forget" as what:
            orders = data.get("orders")
            return _joined(what.removesuffix(" batch"), *map(str, orders if isinstance(orders, list) else ()))
        case "modify":
            terms = _joined(
                _phrase(data, "client_id"), "to", _phrase(data, "size"), "@", _phrase(data, "price")
            )
            return _joined("modify", terms, _ids(data, "venue_id"))
        case "wait":
            return _joined("wake in", _phrase(data, "seconds"), "s:", _phrase(data, "purpose", "subject"))
    return _joined(_phrase(data, "do", "client_id", "market", "reason"), _ids(data, "venue_id"))


def _several(data: Mapping[str, Any], telling: Callable[[Mapping[str, Any]], str]) -> str:
    """How many orders, and each in words."""
    match data.get("orders"):
        case list(orders):
            told_of = "; ".join(
                telling(order) if isinstance(order, dict) else as_json(order) for order in orders
            )
            return f"{len(orders)}: {told_of}"
    return ""


def _request(data: Mapping[str, Any]) -> str:
    cause = f"for record {_phrase(data, 'of')}" if data.get("of") else ""
    return _joined(_exchange(data), _phrase(data, "method", "path"), cause, _message(data.get("body")))


def _call(data: Mapping[str, Any]) -> str:
    cause = f"for record {_phrase(data, 'of')}" if data.get("of") else ""
    return _joined(_exchange(data), cause, _message(data.get("frame")))


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
            result = "answered in " + ", ".join(f"#{as_json(answer)}" for answer in _flat(answers))
        case _:
            result = _phrase(data, "failure", "status", "code", "text") or _joined(
                "done", _milliseconds(data, "sign_ns")
            )
    return f"{_phrase(data, 'what', 'client_id', 'market')}: {_listed(data)}{result}"


def _flat(numbers: list[Any]) -> list[Any]:
    """The numbers of a snapshot's answers stand in lists, one for each part."""
    return [each for part in numbers for each in (part if isinstance(part, list) else [part])]


def _listed(data: Mapping[str, Any]) -> str:
    """What a snapshot held."""
    match data.get("listed"):
        case [orders, history, fills, positions]:
            counts = {"open": orders, "history": history, "fills": fills, "positions": positions}
            return ", ".join(f"{what} {as_json(count)}" for what, count in counts.items()) + "; "
    return ""


def _wire(data: Mapping[str, Any]) -> str:
    way = "a connection that was open" if data.get("reused") else "a new connection"
    idle = _milliseconds(data, "idle_ns").replace("in", "idle for", 1)
    rtt = "".join(f"the kernel's round trip is {rtt} µs" for rtt in _of(data, "rtt_us"))
    return f"{_exchange(data)}: {', '.join(filter(None, (way, idle, rtt)))}"


def _intent(data: Mapping[str, Any]) -> str:
    what = "modification signed" if data.get("what") == "modify" else "signed"
    signed = "signed ahead" if "signed_ns" in data else _joined(what, _milliseconds(data, "sign_ns"))
    return f"{_phrase(data, 'client_id')}: {signed}, struct hash {_phrase(data, 'struct_hash')}"


def _recovered(data: Mapping[str, Any]) -> str:
    match data:
        case {"orders": list(orders), "run_ids": list(run_ids)} if run_ids:
            states = (
                _several(data, lambda order: _phrase(order, "client_id", "state")) if orders else "nothing"
            )
            return f"{states}; left by {' '.join(map(str, run_ids))}"
    return "nothing was left"


def _order(data: Mapping[str, Any]) -> str:
    size = "".join(f"of {size}" for size in _of(data, "size"))
    price = "".join(f"@ {price}" for price in _of(data, "price"))
    how = _joined("filled", _phrase(data, "filled"), size, price, _phrase(data, "reason"))
    return f"{_phrase(data, 'client_id', 'state')}: {_joined(how, _ids(data, 'venue_id'))}"


def _socket_end(data: Mapping[str, Any]) -> str:
    if data.get("code") is None:
        return "never opened"
    return _joined("closed by", "us:" if data.get("ours") else "the venue:", _phrase(data, "code", "reason"))


_WORDS: dict[str, Callable[[Mapping[str, Any]], str]] = {
    Kind.HEADER: _header,
    Kind.SOCKET_OPEN: lambda _: "opened",
    Kind.SOCKET_END: _socket_end,
    Kind.REQUEST: _request,
    Kind.FRAME_OUT: _call,
    Kind.ANSWER: _answer,
    Kind.FAILURE: _failure,
    Kind.WIRE: _wire,
    Kind.GENERATION: lambda data: f"session {_phrase(data, 'session')}",
    Kind.RECOVERED: _recovered,
    Kind.MODE: lambda data: f"{_phrase(data, 'mode')}, says {_exchange(data)}",
    Kind.REPAIR: lambda data: f"{_phrase(data, 'what', 'subject')}: {_phrase(data, 'text')}",
    Kind.INTENT: _intent,
    Kind.OUTCOME: _outcome,
    Kind.TIMER: lambda data: _phrase(data, "purpose", "subject"),
    Kind.COMMAND: lambda data: _phrase(data, "command", "reason"),
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
    said = _orders(message) or raw.rstrip()
    match message:
        case {"method": "subscription", "params": {"channel": str(channel), "data": data}}:
            said = f"{channel}: {_report(data) or as_json(data)}"
        case {"method": str(method), "params": params}:
            said = _joined(method, _phrase(message, "id"), _orders(params) or as_json(params))
        case {"id": int() | str(), "result": result}:
            said = f"reply {_phrase(message, 'id')}: {_orders(result) or as_json(result)}"
        case {"id": int() | str(), "error": dict(error)}:
            why = _joined(_phrase(error, "code"), ": ".join(_of(error, "message", "data")))
            said = f"reply {_phrase(message, 'id')}: error {why}"
    return said


def _orders(said: Any) -> str:
    """Orders, fills or positions of which something is said, one or several; nothing for anything else."""
    match said:
        case {"orders": list(several)} | {"results": list(several)} | list(several):
            told_of = list(map(_item, several))
            return f"{len(told_of)}: {'; '.join(told_of)}" if told_of and all(told_of) else ""
    return _item(said)


def _item(said: Any) -> str:
    """The same of one, which may be what became of one call, or of one order of a batch."""
    match said:
        case {"order": order}:
            return _report(order)
        case {"error": str(error)}:
            return f"error {error}"
    return _report(said)


def _report(data: Any) -> str:
    """An order, a fill or a position as the venue tells of it, or an order as it is asked for; else nothing."""
    if not isinstance(data, dict) or not {"side", "size", "market"} <= data.keys():
        return ""
    left = "".join(f", {size} left" for size in _of(data, "remaining_size"))
    fee = "".join(f", fee {fee} {_phrase(data, 'fee_currency')}" for fee in _of(data, "fee"))
    names = _joined(_phrase(data, "cancel_reason", "client_id"), _ids(data, "id"), _ids(data, "order_id"))
    kind = _phrase(data, "status", "fill_type", "liquidity")
    return f"{_joined(kind, _terms(data))}{left}{fee}: {names}"
