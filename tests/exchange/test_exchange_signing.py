"""The exchange's own hashing and checking of signatures."""

import contextlib
import json
from pathlib import Path
from typing import Any

import fast_stark_crypto
import pytest
from Crypto.Hash import keccak
from hypothesis import example, given
from hypothesis import strategies as st

from bot.core.fixed import parse
from bot.exchange.identity import snip12
from bot.exchange.identity.snip12 import Messages, account_address
from bot.exchange.identity.stark import FIELD, ORDER, is_public_key, is_valid, parse_address, parse_signature

VECTORS = Path(__file__).parents[3] / "shared" / "vectors" / "signing.json"


def _vectors(part: str) -> list[Any]:
    """The cases of one part of the published vectors; none, and so a skip, where they are not at hand."""
    return json.loads(VECTORS.read_text())[part] if VECTORS.exists() else []


@pytest.fixture(scope="module")
def messages() -> dict[str, Messages]:
    return {chain: Messages(chain) for chain in ("PRIVATE_SN_PARACLEAR_MAINNET", "PRIVATE_SN_POTC_SEPOLIA")}


needs_vectors = pytest.mark.skipif(not VECTORS.exists(), reason="../shared/vectors is not there")


@needs_vectors
def test_addresses_are_derived_as_published() -> None:
    """Each key's address follows from it and the two class hashes."""
    vectors = json.loads(VECTORS.read_text())
    proxy, account = int(vectors["proxy_class_hash"], 16), int(vectors["account_class_hash"], 16)
    for key in vectors["keys"]:
        assert fast_stark_crypto.get_public_key(int(key["private_key"], 16)) == int(key["public_key"], 16)
        assert account_address(int(key["public_key"], 16), account, proxy) == int(key["account"], 16)


@needs_vectors
def test_login_messages_hash_as_published(messages: dict[str, Messages]) -> None:
    """Onboarding and auth hashes, and the signatures given with them, agree with the official SDK's."""
    keys = {key["account"]: int(key["public_key"], 16) for key in _vectors("keys")}
    for case in _vectors("onboarding"):
        message = messages[case["chain"]].onboarding(int(case["account"], 16))
        assert message == int(case["message_hash"], 16)
        r, s = map(int, case["a_valid_signature"])
        assert is_valid(keys[case["account"]], message, (r, s))
        assert not is_valid(keys[case["account"]], message + 1, (r, s))
    for case in _vectors("auth"):
        message = messages[case["chain"]].auth(
            int(case["account"], 16), case["timestamp"], case["expiration"]
        )
        assert message == int(case["message_hash"], 16)


@needs_vectors
@pytest.mark.parametrize("part", ["orders", "modifications"])
def test_order_messages_hash_as_published(messages: dict[str, Messages], part: str) -> None:
    """Order and modification hashes agree with the official SDK's, whatever the type."""
    for case in _vectors(part):
        message = messages[case["chain"]].order(
            int(case["account"], 16),
            timestamp=case["timestamp"],
            market=case["market"],
            side=case["side"],
            order_type=case["type"],
            size=parse(case["size"]),
            price=0 if case["type"] == "MARKET" else parse(case["price"]),
            modified_id=int(case["id"]) if "id" in case else None,
        )
        assert message == int(case["message_hash"], 16), case


@pytest.mark.parametrize(
    ("type_string", "constant"),
    [
        ("StarkNetDomain(name:felt,chainId:felt,version:felt)", snip12.DOMAIN_TYPE),
        ("Constant(action:felt)", snip12.CONSTANT_TYPE),
        (
            "Request(method:felt,path:felt,body:felt,timestamp:felt,expiration:felt)",
            snip12.REQUEST_TYPE,
        ),
        (
            "Order(timestamp:felt,market:felt,side:felt,orderType:felt,size:felt,price:felt)",
            snip12.ORDER_TYPE,
        ),
        (
            "ModifyOrder(timestamp:felt,market:felt,side:felt,orderType:felt,size:felt,price:felt,id:felt)",
            snip12.MODIFY_TYPE,
        ),
        ("initialize", snip12.INITIALIZE_SELECTOR),
    ],
)
def test_constants_are_the_hashes_they_stand_for(type_string: str, constant: int) -> None:
    """Each constant is keccak256 of its text, mod 2^250."""
    digest = keccak.new(digest_bits=256, data=type_string.encode()).digest()
    assert int.from_bytes(digest) % 2**250 == constant


KEY = 0x1234567890ABCDEF1234567890ABCDEF
PUBLIC = fast_stark_crypto.get_public_key(KEY)
MESSAGE = 0x3946C7EDFCEF6850147B38532216E1076EE798343C17882BCD61563556D606


@pytest.mark.parametrize("key", [KEY, ORDER - KEY])
def test_either_point_of_a_public_key_verifies(key: int) -> None:
    """A public key is an x-coordinate: signatures of either of the two keys behind it hold."""
    assert fast_stark_crypto.get_public_key(key) == PUBLIC
    assert is_valid(PUBLIC, MESSAGE, fast_stark_crypto.sign(key, MESSAGE))


_odd_values = st.one_of(
    st.sampled_from([0, 1, ORDER - 1, ORDER, ORDER + 1, FIELD, 2**251, 2**252, 2**256, 2**300]),
    st.integers(min_value=0, max_value=2**300),
)


@example(r=1, s=ORDER - 1, message=1)
@example(r=1, s=2**251, message=1)
@example(r=1, s=pow(2**251, -1, ORDER), message=1)
@example(r=1, s=pow(ORDER - 2, -1, ORDER), message=1)
@example(r=2**251, s=1, message=1)
@example(r=1, s=1, message=2**251)
@given(r=_odd_values, s=_odd_values, message=st.integers(min_value=0, max_value=2**260))
def test_no_value_breaks_the_check_of_a_signature(r: int, s: int, message: int) -> None:
    """Whatever numbers come as a signature, the answer is no and not a panic of the library."""
    assert not is_valid(PUBLIC, message, (r, s))


@given(value=_odd_values)
def test_public_keys_are_points_of_the_curve(value: int) -> None:
    """A value is taken as a key exactly if the library can use it as one."""
    r, s = fast_stark_crypto.sign(KEY, MESSAGE)
    if is_public_key(value):
        assert value < FIELD
        assert is_valid(value, MESSAGE, (r, s)) == (value == PUBLIC)


@given(text=st.text(max_size=200))
def test_any_text_is_a_signature_or_a_value_error(text: str) -> None:
    """Parsing never raises anything but ValueError."""
    for parser in (parse_signature, parse_address):
        with contextlib.suppress(ValueError):
            parser(text)


@pytest.mark.parametrize("text", ['["17","0x1f"]', '[ "0x11" , "31" ]'])
def test_decimal_and_hexadecimal_signatures_are_read(text: str) -> None:
    """The official SDK writes decimals, ccxt hexadecimals (section 10, item 1)."""
    assert parse_signature(text) == (17, 31)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        '["1"]',
        '["1","2","3"]',
        "[1,2]",
        '["-1","2"]',
        '["1_0","2"]',
        '["0x","1"]',
        '["٣","1"]',
        "[" * 9000,
    ],
)
def test_malformed_signatures_are_refused(text: str) -> None:
    """Everything else is not a signature."""
    with pytest.raises(ValueError, match=r"signature|number|element"):
        parse_signature(text)
