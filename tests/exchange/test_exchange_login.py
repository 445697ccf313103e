"""Who is let in: onboarding, tokens and their lives."""

# ruff: noqa: ARG001 - pytest-trio takes its clock from the arguments of a test

from typing import Any

import pytest
import trio
import trio.testing
from exchange_stage import EPOCH, HttpClient, Reply, Stage, StageClock, Trader
from subkey_stage import refused
from trio.testing import MockClock

from bot.exchange import limits
from bot.exchange.identity.tokens import Grant, TokenRefused, Tokens

WEEK = 7 * 24 * 3600
ISOLATED = "PARADEX-AUTHORIZE-ISOLATED-MARKETS"


async def onboard(client: HttpClient, trader: Trader, **members: Any) -> Reply:
    body = {"public_key": hex(trader.public_key), **members}
    return await client.request("POST", "/v1/onboarding", body, trader.onboarding_headers())


async def test_what_else_an_onboarding_may_carry(autojump_clock: MockClock, client: HttpClient) -> None:
    """Well-formed codes, null ones, ccxt's timestamp and unknown members are no obstacle."""
    trader = Trader()
    assert (
        await onboard(
            client,
            trader,
            referral_code="cryptofox8",
            marketing_code="abcd:code1",
            utm={"campaign": "summer2024", "source": "google", "type": "clickthrough"},
            portfolio_margin=False,
            colour="red",
        )
    ).status == 200
    assert (await onboard(client, trader, referral_code=None, marketing_code="", utm=None)).status == 200
    headers = {**trader.onboarding_headers(), "PARADEX-TIMESTAMP": str(EPOCH)}
    body = {"public_key": hex(trader.public_key)}
    assert (await client.request("POST", "/v1/onboarding", body, headers)).status == 200


WRONG_EXTRAS: list[tuple[dict[str, Any], tuple[int, str]]] = [
    ({"referral_code": 5}, (400, "BINDING_ERROR")),
    ({"referral_code": "no such code"}, (400, "INVALID_REFERRAL_CODE")),
    ({"referral_code": "x" * 65}, (400, "INVALID_REFERRAL_CODE")),
    ({"marketing_code": "<b>"}, (400, "INVALID_MARKETING_CODE")),
    ({"utm": "google"}, (400, "BINDING_ERROR")),
    ({"portfolio_margin": True}, (400, "PORTFOLIO_MARGIN_ONBOARDING_DISABLED")),
]


async def test_wrong_extras_refuse_the_onboarding(
    autojump_clock: MockClock, room: Stage, client: HttpClient
) -> None:
    """What no code looks like, and what is not served, is refused before anything is registered."""
    for members, expected in WRONG_EXTRAS:
        assert refused(await onboard(client, Trader(), **members)) == expected, members
    assert len(room.exchange.accounts) == 0


TIMES = [
    (0, 1, 200),
    (0, WEEK, 200),
    (0, WEEK + 1, "INVALID_BLOCK_EXPIRATION"),
    (0, 0, "INVALID_BLOCK_EXPIRATION"),
    (60, 120, 200),
    (61, 120, "INVALID_TIMESTAMP"),
    (-WEEK + 1, 1, 200),
    (-WEEK, 1, "INVALID_BLOCK_EXPIRATION"),
    (-1000, 0, "INVALID_BLOCK_EXPIRATION"),
]


async def test_signatures_hold_from_their_time_to_their_expiration(
    autojump_clock: MockClock, client: HttpClient, trader: Trader
) -> None:
    """At most a week, not before they are signed but for a minute of skew, and not once they expire."""
    for timestamp, expiration, expected in TIMES:
        headers = trader.auth_headers(EPOCH + timestamp, EPOCH + expiration)
        reply = await client.request("POST", "/v1/auth", headers=headers)
        outcome = reply.json()["error"] if reply.status == 400 else reply.status
        assert outcome == expected, (timestamp, expiration)


@pytest.mark.parametrize("late", [0, 1])
async def test_without_an_expiration_a_signature_holds_for_half_an_hour(
    autojump_clock: MockClock, room: Stage, trader: Trader, late: int
) -> None:
    """What is signed then is the timestamp plus 30 minutes."""
    headers = trader.auth_headers(EPOCH, EPOCH + 1800)
    del headers["PARADEX-SIGNATURE-EXPIRATION"]
    await trio.sleep(1799 + late)
    reply = await room.http().request("POST", f"/v1/auth/{trader.public_key:#x}", headers=headers)
    assert reply.status == (400 if late else 200)


async def test_what_else_may_be_asked_of_an_authentication(
    autojump_clock: MockClock, client: HttpClient, trader: Trader
) -> None:
    """Isolated accounts may be asked for, in Go's words for yes and no; any other word and usage is refused."""
    for asked in ("true", "false", "1", ""):
        headers = {**trader.auth_headers(), ISOLATED: asked}
        assert (await client.request("POST", "/v1/auth", headers=headers)).status == 200
    headers = {**trader.auth_headers(), ISOLATED: "please"}
    expected = (400, "INVALID_REQUEST_PARAMETER")
    assert refused(await client.request("POST", "/v1/auth", headers=headers)) == expected
    path = "/v1/auth?token_usage=withdrawals"
    assert refused(await client.request("POST", path, headers=trader.auth_headers())) == expected


async def test_interactive_tokens_are_marked(
    autojump_clock: MockClock, room: Stage, client: HttpClient, trader: Trader
) -> None:
    """A grant says whose it is, by which key, and whether its orders are Retail ones."""
    assert room.exchange.tokens.check(trader.token) == Grant(
        trader.address, interactive=False, key=trader.public_key, serial=0
    )
    await trader.log_in(client, "?token_usage=interactive")
    grant = room.exchange.tokens.check(trader.token)
    assert (grant.interactive, grant.scope, grant.serial) == (True, "trade", 1)
    assert room.exchange.may_trade(grant)


# -- the tokens themselves ---------------------------------------------------------------------------------


async def test_a_token_is_verified_once_and_still_expires(
    autojump_clock: MockClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The arithmetic happens with its first use only; its end, and the lever's, come all the same."""
    tokens = Tokens(1, StageClock())
    token = tokens.issue(5, 6).text
    assert tokens.check(token) == Grant(5, interactive=False, key=6)
    monkeypatch.setattr(tokens, "_public", None)
    await trio.sleep(299)
    assert tokens.check(token).account == 5
    await trio.sleep(1)
    with pytest.raises(TokenRefused, match="expired"):
        tokens.check(token)


async def test_held_tokens_are_bounded(autojump_clock: MockClock, monkeypatch: pytest.MonkeyPatch) -> None:
    """The oldest goes first, is verified again when it comes back, and garbage is never held."""
    tokens = Tokens(1, StageClock())
    monkeypatch.setattr("bot.exchange.identity.tokens.KEPT_TOKENS", 3)
    assert limits.KEPT_TOKENS == 4096
    await trio.lowlevel.checkpoint()
    issued = [tokens.issue(5, 6).text for _ in range(5)]
    for token in [*issued, issued[0]]:
        assert tokens.check(token).account == 5
    for garbage in ("", "a.b.c", issued[0][:-4] + "AAAA"):
        with pytest.raises(TokenRefused):
            tokens.check(garbage)
    assert list(tokens._held) == [issued[3], issued[4], issued[0]]


async def test_an_expired_lever_ends_held_tokens_too(autojump_clock: MockClock) -> None:
    """`expire_all` ends what was issued, verified or not, and nothing issued later."""
    await trio.lowlevel.checkpoint()
    tokens = Tokens(1, StageClock())
    old = tokens.issue(5, 6).text
    tokens.check(old)
    tokens.expire_all()
    with pytest.raises(TokenRefused, match="expired"):
        tokens.check(old)
    assert tokens.check(tokens.issue(5, 6).text).serial == 1
