"""JSON-RPC frames of the WebSocket (protocol reference, section 4). No I/O."""

from typing import Any

import attrs
import msgspec

from bot.core.errors import RefusedError, UnknownOutcomeError
from bot.paradex.answers import UNREADABLE, OrderReport

REFUSALS = frozenset({-32600, -32602, 40110, 40111, 40112, 40300, 42901})
"""The errors that say no; after any other the venue may have done it (`faults.md` section 1)."""


@attrs.frozen
class Reply:
    """The answer to the request with this id. ``error`` is None for a success."""

    id: int | str
    error: RefusedError | UnknownOutcomeError | None


@attrs.frozen
class OrderUpdate:
    """An order changed, says a channel ``orders.*``."""

    report: OrderReport


@attrs.frozen
class OtherUpdate:
    """Data of a channel that nobody here reads."""

    channel: str


Message = Reply | OrderUpdate | OtherUpdate


class UnreadableFrameError(ValueError):
    """No frame of the venue's, or one that cannot be understood."""


class _Error(msgspec.Struct):
    code: int
    message: str | None = None
    data: Any = None


class _Params(msgspec.Struct):
    channel: str
    data: msgspec.Raw


class _Frame(msgspec.Struct):
    id: int | str | None = None
    method: str | None = None
    params: _Params | None = None
    result: msgspec.Raw | msgspec.UnsetType = msgspec.UNSET
    error: _Error | None = None


_frames = msgspec.json.Decoder(_Frame)
_order_reports = msgspec.json.Decoder(OrderReport)


def request(request_id: int, method: str, params: dict[str, Any]) -> str:
    """One JSON-RPC 2.0 request as the text of a frame."""
    return msgspec.json.encode(
        {"jsonrpc": "2.0", "method": method, "params": params, "id": request_id}
    ).decode()


def orders_channel(market: str) -> str:
    return f"orders.{market}"


def read(frame: str | bytes) -> Message:
    """Understand one frame.

    Raises:
        UnreadableFrameError: with what is wrong; never anything else, whatever the frame holds.
    """
    try:
        message = _frames.decode(frame)
        if message.params is not None:
            if message.params.channel.startswith("orders."):
                return OrderUpdate(_order_reports.decode(message.params.data))
            return OtherUpdate(message.params.channel)
    except UNREADABLE as unreadable:
        raise UnreadableFrameError(str(unreadable)) from unreadable
    if message.id is None:
        raise UnreadableFrameError(f"neither a reply nor channel data: {message.error or message.method}")
    return Reply(message.id, _error(message.error))


def _error(error: _Error | None) -> RefusedError | UnknownOutcomeError | None:
    if error is None:
        return None
    words = error.message or ""
    if error.data is not None:
        words = f"{words} ({error.data})".lstrip()
    if error.code in REFUSALS:
        return RefusedError(error.code, "", words)
    return UnknownOutcomeError(f"{error.code}: {words}")
