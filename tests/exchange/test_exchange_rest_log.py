"""The log of requests: a line for each, with what happened and without anybody's secrets."""

# ruff: noqa: ARG001 - pytest-trio takes its clock from the arguments of a test

import json
from typing import Any

import pytest
from exchange_stage import EPOCH, Trader, stage
from trio.testing import MockClock

from bot.exchange.requestlog import RequestLog


async def test_every_request_has_its_line(autojump_clock: MockClock) -> None:
    """Time, port, method, path, query, status, refusal, account and duration; calls of sockets, too."""
    lines: list[bytes] = []
    async with stage(processing_ms=40) as room:
        room.exchange.request_log = RequestLog(room.exchange.clock, lines.append)
        client, trader = room.http(), Trader()
        await client.request("GET", "/v1/bbo/BTC-USD-PERP?x=1")
        await trader.log_in(client)
        await trader.place(client)
        await trader.ask(client, "GET", "/v1/orders/by_client_id/a%2Fb")
        await client.request("GET", "/v1/nowhere")
        socket = await room.websocket()
        await socket.call("auth", {"bearer": trader.token})
        await socket.call("subscribe", {"channel": "nonsense"})
    assert all(line.endswith(b"\n") and line.count(b"\n") == 1 for line in lines)
    told: list[Any] = [json.loads(line) for line in lines]
    account = hex(trader.address)
    key = f"{trader.public_key:#x}"
    assert [{name: line[name] for name in line if name not in {"time", "ms"}} for line in told] == [
        {"port": "rest", "method": "GET", "path": "/v1/bbo/BTC-USD-PERP", "query": {"x": "1"}, "status": 200},
        {"port": "rest", "method": "POST", "path": "/v1/onboarding", "status": 200},
        {"port": "rest", "method": "POST", "path": f"/v1/auth/{key}", "status": 200},
        {"port": "rest", "method": "POST", "path": "/v1/orders", "status": 201, "account": account},
        {
            "port": "rest",
            "method": "GET",
            "path": "/v1/orders/by_client_id/a/b",
            "status": 404,
            "error": "CLIENT_ORDER_ID_NOT_FOUND",
            "account": account,
        },
        {"port": "rest", "method": "GET", "path": "/v1/nowhere", "status": 404, "error": "NOT_FOUND"},
        {"port": "ws", "method": "auth", "code": None, "account": account},
        {"port": "ws", "method": "subscribe", "code": -32600, "account": account},
    ]
    assert [line["ms"] for line in told] == [pytest.approx(40)] * 8
    assert told[0]["time"] == EPOCH * 1000 + 40
    assert trader.token.encode() not in b"".join(lines)


async def test_without_a_writer_nothing_is_logged(autojump_clock: MockClock) -> None:
    """The log is off until somebody wants it."""
    async with stage() as room:
        await room.http().request("GET", "/v1/system/time")
        assert room.exchange.request_log.start() == 0
