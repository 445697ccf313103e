"""Opening, using and closing connections on the virtual network: what takes how long, and on whose host."""

import errno
import socket
from collections.abc import Awaitable, Callable
from contextlib import suppress
from math import inf

import pytest
import trio
from virtual_stage import DELAY, RTT, Stage, received, stage, virtually

from bot.simulation.connection import State
from bot.simulation.endpoint import Phase
from bot.simulation.network import Change, open_network


async def refusal(stage: Stage) -> type[BaseException]:
    """The error of an attempt to connect."""
    with pytest.raises(OSError, match="all attempts") as caught:
        await stage.dial()
    group = caught.value.__cause__
    assert isinstance(group, ExceptionGroup)
    [error] = group.exceptions
    return type(error)


@virtually
async def test_connecting_takes_a_round_trip_and_accepting_half_of_one_more() -> None:
    """The client is connected after SYN and SYN-ACK; the server accepts when the ACK has come, and data with it."""
    async with stage() as s:
        seen: list[tuple[str, float]] = []

        async def accept() -> None:
            with s.network.on(s.venue):
                [listener] = await trio.open_tcp_listeners(80, host="10.0.0.2")
            server = await listener.accept()
            seen.append(("accepted", trio.current_time()))
            assert await received(server, 5) == b"hello"
            seen.append(("hello", trio.current_time()))
            await server.aclose()

        s.nursery.start_soon(accept)
        await trio.testing.wait_all_tasks_blocked()
        client = await s.dial()
        seen.append(("connected", trio.current_time()))
        await client.send_all(b"hello")
        assert await client.receive_some() == b""
        seen.append(("ended", trio.current_time()))
        await client.aclose()

        assert seen == [("connected", RTT), ("accepted", 1.5 * RTT), ("hello", 1.5 * RTT), ("ended", 2 * RTT)]
        assert s.network.log == [
            Change(0.0, 0, State.OPENING),
            Change(RTT, 0, State.OPEN),
            Change(2 * RTT, 0, State.CLOSED),
        ]


@virtually
async def test_a_connection_can_be_seen_from_above() -> None:
    """A test sees who is connected with whom, since when, how many bytes went each way, and how often in all."""
    async with stage() as s:
        client, server, connection = await s.connect(80)
        await client.send_all(b"12345")
        await server.send_all(b"123")
        assert (connection.up.sent, connection.up.delivered) == (5, 0)
        await received(server, 5)
        assert (connection.up.delivered, connection.down.delivered) == (5, 3)
        assert (str(connection.client.local), str(connection.server.local)) == (
            "10.0.0.1:49152",
            "10.0.0.2:80",
        )
        assert (connection.dialed_at, connection.opened_at) == (0.0, RTT)
        assert "10.0.0.1:49152 → 10.0.0.2:80 open, 5 bytes up, 3 down" in repr(connection)
        assert (s.network.opened(s.venue, 80), s.network.opened(s.venue, 81)) == (1, 0)
        assert (s.network.opened(s.bot, 80), s.link.connections) == (0, [connection])
        await client.aclose()
        await server.aclose()
        assert (connection.state, connection.ended_at) == (State.CLOSED, trio.current_time())


@virtually
async def test_a_port_where_nobody_listens_refuses_after_a_round_trip() -> None:
    """The answer to SYN is a reset: ConnectionRefusedError, one round trip later."""
    async with stage() as s:
        assert await refusal(s) is ConnectionRefusedError
        assert trio.current_time() == RTT
        assert s.network.connections[0].state is State.REFUSED
        assert s.network.opened(s.venue, 80) == 0


@virtually
async def test_a_refusal_can_take_its_time() -> None:
    """A link that refuses after so many seconds keeps who asks waiting as long; less than a round trip is nothing."""
    async with stage() as s:
        for seconds, taken in ((3.0, 3.0), (RTT / 2, RTT)):
            s.link.refuse(seconds)
            asked = trio.current_time()
            assert await refusal(s) is ConnectionRefusedError
            assert trio.current_time() - asked == taken


@virtually
async def test_a_link_can_refuse_connections_for_a_while() -> None:
    """A refusing link refuses new connections and leaves old ones alone, until it heals."""
    async with stage() as s:
        client, server, _ = await s.connect()
        with s.network.on(s.venue):
            [listener] = await trio.open_tcp_listeners(80, host="10.0.0.2")
        s.link.refuse()
        assert await refusal(s) is ConnectionRefusedError
        await client.send_all(b"still here")
        assert await received(server, 10) == b"still here"
        s.link.heal()
        await s.dial()
        await listener.accept()


@virtually
async def test_an_address_that_nobody_has_never_answers() -> None:
    """Connecting into the void takes as long as the caller has patience, and counts as abandoned."""
    async with stage() as s:
        s.network.names.set("venue.test", "203.0.113.7")
        with trio.move_on_after(60) as patience:
            await s.dial()
        assert patience.cancelled_caught
        assert trio.current_time() == 60
        assert s.network.connections[0].state is State.ABANDONED


@pytest.mark.parametrize("direction", ["up", "down"])
@virtually
async def test_connecting_through_a_black_hole_waits_until_it_heals(direction: str) -> None:
    """With either direction gone there is neither connection nor error; SYN is sent again when the way is free."""
    async with stage() as s:
        with s.network.on(s.venue):
            await trio.open_tcp_listeners(80, host="10.0.0.2")
        path = getattr(s.link, direction)
        path.black_hole()
        s.network.at(100, path.heal)
        await s.dial()
        assert trio.current_time() == 100 + (DELAY if direction == "up" else 0)


@virtually
async def test_the_second_address_is_tried_when_the_first_is_silent() -> None:
    """trio's happy eyeballs: after 250 ms without an answer the next address, and the first attempt is abandoned."""
    async with stage() as s:
        with s.network.on(s.venue):
            await trio.open_tcp_listeners(80, host="10.0.0.2")
        s.network.names.set("venue.test", "203.0.113.7", "10.0.0.2")
        stream = await s.dial()
        assert stream.socket.getpeername() == ("10.0.0.2", 80)
        assert trio.current_time() == 0.25 + RTT
        assert [c.state for c in s.network.connections] == [State.ABANDONED, State.OPEN]


@virtually
async def test_names() -> None:
    """Unknown names and names under a fault fail as a resolver's do; a name can move; a look-up can take its time."""
    async with stage() as s:
        with pytest.raises(socket.gaierror) as caught:
            await trio.open_tcp_stream("nobody.test", 80)
        assert caught.value.errno == socket.EAI_NONAME

        s.network.names.fail("venue.test")
        with pytest.raises(socket.gaierror) as caught:
            await s.dial()
        assert caught.value.errno == socket.EAI_AGAIN
        await trio.socket.getaddrinfo("bot.test", 80)
        s.network.names.fail()
        with pytest.raises(socket.gaierror):
            await trio.socket.getaddrinfo("bot.test", 80)

        s.network.names.heal()
        s.network.names.set("venue.test", "10.0.0.9", "2001:db8::9")
        s.network.names.delay = 3.0
        assert await trio.socket.getaddrinfo("VENUE.test", 80, type=socket.SOCK_STREAM) == [
            (socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP, "", ("10.0.0.9", 80)),
            (socket.AF_INET6, socket.SOCK_STREAM, socket.IPPROTO_TCP, "", ("2001:db8::9", 80, 0, 0)),
        ]
        assert trio.current_time() == 3.0
        assert await trio.socket.getaddrinfo("10.0.0.9", 80, type=socket.SOCK_STREAM) == [
            (socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP, "", ("10.0.0.9", 80)),
        ]
        assert await trio.socket.getnameinfo(("10.0.0.9", 80), 0) == ("10.0.0.9", "80")


@virtually
async def test_a_task_runs_on_a_host_and_so_do_those_it_starts() -> None:
    """Sockets belong to the host of the task that makes them: each host has its own ports and its own loopback."""
    async with stage() as s:
        told: list[tuple[str, object]] = []

        async def serve(who: str) -> None:
            [listener] = await trio.open_tcp_listeners(8080, host="127.0.0.1")
            told.append((who, listener.socket.getsockname()))
            await listener.accept()
            told.append((who, "was called"))

        for host in (s.bot, s.venue):
            with s.network.on(host):
                s.nursery.start_soon(serve, host.name)
        await trio.testing.wait_all_tasks_blocked()
        with s.network.on(s.venue):
            await trio.open_tcp_stream("localhost", 8080)
            with pytest.raises(OSError, match="Cannot assign") as caught:
                await trio.open_tcp_listeners(8080, host="10.0.0.1")
        await trio.testing.wait_all_tasks_blocked()
        assert caught.value.errno == errno.EADDRNOTAVAIL
        assert s.network.here() is s.network.localhost
        assert sorted(told[:2]) == [("bot.test", ("127.0.0.1", 8080)), ("venue.test", ("127.0.0.1", 8080))]
        assert told[2:] == [("venue.test", "was called")]


@virtually
async def test_servers_may_listen_on_everything() -> None:
    """Without a host a server listens on both versions of IP, and is reached by each address of its host."""
    async with open_network(seed=0) as network:
        venue = network.host("venue.test", "10.0.0.2", "2001:db8::2")
        bot = network.host("bot.test", "10.0.0.1", "2001:db8::1")
        old = network.host("old.test", "10.0.0.3")
        with network.on(venue):
            four, six = await trio.open_tcp_listeners(443)
        assert (four.socket.getsockname(), six.socket.getsockname()) == (("0.0.0.0", 443), ("::", 443, 0, 0))
        with network.on(bot):
            await trio.open_tcp_stream("10.0.0.2", 443)
            stream = await trio.open_tcp_stream("2001:db8::2", 443)
        assert stream.socket.getsockname() == ("2001:db8::1", 49153, 0, 0)
        assert (await four.accept()).socket.getsockname() == ("10.0.0.2", 443)
        assert (await six.accept()).socket.getpeername() == ("2001:db8::1", 49153, 0, 0)
        with network.on(old), trio.socket.socket(socket.AF_INET6) as sock:
            with pytest.raises(OSError, match="unreachable") as caught:
                await sock.connect(("2001:db8::2", 443))
            assert caught.value.errno == errno.ENETUNREACH


@virtually
async def test_a_client_may_choose_its_address() -> None:
    """``local_address`` is where the connection comes from."""
    async with open_network(seed=0) as network:
        bot = network.host("bot.test", "10.0.0.1", "10.0.0.7")
        with network.on(bot):
            [listener] = await trio.open_tcp_listeners(80, host="10.0.0.1")
            await trio.open_tcp_stream("10.0.0.1", 80, local_address="10.0.0.7")
        assert (await listener.accept()).socket.getpeername()[0] == "10.0.0.7"


@virtually
async def test_ephemeral_ports_go_round() -> None:
    """A port that was given back is not given out again before all others were; when all are taken, EADDRINUSE."""
    async with open_network(seed=0) as network:
        sockets = [trio.socket.socket() for _ in range(16384)]
        for sock in sockets:
            sock.listen()
        assert [sock.getsockname()[1] for sock in sockets] == list(range(49152, 65536))
        with trio.socket.socket() as late, pytest.raises(OSError, match="in use") as caught:
            late.listen()
        assert caught.value.errno == errno.EADDRINUSE
        sockets[7].close()
        with trio.socket.socket() as late:
            late.listen()
            assert late.getsockname()[1] == 49152 + 7
        assert network.connections == []


@virtually
async def test_a_host_has_its_addresses_for_itself() -> None:
    """Two hosts cannot have the same address."""
    async with open_network(seed=0) as network:
        network.host("bot.test", "10.0.0.1")
        with pytest.raises(ValueError, match="another host"):
            network.host("twin.test", "10.0.0.1")


@virtually
async def test_there_is_tcp_and_nothing_else() -> None:
    """Other kinds of sockets are refused as by a kernel without them; socket pairs are none of the network's."""
    async with open_network(seed=0):
        for family, kind, expected in [
            (socket.AF_UNIX, socket.SOCK_STREAM, errno.EAFNOSUPPORT),
            (socket.AF_INET, socket.SOCK_DGRAM, errno.EPROTONOSUPPORT),
        ]:
            with pytest.raises(OSError, match="not supported") as caught:
                trio.socket.socket(family, kind)
            assert caught.value.errno == expected
        one, other = trio.socket.socketpair()
        with one, other:
            await one.send(b"real")
            assert await other.recv(4) == b"real"
            assert one.fileno() < 1 << 16


@virtually
async def test_a_half_close_follows_the_data_and_leaves_the_other_direction_open() -> None:
    """FIN arrives behind the data, after the delay of the link; the answer still comes back."""
    async with stage() as s:
        client, server, _ = await s.connect()
        start = trio.current_time()
        await client.send_all(b"question")
        await client.send_eof()
        assert await server.receive_some() == b"question"
        assert await server.receive_some() == b""
        assert trio.current_time() == start + DELAY
        with pytest.raises(trio.ClosedResourceError):
            await client.send_all(b"more")
        await server.send_all(b"answer")
        assert await client.receive_some() == b"answer"
        assert trio.current_time() == start + RTT


@virtually
async def test_a_sender_blocks_when_nobody_reads() -> None:
    """A window's worth of bytes is taken at once; more when the reader has read half of it and has said so."""
    async with stage(window=1000) as s:
        client, server, connection = await s.connect()
        start = trio.current_time()
        seen: list[float] = []

        async def send() -> None:
            await client.send_all(bytes(1000))
            seen.append(trio.current_time() - start)
            await client.send_all(b"x")
            seen.append(trio.current_time() - start)

        s.nursery.start_soon(send)
        await trio.sleep(10)
        assert (seen, connection.up.delivered) == ([0], 1000)
        await received(server, 499)
        await trio.sleep(10)
        assert seen == [0]
        await received(server, 1)
        await trio.sleep(10)
        assert seen == [0, 20 + DELAY]
        assert len(await received(server, 501)) == 501
        await trio.sleep(10)
        assert await client.socket.send(bytes(2000)) == 999  # one byte that was read waits to be told of


@virtually
async def test_waiting_until_a_send_might_not_block() -> None:
    """`wait_send_all_might_not_block` returns when there is room again, not before."""
    async with stage(window=1000) as s:
        client, server, _ = await s.connect()
        start = trio.current_time()
        await client.wait_send_all_might_not_block()
        assert trio.current_time() == start
        await client.send_all(bytes(1000))
        s.nursery.start_soon(received, server, 1000)
        await client.wait_send_all_might_not_block()
        assert trio.current_time() == start + RTT


@virtually
async def test_a_cancelled_connect_is_closed_and_never_accepted() -> None:
    """Whoever gives up before the answer resets what comes late: the server's program hears nothing of it."""
    async with stage() as s:
        with s.network.on(s.venue):
            [listener] = await trio.open_tcp_listeners(80, host="10.0.0.2")
        with s.network.on(s.bot), trio.socket.socket() as sock:
            with trio.move_on_after(DELAY / 2) as patience:
                await sock.connect(("10.0.0.2", 80))
            assert patience.cancelled_caught
            assert sock.fileno() == -1
        with trio.move_on_after(60) as patience:
            await listener.accept()
        assert patience.cancelled_caught
        assert s.network.connections[0].server.phase is Phase.CLOSED


@virtually
async def test_cancelled_calls_lose_nothing() -> None:
    """After a cancelled accept, receive or send the next one goes on where that would have."""
    async with stage(window=1000) as s:
        with s.network.on(s.venue):
            [listener] = await trio.open_tcp_listeners(80, host="10.0.0.2")
        with trio.move_on_after(1):
            await listener.accept()
        client = await s.dial()
        server = await listener.accept()
        with trio.move_on_after(1):
            await server.receive_some()
        assert await client.socket.send(bytes(1200)) == 1000
        with trio.move_on_after(1):
            await client.socket.send(b"lost?")
        await received(server, 1000)
        assert await client.socket.send(b"kept") == 4
        assert await received(server, 4) == b"kept"
        with trio.CancelScope() as scope:
            scope.cancel()
            await client.send_all(b"never")
        with trio.move_on_after(1) as patience:
            await server.receive_some()
        assert patience.cancelled_caught


@virtually
async def test_every_call_is_a_checkpoint() -> None:
    """Calls, whether they succeed or fail, give others a turn and notice a cancellation before they do anything."""
    async with stage(delay=0) as s:
        client, server, _ = await s.connect()
        with s.network.on(s.venue):
            [listener] = await trio.open_tcp_listeners(81, host="10.0.0.2")
        await s.dial(81)
        await server.send_all(b"data")
        await trio.testing.wait_all_tasks_blocked()
        closed, unbound, fresh = (trio.socket.socket() for _ in range(3))
        closed.close()
        calls: list[Callable[[], Awaitable[object]]] = [
            lambda: client.socket.recv(1),
            lambda: client.socket.recv_into(bytearray(1)),
            lambda: client.socket.send(b"x"),
            client.socket.wait_writable,
            listener.socket.accept,
            lambda: unbound.bind(("127.0.0.1", 5)),
            lambda: fresh.connect(("127.0.0.1", 6)),
            lambda: closed.recv(1),
            lambda: closed.send(b"x"),
            lambda: closed.connect(("127.0.0.1", 6)),
            lambda: closed.bind(("127.0.0.1", 7)),
            closed.accept,
        ]
        for call in calls:
            with trio.CancelScope() as scope, suppress(OSError):
                scope.cancel()
                await call()
            assert scope.cancelled_caught
        fresh = trio.socket.socket()
        for call in calls:
            with trio.testing.assert_checkpoints(), suppress(OSError):
                await call()


@virtually
async def test_sockets_have_deadlines_of_their_callers_only() -> None:
    """Nothing in the network gives up by itself: a silent connection stays open for as long as one likes."""
    async with stage() as s:
        client, _, connection = await s.connect()
        with trio.move_on_after(86400):
            await client.receive_some()
        assert connection.state is State.OPEN
        assert trio.current_effective_deadline() == inf
