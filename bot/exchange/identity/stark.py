"""The STARK curve: Pedersen hashes and signature checks. The room's only importer of the crypto library.

The library panics on values outside the ranges below (a panic is a `BaseException` and prints a backtrace), so
nothing reaches it unchecked. Ranges: protocol reference 2.1 and 2.3.
"""

import fast_stark_crypto
import msgspec

from bot.exchange.errors import UNREADABLE

FIELD = 2**251 + 17 * 2**192 + 1
ORDER = 0x800000000000010FFFFFFFFFFFFFFFFB781126DCAE7B2321E66A241ADC64D2F
BETA = 0x6F21413EFBE40DE150E596D72F7A8C5609AD26C15C915C1F4CDFCB99CEE9E89
ELEMENT_BOUND = 2**251

_LONGEST_NUMBER = 80
_PAIR = msgspec.json.Decoder(tuple[str, str])

Signature = tuple[int, int]


def pedersen(left: int, right: int) -> int:
    """Starknet's Pedersen hash of two field elements."""
    return fast_stark_crypto.pedersen_hash(left, right)


def parse_number(text: str) -> int:
    """Read ``"0x…"`` or plain decimal digits, as clients write felts.

    Raises:
        ValueError: neither of the two, or longer than any felt.
    """
    if not text.isascii() or len(text) > _LONGEST_NUMBER:
        raise ValueError("not a field element")
    if text[:2] in {"0x", "0X"}:
        digits, base = text[2:], 16
        if not digits.isalnum():
            raise ValueError("not a hexadecimal number")
    else:
        digits, base = text, 10
        if not digits.isdigit():
            raise ValueError("not a decimal number")
    return int(digits, base)


def parse_address(text: str) -> int:
    """Read a ``0x`` address or public key as a non-zero field element.

    Raises:
        ValueError: not hexadecimal with ``0x``, zero, or outside the field.
    """
    if text[:2] not in {"0x", "0X"}:
        raise ValueError("does not begin with 0x")
    value = parse_number(text)
    if not 0 < value < FIELD:
        raise ValueError("outside the field")
    return value


def names(text: str, address: int) -> bool:
    """Whether a text is an address, however it is padded and whichever of the two ways it is written."""
    try:
        return parse_number(text) == address
    except ValueError:
        return False


def parse_signature(text: str) -> Signature:
    """Read ``["r","s"]``, decimal (official SDK) or ``0x`` (ccxt): reference section 10, item 1.

    Raises:
        ValueError: not of that shape. Ranges are `is_valid`'s business.
    """
    try:
        first, second = _PAIR.decode(text)
    except UNREADABLE as error:
        raise ValueError("a signature is a JSON array of two strings") from error
    return parse_number(first), parse_number(second)


def is_public_key(value: int) -> bool:
    """Whether ``value`` is the x-coordinate of a point of the curve."""
    if not 0 < value < FIELD:
        return False
    y_squared = (value**3 + value + BETA) % FIELD
    return pow(y_squared, (FIELD - 1) // 2, FIELD) == 1


def is_valid(public_key: int, message_hash: int, signature: Signature) -> bool:
    """Whether the signature is the key's over the hash, whichever of the two points the x-coordinate means.

    ``public_key`` must satisfy `is_public_key`. A value out of range is a wrong signature, never an error.
    """
    r, s = signature
    # The library also panics on s from 2^251 up to the order, which nobody meets by chance (2^-55).
    if not (0 < r < ELEMENT_BOUND and 0 < s < ELEMENT_BOUND and 0 <= message_hash < ELEMENT_BOUND):
        return False
    if pow(s, -1, ORDER) >= ELEMENT_BOUND:
        return False
    return fast_stark_crypto.verify(public_key, message_hash, r, s)
