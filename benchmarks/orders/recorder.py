"""The bytes that this bot's HTTP client sends for an order, recorded where nobody takes them for one."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from math import inf

import attrs
import trio

from benchmarks.account import LIFETIME
from bot.core.clock import Clock
from bot.core.errors import RefusedError
from bot.core.tape import NoTape
from bot.lab.proxy.relay import LOOPBACK
from bot.link.http import HttpSettings, open_http
from bot.paradex import orders
from bot.paradex.orders import SignedOrder
from bot.place import trusting
from bot.session.capabilities import Token, TokenKeeper, open_authed_rest

REFUSAL = b'HTTP/1.1 400 Bad Request\r\nContent-Length: 35\r\n\r\n{"error":"RECORDED","message":"no"}'

CHUNK = 64 * 1024


@attrs.define(eq=False)
class Recorder:
    """Made by `open_recorder`."""

    _port: int
    _clock: Clock
    _heard: bytearray = attrs.field(factory=bytearray)

    async def record(self, signed: list[SignedOrder], token: str, host: bytes) -> list[bytes]:
        """What the bot would send to ``host`` for each of these orders, with this token."""
        here = f"{LOOPBACK}:{self._port}"
        authed_keeper = TokenKeeper(Token(token, inf, LIFETIME))
        recorded = []
        async with open_http(
            HttpSettings(), f"http://{here}/v1", trusting(""), self._clock, NoTape(self._clock)
        ) as http:
            authed = open_authed_rest(http, authed_keeper)
            for each in signed:
                async with authed.reserve_order_lane() as lane:
                    with suppress(RefusedError):
                        await lane.send(orders.create(each))
                recorded.append(bytes(self._heard).replace(here.encode(), host))
                self._heard.clear()
        return recorded

    async def listen(self, stream: trio.SocketStream) -> None:
        """Refuse whatever comes: the bot sends a request in one piece."""
        async for data in stream:
            self._heard += data
            await stream.send_all(REFUSAL)


@asynccontextmanager
async def open_recorder(clock: Clock) -> AsyncIterator[Recorder]:
    async with trio.open_nursery() as nursery:
        (listener,) = await trio.open_tcp_listeners(0, host=LOOPBACK)
        recorder = Recorder(listener.socket.getsockname()[1], clock)
        await nursery.start(trio.serve_listeners, recorder.listen, [listener])
        yield recorder
        nursery.cancel_scope.cancel()
