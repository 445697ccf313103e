"""Summaries, funding and options by asset, in virtual time: bare names, and lists of markets changed in place."""

# ruff: noqa: ARG001 - pytest-trio takes its clock from the arguments of a test

from collections.abc import AsyncIterator
from decimal import Decimal
from typing import Any

import pytest
from exchange_stage import Stage, Trader
from stream_stage import BTC, ETH, SOL, listening, logged_in, still, trade, updates
from trio.testing import MockClock

from bot.exchange.market.events import FundingTicked, PriceMoved


@pytest.fixture
async def room(autojump_clock: MockClock) -> AsyncIterator[Stage]:
    async with still() as it:
        yield it


@pytest.fixture
async def trader(room: Stage) -> Trader:
    return await logged_in(room)


async def test_scoped_summaries_follow_their_markets(autojump_clock: MockClock, room: Stage) -> None:
    """A list of markets, perhaps empty, is changed in place; what was added and removed is told back."""
    emit = room.exchange.bus.emit
    socket = await room.websocket(message_queue_size=100)
    reply = await socket.call("subscribe", {"channel": "markets_summary", "markets": []})
    assert reply["result"] == {"channel": "markets_summary"}
    change = {"channel": "markets_summary", "add": [BTC, ETH, BTC]}
    reply = await socket.call("modify_subscription", change)
    assert reply["result"] == {"channel": "markets_summary", "add": [BTC, ETH], "remove": []}
    for market in (BTC, ETH, SOL):
        emit(PriceMoved(market))
    assert [(name, data["symbol"]) for name, data in await updates(socket)] == [
        ("markets_summary", BTC),
        ("markets_summary", ETH),
    ]
    change = {"channel": "markets_summary", "add": [ETH, SOL], "remove": [BTC]}
    reply = await socket.call("modify_subscription", change)
    assert reply["result"] == {"channel": "markets_summary", "add": [SOL], "remove": [BTC]}
    for market in (BTC, ETH, SOL):
        emit(PriceMoved(market))
    assert [data["symbol"] for _, data in await updates(socket)] == [ETH, SOL]
    assert "result" in await socket.call("unsubscribe", {"channel": "markets_summary"})
    emit(PriceMoved(ETH))
    assert await updates(socket) == []
    assert not room.exchange.feeds._index._names


@pytest.mark.parametrize(
    ("method", "params", "code"),
    [
        ("subscribe", {"channel": "markets_summary", "markets": "BTC-USD-PERP"}, -32602),
        ("subscribe", {"channel": "markets_summary", "markets": [7]}, -32602),
        ("subscribe", {"channel": "markets_summary", "markets": ["DOGE"]}, -32600),
        ("subscribe", {"channel": "markets_summary", "markets": ["ALL"]}, -32600),
        ("subscribe", {"channel": "markets_summary.ALL", "markets": []}, -32602),
        ("subscribe", {"channel": "trades", "base_asset": "DOGE"}, -32600),
        ("subscribe", {"channel": "orders.ALL", "base_asset": "BTC"}, -32602),
        ("modify_subscription", {"channel": "markets_summary"}, -32600),
        ("modify_subscription", {"channel": "funding_data", "add": [ETH]}, -32600),
        ("modify_subscription", {"channel": "trades.ALL", "add": []}, -32600),
        ("modify_subscription", {"add": []}, -32602),
    ],
)
async def test_what_cannot_be_scoped_is_refused(
    autojump_clock: MockClock, room: Stage, method: str, params: dict[str, Any], code: int
) -> None:
    """Lists of markets belong to ``markets_summary`` alone, base assets to ``bbo`` and ``trades``."""
    socket = await listening(room, None, "funding_data")
    assert (await socket.call(method, params))["error"]["code"] == code


async def test_a_modification_that_is_refused_changes_nothing(autojump_clock: MockClock, room: Stage) -> None:
    """An unknown market, or one both added and removed, leaves the subscription as it was."""
    socket = await room.websocket(message_queue_size=100)
    await socket.call("subscribe", {"channel": "markets_summary", "markets": [BTC]})
    for change in ({"add": [ETH, "DOGE"]}, {"add": [ETH], "remove": [ETH]}, {"add": 7}, {"remove": [None]}):
        assert "error" in await socket.call("modify_subscription", {"channel": "markets_summary", **change})
    for market in (BTC, ETH):
        room.exchange.bus.emit(PriceMoved(market))
    assert [data["symbol"] for _, data in await updates(socket)] == [BTC]


async def test_bare_names_speak_for_all_markets(autojump_clock: MockClock, room: Stage) -> None:
    """Summaries and funding come under the bare name as they come under ``.ALL`` (section 10, items 2 and 15)."""
    names = [f"{family}{suffix}" for family in ("markets_summary", "funding_data") for suffix in ("", ".ALL")]
    socket = await listening(room, None, *names, f"funding_data.{ETH}", f"markets_summary.{ETH}")
    for market in (BTC, ETH):
        room.exchange.bus.emit(PriceMoved(market))
        room.exchange.bus.emit(FundingTicked(market))
    said = await updates(socket)
    for name in names:
        key = "symbol" if name.startswith("markets_summary") else "market"
        assert [data[key] for channel, data in said if channel == name] == [BTC, ETH]
    assert len(said) == 10


async def test_funding_is_compared_by_the_hour(autojump_clock: MockClock, room: Stage) -> None:
    """One source there is, with what its rate comes to in an hour."""
    socket = await listening(room, None, "funding_rate_comparison.ALL@1000ms", "funding_data")
    room.exchange.bus.emit(FundingTicked(ETH))
    said = dict(await updates(socket))
    compared, funding = said["funding_rate_comparison.ALL@1000ms"], said["funding_data"]
    hourly = Decimal(funding["funding_rate"]) / funding["funding_period_hours"]
    assert abs(Decimal(compared.pop("hourly_funding_rate")) - hourly) < Decimal("1e-12")
    assert compared == {
        "symbol": ETH,
        "asset_kind": "PERP",
        "source": "PARADEX",
        "last_updated_at": funding["created_at"],
    }


async def test_options_of_an_asset_are_none(autojump_clock: MockClock, room: Stage, trader: Trader) -> None:
    """``bbo`` and ``trades`` by base asset are about options: the subscription counts, and stays silent."""
    socket = await room.websocket(message_queue_size=100)
    reply = await socket.call("subscribe", {"channel": "trades", "base_asset": "BTC"})
    assert reply["result"] == {"channel": "trades"}
    await trade(room, trader, await logged_in(room, 77))
    assert await updates(socket) == []
    assert "result" in await socket.call("unsubscribe", {"channel": "trades"})
