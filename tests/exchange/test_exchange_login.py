"""Who is let in: onboarding, tokens and their lives."""

# ruff: noqa: ARG001 - pytest-trio takes its clock from the arguments of a test

from collections.abc import AsyncIterator
from typing import Any

import pytest
import trio
import trio.testing
from exchange_stage import EPOCH, HttpClient, Reply, Stage, StageClock, Trader, stage
from trio.testing import MockClock

from bot.exchange.identity.tokens import KEPT_TOKENS, READ, Grant, TokenRefused, Tokens

WEEK = 7 * 24 * 3600
YEAR = 365 * 24 * 3600
ISOLATED = "PARADEX-AUTHORIZE-ISOLATED-MARKETS"


@pytest.fixture
async def room(autojump_clock: MockClock) -> AsyncIterator[Stage]:
    async with stage(activity=0) as it:
        yield it


@pytest.fixture
async def client(room: Stage) -> HttpClient:
    return room.http()


@pytest.fixture
async def trader(client: HttpClient) -> Trader:
    somebody = Trader()
    await somebody.log_in(client)
    return somebody


def refused(reply: Reply) -> tuple[int, str]:
    body = reply.json()
    assert set(body) == {"error", "message", "data"}
    return reply.status, body["error"]


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


@pytest.mark.parametrize(
    ("members", "expected"),
    [
        ({"referral_code": 5}, (400, "BINDING_ERROR")),
        ({"referral_code": "no such code"}, (400, "INVALID_REFERRAL_CODE")),
        ({"referral_code": "x" * 65}, (400, "INVALID_REFERRAL_CODE")),
        ({"marketing_code": "<b>"}, (400, "INVALID_MARKETING_CODE")),
        ({"utm": "google"}, (400, "BINDING_ERROR")),
        ({"portfolio_margin": True}, (400, "PORTFOLIO_MARGIN_ONBOARDING_DISABLED")),
    ],
)
async def test_wrong_extras_refuse_the_onboarding(
    autojump_clock: MockClock,
    room: Stage,
    client: HttpClient,
    members: dict[str, Any],
    expected: tuple[int, str],
) -> None:
    """What no code looks like, and what is not served, is refused before anything is registered."""
    assert refused(await onboard(client, Trader(), **members)) == expected
    assert len(room.exchange.accounts) == 0


@pytest.mark.parametrize(
    ("timestamp", "expiration", "expected"),
    [
        (0, 1, 200),
        (0, WEEK, 200),
        (0, WEEK + 1, "INVALID_BLOCK_EXPIRATION"),
        (0, 0, "INVALID_BLOCK_EXPIRATION"),
        (60, 120, 200),
        (61, 120, "INVALID_TIMESTAMP"),
        (-WEEK + 1, 1, 200),
        (-WEEK, 1, "INVALID_BLOCK_EXPIRATION"),
        (-1000, 0, "INVALID_BLOCK_EXPIRATION"),
    ],
)
async def test_signatures_hold_from_their_time_to_their_expiration(
    autojump_clock: MockClock,
    client: HttpClient,
    trader: Trader,
    timestamp: int,
    expiration: int,
    expected: object,
) -> None:
    """At most a week, not before they are signed but for a minute of skew, and not once they expire."""
    headers = trader.auth_headers(EPOCH + timestamp, EPOCH + expiration)
    reply = await client.request("POST", "/v1/auth", headers=headers)
    assert (reply.json()["error"] if reply.status == 400 else reply.status) == expected


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


# -- read-only tokens --------------------------------------------------------------------------------------


async def create_token(client: HttpClient, trader: Trader, **members: Any) -> Reply:
    body = {"name": "dashboard", "token_type": "jwt", "expiry_duration": 86_400, **members}
    return await trader.ask(client, "POST", "/v1/account/tokens", body)


async def test_a_read_only_token_reads_for_its_life(
    autojump_clock: MockClock, room: Stage, client: HttpClient, trader: Trader
) -> None:
    """It opens GET and channels, long after JWTs have expired, refuses every write, and ends when it said."""
    reply = await create_token(client, trader)
    assert reply.status == 200
    reader = Trader()
    reader.token = reply.json()["token"]
    grant = room.exchange.tokens.check(reader.token)
    assert (grant.scope, room.exchange.may_trade(grant)) == (READ, False)
    await trio.sleep(86_399)
    client = room.http()
    assert (await reader.ask(client, "GET", "/v1/orders")).status == 200
    assert (await reader.ask(client, "HEAD", "/v1/orders")).status == 200
    socket = await room.websocket()
    assert "result" in await socket.call("auth", {"bearer": reader.token})
    for method, path in [
        ("POST", "/v1/orders"),
        ("DELETE", "/v1/orders"),
        ("PUT", "/v1/orders/5"),
        ("POST", "/v1/account/tokens"),
        ("POST", "/v1/account/keys/subkeys"),
    ]:
        assert refused(await reader.ask(client, method, path)) == (403, "INVALID_TOKEN_SCOPE"), path
    await trio.sleep(1)
    assert refused(await reader.ask(client, "GET", "/v1/orders")) == (401, "INVALID_TOKEN")


async def test_tokens_are_listed_restricted_and_revoked(
    autojump_clock: MockClock, room: Stage, client: HttpClient, trader: Trader
) -> None:
    """A token is shown without its text, is refused elsewhere once restricted, and at once when revoked."""
    created = (await create_token(client, trader, token_type="api_key")).json()
    token, lookup_id = created["token"], created["api_token"]["lookup_id"]
    now = EPOCH * 10**9
    assert created["api_token"] == {
        "allowed_cidrs": [],
        "created_at": now,
        "expiry_at": now + 86_400 * 10**9,
        "kind": "api_key",
        "last_updated_at": now,
        "lookup_id": lookup_id,
        "name": "dashboard",
        "revoked_at": 0,
        "token_id": "token_1",
    }

    async def listed(query: str) -> list[str]:
        results = (await trader.ask(client, "GET", f"/v1/account/tokens{query}")).json()["results"]
        return [row["lookup_id"] for row in results]

    async def status() -> int:
        return (
            await client.request("GET", "/v1/orders", headers={"Authorization": f"Bearer {token}"})
        ).status

    assert (await listed(""), await listed("?kind=api_key"), await listed("?kind=jwt")) == (
        [lookup_id],
        [lookup_id],
        [],
    )
    path = f"/v1/account/tokens/{lookup_id}"
    for cidrs, expected in ((["203.0.113.0/24"], 403), (["203.0.113.0/24", "127.0.0.0/8"], 200), ([], 200)):
        restricted = await trader.ask(client, "PUT", f"{path}/allowed-cidrs", {"allowed_cidrs": cidrs})
        assert (restricted.status, restricted.json()["allowed_cidrs"], await status()) == (
            200,
            cidrs,
            expected,
        )
    for _ in range(2):
        assert (await trader.ask(client, "DELETE", path)).json() == {"lookup_id": lookup_id}
        assert await status() == 401
    assert (await listed(""), await listed("?with_invalid=true")) == ([], [lookup_id])
    assert refused(await trader.ask(client, "PUT", f"{path}/allowed-cidrs", {})) == (404, "NOT_FOUND")
    assert refused(await trader.ask(client, "DELETE", "/v1/account/tokens/5")) == (404, "NOT_FOUND")
    assert refused(await trader.ask(client, "GET", "/v1/account/tokens?with_invalid=maybe")) == (
        400,
        "INVALID_REQUEST_PARAMETER",
    )


@pytest.mark.parametrize(
    ("members", "expected"),
    [
        ({"expiry_duration": 59}, (400, "INVALID_REQUEST_PARAMETER")),
        ({"expiry_duration": YEAR + 1}, (400, "INVALID_REQUEST_PARAMETER")),
        ({"expiry_duration": "60"}, (400, "VALIDATION_ERROR")),
        ({"name": " "}, (400, "VALIDATION_ERROR")),
        ({"name": "x" * 101}, (400, "VALIDATION_ERROR")),
        ({"token_type": ""}, (400, "VALIDATION_ERROR")),
        ({"token_type": "x" * 33}, (400, "VALIDATION_ERROR")),
        ({"allowed_cidrs": ["127.0.0.1"]}, (400, "INVALID_REQUEST_PARAMETER")),
        ({"allowed_cidrs": ["127.0.0.1/8"]}, (400, "INVALID_REQUEST_PARAMETER")),
        ({"allowed_cidrs": ["127.0.0.0/33"]}, (400, "INVALID_REQUEST_PARAMETER")),
        ({"allowed_cidrs": ["10.0.0.0/8"] * 51}, (400, "INVALID_REQUEST_PARAMETER")),
    ],
)
async def test_bad_tokens_are_not_made(
    autojump_clock: MockClock,
    client: HttpClient,
    trader: Trader,
    members: dict[str, Any],
    expected: tuple[int, str],
) -> None:
    """Each malformed member has its refusal, and nothing is listed afterwards."""
    assert refused(await create_token(client, trader, **members)) == expected
    assert (await trader.ask(client, "GET", "/v1/account/tokens")).json() == {"results": []}


async def test_an_account_has_fifty_tokens_at_most(
    autojump_clock: MockClock, room: Stage, client: HttpClient, trader: Trader
) -> None:
    """Expired and revoked ones do not count, and only the last hundred of those are remembered."""
    for _ in range(50):
        reply = await create_token(client, trader, expiry_duration=60)
        assert reply.status == 200
    assert refused(await create_token(client, trader)) == (400, "TOKEN_LIMIT_REACHED")
    lookup_id = reply.json()["api_token"]["lookup_id"]
    await trader.ask(client, "DELETE", f"/v1/account/tokens/{lookup_id}")
    assert (await create_token(client, trader, expiry_duration=60)).status == 200
    for _ in range(3):
        await trio.sleep(60)
        client = room.http()
        await trader.log_in(client)
        for _ in range(50):
            assert (await create_token(client, trader, expiry_duration=60)).status == 200
    everything = (await trader.ask(client, "GET", "/v1/account/tokens?with_invalid=1")).json()["results"]
    assert len(everything) <= 150


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
    assert KEPT_TOKENS == 4096
    issued = [tokens.issue(5, 6).text for _ in range(5)]
    for token in [*issued, issued[0]]:
        assert tokens.check(token).account == 5
    for garbage in ("", "a.b.c", issued[0][:-4] + "AAAA"):
        with pytest.raises(TokenRefused):
            tokens.check(garbage)
    assert list(tokens._held) == [issued[3], issued[4], issued[0]]


async def test_an_expired_lever_ends_held_tokens_too(autojump_clock: MockClock) -> None:
    """`expire_all` ends what was issued, verified or not, and nothing issued later."""
    tokens = Tokens(1, StageClock())
    old = tokens.issue(5, 6).text
    tokens.check(old)
    tokens.expire_all()
    with pytest.raises(TokenRefused, match="expired"):
        tokens.check(old)
    assert tokens.check(tokens.issue(5, 6).text).serial == 1
