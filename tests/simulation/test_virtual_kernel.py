"""Virtual sockets behave as the kernel's.

Each scene is played twice, over real sockets on the loopback interface and over virtual ones, and must be seen the
same way. These are the tests where real sockets are the point; nothing in them waits for a real clock.
"""

import errno
import socket
import struct
import sys
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager

import pytest
import trio
from trio.socket import SocketType

from bot.simulation.network import open_network

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="the errors are Linux's")

Seen = list[object]
Scene = Callable[[], Awaitable[Seen]]


async def see(action: Awaitable[object]) -> object:
    """What a program sees of a call: its result, or the name of its error."""
    try:
        return await action
    except OSError as error:
        return errno.errorcode[error.errno or 0]
    except (trio.ClosedResourceError, trio.BusyResourceError) as error:
        return type(error).__name__


def look(action: Callable[[], object]) -> object:
    try:
        return action()
    except OSError as error:
        return errno.errorcode[error.errno or 0]


async def settle() -> None:
    """Let every packet arrive: the loopback interface delivers before a call returns, virtual ones need a turn."""
    await trio.testing.wait_all_tasks_blocked()


def make() -> SocketType:
    return trio.socket.socket(socket.AF_INET, socket.SOCK_STREAM)


async def listener() -> SocketType:
    sock = make()
    await sock.bind(("127.0.0.1", 0))
    sock.listen()
    return sock


@asynccontextmanager
async def connected() -> AsyncGenerator[tuple[SocketType, SocketType]]:
    with await listener() as listening, make() as client:
        await client.connect(listening.getsockname())
        server, _ = await listening.accept()
        with server:
            yield client, server


def linger_zero(sock: SocketType) -> None:
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


async def refused() -> Seen:
    with await listener() as listening, make() as client:
        address = listening.getsockname()
        listening.close()
        return [await see(client.connect(address))]


async def names_of_both_ends_agree() -> Seen:
    async with connected() as (client, server):
        return [
            client.getpeername() == server.getsockname(),
            server.getpeername() == client.getsockname(),
            client.getpeername()[0],
        ]


async def peer_closes() -> Seen:
    async with connected() as (client, server):
        await server.send(b"last words")
        server.close()
        await settle()
        seen = [
            client.is_readable(),
            await see(client.recv(4)),
            await see(client.recv(100)),
            await see(client.recv(1)),
        ]
        for _ in range(3):
            seen.append(await see(client.send(b"x")))
            await settle()
        return [*seen, await see(client.recv(1))]


async def peer_closes_without_reading() -> Seen:
    async with connected() as (client, server):
        await client.send(b"never read")
        await settle()
        server.close()
        await settle()
        return [await see(client.recv(1)), await see(client.recv(1)), await see(client.send(b"x"))]


async def reset_is_told_to_the_writer() -> Seen:
    async with connected() as (client, server):
        linger_zero(server)
        server.close()
        await settle()
        return [
            client.is_readable(),
            await see(client.send(b"x")),
            await see(client.send(b"x")),
            await see(client.recv(1)),
        ]


async def reset_is_asked_for() -> Seen:
    async with connected() as (client, server):
        linger_zero(server)
        server.close()
        await settle()
        return [client.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR), await see(client.recv(1))]


async def reset_behind_data() -> Seen:
    async with connected() as (client, server):
        await server.send(b"data")
        linger_zero(server)
        server.close()
        await settle()
        return [await see(client.recv(100)), await see(client.recv(100)), await see(client.recv(100))]


async def reset_while_reading() -> Seen:
    seen: Seen = []

    async def read(sock: SocketType) -> None:
        seen.append(await see(sock.recv(1)))

    async with connected() as (client, server), trio.open_nursery() as nursery:
        nursery.start_soon(read, client)
        await settle()
        linger_zero(server)
        server.close()
    return seen


async def half_close() -> Seen:
    async with connected() as (client, server):
        client.shutdown(socket.SHUT_WR)
        await settle()
        seen = [client.did_shutdown_SHUT_WR, await see(server.recv(1)), await see(server.send(b"answer"))]
        await settle()
        seen += [await see(client.recv(100)), await see(client.send(b"x"))]
        seen.append(look(lambda: client.shutdown(socket.SHUT_WR)))
        server.close()
        await settle()
        return [*seen, await see(client.recv(1))]


async def both_ends_close() -> Seen:
    async with connected() as (client, server):
        client.shutdown(socket.SHUT_WR)
        server.shutdown(socket.SHUT_WR)
        await settle()
        seen = [await see(client.recv(1)), await see(server.recv(1)), await see(client.send(b"x"))]
        return [*seen, look(client.getpeername) == look(server.getsockname)]


async def one_end_closes_after_the_other() -> Seen:
    async with connected() as (client, server):
        client.shutdown(socket.SHUT_WR)
        await settle()
        server.shutdown(socket.SHUT_WR)
        await settle()
        seen = [
            look(client.getpeername),
            look(server.getpeername),
            client.is_readable(),
            server.is_readable(),
        ]
        return [*seen, look(lambda: server.shutdown(socket.SHUT_WR))]


async def closed_here_while_reading() -> Seen:
    seen: Seen = []

    async def read(sock: SocketType) -> None:
        seen.append(await see(sock.recv(1)))

    async with connected() as (client, _), trio.open_nursery() as nursery:
        nursery.start_soon(read, client)
        await settle()
        client.close()
        client.close()
    return [
        *seen,
        client.fileno(),
        await see(client.recv(1)),
        await see(client.send(b"x")),
        look(client.getsockname),
    ]


async def two_readers() -> Seen:
    seen: Seen = []

    async def read(sock: SocketType) -> None:
        seen.append(await see(sock.recv(1)))

    async with connected() as (client, server), trio.open_nursery() as nursery:
        nursery.start_soon(read, client)
        await settle()
        seen.append(await see(client.recv(1)))
        await server.send(b"x")
    return seen


async def nothing_to_read_yet() -> Seen:
    async with connected() as (client, server):
        before = client.is_readable()
        await server.send(b"x")
        await settle()
        return [before, client.is_readable(), await see(client.recv(0)), await see(client.wait_writable())]


async def into_a_buffer() -> Seen:
    async with connected() as (client, server):
        await server.send(b"abcdef")
        await settle()
        buffer = bytearray(4)
        seen = [await see(client.recv_into(buffer, 2)), bytes(buffer), await see(client.recv_into(buffer))]
        return [*seen, bytes(buffer)]


async def not_connected() -> Seen:
    with make() as sock:
        return [
            await see(sock.recv(1)),
            await see(sock.send(b"x")),
            look(sock.getpeername),
            look(lambda: sock.shutdown(socket.SHUT_WR)),
            await see(sock.accept()),
            sock.getsockname(),
            sock.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN),
        ]


async def listening() -> Seen:
    with await listener() as sock, make() as other:
        address = sock.getsockname()
        seen = [
            sock.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN),
            sock.is_readable(),
            await see(other.bind(address)),
            await see(other.bind(("192.0.2.77", 0))),
            await see(sock.bind(("127.0.0.1", 0))),
        ]
        await other.connect(address)
        await settle()
        return [*seen, sock.is_readable(), look(other.listen), await see(sock.recv(1))]


async def wildcard() -> Seen:
    with make() as everywhere, make() as here, make() as client:
        await everywhere.bind(("", 0))
        everywhere.listen()
        port = everywhere.getsockname()[1]
        seen = [everywhere.getsockname()[0], await see(here.bind(("127.0.0.1", port)))]
        await client.connect(("127.0.0.1", port))
        server, _ = await everywhere.accept()
        with server:
            return [*seen, server.getsockname() == ("127.0.0.1", port)]


async def listener_closed_with_a_connection_waiting() -> Seen:
    with await listener() as sock, make() as client:
        await client.connect(sock.getsockname())
        await settle()
        sock.close()
        await settle()
        return [await see(client.recv(1)), await see(sock.accept())]


async def reset_before_it_is_accepted() -> Seen:
    with await listener() as sock:
        with make() as client:
            await client.connect(sock.getsockname())
            linger_zero(client)
        await settle()
        server, _ = await sock.accept()
        with server:
            return [await see(server.recv(1))]


async def a_closed_port_is_free_again() -> Seen:
    with await listener() as first, make() as second:
        address = first.getsockname()
        first.close()
        return [await see(second.bind(address))]


async def version_6() -> Seen:
    await trio.lowlevel.checkpoint()
    with trio.socket.socket(socket.AF_INET6, socket.SOCK_STREAM) as sock:
        sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        return [
            sock.family,
            sock.type,
            sock.getsockname(),
            sock.getsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY),
        ]


async def options() -> Seen:
    await trio.lowlevel.checkpoint()
    with make() as sock:
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 7))
        return [
            sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY),
            sock.getsockopt(socket.SOL_SOCKET, socket.SO_LINGER, 8),
            sock.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE),
        ]


SCENES: list[Scene] = [
    refused,
    names_of_both_ends_agree,
    peer_closes,
    peer_closes_without_reading,
    reset_is_told_to_the_writer,
    reset_is_asked_for,
    reset_behind_data,
    reset_while_reading,
    half_close,
    both_ends_close,
    one_end_closes_after_the_other,
    closed_here_while_reading,
    two_readers,
    nothing_to_read_yet,
    into_a_buffer,
    not_connected,
    listening,
    wildcard,
    listener_closed_with_a_connection_waiting,
    reset_before_it_is_accepted,
    a_closed_port_is_free_again,
    version_6,
    options,
]


@pytest.mark.parametrize("scene", SCENES, ids=lambda scene: scene.__name__)
async def test_a_virtual_socket_shows_what_the_kernel_shows(scene: Scene) -> None:
    """A program that plays the scene over virtual sockets sees the same results and the same errors, in order."""
    real = await scene()
    async with open_network(seed=0):
        virtual = await scene()
    assert virtual == real
