"""TLS over a stream: against Python's own server side, in memory, where every byte can be seen and bent."""

import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
import trio
import trio.testing

from bot.link.tls import TlsStream
from bot.simulation.rehearsal import NAME, contexts

SERVER, CLIENT = contexts()
LARGE = bytes(range(256)) * 1000


@asynccontextmanager
async def opened(
    context: ssl.SSLContext = CLIENT,
) -> AsyncIterator[tuple[TlsStream, trio.SSLStream[trio.abc.Stream]]]:
    """A client whose handshake is done, and its server."""
    ours, theirs = trio.testing.memory_stream_pair()
    client = TlsStream(ours, context, NAME)
    server: trio.SSLStream[trio.abc.Stream] = trio.SSLStream(theirs, SERVER, server_side=True)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(server.do_handshake)
        await client.do_handshake()
    yield client, server


async def received(stream: trio.abc.ReceiveStream, size: int) -> bytes:
    data = b""
    while len(data) < size:
        data += await stream.receive_some(1000)
    return data


async def test_what_is_sent_arrives() -> None:
    """However much it is: a record holds 16 KiB."""
    async with opened() as (client, server), trio.open_nursery() as nursery:
        for data in (b"a", LARGE):
            nursery.start_soon(client.send_all, data)
            assert await received(server, len(data)) == data
            nursery.start_soon(server.send_all, data)
            assert await received(client, len(data)) == data


async def test_it_leaves_before_anybody_else_has_his_turn() -> None:
    """Encrypted, and handed over in the same step."""
    sent: list[bytes] = []

    class Under(trio.abc.Stream):
        async def send_all(self, data: bytes | bytearray | memoryview) -> None:
            sent.append(bytes(data))

        async def wait_send_all_might_not_block(self) -> None: ...

        async def receive_some(self, max_bytes: int | None = None) -> bytes:  # noqa: ARG002 - as the protocol has it
            return b""

        async def aclose(self) -> None: ...

    async with opened() as (client, _):
        client._stream = Under()
        with pytest.raises(StopIteration):  # it comes to its end, and does not stop before
            client.send_all(b"order").send(None)
    assert len(sent) == 1


async def test_a_stranger_is_refused() -> None:
    """Another authority's certificate, and another name; the server is told."""

    async def serve(stream: trio.abc.Stream) -> None:
        server: trio.SSLStream[trio.abc.Stream] = trio.SSLStream(stream, SERVER, server_side=True)
        with pytest.raises(trio.BrokenResourceError):
            await server.receive_some()  # behind its handshake

    for context, name in ((ssl.create_default_context(), NAME), (CLIENT, "somebody.else")):
        ours, theirs = trio.testing.memory_stream_pair()
        client = TlsStream(ours, context, name)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(serve, theirs)
            with pytest.raises(trio.BrokenResourceError) as refused:
                await client.do_handshake()
        assert isinstance(refused.value.__cause__, ssl.SSLCertVerificationError)


async def test_the_end() -> None:
    """Said properly, or not at all."""
    async with opened() as (client, server), trio.open_nursery() as nursery:
        nursery.start_soon(server.send_all, b"last")
        assert await received(client, 4) == b"last"
        nursery.start_soon(server.unwrap)
        assert await client.receive_some() == b""
        nursery.cancel_scope.cancel()
    async with opened() as (client, server):
        await server.transport_stream.aclose()
        assert await client.receive_some() == b""


async def test_what_is_no_tls_breaks_it() -> None:
    """And a connection that is gone takes nothing."""
    async with opened() as (client, server), trio.open_nursery() as nursery:
        nursery.start_soon(server.transport_stream.send_all, b"HTTP/1.1 400 Bad Request\r\n\r\n")
        with pytest.raises(trio.BrokenResourceError):
            await client.receive_some()
        with pytest.raises(trio.BrokenResourceError):
            await client.send_all(b"order")
    async with opened() as (client, server):
        await client.aclose()
        with pytest.raises(trio.ClosedResourceError):
            await client.send_all(b"order")


async def test_who_finds_somebody_sending_leaves_it_to_him() -> None:
    """A reader that has to answer while an order leaves tears neither."""
    async with opened() as (client, server), trio.open_nursery() as nursery:
        nursery.start_soon(client.send_all, LARGE)
        nursery.start_soon(client._send)
        nursery.start_soon(client._send)
        assert await received(server, len(LARGE)) == LARGE
