"""The REST API, in virtual time: what is accepted, what is refused, and what the answers look like."""

# ruff: noqa: ARG001 - pytest-trio takes its clock from the arguments of a test

import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import trio
import trio.testing
from exchange_stage import EPOCH, HttpClient, Reply, Stage, StageClock, Trader, stage
from trio.testing import MockClock

OPENAPI = Path(__file__).parents[3] / "shared" / "spec" / "openapi.json"
OTHER_KEY = 0xFEDCBA9876543210
BOGUS = '["1","2"]'


def nullable(node: Any) -> Any:
    """The specification, with null allowed wherever a type stands: the venue sends null for what is absent."""
    if isinstance(node, dict):
        loose = {key: nullable(value) for key, value in node.items()}
        if isinstance(loose.get("type"), str):
            loose["type"] = [loose["type"], "null"]
        if "enum" in loose:
            loose["enum"] = [*loose["enum"], None]
        if "allOf" in loose:
            return {"anyOf": [{"type": "null"}, loose]}
        return loose
    return [nullable(value) for value in node] if isinstance(node, list) else node


@pytest.fixture(scope="module")
def schemas() -> Any:
    """The component schemas by name."""
    if not OPENAPI.exists():
        pytest.skip("../shared/spec is not there")
    return nullable(json.loads(OPENAPI.read_text())["components"])


def check(schemas: Any, name: str, value: Any) -> None:
    """The value is of the schema, and has no member that the schema does not know."""
    schema = {"$ref": f"#/components/schemas/{name}", "components": schemas}
    jsonschema.Draft4Validator(schema).validate(value)
    unknown = set(value) - set(schemas["schemas"][name]["properties"])
    assert not unknown, unknown


@pytest.fixture
async def room(autojump_clock: MockClock) -> AsyncIterator[Stage]:
    async with stage() as it:
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
    """Status and code of a refusal, whose form is checked on the way."""
    body = reply.json()
    assert set(body) == {"error", "message", "data"}
    assert isinstance(body["message"], str)
    assert body["message"]
    return reply.status, body["error"]


async def test_public_answers_are_as_specified(
    autojump_clock: MockClock, client: HttpClient, schemas: Any
) -> None:
    """System, market and key answers have the specified shapes, and every field of the configuration."""
    config = (await client.request("GET", "/v1/system/config")).json()
    check(schemas, "responses.SystemConfigResponse", config)
    assert set(config) == set(schemas["schemas"]["responses.SystemConfigResponse"]["properties"])
    assert (await client.request("GET", "/v1/system/time")).json() == {"server_time": str(EPOCH * 1000)}
    assert (await client.request("GET", "/v1/system/state")).json() == {"status": "ok"}
    check(schemas, "responses.JwksResponse", (await client.request("GET", "/v1/jwks.json")).json())
    markets = (await client.request("GET", "/v1/markets")).json()["results"]
    assert [market["symbol"] for market in markets] == ["BTC-USD-PERP", "ETH-USD-PERP", "SOL-USD-PERP"]
    for market in markets:
        check(schemas, "responses.MarketResp", market)
        bbo = (await client.request("GET", f"/v1/bbo/{market['symbol']}")).json()
        check(schemas, "responses.BBOResp", bbo)
        assert 0 < float(bbo["bid"]) < float(bbo["ask"])
    one = (await client.request("GET", "/v1/markets?market=ETH-USD-PERP")).json()["results"]
    assert [market["symbol"] for market in one] == ["ETH-USD-PERP"]
    for path in ("/v1/markets?market=DOGE", "/v1/bbo/DOGE"):
        assert refused(await client.request("GET", path)) == (404, "MARKET_NOT_FOUND")


async def test_onboarding_is_idempotent_and_derives_the_address(
    autojump_clock: MockClock, client: HttpClient, schemas: Any
) -> None:
    """An account is derived from its key, onboarded once or twice, and known from then on."""
    trader = Trader()
    path = f"/v1/onboarding?account_signer_type=starknet&public_key={trader.public_key:#x}"
    before = (await client.request("GET", path)).json()
    check(schemas, "responses.GetOnboardingResp", before)
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


async def test_an_order_is_accepted_first_and_decided_later(
    autojump_clock: MockClock, room: Stage, client: HttpClient, trader: Trader, schemas: Any
) -> None:
    """201 says NEW; OPEN, and after a cancel CLOSED, come from the engine."""
    placed = await trader.place(client, client_id="mine")
    order = placed.json()
    assert (placed.status, order["status"], order["remaining_size"]) == (201, "NEW", "0.001")
    check(schemas, "responses.OrderResp", order)
    assert len(order["id"]) == 28
    assert int(order["id"][:13]) == order["created_at"] == EPOCH * 1000
    await trio.testing.wait_all_tasks_blocked()
    for path in (f"/v1/orders/{order['id']}", "/v1/orders/by_client_id/mine"):
        assert (await trader.ask(client, "GET", path)).json()["status"] == "OPEN"
    open_orders = (await trader.ask(client, "GET", "/v1/orders?market=BTC-USD-PERP")).json()["results"]
    assert [o["id"] for o in open_orders] == [order["id"]]
    assert (await trader.ask(client, "GET", "/v1/orders?market=ETH-USD-PERP")).json() == {"results": []}
    cancelled = await trader.ask(client, "DELETE", f"/v1/orders/{order['id']}")
    assert (cancelled.status, cancelled.body) == (204, b"")
    await trio.testing.wait_all_tasks_blocked()
    closed = (await trader.ask(client, "GET", f"/v1/orders/{order['id']}")).json()
    assert (closed["status"], closed["cancel_reason"]) == ("CLOSED", "USER_CANCELED")
    assert closed["seq_no"] > order["seq_no"] > 10**18
    assert refused(await trader.ask(client, "DELETE", f"/v1/orders/{order['id']}")) == (
        400,
        "ORDER_IS_CLOSED",
    )
    by_client_id = await trader.ask(client, "GET", "/v1/orders/by_client_id/mine")
    assert refused(by_client_id) == (404, "CLIENT_ORDER_ID_NOT_FOUND")
    assert refused(await trader.place(client, client_id="mine")) == (400, "DUPLICATED_CLIENT_ID")
    assert list(room.exchange.orders) == [order["id"]]


async def test_orders_of_others_are_invisible(
    autojump_clock: MockClock, client: HttpClient, trader: Trader
) -> None:
    """Another account neither sees nor cancels an order, and may use the same client id."""
    order = (await trader.place(client, client_id="same")).json()
    other = Trader(OTHER_KEY)
    await other.log_in(client)
    for method in ("GET", "DELETE"):
        reply = await other.ask(client, method, f"/v1/orders/{order['id']}")
        assert refused(reply) == (404, "ORDER_ID_NOT_FOUND")
    assert (await other.place(client, client_id="same")).status == 201
    assert (await other.ask(client, "DELETE", "/v1/orders")).status == 200
    await trio.testing.wait_all_tasks_blocked()
    assert len((await trader.ask(client, "GET", "/v1/orders")).json()["results"]) == 1


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"market": "DOGE-USD-PERP"}, (404, "MARKET_NOT_FOUND")),
        ({"side": "HOLD", "signature": BOGUS}, (400, "VALIDATION_ERROR")),
        ({"type": "ICEBERG"}, (400, "VALIDATION_ERROR")),
        ({"instruction": "FOK"}, (400, "VALIDATION_ERROR")),
        ({"instruction": "RPI"}, (403, "RPI_ACCOUNT_NOT_WHITELISTED")),
        ({"type": "MARKET", "instruction": "POST_ONLY"}, (400, "VALIDATION_ERROR")),
        ({"stp": "NEVER"}, (400, "VALIDATION_ERROR")),
        ({"flags": ["FAST"]}, (400, "VALIDATION_ERROR")),
        ({"price": "80750.05"}, (400, "VALIDATION_ERROR")),
        ({"price": "0"}, (400, "VALIDATION_ERROR")),
        ({"price": "-1", "signature": BOGUS}, (400, "VALIDATION_ERROR")),
        ({"price": "1e5", "signature": BOGUS}, (400, "VALIDATION_ERROR")),
        ({"size": "0.000015"}, (400, "INVALID_ORDER_SIZE")),
        ({"size": "0"}, (400, "INVALID_ORDER_SIZE")),
        ({"size": "-1", "signature": BOGUS}, (400, "INVALID_ORDER_SIZE")),
        ({"size": "0.0001"}, (400, "INVALID_ORDER_SIZE")),
        ({"size": "100.00001"}, (400, "INVALID_ORDER_SIZE")),
        ({"size": "0.0000000001", "signature": BOGUS}, (400, "INVALID_ORDER_SIZE")),
        ({"client_id": "x" * 65}, (400, "VALIDATION_ERROR")),
        ({"recv_window": 9}, (400, "VALIDATION_ERROR")),
        ({"recv_window": 10, "signature_timestamp": EPOCH * 1000 - 11}, (400, "INVALID_TIMESTAMP")),
        ({"signature_timestamp": EPOCH * 1000 - 300_001}, (400, "INVALID_TIMESTAMP")),
        ({"signature_timestamp": 0}, (400, "INVALID_TIMESTAMP")),
        ({"signature": "sesame"}, (400, "INVALID_ORDER_SIGNATURE")),
        ({"signature": '["0","0"]'}, (400, "INVALID_ORDER_SIGNATURE")),
        ({"signature": BOGUS}, (400, "INVALID_ORDER_SIGNATURE")),
        ({"size": 1, "signature": BOGUS}, (400, "VALIDATION_ERROR")),
        ({"market": None, "signature": BOGUS}, (400, "VALIDATION_ERROR")),
    ],
)
async def test_bad_orders_are_refused_and_leave_nothing(
    autojump_clock: MockClock,
    room: Stage,
    client: HttpClient,
    trader: Trader,
    changes: dict[str, Any],
    expected: tuple[int, str],
) -> None:
    """Each rule refuses, in the venue's form, and neither an order nor its client id is left behind."""
    if "signature" not in changes and {"side", "market"} & set(changes):
        changes = {**changes, "signature": BOGUS}
    assert refused(await trader.place(client, **{"client_id": "c", **changes})) == expected
    assert not room.exchange.orders
    assert (await trader.place(client, client_id="c")).status == 201


@pytest.mark.parametrize("field", ["signature_timestamp", "size", "price", "side", "type", "market"])
async def test_the_signature_covers_the_order(
    autojump_clock: MockClock, client: HttpClient, trader: Trader, field: str
) -> None:
    """An order changed after signing is refused."""
    order = trader.order()
    changed = {
        "signature_timestamp": order["signature_timestamp"] + 1,
        "size": "0.002",
        "price": "80750.1",
        "side": "SELL",
        "type": "MARKET",
        "market": "ETH-USD-PERP",
    }
    body = {
        **order,
        field: changed[field],
        "instruction": "GTC",
        "size": changed["size"] if field == "market" else "0.001",
    }
    if field == "market":
        body["size"] = "0.01"
    if field == "size":
        body["size"] = "0.002"
    assert refused(await trader.ask(client, "POST", "/v1/orders", body)) == (400, "INVALID_ORDER_SIGNATURE")


@pytest.mark.parametrize(
    "changes",
    [
        {"recv_window": 10, "signature_timestamp": EPOCH * 1000 - 10},
        {"recv_window": None, "stp": None, "client_id": "", "flags": []},
        {"instruction": "", "price": "80000.10"},
        {"type": "MARKET", "instruction": "GTC", "price": "0"},
        {"type": "MARKET", "instruction": "IOC", "price": None},
        {"unknown": {"field": 1}, "on_behalf_of_account": None, "trigger_price": None},
        {"signature_timestamp": EPOCH * 1000 + 30_000},
        {"client_id": "x" * 64},
    ],
)
async def test_what_real_clients_send_is_accepted(
    autojump_clock: MockClock, client: HttpClient, trader: Trader, changes: dict[str, Any]
) -> None:
    """Nulls, empty strings, unknown fields and a fast clock do not stop an order."""
    assert (await trader.place(client, **changes)).status == 201


async def test_identical_signed_orders_are_two_orders(
    autojump_clock: MockClock, room: Stage, client: HttpClient, trader: Trader
) -> None:
    """The signature is no nonce (section 10, item 4): without a client id a repeated order is another order."""
    order = trader.order(client_id="")
    for _ in range(2):
        assert (await trader.ask(client, "POST", "/v1/orders", order)).status == 201
    assert len(room.exchange.orders) == 2


async def test_open_orders_are_limited(autojump_clock: MockClock, client: HttpClient, trader: Trader) -> None:
    """A market takes max_open_orders of an account, NEW ones included, and then refuses."""
    for _ in range(100):
        reply = await trader.place(client, market="SOL-USD-PERP", size="1", price="125")
        assert reply.status == 201
    refusal = await trader.place(client, market="SOL-USD-PERP", size="1", price="125")
    assert refused(refusal) == (400, "REQUEST_NOT_ALLOWED")
    assert (await trader.place(client)).status == 201
    assert (await trader.ask(client, "DELETE", "/v1/orders?market=SOL-USD-PERP")).status == 200
    await trio.testing.wait_all_tasks_blocked()
    assert (await trader.place(client, market="SOL-USD-PERP", size="1", price="125")).status == 201
    assert len((await trader.ask(client, "GET", "/v1/orders")).json()["results"]) == 2


async def test_modes_let_through_what_the_venue_says(
    autojump_clock: MockClock, room: Stage, client: HttpClient, trader: Trader
) -> None:
    """cancel_only lets cancels through, post_only passive orders too, maintenance nothing but reads."""
    order = (await trader.place(client)).json()
    room.exchange.set_mode("cancel_only")
    assert (await client.request("GET", "/v1/system/state")).json() == {"status": "cancel_only"}
    assert refused(await trader.place(client)) == (400, "SYSTEM_STATUS_CANCEL_ONLY")
    room.exchange.set_mode("maintenance")
    assert refused(await trader.place(client)) == (503, "SERVICE_UNAVAILABLE")
    assert refused(await trader.ask(client, "DELETE", f"/v1/orders/{order['id']}")) == (
        503,
        "SERVICE_UNAVAILABLE",
    )
    room.exchange.set_mode("post_only")
    assert refused(await trader.place(client, instruction="GTC")) == (400, "SYSTEM_STATUS_POST_ONLY")
    assert refused(await trader.place(client, price="85042.6")) == (400, "SYSTEM_STATUS_POST_ONLY")
    assert (await trader.place(client, price="85042.5")).status == 201
    assert (await trader.place(client)).status == 201
    assert (await trader.ask(client, "DELETE", f"/v1/orders/{order['id']}")).status == 204
    room.exchange.set_mode("ok")
    assert (await trader.place(client, instruction="GTC")).status == 201


async def test_restricted_modes_close_aggressive_orders(
    autojump_clock: MockClock, room: Stage, client: HttpClient, trader: Trader
) -> None:
    """Resting orders more than 5 bps beyond the fair price are closed when a restricted mode begins."""
    far = (await trader.place(client)).json()["id"]
    near = (await trader.place(client, instruction="GTC", size="3", price="85050")).json()["id"]
    await trio.testing.wait_all_tasks_blocked()
    assert room.exchange.orders[near].status == "OPEN"
    room.exchange.set_mode("cancel_only")
    await trio.testing.wait_all_tasks_blocked()
    orders = room.exchange.orders
    assert [(orders[i].status, orders[i].cancel_reason) for i in (near, far)] == [
        ("CLOSED", "EXPIRED"),
        ("OPEN", ""),
    ]


async def test_history_pages_forth_and_back(
    autojump_clock: MockClock, client: HttpClient, trader: Trader
) -> None:
    """Following next and then prev shows every order once each way, newest first, new orders or not."""
    ids = []
    for n in range(7):
        ids.append((await trader.place(client, client_id=f"h{n}")).json()["id"])
        await trio.sleep(1)
    newest_first = ids[::-1]
    pages: list[Any] = []
    cursor: str | None = ""
    while cursor is not None:
        page = (await trader.ask(client, "GET", f"/v1/orders-history?page_size=3&cursor={cursor}")).json()
        if not pages:
            assert page["prev"] is None
            await trader.place(client)
        pages.append(page)
        cursor = page["next"]
    assert [[order["id"] for order in page["results"]] for page in pages] == [
        newest_first[:3],
        newest_first[3:6],
        newest_first[6:],
    ]
    back = (await trader.ask(client, "GET", f"/v1/orders-history?cursor={pages[2]['prev']}")).json()
    assert [order["id"] for order in back["results"]] == newest_first[3:6]
    for bad in ("nonsense", pages[0]["next"][:-4] + "AAAA"):
        reply = await trader.ask(client, "GET", f"/v1/orders-history?cursor={bad}")
        assert refused(reply) == (400, "INVALID_REQUEST_PARAMETER")
    other = Trader(OTHER_KEY)
    await other.log_in(client)
    reply = await other.ask(client, "GET", f"/v1/orders-history?cursor={pages[0]['next']}")
    assert refused(reply) == (400, "INVALID_REQUEST_PARAMETER")


async def test_history_is_filtered(
    autojump_clock: MockClock, client: HttpClient, trader: Trader, schemas: Any
) -> None:
    """Every filter narrows; what is no value of a filter is refused."""
    start = StageClock().wall_ns() // 10**6
    await trader.place(client, client_id="buy")
    await trio.sleep(1)
    await trader.place(client, client_id="sell", side="SELL", price="90000")
    await trader.place(client, client_id="eth", market="ETH-USD-PERP", size="0.01", price="2700")
    await trio.sleep(1)
    await trader.place(client, client_id="take", type="MARKET", instruction="GTC")
    await trader.ask(client, "DELETE", "/v1/orders/by_client_id/sell?market=BTC-USD-PERP")
    await trio.testing.wait_all_tasks_blocked()
    for query, expected in [
        ("", ["take", "eth", "sell", "buy"]),
        ("client_id=sell", ["sell"]),
        ("side=SELL", ["sell"]),
        ("market=ETH-USD-PERP", ["eth"]),
        ("status=CLOSED", ["take", "sell"]),
        ("status=OPEN", ["eth", "buy"]),
        ("type=MARKET", ["take"]),
        (f"start_at={start + 1000}&end_at={start + 1000}", ["eth", "sell"]),
        ("client_id=nobody", []),
    ]:
        page = (await trader.ask(client, "GET", f"/v1/orders-history?{query}")).json()
        check(schemas, "responses.PaginatedAPIResults", page)
        assert [order["client_id"] for order in page["results"]] == expected, query
    for bad in ("side=UP", "status=GONE", "type=X", "page_size=0", "page_size=5001", "start_at=yesterday"):
        reply = await trader.ask(client, "GET", f"/v1/orders-history?{bad}")
        assert refused(reply) == (400, "INVALID_REQUEST_PARAMETER")


async def test_one_seed_is_one_exchange() -> None:
    """The same requests to exchanges of the same seed get the same bytes, tokens aside."""

    async def story(seed: int) -> list[bytes]:
        async with stage(seed=seed, verify=False) as room:
            client, trader = room.http(), Trader()
            await trader.log_in(client)
            answers = [
                await trader.place(client),
                await trader.place(client, type="MARKET", instruction="GTC"),
                await client.request("GET", "/v1/bbo/BTC-USD-PERP"),
                await trader.ask(client, "GET", "/v1/orders-history?page_size=1"),
            ]
            return [answer.body for answer in answers]

    def run(seed: int) -> list[bytes]:
        return trio.run(story, seed, clock=trio.testing.MockClock(autojump_threshold=0))

    first, again, other = [await trio.to_thread.run_sync(run, seed) for seed in (1, 1, 2)]
    assert first == again
    assert first != other


async def test_processing_takes_its_time(autojump_clock: MockClock) -> None:
    """Every request is answered after the time processing takes; it was received before that."""
    async with stage(processing_ms=40) as room:
        client, trader = room.http(), Trader()
        await client.request("GET", "/v1/system/time")
        assert trio.current_time() == pytest.approx(0.04)
        await trader.log_in(client)
        order = (await trader.place(client)).json()
        assert trio.current_time() == pytest.approx(0.16)
        assert order["created_at"] - order["received_at"] == 40


async def test_retail_orders_meet_the_speed_bump(
    autojump_clock: MockClock, room: Stage, client: HttpClient, trader: Trader
) -> None:
    """An interactive token's orders and cancels reach the engine 300 ms later, and others overtake them."""
    await trader.log_in(client, "?token_usage=interactive")
    order = (await trader.place(client)).json()
    await trio.sleep(0.299)
    assert room.exchange.orders[order["id"]].status == "NEW"
    await trio.sleep(0.002)
    assert room.exchange.orders[order["id"]].status == "OPEN"
    await trader.ask(client, "DELETE", f"/v1/orders/{order['id']}")
    await trio.sleep(0.299)
    assert room.exchange.orders[order["id"]].status == "OPEN"
    await trader.log_in(client)
    pro = (await trader.place(client)).json()
    await trio.testing.wait_all_tasks_blocked()
    assert room.exchange.orders[pro["id"]].status == "OPEN"
    await trio.sleep(0.002)
    assert room.exchange.orders[order["id"]].status == "CLOSED"
