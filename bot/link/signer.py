"""The account's key, as a capability that signs and shows nothing. The only importer of crypto libraries.

Everything here is a plain function and runs inline: hash and signature of an order take less than a
millisecond, and a thread would only make them wait for the interpreter's lock.
"""

import hashlib
import re
from collections.abc import Callable
from typing import NoReturn, final

import attrs
from loguru import logger

from bot.core.clock import Clock
from bot.paradex.address import AccountClasses, account_address, from_hex, to_hex
from bot.paradex.snip12 import MessageHasher, OrderTerms, Pedersen

CURVE_ORDER = 0x800000000000010FFFFFFFFFFFFFFFFB781126DCAE7B2321E66A241ADC64D2F
"""N: the order of the STARK curve (protocol reference 2.1)."""

ELEMENT_BOUND = 2**251
"""What a hash, ``r`` and ``s⁻¹ mod N`` must stay below (protocol reference 2.3): all but one value in 2⁵⁵."""

_HEX_KEY = re.compile(r"0x[0-9a-fA-F]{1,64}", re.ASCII)


class PrivateKeyRefusedError(ValueError):
    """The text is no private key of the STARK curve. The message says why and shows nothing of it."""


class UnsignableError(ValueError):
    """This hash has no signature within the venue's bounds (one in 2⁵⁵ has none): take another timestamp."""


@attrs.frozen
class Curve:
    """One library's implementation of the STARK curve. A public key is an x-coordinate."""

    library: str
    pedersen: Pedersen
    public_key: Callable[[int], int]
    sign: Callable[[int, int], tuple[int, int]]
    """``(private key, hash)`` → ``(r, s)``, the nonce by RFC 6979."""

    verify: Callable[[int, int, tuple[int, int]], bool]
    """``(public key, hash, (r, s))``"""


def native_curve() -> Curve:
    """fast-stark-crypto. It takes keys out of range without a word, so callers check them.

    Raises:
        ImportError: there is no wheel for this platform.
    """
    from fast_stark_crypto import (  # noqa: PLC0415 - the wheel may be missing
        get_public_key,
        pedersen_hash,
        sign,
        verify,
    )

    def is_good(public_key: int, message_hash: int, signature: tuple[int, int]) -> bool:
        return verify(public_key, message_hash, *signature)

    return Curve("fast-stark-crypto", pedersen_hash, get_public_key, sign, is_good)


def reference_curve() -> Curve:
    """starknet-py's own functions. Importing them takes seconds and signing a tenth of one."""
    from starknet_py.hash.utils import (  # noqa: PLC0415 - seconds that the path to the first order must not pay
        message_signature,
        pedersen_hash,
        private_to_stark_key,
        verify_message_signature,
    )

    def sign(private_key: int, message_hash: int) -> tuple[int, int]:
        r, s = message_signature(message_hash, private_key, seed=None)  # plain RFC 6979, as the native one
        return r, s

    def is_good(public_key: int, message_hash: int, signature: tuple[int, int]) -> bool:
        good: bool = verify_message_signature(message_hash, list(signature), public_key)
        return good

    return Curve("starknet-py", pedersen_hash, private_to_stark_key, sign, is_good)


def find_curve() -> Curve:
    """The native implementation, or where it is missing the reference, with a loud warning."""
    try:
        return native_curve()
    except ImportError as missing:
        logger.warning(
            "fast-stark-crypto cannot be imported ({}): signing with starknet-py, which takes "
            "a hundred times as long and stops everything else meanwhile. Fit for tests, not for trading.",
            missing,
        )
        return reference_curve()


@attrs.frozen
class Signature:
    """A signature over ``message_hash``. Its repr does not show it: that of a login is worth a token."""

    message_hash: int = attrs.field(repr=to_hex)
    r: int = attrs.field(repr=False)
    s: int = attrs.field(repr=False)
    struct_hash: int | None = attrs.field(default=None, repr=False, eq=False)
    """Of an order, new or modified: the hash of what it says, without account and chain."""

    hashed_ns: int | None = attrs.field(default=None, repr=False, eq=False)
    """When ``message_hash`` was known, and signing began: of an order, by the clock that the `Signer` was given."""

    def wire(self) -> str:
        """``["<r>","<s>"]``, decimal, without spaces: what headers and the ``signature`` of bodies carry."""
        return f'["{self.r}","{self.s}"]'

    def digest(self) -> str:
        """SHA-256 of `wire`, 32 hex digits of it: tells whether another signature is the same, and not what it is."""
        return hashlib.sha256(self.wire().encode()).hexdigest()[:32]


@final
@attrs.frozen(init=False, eq=False, repr=False)
class Signer:
    """Authority to sign as one account on one chain. Made by `open_signer` only; cannot be copied or pickled.

    The private key is in no attribute but in the closure that signs with it, so that nothing which walks
    over attributes (a log, a dump, a debugger's summary) comes across it. The methods raise ``ValueError``
    for what a message cannot carry (see `MessageHasher`), and `UnsignableError`.
    """

    public_key: str
    """Unpadded hex, as ``/auth/{public_key}`` takes it."""

    account: str
    """Unpadded hex of the address that the messages are signed for: for a subkey the main account's."""

    library: str
    """Which library signs."""

    _hasher: MessageHasher
    _sign: Callable[[int], Signature]
    _clock: Clock | None

    def __init__(self) -> None:
        raise TypeError("a Signer comes from open_signer()")

    def __repr__(self) -> str:
        return f"<Signer for {self.account}>"

    def __reduce__(self) -> NoReturn:
        raise TypeError("a Signer is not copied or pickled: it holds a private key")

    def sign_onboarding(self) -> Signature:
        """Sign the registration of the account. Not with a subkey: those cannot onboard."""
        return self._sign(self._hasher.onboarding())

    def sign_auth(self, *, timestamp_s: int, expiration_s: int) -> Signature:
        """Sign a request for a token; both times in unix seconds, as in its headers."""
        return self._sign(self._hasher.auth(timestamp_s=timestamp_s, expiration_s=expiration_s))

    def sign_order(self, terms: OrderTerms) -> Signature:
        """Sign a new order."""
        return self._sign_struct(self._hasher.order_struct(terms))

    def sign_modify(self, terms: OrderTerms, *, order_id: str) -> Signature:
        """Sign new terms for the order that the venue calls ``order_id``, a decimal text."""
        return self._sign_struct(self._hasher.modify_struct(terms, order_id=order_id))

    def _sign_struct(self, struct: int) -> Signature:
        message = self._hasher.message(struct)
        hashed_ns = None if self._clock is None else self._clock.monotonic_ns()
        return attrs.evolve(self._sign(message), struct_hash=struct, hashed_ns=hashed_ns)


def open_signer(
    *,
    private_key: str,
    chain_id: str,
    account: str | AccountClasses,
    curve: Curve | None = None,
    clock: Clock | None = None,
) -> Signer:
    """Make the capability to sign.

    Args:
        private_key: hexadecimal text beginning with ``0x``.
        chain_id: the text in ``/system/config``.
        account: the address as hexadecimal text (a subkey needs its main account's), or the class hashes from
            which the address of the key's own account follows.
        curve: who does the arithmetic; `find_curve` decides if nobody does.
        clock: tells when an order was hashed.

    Raises:
        PrivateKeyRefusedError: no key, 0, or not below the order of the curve.
        ValueError: ``chain_id`` or ``account`` cannot be read.
    """
    key = parse_private_key(private_key)
    curve = curve or find_curve()
    public_key = curve.public_key(key)
    if isinstance(account, AccountClasses):
        address = account_address(curve.pedersen, public_key=public_key, classes=account)
    else:
        address = from_hex(account)

    def sign(message_hash: int) -> Signature:
        return _sign(curve, key, message_hash)

    signer = object.__new__(Signer)
    signer.__attrs_init__(
        to_hex(public_key),
        to_hex(address),
        curve.library,
        MessageHasher.for_account(curve.pedersen, chain_id=chain_id, account=address),
        sign,
        clock,
    )
    return signer


def parse_private_key(text: str) -> int:
    text = text.strip()
    if not _HEX_KEY.fullmatch(text):
        raise PrivateKeyRefusedError("the private key is not hexadecimal text of at most 64 digits after 0x")
    key = int(text, 16)
    if not 0 < key < CURVE_ORDER:
        raise PrivateKeyRefusedError("the private key is 0 or not below the order of the STARK curve")
    return key


def _sign(curve: Curve, key: int, message_hash: int) -> Signature:
    """Sign, within the bounds that Starknet's verifiers set.

    The native library asks of ``s`` only to be below N, a verifier wants its inverse below 2²⁵¹. But
    ``(r, N - s)`` is as good as ``(r, s)``, and the inverse of one of the two is always small enough.
    """
    if message_hash >= ELEMENT_BOUND:
        raise UnsignableError(f"the message hash is not below 2^251: {message_hash:#x}")
    r, s = curve.sign(key, message_hash)
    if r >= ELEMENT_BOUND:
        raise UnsignableError(f"r of the signature is not below 2^251, message hash {message_hash:#x}")
    if pow(s, -1, CURVE_ORDER) >= ELEMENT_BOUND:
        s = CURVE_ORDER - s
    return Signature(message_hash, r, s)
