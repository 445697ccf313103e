"""A connection of which is known when bytes came and left: they leave at once, in order, and room is waited for."""

import errno
import socket
import sys

import pytest
import trio
from scripted_venue import EPOCH_NS
from virtual_stage import DELAY, received, stage, virtually

from bot.link.clock import SystemClock, TrioClock
from bot.link.wire import SeenStream, round_trip_us, send_now

WINDOW = 1000  # bytes that the system has room for


@virtually
async def test_when_something_came_and_left() -> None:
    """As everybody reads the run's clock, and not before it was so."""
    async with stage() as s:
        ours, theirs, _ = await s.connect()
        clock = TrioClock(EPOCH_NS)
        seen = SeenStream(ours, clock)
        began = clock.monotonic_ns()
        await trio.sleep(1)
        await seen.send_all(b"there")
        assert (seen.read_ns - began, seen.written_ns - began) == (0, 1_000_000_000)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(seen.receive_some)
            await trio.sleep(1)
            await theirs.send_all(b"back")
        assert seen.read_ns - began == round((2 + DELAY) * 1e9)
        assert seen.written_ns - began == 1_000_000_000


@virtually
async def test_what_is_pushed_has_left_before_anybody_else_has_his_turn() -> None:
    """The system has it when the call is over, which is no place to wait."""
    async with stage() as s:
        ours, _, connection = await s.connect()
        seen = SeenStream(ours, TrioClock(EPOCH_NS))
        before = connection.up.sent
        assert seen.push(b"order")
        assert connection.up.sent - before == len(b"order")
        seen.send_all(b"order").__await__().send(None)  # to where it lets others run
        assert connection.up.sent - before == 2 * len(b"order")


@virtually
async def test_what_finds_no_room_waits_in_its_place() -> None:
    """Nothing overtakes it, whoever sends; and when it is said to be written, it is."""
    async with stage(window=WINDOW) as s:
        ours, theirs, connection = await s.connect()
        clock = TrioClock(EPOCH_NS)
        seen, done = SeenStream(ours, clock), list[str]()
        began = connection.up.sent

        async def send(name: str) -> None:
            await seen.send_all(name.encode() * WINDOW)
            done.append(name)

        assert not seen.push(b"a" * 3 * WINDOW)
        assert not seen.push(b"b")
        assert (seen.is_flushed, connection.up.sent - began) == (False, WINDOW)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(send, "c")
            nursery.start_soon(seen.flush)
            with trio.move_on_after(1) as gives_up:
                await seen.flush()
            assert gives_up.cancelled_caught
            assert done == []
            whole = await received(theirs, 4 * WINDOW + 1)
        assert whole == b"a" * 3 * WINDOW + b"b" + b"c" * WINDOW
        assert (done, seen.is_flushed) == (["c"], True)
        assert seen.written_ns > 1_000_000_000


@virtually
async def test_a_connection_that_is_gone() -> None:
    """Cut by the other end, or closed here: as trio's streams say it, at once and to who waits for room."""
    async with stage(window=WINDOW) as s:
        ours, _, connection = await s.connect()
        seen = SeenStream(ours, TrioClock(EPOCH_NS))
        assert not seen.push(b"a" * 2 * WINDOW)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(trio.sleep, 1)
            s.network.after(0.5, connection.cut)
            with pytest.raises(trio.BrokenResourceError):
                await seen.flush()
        with pytest.raises(trio.BrokenResourceError):
            seen.push(b"b")
        await seen.aclose()
        with pytest.raises(trio.ClosedResourceError):
            seen.push(b"c")


async def test_sockets_of_the_system() -> None:
    """On real ones, for what a virtual one does is its own: all, some, nothing for want of room, and each ending."""
    ours, theirs = trio.socket.socketpair()
    with ours, theirs:
        assert send_now(ours, b"order") == 5
        assert await theirs.recv(10) == b"order"
        large = bytes(10_000_000)
        assert 0 < send_now(ours, large) < len(large)
        with pytest.raises(BlockingIOError):
            send_now(ours, b"more")
        theirs.close()
        with pytest.raises(BrokenPipeError):
            send_now(ours, b"more")
    with pytest.raises(OSError, match="descriptor") as closed:
        send_now(ours, b"more")
    assert closed.value.errno == errno.EBADF


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
