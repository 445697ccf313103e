"""Onboarding and authentication over REST: who is let in, with what, and for how long."""

# ruff: noqa: ARG001 - pytest-trio takes its clock from the arguments of a test

import json
from typing import Any

import pytest
import trio
import trio.testing
from exchange_stage import EPOCH, HttpClient, Stage, Trader, refused, stage
from trio.testing import MockClock

OTHER_KEY = 0xFEDCBA9876543210
BOGUS = '["1","2"]'


async def test_onboarding_is_idempotent_and_derives_the_address(
    autojump_clock: MockClock, client: HttpClient
) -> None:
    """An account is derived from its key, onboarded once or twice, and known from then on."""
    trader = Trader()
    path = f"/v1/onboarding?account_signer_type=starknet&public_key={trader.public_key:#x}"
    before = (await client.request("GET", path)).json()
    assert (before["address"], before["exists"]) == (hex(trader.address), False)
    for _ in range(2):
        await trader.log_in(client)
    assert (await client.request("GET", path)).json()["exists"] is True


@pytest.mark.parametrize(
    ("body", "headers", "expected"),
    [
        (b"{", {}, (400, "BINDING_ERROR")),
        (b"[" * 100_000, {}, (400, "BINDING_ERROR")),
        ({}, {}, (400, "BINDING_ERROR")),
        ({"public_key": "0x5"}, {}, (400, "PUBLIC_KEY_INVALID")),
        ({"public_key": "zebra"}, {}, (400, "PUBLIC_KEY_INVALID")),
        (None, {"PARADEX-ETHEREUM-ACCOUNT": "0x12"}, (400, "INVALID_ETHEREUM_ADDRESS")),
        (None, {"PARADEX-STARKNET-ACCOUNT": ""}, (400, "INVALID_STARKNET_ADDRESS")),
        (None, {"PARADEX-STARKNET-ACCOUNT": "0x1234"}, (400, "INVALID_STARKNET_ADDRESS")),
        (None, {"PARADEX-STARKNET-SIGNATURE": "mine"}, (401, "INVALID_STARKNET_SIGNATURE")),
        (None, {"PARADEX-STARKNET-SIGNATURE": BOGUS}, (401, "STARKNET_SIGNATURE_VERIFICATION_FAILED")),
    ],
)
async def test_bad_onboardings_are_refused(
    autojump_clock: MockClock,
    client: HttpClient,
    body: Any,
    headers: dict[str, str],
    expected: tuple[int, str],
) -> None:
    """Each malformed part has its own refusal, and nobody is let in."""
    trader = Trader()
    content = {"public_key": hex(trader.public_key)} if body is None else body
    reply = await client.request(
        "POST", "/v1/onboarding", content, {**trader.onboarding_headers(), **headers}
    )
    assert refused(reply) == expected
    assert refused(await client.request("POST", "/v1/auth", headers=trader.auth_headers())) == (
        401,
        "NOT_ONBOARDED",
    )


async def test_both_auth_paths_and_both_notations_of_signatures_work(
    autojump_clock: MockClock, client: HttpClient, trader: Trader
) -> None:
    """ccxt posts /auth with hexadecimal signatures, the SDK /auth/{key} with decimal ones."""
    headers = trader.auth_headers()
    r, s = json.loads(headers["PARADEX-STARKNET-SIGNATURE"])
    in_hex = {**headers, "PARADEX-STARKNET-SIGNATURE": json.dumps([hex(int(r)), hex(int(s))])}
    for path, sent in (
        ("/v1/auth", in_hex),
        (f"/v1/auth/{trader.public_key:#x}?token_usage=interactive", headers),
    ):
        assert (await client.request("POST", path, headers=sent)).status == 200


NOW = EPOCH


@pytest.mark.parametrize(
    ("timestamp", "expiration", "expected"),
    [
        (NOW, NOW + 60, None),
        (NOW - 3600, NOW + 1, None),
        (NOW, NOW + 7 * 86400, None),
        (NOW, NOW + 7 * 86400 + 1, "INVALID_BLOCK_EXPIRATION"),
        (NOW - 10, NOW - 1, "INVALID_BLOCK_EXPIRATION"),
        (NOW, NOW, "INVALID_BLOCK_EXPIRATION"),
        (NOW + 61, NOW + 600, "INVALID_TIMESTAMP"),
        (NOW * 1000, NOW * 1000 + 600, "INVALID_TIMESTAMP"),
    ],
)
async def test_auth_signatures_hold_for_their_time(
    autojump_clock: MockClock,
    client: HttpClient,
    trader: Trader,
    timestamp: int,
    expiration: int,
    expected: str | None,
) -> None:
    """A signature counts from its timestamp to its expiration, which is at most a week later."""
    reply = await client.request("POST", "/v1/auth", headers=trader.auth_headers(timestamp, expiration))
    assert (reply.status == 200) if expected is None else (refused(reply) == (400, expected))


async def test_wrong_keys_and_signatures_do_not_authenticate(
    autojump_clock: MockClock, client: HttpClient, trader: Trader
) -> None:
    """A signature must be the account's own, over exactly these times."""
    other = Trader(OTHER_KEY)
    headers = trader.auth_headers()
    stolen = {**headers, "PARADEX-STARKNET-SIGNATURE": other.sign(5)}
    moved = {**headers, "PARADEX-TIMESTAMP": str(EPOCH - 1)}
    for sent in (stolen, moved):
        reply = await client.request("POST", "/v1/auth", headers=sent)
        assert refused(reply) == (401, "STARKNET_SIGNATURE_VERIFICATION_FAILED")
    reply = await client.request("POST", f"/v1/auth/{other.public_key:#x}", headers=headers)
    assert refused(reply) == (401, "INVALID_SUBKEY")


async def test_tokens_last_five_minutes(
    autojump_clock: MockClock, room: Stage, client: HttpClient, trader: Trader
) -> None:
    """A token is good for 300 s by the exchange's clock, and not a moment longer; expire_tokens ends it at once."""
    await trio.sleep(299.9)
    client = room.http()
    assert (await trader.ask(client, "GET", "/v1/orders")).status == 200
    await trio.sleep(0.1)
    assert refused(await trader.ask(client, "GET", "/v1/orders")) == (401, "INVALID_TOKEN")
    await trader.log_in(client)
    room.exchange.expire_tokens()
    assert refused(await trader.ask(client, "GET", "/v1/orders")) == (401, "INVALID_TOKEN")
    await trader.log_in(client)
    assert (await trader.ask(client, "GET", "/v1/orders")).status == 200


async def test_tampered_tokens_are_refused(
    autojump_clock: MockClock, room: Stage, client: HttpClient, trader: Trader
) -> None:
    """Any other header, claims, signature or scheme is not a token of this exchange."""
    header, claims, signature = trader.token.split(".")
    other = Stage.__name__
    for text, code in [
        ("", "UNAUTHORIZED_ERROR"),
        (f"Basic {trader.token}", "UNAUTHORIZED_ERROR"),
        (f"Bearer {other}", "INVALID_TOKEN"),
        (f"Bearer {header}.{claims}.", "INVALID_TOKEN"),
        (f"Bearer {header}.{claims}.{signature[:-4]}AAAA", "INVALID_TOKEN"),
        (f"Bearer {header}.{claims[:-4]}AAAA.{signature}", "INVALID_TOKEN"),
        (f"Bearer {claims}.{header}.{signature}", "INVALID_TOKEN"),
    ]:
        reply = await client.request("GET", "/v1/orders", headers={"Authorization": text})
        assert refused(reply) == (401, code), text
    async with stage(seed=2) as elsewhere:
        foreign = Trader()
        await foreign.log_in(elsewhere.http())
    assert refused(await foreign.ask(client, "GET", "/v1/orders")) == (401, "INVALID_TOKEN")


async def test_refusing_auth_refuses_as_often_as_asked(
    autojump_clock: MockClock, room: Stage, client: HttpClient, trader: Trader
) -> None:
    """The next requests for a token fail as chosen, and then it works again."""
    for status in (503, 401):
        room.exchange.refuse_auth(2, status)
        for expected in (status, status, 200):
            reply = await client.request("POST", "/v1/auth", headers=trader.auth_headers())
            assert reply.status == expected
