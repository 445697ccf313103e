"""How subkeys are registered, signed for, handed over and activated."""

# ruff: noqa: ARG001 - pytest-trio takes its clock from the arguments of a test

from typing import Any

import pytest
from exchange_stage import EPOCH, HttpClient, Reply, Trader, stage
from subkey_stage import SUBKEYS, Subtrader, refused
from trio.testing import MockClock

from bot.exchange.identity.snip12 import array_hash
from bot.exchange.identity.stark import pedersen

BAD_REGISTRATIONS: list[tuple[dict[str, Any], tuple[int, str]]] = [
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
]


async def test_bad_registrations_are_refused(
    autojump_clock: MockClock, client: HttpClient, trader: Trader
) -> None:
    """Each malformed member has its refusal, and nothing is registered."""
    for members, expected in BAD_REGISTRATIONS:
        body = {**Subtrader(trader).body, **members}
        assert refused(await trader.ask(client, "POST", SUBKEYS, body)) == expected, members
    assert (await trader.ask(client, "GET", SUBKEYS)).json() == {"results": []}


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
