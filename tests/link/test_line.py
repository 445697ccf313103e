"""What is known of a request's way: it leaves in one piece, and when it left and its answer came is on the tape."""

import socket
import sys

import pytest
import trio
from scripted_venue import (
    EPOCH_NS,
    ORDER,
    TWO,
    Asked,
    RecordingTape,
    answer,
    housekeeping,
    open_pool,
    opened_venue,
    order,
)
from virtual_stage import RTT, stage, virtually

from bot.core.errors import RefusedError
from bot.core.tape import Kind
from bot.core.wire import Wire
from bot.link.clock import SystemClock, TrioClock
from bot.link.pool import Lane
from bot.link.wire import SeenStream, at_first_stop, round_trip_us

REFUSED = answer(b'{"error":"VALIDATION_ERROR","message":"no"}', 400)


def ns(seconds: float) -> int:
    return round(seconds * 1e9)


@virtually
async def test_a_request_leaves_in_one_piece() -> None:
    """Headers and body in one packet, and so in one TLS record; whether it may is asked right before that, once."""
    async with stage() as s, open_pool(s, TWO) as http:
        venue = await opened_venue(s)
        await order(http)
        pipe = s.network.connections[-1].up
        asked: list[tuple[int, float]] = []

        def permit() -> None:
            asked.append((pipe.packets, trio.current_time()))

        before = pipe.packets
        async with http.reserve(Lane.ORDERS) as reservation:
            await reservation.send(ORDER, permit)
        assert (pipe.packets - before, asked) == (1, [(before, 3 * RTT)])
        assert (venue.asked[-1].body, venue.asked[-1].headers["content-length"]) == (b'{"size":"1"}', "12")


@virtually
async def test_the_tape_has_the_way_of_each_order() -> None:
    """Cold and warm, taken and refused: right after the answer. Housekeeping has none, nor has what got no answer."""
    tape = RecordingTape(TrioClock(EPOCH_NS))
    async with stage() as s, open_pool(s, TWO, tape=tape) as http:
        venue = await opened_venue(s)
        await order(http)
        await trio.sleep(5)
        venue.by_path["/orders"] = answer(after=0.25)
        await order(http)
        venue.by_path["/orders"] = REFUSED
        with pytest.raises(RefusedError):
            await order(http)
        await housekeeping(http)
    cold, slow, refused = (data for kind, data in tape.told(Kind.WIRE))
    assert cold == {
        "x": 1,
        "reused": False,
        "idle_ns": 0,
        "opened_ns": ns(2 * RTT),
        "written_ns": ns(2 * RTT),
        "first_ns": ns(3 * RTT),
        "parsed_ns": ns(3 * RTT),
        "rtt_us": None,
    }
    sent = 3 * RTT + 5
    assert (slow["x"], slow["reused"], slow["idle_ns"], slow["written_ns"]) == (2, True, ns(5), ns(sent))
    assert slow["first_ns"] == pytest.approx(ns(sent + RTT + 0.25), abs=1)
    assert (refused["x"], refused["idle_ns"]) == (3, 0)
    kinds = [record.kind for record in tape.records]
    assert [kinds[at - 1] for at, kind in enumerate(kinds) if kind is Kind.WIRE] == [Kind.ANSWER] * 3


@virtually
async def test_the_first_byte_is_not_the_last() -> None:
    """An answer that comes in pieces began with its first one."""

    async def in_pieces(stream: trio.abc.Stream, _: Asked) -> None:
        for piece in (b"HTTP/1.1 200 OK\r\n", b"content-length: 2\r\n\r\n", b"{}"):
            await stream.send_all(piece)
            await trio.sleep(1)

    tape = RecordingTape(TrioClock(EPOCH_NS))
    async with stage() as s, open_pool(s, TWO, tape=tape) as http:
        (await opened_venue(s)).reaction = in_pieces
        await order(http)
    [(_, wire)] = tape.told(Kind.WIRE)
    assert (wire["first_ns"], wire["parsed_ns"]) == (ns(3 * RTT), ns(3 * RTT + 2))


@virtually
async def test_a_stream_that_is_seen() -> None:
    """When something came and left last: as everybody reads the run's clock, and not before it was so."""
    ours, theirs = trio.testing.memory_stream_pair()
    clock = TrioClock(EPOCH_NS)
    seen = SeenStream(ours, clock)  # type: ignore[arg-type] # any stream will do
    await trio.sleep(1)
    await seen.send_all(b"there")
    assert (seen.read_ns, seen.written_ns) == (0, ns(1))
    async with trio.open_nursery() as nursery:
        nursery.start_soon(seen.receive_some)
        await trio.sleep(1)
        await theirs.send_all(b"back")
    assert (seen.read_ns, seen.written_ns) == (ns(2), ns(1))


async def test_what_left_is_stamped_before_everybody_else_has_his_turn() -> None:
    """Work that others interrupt is told of at its first stop, and work that nobody does at its end; once."""
    said: list[str] = []  # trio decides by chance who of several has his turn

    async def work(stops: int) -> str:
        for _ in range(stops):
            said.append("worked")
            await trio.lowlevel.checkpoint()
        return "done"

    async def other() -> None:  # noqa: ASYNC124 - it is awaited
        said.append("other")

    for stops in (2, 1):
        said.clear()
        async with trio.open_nursery() as nursery:
            nursery.start_soon(other)
            assert await at_first_stop(work(stops), lambda: said.append("told")) == "done"
        assert said.count("worked") == stops
        assert said.count("told") == 1
        assert [each for each in said if each != "other"][:2] == ["worked", "told"]
        assert said.index("told") == said.index("worked") + 1
    assert await at_first_stop(work(0), lambda: said.append("told")) == "done"
    assert said[-1] == "told"

    async def fail() -> None:  # noqa: ASYNC124 - as above
        raise BrokenPipeError

    with pytest.raises(BrokenPipeError):
        await at_first_stop(fail(), lambda: said.append("failed"))
    assert said[-1] == "failed"
    with trio.move_on_after(0):
        await at_first_stop(work(1), lambda: None)
        pytest.fail("it is cancelled through it")


def test_what_the_tape_gets() -> None:
    """All of it, by the number of the exchange."""
    wire = Wire(x=9, reused=False, idle_ns=1, opened_ns=6, written_ns=2, first_ns=3, parsed_ns=4, rtt_us=5)
    assert wire.told() == {
        "x": 9,
        "reused": False,
        "idle_ns": 1,
        "opened_ns": 6,
        "written_ns": 2,
        "first_ns": 3,
        "parsed_ns": 4,
        "rtt_us": 5,
    }


@pytest.mark.skipif(sys.platform != "linux", reason="other kernels tell it otherwise, or not at all")
async def test_the_kernel_knows_how_far_it_is() -> None:
    """On real sockets, for no other has a kernel: some microseconds on loopback; nothing of one that is closed."""
    listener = (await trio.open_tcp_listeners(0, host="127.0.0.1"))[0]
    port = listener.socket.getsockname()[1]
    async with (
        listener,
        await trio.open_tcp_stream("127.0.0.1", port) as ours,
        await listener.accept() as theirs,
    ):
        await ours.send_all(b"there")
        await theirs.receive_some()
        found = round_trip_us(ours.socket)
        assert found is not None
        assert 0 < found < 1_000_000
        assert SeenStream(ours, SystemClock()).round_trip_us() == found
    assert round_trip_us(ours.socket) is None


@virtually
async def test_a_network_without_a_kernel_tells_nothing() -> None:
    """A virtual socket keeps options, and has no such answer."""
    async with stage() as s:
        with s.network.on(s.bot):
            virtual = trio.socket.socket(socket.AF_INET)
        assert round_trip_us(virtual) is None
        virtual.close()
