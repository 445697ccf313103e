"""An account's address follows from its public key and the venue's class hashes."""

import importlib
from typing import Any

import pytest
from fast_stark_crypto import get_public_key, pedersen_hash
from hypothesis import given, settings
from hypothesis import strategies as st

from bot.paradex.address import (
    ADDRESS_BOUND,
    INITIALIZE,
    AccountClasses,
    account_address,
    from_hex,
    to_hex,
)
from bot.paradex.snip12 import FIELD_PRIME

TESTNET = AccountClasses(
    proxy=0x3530CC4759D78042F1B543BF797F5F3D647CDE0388C33734CF91B7F7B9314A9,
    account=0x41CB0280EBADAA75F996D8D92C6F265F6D040BB3BA442E5F86A554F1765244E,
)

field_elements = st.integers(0, FIELD_PRIME - 1)


def test_address_of_the_protocol_reference() -> None:
    """The vector of the protocol reference, 2.3, from private key to address."""
    public_key = get_public_key(0x1234567890ABCDEF1234567890ABCDEF)
    assert public_key == 0x31B88D91E173D70B5BD284F7A898D99005D9ADE236EE671E0DB0078996AA599
    address = account_address(pedersen_hash, public_key=public_key, classes=TESTNET)
    assert to_hex(address) == "0x3ca3878d9c0358c9abe2b8eede50bc08b33a189b7c8f1b3c344b52fcb48406e"


def test_addresses_of_the_vectors(vectors: Any) -> None:
    """Every account of the vectors is the address of its public key; one of them has 62 digits, unpadded."""
    classes = AccountClasses(
        proxy=from_hex(vectors["proxy_class_hash"]), account=from_hex(vectors["account_class_hash"])
    )
    for key in vectors["keys"]:
        address = account_address(pedersen_hash, public_key=from_hex(key["public_key"]), classes=classes)
        assert to_hex(address) == key["account"]


@settings(deadline=None, max_examples=50)
@given(public_key=field_elements, proxy=field_elements, account=field_elements)
def test_agrees_with_starknet_py(starknet_hash: Any, public_key: int, proxy: int, account: int) -> None:
    """The address is the one starknet-py computes for the same deployment."""
    assert starknet_hash is not None  # imported; its neighbours are quick now
    expected = importlib.import_module("starknet_py.hash.address").compute_address(
        class_hash=proxy, constructor_calldata=[account, INITIALIZE, 2, public_key, 0], salt=public_key
    )
    classes = AccountClasses(proxy=proxy, account=account)
    address = account_address(pedersen_hash, public_key=public_key, classes=classes)
    assert address == expected
    assert address < ADDRESS_BOUND


def test_addresses_wrap_at_their_bound() -> None:
    """A hash above the bound of addresses, 2^251 - 256, is taken modulo it."""
    address = account_address(lambda *_: 2**251 - 256 + 7, public_key=1, classes=TESTNET)
    assert address == 7


def test_selector_follows_from_its_name(starknet_hash: Any) -> None:
    """The constant is the Keccak-256 of ``initialize`` modulo 2^250."""
    assert starknet_hash.keccak256(b"initialize") % 2**250 == INITIALIZE


@given(field_elements)
def test_hex_round_trip(element: int) -> None:
    """Text and number are the same thing; what is written has no padding and no capitals."""
    text = to_hex(element)
    assert from_hex(text) == element
    assert from_hex("0x" + text[2:].upper().zfill(64)) == element
    assert text == text.lower()
    assert text == "0x0" or text[2] != "0"


@pytest.mark.parametrize(
    "text", ["", "0x", "12", "0xg", "0x" + "1" * 65, " 0x1", "0x1\n", "-0x1", "0x1_0", "0x\u0661"]
)
def test_hex_that_is_none(text: str) -> None:
    """Nothing but 0x and up to 64 hexadecimal digits is read."""
    with pytest.raises(ValueError, match="not hexadecimal text beginning with 0x"):
        from_hex(text)


def test_hex_above_the_field() -> None:
    """The field prime itself is no element any more."""
    assert from_hex(to_hex(FIELD_PRIME - 1)) == FIELD_PRIME - 1
    with pytest.raises(ValueError, match="not below the field prime"):
        from_hex(to_hex(FIELD_PRIME))
