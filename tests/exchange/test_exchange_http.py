"""HTTP as a transport, in virtual time: keep-alive, limits, idle connections, and garbage."""

# ruff: noqa: ARG001 - pytest-trio takes its clock from the arguments of a test

import pytest
import trio
import trio.testing
from exchange_stage import HttpClient, Stage, Trader, stage
from hypothesis import given, settings
from hypothesis import strategies as st
from trio.testing import MockClock


async def read_all(stream: trio.abc.Stream) -> bytes:
    received = b""
    while data := await stream.receive_some(65536):
        received += data
    return received


async def test_an_idle_connection_is_closed_after_a_minute(autojump_clock: MockClock, room: Stage) -> None:
    """60 s after the last byte, and not before: each request starts the minute anew."""
    client = room.http()
    for _ in range(3):
        assert (await client.request("GET", "/v1/system/time")).status == 200
        await trio.sleep(59.9)
    assert (await client.request("GET", "/v1/system/time")).status == 200
    started = trio.current_time()
    assert await client.stream.receive_some(1) == b""
    assert trio.current_time() - started == pytest.approx(60)
    assert room.exchange.counters.tcp == {"rest": 1}
    silent = room.raw_http()
    assert await silent.receive_some(1) == b""
    assert trio.current_time() - started == pytest.approx(120)


async def test_requests_in_one_packet_are_answered_in_order(autojump_clock: MockClock, room: Stage) -> None:
    """Pipelined requests, and requests that arrive byte by byte, are requests."""
    stream = room.raw_http()
    await stream.send_all(
        b"GET /v1/system/state HTTP/1.1\r\nhost: x\r\n\r\n"
        b"GET /nowhere HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n"
    )
    answers = await read_all(stream)
    assert [part[:3] for part in answers.split(b"HTTP/1.1 ")[1:]] == [b"200", b"404"]
    stream = room.raw_http()
    for byte in b"GET /v1/system/state HTTP/1.0\r\n\r\n":
        await stream.send_all(bytes([byte]))
    assert b'{"status":"ok"}' in await read_all(stream)


async def test_head_and_unknown_methods_and_paths(autojump_clock: MockClock, room: Stage) -> None:
    """HEAD is GET without the body; other methods get 405 and the right ones; targets may name a host.

    Answers say when they were made.
    """
    client = room.http()
    reply = await client.request("PATCH", "/v1/orders")
    assert (reply.status, reply.json()["error"], reply.headers["allow"]) == (
        405,
        "REQUEST_NOT_ALLOWED",
        "GET, POST, DELETE, HEAD",
    )
    assert reply.headers["date"] == "Mon, 21 Sep 2026 14:13:20 GMT"
    for path in (
        "/",
        "/v1",
        "/v1/orders/",
        "/v1//orders",
        "/v1/auth/",
        "/v2/auth",
        "*",
        "http://x",
        "http://x/v2/auth",
        "ftp",
    ):
        assert (await client.request("GET", path)).status == 404, path
    assert (await client.request("GET", "http://x/v1/markets?market=DOGE")).json()[
        "error"
    ] == "MARKET_NOT_FOUND"
    assert (await client.request("GET", "http://x/v1/system/time")).status == 200
    stream = room.raw_http()
    await stream.send_all(b"HEAD /v1/system/time HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n")
    answer = await read_all(stream)
    assert answer.startswith(b"HTTP/1.1 200 OK\r\n")
    assert b"content-length: 31\r\n" in answer
    assert answer.endswith(b"\r\n\r\n")


async def test_client_ids_in_paths_are_decoded(autojump_clock: MockClock, room: Stage) -> None:
    """A client id with a slash or a space is found under its escaped form."""
    client, trader = room.http(), Trader()
    await trader.log_in(client)
    await trader.place(client, client_id="a/b ü?")
    await trio.testing.wait_all_tasks_blocked()
    reply = await trader.ask(client, "GET", "/v1/orders/by_client_id/a%2Fb%20%C3%BC%3F")
    assert reply.json()["client_id"] == "a/b ü?"


async def test_expect_continue_is_continued(autojump_clock: MockClock, room: Stage) -> None:
    """A client that waits to be told to send its body is told."""
    stream = room.raw_http()
    await stream.send_all(
        b"POST /v1/onboarding HTTP/1.1\r\nhost: x\r\ncontent-length: 2\r\nexpect: 100-continue\r\n\r\n"
    )
    assert (await stream.receive_some(1000)).startswith(b"HTTP/1.1 100 ")
    await stream.send_all(b"{}")
    assert (await stream.receive_some(1000)).startswith(b"HTTP/1.1 400 ")


@pytest.mark.parametrize(
    ("sent", "status"),
    [
        (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", 400),
        (b"GET / HTTP/1.1\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nhost: x\r\nx: " + b"y" * 70_000, 431),
        (b"POST / HTTP/1.1\r\nhost: x\r\ncontent-length: -5\r\n\r\n", 400),
        (b"POST / HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\nzz\r\n", 400),
        (b"POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 2000000\r\n\r\n" + b"y" * 2_000_000, 413),
    ],
)
async def test_what_is_no_request_is_refused(
    autojump_clock: MockClock, room: Stage, sent: bytes, status: int
) -> None:
    """Garbage and excess are answered in the venue's form, the connection is closed, and others are served."""
    stream = room.raw_http()
    await stream.send_all(sent)
    answer = await read_all(stream)
    assert answer.startswith(b"HTTP/1.1 ")
    assert int(answer[9:12]) == status
    assert b'{"error":"BINDING_ERROR"' in answer
    assert (await room.http().request("GET", "/v1/system/time")).status == 200


@settings(max_examples=100, deadline=None)
@given(
    garbage=st.one_of(
        st.binary(max_size=300),
        st.builds(
            lambda method, target, body: method + b" " + target + b" HTTP/1.1\r\nhost: x\r\n\r\n" + body,
            st.sampled_from([b"GET", b"POST", b"DELETE", b"CONNECT"]),
            st.binary(max_size=40).map(lambda b: b"/v1/" + b.replace(b" ", b"%")),
            st.binary(max_size=40),
        ),
    )
)
def test_no_bytes_end_the_server(garbage: bytes) -> None:
    """Whatever a client sends, the next one is served."""

    async def story() -> None:
        async with stage() as room:
            stream = room.raw_http()
            await stream.send_all(garbage)
            with trio.move_on_after(1):
                await read_all(stream)
            await stream.aclose()
            assert (await room.http().request("GET", "/v1/system/state")).json() == {"status": "ok"}

    trio.run(story, clock=MockClock(autojump_threshold=0))


@settings(max_examples=40, deadline=None)
@given(
    path=st.sampled_from(["/v1/orders", "/v1/onboarding", "/v1/auth", "/v1/orders-history"]),
    body=st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=20),
        lambda inner: (
            st.lists(inner, max_size=3)
            | st.dictionaries(
                st.sampled_from(
                    [
                        "market",
                        "side",
                        "type",
                        "size",
                        "price",
                        "signature",
                        "signature_timestamp",
                        "public_key",
                    ]
                ),
                inner,
                max_size=8,
            )
        ),
    ),
)
def test_any_json_is_answered(path: str, body: object) -> None:
    """Every JSON body gets an answer below 500 in the venue's form."""

    async def story() -> None:
        async with stage() as room:
            client, trader = room.http(), Trader()
            await trader.log_in(client)
            reply = await client.request("POST", path, body, trader.bearer)
            assert reply.status < 500
            assert set(reply.json()) == {"error", "message", "data"}

    trio.run(story, clock=MockClock(autojump_threshold=0))


async def test_a_faulty_handler_is_answered_for(
    autojump_clock: MockClock, room: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An error of ours costs one request an answer of 500 in the venue's form, and nobody else anything."""
    client = room.http()
    monkeypatch.setattr(room.exchange, "summaries", None)
    reply = await client.request("GET", "/v1/markets/summary?market=ALL")
    assert reply.status == 500
    assert reply.json() == {"error": "INTERNAL_ERROR", "message": "internal error", "data": None}
    assert (await client.request("GET", "/v1/system/time")).status == 200


async def test_counters_know_what_happened(autojump_clock: MockClock, room: Stage) -> None:
    """Connections and requests are counted by port and by route, so that no path can fill the memory."""
    client = room.http()
    for path in ("/v1/system/time", "/v1/bbo/BTC-USD-PERP", "/v1/bbo/ETH-USD-PERP", "/x", "/y"):
        await client.request("GET", path)
    assert room.exchange.counters.tcp == {"rest": 1}
    assert room.exchange.counters.requests == {
        "GET /v1/system/time": 1,
        "GET /v1/bbo/{market}": 2,
        "not found": 2,
    }
    assert isinstance(client, HttpClient)
