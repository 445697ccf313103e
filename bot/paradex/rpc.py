"""JSON-RPC frames of the WebSocket (protocol reference, section 4). No I/O."""

from collections.abc import Callable, Mapping
from typing import Any

import attrs
import msgspec

from bot.core.errors import RequestError
from bot.paradex import outcome
from bot.paradex.answers import UNREADABLE, AccountSummary, FillReport, OrderReport, PositionReport

POSITIONS_CHANNEL = "positions"
ACCOUNT_CHANNEL = "account"


@attrs.frozen
class Reply:
    """The answer to the request with this id. ``error`` is None for a success."""

    id: int | str
    error: RequestError | None
    result: msgspec.Raw = attrs.field(factory=msgspec.Raw, repr=False)
    """JSON; empty where there is none."""


@attrs.frozen
class OrderUpdate:
    """An order changed, says a channel ``orders.*``."""

    report: OrderReport


@attrs.frozen
class FillUpdate:
    """An order of the account was filled, says a channel ``fills.*``."""

    report: FillReport


@attrs.frozen
class PositionUpdate:
    """A position changed."""

    report: PositionReport


@attrs.frozen
class AccountUpdate:
    """The account's money or margin changed."""

    summary: AccountSummary


@attrs.frozen
class OtherUpdate:
    """Data of a channel that nobody here reads."""

    channel: str


Message = Reply | OrderUpdate | FillUpdate | PositionUpdate | AccountUpdate | OtherUpdate


class UnreadableFrameError(ValueError):
    """No frame of the venue's, or one that cannot be understood."""


class _Request(msgspec.Struct):
    id: int


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
_fill_reports = msgspec.json.Decoder(FillReport)
_position_reports = msgspec.json.Decoder(PositionReport)
_account_summaries = msgspec.json.Decoder(AccountSummary)

# By what a channel's name begins with, up to the first dot.
_READERS: dict[str, Callable[[msgspec.Raw], Message]] = {
    "orders": lambda data: OrderUpdate(_order_reports.decode(data)),
    "fills": lambda data: FillUpdate(_fill_reports.decode(data)),
    POSITIONS_CHANNEL: lambda data: PositionUpdate(_position_reports.decode(data)),
    ACCOUNT_CHANNEL: lambda data: AccountUpdate(_account_summaries.decode(data)),
}


def request(request_id: int, method: str, params: Mapping[str, Any] | msgspec.Raw) -> str:
    """One JSON-RPC 2.0 request as the text of a frame."""
    return msgspec.json.encode(
        {"jsonrpc": "2.0", "method": method, "params": params, "id": request_id}
    ).decode()


def id_of(frame: str) -> int:
    """The id in a request of ours; 0 for what is none."""
    try:
        return msgspec.json.decode(frame, type=_Request).id
    except UNREADABLE:
        return 0


def orders_channel(market: str) -> str:
    return f"orders.{market}"


def fills_channel(market: str) -> str:
    return f"fills.{market}"


def read(frame: str | bytes) -> Message:
    """Understand one frame.

    Raises:
        UnreadableFrameError: with what is wrong; never anything else, whatever the frame holds.
    """
    try:
        return _message(_frames.decode(frame))
    except UNREADABLE as unreadable:  # what can be decoded may still be too deep to be told
        raise UnreadableFrameError(str(unreadable)) from unreadable


def _message(frame: _Frame) -> Message:
    if frame.params is not None:
        channel = frame.params.channel
        reader = _READERS.get(channel.partition(".")[0])
        return OtherUpdate(channel) if reader is None else reader(frame.params.data)
    if frame.id is None:
        raise ValueError(f"neither a reply nor channel data: {frame.error or frame.method}")
    result = msgspec.Raw() if frame.result is msgspec.UNSET else frame.result
    return Reply(frame.id, _error(frame.error), result)


def _error(error: _Error | None) -> RequestError | None:
    if error is None:
        return None
    return outcome.of_reply(error.code, error.message or "", error.data)
