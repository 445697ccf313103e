"""Every channel and every method against the venue's specifications, in one long story of two traders."""

# ruff: noqa: ARG001 - pytest-trio takes its clock from the arguments of a test

from typing import Any

import jsonschema
import pytest
from exchange_stage import SocketClient, Stage, Trader
from stream_check import channel_schemas, check_error, check_result, check_update, result_schemas
from stream_stage import BTC, ETH, Frame, heard, listening, logged_in, order, still
from trio.testing import MockClock

from bot.core.fixed import parse
from bot.exchange.market.events import FundingTicked, PriceMoved
from bot.exchange.stream.channels import BOOK, BY_MARKET, MARKET_OR_NOT, PRIVATE, PRIVATE_BY_MARKET

PUBLIC_CHANNELS = [
    "bbo.ALL",
    "trades.ALL",
    "markets_summary",
    "funding_data",
    "markets",
    f"order_book.{BTC}.snapshot@15@50ms",
    f"order_book.{BTC}.interactive@15@100ms@1",
    f"order_book.{BTC}.deltas",
    f"order_book.{BTC}.interactive_deltas",
]

SILENT = {
    "markets": "no listing ever changes",
    "transaction": "there is no chain",
    "rfq": "requests for quotes are not served",
    "block_trades": "block trades are not served; in no specification",
    "mmp": "market-maker protection is not served; in no specification",
}
"""Families that can be subscribed to and never speak, and why."""

METHODS = {
    "auth",
    "subscribe",
    "unsubscribe",
    "modify_subscription",
    "order.create",
    "order.create_batch",
    "order.modify",
    "order.cancel",
    "order.cancel_batch",
    "order.cancel_all",
    "order.cancel_on_disconnect",
}


class Ear:
    """A trader's socket; everything that it is told is checked, and noted by family of channel and by method."""

    def __init__(self, socket: SocketClient) -> None:
        self.socket = socket
        self.families: set[str] = set()
        self.methods: set[str] = set()
        self.books: set[str] = set()

    async def call(self, method: str, params: object) -> Any:
        """The result, or None when it was refused."""
        await self.socket.send(method, params, method)
        [reply] = [frame for frame in await self.listen() if frame.get("id") == method]
        if "error" in reply:
            check_error(reply["error"])
            return None
        check_result(method, reply["result"])
        self.methods.add(method)
        return reply["result"]

    async def listen(self) -> list[Frame]:
        frames = await heard(self.socket)
        for frame in frames:
            if frame.get("method") == "subscription":
                channel, data = frame["params"]["channel"], frame["params"]["data"]
                check_update(channel, data)
                self.families.add(channel.partition(".")[0])
                if channel.startswith("order_book"):
                    self.books.add(data["update_type"])
        return frames


async def test_everything_told_is_as_specified(autojump_clock: MockClock) -> None:
    """Orders of all kinds in all states, matches, funding, busts: each payload validates, no channel is unheard."""
    async with still(snapshots="sent", new_orders="published") as room:
        trader, other = await logged_in(room), await logged_in(room, 77)
        ear = Ear(await room.websocket(message_queue_size=10_000))
        await ear.call("auth", {"bearer": trader.token})
        private = [f"{family}.ALL" for family in PRIVATE_BY_MARKET] + sorted(PRIVATE)
        for channel in [*private, *(name for name in PUBLIC_CHANNELS if name != "markets_summary")]:
            assert await ear.call("subscribe", {"channel": channel}) == {"channel": channel}
        await ear.call("subscribe", {"channel": "markets_summary", "markets": [ETH]})
        await ear.call("modify_subscription", {"channel": "markets_summary", "add": [BTC], "remove": [ETH]})
        await ear.call("unsubscribe", {"channel": "markets"})
        await all_methods(ear)
        await all_events(room, ear, trader, other)
        specified = {family for family in channel_schemas() if family not in SILENT}
        assert ear.families == specified
        assert ear.books == {"s", "d"}
        assert ear.methods == METHODS == set(result_schemas())


async def all_methods(ear: Ear) -> None:
    """Each order method, refused and served; orders of every type."""
    await ear.call("order.cancel_on_disconnect", {"enabled": True})
    made = await ear.call("order.create", order(client_id="mine"))
    assert await ear.call("order.create", order(client_id="mine")) is None
    extra = {"price": "84000.5", "size": "0.002"}
    await ear.call("order.modify", order(id=made["order"]["id"], **extra))
    await ear.call("order.modify", order(id=made["order"]["id"], **extra))
    batch = [order(client_id="mine"), order(type="MARKET", price="0", instruction="IOC")]
    batch.append(order(type="STOP_LIMIT", trigger_price="90000", instruction="GTC"))
    batch.append(order(type="STOP_MARKET", trigger_price="80000", price="0", instruction="GTC", side="SELL"))
    await ear.call("order.create_batch", {"orders": batch})
    await ear.call("order.create_batch", batch[:1])
    await ear.call("order.cancel", {"id": made["order"]["id"]})
    await ear.call("order.cancel_batch", {"order_ids": [made["order"]["id"], "1"]})
    await ear.call("order.create", order(client_id="other"))
    await ear.call("order.cancel", {"client_id": "other", "market": BTC})
    await ear.call("order.cancel_all", {})


async def all_events(room: Stage, ear: Ear, trader: Trader, other: Trader) -> None:
    """Matches as maker and taker, out of a position and into the other side; funding, marks, a bust."""
    client, clearing = room.http(), room.exchange.clearing
    for side, price, size in [("BUY", "84999.9", "0.003"), ("SELL", "84999.9", "0.005")]:
        opposite = "SELL" if side == "BUY" else "BUY"
        for who, what, instruction in [(trader, side, "POST_ONLY"), (other, opposite, "IOC")]:
            placed = await who.place(client, side=what, price=price, size=size, instruction=instruction)
            assert placed.status == 201
            await ear.listen()
        clearing.accrue(BTC, parse("12.5"))
    for market in (BTC, ETH):
        room.exchange.bus.emit(PriceMoved(market))
        room.exchange.bus.emit(FundingTicked(market))
    clearing.deposit(trader.address, parse("7"))
    room.exchange.engine.bust(room.exchange.fills(trader.address)[-1].id)
    await ear.listen()


async def test_an_empty_account_is_as_specified(autojump_clock: MockClock) -> None:
    """What a new subscriber is told before it ever traded validates too."""
    async with still(snapshots="sent") as room:
        trader = await logged_in(room)
        ear = Ear(await listening(room, trader))
        for channel in (
            "account",
            "positions",
            "orders.ALL",
            "bbo.ALL",
            "markets_summary.ALL",
            "funding_data.ALL",
        ):
            await ear.call("subscribe", {"channel": channel})
        assert ear.families == {"account", "bbo", "markets_summary", "funding_data"}


def test_every_specified_channel_is_known() -> None:
    """What asyncapi specifies can be subscribed to, and speaks or is listed as silent with a reason."""
    served = PRIVATE | PRIVATE_BY_MARKET | BY_MARKET | MARKET_OR_NOT | {BOOK}
    assert set(channel_schemas()) <= served
    assert set(SILENT) <= served


@pytest.mark.parametrize("wrong", [{}, {"market": 1}, None])
def test_the_check_itself_refuses(wrong: Any) -> None:
    """A check that lets anything through would prove nothing."""
    refusals = (jsonschema.ValidationError, AssertionError)
    with pytest.raises(refusals):
        check_update("bbo.ALL", wrong)
    with pytest.raises(refusals):
        check_result("order.create", wrong)
