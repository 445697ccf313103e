"""Read-only tokens: made, used, restricted, revoked."""

# ruff: noqa: ARG001 - pytest-trio takes its clock from the arguments of a test

from typing import Any

import pytest
import trio
import trio.testing
from exchange_stage import EPOCH, HttpClient, Reply, Stage, Trader
from subkey_stage import refused
from trio.testing import MockClock

from bot.exchange import limits
from bot.exchange.identity import readonly
from bot.exchange.identity.tokens import READ

YEAR = 365 * 24 * 3600


async def create_token(client: HttpClient, trader: Trader, **members: Any) -> Reply:
    body = {"name": "dashboard", "token_type": "jwt", "expiry_duration": 86_400, **members}
    return await trader.ask(client, "POST", "/v1/account/tokens", body)


async def test_a_read_only_token_reads_for_its_life(
    autojump_clock: MockClock, room: Stage, client: HttpClient, trader: Trader
) -> None:
    """It opens GET and channels, long after JWTs have expired, refuses every write, and ends when it said."""
    reply = await create_token(client, trader, expiry_duration=600)
    assert reply.status == 200
    reader = Trader()
    reader.token = reply.json()["token"]
    grant = room.exchange.tokens.check(reader.token)
    assert (grant.scope, room.exchange.may_trade(grant)) == (READ, False)
    await trio.sleep(599)
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


BAD_TOKENS: list[tuple[dict[str, Any], tuple[int, str]]] = [
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
]


async def test_bad_tokens_are_not_made(autojump_clock: MockClock, client: HttpClient, trader: Trader) -> None:
    """Each malformed member has its refusal, and nothing is listed afterwards."""
    for members, expected in BAD_TOKENS:
        assert refused(await create_token(client, trader, **members)) == expected, members
    assert (await trader.ask(client, "GET", "/v1/account/tokens")).json() == {"results": []}


async def test_an_account_has_fifty_tokens_at_most(
    autojump_clock: MockClock,
    room: Stage,
    client: HttpClient,
    trader: Trader,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Expired and revoked ones do not count, and only the last hundred of those are remembered."""
    assert (limits.MOST_TOKENS, limits.KEPT_INVALID_TOKENS) == (50, 100)
    monkeypatch.setattr(readonly, "MOST_TOKENS", 3)
    monkeypatch.setattr(readonly, "KEPT_INVALID_TOKENS", 4)
    made = [(await create_token(client, trader, expiry_duration=60)).json()["api_token"] for _ in range(3)]
    assert refused(await create_token(client, trader)) == (400, "TOKEN_LIMIT_REACHED")
    await trader.ask(client, "DELETE", f"/v1/account/tokens/{made[1]['lookup_id']}")
    made += [(await create_token(client, trader, expiry_duration=60)).json()["api_token"]]
    for _ in range(2):
        await trio.sleep(60)
        client = room.http()
        made += [
            (await create_token(client, trader, expiry_duration=60)).json()["api_token"] for _ in range(3)
        ]
    everything = (await trader.ask(client, "GET", "/v1/account/tokens?with_invalid=1")).json()["results"]
    assert [row["lookup_id"] for row in everything] == [token["lookup_id"] for token in made[-7:]]
