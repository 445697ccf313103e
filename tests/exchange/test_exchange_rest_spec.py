"""Every route of the REST API against the venue's specification."""

# ruff: noqa: ARG001 - pytest-trio takes its clock from the arguments of a test

import re
from typing import Any

import attrs
import trio
import trio.testing
from exchange_stage import EPOCH, HttpClient, Reply, Stage, Trader, stage
from openapi_check import check_answer, route_of
from trio.testing import MockClock

from bot.core.fixed import SCALE

NOTHING_TO_REFUSE = {
    "GET /v1/insurance",
    "GET /v1/jwks.json",
    "GET /v1/system/config",
    "GET /v1/system/state",
    "GET /v1/system/time",
    "GET /v1/system/volume-tiers",
}
"""Public routes without any parameter."""

ALWAYS_EMPTY = {
    "GET /v1/account/subaccounts",
    "GET /v1/markets/history",
    "GET /v1/system/announcements",
    "GET /v1/system/portfolio-margin-config",
    "GET /v1/transactions",
}
"""Routes whose rows do not exist on this exchange (bot/exchange/README.md)."""


NEVER_SERVED = {"GET /v1/markets/settlement-price"}
"""No market of this exchange ever settles."""

REFUSED = (
    "/bbo/DOGE",
    "/bbo/DOGE/interactive",
    "/markets/history?market=DOGE",
    "/markets?market=DOGE",
    "/system/announcements?page_size=0",
    "/system/portfolio-margin-config?base_asset=BTC",
)
"""What public routes refuse; routes that are not named here refuse a request without parameters."""


@attrs.define
class Walk:
    """A client that checks each answer, and remembers which routes it has seen serve, refuse and list rows."""

    room: Stage
    client: HttpClient
    trader: Trader
    reads: dict[str, str] = attrs.field(factory=dict)
    served: set[str] = attrs.field(factory=set)
    refused: set[str] = attrs.field(factory=set)
    listed: set[str] = attrs.field(factory=set)
    unlisted: set[str] = attrs.field(factory=set)

    async def send(self, method: str, path: str, body: object, headers: dict[str, str]) -> Reply:
        target = f"/v1{path}"
        reply = await self.client.request(method, target, body, headers)
        route = route_of(self.room.rest.routes, method, target)
        try:
            check_answer(method, route.path.removeprefix("/v1"), reply.status, reply.body)
        except Exception as error:
            error.add_note(f"{method} {target}: {reply.status} {reply.body[:2000]!r}")
            raise
        (self.served if reply.status < 400 else self.refused).add(route.name)
        if reply.status < 400 and reply.body and "results" in reply.json():
            (self.listed if reply.json()["results"] else self.unlisted).add(route.name)
        if method == "GET" and reply.status == 200:
            self.reads[route.name] = target
        return reply

    async def ask(
        self, method: str, path: str, body: object = None, headers: dict[str, str] | None = None
    ) -> Any:
        """Something that is served; the body of the answer."""
        reply = await self.send(method, path, body, self.trader.bearer if headers is None else headers)
        assert reply.status < 400, (method, path, reply.body)
        await trio.testing.wait_all_tasks_blocked()
        return reply.json() if reply.body else None

    async def fail(
        self, method: str, path: str, body: object = None, headers: dict[str, str] | None = None
    ) -> tuple[int, str]:
        """Something that is refused; status and code."""
        reply = await self.send(method, path, body, self.trader.bearer if headers is None else headers)
        assert reply.status >= 400, (method, path, reply.body)
        return reply.status, reply.json()["error"]


LAST_DAY = f"start_at={(EPOCH - 86400) * 1000}&end_at={EPOCH * 1000}"


async def read_markets(walk: Walk) -> None:
    """All public reads."""
    for path in ("time", "state", "config", "announcements", "volume-tiers", "portfolio-margin-config"):
        await walk.ask("GET", f"/system/{path}", headers={})
    for path in ("/jwks.json", "/insurance"):
        await walk.ask("GET", path, headers={})
    await walk.ask("GET", "/markets", headers={})
    for market in ("BTC-USD-PERP", "ETH-USD-PERP", "SOL-USD-PERP"):
        await walk.ask("GET", f"/markets?market={market}", headers={})
        for suffix in ("", "/interactive"):
            await walk.ask("GET", f"/bbo/{market}{suffix}", headers={})
            await walk.ask("GET", f"/orderbook/{market}{suffix}?depth=3&price_tick=10", headers={})
        await walk.ask("GET", f"/orderbook/{market}/impact-price?size=1", headers={})
        await walk.ask("GET", f"/funding/data?market={market}&page_size=2", headers={})
        await walk.ask("GET", f"/trades?market={market}&page_size=1000", headers={})
        for kind in ("last", "mark", "underlying"):
            await walk.ask(
                "GET",
                f"/markets/klines?symbol={market}&resolution=60&price_kind={kind}&{LAST_DAY}",
                headers={},
            )
    await walk.ask("GET", "/trades?baseAsset=BTC", headers={})
    await walk.ask("GET", "/markets/summary?market=ALL&asset_kind=PERP", headers={})
    await walk.ask("GET", "/markets/summary?market=BTC-USD-PERP&base_asset=BTC", headers={})
    await walk.ask("GET", "/markets/history?market=ALL", headers={})


async def log_in(walk: Walk) -> None:
    """Onboarding and both ways to a token."""
    trader = walk.trader
    key = f"{trader.public_key:#x}"
    await walk.ask("GET", f"/onboarding?account_signer_type=starknet&public_key={key}", headers={})
    await walk.ask("POST", "/onboarding", {"public_key": key}, trader.onboarding_headers())
    await walk.ask("POST", "/auth", headers=trader.auth_headers())
    answer = await walk.ask("POST", f"/auth/{key}", headers=trader.auth_headers())
    trader.token = answer["jwt_token"]


async def trade(walk: Walk) -> None:
    """Orders of all kinds, some of which fill, so that every listing has rows."""
    trader = walk.trader
    market = {"type": "MARKET", "instruction": "IOC"}
    bought = await walk.ask("POST", "/orders", trader.order(**market, size="0.01"))
    await trio.sleep(30)
    await walk.ask("POST", "/orders", trader.order(**market, side="SELL", size="0.004"))
    stop = {
        "type": "STOP_LOSS_MARKET",
        "side": "SELL",
        "size": "0",
        "flags": ["REDUCE_ONLY"],
        "instruction": "GTC",
    }
    await walk.ask("POST", "/orders", trader.order(**stop, price="0", trigger_price="70000"))
    one = await walk.ask("POST", "/orders", trader.order(client_id="mine"))
    await walk.ask("GET", "/orders?market=BTC-USD-PERP")
    await walk.ask("GET", f"/orders/{bought['id']}")
    await walk.ask("GET", "/orders/by_client_id/mine")
    await walk.ask("PUT", f"/orders/{one['id']}", trader.order(id=one["id"], price="80000"))
    modified = await walk.ask("GET", f"/orders/{one['id']}")
    assert modified["price"] == "80000"
    await walk.ask("DELETE", f"/orders/{one['id']}")
    await walk.ask("POST", "/orders", trader.order(client_id="other"))
    await walk.ask("DELETE", "/orders/by_client_id/other?market=BTC-USD-PERP")
    batch = [trader.order(), trader.order(client_id="twice"), trader.order(client_id="twice")]
    placed = await walk.ask("POST", "/orders/batch", batch)
    assert [len(placed["orders"]), [error["error"] for error in placed["errors"]]] == [
        2,
        ["DUPLICATED_CLIENT_ID"],
    ]
    ids = {"order_ids": [placed["orders"][0]["id"], one["id"], "1"], "client_order_ids": ["twice", "never"]}
    cancelled = await walk.ask("DELETE", "/orders/batch", ids)
    assert [result["status"] for result in cancelled["results"]] == [
        "QUEUED_FOR_CANCELLATION",
        "ALREADY_CLOSED",
        "NOT_FOUND",
        "QUEUED_FOR_CANCELLATION",
        "NOT_FOUND",
    ]
    await walk.ask("GET", "/orders")
    await walk.ask("DELETE", "/orders")
    page = await walk.ask("GET", "/orders-history?page_size=1")
    await walk.ask("GET", f"/orders-history?cursor={page['next']}")
    fills = await walk.ask("GET", "/fills?market=BTC-USD-PERP&asset_kind=PERP")
    walk.room.exchange.engine.bust(fills["results"][0]["id"])


async def manage_keys(walk: Walk) -> None:
    """A subkey and a read-only token, from their making to their end; one more subkey that is handed over."""
    trader, friend, eph = walk.trader, Trader(0xABCDEF), Trader(0x123456)
    one = f"/account/keys/subkeys/{friend.public_key:#x}"
    await walk.ask("POST", "/account/keys/subkeys", {"name": "bot", "public_key": hex(friend.public_key)})
    await walk.ask("GET", one)
    await walk.ask("PUT", one, {"name": "robot"})
    await walk.ask("PUT", f"{one}/allowed-cidrs", {"allowed_cidrs": ["127.0.0.0/8"]})
    await walk.ask("GET", "/account/keys/subkeys")
    await walk.ask("DELETE", one)
    handed = {"public_key": hex(Trader(0x999).public_key)}
    pending = {"state": "pending", "encrypted_key": "secret", "eph_public_key": hex(eph.public_key)}
    await walk.ask("POST", "/account/keys/subkeys", {"name": "phone", **handed, **pending})
    proof = {"account_id": hex(trader.address), "signature": ["1", "2"], "timestamp": EPOCH}
    await walk.ask("POST", "/account/keys/subkeys/activate", {**handed, **proof}, {})
    body = {"name": "eyes", "token_type": "read_only", "expiry_duration": 3600}
    made = await walk.ask("POST", "/account/tokens", body)
    token = f"/account/tokens/{made['api_token']['lookup_id']}"
    await walk.ask("PUT", f"{token}/allowed-cidrs", {"allowed_cidrs": []})
    await walk.ask("GET", "/account/tokens?with_invalid=true")
    reader = {"Authorization": f"Bearer {made['token']}"}
    assert await walk.fail("POST", "/orders", trader.order(), reader) == (403, "INVALID_TOKEN_SCOPE")
    await walk.ask("DELETE", token)


async def look_at_the_account(walk: Walk) -> None:
    """All private reads, and the leverage."""
    for path in ("", "/info", "/summary", "/subaccounts", "/margin?market=BTC-USD-PERP"):
        await walk.ask("GET", f"/account{path}")
    margin = {"leverage": 40, "margin_type": "CROSS"}
    await walk.ask("POST", "/account/margin/BTC-USD-PERP", margin)
    for path in ("balance", "positions", "tradebusts", "transfers", "transactions", "liquidations"):
        await walk.ask("GET", f"/{path}")
    await walk.ask("GET", "/funding/payments?market=BTC-USD-PERP")


async def be_liquidated(walk: Walk) -> None:
    """A position that the account can just carry, until the price moves against it."""
    market = {"type": "MARKET", "instruction": "IOC"}
    for _ in range(20):
        await walk.ask("POST", "/orders", walk.trader.order(**market, size="1.5"))
        await trio.sleep(1)
    walk.room.exchange.driver.move("BTC-USD-PERP", 82_000 * SCALE)
    await trio.sleep(10)
    await walk.ask("GET", "/liquidations?from=1")


async def be_refused(walk: Walk) -> None:
    """Every private route without a token, and what else there is to refuse."""
    for route in walk.room.rest.routes:
        if route.name not in walk.refused and route.name not in NOTHING_TO_REFUSE:
            path = re.sub(r"\{\w+\}", "1", route.path.removeprefix("/v1"))
            await walk.fail(route.method, path, headers={})


async def test_every_route_answers_as_specified(autojump_clock: MockClock) -> None:
    """Each route is seen to serve, with rows where it lists, and to refuse; all of it validates. None is left out."""
    async with stage(verify=False, activity=1.0) as room:
        walk = Walk(room, room.http(), Trader())
        await read_markets(walk)
        await log_in(walk)
        await trade(walk)
        await manage_keys(walk)
        await look_at_the_account(walk)
        await be_liquidated(walk)
        for path in REFUSED:
            await walk.fail("GET", path, headers={})
        await be_refused(walk)
        names = {route.name for route in room.rest.routes}
        assert walk.served == names - NEVER_SERVED
        assert walk.refused == names - NOTHING_TO_REFUSE
        assert walk.unlisted - walk.listed == ALWAYS_EMPTY
        await vary_the_reads(walk)


async def vary_the_reads(walk: Walk) -> None:
    """HEAD says what GET says, without the body; an empty query and stray parameters change nothing."""
    bearer = walk.trader.bearer
    for target in walk.reads.values():
        found = await walk.client.request("GET", target, None, bearer)
        for more in ("&",) if "?" in target else ("?", "?x=1&y="):
            varied = await walk.client.request("GET", target + more, None, bearer)
            assert (varied.status, set(varied.json())) == (found.status, set(found.json())), target
        head = await walk.client.request("HEAD", target, None, bearer)
        assert (head.status, head.body) == (found.status, b""), target
        assert int(head.headers["content-length"]) > 0
