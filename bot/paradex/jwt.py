"""The one thing that is read out of a token: how long it lives."""

import base64

import msgspec

from bot.paradex.answers import UNREADABLE

ASSUMED_LIFETIME = 240.0
"""Seconds, for a token that does not say: what the venue's own SDK assumes (protocol reference 2.2)."""


class _Claims(msgspec.Struct):
    iat: float
    exp: float


def lifetime(token: str) -> float:
    """Seconds from issue to expiry, by the token's own claims. A token that cannot be read is taken as opaque."""
    try:
        payload = token.split(".")[1]
        claims = msgspec.json.decode(
            base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)), type=_Claims
        )
    except (IndexError, *UNREADABLE):
        return ASSUMED_LIFETIME
    life = claims.exp - claims.iat
    return life if life > 0 else ASSUMED_LIFETIME
