"""The WebSocket: how it opens, what it says of every ending, and that nothing of it survives its block."""

import ssl
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager, suppress
from functools import partial

import pytest
import trio
import trio_websocket
from scripted_venue import (
    WS_URL,
    Conversation,
    Handler,
    RecordingTape,
    Script,
    ScriptedSockets,
    answer_upgrade,
    black_hole,
    cancelled_after,
    healthy,
    mute,
    no_name,
    open_connections,
    refused,
    serve_tcp,
    serve_tls,
)
from virtual_stage import DELAY, RTT, Stage, stage, virtually
from websocket_stage import PORT, ended, opened, scripted
from wsproto.utilities import LocalProtocolError

from bot.core.errors import NotSentError, StreamClosedError, leaves
from bot.core.tape import HIDDEN, Kind
from bot.link.websocket import Frame, StreamSettings
from bot.simulation.pipe import Ending


async def echo(venue: Conversation) -> None:
    while True:
        await venue.connection.send_message(await venue.connection.get_message())


# Opening.


@virtually
async def test_it_opens_in_three_round_trips_and_a_message_is_echoed_in_one() -> None:
    """TCP, TLS 1.3 and the upgrade; both ways go onto the tape; the end of the block closes the connection."""
    tape = RecordingTape()
    async with stage() as s:
        await scripted(s, echo)
        async with opened(s, tape=tape) as websocket:
            assert trio.current_time() == 3 * RTT
            websocket.send("hello")
            assert await websocket.receive() == Frame("hello", round(4 * RTT * 1e9))
            assert trio.current_time() == 4 * RTT
            await websocket.ping()
            assert trio.current_time() == 5 * RTT
        assert (trio.current_time(), open_connections(s)) == (5 * RTT, 0)
    assert [(each.ns / 1e9, each.generation, str(each.kind), each.data) for each in tape.records] == [
        (3 * RTT, 7, "ws+", {}),
        (3 * RTT, 7, "ws>", "hello"),
        (4 * RTT, 7, "ws<", "hello"),
        (5 * RTT, 7, "ws!", {"code": 1006, "reason": "", "ours": False}),
    ]


@virtually
async def test_a_secret_leaves_and_is_not_written_down() -> None:
    """The venue gets the frame, the tape what is shown in its place; the next frame is shown as it is."""
    tape = RecordingTape()
    async with stage() as s:
        await scripted(s, echo)
        async with opened(s, tape=tape) as websocket:
            websocket.send("my name is eyJsecret", shown=f"my name is {HIDDEN}")
            assert (await websocket.receive()).data == "my name is eyJsecret"
            websocket.send("good morning")
            await websocket.receive()
    assert tape.told(Kind.FRAME_OUT) == [("ws>", f"my name is {HIDDEN}"), ("ws>", "good morning")]


@virtually
async def test_without_tls_it_opens_in_two_round_trips() -> None:
    """Also with a query, which reaches the venue; binary messages are written down as what they are."""
    asked: list[str] = []
    tape = RecordingTape()

    async def greet(stream: trio.abc.Stream) -> None:
        async with stream, trio.open_nursery() as nursery:
            request = await trio_websocket.wrap_server_stream(nursery, stream)
            asked.append(request.path)
            connection = await request.accept()
            await connection.send_message(b"\x30\x00\xff")
            await trio.sleep_forever()

    async with stage() as s:
        await serve_tcp(s, greet, 80)
        async with opened(s, url="ws://venue.test/v1?sbe=1", tape=tape) as websocket:
            assert trio.current_time() == 2 * RTT
            assert (await websocket.receive()).data == b"\x30\x00\xff"
    assert asked == ["/v1?sbe=1"]
    assert tape.told(Kind.FRAME_IN) == [("ws<", {"bytes": "0\0ÿ"})]


@pytest.mark.parametrize(
    ("fault", "url", "tls", "words", "after"),
    [
        (no_name, WS_URL, None, "gaierror: .* name resolution", 0),
        (refused, WS_URL, None, "ConnectionRefusedError: .* refused", RTT),
        (black_hole, WS_URL, None, "deadline passed", 4),
        (healthy, WS_URL, ssl.create_default_context(), "unable to get local issuer", 2 * RTT),
        (healthy, "wss://other.test:8443/v1", None, "Hostname mismatch.* 'other.test'", 2 * RTT),
        (healthy, "wss://venue.test:81/v1", None, "deadline passed", 4),
    ],
    ids=["no-name", "refused", "black-hole", "unknown-ca", "wrong-host", "silent-tls"],
)
@virtually
async def test_no_connection_is_not_sent(
    fault: Callable[[Stage], None], url: str, tls: ssl.SSLContext | None, words: str, after: float
) -> None:
    """NotSentError with the address and the cause in words, as soon as it is known, and nothing stays open.

    All that the tape has of it is an end without a code.
    """
    tape = RecordingTape()
    async with stage() as s:
        await scripted(s, echo)
        await serve_tcp(s, mute, 81)
        s.network.names.set("other.test", "10.0.0.2")
        fault(s)
        with pytest.raises(NotSentError, match=f"{url}: .*({words})") as caught:
            async with opened(s, url=url, tls=tls, settings=StreamSettings(connect_timeout=4), tape=tape):
                pytest.fail("the block is never entered")
        assert caught.value.__cause__ is not None
        assert (ended(tape)["code"], len(tape.records)) == (None, 1)
        assert (trio.current_time(), open_connections(s)) == (after, 0)


async def leave(stream: trio.abc.Stream) -> None:
    await stream.aclose()


async def leave_after_request(stream: trio.abc.Stream) -> None:
    with suppress(trio.BrokenResourceError):
        await stream.receive_some()
        await stream.aclose()


SWITCHING = b"HTTP/1.1 101 Switching Protocols\r\n"
UPGRADE = b"upgrade: websocket\r\nconnection: upgrade\r\n"


@pytest.mark.parametrize(
    ("handshake", "words", "after"),
    [
        (answer_upgrade(b"HTTP/1.1 400 No\r\ncontent-length: 0\r\n\r\n"), "HTTP 400", 3 * RTT),
        (answer_upgrade(b"HTTP/1.1 403 No\r\ncontent-length: 6\r\n\r\nGo out"), "HTTP 403", 3 * RTT),
        (
            answer_upgrade(b"HTTP/1.1 503 No\r\nretry-after: 9\r\ncontent-length: 0\r\n\r\n"),
            "HTTP 503",
            3 * RTT,
        ),
        (answer_upgrade(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n"), "HTTP 200", 3 * RTT),
        (answer_upgrade(SWITCHING + b"\r\n"), "ProtocolError", 3 * RTT),
        (
            answer_upgrade(SWITCHING + UPGRADE + b"sec-websocket-accept: AA==\r\n\r\n"),
            "ProtocolError",
            3 * RTT,
        ),
        (answer_upgrade(b"Good morning!\r\n\r\n"), "ProtocolError", 3 * RTT),
        (answer_upgrade(SWITCHING + b"upgrade: web"), "deadline passed", 4),
        (leave, "deadline passed", 4),
        (leave_after_request, "deadline passed", 4),
        (mute, "deadline passed", 4),
    ],
    ids=[
        "400",
        "403",
        "503",
        "200",
        "no-upgrade",
        "bad-accept",
        "garbage",
        "half",
        "leaves",
        "leaves-late",
        "mute",
    ],
)
@virtually
async def test_a_refused_or_broken_upgrade_is_not_sent(handshake: Handler, words: str, after: float) -> None:
    """NotSentError with the status in words; who leaves or says nothing is noticed at the deadline, exactly."""
    tape = RecordingTape()
    async with stage() as s:
        await serve_tls(s, handshake, PORT)
        with pytest.raises(NotSentError, match=words):
            async with opened(s, settings=StreamSettings(connect_timeout=4), tape=tape):
                pytest.fail("the block is never entered")
        assert (ended(tape)["code"], len(tape.records)) == (None, 1)
        assert (trio.current_time(), open_connections(s)) == (after, 0)


# Endings.


@pytest.mark.parametrize(
    ("code", "reason"),
    [(1000, ""), (1001, "going away"), (1012, "restart"), (1013, ""), (4031, "no active subscription")],
)
@virtually
async def test_a_close_by_the_venue_is_told_with_code_and_reason(code: int, reason: str) -> None:
    """By whoever receives, sends or pings, after everything that came before was received; and by the tape."""
    tape = RecordingTape()

    async def talk_and_leave(venue: Conversation) -> None:
        await venue.say("first")
        await venue.say("second")
        await venue.connection.aclose(code, reason)

    async with stage() as s:
        await scripted(s, talk_and_leave)
        async with opened(s, tape=tape) as websocket:
            assert [(await websocket.receive()).data for _ in range(2)] == ["first", "second"]
            for _ in range(2):
                with pytest.raises(StreamClosedError) as caught:
                    await websocket.receive()
                assert (caught.value.code, caught.value.reason) == (code, reason)
            with pytest.raises(StreamClosedError) as caught:
                await websocket.ping()
            assert (caught.value.code, caught.value.reason) == (code, reason)
            with pytest.raises(StreamClosedError) as caught:  # noqa: PT012 - the writer has to notice first
                while True:
                    websocket.send("anybody?")
            assert (caught.value.code, caught.value.reason) == (code, reason)
        assert open_connections(s) == 0
    assert ended(tape) == {"code": code, "reason": reason, "ours": False}


@pytest.mark.parametrize("ending", Ending)
@virtually
async def test_a_cut_in_the_middle_of_a_frame_is_1006(ending: Ending) -> None:
    """Half a message is none, and an end without a close frame has the code for that."""
    async with stage() as s:
        await scripted(s, echo)
        async with opened(s) as websocket:
            s.network.connections[0].down.cut_after(600, ending)
            websocket.send("x" * 1000)
            with pytest.raises(StreamClosedError) as caught:
                await websocket.receive()
            assert (caught.value.code, str(caught.value)) == (1006, "WebSocket closed: 1006")
        assert open_connections(s) == 0


async def say_garbage(venue: Conversation) -> None:
    await venue.connection._stream.send_all(b"\xff\xff Good morning!")
    await trio.sleep_forever()


async def say_no_text(venue: Conversation) -> None:
    await venue.connection._stream.send_all(b"\x81\x02\xff\xff")
    await trio.sleep_forever()


async def ping_after_close(venue: Conversation) -> None:
    await venue.connection._stream.send_all(b"\x88\x02\x03\xe8" + b"\x89\x00")
    await trio.sleep_forever()


async def say_too_much(venue: Conversation) -> None:
    size = 9 * 2**20
    await venue.connection._stream.send_all(b"\x81\x7f" + size.to_bytes(8) + bytes(size))
    await trio.sleep_forever()


@pytest.mark.parametrize(
    ("script", "codes"),
    [
        (say_garbage, {1002}),
        (say_no_text, {1007}),
        (ping_after_close, {1000, 1002}),
        (say_too_much, {1009}),
    ],
)
@virtually
async def test_a_venue_that_breaks_the_protocol_has_closed_the_connection(
    script: Script, codes: set[int]
) -> None:
    """No frames, no text, words after the goodbye, more than fits: StreamClosedError and no other."""
    async with stage() as s:
        s.link.shape(segment=2**20)
        await scripted(s, script)
        closed: list[BaseException] = []
        try:
            async with opened(s) as websocket:
                await websocket.receive()
        except* StreamClosedError as group:
            closed = list(leaves(group))
        assert closed
        assert {error.code for error in closed if isinstance(error, StreamClosedError)} <= codes
        assert open_connections(s) == 0


@virtually
async def test_what_the_block_raises_passes_unchanged() -> None:
    """An error of who uses the connection is not taken for one of opening it."""
    async with stage() as s:
        await scripted(s, echo)
        for error in (OSError("disk full"), trio.BrokenResourceError(), trio.TooSlowError(), ValueError()):
            with pytest.RaisesGroup(type(error)) as caught:
                async with opened(s):
                    raise error
            assert list(leaves(caught.value)) == [error]
            assert open_connections(s) == 0


# Closing.


@virtually
async def test_close_says_1000_and_waits_for_the_venue_to_say_the_same() -> None:
    """One round trip; the venue sees a clean end. Closing again is no error."""
    tape = RecordingTape()
    async with stage() as s:
        sockets = await scripted(s, echo)
        async with opened(s, tape=tape) as websocket:
            await websocket.close()
            assert trio.current_time() == 4 * RTT
            await websocket.close()
            assert (trio.current_time(), open_connections(s)) == (4 * RTT, 0)
        await trio.sleep(RTT)
        assert sockets.closes == [(1000, None)]
    assert ended(tape) == {"code": 1000, "reason": "", "ours": True}


@virtually
async def test_close_waits_no_longer_than_its_timeout() -> None:
    """A venue that does not answer is left."""
    async with stage() as s:
        await scripted(s, echo)
        async with opened(s, settings=StreamSettings(close_timeout=2.5)) as websocket:
            s.link.black_hole()
            await websocket.close()
            assert (trio.current_time(), open_connections(s)) == (3 * RTT + 2.5, 0)


@virtually
async def test_a_ping_that_crosses_our_goodbye_does_no_harm() -> None:
    """trio_websocket cannot answer it any more, and its task dies of that: the end is still a clean one."""

    async def ping(venue: Conversation) -> None:
        await trio.sleep(10)
        await venue.connection.ping()

    async with stage() as s:
        sockets = await scripted(s, ping)
        async with opened(s) as websocket:
            await trio.sleep_until(2.5 * RTT + 10 + DELAY / 2)  # the ping is on its way
            await websocket.close()
        assert open_connections(s) == 0
        await trio.sleep(10)
        assert sockets.closes == [(1000, None)]


@virtually
async def test_a_message_that_crosses_our_goodbye_does_no_harm() -> None:
    """It is dropped, and the venue's goodbye is still waited for."""

    async def talk(venue: Conversation) -> None:
        while True:
            await venue.say("tick")
            await trio.sleep(DELAY / 4)

    async with stage() as s:
        sockets = await scripted(s, talk)
        async with opened(s) as websocket:
            await websocket.receive()
            closing = trio.current_time()
            await websocket.close()
            assert trio.current_time() == closing + RTT
        await trio.sleep(RTT)
        assert sockets.closes == [(1000, None)]


# Nothing leaks.


@virtually
async def test_cancellation_at_any_step_leaves_nothing_open() -> None:
    """From the look-up of the name to the goodbye: wherever a cancellation strikes, the connection is closed.

    And the tape has its end.
    """

    tape = RecordingTape()

    async def life(s: Stage) -> None:
        async with opened(s, tape=tape) as websocket:
            websocket.send("hello")
            await websocket.receive()
            await websocket.ping()
            await websocket.close()

    steps = 0
    async with stage() as s:
        await scripted(s, echo)
        while True:
            steps += 1
            cancelled = await cancelled_after(steps, partial(life, s))
            assert open_connections(s) == 0
            assert len(tape.told(Kind.SOCKET_END)) == steps
            if not cancelled:
                break
    assert steps > 80


# Bursts, and the writer.


@virtually
async def test_a_burst_neither_loses_messages_nor_holds_up_pongs() -> None:
    """4000 messages arrive while nobody reads: the venue's pings are answered, and then each message is there."""
    pongs: list[float] = []

    async def burst(venue: Conversation) -> None:
        for number in range(4000):
            await venue.say(str(number))
        for _ in range(3):
            start = trio.current_time()
            await venue.connection.ping()
            pongs.append(trio.current_time() - start)
        await trio.sleep_forever()

    async with stage() as s:
        await scripted(s, burst)
        async with opened(s) as websocket:
            await trio.sleep(20)
            assert pongs == [RTT] * 3
            assert [(await websocket.receive()).data for _ in range(4000)] == [str(n) for n in range(4000)]
            assert trio.current_time() == 3 * RTT + 20


# Facts about trio_websocket.


@asynccontextmanager
async def bare(
    s: Stage, nursery: trio.Nursery, queue: int = 1
) -> AsyncGenerator[trio_websocket.WebSocketConnection]:
    """A connection without our wrapper, and without TLS."""
    with s.network.on(s.bot):
        stream = await trio.open_tcp_stream("venue.test", 80)
        async with stream:
            yield await trio_websocket.wrap_client_stream(
                nursery, stream, "venue.test", "/v1", message_queue_size=queue
            )
            nursery.cancel_scope.cancel()


@virtually
async def test_a_short_queue_of_the_library_holds_up_pongs() -> None:
    """With the default of one message the reader waits for the consumer, and no ping is answered meanwhile."""
    answered = trio.Event()

    async def burst(venue: Conversation) -> None:
        for _ in range(3):
            await venue.say("tick")
        await venue.connection.ping()
        answered.set()

    async with stage() as s, trio.open_nursery() as nursery:
        await serve_tcp(s, ScriptedSockets(burst).serve, 80)
        async with bare(s, nursery) as connection:
            await trio.sleep(60)
            assert not answered.is_set()
            for _ in range(3):
                await connection.get_message()
            await trio.sleep(RTT)
            assert answered.is_set()


@virtually
async def test_a_cancelled_send_of_the_library_leaves_half_a_frame() -> None:
    """The next message vanishes into it: why one task owns the sending end here."""
    heard: list[object] = []

    async def listen(venue: Conversation) -> None:
        with suppress(trio_websocket.ConnectionClosed):
            while True:
                heard.append(await venue.connection.get_message())

    async with stage(window=4096) as s, trio.open_nursery() as nursery:
        await serve_tcp(s, ScriptedSockets(listen).serve, 80)
        async with bare(s, nursery) as connection:
            s.link.black_hole()
            with trio.move_on_after(1) as scope:
                await connection.send_message("x" * 10_000)
            assert scope.cancelled_caught
            s.link.heal()
            await connection.send_message("hello")
            await trio.sleep(60)
    assert heard == []


@virtually
async def test_the_task_of_the_library_dies_of_a_ping_while_it_closes() -> None:
    """LocalProtocolError out of the nursery: what `open_websocket` has to expect."""

    async def ping(venue: Conversation) -> None:
        await trio.sleep(10)
        await venue.connection.ping()

    async def close_in_between(s: Stage) -> None:
        async with trio.open_nursery() as nursery, bare(s, nursery) as connection:
            await trio.sleep_until(1.5 * RTT + 10 + DELAY / 2)
            await connection.aclose()

    async with stage() as s:
        await serve_tcp(s, ScriptedSockets(ping).serve, 80)
        with pytest.RaisesGroup(LocalProtocolError):
            await close_in_between(s)
