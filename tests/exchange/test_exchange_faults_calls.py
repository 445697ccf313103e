"""Faults of calls over a WebSocket: what the client is told, what really was, and what else the socket says."""

# ruff: noqa: ARG001 - pytest-trio takes its clock from the arguments of a test

import json
from collections.abc import AsyncIterator
from functools import partial
from typing import Any

import pytest
import trio
import trio.testing
from calls_stage import Told, accepted, arm, call_all, creates, recorded_socket
from exchange_stage import EPOCH, SocketClient, Stage, Trader, stage
from stream_stage import BTC, ETH, heard, listening, logged_in, order, still
from trio.testing import MockClock

from bot.exchange.faults.faults import Fault
from bot.exchange.faults.garbling import ANOTHER, FRAMES_ONLY, GARBLES, GATEWAY_PAGE, STRAY
from bot.exchange.faults.requests import Cut, FalseAnswer, Garble, Late, Refuse, Silence, Swallow, Twice
from bot.exchange.requestlog import RequestLog
from bot.exchange.transport.rewound import Rewound
from bot.simulation.world import run

LOST = (None, None)


@pytest.fixture
async def room(autojump_clock: MockClock) -> AsyncIterator[Stage]:
    async with still() as it:
        yield it


@pytest.fixture
async def trader(room: Stage) -> Trader:
    return await logged_in(room)


@pytest.fixture
async def socket(room: Stage, trader: Trader) -> SocketClient:
    return await listening(room, trader, "account")


def oks(*numbers: int) -> list[tuple[float, object, Any]]:
    """These calls were answered at once, in this order, and well."""
    return [(0.0, number, "ok") for number in numbers]


async def test_a_swallowed_call_is_nowhere(
    autojump_clock: MockClock, room: Stage, socket: SocketClient
) -> None:
    """It is neither answered nor executed; its socket lives on, and what came before and behind is as ever."""
    arm(room, Swallow(on="create", client_id="b"))
    told = await call_all(socket, creates("a", "b", "c"))
    assert (told.replies(), told.code) == (oks(1, 3), None)
    assert accepted(room) == ["a", "c"]
    assert room.exchange.counters.requests["WS order.create"] == 2


@pytest.mark.parametrize("cut_after", [0.0, 2.5])
async def test_a_swallowed_calls_socket_is_cut(
    autojump_clock: MockClock, room: Stage, socket: SocketClient, cut_after: float
) -> None:
    """Where the rule says so, after so many seconds, without a close frame, and others are answered until then."""
    arm(room, Swallow(on="create", client_id="b", cut_after=cut_after))
    told = await call_all(socket, creates("a", "b"))
    assert (told.replies(), told.ended_at, told.code) == (oks(1), cut_after, 1006)
    assert accepted(room) == ["a"]


@pytest.mark.parametrize("cut_after", [None, 0.0, 1.0])
@pytest.mark.parametrize("late", [0.0, 2.0])
async def test_silence_accepts(
    autojump_clock: MockClock, room: Stage, socket: SocketClient, late: float, cut_after: float | None
) -> None:
    """The order is accepted when the rule says, whatever its socket comes to, and the client hears nothing of it."""
    room.exchange.witness.watch()
    arm(room, Silence(on="create", client_id="a", late=late, cut_after=cut_after))
    began = trio.current_time()
    told = await call_all(socket, creates("a"))
    assert told.replies() == []
    assert (told.ended_at, told.code) == (LOST if cut_after is None else (cut_after, 1006))
    await trio.sleep(late + 0.1)
    [made] = room.exchange.orders.values()
    assert made.status == "OPEN"
    assert made.received_at_ms / 1000 - EPOCH == pytest.approx(began + late, abs=0.002)
    [seen] = room.exchange.witness.requests
    assert (seen.ask.name, seen.fault, seen.status, seen.answered) == (
        "WS order.create",
        "silence",
        200,
        None,
    )


@pytest.mark.parametrize("late", [1.9, 2.1])
async def test_the_exchange_judges_lateness_by_its_own_clock(
    autojump_clock: MockClock, room: Stage, socket: SocketClient, late: float
) -> None:
    """An order that arrives inside of its recv_window is accepted, one that arrives outside is not."""
    room.exchange.witness.watch()
    arm(room, Late(on="create", request=late))
    told = await call_all(socket, creates("a", recv_window=2000))
    in_time = late < 2
    assert told.replies() == [(late, 1, "ok" if in_time else 100)]
    [seen] = room.exchange.witness.requests
    assert (seen.status, seen.code, seen.answered) == (
        (200, None, 200) if in_time else (400, "INVALID_TIMESTAMP", 400)
    )
    assert seen.received_ms is not None
    assert seen.received_ms - seen.arrived_ms == pytest.approx(1000 * late)


async def test_a_late_call_holds_up_nobody(
    autojump_clock: MockClock, room: Stage, socket: SocketClient
) -> None:
    """First the order and then the answer take their time, and the socket's other calls are answered meanwhile."""
    arm(room, Late(on="create", client_id="a", request=1.0, answer=4.0), Late(on="create", answer=2.0))
    told = await call_all(socket, creates("a", "b", "c"))
    assert told.replies() == [(0.0, 3, "ok"), (2.0, 2, "ok"), (5.0, 1, "ok")]
    assert accepted(room) == ["b", "c", "a"]


async def test_a_late_call_outlives_its_socket(
    autojump_clock: MockClock, room: Stage, trader: Trader, socket: SocketClient
) -> None:
    """What is under way arrives though the socket is gone, nobody is told, and nothing subscribes to anything."""
    room.exchange.witness.watch()
    arm(room, Late(on="create", request=2.0), Late(on="subscribe", request=2.0), Late(on="auth", request=2))
    calls = [*creates("a"), ("subscribe", {"channel": "orders.ALL"}), ("auth", {"bearer": trader.token})]
    await call_all(socket, calls, wait=1.0)
    await socket.socket.aclose()
    await trio.sleep(2)
    assert accepted(room) == ["a"]
    noted = [(seen.status, seen.answered) for seen in room.exchange.witness.requests]
    assert noted == [(200, None), (None, None), (None, None)]
    assert not room.exchange.feeds._index._names
    assert not room.exchange.feeds.sessions


@pytest.mark.parametrize(
    ("status", "code", "rpc", "expected"),
    [
        (500, None, None, -32603),
        (503, "SERVICE_UNAVAILABLE", None, -32603),
        (503, "SYSTEM_STATUS_CANCEL_ONLY", None, 100),
        (429, None, None, 42901),
        (401, "INVALID_TOKEN", None, 40111),
        (403, None, None, 40300),
        (400, "INVALID_ORDER_SIZE", None, 100),
        (400, None, -32602, -32602),
    ],
)
@pytest.mark.parametrize("kind", [Refuse, FalseAnswer])
async def test_errors_that_are_not_the_exchanges(
    autojump_clock: MockClock,
    room: Stage,
    socket: SocketClient,
    kind: type[Refuse | FalseAnswer],
    status: int,
    code: str | None,
    rpc: int | None,
    expected: int,
) -> None:
    """The error has the number that the rule says, or that follows from a status and a code over REST."""
    room.exchange.witness.watch()
    arm(room, kind(on="create", client_id="b", status=status, code=code, rpc=rpc))
    told = await call_all(socket, creates("a", "b", "c"))
    assert told.replies() == [(0.0, 1, "ok"), (0.0, 2, expected), (0.0, 3, "ok")]
    error = told.frames[1][1]["error"]
    assert error.get("data") == code
    assert set(told.frames[1][1]) == {"jsonrpc", "id", "error", "usIn", "usOut", "usDiff"}
    assert accepted(room) == (["a", "b", "c"] if kind is FalseAnswer else ["a", "c"])
    lied_about = room.exchange.witness.requests[1]
    assert (lied_about.status, lied_about.answered) == (200 if kind is FalseAnswer else None, status)


async def test_errors_take_their_time(autojump_clock: MockClock, room: Stage, socket: SocketClient) -> None:
    """An error may come before the call has reached the exchange, and either may be late."""
    arm(room, FalseAnswer(on="create", status=504, late=1.5), Refuse(on="cancel-all", status=429, after=1.0))
    began = trio.current_time()
    told = await call_all(socket, [*creates("a"), ("order.cancel_all", {}), *creates("b")])
    assert told.replies() == [(0.0, 1, -32603), (0.0, 3, "ok"), (1.0, 2, 42901)]
    received = {each.client_id: each.received_at_ms / 1000 - EPOCH for each in room.exchange.orders.values()}
    assert received == {"b": pytest.approx(began, abs=0.002), "a": pytest.approx(began + 1.5, abs=0.002)}


@pytest.mark.parametrize("part", [0.0, 0.3, 0.9])
async def test_cut_in_the_middle_of_the_reply(
    autojump_clock: MockClock, room: Stage, trader: Trader, part: float
) -> None:
    """The order is accepted, a part of the reply's frame leaves, and then the connection ends."""
    socket, stream = await recorded_socket(room)
    await socket.call("auth", {"bearer": trader.token})
    await socket.call("subscribe", {"channel": "orders.ALL"})
    arm(room, Cut(on="create", client_id="b", part=part))
    before = len(stream.came)
    await socket.send("order.create", order(client_id="a"), 1)
    await heard(socket)
    whole = stream.came[before:]
    told = await call_all(socket, creates("b"))
    torn = stream.came[before + len(whole) :]
    assert (told.frames, told.ended_at, told.code) == ((), 0.0, 1006)
    assert accepted(room) == ["a", "b"]
    reply = whole[: whole.index(b"\x81", 1)]
    assert len(torn) == pytest.approx(part * len(reply), abs=2)
    assert torn[:50] == reply[: len(torn)][:50]


async def test_answered_twice(autojump_clock: MockClock, room: Stage, socket: SocketClient) -> None:
    """The same frame comes twice, there is one order, and the socket goes on."""
    arm(room, Twice(on="create"))
    told = await call_all(socket, creates("a", "b"))
    assert told.replies() == oks(1, 1, 2)
    assert told.frames[0] == told.frames[1]
    assert accepted(room) == ["a", "b"]


async def test_what_a_struck_subscription_begins_with(
    autojump_clock: MockClock, room: Stage, socket: SocketClient
) -> None:
    """The book is told behind the reply, or replies, to its subscription; and without one where that is swallowed."""
    arm(room, Twice(on="subscribe"), Silence(on="subscribe"))
    calls = [("subscribe", {"channel": f"order_book.{market}.deltas"}) for market in (BTC, ETH)]
    told = [frame for _, frame in (await call_all(socket, calls, wait=1)).frames]
    markets = [frame["params"]["data"]["market"] if "method" in frame else frame["id"] for frame in told]
    assert markets == [1, 1, BTC, ETH]


async def test_nothing_follows_what_is_torn(autojump_clock: MockClock) -> None:
    """A ping leaves whole before the frame that is torn, and nothing at all behind it."""
    near, far = trio.testing.memory_stream_pair()
    stream = Rewound(near, b"", b"")
    stream.part = 0.5
    for frame in (b"\x89\x01p", b"\x81\x06abcdef", b"\x89\x01q", b"\x88\x02\x03\xe8"):
        await stream.send_all(frame)
    assert await far.receive_some() == b"\x89\x01p\x81\x06ab"


@pytest.mark.parametrize("how", [*GARBLES, *FRAMES_ONLY])
async def test_garbled_replies(autojump_clock: MockClock, room: Stage, trader: Trader, how: Any) -> None:
    """The order is accepted, the reply is none that could be believed, and the next one is as ever."""
    socket = SocketClient((await room.websocket(message_queue_size=100, max_message_size=2**30)).socket)
    await call_all(socket, [("auth", {"bearer": trader.token})], wait=0.1)
    arm(room, Garble(on="create", how=how, over="ws"))
    told = await call_all(socket, creates("a", "b"), wait=1)
    frame, (_, true) = told.frames[0][1], told.frames[1]
    assert (true["id"], true["result"]["order"]["client_id"]) == (2, "b")
    [first, _] = room.exchange.orders.values()
    is_frame = isinstance(frame, dict) and set(frame) == {
        "jsonrpc",
        "id",
        "result",
        "usIn",
        "usOut",
        "usDiff",
    }
    match how:
        case "text":
            assert frame == GATEWAY_PAGE.decode()
        case "binary":
            assert json.loads(frame)["result"]["order"]["id"] == first.id
        case "another-id" | "stray-id":
            assert frame["id"] == (0 if how == "another-id" else STRAY)
            assert frame["result"]["order"]["id"] == first.id
        case "no-result":
            assert set(frame) == {"jsonrpc", "id", "usIn", "usOut", "usDiff"}
        case "nulls":
            assert is_frame
            assert set(frame["result"].values()) == {None}
        case "number":
            assert is_frame
            assert frame["result"]["id"] == 10**400
        case "another-order":
            assert frame["result"]["order"]["id"] == ANOTHER
        case "new-words":
            assert (frame["id"], frame["result"]["order"]["status"]) == (1, "HALTED")
        case "new-members":
            assert frame["result"]["order"].items() > {"id": first.id, "another_member": None}.items()
        case "oversized":
            assert len(frame["result"].pop("padding")) > 8_000_000
            assert frame["result"]["order"]["id"] == first.id
        case _:
            assert not is_frame


async def test_garbled_replies_of_other_kinds(
    autojump_clock: MockClock, room: Stage, socket: SocketClient
) -> None:
    """Orders of a batch are changed one by one, cancels by the id that they name; a refusal has nothing to change."""
    arm(room, *(Garble(on=on, how="another-order") for on in ("create-batch", "cancel", "cancel-batch")))
    arm(room, *(Garble(on="cancel", how=how, over="ws") for how in (*GARBLES, *FRAMES_ONLY)))
    [made] = [reply["result"]["order"] for reply in [await socket.call("order.create", order())]]
    calls = [
        ("order.create_batch", {"orders": [order(client_id="a"), order(client_id="b")]}),
        ("order.cancel", {"id": made["id"]}),
        ("order.cancel_batch", {"order_ids": [made["id"], "1"]}),
    ]
    told = await call_all(socket, calls, wait=1)
    batch, cancel, cancels = (frame["result"] for _, frame in told.frames if "result" in frame)
    assert [row["order"]["id"] for row in batch["results"]] == [ANOTHER] * 2
    assert cancel["order_id"] == ANOTHER
    assert [row["id"] for row in cancels["results"]] == [ANOTHER] * 2
    for _ in (*GARBLES, *FRAMES_ONLY):
        await call_all(socket, [("order.cancel", {"id": "1"})], wait=0.1)
    assert room.exchange.faults.struck["garble"] == 3 + len(GARBLES) + len(FRAMES_ONLY)
    assert (await call_all(socket, creates("c"), wait=1)).replies() == oks(1)


async def test_a_way_narrows_a_rule(
    autojump_clock: MockClock, room: Stage, trader: Trader, socket: SocketClient
) -> None:
    """By default a rule strikes on either way, else on the one that it says."""
    arm(room, Refuse(on="create", status=500, over="rest"), Refuse(on="create", status=500, over="ws"))
    assert (await call_all(socket, creates("a", "b"), wait=1)).replies() == [
        (0.0, 1, -32603),
        (0.0, 2, "ok"),
    ]
    assert [(await trader.place(room.http())).status for _ in range(2)] == [500, 201]
    arm(room, Refuse(on="create", status=500, times=2))
    assert (await trader.place(room.http())).status == 500
    assert (await call_all(socket, creates("c", "d"), wait=1)).replies() == [
        (0.0, 1, -32603),
        (0.0, 2, "ok"),
    ]


async def test_calls_are_known_by_what_they_name(
    autojump_clock: MockClock, room: Stage, trader: Trader, socket: SocketClient
) -> None:
    """By client id and market, in an object, a batch of either form, and by the venue's ids of the orders."""
    mine = (await socket.call("order.create", order(client_id="mine")))["result"]["order"]["id"]
    modify = {**order(price="84001"), "id": mine}
    arm(room, Refuse(on="order-writes", client_id="mine", status=500, times=None))
    told = await call_all(
        socket,
        [
            ("order.modify", modify),
            ("order.cancel", {"client_id": "mine", "market": BTC}),
            ("order.cancel", {"id": mine}),
            ("order.cancel_batch", {"order_ids": ["1", mine]}),
            ("order.create_batch", {"orders": [order(), order(client_id="mine")]}),
            ("order.create_batch", [order(client_id="mine")]),
            ("order.cancel_all", {}),
            ("order.create", order(client_id="other")),
        ],
    )
    assert [code for _, _, code in told.replies()] == [-32603] * 6 + ["ok"] * 2
    arm(room, Refuse(on="creates", market=ETH, status=500), Refuse(on="cancels", market=BTC, status=500))
    calls = [*creates("a"), *creates("b", market=ETH, price="2700", size="0.01")]
    told = await call_all(socket, [*calls, ("order.cancel_all", {"market": BTC})], wait=1)
    assert [code for _, _, code in told.replies()] == ["ok", -32603, -32603]


@pytest.mark.parametrize(
    ("on", "call"),
    [
        ("create", ("order.create", order)),
        ("create-batch", ("order.create_batch", lambda: [order()])),
        ("modify", ("order.modify", lambda: {"id": "1"})),
        ("cancel", ("order.cancel", lambda: {"id": "1"})),
        ("cancel-batch", ("order.cancel_batch", lambda: {"order_ids": ["1"]})),
        ("cancel-all", ("order.cancel_all", lambda: None)),
        ("cancel-on-disconnect", ("order.cancel_on_disconnect", lambda: {"enabled": True})),
        ("auth", ("auth", lambda: {"bearer": "x"})),
        ("subscribe", ("subscribe", lambda: {"channel": "orders.ALL"})),
        ("any", ("unheard-of", lambda: 1)),
    ],
)
async def test_every_kind_of_call(
    autojump_clock: MockClock, room: Stage, socket: SocketClient, on: str, call: tuple[str, Any]
) -> None:
    """Each word strikes the method that it means, and no other kind of call."""
    arm(room, Refuse(on=on, status=400, rpc=7777))
    others = [("unsubscribe", {"channel": "account"}), ("subscribe", {"channel": "account"})]
    method, params = call
    before = room.exchange.counters.requests[f"WS {method}"]
    told = await call_all(socket, [(method, params()), *(others if on == "create" else [])], wait=1)
    assert [code for _, _, code in told.replies()][:3] == [7777, "ok", "ok"][: len(told.frames)]
    assert room.exchange.faults.struck == {"refuse": 1}
    assert room.exchange.counters.requests[f"WS {method}"] == before


async def test_what_is_no_call_is_struck_as_any_is(
    autojump_clock: MockClock, room: Stage, socket: SocketClient
) -> None:
    """Text that cannot be read is of no kind, and breaks nothing where rules are in force."""
    room.exchange.witness.watch()
    arm(room, Refuse(on="create", status=500, times=None), Refuse(on="any", status=500, skip=3))
    for text in ("{", "[]", '{"method": 1}', '{"method": ["order.create"], "params": {"orders": [[1], {}]}}'):
        await socket.socket.send_message(text)
    codes = [frame["error"]["code"] for frame in await heard(socket)]
    assert codes == [-32700, -32600, -32600, -32603]
    assert [seen.ask.name for seen in room.exchange.witness.requests] == ["WS unknown"] * 4
    assert [seen.status for seen in room.exchange.witness.requests] == [400, 400, 400, None]


async def test_the_witness_sees_calls(
    autojump_clock: MockClock, room: Stage, trader: Trader, socket: SocketClient
) -> None:
    """Each with its times, what the exchange made of it in REST's terms, and what was told; sends of both ways."""
    room.exchange.witness.watch()
    arm(
        room,
        Swallow(on="create", client_id="gone"),
        Late(on="create", client_id="slow", answer=3),
        FalseAnswer(on="create", client_id="lied", status=500),
    )
    batch = ("order.create_batch", {"orders": [order(client_id="x"), order(client_id="y")]})
    cancel = ("order.cancel", {"id": "1"})
    await call_all(socket, [*creates("gone", "slow", "slow", "lied"), batch, cancel], wait=5)
    await trader.place(room.http(), client_id="gone")
    await call_all(await listening(room, None, "bbo.ALL"), creates("nobody"), wait=1)

    def seconds(ms: int | None) -> float | None:
        return None if ms is None else round(ms / 1000 - EPOCH, 1)

    began = seconds(room.exchange.witness.requests[0].arrived_ms)
    assert began is not None
    assert [
        (seen.ask.name, "/".join(seen.ask.client_ids), seen.fault, seen.status, seen.code, seen.answered)
        for seen in room.exchange.witness.requests
    ] == [
        ("WS order.create", "gone", "swallow", None, None, None),
        ("WS order.create", "slow", "late", 200, None, 200),
        ("WS order.create", "slow", None, 400, "DUPLICATED_CLIENT_ID", 400),
        ("WS order.create", "lied", "answer", 200, None, 500),
        ("WS order.create_batch", "x/y", None, 200, None, 200),
        ("WS order.cancel", "", None, 404, "ORDER_ID_NOT_FOUND", 404),
        ("POST /v1/orders", "gone", None, 201, None, 201),
        ("WS subscribe", "", None, 200, None, 200),
        ("WS order.create", "nobody", None, 403, None, 403),
    ]
    slow = room.exchange.witness.requests[1]
    assert (seconds(slow.received_ms), seconds(slow.answered_ms)) == (began, began + 3)
    orders = room.exchange.witness.orders(trader.address)
    assert {client_id: len(seen.sends) for client_id, seen in orders.items()} == {
        "gone": 2,
        "slow": 2,
        "lied": 1,
        "x": 1,
        "y": 1,
        "nobody": 1,
    }
    assert [seen.account for seen in orders["gone"].sends] == [None, trader.address]


async def test_the_log_names_the_fault(
    autojump_clock: MockClock, room: Stage, trader: Trader, socket: SocketClient
) -> None:
    """A line for each call, with the fault that it met, when its answer left."""
    lines: list[bytes] = []
    room.exchange.request_log = RequestLog(room.exchange.clock, lines.append)
    arm(room, Late(on="create", answer=2), Swallow(on="create"), Refuse(on="cancel", status=500))
    await call_all(socket, [*creates("a", "b", "c"), ("order.cancel", {"id": "1"})], wait=3)
    told = [json.loads(line) for line in lines]
    assert [(line["method"], line["code"], line.get("fault"), line["ms"]) for line in told] == [
        ("order.create", None, "swallow", 0),
        ("order.create", None, None, 0),
        ("order.cancel", None, "refuse", 0),
        ("order.create", None, "late", 2000),
    ]
    assert {line["account"] for line in told} == {hex(trader.address)}


@pytest.mark.parametrize("watched", [False, True])
async def test_processing_takes_its_time_all_the_same(autojump_clock: MockClock, *, watched: bool) -> None:
    """Calls of a socket are worked off one after the other, a struck one too, unless it waits on purpose."""
    async with still(processing_ms=100) as room:
        socket = await listening(room, await logged_in(room))
        if watched:
            room.exchange.witness.watch()
            arm(room, Twice(on="create", client_id="b"), Late(on="create", client_id="d", request=1))
        told = await call_all(socket, creates("a", "b", "c", "d", "e"))
        expected = [(0.1, 1), (0.2, 2), (0.2, 2), (0.3, 3), (0.4, 5), (1.4, 4)]
        if not watched:
            expected = [(0.1, 1), (0.2, 2), (0.3, 3), (0.4, 4), (0.5, 5)]
        assert [(at, number) for at, number, _ in told.replies()] == expected
        assert accepted(room) == (["a", "b", "c", "e", "d"] if watched else ["a", "b", "c", "d", "e"])


def test_without_rules_nothing_is_different() -> None:
    """Frame by frame: what a socket is told where there never was a rule, where none fits, and under a witness."""

    async def play(prepare: Any) -> Told:
        async with stage(seed=3, activity=3.0, verify=False) as room:
            trader = await logged_in(room)
            prepare(room)
            socket = await listening(room, trader, "orders.ALL", "bbo.ALL")
            calls = [*creates("a", "b"), ("order.cancel_all", {}), ("nonsense", {}), *creates("c")]
            return await call_all(socket, calls, wait=3)

    def told(prepare: Any) -> Told:
        return run(partial(play, prepare), seed=1)

    def rules(room: Stage) -> None:
        never: list[Fault] = [
            Swallow(on="any", client_id="nobody's", chance=0.5),
            Refuse(on="create", over="rest", status=500),
        ]
        arm(room, *never)

    undisturbed = told(lambda _room: None)
    assert len(undisturbed.frames) > 10
    assert told(rules) == undisturbed
    assert told(lambda room: room.exchange.witness.watch()) == undisturbed


async def test_without_rules_nobody_looks_at_calls(
    autojump_clock: MockClock, room: Stage, socket: SocketClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The plain way is taken as long as there is no rule and no witness, and again when they are gone."""
    monkeypatch.setattr("bot.exchange.websocket.SocketServer._handle_watched", None)
    assert (await call_all(socket, creates("a"), wait=1)).replies() == oks(1)
    arm(room, Swallow(on="create"))
    room.exchange.faults.clear()
    assert (await call_all(socket, creates("b"), wait=1)).replies() == oks(1)
