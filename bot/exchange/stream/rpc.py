"""JSON-RPC 2.0 as the venue speaks it (protocol reference 4.2). No I/O."""

from typing import Any

import attrs
import msgspec

PARSE_ERROR = -32700
INVALID_REQUEST = -32600
METHOD_NOT_FOUND = -32601
INVALID_PARAMS = -32602
MALFORMED_BEARER = 40110
INVALID_BEARER = 40111
PERMISSION_DENIED = 40300

Id = int | str | None


class RpcError(Exception):
    """A message that is answered with an error: a code, words, and sometimes the reason in ``data``."""

    def __init__(self, code: int, message: str, data: str | None = None) -> None:
        super().__init__(code, message)
        self.code = code
        self.message = message
        self.data = data


@attrs.frozen
class Call:
    """A request. One without an id is executed and answered like any other, with id 0 (section 10, item 6)."""

    id: Id
    method: str
    params: Any


@attrs.frozen
class Reply:
    """The answer to one message, with the times it came and left, in µs."""

    id: Id
    us_in: int
    us_out: int
    result: dict[str, Any] | None = None
    error: RpcError | None = None


@attrs.frozen
class ChannelData:
    """One update of a channel, under the name it was subscribed by (section 10, item 2)."""

    channel: str
    data: dict[str, Any]


Outgoing = Reply | ChannelData


def read_message(text: str) -> Any:
    """The JSON of a message.

    Raises:
        RpcError: -32700.
    """
    try:
        return msgspec.json.decode(text)
    except (msgspec.DecodeError, RecursionError) as error:
        raise RpcError(PARSE_ERROR, "parse error", str(error)) from error


def id_of(message: Any) -> Id:
    """The id to answer with, readable or not: 0 when there is none."""
    if not isinstance(message, dict):
        return None
    identifier = message.get("id")
    if identifier is None:
        return 0
    return identifier if isinstance(identifier, int | str) and not isinstance(identifier, bool) else None


def read_call(message: Any) -> Call:
    """The request in a message.

    Raises:
        RpcError: -32600; arrays of requests are not documented, and refused.
    """
    if not isinstance(message, dict):
        raise RpcError(INVALID_REQUEST, "invalid request", "a request is one object")
    if message.get("jsonrpc") != "2.0":
        raise RpcError(INVALID_REQUEST, "invalid request", 'jsonrpc is not "2.0"')
    method = message.get("method")
    if not isinstance(method, str) or not method:
        raise RpcError(INVALID_REQUEST, "invalid request", "method is not a string")
    if id_of(message) is None:
        raise RpcError(INVALID_REQUEST, "invalid request", "id is neither a whole number nor a string")
    return Call(id_of(message), method, message.get("params"))


def read_text_param(call: Call, name: str) -> str:
    """A required string parameter.

    Raises:
        RpcError: -32602.
    """
    value = call.params.get(name) if isinstance(call.params, dict) else None
    if not isinstance(value, str) or not value:
        raise RpcError(INVALID_PARAMS, "invalid params", f"{name} is not a string")
    return value


def encode(item: Outgoing) -> str:
    """The text frame of a reply or an update; it ends in a newline (4.1)."""
    frame: dict[str, Any]
    if isinstance(item, ChannelData):
        params = {"channel": item.channel, "data": item.data}
        frame = {"jsonrpc": "2.0", "method": "subscription", "params": params}
    else:
        frame = {"jsonrpc": "2.0", "id": item.id}
        if item.error is None:
            frame["result"] = item.result
        else:
            frame["error"] = {"code": item.error.code, "message": item.error.message}
            if item.error.data is not None:
                frame["error"]["data"] = item.error.data
        frame |= {"usIn": item.us_in, "usOut": item.us_out, "usDiff": item.us_out - item.us_in}
    return msgspec.json.encode(frame).decode() + "\n"
