"""What the WebSocket port does besides talking: counting, logging, limits, and settings of its own."""

# ruff: noqa: ARG001 - pytest-trio takes its clock from the arguments of a test

import json
from typing import Any

import pytest
import trio
import trio.testing
from exchange_stage import Stage
from loguru import logger
from stream_stage import listening, logged_in, order, still
from trio.testing import MockClock
from trio_websocket import ConnectionClosed

from bot.exchange.identity.quota import CONNECTS
from bot.exchange.peer import LOOPBACK
from bot.exchange.requestlog import RequestLog
from bot.exchange.stream.encode import encode
from bot.exchange.stream.rpc import Call
from bot.exchange.stream.session import Done, Session


async def test_calls_are_counted_and_logged(autojump_clock: MockClock) -> None:
    """By method, with the code of an error and the account; what is no method is ``unknown``, whatever its name."""
    lines: list[dict[str, Any]] = []
    async with still(processing_ms=5) as room:
        room.exchange.request_log = RequestLog(
            room.exchange.clock, lambda line: lines.append(json.loads(line))
        )
        trader = await logged_in(room)
        lines.clear()
        socket = await room.websocket()
        await socket.call("auth", {"bearer": trader.token})
        await socket.call("subscribe", {"channel": "account"})
        await socket.call("order.create", order())
        await socket.call("order.create", {})
        await socket.call("dance", {})
        await socket.socket.send_message("garbage")
        await socket.receive()
    account = hex(trader.address)
    assert {line["port"] for line in lines} == {"ws"}
    assert [(line["method"], line["code"], line.get("account"), line["ms"]) for line in lines] == [
        ("auth", None, account, 5),
        ("subscribe", None, account, 5),
        ("order.create", None, account, 5),
        ("order.create", -32602, account, 5),
        ("unknown", -32601, account, 5),
        ("unknown", -32700, account, 5),
    ]
    requests = room.exchange.counters.requests
    assert {name: count for name, count in requests.items() if name.startswith("WS ")} == {
        "WS auth": 1,
        "WS subscribe": 1,
        "WS order.create": 2,
        "WS unknown": 2,
    }


@pytest.mark.parametrize(("seconds", "lasts"), [(0, None), (2.5, 2.5)])
async def test_the_wait_for_a_subscription_is_a_setting(
    autojump_clock: MockClock, seconds: float, lasts: float | None
) -> None:
    """0 leaves sockets alone that subscribe to nothing."""
    async with still(unsubscribed_seconds=seconds) as room:
        socket = await room.websocket()
        with trio.move_on_after(200) as waiting, pytest.raises(ConnectionClosed):
            await socket.receive()
        assert waiting.cancelled_caught == (lasts is None)
        if lasts is not None:
            assert trio.current_time() == pytest.approx(lasts)


async def upgrade(room: Stage) -> int:
    """The HTTP status of an upgrade."""
    raw = room.raw_websocket()
    await raw.send_all(
        b"GET /v1 HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
    )
    return int((await raw.receive_some(10_000)).split()[1])


async def test_connects_are_limited(autojump_clock: MockClock) -> None:
    """Beyond 20 in a second from one address the upgrade is 429, and a moment later it is not."""
    async with still() as room:
        statuses = [await upgrade(room) for _ in range(CONNECTS[0].limit + 1)]
        assert statuses == [101] * CONNECTS[0].limit + [429]
        await trio.sleep(0.05)
        assert await upgrade(room) == 101
    async with still(rate_limits="none") as room:
        assert {await upgrade(room) for _ in range(CONNECTS[0].limit + 1)} == {101}


@pytest.mark.parametrize(
    "message",
    [
        '{"jsonrpc":"2.0","id":1,"method":"subscribe","params":' + "[" * 100_000,
        '{"jsonrpc":"2.0","id":1,"method":"subscribe","params":' + "[" * 900 + "]" * 900 + "}",
        '{"jsonrpc":"2.0","id":' + "9" * 5000 + ',"method":"auth"}',
        '{"jsonrpc":"2.0","id":"\\ud800","method":"auth"}',
        '{"jsonrpc":"2.0","id":1,"method":"order.create_batch","params":[' + "1," * 50_000 + "1]}",
        '{"jsonrpc":"2.0","id":1,"method":"subscribe","params":{"channel":"' + "x" * 250_000 + '"}}',
        '{"jsonrpc":"2.0","id":1,"method":"subscribe","params":{"channel":"order_book.'
        + "@" * 100_000
        + '"}}',
    ],
)
async def test_monstrous_messages_are_answered(autojump_clock: MockClock, message: str) -> None:
    """Deep, long, or with numbers and texts that no JSON reader likes: a short error, and the socket lives on."""
    async with still() as room:
        socket = await listening(room, await logged_in(room), "account")
        await socket.socket.send_message(message)
        reply = await socket.receive()
        assert reply["error"]["code"] < 0
        assert len(json.dumps(reply)) < 1000
        assert (await socket.call("subscribe", {"channel": "positions"}))["result"] == {
            "channel": "positions"
        }


async def test_a_fault_of_a_method_is_an_internal_error(autojump_clock: MockClock) -> None:
    """It is logged with where it was raised, answered with -32603, and the exchange lives on for everybody."""

    def stumble(_session: Session, _call: Call) -> Done:
        raise ZeroDivisionError

    logged: list[str] = []
    sink = logger.add(logged.append, level="ERROR")
    async with still() as room:
        session = Session("n1", LOOPBACK, {"stumble": stumble}, room.exchange.stamps)
        handled = session.handle('{"jsonrpc":"2.0","id":7,"method":"stumble"}', 0)
        assert (handled.method, handled.code) == ("stumble", -32603)
        assert session.outbox.receive_nowait() is handled.reply
        answer = json.loads(encode(handled.reply))
        assert (answer["id"], answer["error"]) == (7, {"code": -32603, "message": "internal error"})
        assert session.ending is None
    logger.remove(sink)
    [entry] = logged
    assert "stumble failed" in entry
    assert "ZeroDivisionError" in entry
    assert "in handle" in entry


async def test_a_huge_id_comes_back(autojump_clock: MockClock) -> None:
    """Ids are echoed exactly, far beyond 2^53."""
    async with still() as room:
        socket = await room.websocket()
        for identifier in (2**53 + 1, 2**64 + 1, -(10**300), "", "é\u0000"):
            assert (await socket.call("dance", {}, identifier))["id"] == identifier
