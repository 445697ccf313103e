"""Answers and updates that no client should trust, or break at.

A body of HTTP is garbled as a whole. A frame is as well, or in what it is about only: the ``result`` of a reply, the
``data`` of an update, so that a client knows whom it concerns and not what to make of it.
"""

from collections.abc import Callable, Mapping
from typing import Any, Literal

import msgspec

from bot.exchange.errors import UNREADABLE

_Body = Literal[
    "empty", "text", "half", "list", "null", "nulls", "number", "deep", "another-order", "new-words", "new-members",
    "oversized",
]  # fmt: skip
How = Literal[_Body, "binary", "another-id", "stray-id", "no-result"]
UpdateHow = Literal[_Body, "binary"]

GATEWAY_PAGE = b"<html><head><title>Bad gateway</title></head><body>try again later</body></html>"
"""What stands in front of an exchange speaks for itself, and not JSON."""

ANOTHER = "9" * 28
"""The id of an order that is nobody's."""

STRAY = 2**53 - 1
"""The id of a call that nobody made."""

OVERSIZED = 8 * 1024 * 1024
"""Bytes that an oversized one has at least."""

Garbled = str | bytes
"""A frame: text, or binary."""


def _decoded(body: bytes) -> Any:
    try:
        return msgspec.json.decode(body)
    except UNREADABLE:
        return None


def _in_orders(change: dict[str, Any]) -> Callable[[bytes], bytes]:
    """A body of JSON in which every order says something else."""

    def garble(body: bytes) -> bytes:
        value = _decoded(body)
        for order in _orders(value):
            order.update(change)
            if "order_id" in order and "id" in change:
                order["order_id"] = change["id"]
        return body if value is None else msgspec.json.encode(value)

    return garble


def _orders(value: Any) -> list[dict[str, Any]]:
    """The object itself, the order in it, or those that it lists."""
    if not isinstance(value, dict):
        return []
    listed = value.get("results", value.get("orders"))
    rows = [row for row in listed if isinstance(row, dict)] if isinstance(listed, list) else [value]
    return [row["order"] if isinstance(row.get("order"), dict) else row for row in rows]


def _nulls(body: bytes) -> bytes:
    value = _decoded(body)
    return msgspec.json.encode(dict.fromkeys(value) if isinstance(value, dict) else None)


def _padded(body: bytes) -> bytes:
    value = _decoded(body)
    return msgspec.json.encode({**(value if isinstance(value, dict) else {}), "padding": "x" * OVERSIZED})


GARBLES: Mapping[How, Callable[[bytes], bytes]] = {
    "empty": lambda _body: b"",
    "text": lambda _body: GATEWAY_PAGE,
    "half": lambda body: body[: len(body) // 2],
    "list": lambda body: b"[" + body + b"]",
    "null": lambda _body: b"null",
    "nulls": _nulls,
    "number": lambda _body: b'{"id":1' + b"0" * 400 + b"}",
    "deep": lambda _body: b"[" * 100_000,
    "another-order": _in_orders({"id": ANOTHER, "client_id": "another"}),
    "new-words": _in_orders(
        {"status": "HALTED", "side": "BOTH", "type": "PEGGED", "new_member": {"is": [1]}}
    ),
    "new-members": _in_orders({"new_member": {"is": [1]}, "another_member": None}),
    "oversized": _padded,
}
"""What becomes of a body, by the word for it. The last two are true, and only say more than expected."""

_INSIDE = frozenset({"nulls", "number", "another-order", "new-words", "new-members", "oversized"})
"""Those that leave the frame around the body as it is."""


def _framed(frame: dict[str, Any]) -> str:
    """Text frames of the venue end in a newline (protocol reference 4.1)."""
    return msgspec.json.encode(frame).decode() + "\n"


def _with_id(change: Callable[[Any], Any]) -> Callable[[str], Garbled]:
    """A reply to another call."""

    def garble(text: str) -> str:
        frame = msgspec.json.decode(text)
        return _framed({**frame, "id": change(frame["id"])})

    return garble


def _before(identifier: Any) -> Any:
    """The id of the call before this one, for clients that count."""
    return identifier - 1 if isinstance(identifier, int) else f"not {identifier}"


def _without_result(text: str) -> str:
    frame = msgspec.json.decode(text)
    return _framed({key: frame[key] for key in frame if key not in {"result", "error"}})


FRAMES_ONLY: Mapping[How, Callable[[str], Garbled]] = {
    "binary": lambda text: text.encode(),
    "another-id": _with_id(_before),
    "stray-id": _with_id(lambda _identifier: STRAY),
    "no-result": _without_result,
}
"""What can become of a frame, and of no body."""


def garble_reply(text: str, how: How) -> Garbled:
    """What becomes of the frame of a reply. A refusal has no orders to garble."""
    return _garble_frame(text, how, lambda frame: frame, "result")


def garble_update(text: str, how: How) -> Garbled:
    """What becomes of the frame of an update."""
    return _garble_frame(text, how, lambda frame: frame["params"], "data")


def _garble_frame(text: str, how: How, holder: Callable[[Any], dict[str, Any]], member: str) -> Garbled:
    if how in FRAMES_ONLY:
        return FRAMES_ONLY[how](text)
    if how not in _INSIDE:
        return GARBLES[how](text.encode()).decode()
    frame = msgspec.json.decode(text)
    about = holder(frame)
    if member in about:
        about[member] = msgspec.Raw(GARBLES[how](msgspec.json.encode(about[member])))
    return _framed(frame)
