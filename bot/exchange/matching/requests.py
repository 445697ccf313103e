"""What clients send to place and to modify orders, read into structs (protocol reference 3.2, 3.5)."""

from typing import Any, TypeVar

import msgspec

from bot.exchange.bodies import read_body
from bot.exchange.errors import VenueError

T = TypeVar("T")


class OrderRequest(msgspec.Struct, kw_only=True):
    """A new order; what the official SDK leaves out or sends as null is optional."""

    market: str
    side: str
    type: str
    size: str
    signature: str
    signature_timestamp: int
    price: str | None = None
    instruction: str | None = None
    client_id: str | None = None
    flags: list[str] | None = None
    stp: str | None = None
    recv_window: int | None = None
    trigger_price: str | None = None
    vwap_price: str | None = None
    dime_discount: bool | None = None
    on_behalf_of_account: str | None = None


class ModifyRequest(msgspec.Struct, kw_only=True):
    """New values for an order; other fields that clients send along are ignored (section 10, item 12)."""

    id: str
    market: str
    side: str
    type: str
    size: str
    signature: str
    signature_timestamp: int
    price: str | None = None
    trigger_price: str | None = None
    on_behalf_of_account: str | None = None


_ORDER = msgspec.json.Decoder(OrderRequest)
_ORDERS = msgspec.json.Decoder(list[OrderRequest])
_MODIFY = msgspec.json.Decoder(ModifyRequest)


def decode_order(body: bytes) -> OrderRequest:
    """Read an order's body. Raises what `read_body` raises."""
    return read_body(body, _ORDER)


def decode_orders(body: bytes) -> list[OrderRequest]:
    """Read the body of a batch: an array of orders. Raises what `read_body` raises."""
    return read_body(body, _ORDERS)


def decode_modify(body: bytes) -> ModifyRequest:
    """Read the body of a modification. Raises what `read_body` raises."""
    return read_body(body, _MODIFY)


def convert_order(value: Any) -> OrderRequest:
    """An order from decoded JSON. Raises what `convert_modify` raises."""
    return _convert(value, OrderRequest)


def convert_orders(value: Any) -> list[OrderRequest]:
    """A batch from decoded JSON, an array. Raises what `convert_modify` raises."""
    return _convert(value, list[OrderRequest])


def convert_modify(value: Any) -> ModifyRequest:
    """A modification from decoded JSON.

    Raises:
        VenueError: VALIDATION_ERROR when it is no object, or fields are missing or of wrong types.
    """
    return _convert(value, ModifyRequest)


def _convert(value: Any, wanted: type[T]) -> T:
    try:
        return msgspec.convert(value, wanted)
    except msgspec.ValidationError as error:
        raise VenueError("VALIDATION_ERROR", str(error)) from error
