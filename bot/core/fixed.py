"""Fixed-point numbers: prices, sizes and money as integers of 10⁻⁸.

That is the resolution of the venue's signatures and of its binary frames (protocol reference 2.3, 6.2), so
hashing and decoding convert nothing. Decimal strings exist only at the edges: JSON, settings, what people read.
"""

import re
from functools import lru_cache
from typing import NewType

Fixed = NewType("Fixed", int)
"""An integer of 10⁻⁸. Sums of these are plain ints; the name marks what is read from and written to text."""

DECIMALS = 8
SCALE: int = 10**DECIMALS

# No exponent, no sign but a minus, no bare point: what JSON of the venue and a careful person write.
_PLAIN_DECIMAL = re.compile(r"(-?)([0-9]{1,20})(?:\.([0-9]{1,40}))?", re.ASCII)


@lru_cache(maxsize=4096)  # the same sizes and prices come again and again
def parse(text: str) -> Fixed:
    """Read a plain decimal such as ``"42000.5"`` into units of 10⁻⁸.

    Raises:
        ValueError: not a plain decimal, or finer than 10⁻⁸ (nothing is rounded silently).
    """
    match = _PLAIN_DECIMAL.fullmatch(text)
    if match is None:
        raise ValueError(f"not a plain decimal number: {text[:40]!r}")
    sign, whole, fraction = match.groups(default="")
    fraction = fraction.rstrip("0")
    if len(fraction) > DECIMALS:
        raise ValueError(f"finer than {DECIMALS} decimals: {text[:40]!r}")
    value = int(whole) * SCALE + int(fraction.ljust(DECIMALS, "0"))
    return Fixed(-value if sign else value)


def parse_rounded(text: str) -> Fixed:
    """As `parse`, of what is only counted, and never sent: what is finer than 10⁻⁸ is cut off toward zero."""
    whole, point, fraction = text.partition(".")
    return parse(f"{whole}{point}{fraction[:DECIMALS]}" if fraction.isdecimal() else text)


@lru_cache(maxsize=4096)
def render(value: int) -> str:
    """Write units of 10⁻⁸ as a plain decimal without trailing zeros: ``4200050000000`` → ``"42000.5"``."""
    whole, fraction = divmod(abs(value), SCALE)
    sign = "-" if value < 0 else ""
    if not fraction:
        return f"{sign}{whole}"
    return f"{sign}{whole}.{fraction:08d}".rstrip("0")


def multiply(left: int, right: int) -> int:
    """The product of two fixed-point numbers, truncated toward zero: size × price is money."""
    product = left * right
    return product // SCALE if product >= 0 else -(-product // SCALE)
