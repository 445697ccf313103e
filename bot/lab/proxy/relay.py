"""A port of the proxy: whoever connects to it speaks to a server, over a way that can be made as bad as wanted."""

import random
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import trio

from bot.lab.child import Address
from bot.lab.proxy.relayed import Relayed
from bot.simulation.path import Path, Way
from bot.simulation.pipe import Ending
from bot.simulation.timeline import Timeline

BACKLOG = 64

LOOPBACK = "127.0.0.1"


class Relay(Way):
    """A port, the way from there to its server, and the connections over it. Made by `open_relay`.

    The words are those of `bot.simulation.network.Link`, and mean the same; all may be used while connections live.
    TLS passes through untouched: the server's certificate has to name the host that clients of the proxy connect to.
    """

    def __init__(self, timeline: Timeline, rng: random.Random, address: Address, target: Address) -> None:
        super().__init__(up=Path(timeline, rng), down=Path(timeline, rng))
        self.connections: list[Relayed] = []
        """Those that live, the oldest first."""
        self.accepted = 0
        """How many there were so far."""
        self.target = target
        """Where the next one who connects is led to; it may be changed."""
        self._timeline = timeline
        self._address = address
        self._socket = self._bound()
        self._address = (address[0], self._socket.getsockname()[1])
        self._socket.listen(BACKLOG)
        self._listens = trio.Event()

    @property
    def address(self) -> Address:
        """Where it listens."""
        return self._address

    def refuse(self) -> None:
        """Answer every attempt to connect with a reset, until `heal`."""
        self.up.refuse()
        # While somebody is bound to the port and does not listen, the system refuses, and gives it to nobody else.
        self.close()
        self._socket = self._bound()

    def heal(self) -> None:
        """End a black hole, a stall, a refusal. What has a shape keeps it."""
        if self.up.refusing:
            self._socket.listen(BACKLOG)
            self._listens.set()
            self._listens = trio.Event()
        super().heal()

    def cut(self, ending: Ending = Ending.RST) -> None:
        """Cut every connection of this moment."""
        for connection in self.connections:
            connection.cut(ending)

    def close(self) -> None:
        """Listen no more."""
        trio.lowlevel.notify_closing(self._socket)
        self._socket.close()

    async def accept(self) -> None:
        """Relay whoever connects, until cancelled."""
        async with trio.open_nursery() as nursery:
            while True:
                if self.up.refusing:
                    await self._listens.wait()
                try:
                    await trio.lowlevel.wait_readable(self._socket)
                    client, _ = self._socket.accept()
                except (trio.ClosedResourceError, BlockingIOError, ConnectionError):
                    continue  # it refuses since, or the client has left
                nursery.start_soon(self._relay, client)

    async def _relay(self, client: socket.socket) -> None:
        connection = Relayed(self._timeline, self, client)
        self.connections.append(connection)
        self.accepted += 1
        try:
            await connection.run(lambda: self.target)
        finally:
            connection.cut()
            self.connections.remove(connection)

    def _bound(self) -> socket.socket:
        listener = socket.socket(socket.AF_INET6 if ":" in self._address[0] else socket.AF_INET)
        listener.setblocking(False)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, True)
        try:
            listener.bind(self._address)
        except OSError:
            listener.close()
            raise
        return listener


@asynccontextmanager
async def open_relay(
    target: Address, *, host: str = LOOPBACK, port: int = 0, seed: int = 0
) -> AsyncIterator[Relay]:
    """Lead whoever connects to ``port`` of ``host``, an IP address, to ``target``; ``seed`` decides about jitter.

    Raises:
        OSError: it cannot listen there.
    """
    timeline = Timeline()
    relay = Relay(timeline, random.Random(seed), (host, port), target)  # noqa: S311 - to be repeatable
    try:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(timeline.unfold)
            nursery.start_soon(relay.accept)
            yield relay
            nursery.cancel_scope.cancel()
    finally:
        relay.close()
