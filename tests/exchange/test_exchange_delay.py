"""The simulated round trip, to the millisecond of virtual time."""

# ruff: noqa: ARG001 - pytest-trio takes its clock from the arguments of a test

import ssl
from functools import partial

import pytest
import trio
import trio.testing
import trustme
from exchange_stage import StageClock

from bot.exchange.counters import Counters
from bot.exchange.server import Port
from bot.exchange.transport.delay import OVERDUE_BYTES, delayed
from bot.exchange.transport.http import Answer, HttpConnection, Request

RTT = 0.05


async def _echo(far: trio.abc.Stream) -> None:
    async with delayed(far, RTT) as stream:
        while data := await stream.receive_some(1000):
            await stream.send_all(data)


async def test_bytes_take_half_a_round_trip_each_way(autojump_clock: trio.testing.MockClock) -> None:
    """The first echo takes 2 round trips (one is the TCP handshake that loopback hides), later ones 1."""
    near, far = trio.testing.memory_stream_pair()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(_echo, far)
        for expected in (2 * RTT, 3 * RTT, 4 * RTT):
            await near.send_all(b"x")
            assert await near.receive_some(10) == b"x"
            assert trio.current_time() == pytest.approx(expected)
        await trio.sleep(5 * RTT)
        await near.send_all(b"x")
        await near.receive_some(10)
        assert trio.current_time() == pytest.approx(10 * RTT)
        await near.send_eof()
        assert await near.receive_some(10) == b""
        assert trio.current_time() == pytest.approx(11 * RTT)


async def test_order_is_kept_and_bytes_in_flight_are_not_limited(
    autojump_clock: trio.testing.MockClock,
) -> None:
    """Much more than any buffer leaves at once and arrives at once, in order: delay is not bandwidth."""
    near, far = trio.testing.memory_stream_pair()
    chunk = bytes(range(256)) * 256
    total = 10 * OVERDUE_BYTES // len(chunk)
    async with delayed(far, RTT) as stream:
        for _ in range(total):
            await stream.send_all(chunk)
        assert trio.current_time() == 0
        received = bytearray()
        while len(received) < total * len(chunk):
            received += await near.receive_some(1 << 20)
        assert trio.current_time() == pytest.approx(RTT / 2)
        assert received == chunk * total


async def test_small_reads_lose_nothing(autojump_clock: trio.testing.MockClock) -> None:
    """A reader that takes less than has come gets the rest next."""
    near, far = trio.testing.memory_stream_pair()
    async with delayed(far, RTT) as stream:
        await near.send_all(b"abcdefg")
        taken = [await stream.receive_some(3) for _ in range(3)]
        assert taken == [b"abc", b"def", b"g"]


async def test_what_was_sent_arrives_before_the_end(autojump_clock: trio.testing.MockClock) -> None:
    """Closing delivers what is in flight, and then the peer sees the end, half a round trip later."""
    near, far = trio.testing.memory_stream_pair()
    async with trio.open_nursery() as nursery:

        async def say_goodbye() -> None:
            async with delayed(far, RTT) as stream:
                await stream.send_all(b"good")
                await stream.send_all(b"bye")

        nursery.start_soon(say_goodbye)
        assert await near.receive_some(4) == b"good"
        assert await near.receive_some(4) == b"bye"
        assert await near.receive_some(4) == b""
        assert trio.current_time() == pytest.approx(RTT / 2)


async def test_a_reader_that_waits_is_told_of_the_close(autojump_clock: trio.testing.MockClock) -> None:
    """Closing wakes a task that reads, as closing a socket does."""
    _near, far = trio.testing.memory_stream_pair()
    async with delayed(far, RTT) as stream, trio.open_nursery() as nursery:

        async def read() -> None:
            with pytest.raises(trio.ClosedResourceError):
                await stream.receive_some(1)

        nursery.start_soon(read)
        await trio.testing.wait_all_tasks_blocked()
        await stream.aclose()


async def test_a_peer_that_reads_nothing_blocks_the_sender(autojump_clock: trio.testing.MockClock) -> None:
    """What nobody takes is bounded: the sender waits once more than that is overdue."""
    near, far = trio.testing.lockstep_stream_pair()
    async with delayed(far, RTT) as stream:
        sent = 0
        with trio.move_on_after(60):
            while True:
                await stream.send_all(b"x" * 65536)
                sent += 65536
                await trio.sleep(RTT)
        assert OVERDUE_BYTES <= sent <= OVERDUE_BYTES + 4 * 65536
        await near.aclose()


async def _answer(_request: Request) -> Answer:
    await trio.lowlevel.checkpoint()
    return Answer(200, b"{}")


async def test_cold_tls_takes_three_round_trips_and_warm_one(autojump_clock: trio.testing.MockClock) -> None:
    """TCP, TLS 1.3 and the request take a round trip each; the next request takes one."""
    authority = trustme.CA()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("exchange").configure_cert(context)
    trust = ssl.create_default_context()
    authority.configure_trust(trust)
    counters = Counters()
    near, far = trio.testing.memory_stream_pair()

    async def speak(stream: trio.abc.Stream, _peer: str) -> None:
        await HttpConnection(stream, StageClock()).serve(_answer)

    async with trio.open_nursery() as nursery:
        nursery.start_soon(partial(Port("rest", context, RTT, counters, speak).accept, far))
        client = trio.SSLStream(near, trust, server_hostname="exchange", https_compatible=True)
        for expected in (3 * RTT, 4 * RTT):
            await client.send_all(b"GET / HTTP/1.1\r\nhost: x\r\n\r\n")
            assert (await client.receive_some(1000)).startswith(b"HTTP/1.1 200")
            assert trio.current_time() == pytest.approx(expected)
        await client.aclose()
    assert counters.tls == {"rest": 1}


async def test_a_failed_handshake_is_counted_and_forgotten(autojump_clock: trio.testing.MockClock) -> None:
    """A client that does not speak TLS, or says nothing for 10 s, ends its own connection only."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    trustme.CA().issue_cert("exchange").configure_cert(context)
    counters = Counters()

    async def speak(_stream: trio.abc.Stream, _peer: str) -> None:
        await trio.lowlevel.checkpoint()
        raise AssertionError("nobody to speak to")

    async with trio.open_nursery() as nursery:
        for said in (b"GET / HTTP/1.1\r\n\r\n", b""):
            near, far = trio.testing.memory_stream_pair()
            nursery.start_soon(Port("rest", context, 0.0, counters, speak).accept, far)
            if said:
                await near.send_all(said)
            while await near.receive_some(1000):
                pass
    assert trio.current_time() == pytest.approx(10)
    assert counters.tls == {"rest failed": 2}
