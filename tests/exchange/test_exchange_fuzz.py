"""Ten thousand fuzzed requests on the three ports: each gets an answer in the venue's form, and nothing ends."""

# ruff: noqa: ARG001 - pytest-trio takes its clock from the arguments of a test

import json
from typing import Any
from urllib.parse import quote

import h11
import trio
import trio.testing
from exchange_stage import HttpClient, Stage, Trader, stage
from garbage import Garbage
from trio_websocket import ConnectionClosed

from bot.exchange.control import Control
from bot.exchange.transport.http import HttpConnection

REST, RAW, SOCKET, CONTROL = 4500, 1500, 3000, 1000

CHANNELS = [
    *("orders.ALL", "fills.BTC-USD-PERP", "positions", "account", "balance_events", "bbo.BTC-USD-PERP"),
    *(
        "trades.ALL",
        "order_book.BTC-USD-PERP.snapshot@15@100ms",
        "markets_summary",
        "funding_data",
        "nonsense",
    ),
]
QUERY = [
    *("market", "page_size", "cursor", "start_at", "end_at", "depth", "price_tick", "symbol", "resolution"),
    *("client_id", "status", "side", "type", "account_signer_type", "public_key", "token_usage", "baseAsset"),
    *("asset_kind", "price_kind", "x"),
]


def in_form(answer: Any) -> bool:
    """Whether an answer to a refused request is the venue's: a code and a sentence."""
    return (
        isinstance(answer, dict) and isinstance(answer["error"], str) and isinstance(answer["message"], str)
    )


class Caller:
    """A trader who comes back whenever the exchange closed a connection on them."""

    def __init__(self, room: Stage, trader: Trader, garbage: Garbage) -> None:
        self.room, self.trader, self.garbage = room, trader, garbage
        self.statuses: set[int] = set()
        self._client = room.http()

    async def ask(self, method: str, path: str, body: bytes | None, headers: dict[str, str]) -> None:
        try:
            reply = await self._client.request(method, path, body, headers)
        except h11.LocalProtocolError:
            return  # nothing h11 would let a client send
        self.statuses.add(reply.status)
        assert reply.status < 500 or (reply.status == 503 and in_form(reply.json())), (method, path, body)
        if reply.status >= 400 and method != "HEAD":
            assert in_form(reply.json()), (method, path, body, reply.body)
        if reply.headers.get("connection") == "close":
            self._client = self.room.http()

    def part(self, name: str, known: dict[str, str]) -> str:
        """A part of a path: what belongs there, or not."""
        if self.garbage.rng.random() < 0.6:
            return known.get(name, "1")
        return quote(self.garbage.text(), safe="") or "x"

    def query(self) -> str:
        rng = self.garbage.rng
        pairs = [
            f"{rng.choice(QUERY)}={quote(rng.choice(('BTC-USD-PERP', '1', self.garbage.text())))}"
            for _ in range(rng.choice((0, 0, 1, 1, 2, 3)))
        ]
        return "?" + "&".join(pairs) if pairs else rng.choice(("", "", "?"))


async def a_life(caller: Caller, orders: int) -> None:
    """Some orders to ask about."""
    client = caller.room.http()
    for _ in range(orders):
        placed = await caller.trader.place(client)
        assert placed.status == 201
        await trio.sleep(0.01)


async def test_garbage_on_rest_is_refused_in_the_venues_form(autojump_clock: trio.testing.MockClock) -> None:
    """Every route, with parts, queries, headers and bodies that are wrong in one way or several."""
    async with stage(rate_limits="none") as room:
        garbage, trader = Garbage(1), Trader()
        await trader.log_in(room.http())
        caller = Caller(room, trader, garbage)
        await a_life(caller, 5)
        [order_id, *_] = room.exchange.orders
        known = {
            "market": "BTC-USD-PERP",
            "order_id": order_id,
            "client_id": "c1",
            "public_key": hex(trader.public_key),
        }
        bodies: list[Any] = [
            {"orders": [trader.order()]},
            [trader.order(), trader.order(type="MARKET", instruction="IOC")],
            {"order_ids": [order_id], "client_order_ids": ["c1"]},
            {**trader.order(), "id": order_id},
            {"public_key": hex(trader.public_key), "name": "key", "state": "active", "leverage": 5},
        ]
        for number in range(REST):
            route = garbage.rng.choice(room.rest.routes)
            parts = [
                caller.part(part[1:-1], known) if part.startswith("{") else part
                for part in route.path.split("/")
            ]
            method = (
                route.method if garbage.rng.random() < 0.95 else garbage.rng.choice(["PATCH", "HEAD", "PUT"])
            )
            body = None
            if method in {"POST", "PUT", "PATCH"} or garbage.rng.random() < 0.1:
                body = garbage.json(garbage.rng.choice([*bodies, trader.order()]))
            headers: dict[str, str] = {} if garbage.rng.random() < 0.05 else dict(trader.bearer)
            if "auth" in route.path or "onboarding" in route.path:
                right = trader.auth_headers() | trader.onboarding_headers()
                headers |= {
                    name: str(value)[:300] for name, value in {**right, **garbage.headers(right)}.items()
                }
                headers = {
                    k: v for k, v in headers.items() if k.isascii() and v.isascii() and v.isprintable()
                }
            if number % 400 == 399:
                await trader.log_in(
                    room.http()
                )  # an hour of virtual time may pass; keys may have been revoked
            await caller.ask(method, "/".join(parts) + caller.query(), body, headers)
        assert {200, 201, 400, 401, 404, 405} <= caller.statuses
        assert (await trader.place(room.http())).status == 201


async def test_bytes_that_are_not_http_are_answered_or_hung_up_on(
    autojump_clock: trio.testing.MockClock,
) -> None:
    """A damaged request ends its connection at most, after an answer where one can still be understood."""
    async with stage(rate_limits="none") as room:
        garbage, trader = Garbage(2), Trader()
        await trader.log_in(room.http())
        order = json.dumps(trader.order()).encode()
        right = (
            b"POST /v1/orders HTTP/1.1\r\nhost: x\r\nauthorization: Bearer %b\r\ncontent-length: %d\r\n\r\n%b"
            % (trader.token.encode(), len(order), order)
        )
        upgrade = (
            b"GET /v1 HTTP/1.1\r\nhost: x\r\nupgrade: websocket\r\nconnection: upgrade\r\n"
            b"sec-websocket-version: 13\r\nsec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n\x81\x05hello"
        )
        answered = 0
        for number in range(RAW):
            to_rest = number % 3 != 0
            stream = room.raw_http() if to_rest else room.raw_websocket()
            await stream.send_all(garbage.damaged(right if to_rest else upgrade))
            await stream.send_eof()  # type: ignore[attr-defined] # memory streams are stapled
            answer = b""
            with trio.move_on_after(200):
                while data := await stream.receive_some():
                    answer += data
            await stream.aclose()
            assert not answer.startswith(b"HTTP/1.1 5")
            answered += answer.startswith(b"HTTP/1.1 ")
        assert answered > RAW / 4
        assert (await trader.place(room.http())).status == 201


async def test_garbage_on_a_socket_is_answered_with_an_error(autojump_clock: trio.testing.MockClock) -> None:
    """Every method with params that are wrong, and frames that are no call at all."""
    async with stage(rate_limits="none") as room:
        garbage, trader = Garbage(3), Trader()
        client = room.http()
        await trader.log_in(client)
        order = trader.order()
        calls: list[dict[str, Any]] = [
            {"method": "auth", "params": {"bearer": trader.token}},
            *({"method": "subscribe", "params": {"channel": name}} for name in CHANNELS),
            *({"method": "unsubscribe", "params": {"channel": name}} for name in CHANNELS),
            {"method": "subscribe", "params": {"channel": "markets_summary", "markets": ["BTC-USD-PERP"]}},
            {"method": "modify_subscription", "params": {"channel": "markets_summary", "add": ["x"]}},
            {"method": "order.create", "params": order},
            {"method": "order.create_batch", "params": {"orders": [order]}},
            {"method": "order.create_batch", "params": [order]},
            {"method": "order.modify", "params": {**order, "id": "1"}},
            {"method": "order.cancel", "params": {"id": "1"}},
            {"method": "order.cancel", "params": {"client_id": "c1", "market": "BTC-USD-PERP"}},
            {"method": "order.cancel_batch", "params": {"order_ids": ["1"]}},
            {"method": "order.cancel_all", "params": {"market": "BTC-USD-PERP"}},
            {"method": "order.cancel_on_disconnect", "params": {"enabled": False}},
        ]
        codes: set[int] = set()
        closes: set[int] = set()
        socket = await room.websocket(message_queue_size=4000)
        await socket.call("auth", {"bearer": trader.token})
        for number in range(SOCKET):
            if number % 400 == 399:
                await trader.log_in(client)
            frame = {"jsonrpc": "2.0", "id": 7, **garbage.rng.choice(calls)}
            text = garbage.json(frame).decode("utf-8", "replace")
            try:
                await socket.socket.send_message(text)
                while True:
                    reply = await socket.receive()
                    if reply.get("method") != "subscription":
                        break
            except ConnectionClosed as closed:
                closes.add(closed.reason.code if closed.reason else 0)
                socket = await room.websocket(message_queue_size=4000)
                await socket.call("auth", {"bearer": trader.token})
                continue
            assert reply["jsonrpc"] == "2.0"
            if "error" in reply:
                assert isinstance(reply["error"]["message"], str)
                codes.add(reply["error"]["code"])
            else:
                assert isinstance(reply["result"], dict)
        assert -32603 not in codes
        assert {-32700, -32600, -32601, -32602} <= codes
        assert closes <= {1007, 1009, 4031}
        assert (await trader.place(client)).status == 201


async def test_garbage_on_the_control_port_is_refused(autojump_clock: trio.testing.MockClock) -> None:
    """Every lever, pulled wrongly; what it does when pulled rightly is tested elsewhere."""
    async with stage(rate_limits="none") as room:
        garbage, trader = Garbage(4), Trader()
        await trader.log_in(room.http())
        await trader.place(room.http())
        control = Control(room.exchange)

        def connect() -> HttpClient:
            near, far = trio.testing.memory_stream_pair()
            room.nursery.start_soon(HttpConnection(far, room.exchange.clock).serve, control.handle)
            return HttpClient(near)

        client = connect()
        listed = (await client.request("GET", "/")).json()
        levers = [name.split(" ") for name in listed]
        refused = 0
        body = {"code": 1012, "status": "ok", "times": 1, "market": "BTC-USD-PERP", "price": "85000"}
        body |= {"account": hex(trader.address), "amount": "1", "fill_id": "1", "seconds": 1}
        for _ in range(CONTROL):
            method, path = garbage.rng.choice(levers)
            reply = await client.request(method, path, garbage.json(body))
            assert reply.status < 500, (method, path, reply.body)
            if reply.status >= 400:
                refused += 1
                assert in_form(reply.json())
            if reply.headers.get("connection") == "close":
                client = connect()
        assert refused > CONTROL / 20
        room.exchange.set_mode("ok")
        room.exchange.refuse_auth(0)
        await trader.log_in(room.http())
        assert (await trader.place(room.http())).status == 201
