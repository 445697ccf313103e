"""A network in memory and in virtual time: hosts, the links between them, the connections over these."""

import errno
import socket
from collections.abc import AsyncGenerator, Callable, Generator
from contextlib import asynccontextmanager, contextmanager
from contextvars import ContextVar
from functools import partial
from math import isnan
from random import Random
from socket import AddressFamily, SocketKind
from typing import TypeVarTuple

import attrs
import trio

from bot.simulation.address import Address, error
from bot.simulation.connection import Connection, State
from bot.simulation.endpoint import Backlog, Endpoint
from bot.simulation.host import Host
from bot.simulation.names import Names
from bot.simulation.path import Path, Way
from bot.simulation.pipe import Ending
from bot.simulation.sockets import VirtualSocket
from bot.simulation.timeline import Timeline

Args = TypeVarTuple("Args")

WINDOW = 131072
"""Bytes of one direction of a connection that may be on their way or unread: about what two kernels buffer."""

# A context variable, although dependencies are none of its business: on which machine a task runs is a fact about the
# task and whatever it spawns, and the unchanged program has no place where it could be told.
_here: ContextVar[Host | None] = ContextVar("_here", default=None)


@attrs.define(eq=False)
class Link(Way):
    """The paths between a client's and a server's host, and the connections that the client opened over them."""

    connections: list[Connection] = attrs.field(factory=list)
    refusal_takes: float = 0.0
    """Seconds that an attempt to connect waits for its refusal, at least."""

    def refuse(self, after: float = 0.0) -> None:
        """Refuse whoever opens a connection, but not before ``after`` seconds have passed, until `heal`."""
        self.refusal_takes = after
        self.up.refuse()

    def cut(self, ending: Ending = Ending.RST) -> None:
        """Cut every connection of this moment."""
        for connection in self.connections:
            connection.cut(ending)


@attrs.frozen
class Change:
    """A connection's new state: ``number`` counts connections from 0, ``at`` is in seconds of trio's clock."""

    at: float
    number: int
    state: State


class Network(trio.abc.SocketFactory):
    """What `open_network` yields. Hosts and links may be added, and faults made, at any time."""

    def __init__(self, seed: int, timeline: Timeline, window: int) -> None:
        self.names = Names()
        self.connections: list[Connection] = []
        """Every connection that was ever asked for, in that order."""
        self.log: list[Change] = []
        """What became of them."""
        self._seed = seed
        self._timeline = timeline
        self._window = window
        self._hosts: list[Host] = []
        self._links: dict[tuple[Host, Host], Link] = {}
        self.localhost = self.host("localhost", "192.0.2.1")
        """Where programs run that were not told where; 192.0.2.1 to the others."""
        self.names.set("localhost", "127.0.0.1")
        self._nowhere = Host("nowhere", ())

    def host(self, name: str, *addresses: str) -> Host:
        """Add a host, and its name to the name service.

        Raises:
            ValueError: no IP address, or one that another host has.
        """
        host = Host(name, addresses)
        if any(self._owner(address) for address in host.addresses):
            raise ValueError(f"another host has one of these addresses: {addresses}")
        self._hosts.append(host)
        self.names.set(name, *host.addresses)
        return host

    @contextmanager
    def on(self, host: Host) -> Generator[None]:
        """Run on ``host``: the sockets made by this task, and by tasks started from here, are its sockets."""
        token = _here.set(host)
        try:
            yield
        finally:
            _here.reset(token)

    def here(self) -> Host:
        """The host that this task runs on."""
        host = _here.get()  # perhaps one of a network around this one
        return host if host in self._hosts else self.localhost

    def link(self, client: Host, server: Host) -> Link:
        """What lies between two hosts, seen from the client. From the other side it is the same two paths."""
        if (client, server) not in self._links:
            seen_from_there = self._links.get((server, client))
            if seen_from_there:
                up, down = seen_from_there.down, seen_from_there.up
            else:
                up, down = (self._path(client, server, direction) for direction in ("up", "down"))
            self._links[client, server] = Link(up, down)
        return self._links[client, server]

    def opened(self, server: Host, port: int) -> int:
        """How many connections to a port of a host have been opened so far."""
        return sum(
            connection.server.local.port == port and not isnan(connection.opened_at)
            for (_, host), link in self._links.items()
            for connection in link.connections
            if host is server
        )

    def at(self, time: float, act: Callable[[*Args], object], *args: *Args) -> None:
        """Call ``act(*args)`` at ``time``, in seconds of trio's clock: a fault, or its end."""
        self._timeline.at(time, act, *args)

    def after(self, seconds: float, act: Callable[[*Args], object], *args: *Args) -> None:
        """Call ``act(*args)`` in ``seconds``."""
        self._timeline.after(seconds, act, *args)

    def socket(
        self,
        family: AddressFamily | int = AddressFamily.AF_INET,
        type: SocketKind | int = SocketKind.SOCK_STREAM,  # noqa: A002 - trio's name
        proto: int = 0,
    ) -> trio.socket.SocketType:
        """Make a socket on the host that this task runs on, as `trio.socket.socket` asks.

        Raises:
            OSError: EAFNOSUPPORT, EPROTONOSUPPORT: there is TCP over IP and nothing else.
        """
        if family not in {AddressFamily.AF_INET, AddressFamily.AF_INET6}:
            raise error(errno.EAFNOSUPPORT)
        if type != SocketKind.SOCK_STREAM or proto not in {0, socket.IPPROTO_TCP}:
            raise error(errno.EPROTONOSUPPORT)
        host = self.here()
        return VirtualSocket(host, AddressFamily(family), partial(self._dial, host))

    def _dial(self, client: Host, local: Address, remote: Address) -> Endpoint:
        server = client if client.owns(remote.ip) else self._owner(remote.ip) or self._nowhere
        link = self.link(client, server)

        def listener() -> Backlog | None:
            return None if link.up.refusing else server.listener(remote)

        number = len(self.connections)
        connection = Connection(
            self._timeline,
            link,
            local,
            remote,
            self._window,
            listener=listener,
            changed=partial(self._note, number),
        )
        self.connections.append(connection)
        link.connections.append(connection)
        if link.up.refusing:
            connection.down.stall(link.refusal_takes)
        self._note(number, connection)
        if (
            server is not self._nowhere
        ):  # who calls an address that nobody has is not refused, but never answered
            connection.client.open()
        return connection.client

    def _note(self, number: int, connection: Connection) -> None:
        self.log.append(Change(self._timeline.now(), number, connection.state))

    def _owner(self, ip: str) -> Host | None:
        return next((host for host in self._hosts if ip in host.addresses), None)

    def _path(self, client: Host, server: Host, direction: str) -> Path:
        # Each path draws for itself: traffic on one does not change the luck of another.
        random = Random(f"{self._seed} {client.name} {server.name} {direction}")  # noqa: S311 - to be repeatable
        return Path(self._timeline, random)


@asynccontextmanager
async def open_network(seed: int, *, window: int = WINDOW) -> AsyncGenerator[Network]:
    """Put a network in the place of trio's sockets and resolver, in this `trio.run` and until the end of the block.

    ``seed`` decides about jitter. ``window`` is in bytes: what one direction of a connection takes before it blocks.
    """
    timeline = Timeline()
    network = Network(seed, timeline, window)
    sockets = trio.socket.set_custom_socket_factory(network)
    resolver = trio.socket.set_custom_hostname_resolver(network.names)
    try:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(timeline.unfold)
            yield network
            nursery.cancel_scope.cancel("the network is closed")
    finally:
        trio.socket.set_custom_socket_factory(sockets)
        trio.socket.set_custom_hostname_resolver(resolver)
