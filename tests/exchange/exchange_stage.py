"""A stage for tests: an exchange in virtual time, and clients that reach it over memory streams."""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import attrs
import fast_stark_crypto
import h11
import trio
import trio.testing
from trio_websocket import WebSocketConnection, wrap_client_stream

from bot.core.fixed import parse
from bot.exchange.exchange import Exchange
from bot.exchange.identity.config import CHAIN_ID
from bot.exchange.identity.login import derive
from bot.exchange.identity.snip12 import Messages
from bot.exchange.rest.api import Rest
from bot.exchange.server import Port
from bot.exchange.settings import ExchangeSettings
from bot.exchange.transport.http import HttpConnection
from bot.exchange.websocket import SocketServer

EPOCH = 1_790_000_000
MESSAGES = Messages(CHAIN_ID)


class StageClock:
    """Wall time that begins at `EPOCH` when trio's clock is 0."""

    def wall_ns(self) -> int:
        return EPOCH * 10**9 + self.monotonic_ns()

    def monotonic_ns(self) -> int:
        return round(trio.current_time() * 1e9)


@attrs.frozen
class Reply:
    status: int
    headers: dict[str, str]
    body: bytes

    def json(self) -> Any:
        return json.loads(self.body)


class HttpClient:
    """One keep-alive connection of a client."""

    def __init__(self, stream: trio.abc.Stream) -> None:
        self.stream = stream
        self._h11 = h11.Connection(h11.CLIENT)

    async def request(
        self, method: str, path: str, body: object = None, headers: dict[str, str] | None = None
    ) -> Reply:
        content = b"" if body is None else body if isinstance(body, bytes) else json.dumps(body).encode()
        all_headers = {"host": "exchange", "content-length": str(len(content)), **(headers or {})}
        data = (
            self._h11.send(h11.Request(method=method, target=path, headers=list(all_headers.items()))) or b""
        )
        data += self._h11.send(h11.Data(data=content)) or b""
        await self.stream.send_all(data + (self._h11.send(h11.EndOfMessage()) or b""))
        return await self.read_reply()

    async def read_reply(self) -> Reply:
        body = b""
        response: h11.Response | None = None
        while True:
            event = self._h11.next_event()
            if event is h11.NEED_DATA:
                self._h11.receive_data(bytes(await self.stream.receive_some(65536)))
            elif isinstance(event, h11.Response):
                response = event
            elif isinstance(event, h11.Data):
                body += event.data
            elif isinstance(event, h11.EndOfMessage):
                break
            else:
                raise EOFError
        assert response is not None
        if self._h11.our_state is h11.DONE and self._h11.their_state is h11.DONE:
            self._h11.start_next_cycle()
        headers = {name.decode(): value.decode() for name, value in response.headers}
        return Reply(response.status_code, headers, body)


class Trader:
    """Somebody with a key, who can sign and ask."""

    def __init__(self, key: int = 0x1234567890ABCDEF1234567890ABCDEF) -> None:
        self.key = key
        self.public_key = fast_stark_crypto.get_public_key(key)
        self.address = derive(self.public_key)
        self.token = ""
        self._client_ids = 0

    def sign(self, message: int) -> str:
        r, s = fast_stark_crypto.sign(self.key, message)
        return f'["{r}","{s}"]'

    def onboarding_headers(self) -> dict[str, str]:
        return {
            "PARADEX-ETHEREUM-ACCOUNT": "0x" + "ab" * 20,
            "PARADEX-STARKNET-ACCOUNT": hex(self.address),
            "PARADEX-STARKNET-SIGNATURE": self.sign(MESSAGES.onboarding(self.address)),
        }

    def auth_headers(self, timestamp: int | None = None, expiration: int | None = None) -> dict[str, str]:
        now = StageClock().wall_ns() // 10**9 if timestamp is None else timestamp
        until = now + 86400 if expiration is None else expiration
        return {
            "PARADEX-STARKNET-ACCOUNT": hex(self.address),
            "PARADEX-STARKNET-SIGNATURE": self.sign(MESSAGES.auth(self.address, now, until)),
            "PARADEX-TIMESTAMP": str(now),
            "PARADEX-SIGNATURE-EXPIRATION": str(until),
        }

    async def log_in(self, client: HttpClient, query: str = "") -> None:
        body = {"public_key": hex(self.public_key)}
        onboarded = await client.request("POST", "/v1/onboarding", body, self.onboarding_headers())
        assert (onboarded.status, onboarded.body) == (200, b"")
        path = f"/v1/auth/{self.public_key:#x}{query}"
        authenticated = await client.request("POST", path, headers=self.auth_headers())
        assert authenticated.status == 200, authenticated.body
        self.token = authenticated.json()["jwt_token"]

    @property
    def bearer(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.token}"}

    def order(self, **changes: Any) -> dict[str, Any]:
        """A signed far POST_ONLY bid for BTC, or what the changes make of it."""
        self._client_ids += 1
        order: dict[str, Any] = {
            "market": "BTC-USD-PERP",
            "side": "BUY",
            "type": "LIMIT",
            "size": "0.001",
            "price": "80750",
            "instruction": "POST_ONLY",
            "client_id": f"c{self._client_ids}",
            "signature_timestamp": StageClock().wall_ns() // 10**6,
            **changes,
        }
        if "signature" not in order:
            message = MESSAGES.order(
                self.address,
                timestamp=order["signature_timestamp"],
                market=order["market"],
                side=order["side"],
                order_type=order["type"],
                size=parse(order["size"]),
                price=0 if order["type"] == "MARKET" else parse(order["price"]),
            )
            order["signature"] = self.sign(message)
        return order

    async def ask(self, client: HttpClient, method: str, path: str, body: object = None) -> Reply:
        return await client.request(method, path, body, self.bearer)

    async def place(self, client: HttpClient, **changes: Any) -> Reply:
        return await self.ask(client, "POST", "/v1/orders", self.order(**changes))


class SocketClient:
    """A client's WebSocket, speaking JSON-RPC."""

    def __init__(self, socket: WebSocketConnection) -> None:
        self.socket = socket

    async def send(self, method: str, params: object, identifier: object = 1) -> None:
        call = {"jsonrpc": "2.0", "method": method, "params": params, "id": identifier}
        await self.socket.send_message(json.dumps(call))

    async def receive(self) -> Any:
        message = await self.socket.get_message()
        assert isinstance(message, str)
        assert message.endswith("\n")
        return json.loads(message)

    async def call(self, method: str, params: object, identifier: object = 1) -> Any:
        await self.send(method, params, identifier)
        return await self.receive()


@attrs.frozen
class Stage:
    """A running exchange and the ways to it."""

    exchange: Exchange
    nursery: trio.Nursery
    rest: Rest
    sockets: SocketServer

    def raw_http(self) -> trio.abc.Stream:
        """The client's end of a new connection to the REST port."""
        near, far = trio.testing.memory_stream_pair()
        self.nursery.start_soon(self._serve_http, far)
        return near

    def http(self) -> HttpClient:
        return HttpClient(self.raw_http())

    def raw_websocket(self) -> trio.StapledStream[Any, Any]:
        near, far = trio.testing.memory_stream_pair()
        self.nursery.start_soon(self._serve_websocket, far)
        return near

    async def websocket(self, path: str = "/v1", **options: Any) -> SocketClient:
        near = self.raw_websocket()
        return SocketClient(await wrap_client_stream(self.nursery, near, "exchange", path, **options))  # type: ignore[arg-type]

    async def orders_socket(self, trader: Trader) -> SocketClient:
        """A socket that receives all of a trader's order updates."""
        socket = await self.websocket(message_queue_size=100)
        assert "result" in await socket.call("auth", {"bearer": trader.token})
        assert "result" in await socket.call("subscribe", {"channel": "orders.ALL"})
        return socket

    async def _serve_http(self, far: trio.abc.Stream) -> None:
        async def speak(stream: trio.abc.Stream, peer: str) -> None:
            await HttpConnection(stream, self.exchange.clock, peer).serve(self.rest.handle)

        try:
            with self.exchange.connected():
                await Port("rest", None, 0.0, self.exchange.counters, speak).accept(far)
        finally:
            await trio.aclose_forcefully(far)

    async def _serve_websocket(self, far: trio.abc.Stream) -> None:
        await Port("ws", None, 0.0, self.exchange.counters, self.sockets.serve).accept(far)


async def run(exchange: Exchange, task_status: trio.TaskStatus[None]) -> None:
    task_status.started()
    await exchange.run()


@asynccontextmanager
async def stage(*, verify: bool = True, **settings: Any) -> AsyncIterator[Stage]:
    """An exchange that runs; its market stands still unless the settings say how active it is."""
    exchange = Exchange(ExchangeSettings(**{"activity": 0.0, **settings}), StageClock(), verify=verify)
    async with trio.open_nursery() as nursery:
        await nursery.start(run, exchange)
        yield Stage(exchange, nursery, Rest(exchange), SocketServer(exchange))
        assert exchange.engine.faults == 0
        nursery.cancel_scope.cancel()


def refused(reply: Reply) -> tuple[int, str]:
    """Status and code of a refusal, whose form is checked on the way."""
    body = reply.json()
    assert set(body) == {"error", "message", "data"}
    assert isinstance(body["message"], str)
    assert body["message"]
    return reply.status, body["error"]
