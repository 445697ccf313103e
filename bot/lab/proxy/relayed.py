"""A connection through the proxy: two real sockets, and between them the two pipes of the virtual network."""

import socket
from collections.abc import Callable

import trio

from bot.lab.child import Address
from bot.lab.proxy.end import End
from bot.simulation.path import Duplex, Path
from bot.simulation.pipe import Ending, Kind, Packet, Pipe
from bot.simulation.timeline import Timeline


class Relayed(Duplex[Pipe]):
    """One connection. ``up`` and ``down`` count its bytes, and can be blocked or cut for themselves.

    The system has accepted the client before we know of it. What a handshake takes is made up for: the server is
    called when a SYN has come up the path, and the client is heard when the answer has come down.
    """

    def __init__(self, timeline: Timeline, paths: Duplex[Path], client: socket.socket) -> None:
        super().__init__(up=Pipe(timeline, paths.up, self.cut), down=Pipe(timeline, paths.down, self.cut))
        self.up.lead_to(self._reach_server)
        self.down.lead_to(self._reach_client)
        self._client, self._server = End(self.up), End(self.down)
        self._client.attach(client)
        self._called, self._answered = trio.Event(), trio.Event()
        self.over = trio.Event()
        """Both sockets are closed."""

    def cut(self, ending: Ending = Ending.RST) -> None:
        """End the connection from outside, at once at both ends. What is on its way is lost."""
        for end in (self._client, self._server):
            end.close(reset=ending is Ending.RST)
        self.over.set()

    async def run(self, target: Callable[[], Address]) -> None:
        """Relay between the client and ``target()`` until both have ended, or it is cut."""
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._relay, target)
            await self.over.wait()
            nursery.cancel_scope.cancel()

    async def _relay(self, target: Callable[[], Address]) -> None:
        self.up.send(Packet(Kind.SYN))
        await self._called.wait()
        try:
            self._server.attach(await _dial(target()))
        except OSError:
            self.down.send(Packet(Kind.RST))
            return
        self.down.send(Packet(Kind.SYN_ACK))
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._client.write_on)
            nursery.start_soon(self._server.write_on)
            nursery.start_soon(self._server.read_on, self._client)
            await self._answered.wait()
            nursery.start_soon(self._client.read_on, self._server)
            await self._server.ended.wait()
            await self._client.ended.wait()
            self.cut(Ending.FIN)

    def _reach_server(self, packet: Packet) -> None:
        if packet.kind is Kind.SYN:
            self._called.set()
        else:
            self._reach(self._server, packet)

    def _reach_client(self, packet: Packet) -> None:
        if packet.kind is Kind.SYN_ACK:
            self._answered.set()
        else:
            self._reach(self._client, packet)

    def _reach(self, end: End, packet: Packet) -> None:
        if packet.kind is Kind.RST:
            self.cut(Ending.RST)
        else:
            end.deliver(packet)


async def _dial(target: Address) -> socket.socket:
    """A connected socket. Raises OSError: nobody answers there."""
    stream = await trio.open_tcp_stream(*target)
    return socket.socket(fileno=stream.socket.detach())
