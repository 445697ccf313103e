"""The libraries of the bot, unchanged, on the virtual network: round trips, and facts that the bot relies on.

What they do when a connection is slow, cut or silent decides whether an order was sent (faults.md, sections 1, 3, 4).
"""

import socket
import time
from collections.abc import AsyncGenerator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from functools import partial

import httpx  # noqa: ASYNC127 - httpx2 is one import away, see design.md section 7
import pytest
import trio
import trio_websocket
from virtual_stage import DELAY, RTT, Stage, client_tls, http_server, server_tls, stage, virtually

from bot.simulation.connection import State
from bot.simulation.pipe import Ending

URL = "https://venue.test/"


def http_client() -> httpx.AsyncClient:
    # No expiry of idle connections: httpcore reads the real clock for it.
    return httpx.AsyncClient(
        verify=client_tls(), trust_env=False, limits=httpx.Limits(keepalive_expiry=None), timeout=5
    )


async def rtts(client: httpx.AsyncClient) -> float:
    """How many round trips a request takes."""
    start = trio.current_time()
    response = await client.get(URL)
    assert (response.status_code, response.text) == (200, "ok")
    return (trio.current_time() - start) / RTT


async def echo(request: trio_websocket.WebSocketRequest) -> None:
    connection = await request.accept()
    while True:
        try:
            await connection.send_message(await connection.get_message())
        except trio_websocket.ConnectionClosed:
            return


@asynccontextmanager
async def websocket(s: Stage) -> AsyncGenerator[trio_websocket.WebSocketConnection]:
    with s.network.on(s.venue):
        await s.nursery.start(partial(trio_websocket.serve_websocket, echo, "10.0.0.2", 443, server_tls()))
    with s.network.on(s.bot):
        connection = await trio_websocket.connect_websocket_url(
            s.nursery, "wss://venue.test/v1", client_tls()
        )
    yield connection


@virtually
async def test_a_cold_request_takes_three_round_trips_and_a_warm_one_takes_one() -> None:
    """TCP, TLS 1.3 and the request take one round trip each; on a kept connection the request alone."""
    async with stage() as s, http_client() as client:
        await s.serve(http_server)
        with s.network.on(s.bot):
            assert [await rtts(client) for _ in range(3)] == [3.0, 1.0, 1.0]
        assert s.network.opened(s.venue, 443) == 1


@virtually
async def test_a_websocket_opens_in_three_round_trips_and_echoes_in_one() -> None:
    """TCP, TLS 1.3 and the upgrade take one round trip each; a message and its echo take one."""
    async with stage() as s:
        async with websocket(s) as connection:
            assert trio.current_time() == 3 * RTT
            for number in range(3):
                await connection.send_message(f"message {number}")
                assert await connection.get_message() == f"message {number}"
                assert trio.current_time() == (4 + number) * RTT
            assert str(connection.remote) == 'Endpoint(address="10.0.0.2", port=443, is_ssl=True)'
            await connection.aclose()
        await trio.sleep(RTT)
        assert s.network.connections[0].state is State.CLOSED


@virtually
async def test_everything_works_byte_by_byte() -> None:
    """TLS, HTTP and WebSocket do not care where segments end; neither do round trips."""
    async with stage() as s, http_client() as client:
        s.link.shape(segment=1)
        await s.serve(http_server, 443)
        with s.network.on(s.bot):
            assert [await rtts(client), await rtts(client)] == [3.0, 1.0]
    async with stage() as s:
        s.link.shape(segment=1)
        async with websocket(s) as connection:
            await connection.send_message("x" * 300)
            assert await connection.get_message() == "x" * 300


@virtually
async def test_an_hour_passes_at_once() -> None:
    """An hour of a request a second, over TLS, takes seconds of the machine's time at most."""
    start = time.perf_counter()
    async with stage() as s, http_client() as client:
        await s.serve(http_server)
        with s.network.on(s.bot):
            for _ in range(60):
                await client.get(URL)
                await trio.sleep(60)
        assert trio.current_time() == 3600 + 62 * RTT
    assert time.perf_counter() - start < 5


@virtually
async def test_httpx_notices_that_the_server_has_closed_an_idle_connection() -> None:
    """A kept connection that ended while idle is replaced before the next request: no error, three round trips."""
    async with stage() as s, http_client() as client:
        await s.serve(partial(http_server, requests=1))
        with s.network.on(s.bot):
            assert await rtts(client) == 3.0
            await trio.sleep(10)
            assert await rtts(client) == 3.0
        assert s.network.opened(s.venue, 443) == 2
        assert s.network.connections[0].state is State.CLOSED


@virtually
async def test_a_request_that_crosses_the_end_of_its_connection_fails() -> None:
    """A keep-alive connection that ends while the request is on its way: RemoteProtocolError, and not retried."""
    async with stage() as s, http_client() as client:
        await s.serve(http_server)
        with s.network.on(s.bot):
            await client.get(URL)
            s.network.after(DELAY / 2, s.link.cut, Ending.FIN)
            with pytest.raises(httpx.RemoteProtocolError, match="disconnected"):
                await client.post(URL)
        assert s.network.opened(s.venue, 443) == 1


def refuse(s: Stage) -> None:
    s.link.refuse()


def lose_the_name(s: Stage) -> None:
    s.network.names.fail("venue.test")


def fall_silent(s: Stage) -> None:
    s.link.black_hole()


def fall_silent_downwards(s: Stage) -> None:
    s.link.down.black_hole()


def reset_in_the_answer(s: Stage) -> None:
    s.network.connections[0].down.cut_after(20)


def end_in_the_answer(s: Stage) -> None:
    s.network.connections[0].down.cut_after(20, Ending.FIN)


@pytest.mark.parametrize(
    ("fault", "error", "after"),
    [
        (refuse, httpx.ConnectError, RTT),
        (lose_the_name, httpx.ConnectError, 0),
        (fall_silent, httpx.ConnectTimeout, 5),
        (fall_silent_downwards, httpx.ConnectTimeout, 5),
    ],
)
@virtually
async def test_what_httpx_says_when_it_cannot_connect(
    fault: Callable[[Stage], None], error: type[Exception], after: float
) -> None:
    """Each is an error that says the request was not sent.

    httpcore raises it ``from None``: what the socket or the resolver said is no ``__cause__``, but an argument.
    """
    async with stage() as s, http_client() as client:
        await s.serve(http_server)
        fault(s)
        start = trio.current_time()
        with s.network.on(s.bot), pytest.raises(error) as caught:
            await client.get(URL)
        assert trio.current_time() == start + after
        below = caught.value.__cause__
        assert below is not None
        assert below.__cause__ is None
        if fault is lose_the_name:
            assert isinstance(below.args[0], socket.gaierror)
        if fault is refuse:
            assert isinstance(below.args[0].__cause__.exceptions[0], ConnectionRefusedError)


@pytest.mark.parametrize(
    ("fault", "error", "after"),
    [
        (fall_silent, httpx.ReadTimeout, 5),
        (fall_silent_downwards, httpx.ReadTimeout, 5),
        (reset_in_the_answer, httpx.ReadError, RTT),
        (end_in_the_answer, httpx.RemoteProtocolError, RTT),
    ],
)
@virtually
async def test_what_httpx_says_when_the_answer_is_lost(
    fault: Callable[[Stage], None], error: type[Exception], after: float
) -> None:
    """Each is an error that says: nobody knows. The connection is closed and not used again."""
    async with stage() as s, http_client() as client:
        await s.serve(http_server)
        with s.network.on(s.bot):
            await client.get(URL)
            fault(s)
            start = trio.current_time()
            with pytest.raises(error):
                await client.post(URL)
            assert trio.current_time() == start + after
            assert s.network.connections[0].client.released
            s.link.heal()
            assert await rtts(client) == 3.0


@virtually
async def test_the_timeouts_of_httpx_are_none_of_a_request() -> None:
    """A read timeout is of one TLS record: an answer that trickles in record by record outlasts it many times."""

    async def trickle(stream: trio.abc.Stream) -> None:
        async with stream:
            await stream.receive_some()
            for byte in b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok":
                await stream.send_all(bytes([byte]))
                await trio.sleep(4)

    async with stage() as s, http_client() as client:
        await s.serve(trickle)
        with s.network.on(s.bot):
            await client.get(URL)
        assert trio.current_time() == 3 * RTT + 4 * 39


@virtually
async def test_a_record_that_comes_too_slowly_is_a_timeout_of_httpx() -> None:
    """Bytes that come in without completing a TLS record do not count as something read."""
    async with stage() as s, http_client() as client:
        await s.serve(http_server)
        with s.network.on(s.bot):
            await client.get(URL)
            s.link.down.shape(segment=1, bandwidth=2)
            with pytest.raises(httpx.ReadTimeout):
                await client.get(URL)


@virtually
async def test_a_cancelled_request_closes_its_connection() -> None:
    """Whoever cancels a request pays for a new connection with the next one."""
    async with stage() as s, http_client() as client:
        await s.serve(http_server)
        with s.network.on(s.bot):
            await client.get(URL)
            with trio.move_on_after(DELAY):
                await client.get(URL)
            assert s.network.connections[0].client.released
            assert await rtts(client) == 3.0


@pytest.mark.parametrize("ending", Ending)
@virtually
async def test_a_websocket_that_is_cut_is_closed_abnormally(ending: Ending) -> None:
    """Reset or end without a closing handshake: ConnectionClosed with 1006 for who reads and who sends."""
    async with stage() as s, websocket(s) as connection:
        s.network.after(10, s.link.cut, ending)
        start = trio.current_time()
        with pytest.raises(trio_websocket.ConnectionClosed) as caught:
            await connection.get_message()
        assert trio.current_time() == start + 10
        assert caught.value.reason is not None
        assert caught.value.reason.code == 1006
        with pytest.raises(trio_websocket.ConnectionClosed):
            await connection.send_message("too late")


@virtually
async def test_a_websocket_cut_in_the_middle_of_a_message_delivers_nothing_of_it() -> None:
    """Half a frame is no message."""
    async with stage() as s, websocket(s) as connection:
        s.network.connections[0].down.cut_after(600, Ending.FIN)
        await connection.send_message("x" * 1000)
        with pytest.raises(trio_websocket.ConnectionClosed):
            await connection.get_message()


@virtually
async def test_a_websocket_does_not_notice_silence() -> None:
    """On a dead link sends succeed, and pings and reads wait for ever: whoever wants to notice needs deadlines."""
    async with stage() as s, websocket(s) as connection:
        s.link.black_hole()
        for number in range(263):
            await connection.send_message(f"order {number}")
        for wait in (connection.ping, connection.get_message):
            with trio.move_on_after(3600) as patience:
                await wait()
            assert patience.cancelled_caught
        assert connection.closed is None


@virtually
async def test_a_refused_websocket_says_so() -> None:
    """`open_websocket_url` turns what the network says into HandshakeError, with the cause below."""
    async with stage() as s:
        s.link.refuse()
        opening: AbstractAsyncContextManager[trio_websocket.WebSocketConnection]
        opening = trio_websocket.open_websocket_url("wss://venue.test/v1", client_tls())
        with s.network.on(s.bot), pytest.raises(trio_websocket.HandshakeError) as caught:
            await opening.__aenter__()
        assert isinstance(caught.value.__cause__, OSError)
