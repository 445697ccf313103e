"""The control port: every lever does what the list says, and nothing on a mistake."""

# ruff: noqa: ARG001 - pytest-trio takes its clock from the arguments of a test

from collections.abc import AsyncIterator
from typing import Any

import pytest
import trio.testing
from exchange_stage import HttpClient, Stage, Trader, stage
from trio.testing import MockClock

from bot.exchange.control import ABOUT, Control
from bot.exchange.transport.http import HttpConnection

MARKET = {"type": "MARKET", "instruction": "IOC", "size": "0.01"}


@pytest.fixture
async def room(autojump_clock: MockClock) -> AsyncIterator[Stage]:
    async with stage(verify=False) as it:
        yield it


@pytest.fixture
async def control(room: Stage) -> HttpClient:
    near, far = trio.testing.memory_stream_pair()
    room.nursery.start_soon(HttpConnection(far, room.exchange.clock).serve, Control(room.exchange).handle)
    return HttpClient(near)


async def pull(control: HttpClient, lever: str, **body: Any) -> Any:
    reply = await control.request("POST", f"/{lever}", body)
    assert reply.status == 200, reply.body
    await trio.testing.wait_all_tasks_blocked()
    return reply.json()


async def see(control: HttpClient, what: str) -> Any:
    reply = await control.request("GET", f"/{what}")
    assert reply.status == 200, reply.body
    return reply.json()


async def test_the_list_is_complete(autojump_clock: MockClock, room: Stage, control: HttpClient) -> None:
    """The root names every route of the port, and nothing else."""
    assert await see(control, "") == ABOUT
    assert set(ABOUT) == {route.name for route in Control(room.exchange).routes}


async def test_orders_and_fills_are_seen(
    autojump_clock: MockClock, room: Stage, client: HttpClient, trader: Trader, control: HttpClient
) -> None:
    """Oldest first, of everybody or narrowed, the newest so many."""
    other = Trader(0xFEDCBA)
    await other.log_in(client)
    for somebody, changes in [
        (trader, {"client_id": "a"}),
        (other, {"client_id": "b"}),
        (trader, {"client_id": "c", **MARKET}),
        (trader, {"client_id": "d", "market": "ETH-USD-PERP", "size": "0.01", "price": "2700"}),
        (other, {"client_id": "e", **MARKET}),
    ]:
        assert (await somebody.place(client, **changes)).status == 201
    await trio.testing.wait_all_tasks_blocked()
    for query, expected in [
        ("orders", "abcde"),
        ("orders?newest=2", "de"),
        (f"orders?account={trader.address:#x}", "acd"),
        (f"orders?account={trader.address:#x}&newest=1", "d"),
        ("orders?market=ETH-USD-PERP", "d"),
        ("fills", "ce"),
        ("fills?newest=1", "e"),
        (f"fills?account={other.address:#x}", "e"),
    ]:
        rows = (await see(control, query))["results"]
        assert [row["client_id"] for row in rows] == list(expected), query


async def test_money_comes_with_a_deposit_and_is_conserved(
    autojump_clock: MockClock, room: Stage, client: HttpClient, trader: Trader, control: HttpClient
) -> None:
    """A deposit is a transfer of the account, and shows in its balance; the books balance after a trade, too."""
    await pull(control, "deposit", account=hex(trader.address), amount="12.5")
    balance = (await trader.ask(client, "GET", "/v1/balance")).json()["results"]
    assert [row["size"] for row in balance] == ["100012.5"]
    transfers = (await trader.ask(client, "GET", "/v1/transfers")).json()["results"]
    assert [row["amount"] for row in transfers] == ["12.5", "100000"]
    await trader.place(client, **MARKET)
    await trio.testing.wait_all_tasks_blocked()
    assert (await see(control, "money"))["discrepancy"] == "0"
    [account] = (await see(control, "accounts"))["results"]
    assert (account["account"], account["public_key"]) == (hex(trader.address), hex(trader.public_key))
    assert float(account["initial_margin_requirement"]) > 0


async def test_a_trade_is_busted(
    autojump_clock: MockClock, room: Stage, client: HttpClient, trader: Trader, control: HttpClient
) -> None:
    """The account is as it was before the fill, is told of the bust, and a fill is busted once."""
    await trader.place(client, **MARKET)
    await trio.testing.wait_all_tasks_blocked()
    [fill] = (await see(control, "fills"))["results"]
    await pull(control, "bust", fill_id=fill["id"])
    [position] = (await trader.ask(client, "GET", "/v1/positions")).json()["results"]
    assert position["size"] == "0"
    [balance] = (await trader.ask(client, "GET", "/v1/balance")).json()["results"]
    assert balance["size"] == "100000"
    [bust] = (await trader.ask(client, "GET", "/v1/tradebusts")).json()["results"]
    assert bust["busted_fill_id"] == fill["id"]
    again = await control.request("POST", "/bust", {"fill_id": fill["id"]})
    assert (again.status, again.json()["error"]) == (404, "NOT_FOUND")


async def test_prices_are_moved(
    autojump_clock: MockClock, room: Stage, client: HttpClient, trader: Trader, control: HttpClient
) -> None:
    """Mark and spot are at the new price at once, the book follows, and a stop that waited for it triggers."""
    stop = {"type": "STOP_MARKET", "side": "SELL", "size": "0.01", "price": "0", "trigger_price": "84000"}
    await trader.place(client, **MARKET)
    placed = (await trader.place(client, **stop, instruction="GTC")).json()
    await trio.testing.wait_all_tasks_blocked()
    assert room.exchange.orders[placed["id"]].status == "UNTRIGGERED"
    moved = await pull(control, "move-price", market="BTC-USD-PERP", price="83000")
    assert moved["mark_price"] == "83000"
    [summary] = (await client.request("GET", "/v1/markets/summary?market=BTC-USD-PERP")).json()["results"]
    assert (summary["mark_price"], summary["underlying_price"]) == ("83000", "83000")
    assert room.exchange.orders[placed["id"]].status == "CLOSED"
    await trio.sleep(5)
    bbo = (await client.request("GET", "/v1/bbo/BTC-USD-PERP")).json()
    assert 82_000 < float(bbo["bid"]) < 83_000 < float(bbo["ask"]) < 84_000


async def test_a_frozen_market_stands_still_until_it_thaws(autojump_clock: MockClock) -> None:
    """Nothing of the market changes while it is frozen; afterwards it moves again."""

    async def look(client: HttpClient) -> Any:
        return (await client.request("GET", "/v1/orderbook/BTC-USD-PERP")).json()

    async with stage(activity=5.0) as room:
        near, far = trio.testing.memory_stream_pair()
        room.nursery.start_soon(HttpConnection(far, room.exchange.clock).serve, Control(room.exchange).handle)
        client, control = room.http(), HttpClient(near)
        await trio.sleep(5)
        await pull(control, "freeze")
        frozen = await look(client)
        await trio.sleep(20)
        assert await look(client) == frozen
        await pull(control, "thaw")
        await trio.sleep(20)
        assert await look(client) != frozen


async def test_keys_are_registered_and_revoked(
    autojump_clock: MockClock, room: Stage, client: HttpClient, trader: Trader, control: HttpClient
) -> None:
    """A registered subkey logs in for the account, and a revoked one does not."""
    friend = Trader(0xABC)
    body = {"account": hex(trader.address), "public_key": hex(friend.public_key)}
    await pull(control, "register-subkey", **body)
    friend.address = trader.address
    path = f"/v1/auth/{friend.public_key:#x}"
    answer = await client.request("POST", path, headers=friend.auth_headers())
    assert answer.status == 200
    friend.token = answer.json()["jwt_token"]
    assert (await friend.ask(client, "GET", "/v1/orders")).status == 200
    await pull(control, "revoke-subkey", **body)
    assert (await friend.ask(client, "GET", "/v1/orders")).status == 401
    assert (await client.request("POST", path, headers=friend.auth_headers())).status == 401


async def test_logins_are_refused_and_tokens_expire(
    autojump_clock: MockClock, room: Stage, client: HttpClient, trader: Trader, control: HttpClient
) -> None:
    """The next logins fail as asked, and every token given out before is worthless."""
    await pull(control, "refuse-auth", times=1, status=503)
    headers = trader.auth_headers()
    assert (await client.request("POST", "/v1/auth", headers=headers)).status == 503
    assert (await client.request("POST", "/v1/auth", headers=headers)).status == 200
    await pull(control, "expire-tokens")
    assert (await trader.ask(client, "GET", "/v1/orders")).status == 401


async def test_the_mode_is_set(
    autojump_clock: MockClock, room: Stage, client: HttpClient, control: HttpClient
) -> None:
    """The platform says the mode that it was put into."""
    assert await pull(control, "mode", status="cancel_only") == {"status": "cancel_only"}
    assert (await client.request("GET", "/v1/system/state")).json() == {"status": "cancel_only"}


async def test_sockets_are_dropped_and_counted(
    autojump_clock: MockClock, room: Stage, trader: Trader, control: HttpClient
) -> None:
    """All sockets end, and the count says how many were opened."""
    for _ in range(2):
        await room.orders_socket(trader)
    assert await pull(control, "drop-websockets", code=1012) == {"dropped": 2}
    assert (await see(control, "connections"))["websockets_opened"] == 2


MISTAKES: list[tuple[str, dict[str, Any], tuple[int, str]]] = [
    ("deposit", {"account": "0x5", "amount": "1"}, (404, "ACCOUNT_NOT_FOUND")),
    ("deposit", {"account": "five", "amount": "1"}, (400, "INVALID_STARKNET_ADDRESS")),
    ("deposit", {"account": "ACCOUNT", "amount": "-1"}, (400, "INVALID_REQUEST_PARAMETER")),
    ("deposit", {"account": "ACCOUNT", "amount": "9" * 19}, (400, "INVALID_REQUEST_PARAMETER")),
    ("deposit", {}, (400, "VALIDATION_ERROR")),
    ("bust", {"fill_id": "1"}, (404, "NOT_FOUND")),
    ("move-price", {"market": "DOGE", "price": "1"}, (404, "MARKET_NOT_FOUND")),
    ("move-price", {"market": "BTC-USD-PERP", "price": "0"}, (400, "INVALID_REQUEST_PARAMETER")),
    ("move-price", {"market": "BTC-USD-PERP", "price": "0.00000001"}, (400, "INVALID_REQUEST_PARAMETER")),
    ("move-price", {"market": "BTC-USD-PERP", "price": 1}, (400, "VALIDATION_ERROR")),
    ("mode", {"status": "gone"}, (400, "VALIDATION_ERROR")),
    ("drop-websockets", {"code": 5}, (400, "VALIDATION_ERROR")),
    ("refuse-auth", {"status": 200}, (400, "VALIDATION_ERROR")),
    ("register-subkey", {"account": "ACCOUNT", "public_key": "0x5"}, (400, "PUBLIC_KEY_INVALID")),
    ("revoke-subkey", {"account": "ACCOUNT", "public_key": "ACCOUNT_KEY"}, (404, "NOT_FOUND")),
    ("self-destruct", {}, (404, "NOT_FOUND")),
]


async def test_mistakes_are_refused(
    autojump_clock: MockClock, room: Stage, trader: Trader, control: HttpClient
) -> None:
    """A lever that is pulled wrongly says so in the venue's form."""
    names = {"ACCOUNT": hex(trader.address), "ACCOUNT_KEY": hex(trader.public_key)}
    for lever, body, expected in MISTAKES:
        sent = {name: names.get(str(value), value) for name, value in body.items()}
        reply = await control.request("POST", f"/{lever}", sent)
        assert (reply.status, reply.json()["error"]) == expected, (lever, body)
        assert set(reply.json()) == {"error", "message", "data"}
