"""What is read out of a token: how long it lives, and whether its orders are Retail ones."""

import base64
from typing import TypeVar

import msgspec

from bot.paradex.answers import UNREADABLE

T = TypeVar("T")

ASSUMED_LIFETIME = 240.0
"""Seconds, for a token that does not say: what the venue's own SDK assumes (protocol reference 2.2)."""

INTERACTIVE = "interactive"
"""The ``token_usage`` of a token whose orders are all Retail orders, which wait 300 ms (protocol reference 2.2)."""


class _Claims(msgspec.Struct):
    iat: float
    exp: float


class _Usage(msgspec.Struct):
    token_usage: str | None = None


def lifetime(token: str) -> float:
    """Seconds from issue to expiry, by the token's own claims. A token that cannot be read is taken as opaque."""
    claims = _read(token, _Claims)
    if claims is None:
        return ASSUMED_LIFETIME
    life = claims.exp - claims.iat
    return life if life > 0 else ASSUMED_LIFETIME


def is_interactive(token: str) -> bool | None:
    """Whether its orders are Retail ones, as far as its claims tell; None where it cannot be read."""
    claims = _read(token, _Usage)
    return None if claims is None else claims.token_usage == INTERACTIVE


def _read(token: str, claims: type[T]) -> T | None:
    try:
        payload = token.split(".")[1]
        return msgspec.json.decode(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)), type=claims)
    except (IndexError, *UNREADABLE):
        return None
