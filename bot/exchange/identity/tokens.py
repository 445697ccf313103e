"""The JWTs the exchange hands out: ES256, five minutes, checked on every use (protocol reference 2.2)."""

import base64
import hashlib
from typing import Any, Final, Literal

import attrs
import msgspec
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature, encode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA256

from bot.core.clock import Clock
from bot.exchange.errors import UNREADABLE
from bot.exchange.limits import JWT_LIFETIME, KEPT_TOKENS

ISSUER = "Paradex embedded"
INTERACTIVE = "interactive"
"""The ``token_usage`` of a Retail token."""

P256_ORDER = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
_SECOND = 1_000_000_000


class TokenRefused(Exception):  # noqa: N818 - named for what happened to it
    """A bearer token that does not hold. ``malformed``: it is no JWT of ours at all."""

    def __init__(self, message: str, *, malformed: bool) -> None:
        super().__init__(message)
        self.malformed = malformed


Scope = Literal["trade", "read"]
TRADE: Final = "trade"
READ: Final = "read"


@attrs.frozen
class Grant:
    """What a token gives: the account (felt) it speaks for, and what it may do there.

    ``key`` is the public key that authenticated, the account's own or a subkey's. ``interactive``: its orders are
    Retail ones. A ``scope`` of ``read`` permits GET and channels only. ``serial`` numbers the tokens.
    """

    account: int
    interactive: bool
    key: int
    scope: Scope = TRADE
    serial: int = 0


@attrs.frozen
class Issued:
    """A token: its text, its number, and when it expires, in seconds."""

    text: str
    serial: int
    expires_at_s: int


class _Claims(msgspec.Struct):
    iss: str
    sub: str
    iat: int
    exp: int
    jti: int
    key: str
    scope: Scope = TRADE
    token_usage: str = ""


_CLAIMS = msgspec.json.Decoder(_Claims)
_HEADER = msgspec.json.Decoder(dict[str, Any])
_SIGNATURE = ec.ECDSA(SHA256())


def _encode(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def _decode(text: str) -> bytes:
    try:
        return base64.b64decode(text.encode("ascii") + b"=" * (-len(text) % 4), b"-_", validate=True)
    except ValueError as error:
        raise TokenRefused("malformed bearer token", malformed=True) from error


class Tokens:
    """Issues and checks tokens with one P-256 key. ``secret`` seeds the key.

    A token that was checked is held, so that its signature is checked once and not with every request.
    """

    def __init__(self, secret: int, clock: Clock) -> None:
        self._clock = clock
        self._key = ec.derive_private_key(1 + secret % (P256_ORDER - 1), ec.SECP256R1())
        self._public = self._key.public_key()
        self._issued = 0
        self._oldest_valid = 0
        self._held: dict[str, tuple[Grant, int]] = {}
        numbers = self._public.public_numbers()
        x, y = _encode(numbers.x.to_bytes(32)), _encode(numbers.y.to_bytes(32))
        point = {"crv": "P-256", "kty": "EC", "x": x, "y": y}
        # RFC 7638: the thumbprint hashes exactly these members, sorted.
        thumbprint = _encode(hashlib.sha256(msgspec.json.encode(point)).digest())
        self._header = {"alg": "ES256", "kid": thumbprint, "typ": "JWT"}
        self.jwks = {"keys": [{"alg": "ES256", "kid": thumbprint, "use": "sig", **point}]}

    def issue(
        self,
        account: int,
        key: int,
        *,
        interactive: bool = False,
        scope: Scope = TRADE,
        seconds: int = JWT_LIFETIME,
    ) -> Issued:
        """A token for the account, got with this public key, good for so many seconds of the exchange's clock."""
        now = self._clock.wall_ns() // _SECOND
        claims: dict[str, Any] = {
            "typ": "at+JWT",
            "iss": ISSUER,
            "sub": hex(account),
            "iat": now,
            "exp": now + seconds,
            "jti": self._issued,
            "key": hex(key),
        }
        if interactive:
            claims["token_usage"] = INTERACTIVE
        if scope != TRADE:
            claims["scope"] = scope
        self._issued += 1
        signed = f"{_encode(msgspec.json.encode(self._header))}.{_encode(msgspec.json.encode(claims))}"
        r, s = decode_dss_signature(self._key.sign(signed.encode(), _SIGNATURE))
        text = f"{signed}.{_encode(r.to_bytes(32) + s.to_bytes(32))}"
        return Issued(text, claims["jti"], claims["exp"])

    def expire_all(self) -> None:
        """Every token issued so far is expired from now on."""
        self._oldest_valid = self._issued

    def check(self, token: str) -> Grant:
        """What the token grants now.

        Raises:
            TokenRefused: not a token of this exchange, or expired.
        """
        held = self._held.get(token)
        if held is None:
            held = self._read(token)
            if len(self._held) >= KEPT_TOKENS:
                del self._held[next(iter(self._held))]
            self._held[token] = held
        grant, expires_at_s = held
        if self._clock.wall_ns() >= expires_at_s * _SECOND or grant.serial < self._oldest_valid:
            raise TokenRefused("token is expired", malformed=False)
        return grant

    def _read(self, token: str) -> tuple[Grant, int]:
        """What a token of ours grants, and when it expires, in seconds."""
        signed, _, signature_text = token.rpartition(".")
        header_text, _, claims_text = signed.partition(".")
        signature = _decode(signature_text)
        try:
            header = _HEADER.decode(_decode(header_text))
            claims = _CLAIMS.decode(_decode(claims_text))
        except UNREADABLE as error:
            raise TokenRefused("malformed bearer token", malformed=True) from error
        if header != self._header or len(signature) != 64:
            raise TokenRefused("invalid bearer token", malformed=False)
        encoded = encode_dss_signature(int.from_bytes(signature[:32]), int.from_bytes(signature[32:]))
        try:
            self._public.verify(encoded, signed.encode(), _SIGNATURE)
        except InvalidSignature as error:
            raise TokenRefused("invalid bearer token", malformed=False) from error
        grant = Grant(
            account=int(claims.sub, 16),
            interactive=claims.token_usage == INTERACTIVE,
            key=int(claims.key, 16),
            scope=claims.scope,
            serial=claims.jti,
        )
        return grant, claims.exp
