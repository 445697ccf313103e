"""Two hosts with a link between them, and what the tests of the virtual network play on it."""

import math
import ssl
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from functools import partial, wraps
from typing import ParamSpec

import attrs
import h11
import trio
import trustme

from bot.simulation.connection import Connection
from bot.simulation.host import Host
from bot.simulation.network import WINDOW, Link, Network, open_network
from bot.simulation.world import run

P = ParamSpec("P")

DELAY = 0.25  # of one way: sums of powers of two are exact, so tests compare times with ==
RTT = 2 * DELAY


def virtually(test: Callable[P, Awaitable[None]]) -> Callable[P, None]:
    """Run a test in virtual time, as the simulation runs: seeded, from time 0, and without threads."""

    @wraps(test)
    def in_virtual_time(*args: P.args, **kwargs: P.kwargs) -> None:
        run(partial(test, *args, **kwargs), seed=0)

    return in_virtual_time


@attrs.frozen
class Stage:
    """A bot, its venue, and the link between them."""

    network: Network
    bot: Host
    venue: Host
    link: Link
    nursery: trio.Nursery

    async def connect(self, port: int = 80) -> tuple[trio.SocketStream, trio.SocketStream, Connection]:
        """A connection from the bot to the venue: the client's stream, the server's, and the view from above."""
        with self.network.on(self.venue):
            [listener] = await trio.open_tcp_listeners(port, host="10.0.0.2")
        client = await self.dial(port)
        server = await listener.accept()
        await listener.aclose()
        return client, server, self.network.connections[-1]

    async def dial(self, port: int = 80) -> trio.SocketStream:
        """Connect from the bot to the venue."""
        with self.network.on(self.bot):
            return await trio.open_tcp_stream("venue.test", port)

    async def serve(self, handler: Callable[[trio.abc.Stream], Awaitable[object]], port: int = 443) -> None:
        """Serve TLS at the venue."""
        with self.network.on(self.venue):
            await self.nursery.start(partial(trio.serve_ssl_over_tcp, handler, port, server_tls()))


@asynccontextmanager
async def stage(*, delay: float = DELAY, seed: int = 0, window: int = WINDOW) -> AsyncGenerator[Stage]:
    async with open_network(seed, window=window) as network, trio.open_nursery() as nursery:
        bot = network.host("bot.test", "10.0.0.1")
        venue = network.host("venue.test", "10.0.0.2")
        link = network.link(bot, venue)
        link.shape(delay=delay)
        yield Stage(network, bot, venue, link, nursery)
        nursery.cancel_scope.cancel()


_ca = trustme.CA(key_type=trustme.KeyType.ECDSA)
_certificate = _ca.issue_cert("venue.test", key_type=trustme.KeyType.ECDSA)


def server_tls() -> ssl.SSLContext:
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    _certificate.configure_cert(context)
    return context


def client_tls() -> ssl.SSLContext:
    context = ssl.create_default_context()
    _ca.configure_trust(context)
    return context


async def http_server(stream: trio.abc.Stream, *, body: bytes = b"ok", requests: float = math.inf) -> None:
    """Answer ``requests`` requests of HTTP/1.1, then hang up without a word about it."""
    connection = h11.Connection(h11.SERVER)
    with suppress(trio.BrokenResourceError):
        async with stream:
            while requests:
                event = connection.next_event()
                if event is h11.NEED_DATA:
                    connection.receive_data(bytes(await stream.receive_some()))
                elif isinstance(event, h11.EndOfMessage):
                    head = h11.Response(status_code=200, headers=[("content-length", str(len(body)))])
                    answer = [
                        connection.send(part) for part in (head, h11.Data(data=body), h11.EndOfMessage())
                    ]
                    await stream.send_all(b"".join(piece or b"" for piece in answer))
                    connection.start_next_cycle()
                    requests -= 1
                elif isinstance(event, h11.ConnectionClosed):
                    return


async def received(stream: trio.abc.ReceiveStream, size: int) -> bytes:
    """Exactly ``size`` bytes."""
    data = b""
    while len(data) < size:
        more = await stream.receive_some(size - len(data))
        assert more, f"ended after {len(data)} of {size} bytes"
        data += more
    return data
