"""The messages an account signs, hashed: SNIP-12 revision 0 over Pedersen (protocol reference 2.3).

The Pedersen function is passed in, because this floor imports no crypto library. Hashing is a chain, so
whatever stands at the front of every message (the prefix, the domain, the account; in a struct its type) is
hashed once per `MessageHasher`. A new order then costs nine Pedersen hashes and a modification ten; without
that it would be 18 and 19.
"""

from collections.abc import Callable, Iterable
from functools import reduce
from typing import Self

import attrs

Pedersen = Callable[[int, int], int]
"""Starknet's Pedersen hash of two field elements; ``(1, 2)`` gives ``0x5bb9440e…58026``."""

FIELD_PRIME = 2**251 + 17 * 2**192 + 1
SHORT_STRING_LENGTH = 31


@attrs.frozen
class StructType:
    """A SNIP-12 struct: its encoded type, and Keccak-256 of that text modulo 2²⁵⁰.

    The hashes are constants: Keccak would be one more dependency for five numbers. A test derives them.
    """

    encoded: str
    type_hash: int


DOMAIN = StructType(
    "StarkNetDomain(name:felt,chainId:felt,version:felt)",
    0x98D1932052FC5137543DE5ED85B7A88555A4CD1FF5D5BFEDB62ED9B9A1F0DB,
)
CONSTANT = StructType(
    "Constant(action:felt)",
    0xE84BBCB68E0F7C73A9058BA82B6DA9C1FFDC502EFCF034E78B0C003C22ECC9,
)
REQUEST = StructType(
    "Request(method:felt,path:felt,body:felt,timestamp:felt,expiration:felt)",
    0x186CDEF6B179923C411C13C11B8A825F12BF34203BDDA0A984DA9D6F2313C2,
)
ORDER = StructType(
    "Order(timestamp:felt,market:felt,side:felt,orderType:felt,size:felt,price:felt)",
    0xA56D5225B97B257C15AE2CB1CC0EA605381A886CD75463DB45FD2EF9FBC255,
)
MODIFY_ORDER = StructType(
    "ModifyOrder(timestamp:felt,market:felt,side:felt,orderType:felt,size:felt,price:felt,id:felt)",
    0x201789BB587C17B251FD38DAF43B14807010EA721C2929A8C2FC33BF15C2E2C,
)

SIDES = {"BUY": 1, "SELL": 2}


def short_string(text: str) -> int:
    """Up to 31 ASCII characters as one field element: the big-endian integer of its bytes, 0 for none.

    Raises:
        ValueError: longer, or not ASCII.
    """
    if not text.isascii():
        raise ValueError(f"not ASCII, so not a short string: {text[:SHORT_STRING_LENGTH]!r}")
    if len(text) > SHORT_STRING_LENGTH:
        raise ValueError(f"longer than the {SHORT_STRING_LENGTH} characters of a short string: {text[:40]!r}")
    return int.from_bytes(text.encode("ascii"), "big")


def hash_chain(pedersen: Pedersen, start: int, elements: Iterable[int]) -> int:
    """``ped(… ped(ped(start, x1), x2) …, xn)``."""
    return reduce(pedersen, elements, start)


def hash_elements(pedersen: Pedersen, *elements: int) -> int:
    """``H(x1 … xn)`` of the protocol reference, 2.3: the chain from 0, closed with the number of elements."""
    return hash_chain(pedersen, 0, (*elements, len(elements)))


@attrs.frozen(kw_only=True)
class OrderTerms:
    """What the signature of an order covers; instruction, flags, client id and the rest are not in it."""

    timestamp_ms: int
    """``signature_timestamp`` of the request."""

    market: str
    side: str
    """``BUY`` or ``SELL``"""

    order_type: str
    """``type`` of the request, such as ``LIMIT``."""

    size: int
    """Units of 10⁻⁸."""

    price: int
    """Units of 10⁻⁸; 0 where the request carries no price."""


@attrs.frozen
class MessageHasher:
    """The message hashes of one account on one chain. Made by `for_account`.

    Its methods are pure, and raise ``ValueError`` for what a message cannot carry: negative numbers, a side
    other than BUY and SELL, texts that are no short strings.
    """

    _pedersen: Pedersen
    _envelope: int  # chained over the prefix, the domain and the account
    _constant: int  # the following: chained over the struct's type alone
    _request: int
    _order: int
    _modify_order: int

    @classmethod
    def for_account(cls, pedersen: Pedersen, *, chain_id: str, account: int) -> Self:
        """Hash the constant parts. ``chain_id`` is the text of ``/system/config``; ``account`` an address.

        For a subkey the account is the main account's (protocol reference 2.3).
        """
        domain = hash_elements(
            pedersen, DOMAIN.type_hash, short_string("Paradex"), _named_string("chain id", chain_id), 1
        )
        _check(account=account)
        return cls(
            pedersen,
            hash_chain(pedersen, 0, (short_string("StarkNet Message"), domain, account)),
            *(pedersen(0, struct.type_hash) for struct in (CONSTANT, REQUEST, ORDER, MODIFY_ORDER)),
        )

    def onboarding(self) -> int:
        """The message that registers the account, signed with its main key."""
        return self._message(self._constant, action=short_string("Onboarding"))

    def auth(self, *, timestamp_s: int, expiration_s: int) -> int:
        """The request for a token, both times in unix seconds, as in its headers.

        The signed path is ``/v1/auth`` whatever the request's URL adds to it (protocol reference 2.2).
        """
        return self._message(
            self._request,
            method=short_string("POST"),
            path=short_string("/v1/auth"),
            body=short_string(""),
            timestamp=timestamp_s,
            expiration=expiration_s,
        )

    def order(self, terms: OrderTerms) -> int:
        """A new order."""
        return self.message(self.order_struct(terms))

    def order_struct(self, terms: OrderTerms) -> int:
        """A new order alone: the same for every account on every chain."""
        return self._struct(self._order, **_order_fields(terms))

    def modify(self, terms: OrderTerms, *, order_id: str) -> int:
        """New terms for the order that the venue calls ``order_id``, a decimal text."""
        return self.message(self.modify_struct(terms, order_id=order_id))

    def modify_struct(self, terms: OrderTerms, *, order_id: str) -> int:
        """New terms alone: the same for every account on every chain."""
        return self._struct(self._modify_order, **_order_fields(terms), id=_order_id(order_id))

    def message(self, struct: int) -> int:
        """The message of the account that carries a struct with this hash."""
        return hash_chain(self._pedersen, self._envelope, (struct, 4))

    def _message(self, struct_start: int, **fields: int) -> int:
        return self.message(self._struct(struct_start, **fields))

    def _struct(self, struct_start: int, **fields: int) -> int:
        """``fields`` stand in the order in which the struct's type declares them."""
        _check(**fields)
        return hash_chain(self._pedersen, struct_start, (*fields.values(), len(fields) + 1))


def _check(**fields: int) -> None:
    """Refuse what is no field element: the native Pedersen reduces larger numbers without a word."""
    for name, value in fields.items():
        if not 0 <= value < FIELD_PRIME:
            raise ValueError(f"{name} is not a field element (0 <= x < 2^251 + 17 * 2^192 + 1): {value}")


def _named_string(name: str, text: str) -> int:
    """A short string that names something.

    SNIP-12 reads digits and ``0x…`` as numbers instead. No market, type or chain is called so, and which of
    the two readings the venue would take is nothing to guess.
    """
    if not text or text.isdecimal() or text.startswith("0x"):
        raise ValueError(f"{name} is empty or would be read as a number: {text[:40]!r}")
    return short_string(text)


def _order_fields(terms: OrderTerms) -> dict[str, int]:
    return {
        "timestamp": terms.timestamp_ms,
        "market": _named_string("market", terms.market),
        "side": _side(terms.side),
        "orderType": _named_string("order type", terms.order_type),
        "size": terms.size,
        "price": terms.price,
    }


def _side(side: str) -> int:
    if side not in SIDES:
        raise ValueError(f"side is neither BUY nor SELL: {side!r}")
    return SIDES[side]


def _order_id(text: str) -> int:
    if not (text.isascii() and text.isdecimal() and len(text) <= 75):
        raise ValueError(f"order id is not a decimal number: {text[:40]!r}")
    return int(text)
