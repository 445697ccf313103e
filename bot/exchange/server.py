"""The exchange on three ports: REST, WebSocket, control."""

import ssl
from collections.abc import Awaitable, Callable
from functools import partial

import attrs
import trio
from loguru import logger

from bot.core.clock import Clock
from bot.exchange.control import Control
from bot.exchange.counters import Counters
from bot.exchange.exchange import Exchange
from bot.exchange.limits import HTTP_CLOSE, TLS_HANDSHAKE
from bot.exchange.peer import peer_of
from bot.exchange.rest.api import Rest
from bot.exchange.settings import ExchangeSettings
from bot.exchange.transport.delay import delayed
from bot.exchange.transport.http import Handler, HttpConnection
from bot.exchange.websocket import SocketServer

Speaker = Callable[[trio.abc.Stream, str], Awaitable[None]]
"""Speaks to a client over a stream, and is told the IP address of its far end."""

_WILDCARDS = frozenset({"", "0.0.0.0", "::"})  # noqa: S104 - recognised, not bound


@attrs.frozen
class Listen:
    """Where to listen; port 0 is any free one."""

    host: str = "127.0.0.1"
    rest_port: int = 0
    ws_port: int = 0
    control_port: int = 0


@attrs.frozen
class Serving:
    """A running exchange: where it is reached, and its books and levers."""

    rest_url: str
    ws_url: str
    control_url: str
    exchange: Exchange


async def serve(
    settings: ExchangeSettings,
    clock: Clock,
    listen: Listen,
    tls: ssl.SSLContext | None,
    *,
    verify: bool = True,
    write_log: Callable[[bytes], object] | None = None,
    task_status: trio.TaskStatus[Serving] = trio.TASK_STATUS_IGNORED,
) -> None:
    """Serve an exchange until cancelled; hands over `Serving` when all ports listen.

    ``tls`` is a server context, or None for plain HTTP and WebSockets; the control port is always plain.
    ``verify`` false accepts any well-formed signature; ``write_log`` gets a line for each request (`RequestLog`).

    Raises:
        OSError: a port cannot be bound.
    """
    exchange = Exchange(settings, clock, verify=verify, write_log=write_log)
    rest, sockets, control = Rest(exchange), SocketServer(exchange), Control(exchange)
    rtt = settings.rtt_ms / 1000

    async def on_rest(raw: trio.abc.Stream) -> None:
        speak = partial(_speak_http, clock=clock, handler=rest.handle)
        with exchange.connected():
            await Port("rest", tls, rtt, exchange.counters, speak).accept(raw)

    async def on_websocket(raw: trio.abc.Stream) -> None:
        await Port("ws", tls, rtt, exchange.counters, sockets.serve).accept(raw)

    async def on_control(raw: trio.abc.Stream) -> None:
        speak = partial(_speak_http, clock=clock, handler=control.handle)
        await Port("control", None, 0.0, exchange.counters, speak).accept(raw)

    async with trio.open_nursery() as nursery:
        nursery.start_soon(exchange.run)
        rest_port = await _listen(nursery, listen.host, listen.rest_port, on_rest)
        ws_port = await _listen(nursery, listen.host, listen.ws_port, on_websocket)
        control_port = await _listen(nursery, listen.host, listen.control_port, on_control)
        host = _host_in_url(listen.host)
        secure = "s" if tls is not None else ""
        serving = Serving(
            rest_url=f"http{secure}://{host}:{rest_port}/v1",
            ws_url=f"ws{secure}://{host}:{ws_port}/v1",
            control_url=f"http://{host}:{control_port}",
            exchange=exchange,
        )
        task_status.started(serving)


async def _listen(
    nursery: trio.Nursery, host: str, port: int, on_connection: Callable[[trio.abc.Stream], Awaitable[None]]
) -> int:
    """Listen and serve in the nursery; the port. A name with several addresses is served on its first."""
    listeners = await trio.open_tcp_listeners(port, host=host)
    for spare in listeners[1:]:
        await spare.aclose()
    await nursery.start(trio.serve_listeners, on_connection, listeners[:1])
    bound: int = listeners[0].socket.getsockname()[1]
    return bound


def _host_in_url(host: str) -> str:
    if host in _WILDCARDS:
        return "127.0.0.1"
    return f"[{host}]" if ":" in host else host


async def _speak_http(stream: trio.abc.Stream, peer: str, *, clock: Clock, handler: Handler) -> None:
    await HttpConnection(stream, clock, peer).serve(handler)


@attrs.frozen
class Port:
    """What happens to each connection of one port: counted, delayed, encrypted, spoken to, closed."""

    name: str
    tls: ssl.SSLContext | None
    rtt: float
    counters: Counters
    speak: Speaker

    async def accept(self, raw: trio.abc.Stream) -> None:
        """Serve one connection to its end. A connection that dies is nobody's error."""
        self.counters.tcp[self.name] += 1
        try:
            peer = peer_of(raw)
            async with delayed(raw, self.rtt) as stream:
                if self.tls is None:
                    await self._serve(stream, peer)
                else:
                    await self._serve_encrypted(stream, self.tls, peer)
        except* (trio.BrokenResourceError, trio.ClosedResourceError):
            logger.debug("{}: a connection broke", self.name)

    async def _serve_encrypted(self, raw: trio.abc.Stream, tls: ssl.SSLContext, peer: str) -> None:
        # As HTTPS clients do, ours may close the connection without closing TLS first.
        stream = trio.SSLStream(raw, tls, server_side=True, https_compatible=True)
        with trio.move_on_after(TLS_HANDSHAKE) as handshake:
            try:
                await stream.do_handshake()
            except trio.BrokenResourceError:
                self.counters.tls[f"{self.name} failed"] += 1
                return
        if handshake.cancelled_caught:
            self.counters.tls[f"{self.name} failed"] += 1
            return
        self.counters.tls[self.name] += 1
        await self._serve(stream, peer)

    async def _serve(self, stream: trio.abc.Stream, peer: str) -> None:
        await self.speak(stream, peer)
        with trio.move_on_after(HTTP_CLOSE):
            await stream.aclose()
