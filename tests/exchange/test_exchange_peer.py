"""Who is at the other end of a connection."""

# ruff: noqa: ARG001 - pytest-trio takes its clock from the arguments of a test

import ssl

import pytest
import trio
import trio.testing
import trustme
from exchange_stage import HttpClient, StageClock
from trio.testing import MockClock

from bot.exchange.counters import Counters
from bot.exchange.peer import peer_of
from bot.exchange.server import Port
from bot.exchange.transport.http import Answer, HttpConnection, Request

ELSEWHERE = "203.0.113.7"


async def test_a_connection_knows_its_peer(autojump_clock: MockClock, nursery: trio.Nursery) -> None:
    """What a request's handler is told is the address of the connection it came over."""
    near, far = trio.testing.memory_stream_pair()
    seen = []

    async def handle(request: Request) -> Answer:
        await trio.lowlevel.checkpoint()
        seen.append(request.peer)
        return Answer(200)

    nursery.start_soon(HttpConnection(far, StageClock(), ELSEWHERE).serve, handle)
    assert (await HttpClient(near).request("GET", "/")).status == 200
    assert seen == [ELSEWHERE]


async def test_a_socket_has_a_peer_and_a_memory_stream_is_loopback() -> None:
    """Of a TCP connection it is the address of the far end; this needs a real one."""
    assert peer_of(trio.testing.memory_stream_pair()[0]) == "127.0.0.1"
    listeners = await trio.open_tcp_listeners(0, host="127.0.0.1")
    async with await trio.testing.open_stream_to_socket_listener(listeners[0]) as client:
        accepted = await listeners[0].accept()
        assert peer_of(accepted) == "127.0.0.1"
        assert isinstance(client, trio.SocketStream)
        await accepted.aclose()
        with pytest.raises(trio.BrokenResourceError):
            peer_of(accepted)
    await listeners[0].aclose()


@pytest.mark.parametrize("rtt", [0.0, 0.1])
async def test_a_port_asks_the_stream_it_accepted(
    autojump_clock: MockClock, monkeypatch: pytest.MonkeyPatch, rtt: float
) -> None:
    """Who speaks is told the peer of the connection, also where delay and TLS lie between."""
    authority = trustme.CA()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("exchange").configure_cert(context)
    trust = ssl.create_default_context()
    authority.configure_trust(trust)
    near, far = trio.testing.memory_stream_pair()
    monkeypatch.setattr("bot.exchange.server.peer_of", {far: ELSEWHERE}.__getitem__)

    async def speak(stream: trio.abc.Stream, peer: str) -> None:
        await stream.send_all(peer.encode())

    async with trio.open_nursery() as nursery:
        nursery.start_soon(Port("rest", context, rtt, Counters(), speak).accept, far)
        client = trio.SSLStream(near, trust, server_hostname="exchange", https_compatible=True)
        assert await client.receive_some(100) == ELSEWHERE.encode()
        await client.aclose()
