"""Answers that are none: the same status, and a body that no client should trust, or break at."""

from collections.abc import Callable, Mapping
from typing import Any, Literal

import msgspec

from bot.exchange.errors import UNREADABLE

How = Literal[
    "empty", "text", "half", "list", "null", "nulls", "number", "deep", "another-order", "new-words"
]

GATEWAY_PAGE = b"<html><head><title>Bad gateway</title></head><body>try again later</body></html>"
"""What stands in front of an exchange speaks for itself, and not JSON."""

ANOTHER = "9" * 28
"""The id of an order that is nobody's."""


def _in_orders(change: dict[str, Any]) -> Callable[[bytes], bytes]:
    """A body of JSON in which every order says something else."""

    def garble(body: bytes) -> bytes:
        try:
            value = msgspec.json.decode(body)
        except UNREADABLE:
            return body
        for order in _orders(value):
            order.update(change)
        return msgspec.json.encode(value)

    return garble


def _orders(value: Any) -> list[dict[str, Any]]:
    """The object itself, or those that it lists."""
    if not isinstance(value, dict):
        return []
    listed = value.get("results", value.get("orders"))
    return [row for row in listed if isinstance(row, dict)] if isinstance(listed, list) else [value]


def _nulls(body: bytes) -> bytes:
    try:
        value = msgspec.json.decode(body)
    except UNREADABLE:
        return b"null"
    return msgspec.json.encode(dict.fromkeys(value) if isinstance(value, dict) else None)


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
}
