"""Delay, jitter, bandwidth, short segments, and every fault with what each end sees of it."""

import math
from collections.abc import Awaitable, Callable
from functools import partial

import pytest
import trio
from hypothesis import given
from hypothesis import strategies as st
from virtual_stage import DELAY, RTT, received, stage, virtually

from bot.simulation.connection import Connection, State
from bot.simulation.network import open_network
from bot.simulation.path import Duplex, Path
from bot.simulation.pipe import Ending
from bot.simulation.world import run


async def arrivals(stream: trio.SocketStream, into: list[tuple[float, bytes]]) -> None:
    """Note what comes and when, until the end."""
    async for data in stream:
        into.append((trio.current_time(), bytes(data)))  # noqa: PERF401 - others look on while it grows


async def see(action: Callable[[], Awaitable[object]]) -> object:
    """What a program sees of a call: its result, or the error of the socket below."""
    try:
        return await action()
    except trio.BrokenResourceError as error:
        return type(error.__cause__)


async def ends(client: trio.SocketStream, server: trio.SocketStream) -> list[object]:
    """What both ends see when they read, and then when they write again and again."""
    seen = [await see(stream.receive_some) for stream in (client, server)]
    for _ in range(2):
        seen += [await see(partial(stream.send_all, b"x")) for stream in (client, server)]
        await trio.sleep(2 * RTT)
    return seen


@virtually
async def test_each_direction_has_its_delay() -> None:
    """Bytes take the delay of their direction."""
    async with stage() as s:
        s.link.up.shape(delay=1.0)
        client, server, _ = await s.connect()
        assert trio.current_time() == 2 * 1.0 + DELAY  # SYN up, SYN-ACK down, ACK up
        await client.send_all(b"x")
        await server.send_all(b"y")
        start = trio.current_time()
        await client.receive_some()
        assert trio.current_time() == start + DELAY
        await server.receive_some()
        assert trio.current_time() == start + 1.0


@virtually
async def test_a_new_delay_never_lets_bytes_overtake() -> None:
    """A delay that shrinks while bytes are on their way holds for the next ones, which arrive behind the old ones."""
    async with stage(delay=2.0) as s:
        client, server, _ = await s.connect()
        seen: list[tuple[float, bytes]] = []
        s.nursery.start_soon(arrivals, server, seen)
        start = trio.current_time()
        await client.send_all(b"slow")
        s.link.shape(delay=0.5)
        await trio.sleep(1)
        await client.send_all(b"fast")
        await trio.sleep(2)
        await client.send_all(b"next")
        await trio.sleep(1)
        assert seen == [(start + 2, b"slow"), (start + 2, b"fast"), (start + 3.5, b"next")]


@given(
    seed=st.integers(0, 2**32),
    sizes=st.lists(st.integers(1, 40), min_size=1, max_size=12),
    cut=st.integers(1, 9),
)
def test_the_bytes_of_a_connection_keep_their_order(seed: int, sizes: list[int], cut: int) -> None:
    """Whatever the jitter, the sizes of the writes and the segments: what is read is what was written."""

    async def play() -> None:
        async with stage(delay=0.01, seed=seed) as s:
            s.link.shape(jitter=1.0, segment=cut)
            client, server, _ = await s.connect()
            sent = b""
            for number, size in enumerate(sizes):
                data = bytes([number]) * size
                await client.send_all(data)
                sent += data
                await trio.sleep(0.1)
            await client.send_eof()
            seen: list[tuple[float, bytes]] = []
            await arrivals(server, seen)
            assert b"".join(data for _, data in seen) == sent
            assert max(len(data) for _, data in seen) <= cut

    run(play, seed=seed)


@virtually
async def test_jitter_is_drawn_by_seed_and_path() -> None:
    """A seed draws the same delays on a path, whatever happens on another; other seeds and paths draw others."""

    async def times(seed: int, *, noise: bool = False, back: bool = False) -> list[float]:
        async with stage(seed=seed) as s:
            client, server, _ = await s.connect()
            if back:
                client, server = server, client
            s.link.shape(jitter=0.1)
            seen: list[tuple[float, bytes]] = []
            start = trio.current_time()
            if noise:
                await trio.open_tcp_listeners(80, host="127.0.0.1")
                await trio.open_tcp_stream("127.0.0.1", 80)
            s.nursery.start_soon(arrivals, server, seen)
            for _ in range(5):
                await client.send_all(b"x")
                await trio.sleep(1)
            return [round(time - start - number, 9) for number, (time, _) in enumerate(seen)]

    once = await times(1)
    assert await times(1, noise=True) == once
    assert not set(await times(1, back=True)) & set(once)
    assert await times(2) != once
    assert len(set(once)) == 5
    assert all(DELAY <= time < DELAY + 0.1 for time in once)


@virtually
async def test_bandwidth_is_shared_and_may_change() -> None:
    """Segments follow one another at so many bytes a second, those of all connections in one queue."""
    async with stage() as s:
        one, other = await s.connect(80), await s.connect(81)
        s.link.up.shape(bandwidth=1000, segment=500)
        first: list[tuple[float, bytes]] = []
        second: list[tuple[float, bytes]] = []
        s.nursery.start_soon(arrivals, one[1], first)
        s.nursery.start_soon(arrivals, other[1], second)
        start = trio.current_time()
        await one[0].send_all(bytes(1500))
        await other[0].send_all(bytes(750))
        await trio.sleep(1.25)
        s.link.up.shape(bandwidth=500)
        await trio.sleep(10)
        assert [(time - start - DELAY, len(data)) for time, data in first] == [
            (0.5, 500),
            (1.0, 500),
            (1.5, 500),
        ]
        assert [(time - start - DELAY, len(data)) for time, data in second] == [(2.5, 500), (3.0, 250)]


@virtually
async def test_what_waits_for_bandwidth_keeps_its_place() -> None:
    """When the path widens, what was being transmitted arrives first, and then, at once, what queued behind it."""
    async with stage() as s:
        client, server, _ = await s.connect()
        seen: list[tuple[float, bytes]] = []
        s.nursery.start_soon(arrivals, server, seen)
        s.link.up.shape(bandwidth=1, segment=2)
        start = trio.current_time()
        await client.send_all(b"abcdef")
        await trio.sleep(1)
        s.link.up.shape(bandwidth=math.inf)
        await trio.sleep(10)
        assert [(time - start, data) for time, data in seen] == [
            (2 + DELAY, pair) for pair in (b"ab", b"cd", b"ef")
        ]


@virtually
async def test_bytes_can_come_one_by_one() -> None:
    """A path of segments of one byte hands over each by itself."""
    async with stage() as s:
        s.link.shape(segment=1)
        client, server, _ = await s.connect()
        await client.send_all(b"abc")
        await trio.sleep(1)
        assert [await server.receive_some() for _ in range(3)] == [b"a", b"b", b"c"]


@pytest.mark.parametrize(
    "change",
    [{"delay": -1}, {"jitter": -1}, {"bandwidth": 0}, {"bandwidth": -1}, {"segment": 0}, {"segment": -1}],
)
@virtually
async def test_a_path_cannot_be_shaped_into_nonsense(change: dict[str, int]) -> None:
    """Negative times and no width at all are refused, and change nothing."""
    async with stage() as s:
        with pytest.raises(ValueError, match="at least one byte"):
            s.link.shape(**change)
        assert (s.link.up.delay, s.link.up.jitter) == (DELAY, 0)


@pytest.mark.parametrize("what", ["link", "connection"])
@virtually
async def test_a_stall_holds_everything_and_lets_it_go_in_order(what: str) -> None:
    """During a stall nothing arrives, not even what was on its way; then all that would have come, in order."""
    async with stage() as s:
        client, server, connection = await s.connect()
        seen: list[tuple[float, bytes]] = []
        s.nursery.start_soon(arrivals, server, seen)
        start = trio.current_time()
        stalled: Duplex[Path] | Connection = s.link if what == "link" else connection
        await client.send_all(b"a")
        stalled.stall(4)
        stalled.stall(2)  # a shorter one does not end the longer
        await trio.sleep(1)
        await client.send_all(b"b")
        await client.send_eof()
        await trio.sleep(4)
        assert seen == [(start + 4, b"a"), (start + 4, b"b")]


@virtually
async def test_a_black_hole_in_one_direction() -> None:
    """Up: the server hears nothing and can be heard. Nobody gets an error. What was lost comes when it heals."""
    async with stage() as s:
        client, server, connection = await s.connect()
        s.link.up.black_hole()
        await client.send_all(b"lost")
        await server.send_all(b"found")
        assert await client.receive_some() == b"found"
        with trio.move_on_after(600) as patience:
            await server.receive_some()
        assert patience.cancelled_caught
        assert connection.state is State.OPEN
        s.link.heal()
        assert await server.receive_some() == b"lost"


@virtually
async def test_a_black_hole_takes_a_window_of_bytes() -> None:
    """Sends succeed into a dead connection until the window is full; then they block, without an error."""
    async with stage(window=100) as s:
        client, _, _ = await s.connect()
        s.link.black_hole()
        sent = 0
        with trio.move_on_after(60) as patience:
            while True:
                await client.send_all(b"ten bytes.")
                sent += 1
        assert (sent, patience.cancelled_caught) == (10, True)


@virtually
async def test_half_open() -> None:
    """One end closes, the other never hears of it: for it the connection stays open, and silent."""
    async with stage() as s:
        client, server, connection = await s.connect()
        connection.black_hole()
        await server.aclose()
        with trio.move_on_after(3600) as patience:
            await client.receive_some()
        assert patience.cancelled_caught
        await client.send_all(b"anybody there?")
        assert (connection.client.released, connection.server.released) == (False, True)
        assert connection.state is State.OPEN


@virtually
async def test_a_single_connection_can_be_blocked() -> None:
    """A black hole in one connection leaves the others of its link alone."""
    async with stage() as s:
        client, server, connection = await s.connect(80)
        other_client, other_server, _ = await s.connect(81)
        connection.black_hole()
        await client.send_all(b"x")
        await other_client.send_all(b"y")
        assert await other_server.receive_some() == b"y"
        with trio.move_on_after(60) as patience:
            await server.receive_some()
        assert patience.cancelled_caught
        connection.heal()
        assert await server.receive_some() == b"x"


@virtually
async def test_a_connection_cut_by_a_reset() -> None:
    """Both ends get ECONNRESET at once, told once; after that reading ends and writing is a broken pipe."""
    async with stage() as s:
        client, server, connection = await s.connect()
        await client.send_all(b"on its way, and lost")
        connection.cut()
        seen = await ends(client, server)
        assert seen == [ConnectionResetError, ConnectionResetError, *[BrokenPipeError] * 4]
        assert [await client.receive_some(), await server.receive_some()] == [b"", b""]
        assert connection.state is State.RESET


@virtually
async def test_readers_and_blocked_writers_wake_on_a_reset() -> None:
    """Whoever waits when the connection is cut gets ECONNRESET, whether reading or writing."""
    async with stage(window=10) as s:
        client, server, _ = await s.connect()
        seen: list[object] = []

        async def note(action: Callable[[], Awaitable[object]]) -> None:
            seen.append((await see(action), trio.current_time()))

        s.nursery.start_soon(note, server.receive_some)
        s.link.up.black_hole()
        s.nursery.start_soon(note, lambda: client.send_all(bytes(11)))
        s.network.at(50, s.link.cut)
        await trio.sleep(60)
        assert seen == [(ConnectionResetError, 50), (ConnectionResetError, 50)]


@virtually
async def test_a_connection_cut_by_fin() -> None:
    """Both ends read what was delivered and then the end. Writing succeeds until the answer, a reset, has come."""
    async with stage() as s:
        client, server, connection = await s.connect()
        await client.send_all(b"delivered")
        await trio.sleep(RTT)
        await client.send_all(b"lost")
        connection.cut(Ending.FIN)
        assert await server.receive_some() == b"delivered"
        assert await ends(client, server) == [b"", b"", None, None, BrokenPipeError, BrokenPipeError]


@pytest.mark.parametrize("ending", Ending)
@virtually
async def test_a_connection_cut_while_it_opens(ending: Ending) -> None:
    """Before the answer the client is refused; after it the server never accepts what the client believes open."""
    async with stage() as s:
        with s.network.on(s.venue):
            [listener] = await trio.open_tcp_listeners(80, host="10.0.0.2")
        s.network.at(0.5 * DELAY, s.link.cut, ending)
        with pytest.raises(OSError, match="all attempts"):
            await s.dial()
        stream = await s.dial()
        s.link.cut(ending)
        with trio.move_on_after(60) as patience:
            await listener.accept()
        assert patience.cancelled_caught
        assert await see(stream.receive_some) == (ConnectionResetError if ending is Ending.RST else b"")
        await see(partial(stream.send_all, b"to nobody"))
        await trio.sleep(2 * RTT)
        assert await see(partial(stream.send_all, b"to nobody")) is BrokenPipeError


@pytest.mark.parametrize("ending", Ending)
@virtually
async def test_a_connection_cut_in_the_middle(ending: Ending) -> None:
    """After so many more bytes in a direction the connection ends; those bytes can still be read."""
    async with stage() as s:
        client, server, connection = await s.connect()
        await client.send_all(b"before ")
        await trio.sleep(RTT)
        connection.up.cut_after(4, ending)
        await client.send_all(b"no")
        await client.send_all(b"w and never")
        await trio.sleep(2 * RTT)
        assert await received(server, 11) == b"before now "
        assert connection.up.delivered == 11
        last = await see(server.receive_some)
        assert last == (ConnectionResetError if ending is Ending.RST else b"")
        for _ in range(2):
            last = await see(partial(server.send_all, b"x"))
            await trio.sleep(2 * RTT)
        assert last is BrokenPipeError


@virtually
async def test_a_connection_cut_at_the_end_of_a_segment() -> None:
    """The last byte that may pass is the last: the cut does not wait for one more."""
    async with stage() as s:
        client, server, connection = await s.connect()
        connection.up.cut_after(4)
        await client.send_all(b"four")
        await trio.sleep(RTT)
        assert connection.state is State.RESET
        assert await received(server, 4) == b"four"


@virtually
async def test_a_cut_after_nothing_is_a_cut() -> None:
    """No more bytes means now."""
    async with stage() as s:
        client, _, connection = await s.connect()
        connection.down.cut_after(0)
        assert await see(client.receive_some) is ConnectionResetError


@virtually
async def test_faults_are_scheduled_in_virtual_time() -> None:
    """Things arranged for one instant happen in the order in which they were arranged; what is past happens now."""
    async with open_network(seed=0) as network:
        seen: list[tuple[str, float]] = []

        def note(what: str) -> None:
            seen.append((what, trio.current_time()))

        network.at(7, note, "third")
        network.after(3600, note, "last")
        network.at(5, note, "first")
        network.at(5, note, "second")
        await trio.sleep(6)
        network.at(1, note, "late")
        await trio.sleep(10000)
        assert seen == [("first", 5), ("second", 5), ("late", 6), ("third", 7), ("last", 3600)]


@virtually
async def test_a_fault_that_fails_ends_the_run() -> None:
    """An error in what was scheduled is not lost."""

    def fail() -> None:
        raise LookupError("no such link")

    async def play() -> None:
        async with open_network(seed=0) as network:
            network.at(1, fail)
            await trio.sleep_forever()

    with pytest.RaisesGroup(pytest.RaisesExc(LookupError, match="no such link")):
        await play()


@virtually
async def test_a_host_has_a_link_to_itself() -> None:
    """Over its loopback a host is client and server: there too the directions are two paths."""
    async with stage() as s:
        loopback = s.network.link(s.bot, s.bot)
        loopback.up.shape(delay=1.0)
        with s.network.on(s.bot):
            [listener] = await trio.open_tcp_listeners(80, host="127.0.0.1")
            client = await trio.open_tcp_stream("127.0.0.1", 80)
        server = await listener.accept()
        await client.send_all(b"x")
        await server.send_all(b"y")
        start = trio.current_time()
        assert await client.receive_some() == b"y"
        assert trio.current_time() == start
        assert await server.receive_some() == b"x"
        assert trio.current_time() == start + 1.0


@virtually
async def test_a_link_is_the_same_from_both_sides() -> None:
    """What is up from here is down from there; connections belong to the side that opened them."""
    async with stage() as s:
        _, _, connection = await s.connect()
        back = s.network.link(s.venue, s.bot)
        assert (back.up, back.down) == (s.link.down, s.link.up)
        assert (s.link.connections, back.connections) == ([connection], [])
