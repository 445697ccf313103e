"""Subkeys: used to trade, restricted, revoked."""

# ruff: noqa: ARG001 - pytest-trio takes its clock from the arguments of a test

import pytest
import trio
import trio.testing
from exchange_stage import EPOCH, HttpClient, Stage, Trader
from subkey_stage import SUBKEYS, Subtrader, refused
from trio.testing import MockClock

from bot.exchange import limits
from bot.exchange.errors import VenueError
from bot.exchange.identity import subkeys
from bot.exchange.transport.http import Request

ELSEWHERE = "203.0.113.7"
NS = 10**9


@pytest.fixture
async def sub(client: HttpClient, trader: Trader) -> Subtrader:
    """A subkey that is registered and logged in."""
    somebody = Subtrader(trader)
    assert (await trader.ask(client, "POST", SUBKEYS, somebody.body)).status == 201
    assert (await somebody.authenticate(client)).status == 200
    return somebody


async def test_a_subkey_is_registered_and_shown(
    autojump_clock: MockClock, client: HttpClient, trader: Trader, sub: Subtrader
) -> None:
    """The answer to a registration is empty; the key is found alone and in the list, by the subkey too."""
    expected = {
        "account_id": hex(trader.address),
        "allowed_cidrs": [],
        "created_at": EPOCH * NS,
        "id": 1,
        "name": "desk",
        "public_key": hex(sub.public_key),
        "revoked_at": 0,
        "state": "active",
        "updated_at": EPOCH * NS,
    }
    for somebody in (trader, sub):
        assert (await somebody.ask(client, "GET", SUBKEYS)).json() == {"results": [expected]}
        assert (await somebody.ask(client, "GET", sub.path)).json() == expected
    other = Trader(0x5555)
    await other.log_in(client)
    assert (await other.ask(client, "GET", SUBKEYS)).json() == {"results": []}
    assert refused(await other.ask(client, "GET", sub.path)) == (404, "NOT_FOUND")


async def test_a_subkey_needs_its_own_path_and_signature(
    autojump_clock: MockClock, room: Stage, client: HttpClient, trader: Trader, sub: Subtrader
) -> None:
    """Plain /auth is the main key's; a path that names one key takes no other's signature."""
    grant = room.exchange.tokens.check(sub.token)
    assert (grant.account, grant.key, room.exchange.may_trade(grant)) == (
        trader.address,
        sub.public_key,
        True,
    )
    wrong = (401, "STARKNET_SIGNATURE_VERIFICATION_FAILED")
    assert refused(await client.request("POST", "/v1/auth", headers=sub.auth_headers())) == wrong
    path = f"/v1/auth/{sub.public_key:#x}"
    assert refused(await client.request("POST", path, headers=trader.auth_headers())) == wrong
    path = f"/v1/auth/{trader.public_key:#x}"
    assert refused(await client.request("POST", path, headers=sub.auth_headers())) == wrong
    stranger = Subtrader(trader, 0x777)
    assert refused(await stranger.authenticate(client)) == (401, "INVALID_SUBKEY")
    for path in ("/v1/auth/zebra", "/v1/auth/0x5"):
        reply = await client.request("POST", path, headers=sub.auth_headers())
        assert refused(reply) == (400, "PUBLIC_KEY_INVALID")


async def test_a_subkey_opens_one_account(
    autojump_clock: MockClock, client: HttpClient, trader: Trader, sub: Subtrader
) -> None:
    """It may sign for another account as often as it likes."""
    other = Trader(0x5555)
    await other.log_in(client)
    sub.address = other.address
    assert refused(await sub.authenticate(client)) == (401, "INVALID_SUBKEY")


async def test_a_subkey_cannot_onboard(
    autojump_clock: MockClock, room: Stage, client: HttpClient, sub: Subtrader
) -> None:
    """A key has one account, be it as its own key or as a subkey."""
    own = Trader(sub.key)
    body = {"public_key": hex(own.public_key)}
    reply = await client.request("POST", "/v1/onboarding", body, own.onboarding_headers())
    assert refused(reply) == (401, "INVALID_SUBKEY")
    assert len(room.exchange.accounts) == 1


async def test_a_subkey_trades_and_manages_nothing(
    autojump_clock: MockClock, client: HttpClient, trader: Trader, sub: Subtrader
) -> None:
    """It reads and cancels for the account; keys and tokens are the main key's."""
    assert (await trader.place(client)).status == 201
    await trio.sleep(1)
    assert len((await sub.ask(client, "GET", "/v1/orders")).json()["results"]) == 1
    assert (await sub.ask(client, "DELETE", "/v1/orders")).status == 200
    await trio.sleep(1)
    assert (await trader.ask(client, "GET", "/v1/orders")).json()["results"] == []
    token = {"name": "t", "token_type": "jwt", "expiry_duration": 60}
    for method, path, body in [
        ("POST", SUBKEYS, Subtrader(trader, 0x999).body),
        ("PUT", sub.path, {"name": "other"}),
        ("PUT", f"{sub.path}/allowed-cidrs", {"allowed_cidrs": []}),
        ("DELETE", sub.path, None),
        ("POST", "/v1/account/tokens", token),
        ("DELETE", "/v1/account/tokens/5", None),
    ]:
        assert refused(await sub.ask(client, method, path, body)) == (403, "INVALID_TOKEN_SCOPE"), path


async def test_revoking_ends_everything_at_once(
    autojump_clock: MockClock, room: Stage, client: HttpClient, trader: Trader, sub: Subtrader
) -> None:
    """Its tokens, its logins and its right to trade on an open socket; the main key goes on. Again is no error."""
    socket = await room.websocket()
    assert "result" in await socket.call("auth", {"bearer": sub.token})
    grant = room.exchange.tokens.check(sub.token)
    for _ in range(2):
        reply = await trader.ask(client, "DELETE", sub.path)
        assert (reply.status, reply.json()) == (200, {"public_key": hex(sub.public_key)})
    assert not room.exchange.may_trade(grant)
    assert refused(await sub.ask(client, "GET", "/v1/orders")) == (401, "INVALID_TOKEN")
    assert refused(await sub.authenticate(client)) == (401, "INVALID_SUBKEY")
    again = await room.websocket()
    assert (await again.call("auth", {"bearer": sub.token}))["error"]["code"] == 40111
    assert "result" in await again.call("auth", {"bearer": trader.token})
    assert (await trader.ask(client, "GET", SUBKEYS)).json() == {"results": []}
    for query in ("with_revoked=true", "include_revoked=true"):
        [shown] = (await trader.ask(client, "GET", f"{SUBKEYS}?{query}")).json()["results"]
        assert (shown["state"], shown["revoked_at"]) == ("revoked", EPOCH * NS)
    assert refused(await trader.ask(client, "POST", SUBKEYS, sub.body)) == (400, "NOT_UNIQUE")
    assert refused(await trader.ask(client, "PUT", sub.path, {"name": "x"})) == (404, "NOT_FOUND")


async def test_a_subkey_can_be_renamed(
    autojump_clock: MockClock, client: HttpClient, trader: Trader, sub: Subtrader
) -> None:
    """The answer is the subkey as it is now."""
    await trio.sleep(2)
    reply = (await trader.ask(client, "PUT", sub.path, {"name": "night desk"})).json()
    assert (reply["name"], reply["created_at"], reply["updated_at"]) == (
        "night desk",
        EPOCH * NS,
        (EPOCH + 2) * NS,
    )
    assert refused(await trader.ask(client, "PUT", sub.path, {"name": ""})) == (400, "VALIDATION_ERROR")
    assert refused(await trader.ask(client, "PUT", sub.path, {})) == (400, "VALIDATION_ERROR")
    assert refused(await trader.ask(client, "PUT", sub.path, b"{")) == (400, "BINDING_ERROR")


async def test_an_allow_list_keeps_others_out(
    autojump_clock: MockClock, room: Stage, client: HttpClient, trader: Trader, sub: Subtrader
) -> None:
    """A call, a login and a socket from elsewhere are refused; emptied, the list lets everybody in again."""
    path = f"{sub.path}/allowed-cidrs"
    reply = await trader.ask(client, "PUT", path, {"allowed_cidrs": ["203.0.113.0/24", "2001:db8::/32"]})
    assert reply.json()["allowed_cidrs"] == ["203.0.113.0/24", "2001:db8::/32"]
    assert refused(await sub.ask(client, "GET", "/v1/orders")) == (403, "IP_NOT_ALLOWED")
    assert refused(await sub.authenticate(client)) == (403, "IP_NOT_ALLOWED")
    socket = await room.websocket()
    refusal = (await socket.call("auth", {"bearer": sub.token}))["error"]
    assert (refusal["code"], refusal["data"]) == (40111, "IP_NOT_ALLOWED")
    grant = room.exchange.tokens.check(sub.token)
    for peer, expected in ((ELSEWHERE, 200), ("2001:db8::1", 200), ("198.51.100.1", 403)):
        request = Request("GET", ("v1", "orders"), {}, {"authorization": f"Bearer {sub.token}"}, b"", peer)
        assert (await room.rest.handle(request)).status == expected
        assert room.exchange.may_trade(grant, peer) == (expected == 200)
    assert (await trader.ask(client, "PUT", path, {})).json()["allowed_cidrs"] == []
    assert (await sub.ask(client, "GET", "/v1/orders")).status == 200


async def test_a_key_has_one_account(
    autojump_clock: MockClock, client: HttpClient, trader: Trader, sub: Subtrader
) -> None:
    """Neither another's subkey nor anybody's main key can be registered."""
    other = Trader(0x5555)
    await other.log_in(client)
    taken = (400, "NOT_UNIQUE")
    for key in (sub.public_key, other.public_key, trader.public_key):
        body = {"name": "n", "public_key": hex(key)}
        assert refused(await other.ask(client, "POST", SUBKEYS, body)) == taken


async def test_an_account_has_a_hundred_subkeys_at_most(
    autojump_clock: MockClock,
    room: Stage,
    client: HttpClient,
    trader: Trader,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Revoked ones do not count; of those the last hundred are remembered, and earlier ones are free again."""
    assert (limits.MOST_SUBKEYS, limits.KEPT_REVOKED_SUBKEYS) == (100, 100)
    monkeypatch.setattr(subkeys, "MOST_SUBKEYS", 3)
    monkeypatch.setattr(subkeys, "KEPT_REVOKED_SUBKEYS", 4)
    exchange = room.exchange
    keys = [Trader(0x10000 + number).public_key for number in range(6)]
    for key in keys[:3]:
        exchange.register_subkey(trader.address, key)
    body = {"name": "n", "public_key": hex(keys[3])}
    assert refused(await trader.ask(client, "POST", SUBKEYS, body)) == (400, "REQUEST_NOT_ALLOWED")
    for key in keys[:3]:
        exchange.revoke_subkey(trader.address, key)
    for key in keys[3:]:
        exchange.register_subkey(trader.address, key)
        exchange.revoke_subkey(trader.address, key)
    listed = (await trader.ask(client, "GET", f"{SUBKEYS}?with_revoked=true")).json()["results"]
    assert [row["public_key"] for row in listed] == [hex(key) for key in keys[2:]]
    with pytest.raises(VenueError, match="NOT_UNIQUE"):
        exchange.register_subkey(trader.address, keys[2])
    exchange.register_subkey(trader.address, keys[0])


async def test_levers_know_who_exists(autojump_clock: MockClock, room: Stage, trader: Trader) -> None:
    """A subkey of nobody cannot be made, and one that is not there cannot be revoked."""
    await trio.lowlevel.checkpoint()
    with pytest.raises(VenueError, match="ACCOUNT_NOT_FOUND"):
        room.exchange.register_subkey(5, Trader(0x999).public_key)
    with pytest.raises(VenueError, match="PUBLIC_KEY_INVALID"):
        room.exchange.register_subkey(trader.address, 5)
    with pytest.raises(VenueError, match="NOT_FOUND"):
        room.exchange.revoke_subkey(trader.address, trader.public_key)


async def test_who_may_sign_for_an_account(
    autojump_clock: MockClock, room: Stage, trader: Trader, sub: Subtrader
) -> None:
    """Its own key and its active subkeys."""
    await trio.lowlevel.checkpoint()
    account = room.exchange.accounts.find(trader.address)
    assert account is not None
    assert room.exchange.gate.signing_keys(account) == (trader.public_key, sub.public_key)
    room.exchange.revoke_subkey(trader.address, sub.public_key)
    assert room.exchange.gate.signing_keys(account) == (trader.public_key,)
