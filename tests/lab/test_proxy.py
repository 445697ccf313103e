"""The proxy on real sockets of loopback: what it does to bytes, the kernel has to do to its clients.

Virtual time has no part in it, so times are bounds: at least what was asked for, and no more than a hang.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
import trio

from bot.lab.proxy.commands import CommandError, obey
from bot.lab.proxy.relay import LOOPBACK, Relay, open_relay
from bot.simulation.path import ETHERNET_SEGMENT
from bot.simulation.pipe import Ending

PATIENCE = 20  # s; only a hang lasts that long
SOON = 0.2  # s in which something would have come
LARGE = bytes(range(256)) * 4096


async def echo(stream: trio.SocketStream) -> None:
    try:
        async with stream:
            async for data in stream:
                await stream.send_all(data)
    except trio.BrokenResourceError:
        pass


@asynccontextmanager
async def open_echo() -> AsyncIterator[Relay]:
    """A relay to a server that says what it hears."""
    with trio.fail_after(PATIENCE):
        async with trio.open_nursery() as nursery:
            listeners = await trio.open_tcp_listeners(0, host=LOOPBACK)
            await nursery.start(trio.serve_listeners, echo, listeners)
            async with open_relay(listeners[0].socket.getsockname()) as relay:
                yield relay
            nursery.cancel_scope.cancel()


async def heard(client: trio.SocketStream, count: int) -> bytes:
    data = bytearray()
    while len(data) < count:
        more = await client.receive_some(count - len(data))
        assert more
        data += more
    return bytes(data)


async def test_what_goes_in_comes_out() -> None:
    """All of it, in order, far more than any buffer holds; and the end of it, each way for itself."""
    async with open_echo() as relay, await trio.open_tcp_stream(*relay.address) as client:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(client.send_all, LARGE)
            assert await heard(client, len(LARGE)) == LARGE
        [connection] = relay.connections
        await client.send_eof()
        assert await client.receive_some() == b""
        await connection.over.wait()


async def test_a_slow_way() -> None:
    """A handshake takes a round trip, and so does an answer; then it is narrow, and byte after byte comes alone."""
    async with open_echo() as relay:
        relay.shape(delay=0.1)
        began = trio.current_time()
        async with await trio.open_tcp_stream(*relay.address) as client:
            await client.send_all(b"x")
            assert await heard(client, 1) == b"x"
            assert trio.current_time() >= began + 0.4
            relay.shape(delay=0, bandwidth=200, segment=1)
            began = trio.current_time()
            await client.send_all(b"0123456789" * 3)
            pieces = [await client.receive_some()]
            while sum(map(len, pieces)) < 30:
                pieces.append(await client.receive_some())
            assert trio.current_time() >= began + 31 / 200
            assert len(pieces) > 10  # a busy machine may read late, and then more at once


@pytest.mark.parametrize("direction", ["up", "down", "both"])
async def test_a_black_hole(direction: str) -> None:
    """Nothing comes and nothing is said, for connections made meanwhile neither; then all of it comes."""
    async with open_echo() as relay, await trio.open_tcp_stream(*relay.address) as old:
        await old.send_all(b"a")
        assert await heard(old, 1) == b"a"
        (relay if direction == "both" else getattr(relay, direction)).black_hole()
        async with await trio.open_tcp_stream(*relay.address) as new:
            for client in (old, new):
                await client.send_all(b"b")
                with trio.move_on_after(SOON) as silence:
                    await client.receive_some()
                assert silence.cancelled_caught
            [pipes, _] = relay.connections
            assert pipes.up.delivered == (2 if direction == "down" else 1)
            relay.heal()
            for client in (old, new):
                assert await heard(client, 1) == b"b"


@pytest.mark.parametrize("ending", Ending)
async def test_a_connection_that_is_cut(ending: Ending) -> None:
    """At once, or when so many more bytes have come out: a reset is an error, and FIN is the end."""
    async with open_echo() as relay:
        for first in (0, 3):
            async with await trio.open_tcp_stream(*relay.address) as client:
                await client.send_all(b"a")
                assert await heard(client, 1) == b"a"
                [connection] = relay.connections
                connection.down.cut_after(first, ending)
                if first:
                    await client.send_all(b"01234567")
                    assert await heard(client, first) == b"012"
                if ending is Ending.RST:
                    with pytest.raises(trio.BrokenResourceError):
                        await client.receive_some()
                else:
                    assert await client.receive_some() == b""
            await connection.over.wait()


async def test_a_server_that_is_gone() -> None:
    """Refused where the proxy refuses, reset where nobody answers behind it; and good again on the same port."""
    async with open_echo() as relay:
        relay.refuse()
        for _ in range(2):
            with pytest.raises(OSError, match=r"all attempts to connect|refused"):
                await trio.open_tcp_stream(*relay.address)
        relay.heal()
        async with open_relay(relay.address) as chained:
            async with await trio.open_tcp_stream(*chained.address) as client:
                await client.send_all(b"a")
                assert await heard(client, 1) == b"a"
            dead = await trio.open_tcp_listeners(0, host=LOOPBACK)
            nowhere = dead[0].socket.getsockname()
            await dead[0].aclose()
            chained.target = nowhere
            async with await trio.open_tcp_stream(*chained.address) as client:
                with pytest.raises(trio.BrokenResourceError):
                    await client.receive_some()
        assert relay.accepted == 1


async def test_a_line_for_each_change() -> None:
    """What a person writes does what the words of the code do, to one connection or both, one way or both."""
    async with open_echo() as rest, open_relay(rest.address) as ws:
        relays = {"rest": rest, "ws": ws}
        obey("shape delay=0.5 jitter=1 bandwidth=inf segment=7", relays)
        assert {(path.delay, path.jitter, path.segment) for path in (rest.up, rest.down, ws.up, ws.down)} == {
            (0.5, 1.0, 7)
        }
        obey("ws up shape delay=0", relays)
        assert (rest.up.delay, ws.up.delay, ws.down.delay) == (0.5, 0.0, 0.5)
        obey("shape delay=0 jitter=0", relays)
        async with await trio.open_tcp_stream(*rest.address) as client:
            await client.send_all(b"a")
            assert await heard(client, 1) == b"a"
            obey("rest down cut 2 fin", relays)
            await client.send_all(b"bcd")
            assert await heard(client, 2) == b"bc"
            assert await client.receive_some() == b""
        obey("", relays)
        obey("ws refuse", relays)
        assert (rest.up.refusing, ws.up.refusing) == (False, True)
        obey("heal", relays)
        assert not ws.up.refusing


@pytest.mark.parametrize(
    "line",
    [
        "nonsense",
        "shape",
        "shape speed=1",
        "shape delay=x",
        "shape delay=-1",
        "shape segment=inf",
        "stall",
        "ws up refuse",
        "cut 1 2",
        "cut x",
        "heal now",
    ],
)
async def test_what_is_no_command(line: str) -> None:
    """It is told so, and nothing is changed."""
    async with open_echo() as relay:
        with pytest.raises(CommandError):
            obey(line, {"rest": relay, "ws": relay})
        assert (relay.up.delay, relay.up.segment, relay.up.refusing) == (0.0, ETHERNET_SEGMENT, False)
