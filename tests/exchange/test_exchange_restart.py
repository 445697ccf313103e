"""A restart of the exchange: every connection ends, and orders may be forgotten as if they had never been."""

# ruff: noqa: ARG001 - pytest-trio takes its clock from the arguments of a test

from collections.abc import AsyncIterator
from typing import Any

import pytest
import trio
import trio.testing
from calls_stage import call_all, creates
from exchange_stage import HttpClient, Stage, Trader
from stream_stage import BTC, create, listening, logged_in, order, still, trade
from trio.testing import MockClock

from bot.exchange.control import Control
from bot.exchange.event import Event
from bot.exchange.matching.events import BookChanged
from bot.exchange.transport.http import HttpConnection


@pytest.fixture
async def room(autojump_clock: MockClock) -> AsyncIterator[Stage]:
    async with still() as it:
        it.exchange.witness.watch()
        yield it


@pytest.fixture
async def trader(room: Stage) -> Trader:
    return await logged_in(room)


async def test_every_connection_ends(autojump_clock: MockClock, room: Stage, trader: Trader) -> None:
    """Sockets without a close frame, and connections over REST; new ones are taken, and tokens hold."""
    socket, client = await listening(room, trader, "orders.ALL"), room.http()
    await trader.ask(client, "GET", "/v1/orders")
    assert room.exchange.restart() == []
    told = await call_all(socket, [], wait=1)
    assert (told.ended_at, told.code) == (0.0, 1006)
    with pytest.raises((EOFError, trio.BrokenResourceError)):
        await trader.ask(client, "GET", "/v1/orders")
    assert (await trader.ask(room.http(), "GET", "/v1/orders")).status == 200
    assert (await call_all(await listening(room, trader), creates("a"), wait=1)).replies() == [(0.0, 1, "ok")]
    assert room.exchange.faults.struck == {"restart": 1}


async def test_the_newest_resting_orders_are_forgotten(
    autojump_clock: MockClock, room: Stage, trader: Trader
) -> None:
    """They are in no list and in no book, nobody is told, their client ids are free; the witness knows them."""
    client = room.http()
    taker = await logged_in(room, 0xFEDCBA)
    await trade(room, trader, taker, client_id="filled")
    for client_id in ("old", "closed", "a", "b"):
        await trader.place(client, client_id=client_id, price="80000")
    closed = room.exchange.ledger.find_client_id(trader.address, "closed")
    assert closed is not None
    await trader.ask(client, "DELETE", f"/v1/orders/{closed.id}")
    waiting = {"type": "STOP_LIMIT", "trigger_price": "99000", "instruction": "GTC", "price": "80000"}
    await trader.place(client, client_id="waiting", **waiting)
    await trio.testing.wait_all_tasks_blocked()
    told: list[Event] = []
    room.exchange.bus.listen(told.append)
    before = {each.client_id: each for each in room.exchange.orders.values()}
    assert before["waiting"].status == "UNTRIGGERED"

    lost = room.exchange.restart(3)
    assert [each.client_id for each in lost] == ["waiting", "b", "a"]
    changes = [change for event in told if isinstance(event, BookChanged) for change in event.changes]
    assert [(change.price, change.size) for change in changes] == [
        (80_000 * 10**8, 200_000),
        (80_000 * 10**8, 100_000),
    ]
    client = room.http()
    assert [each.client_id for each in room.exchange.resting(trader.address)] == ["filled", "old"]
    [level] = [
        level for level in room.exchange.engine.books[BTC].levels("BUY") if level.price == 80_000 * 10**8
    ]
    assert level.size == before["old"].size
    for path in ("/v1/orders", "/v1/orders-history"):
        rows = (await trader.ask(client, "GET", path)).json()["results"]
        assert not {row["client_id"] for row in rows} & {"a", "b", "waiting"}
    for each in lost:
        for path in (f"/v1/orders/{each.id}", f"/v1/orders/by_client_id/{each.client_id}"):
            assert (await trader.ask(client, "GET", path)).status == 404
            assert (await trader.ask(client, "DELETE", path)).status == 404

    seen = room.exchange.witness.orders(trader.address)
    assert {client_id for client_id, each in seen.items() if each.forgotten} == {"a", "b", "waiting"}
    a = seen["a"]
    assert a.accepted == ()
    assert [each.status for each in a.forgotten] == ["OPEN"]
    assert [state.status for _, state in a.states] == ["NEW", "OPEN"]
    assert len(a.sends) == 1

    assert (await trader.place(client, client_id="a", price="80000")).status == 201
    await trio.testing.wait_all_tasks_blocked()
    again = room.exchange.witness.orders(trader.address)["a"]
    assert ([each.status for each in again.accepted], len(again.forgotten)) == (["OPEN"], 1)
    assert again.states[-1][1].id == again.accepted[0].id
    assert room.exchange.engine._triggers.take(BTC, 99_500 * 10**8) == []
    assert room.exchange.faults.struck == {"restart": 1, "forget": 3}
    assert [each.client_id for each in room.exchange.restart(9)] == ["a", "old"]


async def test_nobody_is_told(autojump_clock: MockClock, room: Stage, trader: Trader) -> None:
    """Neither of the loss, nor of what still was on its way for the order."""
    socket = await listening(room, trader, "account")
    made = await create(socket)
    interactive = Trader(0x777)
    await interactive.log_in(room.http(), "?token_usage=interactive")
    bumped = (await interactive.place(room.http(), client_id="i")).json()["id"]
    await trio.sleep(1)
    told: list[str] = []
    room.exchange.bus.listen(lambda event: told.append(type(event).__name__))
    change = {**order(), "id": bumped, "price": "84500"}
    assert (await interactive.ask(room.http(), "PUT", f"/v1/orders/{bumped}", change)).status == 200
    assert (await interactive.ask(room.http(), "DELETE", f"/v1/orders/{bumped}")).status == 204
    lost = room.exchange.restart(2)
    assert {each.id for each in lost} == {made["id"], bumped}
    await trio.sleep(1)
    assert set(told) == {"BookChanged"}
    assert room.exchange.engine.faults == 0


async def test_a_restart_remembers_no_armed_socket(
    autojump_clock: MockClock, room: Stage, trader: Trader
) -> None:
    """Restarts are outside of cancel-on-disconnect (5.3): what was not forgotten rests on."""
    socket = await listening(room, trader, "account")
    await socket.call("order.cancel_on_disconnect", {"enabled": True})
    made = await create(socket)
    room.exchange.restart()
    await trio.sleep(1)
    assert room.exchange.orders[made["id"]].is_live
    assert not room.exchange.disconnects._watches


async def test_levers_count_themselves(autojump_clock: MockClock, room: Stage, trader: Trader) -> None:
    """By the control port, which outlives a restart; what changed nothing is not counted."""
    near, far = trio.testing.memory_stream_pair()
    room.nursery.start_soon(HttpConnection(far, room.exchange.clock).serve, Control(room.exchange).handle)
    control = HttpClient(near)

    async def pull(lever: str, body: Any) -> Any:
        reply = await control.request("POST", lever, body)
        return reply.status, reply.json()

    socket = await listening(room, trader, "orders.ALL")
    made = await create(socket)
    assert await pull("/drop-websockets", {"code": 1012}) == (200, {"dropped": 1})
    await trio.sleep(1)
    assert await pull("/drop-websockets", {"code": 1013}) == (200, {"dropped": 0})
    await pull("/mode", {"status": "ok"})
    await pull("/mode", {"status": "post_only"})
    await pull("/expire-tokens", {})
    await pull("/refuse-auth", {"times": 3, "status": 503})
    await room.http().request("POST", "/v1/auth", headers=trader.auth_headers())
    assert await pull("/restart", {"forget": 5}) == (200, {"forgotten": [made["id"]]})
    assert (await pull("/restart", {"forget": -1}))[0] == 400
    assert (await control.request("GET", "/faults")).json()["struck"] == {
        "close 1012": 1,
        "mode post_only": 1,
        "expire-tokens": 1,
        "refuse-auth 503": 1,
        "restart": 1,
        "forget": 1,
    }
