"""Signatures of orders and modifications, and modifications before the engine sees them."""

from typing import Any

import fast_stark_crypto
import pytest
from matching_room import EPOCH_MS, SYMBOL, Room, change, order_request, stop

from bot.core.fixed import SCALE, parse
from bot.exchange.errors import VenueError
from bot.exchange.identity.accounts import Account
from bot.exchange.identity.config import CHAIN_ID
from bot.exchange.identity.snip12 import Messages
from bot.exchange.identity.tokens import Grant
from bot.exchange.matching.caller import Caller
from bot.exchange.matching.requests import ModifyRequest, OrderRequest, decode_modify

MESSAGES = Messages(CHAIN_ID)
KEY, SUBKEY = 0x1234567890ABCDEF1234567890ABCDEF, 0x9876543210


def sign(key: int, order: dict[str, Any], *, price: int, size: int, modified_id: int | None = None) -> str:
    message = MESSAGES.order(
        1001,
        timestamp=order.get("signature_timestamp", EPOCH_MS),
        market=SYMBOL,
        side=order.get("side", "BUY"),
        order_type=order.get("type", "LIMIT"),
        size=size * SCALE,
        price=price * SCALE,
        modified_id=modified_id,
    )
    r, s = fast_stark_crypto.sign(key, message)
    return f'["{r}","{s}"]'


def owner(token_key: int) -> Caller:
    """The account of `KEY`, logged in with one of its keys."""
    grant = Grant(1001, interactive=False, key=fast_stark_crypto.get_public_key(token_key))
    return Caller(Account(1001, fast_stark_crypto.get_public_key(KEY), "", 0), grant, EPOCH_MS)


def is_accepted(room: Room, order: OrderRequest, caller: Caller) -> bool:
    try:
        room.desk.create(order, caller)
    except VenueError as refused:
        assert refused.code == "INVALID_ORDER_SIGNATURE"  # noqa: PT017 - which of the two it is, is the question
        return False
    return True


@pytest.mark.parametrize("signer", ["token", "account"])
@pytest.mark.parametrize("token", [KEY, SUBKEY])
@pytest.mark.parametrize("key", [KEY, SUBKEY])
def test_whose_signature_counts_is_a_setting(signer: str, token: int, key: int) -> None:
    """With ``token`` the key that logged in signs, with ``account`` any key that the account has."""
    room = Room(verify=True, order_signer=signer)
    signed = order_request(signature=sign(key, {}, price=99, size=2))
    counts = key == token if signer == "token" else key == KEY
    assert is_accepted(room, signed, owner(token)) == counts


@pytest.mark.parametrize(
    ("changes", "signed_price", "counts"),
    [
        ({}, 99, True),
        ({}, 98, False),
        ({"type": "MARKET", "price": None}, 0, True),
        ({"type": "MARKET", "price": "99"}, 0, True),
        ({"type": "MARKET", "price": "99"}, 99, False),
        (stop("STOP_MARKET", price=None), 0, True),
        (stop("STOP_MARKET", price="99"), 0, True),
        (stop("STOP_MARKET", price="99"), 99, True),
        (stop("STOP_MARKET", price=None), 99, False),
        (stop(), 99, True),
    ],
)
def test_which_price_is_signed(changes: dict[str, Any], signed_price: int, *, counts: bool) -> None:
    """Limit types sign their price, MARKET 0, and conditional market types 0 or a price that comes along."""
    room = Room(verify=True)
    signature = sign(KEY, changes, price=signed_price, size=2)
    assert is_accepted(room, order_request(**changes, signature=signature), owner(KEY)) == counts


def test_a_modification_is_signed_with_the_id_of_its_order() -> None:
    """Its signature is over the new values and the order's id; one over another id, or none, does not count."""
    room = Room(verify=True)
    order = room.desk.create(order_request(signature=sign(KEY, {}, price=99, size=2)), owner(KEY))
    room.work()
    new: dict[str, Any] = {"signature_timestamp": EPOCH_MS - 5}
    for modified_id in (None, int(order.id) + 1):
        wrong = sign(KEY, new, price=98, size=3, modified_id=modified_id)
        with pytest.raises(VenueError) as refused:
            room.desk.modify(
                order.id, change(order, price="98", size="3", signature=wrong, **new), owner(KEY)
            )
        assert refused.value.code == "INVALID_ORDER_SIGNATURE"
    right = sign(KEY, new, price=98, size=3, modified_id=int(order.id))
    room.desk.modify(order.id, change(order, price="98", size="3", signature=right, **new), owner(KEY))
    room.work()
    assert (order.price, order.size, order.signed_at_ms) == (parse("98"), parse("3"), EPOCH_MS - 5)


@pytest.mark.parametrize(
    ("code", "changes"),
    [
        ("INVALID_REQUEST_PARAMETER", {}),
        ("INVALID_REQUEST_PARAMETER", {"id": "7", "price": "98"}),
        ("INVALID_REQUEST_PARAMETER", {"market": "ETH-USD-PERP", "price": "98"}),
        ("INVALID_REQUEST_PARAMETER", {"side": "SELL", "price": "98"}),
        ("INVALID_REQUEST_PARAMETER", {"type": "MARKET", "price": "98"}),
        ("VALIDATION_ERROR", {"price": "98.5"}),
        ("VALIDATION_ERROR", {"price": None}),
        ("VALIDATION_ERROR", {"trigger_price": "98"}),
        ("INVALID_ORDER_SIZE", {"size": "0"}),
        ("INVALID_ORDER_SIZE", {"size": "1"}),
        ("INVALID_ORDER_SIZE", {"size": "11"}),
        ("INVALID_TIMESTAMP", {"price": "98", "signature_timestamp": EPOCH_MS - 300_000 - 1}),
        ("INVALID_ORDER_SIGNATURE", {"price": "98", "signature": ""}),
        ("REQUEST_NOT_ALLOWED", {"price": "98", "on_behalf_of_account": "0x5"}),
    ],
    ids=str,
)
def test_modifications_that_cannot_be_are_refused(code: str, changes: dict[str, Any]) -> None:
    """What only repeats must be the order's own, something must change, and values keep the rules of new orders."""
    room = Room()
    order = room.desk.create(order_request(), room.caller(1001))
    room.work()
    with pytest.raises(VenueError) as refused:
        room.desk.modify(order.id, change(order, **changes), room.caller(1001))
    assert refused.value.code == code
    assert not room.queue


def test_only_open_and_waiting_orders_are_modified() -> None:
    """NEW and CLOSED orders are not open, others' and unknown ones are not found, and modes have their say."""
    room = Room()
    caller = room.caller(1001)
    order = room.desk.create(order_request(), caller)

    def refusal(order_id: str = order.id, who: Caller = caller) -> str:
        with pytest.raises(VenueError) as refused:
            room.desk.modify(order_id, change(order, price="98"), who)
        return refused.value.code

    assert refusal() == "ORDER_IS_NOT_OPEN"
    room.work()
    assert refusal(who=room.caller(1002)) == "ORDER_ID_NOT_FOUND"
    assert refusal("7") == "ORDER_ID_NOT_FOUND"
    room.set_mode("post_only")
    assert refusal() == "SYSTEM_STATUS_POST_ONLY"
    room.set_mode("maintenance")
    assert refusal() == "SERVICE_UNAVAILABLE"
    room.set_mode("ok")
    room.desk.cancel(order, caller)
    room.work()
    assert refusal() == "ORDER_IS_NOT_OPEN"


def test_fields_that_the_sdk_sends_along_with_a_modification_are_ignored() -> None:
    """client_id, instruction and null settings of the official SDK's modify neither count nor harm."""
    extra = b'"client_id":"x","instruction":"IOC","recv_window":null,"stp":null,"flags":["?"],"trigger_price":null'
    body = (
        b'{"id":"7","market":"M","side":"BUY","type":"LIMIT","size":"1","price":"2","signature":"[]",'
        b'"signature_timestamp":1,' + extra + b"}"
    )
    assert decode_modify(body) == ModifyRequest(
        id="7",
        market="M",
        side="BUY",
        type="LIMIT",
        size="1",
        price="2",
        signature="[]",
        signature_timestamp=1,
    )
