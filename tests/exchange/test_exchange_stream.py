"""The WebSocket, in virtual time: calls, channels, pings, and every way a socket ends."""

# ruff: noqa: ARG001 - pytest-trio takes its clock from the arguments of a test

import json
import re
from typing import Any

import pytest
import trio
import trio.testing
from exchange_stage import EPOCH, HttpClient, SocketClient, Stage, Trader, stage
from hypothesis import given, settings
from hypothesis import strategies as st
from trio.testing import MockClock
from trio_websocket import ConnectionClosed, ConnectionRejected, wrap_client_stream

from bot.exchange.counters import SocketClose
from bot.exchange.limits import WS_UNREAD_MESSAGES, WS_UNSENT_ANSWERS

UPGRADE = (
    b"GET /v1 HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
    b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
)


async def ending(socket: SocketClient) -> tuple[int, str | None]:
    """Read on until the socket closes: the close code and reason as the client sees them."""
    while True:
        try:
            await socket.socket.get_message()
        except ConnectionClosed as closed:
            return (closed.reason.code, closed.reason.reason) if closed.reason else (0, None)


async def last_close(room: Stage, after: float = 0) -> SocketClose:
    await trio.sleep(after)
    await trio.testing.wait_all_tasks_blocked()
    return room.exchange.counters.socket_closes[-1]


async def test_calls_are_answered_in_order_with_their_times(
    autojump_clock: MockClock, room: Stage, trader: Trader
) -> None:
    """A client need not wait for the reply to auth before it subscribes; ids come back as they were."""
    socket = await room.websocket()
    await trio.sleep(1.5)
    await socket.send("auth", {"bearer": trader.token}, 2**53 - 1)
    await socket.send("subscribe", {"channel": "orders.ALL"}, "text")
    first, second = await socket.receive(), await socket.receive()
    assert set(first["result"]) == {"node_id"}
    now = EPOCH * 10**6 + 1_500_000
    assert {**first, "result": None} == {
        "jsonrpc": "2.0",
        "id": 2**53 - 1,
        "result": None,
        "usIn": now,
        "usOut": now,
        "usDiff": 0,
    }
    assert (second["id"], second["result"]) == ("text", {"channel": "orders.ALL"})


async def test_a_call_without_id_is_executed(autojump_clock: MockClock, room: Stage, trader: Trader) -> None:
    """ccxt subscribes without an id (section 10, item 6)."""
    socket = await room.websocket()
    await socket.call("auth", {"bearer": trader.token})
    call = {"jsonrpc": "2.0", "method": "subscribe", "params": {"channel": "orders.BTC-USD-PERP"}}
    await socket.socket.send_message(json.dumps(call))
    reply = await socket.receive()
    assert (reply["id"], reply["result"]) == (0, {"channel": "orders.BTC-USD-PERP"})


async def test_orders_are_published_under_the_subscribed_name(
    autojump_clock: MockClock, room: Stage, client: HttpClient, trader: Trader
) -> None:
    """OPEN and CLOSED come on both channels that fit, numbered apart from REST; other markets stay away."""
    socket = await room.orders_socket(trader)
    await socket.call("subscribe", {"channel": "orders.BTC-USD-PERP"})
    await socket.call("subscribe", {"channel": "orders.ETH-USD-PERP"})
    order = (await trader.place(client)).json()
    opened = [await socket.receive(), await socket.receive()]
    assert [frame["params"]["channel"] for frame in opened] == ["orders.BTC-USD-PERP", "orders.ALL"]
    assert {frame["method"] for frame in opened} == {"subscription"}
    data = opened[0]["params"]["data"]
    assert (data["id"], data["status"]) == (order["id"], "OPEN")
    assert opened[1]["params"]["data"] == data
    assert "id" not in opened[0]
    await trader.ask(client, "DELETE", f"/v1/orders/{order['id']}")
    closed = (await socket.receive())["params"]["data"]
    assert (closed["status"], closed["cancel_reason"]) == ("CLOSED", "USER_CANCELED")
    assert closed["seq_no"] > data["seq_no"]
    assert (await trader.ask(client, "GET", f"/v1/orders/{order['id']}")).json()["seq_no"] != closed["seq_no"]


async def test_updates_go_to_their_account_only(
    autojump_clock: MockClock, room: Stage, client: HttpClient, trader: Trader
) -> None:
    """A match between two accounts tells each of its own order."""
    maker, taker = trader, Trader(77)
    await taker.log_in(client)
    makers, takers = await room.orders_socket(maker), await room.orders_socket(taker)
    await maker.place(client, side="SELL", price="84999.9", size="0.003")
    resting = (await makers.receive())["params"]["data"]
    assert resting["status"] == "OPEN"
    await taker.place(client, instruction="GTC", price="84999.9", size="0.002")
    part = (await makers.receive())["params"]["data"]
    full = (await takers.receive())["params"]["data"]
    assert (part["id"], part["status"], part["remaining_size"], part["avg_fill_price"]) == (
        resting["id"],
        "OPEN",
        "0.001",
        "84999.9",
    )
    assert (full["status"], full["remaining_size"], full["cancel_reason"]) == ("CLOSED", "0", "")
    assert full["account"] == hex(taker.address)
    [made], [took] = room.exchange.fills(maker.address), room.exchange.fills(taker.address)
    assert (made.liquidity, made.side, made.remaining) == ("MAKER", "SELL", 100_000)
    assert (took.liquidity, took.side, took.remaining) == ("TAKER", "BUY", 0)
    assert made.trade_id == took.trade_id
    assert room.exchange.clearing.position(taker.address, "BTC-USD-PERP").size == 200_000
    await taker.place(client, type="MARKET", instruction="GTC", size="0.002")
    rest = (await makers.receive())["params"]["data"]
    assert (rest["id"], rest["status"], rest["remaining_size"]) == (resting["id"], "CLOSED", "0")
    assert rest["cancel_reason"] == ""
    assert not room.exchange.resting(maker.address)
    assert [fill.remaining for fill in room.exchange.fills(taker.address)] == [0, 100_000, 0]


@pytest.mark.parametrize(
    ("changes", "status", "reason", "remaining"),
    [
        ({"price": "85000.4"}, "CLOSED", "POST_ONLY_WOULD_CROSS", "0.001"),
        ({"price": "89250.1", "instruction": "GTC"}, "CLOSED", "EXCEEDS_MAX_SLIPPAGE", "0.001"),
        ({"instruction": "IOC"}, "CLOSED", "REMAINING_IOC_CANCEL", "0.001"),
        ({"price": "85000.4", "instruction": "IOC", "size": "3"}, "CLOSED", "REMAINING_IOC_CANCEL", "1"),
        ({"price": "85000.4", "instruction": "GTC", "size": "3"}, "OPEN", "", "1"),
        ({"type": "MARKET", "instruction": "GTC"}, "CLOSED", "", "0"),
        ({"type": "MARKET", "instruction": "GTC", "size": "3"}, "CLOSED", "REMAINING_IOC_CANCEL", "1"),
        ({"flags": ["REDUCE_ONLY"]}, "CLOSED", "REDUCE_ONLY_WILL_INCREASE", "0.001"),
        ({"price": "0.1"}, "OPEN", "", "0.001"),
    ],
)
async def test_the_engine_decides(
    autojump_clock: MockClock,
    room: Stage,
    client: HttpClient,
    trader: Trader,
    changes: dict[str, Any],
    status: str,
    reason: str,
    remaining: str,
) -> None:
    """What the first phase let in is opened, filled or closed by the second, with a reason."""
    socket = await room.orders_socket(trader)
    assert (await trader.place(client, **changes)).json()["status"] == "NEW"
    data = (await socket.receive())["params"]["data"]
    assert (data["status"], data["cancel_reason"], data["remaining_size"]) == (status, reason, remaining)
    book = room.exchange.engine.books["BTC-USD-PERP"]
    bid, ask = book.bids.best_level(), book.asks.best_level()
    assert bid is not None
    assert ask is not None
    assert bid[0] < ask[0]


@pytest.mark.parametrize(
    ("stp", "maker", "taker"),
    [
        ("EXPIRE_MAKER", "SELF_TRADE", ""),
        ("EXPIRE_TAKER", "", "SELF_TRADE"),
        (None, "", "SELF_TRADE"),
        ("EXPIRE_BOTH", "SELF_TRADE", "SELF_TRADE"),
    ],
)
async def test_nobody_trades_with_himself(
    autojump_clock: MockClock,
    room: Stage,
    client: HttpClient,
    trader: Trader,
    stp: str | None,
    maker: str,
    taker: str,
) -> None:
    """Own orders that meet are expired as the incoming order says, by default the incoming one."""
    resting = (await trader.place(client, side="SELL", price="84999.9")).json()
    incoming = (await trader.place(client, price="84999.9", instruction="GTC", stp=stp)).json()
    await trio.testing.wait_all_tasks_blocked()
    orders = room.exchange.orders
    assert [orders[o["id"]].cancel_reason for o in (resting, incoming)] == [maker, taker]
    assert not room.exchange.fills(trader.address)


@pytest.mark.parametrize(
    ("message", "code"),
    [
        ("{", -32700),
        ("[" * 50_000, -32700),
        ('{"a":1e99999}', -32700),
        ('"hello"', -32600),
        ("[]", -32600),
        ("{}", -32600),
        ('{"jsonrpc":"1.0","method":"auth","id":1}', -32600),
        ('{"jsonrpc":"2.0","method":7,"id":1}', -32600),
        ('{"jsonrpc":"2.0","method":"auth","id":1.5}', -32600),
        ('{"jsonrpc":"2.0","method":"auth","id":true}', -32600),
        ('{"jsonrpc":"2.0","method":"dance","id":1}', -32601),
        ('{"jsonrpc":"2.0","method":"auth","id":1}', -32602),
        ('{"jsonrpc":"2.0","method":"auth","params":[],"id":1}', -32602),
        ('{"jsonrpc":"2.0","method":"auth","params":{"bearer":7},"id":1}', -32602),
        ('{"jsonrpc":"2.0","method":"auth","params":{"bearer":"é.é.é"},"id":1}', 40110),
        ('{"jsonrpc":"2.0","method":"subscribe","params":{"channel":"orders.ALL"},"id":1}', 40300),
        ('{"jsonrpc":"2.0","method":"subscribe","params":{"channel":"nonsense"},"id":1}', -32600),
        ('{"jsonrpc":"2.0","method":"subscribe","params":{"channel":"bbo.DOGE"},"id":1}', -32600),
        ('{"jsonrpc":"2.0","method":"unsubscribe","params":{"channel":"account"},"id":1}', -32600),
    ],
)
async def test_bad_messages_get_errors_and_the_socket_lives_on(
    autojump_clock: MockClock, room: Stage, message: str, code: int
) -> None:
    """Every fault has its code, and the next message is handled."""
    socket = await room.websocket()
    await socket.socket.send_message(message)
    assert (await socket.receive())["error"]["code"] == code
    assert (await socket.call("dance", {}, 5))["id"] == 5


async def test_subscriptions_are_taken_once(autojump_clock: MockClock, room: Stage, trader: Trader) -> None:
    """Twice, unknown markets and bare names of market channels are refused; after unsubscribing, again is fine."""
    socket = await room.websocket()
    await socket.call("auth", {"bearer": trader.token})
    for method, channel, accepted in [
        ("subscribe", "orders.ALL", True),
        ("subscribe", "orders.ALL", False),
        ("subscribe", "orders.DOGE", False),
        ("subscribe", "orders", False),
        ("subscribe", "account.X", False),
        ("subscribe", "account", True),
        ("unsubscribe", "orders.BTC-USD-PERP", False),
        ("unsubscribe", "orders.ALL", True),
        ("unsubscribe", "orders.ALL", False),
        ("subscribe", "orders.ALL", True),
    ]:
        reply = await socket.call(method, {"channel": channel})
        assert ("result" in reply) == accepted, (method, channel)


async def test_bearers_are_checked(
    autojump_clock: MockClock, room: Stage, client: HttpClient, trader: Trader
) -> None:
    """Expired and altered tokens get 40111; an open session outlives its token."""
    socket = await room.orders_socket(trader)
    header, claims, _ = trader.token.split(".")
    altered = f"{header}.{claims}.{'A' * 86}"
    assert (await socket.call("auth", {"bearer": altered}))["error"]["code"] == 40111
    room.exchange.expire_tokens()
    assert (await socket.call("auth", {"bearer": trader.token}))["error"]["code"] == 40111
    await trader.log_in(client)
    await trader.place(client)
    assert (await socket.receive())["params"]["data"]["status"] == "OPEN"


async def test_a_socket_without_subscription_is_closed_with_4031(
    autojump_clock: MockClock, room: Stage, trader: Trader
) -> None:
    """After 10 s without one, also when the last one was given up; holding one keeps it open."""
    socket = await room.websocket()
    assert (await ending(socket))[0] == 4031
    assert trio.current_time() == pytest.approx(10)
    socket = await room.orders_socket(trader)
    await trio.sleep(600)
    await socket.call("unsubscribe", {"channel": "orders.ALL"})
    assert (await ending(socket))[0] == 4031
    assert trio.current_time() == pytest.approx(620)
    assert (await last_close(room)).code == 4031
    assert not room.exchange.feeds.sessions


async def test_pings_come_every_55_s_and_pongs_keep_alive(
    autojump_clock: MockClock, room: Stage, trader: Trader
) -> None:
    """A client that answers pings stays for an hour; one that does not is cut 5 s after the first."""
    socket = await room.orders_socket(trader)
    await trio.sleep(3600)
    assert (await socket.call("dance", {}))["error"]["code"] == -32601
    started = trio.current_time()
    raw = room.raw_websocket()
    subscribe = json.dumps(
        {"jsonrpc": "2.0", "method": "subscribe", "params": {"channel": "markets"}}
    ).encode()
    await raw.send_all(UPGRADE + b"\r\n\x81" + bytes([0x80 | len(subscribe)]) + bytes(4) + subscribe)
    received, arrivals = b"", {}
    while data := await raw.receive_some(10_000):
        received += data
        arrivals[round(trio.current_time() - started, 6)] = data
    assert arrivals[55.0][:1] == b"\x89"
    assert max(arrivals) == 55.0
    assert trio.current_time() - started == pytest.approx(60)
    close = await last_close(room)
    assert (close.code, close.by, close.reason) == (1006, "server", "no pong")


async def test_a_client_that_does_not_read_is_hung_up_on(
    autojump_clock: MockClock, room: Stage, client: HttpClient, trader: Trader
) -> None:
    """With more than 2000 messages waiting for it, a socket is cut."""
    raw, far = trio.testing.lockstep_stream_pair()
    room.nursery.start_soon(room.sockets.serve, far)
    await raw.send_all(UPGRADE + b"\r\n")
    await raw.receive_some(1000)
    await trio.testing.wait_all_tasks_blocked()
    [session] = room.exchange.feeds.sessions
    for number in range(WS_UNREAD_MESSAGES + 1):
        session.publish("markets", {"number": number})
        await trio.testing.wait_all_tasks_blocked()
        assert session.ending is None
    session.publish("markets", {})
    assert "unread" in (await last_close(room)).reason
    assert not room.exchange.feeds.sessions


def masked(call: dict[str, Any]) -> bytes:
    """A call as a client's frame, of less than 126 bytes, masked with zeros."""
    text = json.dumps({"jsonrpc": "2.0", **call}).encode()
    return b"\x81" + bytes([0x80 | len(text)]) + bytes(4) + text


async def test_a_client_may_ask_much_at_once(autojump_clock: MockClock, room: Stage) -> None:
    """One that reads gets every answer, in order, however many calls it sends before it reads the first."""
    raw = room.raw_websocket()
    await raw.send_all(UPGRADE + b"\r\n")
    await raw.receive_some(10_000)
    most = 5 * WS_UNREAD_MESSAGES
    await raw.send_all(b"".join(masked({"method": "dance", "id": number}) for number in range(most)))
    answers = b""
    while answers.count(b"\n") < most:
        data = await raw.receive_some(1_000_000)
        assert data, room.exchange.counters.socket_closes
        answers += data
    assert [int(number) for number in re.findall(rb'"id":(\d+)', answers)] == list(range(most))


async def test_a_client_that_reads_no_answers_is_hung_up_on(autojump_clock: MockClock, room: Stage) -> None:
    """When half of what may be unread are answers, and none leaves within 5 s; the calls beyond are not executed."""
    raw, far = trio.testing.lockstep_stream_pair()
    room.nursery.start_soon(room.sockets.serve, far)
    await raw.send_all(UPGRADE + b"\r\n")
    await raw.receive_some(10_000)
    await raw.send_all(
        masked({"method": "subscribe", "params": {"channel": "markets"}})
        + masked({"method": "dance"}) * WS_UNREAD_MESSAGES
    )
    await trio.testing.wait_all_tasks_blocked()
    assert room.exchange.counters.requests["WS unknown"] == WS_UNSENT_ANSWERS - 1
    await trio.sleep(4.9)
    assert room.exchange.feeds.sessions
    close = await last_close(room, after=0.2)
    assert (close.code, close.by, close.reason) == (1006, "server", "answers are left unread")
    assert room.exchange.counters.requests["WS unknown"] == WS_UNSENT_ANSWERS - 1


async def test_a_client_that_goes_before_its_answers_is_noticed_at_once(
    autojump_clock: MockClock, room: Stage
) -> None:
    """Nobody waits for answers to leave that nobody is there to get."""
    raw, far = trio.testing.lockstep_stream_pair()
    room.nursery.start_soon(room.sockets.serve, far)
    await raw.send_all(UPGRADE + b"\r\n")
    await raw.receive_some(10_000)
    await raw.send_all(masked({"method": "dance"}) * WS_UNREAD_MESSAGES)
    await trio.testing.wait_all_tasks_blocked()
    await raw.aclose()
    close = await last_close(room)
    assert (close.code, close.by) == (1006, "client")
    assert trio.current_time() == 0


async def test_binary_and_oversized_messages_are_refused(autojump_clock: MockClock, room: Stage) -> None:
    """Clients never send binary (1003), nor more than 256 KiB at once (1009)."""
    socket = await room.websocket()
    await socket.socket.send_message(b"\x00\x01")
    assert (await ending(socket))[0] == 1003
    socket = await room.websocket()
    await socket.socket.send_message("x" * (256 * 1024 + 1))
    assert (await ending(socket))[0] == 1009
    close = await last_close(room)
    assert (close.code, close.by) == (1009, "server")


@pytest.mark.parametrize(
    ("frame", "code"),
    [
        (b"\x81\x02{}", 1002),
        (b"\x83\x80\x00\x00\x00\x00", 1002),
        (b"\x80\x80\x00\x00\x00\x00", 1002),
        (b"\x88\x82\x00\x00\x00\x00\x03\xe7", 1002),
        (b"\x81\x81\x00\x00\x00\x00\xff", 1007),
        (b"\x88\x82\x00\x00\x00\x00\x03\xea", 1002),
    ],
    ids=[
        "not masked",
        "no such kind",
        "continues nothing",
        "no such close code",
        "not UTF-8",
        "says so itself",
    ],
)
async def test_frames_that_cannot_be_read_end_the_socket(
    autojump_clock: MockClock, room: Stage, frame: bytes, code: int
) -> None:
    """The client is told why, once and at once. It is no close of the client's, even if it says so itself."""
    raw = room.raw_websocket()
    await raw.send_all(UPGRADE + b"\r\n")
    await raw.receive_some(10_000)
    await raw.send_all(frame)
    assert await raw.receive_some(10_000) == b"\x88\x02" + code.to_bytes(2)
    assert await raw.receive_some(10_000) == b""
    assert trio.current_time() == 0
    close = await last_close(room)
    assert (close.code, close.by) == (code, "server")


async def test_a_client_that_cannot_be_read_and_does_not_read_is_cut(
    autojump_clock: MockClock, room: Stage
) -> None:
    """The close frame of a faulty client is waited for 5 s at most, and then it is gone all the same."""
    raw, far = trio.testing.lockstep_stream_pair()
    room.nursery.start_soon(room.sockets.serve, far)
    await raw.send_all(UPGRADE + b"\r\n")
    await raw.receive_some(10_000)
    await raw.send_all(b"\x81\x02{}")
    assert (await last_close(room, after=5)).code == 1002
    assert not room.exchange.feeds.sessions


@pytest.mark.parametrize("code", [1000, 1001, 4000])
async def test_a_clients_close_is_remembered(autojump_clock: MockClock, room: Stage, code: int) -> None:
    """The close code that a client sends stands in the log, with who sent it."""
    socket = await room.websocket()
    await socket.socket.aclose(code, "bye")
    close = await last_close(room)
    assert (close.code, close.by, close.reason) == (code, "client", "bye")
    assert not room.exchange.feeds.sessions


async def test_a_vanished_client_is_1006(autojump_clock: MockClock, room: Stage) -> None:
    """An end without a close frame, in the middle of a frame or not, is logged as 1006 of the client."""
    for rest in (b"", b"\x81\xfe\xff"):
        raw = room.raw_websocket()
        await raw.send_all(UPGRADE + b"\r\n" + rest)
        await raw.receive_some(10_000)
        await raw.aclose()
        close = await last_close(room)
        assert (close.code, close.by) == (1006, "client")


@pytest.mark.parametrize(("code", "seen"), [(1012, 1012), (1000, 1000), (None, 1006)])
async def test_sockets_are_dropped_on_request(
    autojump_clock: MockClock, room: Stage, trader: Trader, code: int | None, seen: int
) -> None:
    """With a code there is a closing handshake, without one the connection just ends."""
    sockets = [await room.orders_socket(trader) for _ in range(3)]
    assert room.exchange.drop_websockets(code) == 3
    for socket in sockets:
        assert (await ending(socket))[0] == seen
    await trio.testing.wait_all_tasks_blocked()
    assert [(c.code, c.by) for c in room.exchange.counters.socket_closes] == [(seen, "server")] * 3
    assert not room.exchange.feeds.sessions


@pytest.mark.parametrize(("spoken", "lasts"), [(b"", 5), (b"\x89\x80\x00\x00\x00\x00", 0)])
async def test_a_client_that_never_answers_a_close_is_cut(
    autojump_clock: MockClock, room: Stage, spoken: bytes, lasts: int
) -> None:
    """The closing handshake may take 5 s; a client that pings instead of answering is cut at once."""
    raw = room.raw_websocket()
    await raw.send_all(UPGRADE + b"\r\n")
    await raw.receive_some(10_000)
    room.exchange.drop_websockets(1012)
    assert (await raw.receive_some(10_000))[:4] == b"\x88\x09\x03\xf4"
    if spoken:
        await raw.send_all(spoken)
    while await raw.receive_some(10_000):
        pass
    assert trio.current_time() == pytest.approx(lasts)
    assert (await last_close(room)).code == 1012


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/v1?sbeSchemaId=1&sbeSchemaVersion=3", 400),
        ("/v1?sbeSchemaId=1&sbeSchemaVersion=99", 400),
        ("/v1?sbeSchemaId=x", 400),
        ("/v2", 404),
        ("/", 404),
    ],
)
async def test_upgrades_that_are_not_served_are_refused(
    autojump_clock: MockClock, room: Stage, path: str, status: int
) -> None:
    """An encoding or path that is not served is refused with an HTTP status and the venue's error body."""
    near = room.raw_websocket()
    request = UPGRADE.replace(b"/v1", path.encode()) + b"\r\n"
    await near.send_all(request)
    answer = bytearray()
    while data := await near.receive_some(10_000):
        answer += data
    assert answer.startswith(f"HTTP/1.1 {status} ".encode())
    assert b'"error"' in answer
    assert not room.exchange.feeds.sessions


async def test_rejections_reach_the_client_library(autojump_clock: MockClock, room: Stage) -> None:
    """A real client sees the 400 as a rejected upgrade."""
    with pytest.RaisesGroup(ConnectionRejected, flatten_subgroups=True, allow_unwrapped=True):
        async with trio.open_nursery() as nursery:
            near = room.raw_websocket()
            with trio.fail_after(20):
                await wrap_client_stream(nursery, near, "x", "/v1?sbeSchemaId=1")  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "head",
    [
        UPGRADE + b"Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits, x-unknown; =;\r\n",
        UPGRADE + b"Authorization: Bearer x\r\nUser-Agent: sdk\r\nSec-WebSocket-Protocol: a, b\r\n",
        UPGRADE.replace(b"Host: x", b"Host: \xff..--!"),
        UPGRADE.replace(b"Connection: Upgrade", b"Connection: keep-alive, Upgrade"),
    ],
)
async def test_offers_are_ignored(autojump_clock: MockClock, room: Stage, head: bytes) -> None:
    """Extensions, subprotocols and odd headers do not stop an upgrade, and none is taken up."""
    raw = room.raw_websocket()
    await raw.send_all(head + b"\r\n")
    answer = await raw.receive_some(10_000)
    assert answer.startswith(b"HTTP/1.1 101 ")
    assert b"extensions" not in answer.lower()
    await raw.aclose()


@settings(max_examples=60, deadline=None)
@given(garbage=st.binary(max_size=200), upgraded=st.booleans())
def test_no_bytes_end_the_server(garbage: bytes, upgraded: bool) -> None:  # noqa: FBT001 - Hypothesis passes it
    """Whatever bytes come before or after the upgrade, the next client is served."""

    async def story() -> None:
        async with stage() as room:
            raw = room.raw_websocket()
            await raw.send_all((UPGRADE + b"\r\n" if upgraded else b"") + garbage)
            with trio.move_on_after(1):
                while await raw.receive_some(10_000):
                    pass
            await raw.aclose()
            socket = await room.websocket()
            assert (await socket.call("dance", {}))["error"]["code"] == -32601

    trio.run(story, clock=MockClock(autojump_threshold=0))


async def test_processing_delays_replies_in_order(autojump_clock: MockClock) -> None:
    """Each message takes its processing time, one after the other; usIn is before it."""
    async with stage(processing_ms=20) as room:
        socket = await room.websocket()
        for identifier in (1, 2, 3):
            await socket.send("dance", {}, identifier)
        for identifier in (1, 2, 3):
            reply = await socket.receive()
            assert reply["id"] == identifier
            assert trio.current_time() == pytest.approx(0.02 * identifier)
            assert reply["usDiff"] == 20_000
