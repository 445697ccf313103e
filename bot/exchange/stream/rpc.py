"""JSON-RPC 2.0 as the venue speaks it (protocol reference 4.2). No I/O."""

from typing import Any

import attrs
import msgspec

from bot.exchange.errors import UNREADABLE, VenueError

PARSE_ERROR = -32700
INVALID_REQUEST = -32600
METHOD_NOT_FOUND = -32601
INVALID_PARAMS = -32602
INTERNAL_ERROR = -32603
MALFORMED_BEARER = 40110
INVALID_BEARER = 40111
PERMISSION_DENIED = 40300
RATE_LIMITED = 42901
REFUSED = 100
"""A refusal of the business; where its REST code stands section 4.2 leaves open."""

Id = int | str | None


class RpcError(Exception):
    """A message that is answered with an error: a code, words, and sometimes the reason in ``data``.

    ``refusal`` is what REST would have refused it with, for whoever keeps a record.
    """

    def __init__(
        self, code: int, message: str, data: str | None = None, refusal: VenueError | None = None
    ) -> None:
        super().__init__(code, message)
        self.code = code
        self.message = message
        self.data = data
        self.refusal = refusal


@attrs.frozen
class Call:
    """A request, and when it was received, in ns.

    One without an id is executed and answered like any other, with id 0 (section 10, item 6).
    """

    id: Id
    method: str
    params: Any
    received_ns: int


def read_message(text: str) -> Any:
    """The JSON of a message.

    Raises:
        RpcError: -32700.
    """
    try:
        return msgspec.json.decode(text)
    except UNREADABLE as error:
        raise RpcError(PARSE_ERROR, "parse error", str(error)) from error


def id_of(message: Any) -> Id:
    """The id to answer with, readable or not: 0 when there is none."""
    if not isinstance(message, dict):
        return None
    identifier = message.get("id")
    if identifier is None:
        return 0
    return identifier if isinstance(identifier, int | str) and not isinstance(identifier, bool) else None


def read_call(message: Any, received_ns: int) -> Call:
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
    return Call(id_of(message), method, message.get("params"), received_ns)


def invalid_params(reason: str) -> RpcError:
    """The refusal of parameters that are missing or of wrong types."""
    return RpcError(INVALID_PARAMS, "invalid params", reason)


def read_params(call: Call) -> dict[str, Any]:
    """Parameters by name; none at all are an empty set of them.

    Raises:
        RpcError: -32602 when they are no object.
    """
    if call.params is None:
        return {}
    if not isinstance(call.params, dict):
        raise invalid_params("params is not an object")
    return call.params


def read_text_param(call: Call, name: str) -> str:
    """A required string parameter.

    Raises:
        RpcError: -32602.
    """
    value = read_optional_text(call, name)
    if not value:
        raise invalid_params(f"{name} is not a string")
    return value


def read_optional_text(call: Call, name: str) -> str | None:
    """A string parameter; None where it is absent, null, or empty.

    Raises:
        RpcError: -32602.
    """
    value = read_params(call).get(name)
    if value is not None and not isinstance(value, str):
        raise invalid_params(f"{name} is not a string")
    return value or None


def read_names(call: Call, name: str) -> list[str] | None:
    """A parameter that is a list of strings; None where it is absent or null.

    Raises:
        RpcError: -32602.
    """
    value = read_params(call).get(name)
    if value is None:
        return None
    if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
        raise invalid_params(f"{name} is not a list of strings")
    return value
