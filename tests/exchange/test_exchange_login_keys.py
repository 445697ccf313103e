"""Subkeys: registered, used to trade, restricted, handed over, revoked."""

# ruff: noqa: ARG001 - pytest-trio takes its clock from the arguments of a test

from collections.abc import AsyncIterator
from typing import Any

import pytest
import trio
import trio.testing
from exchange_stage import EPOCH, HttpClient, Reply, Stage, Trader, stage
from trio.testing import MockClock

from bot.exchange.errors import VenueError
from bot.exchange.identity.snip12 import array_hash
from bot.exchange.identity.stark import pedersen
from bot.exchange.transport.http import Answer, HttpConnection, Request
from bot.exchange.transport.peer import peer_of

SUBKEYS = "/v1/account/keys/subkeys"
ELSEWHERE = "203.0.113.7"
NS = 10**9


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


class Subtrader(Trader):
    """Somebody with a key of their own who speaks for another's account."""

    def __init__(self, main: Trader, key: int = 0xABCDEF) -> None:
        super().__init__(key)
        self.address = main.address

    @property
    def body(self) -> dict[str, Any]:
        return {"name": "desk", "public_key": hex(self.public_key)}

    @property
    def path(self) -> str:
        return f"{SUBKEYS}/{self.public_key:#x}"

    async def authenticate(self, client: HttpClient, query: str = "") -> Reply:
        path = f"/v1/auth/{self.public_key:#x}{query}"
        reply = await client.request("POST", path, headers=self.auth_headers())
        if reply.status == 200:
            self.token = reply.json()["jwt_token"]
        return reply


@pytest.fixture
async def sub(client: HttpClient, trader: Trader) -> Subtrader:
    """A subkey that is registered and logged in."""
    somebody = Subtrader(trader)
    assert (await trader.ask(client, "POST", SUBKEYS, somebody.body)).status == 201
    assert (await somebody.authenticate(client)).status == 200
    return somebody


def refused(reply: Reply) -> tuple[int, str]:
    body = reply.json()
    assert set(body) == {"error", "message", "data"}
    return reply.status, body["error"]


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


@pytest.mark.parametrize(
    ("members", "expected"),
    [
        ({"name": ""}, (400, "VALIDATION_ERROR")),
        ({"public_key": "0x5"}, (400, "PUBLIC_KEY_INVALID")),
        ({"public_key": 5}, (400, "VALIDATION_ERROR")),
        ({"state": "revoked"}, (400, "VALIDATION_ERROR")),
        ({"state": "pending"}, (400, "VALIDATION_ERROR")),
        ({"state": "pending", "encrypted_key": "0x1"}, (400, "VALIDATION_ERROR")),
        ({"state": "pending", "encrypted_key": "0x1", "eph_public_key": "0x5"}, (400, "PUBLIC_KEY_INVALID")),
        ({"allowed_cidrs": ["everywhere/0"]}, (400, "INVALID_REQUEST_PARAMETER")),
        ({"evm_signature": "0x12"}, (400, "REQUEST_NOT_ALLOWED")),
        ({"signature": ["1"]}, (401, "INVALID_STARKNET_SIGNATURE")),
        ({"signature": ["1", "2", "3"]}, (401, "INVALID_STARKNET_SIGNATURE")),
        ({"signature": ["1", "x"]}, (401, "INVALID_STARKNET_SIGNATURE")),
        ({"signature": ["1", "2"]}, (400, "INVALID_TIMESTAMP")),
    ],
)
async def test_bad_registrations_are_refused(
    autojump_clock: MockClock,
    client: HttpClient,
    trader: Trader,
    members: dict[str, Any],
    expected: tuple[int, str],
) -> None:
    """Each malformed member has its refusal, and nothing is registered."""
    body = {**Subtrader(trader).body, **members}
    assert refused(await trader.ask(client, "POST", SUBKEYS, body)) == expected
    assert (await trader.ask(client, "GET", SUBKEYS)).json() == {"results": []}


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


def signed(trader: Trader, sub: Subtrader, timestamp: int, expiry: int) -> dict[str, Any]:
    """A registration that the main key signed."""
    message = array_hash([trader.address, sub.public_key, timestamp, expiry])
    signature = trader.sign(message)[2:-2].split('","')
    return {
        **sub.body,
        "signature": signature,
        "signature_timestamp": timestamp,
        "signature_expiry": expiry,
    }


@pytest.mark.parametrize(
    ("timestamp", "expiry", "expected"),
    [
        (0, 600, None),
        (61, 600, "INVALID_TIMESTAMP"),
        (-600, 0, "INVALID_BLOCK_EXPIRATION"),
        (0, 604_801, "INVALID_BLOCK_EXPIRATION"),
    ],
)
async def test_a_registration_may_be_signed(
    autojump_clock: MockClock, timestamp: int, expiry: int, expected: str | None
) -> None:
    """With the setting it must be; the signature covers account, key and both times, and holds between them."""
    async with stage(activity=0, subkey_registration="signed") as room:
        client = room.http()
        trader = Trader()
        await trader.log_in(client)
        sub = Subtrader(trader)
        unsigned = await trader.ask(client, "POST", SUBKEYS, sub.body)
        assert refused(unsigned) == (401, "INVALID_STARKNET_SIGNATURE")
        body = signed(trader, sub, EPOCH + timestamp, EPOCH + expiry)
        forged = {**body, "public_key": hex(Trader(0x999).public_key)}
        assert (await trader.ask(client, "POST", SUBKEYS, forged)).status in {400, 401}
        reply = await trader.ask(client, "POST", SUBKEYS, body)
        assert (None if reply.status == 201 else reply.json()["error"]) == expected


async def test_a_forged_signature_is_refused_though_none_is_needed(
    autojump_clock: MockClock, client: HttpClient, trader: Trader
) -> None:
    """What is signed is checked."""
    body = {**signed(trader, Subtrader(trader), EPOCH, EPOCH + 600), "signature_expiry": EPOCH + 601}
    reply = await trader.ask(client, "POST", SUBKEYS, body)
    assert refused(reply) == (401, "STARKNET_SIGNATURE_VERIFICATION_FAILED")


async def test_a_pending_subkey_waits_for_its_activation(
    autojump_clock: MockClock, client: HttpClient, trader: Trader
) -> None:
    """Who has the ephemeral key activates it without a token, once, and is given the encrypted key."""
    sub, ephemeral = Subtrader(trader), Trader(0x4444)
    pending = {
        **sub.body,
        "state": "pending",
        "encrypted_key": "0xabc",
        "eph_public_key": hex(ephemeral.public_key),
    }
    assert (await trader.ask(client, "POST", SUBKEYS, pending)).status == 201
    assert (await trader.ask(client, "GET", sub.path)).json()["state"] == "pending"
    assert refused(await sub.authenticate(client)) == (401, "INVALID_SUBKEY")

    async def activate(signer: Trader, timestamp: int = EPOCH, **members: Any) -> Reply:
        signature = signer.sign(pedersen(timestamp, ephemeral.public_key))[2:-2].split('","')
        body = {
            "account_id": hex(trader.address),
            "public_key": hex(sub.public_key),
            "timestamp": timestamp,
            "signature": signature,
            **members,
        }
        return await client.request("POST", f"{SUBKEYS}/activate", body)

    assert refused(await activate(sub)) == (401, "STARKNET_SIGNATURE_VERIFICATION_FAILED")
    assert refused(await activate(ephemeral, EPOCH + 61)) == (400, "INVALID_TIMESTAMP")
    assert refused(await activate(ephemeral, EPOCH - 1801)) == (400, "INVALID_TIMESTAMP")
    assert refused(await activate(ephemeral, account_id="me")) == (400, "INVALID_STARKNET_ADDRESS")
    assert refused(await activate(ephemeral, account_id="0x5")) == (404, "ACCOUNT_NOT_FOUND")
    assert refused(await activate(ephemeral, public_key=hex(ephemeral.public_key))) == (404, "NOT_FOUND")
    reply = await activate(ephemeral, name="My Mobile Device")
    assert (reply.status, reply.json()) == (200, {"encrypted_key": "0xabc"})
    assert refused(await activate(ephemeral)) == (400, "SUBKEY_NOT_ACTIVATABLE")
    shown = (await trader.ask(client, "GET", sub.path)).json()
    assert (shown["state"], shown["name"]) == ("active", "My Mobile Device")
    assert (await sub.authenticate(client)).status == 200


async def test_the_main_key_activates_too(
    autojump_clock: MockClock, client: HttpClient, trader: Trader
) -> None:
    """As the official SDK describes it."""
    sub, ephemeral = Subtrader(trader), Trader(0x4444)
    pending = {
        **sub.body,
        "state": "pending",
        "encrypted_key": "0xabc",
        "eph_public_key": hex(ephemeral.public_key),
    }
    assert (await trader.ask(client, "POST", SUBKEYS, pending)).status == 201
    body = {
        "account_id": hex(trader.address),
        "public_key": hex(sub.public_key),
        "timestamp": EPOCH,
        "signature": trader.sign(pedersen(EPOCH, ephemeral.public_key))[2:-2].split('","'),
    }
    assert (await trader.ask(client, "POST", f"{SUBKEYS}/activate", body)).status == 200
    await trader.ask(client, "DELETE", sub.path)
    assert refused(await trader.ask(client, "POST", f"{SUBKEYS}/activate", body)) == (
        400,
        "SUBKEY_NOT_ACTIVATABLE",
    )


async def test_an_account_has_a_hundred_subkeys_at_most(
    autojump_clock: MockClock, room: Stage, client: HttpClient, trader: Trader
) -> None:
    """Revoked ones do not count; of those the last hundred are remembered, and earlier ones are free again."""
    exchange = room.exchange
    keys = [Trader(0x10000 + number).public_key for number in range(202)]
    for key in keys[:100]:
        exchange.register_subkey(trader.address, key)
    body = {"name": "n", "public_key": hex(keys[101])}
    assert refused(await trader.ask(client, "POST", SUBKEYS, body)) == (400, "REQUEST_NOT_ALLOWED")
    for key in keys[:100]:
        exchange.revoke_subkey(trader.address, key)
    for key in keys[100:]:
        exchange.register_subkey(trader.address, key)
        exchange.revoke_subkey(trader.address, key)
    listed = (await trader.ask(client, "GET", f"{SUBKEYS}?with_revoked=true")).json()["results"]
    assert [row["public_key"] for row in listed] == [hex(key) for key in keys[102:]]
    with pytest.raises(VenueError, match="NOT_UNIQUE"):
        exchange.register_subkey(trader.address, keys[150])
    exchange.register_subkey(trader.address, keys[0])


async def test_levers_know_who_exists(autojump_clock: MockClock, room: Stage, trader: Trader) -> None:
    """A subkey of nobody cannot be made, and one that is not there cannot be revoked."""
    with pytest.raises(VenueError, match="ACCOUNT_NOT_FOUND"):
        room.exchange.register_subkey(5, Trader(0x999).public_key)
    with pytest.raises(VenueError, match="NOT_FOUND"):
        room.exchange.revoke_subkey(trader.address, trader.public_key)


async def test_who_may_sign_for_an_account(
    autojump_clock: MockClock, room: Stage, trader: Trader, sub: Subtrader
) -> None:
    """Its own key and its active subkeys."""
    account = room.exchange.accounts.find(trader.address)
    assert account is not None
    assert room.exchange.gate.signing_keys(account) == (trader.public_key, sub.public_key)
    room.exchange.revoke_subkey(trader.address, sub.public_key)
    assert room.exchange.gate.signing_keys(account) == (trader.public_key,)


async def test_a_connection_knows_its_peer(autojump_clock: MockClock, room: Stage) -> None:
    """What a request's handler is told is the address of the connection it came over."""
    near, far = trio.testing.memory_stream_pair()
    seen = []

    async def handle(request: Request) -> Answer:
        await trio.lowlevel.checkpoint()
        seen.append(request.peer)
        return Answer(200)

    room.nursery.start_soon(HttpConnection(far, room.exchange.clock, ELSEWHERE).serve, handle)
    assert (await HttpClient(near).request("GET", "/")).status == 200
    assert seen == [ELSEWHERE]


async def test_a_socket_has_a_peer_and_a_memory_stream_is_loopback() -> None:
    """Of a TCP connection it is the address of the far end; this needs a real one."""
    assert peer_of(trio.testing.memory_stream_pair()[0]) == "127.0.0.1"
    listeners = await trio.open_tcp_listeners(0, host="127.0.0.1")
    async with await trio.testing.open_stream_to_socket_listener(listeners[0]) as client:
        accepted = await listeners[0].accept()
        assert peer_of(accepted) == "127.0.0.1"
        assert isinstance(client, trio.SocketStream)
        await accepted.aclose()
        with pytest.raises(trio.BrokenResourceError):
            peer_of(accepted)
    await listeners[0].aclose()
