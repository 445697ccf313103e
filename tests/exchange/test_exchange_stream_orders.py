"""Order entry over WebSocket, in virtual time: the seven methods and their refusals."""

# ruff: noqa: ARG001 - pytest-trio takes its clock from the arguments of a test

from collections.abc import AsyncIterator
from typing import Any

import pytest
import trio
import trio.testing
from exchange_stage import EPOCH, SocketClient, Stage, Trader
from stream_stage import BTC, ETH, create, heard, listening, logged_in, order, still, updates
from trio.testing import MockClock

from bot.exchange.identity.allowlist import ANYWHERE
from bot.exchange.identity.quota import ORDER_WRITES

METHODS = {
    "order.create": {},
    "order.create_batch": [],
    "order.modify": {},
    "order.cancel": {"id": "1"},
    "order.cancel_batch": {"order_ids": []},
    "order.cancel_all": {},
    "order.cancel_on_disconnect": {"enabled": True},
}


@pytest.fixture
async def room(autojump_clock: MockClock) -> AsyncIterator[Stage]:
    async with still() as it:
        yield it


@pytest.fixture
async def trader(room: Stage) -> Trader:
    return await logged_in(room)


@pytest.fixture
async def socket(room: Stage, trader: Trader) -> SocketClient:
    """Speaks for the trader, and holds a subscription that is silent."""
    return await listening(room, trader, "transfers")


async def test_an_order_is_answered_as_new_with_its_times(
    autojump_clock: MockClock, room: Stage, trader: Trader
) -> None:
    """created_at is ms, received_at ns before any bump; the order opens by an event of its own, numbered later."""
    socket = await listening(room, trader, "orders.ALL")
    await trio.sleep_until(2.5)
    reply = await socket.call("order.create", order(client_id="mine"), 77)
    now = EPOCH * 1000 + 2500
    result = reply["result"]
    assert (reply["id"], set(result)) == (77, {"order", "created_at", "received_at"})
    assert (result["created_at"], result["received_at"]) == (now, now * 10**6)
    made = result["order"]
    assert (made["status"], made["client_id"], made["received_at"]) == ("NEW", "mine", now)
    [(channel, opened)] = await updates(socket)
    assert (channel, opened["id"], opened["status"]) == ("orders.ALL", made["id"], "OPEN")
    assert opened["seq_no"] > made["seq_no"]
    assert room.exchange.orders[made["id"]].account == trader.address


@pytest.mark.parametrize("method", METHODS)
async def test_order_methods_need_authentication(autojump_clock: MockClock, room: Stage, method: str) -> None:
    """Without auth every one of the seven is 40300, whatever its parameters."""
    socket = await listening(room, None, "markets")
    reply = await socket.call(method, METHODS[method])
    assert reply["error"]["code"] == 40300


@pytest.mark.parametrize(
    ("method", "params"),
    [
        ("order.create", None),
        ("order.create", []),
        ("order.create", "text"),
        ("order.create", {}),
        ("order.create", {"market": 7}),
        ("order.create_batch", None),
        ("order.create_batch", {}),
        ("order.create_batch", {"orders": {}}),
        ("order.create_batch", [{}]),
        ("order.create_batch", [None]),
        ("order.modify", {}),
        ("order.modify", []),
        ("order.cancel", None),
        ("order.cancel", []),
        ("order.cancel", {}),
        ("order.cancel", {"id": 7}),
        ("order.cancel", {"id": ""}),
        ("order.cancel", {"client_id": "c"}),
        ("order.cancel", {"market": BTC}),
        ("order.cancel_batch", None),
        ("order.cancel_batch", {}),
        ("order.cancel_batch", []),
        ("order.cancel_batch", {"order_ids": "1"}),
        ("order.cancel_batch", {"order_ids": [1]}),
        ("order.cancel_all", []),
        ("order.cancel_all", {"market": 7}),
        ("order.cancel_on_disconnect", {}),
        ("order.cancel_on_disconnect", {"enabled": 1}),
        ("order.cancel_on_disconnect", {"enabled": None}),
        ("order.cancel_on_disconnect", [True]),
    ],
)
async def test_malformed_parameters_are_refused(
    autojump_clock: MockClock, room: Stage, socket: SocketClient, method: str, params: object
) -> None:
    """What is missing or of a wrong type is -32602, and nothing happens."""
    reply = await socket.call(method, params)
    assert reply["error"]["code"] == -32602
    assert not room.exchange.orders


@pytest.mark.parametrize(
    ("method", "params", "code"),
    [
        ("order.create", {"market": "DOGE"}, "MARKET_NOT_FOUND"),
        ("order.create", {"size": "0"}, "INVALID_ORDER_SIZE"),
        ("order.create", {"signature": "nonsense"}, "INVALID_ORDER_SIGNATURE"),
        ("order.create", {"signature_timestamp": 1}, "INVALID_TIMESTAMP"),
        ("order.create", {"instruction": "RPI"}, "RPI_ACCOUNT_NOT_WHITELISTED"),
        ("order.create", {"client_id": "taken"}, "DUPLICATED_CLIENT_ID"),
        ("order.modify", {"id": "1"}, "ORDER_ID_NOT_FOUND"),
    ],
)
async def test_refusals_carry_the_code_that_rest_gives(
    autojump_clock: MockClock, socket: SocketClient, method: str, params: dict[str, Any], code: str
) -> None:
    """A refusal of the business is 100, its REST code is in ``data``, and its message is a sentence."""
    await create(socket, client_id="taken")
    error = (await socket.call(method, order(**params)))["error"]
    assert (error["code"], error["data"]) == (100, code)
    assert error["message"] != code


@pytest.mark.parametrize("method", ["order.create", "order.create_batch", "order.modify"])
@pytest.mark.parametrize(("setting", "code"), [("specified", -32602), ("all", 100)])
async def test_types_beyond_the_specification_are_taken_if_wished(
    autojump_clock: MockClock, setting: str, code: int, method: str
) -> None:
    """A take-profit order is refused as such, or judged like one of REST: this one has no size."""
    async with still(socket_types=setting) as room:
        socket = await listening(room, await logged_in(room), "transfers")
        beyond = order(type="TAKE_PROFIT_LIMIT", trigger_price="80000", id="1", size="0")
        reply = await socket.call(method, [beyond] if method == "order.create_batch" else beyond)
        assert reply["error"]["code"] == code
        assert not room.exchange.orders


@pytest.mark.parametrize("bare", [True, False])
async def test_a_batch_comes_in_two_forms_and_fails_by_item(
    autojump_clock: MockClock, room: Stage, socket: SocketClient, *, bare: bool
) -> None:
    """The specified object and the SDK's array do the same; results keep the order of the requests."""
    orders = [order(client_id="a"), order(client_id="a"), order(client_id="b", side="SELL", price="86000")]
    reply = await socket.call("order.create_batch", orders if bare else {"orders": orders})
    first, second, third = reply["result"]["results"]
    assert set(first) == set(third) == {"order", "created_at", "received_at"}
    assert [first["order"]["client_id"], third["order"]["client_id"]] == ["a", "b"]
    assert set(second) == {"error"}
    assert "DUPLICATED_CLIENT_ID" in second["error"]
    await trio.testing.wait_all_tasks_blocked()
    assert [o.status for o in room.exchange.orders.values()] == ["OPEN", "OPEN"]


async def test_a_batch_with_a_bad_request_is_refused_whole(
    autojump_clock: MockClock, room: Stage, socket: SocketClient
) -> None:
    """A signature that cannot be one, an empty batch, or one too many: nothing of it is accepted."""
    for orders, code in [
        ([order(), order(signature="x")], "INVALID_ORDER_SIGNATURE"),
        ([], "BATCH_SIZE_OUT_OF_RANGE"),
        ([order()] * 11, "BATCH_SIZE_OUT_OF_RANGE"),
    ]:
        error = (await socket.call("order.create_batch", orders))["error"]
        assert (error["code"], error["data"]) == (100, code)
    assert not room.exchange.orders


async def test_a_modification_keeps_the_id_and_ends_in_an_event(
    autojump_clock: MockClock, room: Stage, trader: Trader
) -> None:
    """The reply shows the order, the event its outcome; what the SDK sends beside is ignored."""
    socket = await listening(room, trader, "orders.ALL")
    made = await create(socket)
    await heard(socket)
    extra = {"client_id": "", "instruction": "GTC", "recv_window": None, "stp": None}
    reply = await socket.call("order.modify", order(id=made["id"], price="84000.1", **extra))
    assert set(reply["result"]) == {"order"}
    assert reply["result"]["order"]["id"] == made["id"]
    [(_, changed)] = await updates(socket)
    assert (changed["id"], changed["status"], changed["price"]) == (made["id"], "OPEN", "84000.1")
    assert changed["request_info"]["status"] == "SUCCESS"
    assert changed["request_info"]["request_type"] == "MODIFY_ORDER"


async def test_orders_are_cancelled_by_either_id(
    autojump_clock: MockClock, room: Stage, socket: SocketClient
) -> None:
    """By id, or by client id and market; a cancel is queued, and what is unknown or closed says so."""
    first, second = await create(socket), await create(socket, client_id="mine")
    for params, made in [({"id": first["id"]}, first), ({"client_id": "mine", "market": BTC}, second)]:
        reply = await socket.call("order.cancel", params)
        assert reply["result"] == {"order_id": made["id"], "status": "QUEUED_FOR_CANCELLATION"}
    await trio.testing.wait_all_tasks_blocked()
    assert {o.cancel_reason for o in room.exchange.orders.values()} == {"USER_CANCELED"}
    for params, code in [
        ({"id": first["id"]}, "ORDER_IS_CLOSED"),
        ({"id": "1"}, "ORDER_ID_NOT_FOUND"),
        ({"client_id": "mine", "market": ETH}, "CLIENT_ORDER_ID_NOT_FOUND"),
        ({"client_id": "other", "market": BTC}, "CLIENT_ORDER_ID_NOT_FOUND"),
    ]:
        error = (await socket.call("order.cancel", params))["error"]
        assert (error["code"], error["data"]) == (100, code)


async def test_a_batch_of_cancels_never_fails_as_a_whole(
    autojump_clock: MockClock, room: Stage, socket: SocketClient
) -> None:
    """Each id has its status, in the order of the request; only what is found names its market."""
    closed, live = await create(socket), await create(socket)
    await socket.call("order.cancel", {"id": closed["id"]})
    await trio.testing.wait_all_tasks_blocked()
    ids = ["1", live["id"], closed["id"]]
    reply = await socket.call("order.cancel_batch", {"order_ids": ids})
    assert reply["result"]["results"] == [
        {"id": "1", "status": "NOT_FOUND"},
        {"id": live["id"], "market": BTC, "status": "QUEUED_FOR_CANCELLATION"},
        {"id": closed["id"], "market": BTC, "status": "ALREADY_CLOSED"},
    ]
    await trio.testing.wait_all_tasks_blocked()
    assert not room.exchange.orders[live["id"]].is_live


async def test_all_orders_are_cancelled_at_once(
    autojump_clock: MockClock, room: Stage, trader: Trader, socket: SocketClient
) -> None:
    """Of one market, then of all, parameters or none; an unknown market is refused."""
    for market, price in [(BTC, "84000"), (ETH, "2790"), (ETH, "2780")]:
        await create(socket, market=market, price=price, size="0.01")
    assert (await socket.call("order.cancel_all", {"market": "DOGE"}))["error"]["data"] == "MARKET_NOT_FOUND"
    assert (await socket.call("order.cancel_all", {"market": ETH}))["result"] == {"status": "ok"}
    await trio.testing.wait_all_tasks_blocked()
    assert [o.market for o in room.exchange.resting(trader.address)] == [BTC]
    assert (await socket.call("order.cancel_all", None))["result"] == {"status": "ok"}
    await trio.testing.wait_all_tasks_blocked()
    assert not room.exchange.resting(trader.address)


@pytest.mark.parametrize("method", METHODS)
async def test_order_methods_share_the_limits_of_rest(
    autojump_clock: MockClock, room: Stage, trader: Trader, socket: SocketClient, method: str
) -> None:
    """Beyond an account's order writes of a second, each of the seven is 42901; a second later it is not."""
    for number in range(ORDER_WRITES[0].limit):
        room.exchange.quotas.take_order_write(trader.address, f"10.0.0.{number % 9}")
    assert (await socket.call(method, METHODS[method]))["error"]["code"] == 42901
    await trio.sleep(1)
    assert (await socket.call(method, METHODS[method])).get("error", {}).get("code") != 42901


async def test_a_batch_counts_as_one(autojump_clock: MockClock, room: Stage, trader: Trader) -> None:
    """Ten orders in a batch take one unit of the limit, as over REST."""
    socket = await listening(room, trader, "transfers")
    for _ in range(20):
        room.exchange.quotas.take_order_write(trader.address, "10.0.0.2")
    before = room.exchange.quotas.take_order_write(trader.address, "10.0.0.1")
    await socket.call("order.create_batch", [order() for _ in range(10)])
    after = room.exchange.quotas.take_order_write(trader.address, "10.0.0.1")
    assert before is not None
    assert after is not None
    assert after.remaining == before.remaining - 2


async def test_a_revoked_subkey_loses_order_rights_on_open_sockets(
    autojump_clock: MockClock, room: Stage, trader: Trader
) -> None:
    """The socket stays open and hears on, but every order method is 40300 from then on."""
    exchange = room.exchange
    subkey = exchange.subkeys.register(trader.address, 12345, "bot")
    trader.token = exchange.tokens.issue(trader.address, subkey.public_key).text
    socket = await listening(room, trader, "orders.ALL")
    made = await create(socket)
    await heard(socket)
    exchange.subkeys.revoke(subkey)
    for method, params in METHODS.items():
        assert (await socket.call(method, params))["error"]["code"] == 40300
    assert exchange.orders[made["id"]].is_live
    assert (await socket.call("subscribe", {"channel": "fills.ALL"}))["result"] == {"channel": "fills.ALL"}


async def test_a_read_only_token_hears_and_does_nothing(
    autojump_clock: MockClock, room: Stage, trader: Trader
) -> None:
    """It subscribes to private channels, and gets 40300 for every order method."""
    tokens = room.exchange.readonly_tokens
    _, trader.token = tokens.create(trader.address, trader.public_key, "t", "read", 3600, ANYWHERE)
    socket = await listening(room, trader, "orders.ALL", "account")
    for method, params in METHODS.items():
        assert (await socket.call(method, params))["error"]["code"] == 40300


async def test_retail_orders_wait_and_turn_pro_beyond_their_limit(
    autojump_clock: MockClock, room: Stage
) -> None:
    """Three orders a second of an interactive token have 300 ms to go; the fourth goes at once, unflagged."""
    trader = Trader()
    await trader.log_in(room.http(), "?token_usage=interactive")
    socket = await listening(room, trader, "transfers")
    made = [await create(socket) for _ in range(4)]
    assert ["INTERACTIVE" in each["flags"] for each in made] == [True, True, True, False]
    orders = room.exchange.orders
    assert [orders[each["id"]].status for each in made] == ["NEW", "NEW", "NEW", "OPEN"]
    await trio.sleep(0.301)
    assert {orders[each["id"]].status for each in made} == {"OPEN"}


async def test_orders_of_others_are_unknown(
    autojump_clock: MockClock, room: Stage, socket: SocketClient
) -> None:
    """Nobody cancels or modifies what is not his."""
    made = await create(socket, client_id="mine")
    other = await listening(room, await logged_in(room, 77), "transfers")
    for method, params in [
        ("order.cancel", {"id": made["id"]}),
        ("order.cancel", {"client_id": "mine", "market": BTC}),
        ("order.modify", order(id=made["id"], price="84001")),
    ]:
        assert (await other.call(method, params))["error"]["code"] == 100
    batch = await other.call("order.cancel_batch", {"order_ids": [made["id"]]})
    assert batch["result"]["results"] == [{"id": made["id"], "status": "NOT_FOUND"}]
    await other.call("order.cancel_all", {})
    await trio.testing.wait_all_tasks_blocked()
    assert room.exchange.orders[made["id"]].is_live


@pytest.mark.parametrize(
    ("form", "expected"), [("both", ["ok", "ok"]), ("object", ["ok", -32602]), ("array", [-32602, "ok"])]
)
async def test_the_form_of_a_batch_is_a_choice(
    autojump_clock: MockClock, form: str, expected: list[object]
) -> None:
    """An object, a bare array, or either is taken; of the other nothing is accepted."""
    async with still(batch_form=form) as room:
        socket = await listening(room, await logged_in(room), "transfers")
        codes = []
        for params in ({"orders": [order(client_id="object")]}, [order(client_id="array")]):
            reply = await socket.call("order.create_batch", params)
            codes.append("ok" if "result" in reply else reply["error"]["code"])
        assert codes == expected
        assert len(room.exchange.orders) == codes.count("ok")


@pytest.mark.parametrize(
    ("told", "code", "where"),
    [("data", 100, "data"), ("message", 100, "message"), ("invalid-params", -32602, "data")],
)
async def test_how_refusals_are_told_is_a_choice(
    autojump_clock: MockClock, told: str, code: int, where: str
) -> None:
    """What REST refuses with a code has that code somewhere; what only calls can get wrong is as ever."""
    async with still(socket_refusals=told) as room:
        socket = await listening(room, await logged_in(room), "transfers")
        room.exchange.witness.watch()
        await create(socket, client_id="a")
        refusals = [
            await socket.call("order.create", order(client_id="a")),
            await socket.call("order.cancel", {"id": "1"}),
            await socket.call("order.cancel_batch", {"order_ids": []}),
        ]
        codes = ["DUPLICATED_CLIENT_ID", "ORDER_ID_NOT_FOUND", "BATCH_SIZE_OUT_OF_RANGE"]
        assert [(reply["error"]["code"], reply["error"][where]) for reply in refusals] == [
            (code, each) for each in codes
        ]
        seen = list(room.exchange.witness.requests)[1:]
        assert [(each.status, each.code) for each in seen] == list(zip([400, 404, 400], codes, strict=True))
        assert (await socket.call("order.cancel", {}))["error"]["code"] == -32602
