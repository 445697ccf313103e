"""The address of an account, and how field elements are written on the wire (protocol reference 2.1)."""

import re

import attrs

from bot.paradex.snip12 import FIELD_PRIME, Pedersen, hash_elements, short_string

INITIALIZE = 0x79DC0DA7C54B95F10AA182AD0A46400DB63156920ADB65ECA2654C0945A463
"""Keccak-256 of ``initialize`` modulo 2²⁵⁰: the selector that the account's constructor calls."""

ADDRESS_BOUND = 2**251 - 256

_HEX = re.compile(r"0x[0-9a-fA-F]{1,64}", re.ASCII)


@attrs.frozen(kw_only=True)
class AccountClasses:
    """The class hashes an account is made of, read from ``/system/config``: they differ by environment."""

    proxy: int
    """``paraclear_account_proxy_hash``"""

    account: int
    """``paraclear_account_hash``"""


def account_address(pedersen: Pedersen, *, public_key: int, classes: AccountClasses) -> int:
    """The address of the account that ``public_key`` owns: a Starknet contract address with deployer 0."""
    constructor_calldata = (classes.account, INITIALIZE, 2, public_key, 0)
    return (
        hash_elements(
            pedersen,
            short_string("STARKNET_CONTRACT_ADDRESS"),
            0,
            public_key,
            classes.proxy,
            hash_elements(pedersen, *constructor_calldata),
        )
        % ADDRESS_BOUND
    )


def to_hex(element: int) -> str:
    """A field element as the wire writes it: ``0x``, lower case, no padding."""
    return f"{element:#x}"


def from_hex(text: str) -> int:
    """Read a field element: ``0x`` and hexadecimal digits of either case, padded or not.

    Raises:
        ValueError: not of this form, or not below the field prime.
    """
    if not _HEX.fullmatch(text):
        raise ValueError(f"not hexadecimal text beginning with 0x: {text[:80]!r}")
    element = int(text, 16)
    if element >= FIELD_PRIME:
        raise ValueError(f"not below the field prime: {text!r}")
    return element
