"""TLS over a connection: against Python's own server side, on a network where every byte can be seen and bent."""

import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
import trio
from virtual_stage import received, stage, virtually

from bot.link.clock import TrioClock
from bot.link.tls import TlsStream
from bot.link.wire import SeenStream
from bot.simulation.network import WINDOW
from bot.simulation.pipe import Pipe
from bot.simulation.rehearsal import NAME, contexts

SERVER, CLIENT = contexts()
LARGE = bytes(range(256)) * 1000


@asynccontextmanager
async def opened(
    context: ssl.SSLContext = CLIENT, window: int = WINDOW
) -> AsyncIterator[tuple[TlsStream, trio.SSLStream[trio.abc.Stream], Pipe]]:
    """A client whose handshake is done, its server, and what goes from one to the other."""
    async with stage(window=window) as s:
        ours, theirs, connection = await s.connect()
        client = TlsStream(SeenStream(ours, TrioClock(0)), context, NAME)
        server: trio.SSLStream[trio.abc.Stream] = trio.SSLStream(theirs, SERVER, server_side=True)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(server.do_handshake)
            await client.do_handshake()
        yield client, server, connection.up


@virtually
async def test_what_is_sent_arrives() -> None:
    """However much it is: a record holds 16 KiB."""
    async with opened() as (client, server, _), trio.open_nursery() as nursery:
        for data in (b"a", LARGE):
            nursery.start_soon(client.send_all, data)
            assert await received(server, len(data)) == data
            nursery.start_soon(server.send_all, data)
            assert await received(client, len(data)) == data


@virtually
async def test_it_leaves_before_anybody_else_has_his_turn() -> None:
    """Encrypted, and handed over in the same step."""
    async with opened() as (client, _, up):
        before = up.packets
        assert client.push(b"order")
        assert up.packets == before + 1


@virtually
async def test_a_stranger_is_refused() -> None:
    """Another authority's certificate, and another name; the server is told."""

    async def serve(stream: trio.abc.Stream) -> None:
        server: trio.SSLStream[trio.abc.Stream] = trio.SSLStream(stream, SERVER, server_side=True)
        with pytest.raises(trio.BrokenResourceError):
            await server.receive_some()  # behind its handshake

    for context, name in ((ssl.create_default_context(), NAME), (CLIENT, "somebody.else")):
        async with stage() as s, trio.open_nursery() as nursery:
            ours, theirs, _ = await s.connect()
            client = TlsStream(SeenStream(ours, TrioClock(0)), context, name)
            nursery.start_soon(serve, theirs)
            with pytest.raises(trio.BrokenResourceError) as refused:
                await client.do_handshake()
        assert isinstance(refused.value.__cause__, ssl.SSLCertVerificationError)


@virtually
async def test_the_end() -> None:
    """Said properly, or not at all."""
    async with opened() as (client, server, _), trio.open_nursery() as nursery:
        nursery.start_soon(server.send_all, b"last")
        assert await received(client, 4) == b"last"
        nursery.start_soon(server.unwrap)
        assert await client.receive_some() == b""
        nursery.cancel_scope.cancel()
    async with opened() as (client, server, _):
        await server.transport_stream.aclose()
        assert await client.receive_some() == b""


@virtually
async def test_what_is_no_tls_breaks_it() -> None:
    """And a connection that is gone takes nothing."""
    async with opened() as (client, server, _), trio.open_nursery() as nursery:
        nursery.start_soon(server.transport_stream.send_all, b"HTTP/1.1 400 Bad Request\r\n\r\n")
        with pytest.raises(trio.BrokenResourceError):
            await client.receive_some()
        with pytest.raises(trio.BrokenResourceError):
            await client.send_all(b"order")
    async with opened() as (client, server, _):
        await client.aclose()
        with pytest.raises(trio.ClosedResourceError):
            await client.send_all(b"order")


@virtually
async def test_records_leave_in_their_order() -> None:
    """Whoever sends, and however little room there is: one that overtook another would break the connection."""
    async with opened(window=5000) as (client, server, _), trio.open_nursery() as nursery:
        nursery.start_soon(client.send_all, LARGE)
        await trio.lowlevel.checkpoint()
        assert not client.push(b"order")
        nursery.start_soon(client.send_all, LARGE)
        assert await received(server, 2 * len(LARGE) + 5) == LARGE + b"order" + LARGE
        await client.flush()
