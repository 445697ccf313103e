"""The signer signs what the venue verifies, and nothing shows its key."""

import copy
import hashlib
import pickle
import subprocess
import sys
from collections.abc import Callable, Iterator
from typing import Any

import attrs
import msgspec
import pytest
from fast_stark_crypto import get_public_key, pedersen_hash, verify
from hypothesis import given, settings
from hypothesis import strategies as st
from loguru import logger

from bot.core import fixed
from bot.link.signer import (
    CURVE_ORDER,
    ELEMENT_BOUND,
    Curve,
    PrivateKeyRefusedError,
    Signature,
    Signer,
    UnsignableError,
    find_curve,
    native_curve,
    open_signer,
    reference_curve,
)
from bot.paradex.address import AccountClasses, from_hex, to_hex
from bot.paradex.snip12 import OrderTerms

TESTNET = "PRIVATE_SN_POTC_SEPOLIA"
KEY = "0x1234567890abcdef1234567890abcdef"
PUBLIC_KEY = "0x31b88d91e173d70b5bd284f7a898d99005d9ade236ee671e0db0078996aa599"
ACCOUNT = "0x3ca3878d9c0358c9abe2b8eede50bc08b33a189b7c8f1b3c344b52fcb48406e"
CLASSES = AccountClasses(
    proxy=0x3530CC4759D78042F1B543BF797F5F3D647CDE0388C33734CF91B7F7B9314A9,
    account=0x41CB0280EBADAA75F996D8D92C6F265F6D040BB3BA442E5F86A554F1765244E,
)
LIMIT = OrderTerms(
    timestamp_ms=1700000000123,
    market="BTC-USD-PERP",
    side="BUY",
    order_type="LIMIT",
    size=fixed.parse("0.1"),
    price=fixed.parse("42000.5"),
)
ORDER_ID = "1753846435990201709277900000"

keys = st.integers(1, CURVE_ORDER - 1)
hashes = st.integers(1, ELEMENT_BOUND - 1)  # crypto-cpp, below starknet-py, refuses 0


@pytest.fixture
def signer() -> Signer:
    return open_signer(private_key=KEY, chain_id=TESTNET, account=ACCOUNT)


@pytest.fixture
def warnings_logged() -> Iterator[list[str]]:
    logged: list[str] = []
    sink = logger.add(logged.append, level="WARNING", format="{level}: {message}")
    yield logged
    logger.remove(sink)


def all_messages(signer: Signer) -> list[Signature]:
    return [
        signer.sign_onboarding(),
        signer.sign_auth(timestamp_s=1700000000, expiration_s=1700001800),
        signer.sign_order(LIMIT),
        signer.sign_modify(LIMIT, order_id=ORDER_ID),
    ]


def curve_with(**changes: Any) -> Curve:
    return attrs.evolve(native_curve(), **changes)


def test_messages_of_the_protocol_reference(signer: Signer) -> None:
    """The signer signs the hashes of the protocol reference, 2.3, and each signature verifies."""
    signatures = all_messages(signer)
    assert [to_hex(signature.message_hash) for signature in signatures] == [
        "0x672f09fa7582a5e124a72c6ddbdc236f905dd15d10515052d5f496a9b3f3c6d",
        "0x7ccffb97cb21ffa609b628c9f730f233a30ad4e88dc386651475e76ea01bffd",
        "0x3946c7edfcef6850147b38532216e1076ee798343c17882bcd61563556d606",
        "0x184aaabecf3355e7cb7dcfb37c50835d27095c65fc91a022a64798292a49897",
    ]
    for signature in signatures:
        assert verify(from_hex(PUBLIC_KEY), signature.message_hash, signature.r, signature.s)


def test_whose_signer_it_is(signer: Signer) -> None:
    """Public key and account are unpadded hex; the account is the one given, or follows from the class hashes."""
    assert (signer.public_key, signer.account) == (PUBLIC_KEY, ACCOUNT)
    own = open_signer(private_key=KEY, chain_id=TESTNET, account=CLASSES)
    assert (own.public_key, own.account) == (PUBLIC_KEY, ACCOUNT)
    assert own.sign_order(LIMIT) == signer.sign_order(LIMIT)
    padded = open_signer(private_key=KEY, chain_id=TESTNET, account="0x0" + ACCOUNT[2:].upper())
    assert padded.account == ACCOUNT


def test_a_subkey_signs_for_the_main_account(signer: Signer) -> None:
    """A subkey's messages name the main account: the same hash, signed with another key."""
    subkey = open_signer(private_key="0x5eed", chain_id=TESTNET, account=ACCOUNT)
    mine, its = signer.sign_order(LIMIT), subkey.sign_order(LIMIT)
    assert its.message_hash == mine.message_hash
    assert its != mine
    assert verify(from_hex(subkey.public_key), its.message_hash, its.r, its.s)


def test_keys_and_signatures_of_the_vectors(vectors: Any, starknet_hash: Any) -> None:
    """Keys and accounts are those of the vectors; their signatures verify, and so do ours, with either library."""
    classes = AccountClasses(
        proxy=from_hex(vectors["proxy_class_hash"]), account=from_hex(vectors["account_class_hash"])
    )
    private_keys = {}
    for key in vectors["keys"]:
        signer = open_signer(private_key=key["private_key"], chain_id=TESTNET, account=classes)
        assert (signer.public_key, signer.account) == (key["public_key"], key["account"])
        private_keys[key["account"]] = key["private_key"]
    for case in vectors["onboarding"]:
        signer = open_signer(
            private_key=private_keys[case["account"]], chain_id=case["chain"], account=case["account"]
        )
        ours = signer.sign_onboarding()
        assert to_hex(ours.message_hash) == case["message_hash"]
        public_key = from_hex(signer.public_key)
        r, s = map(int, case["a_valid_signature"])
        for numbers in ((r, s), (ours.r, ours.s)):
            assert verify(public_key, ours.message_hash, *numbers)
            assert starknet_hash.verify_message_signature(ours.message_hash, list(numbers), public_key)


def test_orders_and_modifications_of_the_vectors(vectors: Any) -> None:
    """A signer of each account and chain signs the hash that the vectors have for it."""
    private_keys = {key["account"]: key["private_key"] for key in vectors["keys"]}
    for case in vectors["orders"] + vectors["modifications"]:
        signer = open_signer(
            private_key=private_keys[case["account"]], chain_id=case["chain"], account=case["account"]
        )
        terms = OrderTerms(
            timestamp_ms=case["timestamp"],
            market=case["market"],
            side=case["side"],
            order_type=case["type"],
            size=fixed.parse(case["size"]),
            price=fixed.parse(case["price"]),
        )
        signature = (
            signer.sign_modify(terms, order_id=case["id"]) if "id" in case else signer.sign_order(terms)
        )
        assert to_hex(signature.message_hash) == case["message_hash"]


@settings(deadline=None)
@given(
    key=keys,
    timestamp=st.integers(0, 2**63),
    order_id=st.none() | st.integers(0, 10**28 - 1).map("{:028}".format),
)
def test_signatures_verify_and_keep_the_bounds(
    starknet_hash: Any, key: int, timestamp: int, order_id: str | None
) -> None:
    """Any key, any order, new or modified: starknet-py verifies it, r and the inverse of s are below 2^251, twice is
    the same.
    """
    signer = open_signer(private_key=hex(key), chain_id=TESTNET, account=ACCOUNT)
    terms = attrs.evolve(LIMIT, timestamp_ms=timestamp)

    def sign() -> Signature:
        return signer.sign_order(terms) if order_id is None else signer.sign_modify(terms, order_id=order_id)

    signature = sign()
    public_key = from_hex(signer.public_key)
    assert starknet_hash.verify_message_signature(
        signature.message_hash, [signature.r, signature.s], public_key
    )
    assert not starknet_hash.verify_message_signature(
        signature.message_hash ^ 1, [signature.r, signature.s], public_key
    )
    assert signature.r < ELEMENT_BOUND
    assert pow(signature.s, -1, CURVE_ORDER) < ELEMENT_BOUND
    assert sign() == signature


@settings(deadline=None, max_examples=8)  # starknet-py signs for a sixth of a second
@given(key=keys, message_hash=hashes)
def test_both_libraries_are_the_same_curve(starknet_hash: Any, key: int, message_hash: int) -> None:
    """The native library and starknet-py agree to the bit: nonces are RFC 6979's, with nothing added."""
    assert starknet_hash is not None
    native, reference = native_curve(), reference_curve()
    assert native.public_key(key) == reference.public_key(key)
    assert native.pedersen(key, message_hash) == reference.pedersen(key, message_hash)
    assert native.sign(key, message_hash) == reference.sign(key, message_hash)


def test_an_inverse_out_of_bounds_is_mirrored() -> None:
    """(r, N - s) verifies like (r, s): where the inverse of s is too large, its mirror image is sent."""
    large = pow(ELEMENT_BOUND + 5, -1, CURVE_ORDER)
    curve = curve_with(sign=lambda _key, _message_hash: (1, large))
    signature = open_signer(private_key=KEY, chain_id=TESTNET, account=ACCOUNT, curve=curve).sign_onboarding()
    assert signature.s == CURVE_ORDER - large
    assert pow(signature.s, -1, CURVE_ORDER) < ELEMENT_BOUND


@settings(deadline=None)
@given(key=keys, message_hash=hashes)
def test_mirrored_signatures_verify(starknet_hash: Any, key: int, message_hash: int) -> None:
    """The fact that mirroring rests on, with both libraries."""
    public_key = get_public_key(key)
    r, s = native_curve().sign(key, message_hash)
    assert verify(public_key, message_hash, r, CURVE_ORDER - s)
    mirrored_inverse = pow(CURVE_ORDER - s, -1, CURVE_ORDER)
    if mirrored_inverse < ELEMENT_BOUND:
        assert starknet_hash.verify_message_signature(message_hash, [r, CURVE_ORDER - s], public_key)


def test_what_cannot_be_signed() -> None:
    """A hash or an r beyond the bound is an error that says so: another timestamp helps."""
    beyond = curve_with(pedersen=lambda _left, _right: ELEMENT_BOUND)
    signer = open_signer(private_key=KEY, chain_id=TESTNET, account=ACCOUNT, curve=beyond)
    with pytest.raises(UnsignableError, match="the message hash is not below"):
        signer.sign_order(LIMIT)
    large_r = curve_with(sign=lambda _key, _message_hash: (ELEMENT_BOUND, 1))
    signer = open_signer(private_key=KEY, chain_id=TESTNET, account=ACCOUNT, curve=large_r)
    with pytest.raises(UnsignableError, match="r of the signature is not below"):
        signer.sign_order(LIMIT)


def test_how_a_signature_is_sent(signer: Signer) -> None:
    """Two decimal texts in a JSON array without spaces; and not in its repr, for a login's is worth a token."""
    signature = signer.sign_auth(timestamp_s=1700000000, expiration_s=1700001800)
    assert signature.wire() == f'["{signature.r}","{signature.s}"]'
    assert repr(signature) == f"Signature(message_hash={to_hex(signature.message_hash)})"


@pytest.mark.parametrize(
    "text",
    [
        "0x0",
        hex(CURVE_ORDER),
        hex(CURVE_ORDER + 1),
        "0x" + "f" * 64,
        "0x" + "12345" * 20,
        "-0x12345",
        "12345678901234567890",
        "0xnot12345",
        "0x",
        "",
    ],
)
def test_keys_that_are_none(text: str) -> None:
    """0, whatever is not below the curve's order and whatever is no hex is refused, and not shown."""
    with pytest.raises(PrivateKeyRefusedError, match="the private key is") as refused:
        open_signer(private_key=text, chain_id=TESTNET, account=ACCOUNT)
    assert refused.value.__cause__ is refused.value.__context__ is None
    if len(text) > len("0x0"):
        assert text[2:] not in str(refused.value)


@settings(deadline=None)
@given(key=st.one_of(st.integers(CURVE_ORDER, 2**260), st.integers(-(2**256), 0)))
def test_keys_out_of_range_are_refused(key: int) -> None:
    """No integer outside 1 … N-1 becomes a signer."""
    with pytest.raises(PrivateKeyRefusedError):
        open_signer(private_key=hex(key), chain_id=TESTNET, account=ACCOUNT)


def test_the_first_and_the_last_key() -> None:
    """1 and N-1 are keys; they share a public key, for one point is the other's mirror image."""
    first, last = (
        open_signer(private_key=hex(key), chain_id=TESTNET, account=ACCOUNT) for key in (1, CURVE_ORDER - 1)
    )
    assert first.public_key == last.public_key
    signature = last.sign_order(LIMIT)
    assert verify(from_hex(last.public_key), signature.message_hash, signature.r, signature.s)


def test_what_is_written_down_of_a_signature(signer: Signer) -> None:
    """Its digest tells two signatures apart and shows neither; the hash of an order is that of its terms alone."""
    subkey = open_signer(private_key="0x5eed", chain_id="PRIVATE_SN_PARACLEAR_MAINNET", account="0x1")
    mine, again, its = signer.sign_order(LIMIT), signer.sign_order(LIMIT), subkey.sign_order(LIMIT)
    assert mine.digest() == again.digest() == hashlib.sha256(mine.wire().encode()).hexdigest()[:32]
    assert its.digest() != mine.digest()
    assert mine.struct_hash == its.struct_hash is not None
    assert its.message_hash != mine.message_hash
    assert signer.sign_order(attrs.evolve(LIMIT, price=1)).struct_hash != mine.struct_hash
    onboarding, login, order, modification = all_messages(signer)
    assert onboarding.struct_hash is login.struct_hash is None
    assert order.struct_hash == mine.struct_hash
    assert modification.struct_hash == subkey.sign_modify(LIMIT, order_id=ORDER_ID).struct_hash
    assert modification.struct_hash not in {None, mine.struct_hash}
    assert modification.struct_hash != signer.sign_modify(LIMIT, order_id=ORDER_ID + "1").struct_hash


def test_why_the_range_is_checked_here() -> None:
    """A fact about the native library: it signs with key 0 and with keys beyond the order."""
    sign = native_curve().sign
    assert sign(0, 1)
    assert sign(CURVE_ORDER, 1)


def test_only_open_signer_makes_signers(signer: Signer) -> None:
    """A signer is neither constructed, changed, evolved, copied, pickled nor subclassed."""
    attempts: list[Callable[[], object]] = [
        Signer,
        lambda: attrs.evolve(signer),
        lambda: copy.copy(signer),
        lambda: copy.deepcopy(signer),
        lambda: pickle.dumps(signer),
    ]
    for attempt in attempts:
        with pytest.raises(TypeError):
            attempt()
    with pytest.raises(attrs.exceptions.FrozenInstanceError):
        signer.account = "0x1"  # type: ignore[misc]
    with pytest.raises(TypeError):
        type("Forged", (Signer,), {})()


def test_json_of_a_signer(signer: Signer) -> None:
    """msgspec, which encodes attrs classes unasked, finds only what is public anyway."""
    assert msgspec.to_builtins(signer) == {
        "public_key": PUBLIC_KEY,
        "account": ACCOUNT,
        "library": "fast-stark-crypto",
    }


@settings(deadline=None)
@given(key=st.integers(2**200, CURVE_ORDER - 1))
def test_nothing_shows_the_key(key: int) -> None:
    """Neither the ways of writing a signer, nor its attributes, nor the errors of its methods contain the key."""
    signer = open_signer(private_key=hex(key), chain_id=TESTNET, account=ACCOUNT)
    shown = [
        repr(signer),
        str(signer),
        f"{signer}",
        f"{signer!r}",
        f"{attrs.asdict(signer)}",
        f"{dir(signer)}",
    ]
    for broken in (attrs.evolve(LIMIT, side="?"), attrs.evolve(LIMIT, size=-1)):
        with pytest.raises(ValueError, match=r"side|size") as refused:
            signer.sign_order(broken)
        shown.append(repr(refused.value))
    with pytest.raises(ValueError, match="0x"):
        open_signer(private_key=hex(key), chain_id=TESTNET, account="nonsense")
    with pytest.raises(ValueError, match="chain id"):
        open_signer(private_key=hex(key), chain_id="", account=ACCOUNT)
    for text in shown:
        assert str(key) not in text
        assert f"{key:x}" not in text.lower()


def test_without_the_native_wheel(
    monkeypatch: pytest.MonkeyPatch, signer: Signer, starknet_hash: Any, warnings_logged: list[str]
) -> None:
    """starknet-py signs instead, to the bit the same, and one warning says so."""
    assert starknet_hash is not None
    monkeypatch.setitem(sys.modules, "fast_stark_crypto", None)
    with pytest.raises(ImportError):
        native_curve()
    fallback = open_signer(private_key=KEY, chain_id=TESTNET, account=CLASSES)
    assert fallback.library == "starknet-py"
    assert (fallback.public_key, fallback.account) == (PUBLIC_KEY, ACCOUNT)
    assert all_messages(fallback) == all_messages(signer)
    (warning,) = warnings_logged
    assert warning.startswith("WARNING: fast-stark-crypto cannot be imported")
    assert "not for trading" in warning


def test_with_the_native_wheel(signer: Signer, warnings_logged: list[str]) -> None:
    """The native library signs, silently."""
    assert find_curve().library == signer.library == "fast-stark-crypto"
    assert find_curve().pedersen is pedersen_hash
    assert warnings_logged == []


def test_starknet_py_stays_off_the_path_to_the_first_order() -> None:
    """A program that opens a signer and signs has not imported starknet-py (a process of its own, to be sure)."""
    program = (
        "import sys\n"
        "from bot.link.signer import open_signer\n"
        f"open_signer(private_key='{KEY}', chain_id='{TESTNET}', account='{ACCOUNT}').sign_onboarding()\n"
        "assert not [name for name in sys.modules if name.startswith(('starknet_py', 'crypto_cpp_py'))]\n"
    )
    subprocess.run([sys.executable, "-c", program], check=True)
