"""How long a token lives, by its own claims."""

import base64
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.paradex.jwt import ASSUMED_LIFETIME, lifetime


def token(claims: str | bytes) -> str:
    payload = claims if isinstance(claims, bytes) else claims.encode()
    return f"eyJhbGciOiJFUzM4NCJ9.{base64.urlsafe_b64encode(payload).decode().rstrip('=')}.c2ln"


@given(iat=st.integers(0, 2**40), life=st.integers(1, 10**6), padding=st.text(max_size=4))
def test_lifetime_is_what_the_claims_say(iat: int, life: int, padding: str) -> None:
    """From issue to expiry, whatever else is in it and however long the base64 comes out."""
    assert lifetime(token(json.dumps({"iat": iat, "exp": iat + life, "sub": padding}))) == life


@pytest.mark.parametrize(
    "text",
    [
        *("", ".", "..", "opaque", "a.b.c", "a.\u00e4.c", "a.b", "a.%%%.c", "a.YQ.c"),
        *(
            token(claims)
            for claims in (
                "null",
                "[]",
                "{}",
                '{"iat":1}',
                '{"exp":1}',
                '{"iat":null,"exp":300}',
                '{"iat":"0","exp":"300"}',
                '{"iat":300,"exp":300}',
                '{"iat":301,"exp":300}',
                '{"iat":0,"exp":1e400}',
                '{"iat":0,"exp":' + "9" * 10_000 + "}",
                '{"iat":0,"exp":300,"new":' + "[" * 100_000 + "]" * 100_000 + "}",
                b'{"iat":0,"exp":300,"sub":"\xff',
            )
        ),
    ],
)
def test_tokens_that_do_not_say(text: str) -> None:
    """A token is the venue's own affair: one that cannot be read, or lived never, is taken for the usual one."""
    assert lifetime(text) == ASSUMED_LIFETIME == 240


@given(st.text() | st.binary().map(token))
def test_no_token_breaks_the_reader(text: str) -> None:
    """There is always a lifetime to plan with."""
    assert 0 < lifetime(text) < float("inf")
