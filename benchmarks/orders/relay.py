"""A relay between a client and the exchange that counts what passes: it cannot read it, and need not."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from urllib.parse import urlsplit

import attrs
import msgspec
import trio

from bot.lab.child import Reached, address_of
from bot.lab.proxy.relay import LOOPBACK

APPLICATION_DATA = 23
"""The type of a TLS record that holds what programs say (RFC 8446, section 5.1)."""

HEADER = 5
"""Bytes of a TLS record before its payload: the type, two of a version, two of the length."""


@attrs.define
class Traffic:
    """What clients sent, and what they waited for."""

    round_trips: int = 0
    """How often a client said something after it had heard something, or as the first."""

    records: int = 0
    """TLS records of clients that hold data. Each was encrypted for itself, and handed to the system in a call."""

    bytes_sent: int = 0
    bytes_received: int = 0
    """By clients, TLS included."""

    def __sub__(self, other: "Traffic") -> "Traffic":
        mine, others = attrs.astuple(self), attrs.astuple(other)
        return Traffic(*(here - there for here, there in zip(mine, others, strict=True)))


@attrs.define(eq=False)
class Watched:
    """One connection through the relay."""

    traffic: Traffic
    _client_spoke: bool = False
    _unread: bytearray = attrs.field(factory=bytearray)
    """What came of a record that is not whole."""

    def sent(self, data: bytes) -> None:
        self.traffic.round_trips += not self._client_spoke
        self._client_spoke = True
        self.traffic.bytes_sent += len(data)
        self._unread += data
        while len(self._unread) >= HEADER:
            end = HEADER + int.from_bytes(self._unread[3:HEADER])
            if len(self._unread) < end:
                break
            self.traffic.records += self._unread[0] == APPLICATION_DATA
            del self._unread[:end]

    def received(self, data: bytes) -> None:
        self._client_spoke = False
        self.traffic.bytes_received += len(data)


@asynccontextmanager
async def open_counting(reached: Reached) -> AsyncIterator[tuple[Reached, Traffic]]:
    """Where clients find the same exchange, and what passes there."""
    traffic = Traffic()
    async with trio.open_nursery() as nursery:

        async def listen(url: str) -> str:
            host, port = address_of(url)

            async def relay(client: trio.SocketStream) -> None:
                connection = Watched(traffic)
                async with await trio.open_tcp_stream(host, port) as server, trio.open_nursery() as ways:
                    ways.start_soon(_pass_on, server, client, connection.received)
                    await _pass_on(client, server, connection.sent)
                    ways.cancel_scope.cancel()

            (listener,) = await trio.open_tcp_listeners(0, host=LOOPBACK)
            await nursery.start(trio.serve_listeners, relay, [listener])
            parts = urlsplit(url)
            return parts._replace(netloc=f"{LOOPBACK}:{listener.socket.getsockname()[1]}").geturl()

        rest_url, ws_url = await listen(reached.rest_url), await listen(reached.ws_url)
        yield msgspec.structs.replace(reached, rest_url=rest_url, ws_url=ws_url), traffic
        nursery.cancel_scope.cancel()


async def _pass_on(
    source: trio.SocketStream, target: trio.SocketStream, count: Callable[[bytes], None]
) -> None:
    with suppress(trio.BrokenResourceError):
        async for data in source:
            count(bytes(data))
            await target.send_all(data)
        await target.send_eof()
