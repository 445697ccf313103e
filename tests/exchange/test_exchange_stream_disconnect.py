"""Cancel-on-disconnect, in virtual time: which orders end with their socket, when, and which stay."""

# ruff: noqa: ARG001 - pytest-trio takes its clock from the arguments of a test

from collections.abc import AsyncIterator
from typing import Any

import pytest
import trio
import trio.testing
from exchange_stage import SocketClient, Stage, Trader
from stream_stage import create, heard, listening, logged_in, order, still
from trio.testing import MockClock

from bot.exchange.faults.disconnects import Disconnect


@pytest.fixture
async def room(autojump_clock: MockClock) -> AsyncIterator[Stage]:
    async with still() as it:
        yield it


@pytest.fixture
async def trader(room: Stage) -> Trader:
    return await logged_in(room)


async def close(socket: SocketClient, *, in_form: bool) -> None:
    """End a socket with a close frame, or just the connection."""
    if in_form:
        await socket.socket.aclose(1000)
    else:
        await socket.socket._stream.aclose()
    await trio.testing.wait_all_tasks_blocked()


@pytest.mark.parametrize(
    ("settings", "in_form", "cancelled"),
    [
        ({}, True, {"armed"}),
        ({}, False, {"armed"}),
        ({"disconnect_on": "loss"}, True, set()),
        ({"disconnect_on": "loss"}, False, {"armed"}),
        ({"disconnect_scope": "account"}, False, {"before", "armed", "rest", "other socket"}),
        ({"disconnect_scope": "account", "disconnect_on": "loss"}, True, set()),
    ],
)
async def test_orders_end_with_their_socket(
    autojump_clock: MockClock,
    settings: dict[str, Any],
    *,
    in_form: bool,
    cancelled: set[str],
) -> None:
    """By default those placed on it while armed, however it closes; not those before, by REST, or elsewhere."""
    async with still(**settings) as room:
        trader = await logged_in(room)
        socket, other = await listening(room, trader, "account"), await listening(room, trader, "account")
        await create(socket, client_id="before")
        assert (await socket.call("order.cancel_on_disconnect", {"enabled": True}))["result"] == {
            "enabled": True
        }
        await heard(socket)
        await socket.call("order.create_batch", [order(client_id="armed")])
        assert (await trader.place(room.http(), client_id="rest")).status == 201
        await other.call("order.create", order(client_id="other socket"))
        await close(socket, in_form=in_form)
        gone = {o.client_id: o.cancel_reason for o in room.exchange.orders.values() if not o.is_live}
        assert gone == dict.fromkeys(cancelled, "USER_CANCELED")


@pytest.mark.parametrize("code", [1012, None])
async def test_a_socket_that_the_exchange_drops_was_lost(autojump_clock: MockClock, code: int | None) -> None:
    """With ``loss`` the exchange's own close counts as one, with a close frame or without."""
    async with still(disconnect_on="loss") as room:
        socket = await listening(room, await logged_in(room), "transfers")
        await socket.call("order.cancel_on_disconnect", {"enabled": True})
        made = await create(socket)
        room.exchange.drop_websockets(code)
        await trio.sleep(0.001)
        assert not room.exchange.orders[made["id"]].is_live


@pytest.mark.parametrize("scope", ["socket", "account"])
async def test_it_is_off_until_asked_for_and_can_be_switched_off(
    autojump_clock: MockClock, scope: str
) -> None:
    """A socket that never armed, or disarmed, leaves its orders; armed again it takes those of before along."""
    async with still(disconnect_scope=scope) as room:
        trader = await logged_in(room)
        for calls, survives in [([], True), ([True, False], True), ([True, False, True], False)]:
            socket = await listening(room, trader, "transfers")
            made = [] if calls else [await create(socket)]
            for enabled in calls:
                await socket.call("order.cancel_on_disconnect", {"enabled": enabled})
                made = made or [await create(socket)]
            await close(socket, in_form=True)
            assert room.exchange.orders[made[0]["id"]].is_live == survives


async def test_what_is_placed_while_it_is_off_stays(
    autojump_clock: MockClock, room: Stage, trader: Trader
) -> None:
    """Between two times that it is on, orders are as if placed before."""
    socket = await listening(room, trader, "transfers")
    made = []
    for enabled in (True, False, True):
        await socket.call("order.cancel_on_disconnect", {"enabled": enabled})
        made.append(await create(socket))
    await close(socket, in_form=True)
    assert [room.exchange.orders[each["id"]].is_live for each in made] == [False, True, False]


async def test_it_may_take_its_time(autojump_clock: MockClock) -> None:
    """With a delay, orders live that long after the disconnect, and what is placed meanwhile elsewhere stays."""
    async with still(disconnect_delay_ms=2000, disconnect_scope="account") as room:
        trader = await logged_in(room)
        socket = await listening(room, trader, "transfers")
        await socket.call("order.cancel_on_disconnect", {"enabled": True})
        first = await create(socket)
        await close(socket, in_form=True)
        ended = trio.current_time()
        second = await create(await listening(room, trader, "transfers"))
        await trio.sleep_until(ended + 1.99)
        assert room.exchange.orders[first["id"]].is_live
        await trio.sleep_until(ended + 2.01)
        assert not room.exchange.orders[first["id"]].is_live
        assert room.exchange.orders[second["id"]].is_live


async def test_closed_orders_are_not_remembered(
    autojump_clock: MockClock, room: Stage, trader: Trader
) -> None:
    """What an armed socket placed is watched while it lives, so that a long day costs no memory."""
    socket = await listening(room, trader, "transfers")
    await socket.call("order.cancel_on_disconnect", {"enabled": True})
    for _ in range(5):
        made = await create(socket)
        await socket.call("order.cancel", {"id": made["id"]})
    kept = await create(socket)
    watched = room.exchange.disconnects
    assert set(watched._placed_by) == {kept["id"]}
    await socket.call("order.cancel_on_disconnect", {"enabled": False})
    await close(socket, in_form=True)
    assert room.exchange.orders[kept["id"]].is_live
    assert not watched._placed_by
    assert not watched._watches


@pytest.mark.parametrize(
    ("fault", "at_once", "later"),
    [
        (Disconnect(how="late", seconds=20), "", "abcde"),
        (Disconnect(how="late"), "", "abcde"),
        (Disconnect(how="narrow"), "de", "de"),
        (Disconnect(how="narrow", half="oldest"), "ab", "ab"),
        (Disconnect(how="absent"), "", ""),
        (Disconnect(how="absent", client_id="c"), "", ""),
        (Disconnect(how="absent", client_id="rest"), "abcde", "abcde"),
        (Disconnect(how="absent", market="ETH-USD-PERP"), "abcde", "abcde"),
        (Disconnect(how="absent", skip=1), "abcde", "abcde"),
    ],
)
async def test_it_goes_wrong_on_purpose(
    autojump_clock: MockClock, room: Stage, trader: Trader, fault: Disconnect, at_once: str, later: str
) -> None:
    """Late, narrow or absent, where the socket leaves an order that the rule is about; else it is as ever."""
    room.exchange.faults.add(fault)
    assert (await trader.place(room.http(), client_id="rest")).status == 201
    await place_and_leave(room, trader, "abcde")
    struck = at_once != "abcde"
    assert (gone(room), room.exchange.faults.struck["disconnect"]) == (at_once, struck)
    await trio.sleep(fault.seconds - 0.1)
    assert gone(room) == at_once
    await trio.sleep(0.2)
    assert gone(room) == later


async def test_it_goes_wrong_once(autojump_clock: MockClock, room: Stage, trader: Trader) -> None:
    """A rule that is spent leaves the next socket alone."""
    room.exchange.faults.add(Disconnect(how="absent"))
    await place_and_leave(room, trader, "ab")
    await place_and_leave(room, trader, "cd")
    assert gone(room) == "cd"


async def place_and_leave(room: Stage, trader: Trader, client_ids: str) -> None:
    """Place orders of these one-letter client ids on an armed socket, and lose it."""
    socket = await listening(room, trader, "transfers")
    await socket.call("order.cancel_on_disconnect", {"enabled": True})
    for client_id in client_ids:
        await create(socket, client_id=client_id)
    await close(socket, in_form=False)


def gone(room: Stage) -> str:
    """The client ids of all orders that are closed."""
    return "".join(each.client_id for each in room.exchange.orders.values() if not each.is_live)


async def test_nothing_goes_wrong_where_nothing_is_left(
    autojump_clock: MockClock, room: Stage, trader: Trader
) -> None:
    """A socket that is not armed, that left no order, or closed it in time is not struck."""
    room.exchange.faults.add(Disconnect(how="absent", times=None))
    for enabled in (False, True):
        socket = await listening(room, trader, "transfers")
        await socket.call("order.cancel_on_disconnect", {"enabled": enabled})
        if not enabled:
            await create(socket)
        await close(socket, in_form=True)
    assert not room.exchange.faults.struck
