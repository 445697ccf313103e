"""Faults of requests: what the client is told, and what really was."""

# ruff: noqa: ARG001 - pytest-trio takes its clock from the arguments of a test

import json
from functools import partial
from typing import Any

import h11
import pytest
import trio
import trio.testing
from exchange_stage import EPOCH, HttpClient, Reply, Stage, Trader, refused, stage
from stream_stage import logged_in, still, trade
from trio.testing import MockClock

from bot.exchange.faults.ask import CALLS, GROUPS, call_name
from bot.exchange.faults.disconnects import Disconnect
from bot.exchange.faults.faults import Fault
from bot.exchange.faults.garbling import GARBLES, GATEWAY_PAGE
from bot.exchange.faults.requests import (
    Cut,
    FalseAnswer,
    Garble,
    Late,
    Refuse,
    Silence,
    Stale,
    Swallow,
    Twice,
)
from bot.exchange.faults.updates import CutUpdate, GarbleUpdate
from bot.exchange.limits import HTTP_IDLE
from bot.exchange.rest.api import Rest
from bot.exchange.transport.http import HttpConnection
from bot.simulation.world import run

TRUE = {"new-members", "oversized"}
"""What a garbled answer says more may be ignored, and the rest be believed."""

ENDED = (EOFError, h11.RemoteProtocolError)
"""What a client meets whose connection ends under a request."""


async def asked(request: Any) -> tuple[Reply | None, float]:
    """The reply, None when the connection ended instead, and after how many seconds; half a minute is silence."""
    began = trio.current_time()
    with trio.move_on_after(30):
        try:
            reply = await request
        except ENDED:
            return None, trio.current_time() - began
        return reply, trio.current_time() - began
    return None, 30


def at(room: Stage) -> list[float]:
    """When the exchange received the orders that it has, in seconds of the stage."""
    return [order.received_at_ms / 1000 - EPOCH for order in room.exchange.orders.values()]


async def test_a_swallowed_order_is_nowhere(
    autojump_clock: MockClock, room: Stage, client: HttpClient, trader: Trader
) -> None:
    """It is neither answered nor accepted; its connection stays open, and other connections are as ever."""
    room.exchange.faults.add(Swallow(on="create"))
    assert await asked(trader.place(client)) == (None, 30)
    assert not room.exchange.orders
    assert (await trader.place(room.http())).status == 201


async def test_a_swallowed_requests_connection_is_cut(
    autojump_clock: MockClock, room: Stage, client: HttpClient, trader: Trader
) -> None:
    """Where the rule says so, after so many seconds; where not, when it has idled for as long as any may."""
    room.exchange.faults.add(Swallow(on="create", cut_after=2.5))
    assert await asked(trader.place(client)) == (None, 2.5)
    room.exchange.faults.add(Swallow(on="create"))
    client = room.http()
    with trio.fail_after(HTTP_IDLE + 1), pytest.raises(ENDED):
        await trader.place(client)


async def test_a_client_that_leaves_silence_is_forgotten(autojump_clock: MockClock) -> None:
    """The exchange lets go of a connection that is silent on purpose as soon as the client does."""
    async with stage() as room:
        trader = await logged_in(room)
        room.exchange.faults.add(Silence(on="create"))
        await trio.testing.wait_all_tasks_blocked()
        before = len(room.nursery.child_tasks)
        client = room.http()
        await asked(trader.place(client))
        assert len(room.nursery.child_tasks) == before + 1
        await client.stream.aclose()
        await trio.testing.wait_all_tasks_blocked()
        assert len(room.nursery.child_tasks) == before


@pytest.mark.parametrize("cut_after", [None, 0, 1.0])
@pytest.mark.parametrize("late", [0, 2.0])
async def test_silence_accepts(
    autojump_clock: MockClock,
    room: Stage,
    client: HttpClient,
    trader: Trader,
    late: float,
    cut_after: float | None,
) -> None:
    """The order is accepted when the rule says, whatever its connection comes to, and the client hears nothing."""
    room.exchange.faults.add(Silence(on="create", late=late, cut_after=cut_after))
    began = trio.current_time()
    assert await asked(trader.place(client)) == (None, 30 if cut_after is None else cut_after)
    await trio.sleep(late + 0.1)
    assert at(room) == [pytest.approx(began + late)]
    assert [order.status for order in room.exchange.resting(trader.address)] == ["OPEN"]


@pytest.mark.parametrize(("late", "expected"), [(1.9, (201, None)), (2.1, (400, "INVALID_TIMESTAMP"))])
@pytest.mark.parametrize("kind", ["silence", "answer", "late"])
async def test_the_exchange_judges_lateness_by_its_own_clock(
    autojump_clock: MockClock,
    room: Stage,
    client: HttpClient,
    trader: Trader,
    kind: str,
    late: float,
    expected: tuple[int, str | None],
) -> None:
    """An order that arrives inside of its recv_window is accepted, one that arrives outside is not."""
    rules: dict[str, Fault] = {
        "silence": Silence(on="create", late=late, cut_after=0),
        "answer": FalseAnswer(on="create", status=504, late=late),
        "late": Late(on="create", request=late),
    }
    room.exchange.witness.watch()
    room.exchange.faults.add(rules[kind])
    reply, _ = await asked(trader.place(client, recv_window=2000))
    await trio.sleep(late + 0.1)
    assert len(room.exchange.orders) == (expected[0] == 201)
    [seen] = room.exchange.witness.requests
    assert (seen.status, seen.code) == expected
    assert seen.received_ms is not None
    assert seen.received_ms - seen.arrived_ms == 1000 * late
    if kind == "late":
        assert reply is not None
        assert reply.status == seen.status


@pytest.mark.parametrize("status", [500, 502, 503, 504])
@pytest.mark.parametrize("code", [None, "SERVICE_UNAVAILABLE"])
async def test_accepted_and_answered_otherwise(
    autojump_clock: MockClock, room: Stage, client: HttpClient, trader: Trader, status: int, code: str | None
) -> None:
    """The order is accepted, and the answer says something else: as the venue would, or as what stands before it."""
    room.exchange.faults.add(FalseAnswer(on="create", status=status, code=code, after=0.5))
    reply, elapsed = await asked(trader.place(client))
    assert reply is not None
    assert (reply.status, elapsed) == (status, 0.5)
    assert len(room.exchange.orders) == 1
    if code is None:
        assert (reply.body, reply.headers["content-type"]) == (GATEWAY_PAGE, "text/html")
    else:
        assert refused(reply) == (status, code)
    assert (await trader.place(client)).status == 201  # over the same connection


async def test_answered_before_it_arrives(
    autojump_clock: MockClock, room: Stage, client: HttpClient, trader: Trader
) -> None:
    """A gateway that does not wait: the answer is there at once, and the order later."""
    room.exchange.faults.add(FalseAnswer(on="create", status=504, late=1.5))
    began = trio.current_time()
    reply, elapsed = await asked(trader.place(client))
    assert reply is not None
    assert (reply.status, elapsed, at(room)) == (504, 0, [])
    await trio.sleep(2)
    assert at(room) == [pytest.approx(began + 1.5)]


@pytest.mark.parametrize(
    ("status", "code", "retry_after"),
    [
        (400, "VALIDATION_ERROR", None),
        (401, "INVALID_TOKEN", None),
        (429, "RATE_LIMIT_EXCEEDED", 3),
        (429, None, "Sun, 06 Nov 1994 08:49:37 GMT"),
        (503, "SYSTEM_STATUS_CANCEL_ONLY", None),
    ],
)
async def test_refused_unheard(
    autojump_clock: MockClock,
    room: Stage,
    client: HttpClient,
    trader: Trader,
    status: int,
    code: str | None,
    retry_after: int | str | None,
) -> None:
    """The refusal is what the rule says, and the exchange never had the request."""
    room.exchange.faults.add(Refuse(on="create", status=status, code=code, retry_after=retry_after))
    reply = await trader.place(client)
    assert reply.status == status
    if code is not None:
        assert refused(reply) == (status, code)
    assert reply.headers.get("retry-after") == (None if retry_after is None else str(retry_after))
    assert not room.exchange.orders
    assert room.exchange.counters.requests["POST /v1/orders"] == 0


async def test_a_late_answer_is_true(
    autojump_clock: MockClock, room: Stage, client: HttpClient, trader: Trader
) -> None:
    """The order is accepted at once, and the answer about it takes its time; or first one, and then the other."""
    room.exchange.faults.add(Late(on="create", answer=4.0))
    room.exchange.faults.add(Late(on="create", request=1.0, answer=4.0))
    began = trio.current_time()
    for expected in (4.0, 5.0):
        reply, elapsed = await asked(trader.place(client))
        assert reply is not None
        assert (reply.status, elapsed) == (201, expected)
    assert at(room) == [pytest.approx(began), pytest.approx(began + 5.0)]


@pytest.mark.parametrize("part", [0.0, 0.5, 0.99])
async def test_cut_in_the_middle_of_the_answer(
    autojump_clock: MockClock, room: Stage, client: HttpClient, trader: Trader, part: float
) -> None:
    """The order is accepted, a part of the answer's bytes leaves, and the connection ends."""
    whole = await raw(room, trader, None)
    torn = await raw(room, trader, Cut(on="create", part=part))
    assert len(room.exchange.orders) == 2
    assert len(torn) == int(part * len(whole))
    assert torn.startswith(b"HTTP/1.1 201 ") or not part


async def test_answered_twice(
    autojump_clock: MockClock, room: Stage, client: HttpClient, trader: Trader
) -> None:
    """The same bytes come twice, there is one order, and the connection goes on."""
    data = await raw(room, trader, Twice(on="create"))
    half = len(data) // 2
    assert data[:half] == data[half:]
    assert len(room.exchange.orders) == 1


async def raw(room: Stage, trader: Trader, fault: Fault | None) -> bytes:
    """All bytes that come as the answer to an order."""
    if fault is not None:
        room.exchange.faults.add(fault)
    stream = room.raw_http()
    body = json.dumps(trader.order()).encode()
    head = (
        f"POST /v1/orders HTTP/1.1\r\nHost: x\r\nContent-Length: {len(body)}\r\n"
        f"Authorization: Bearer {trader.token}\r\n\r\n"
    )
    await stream.send_all(head.encode() + body)
    data = b""
    with trio.move_on_after(1):
        while received := await stream.receive_some():
            data += received
    return data


@pytest.mark.parametrize("how", [how for how in GARBLES if how not in TRUE])
async def test_garbled_answers(
    autojump_clock: MockClock, room: Stage, client: HttpClient, trader: Trader, how: Any
) -> None:
    """The order is accepted, the status is the true one, the body is not, and the connection goes on."""
    room.exchange.faults.add(Garble(on="create", how=how))
    reply = await trader.place(client)
    assert reply.status == 201
    [order] = room.exchange.orders.values()
    try:
        body = reply.json()
    except (ValueError, RecursionError):
        body = None
    believed = isinstance(body, dict) and (body.get("id"), body.get("client_id"), body.get("status"))
    assert believed != (order.id, order.client_id, "NEW")
    assert (await trader.place(client)).json()["status"] == "NEW"


@pytest.mark.parametrize("how", sorted(TRUE))
async def test_answers_that_say_more(
    autojump_clock: MockClock, room: Stage, client: HttpClient, trader: Trader, how: Any
) -> None:
    """The order is accepted, and the answer true, if more than one bargained for."""
    room.exchange.faults.add(Garble(on="create", how=how))
    reply = await trader.place(client)
    [order] = room.exchange.orders.values()
    assert (reply.json()["id"], reply.json()["status"]) == (order.id, "NEW")
    assert len(reply.body) > 8 * 1024 * 1024 or how != "oversized"
    assert "new_member" in reply.json() or how != "new-members"


async def test_garbled_lists_and_refusals(
    autojump_clock: MockClock, room: Stage, client: HttpClient, trader: Trader
) -> None:
    """Orders in a list are changed one by one; and what was no answer of the venue's breaks nothing of its own."""
    lines: list[bytes] = []
    room.exchange.request_log._write = lines.append
    await trader.place(client)
    await trader.place(client)
    await trio.testing.wait_all_tasks_blocked()
    room.exchange.faults.add(Garble(on="open-orders", how="another-order"))
    rows = (await trader.ask(client, "GET", "/v1/orders")).json()["results"]
    assert [row["client_id"] for row in rows] == ["another"] * 2
    for how in GARBLES:
        room.exchange.faults.add(Garble(on="cancel", how=how))
        assert (await trader.ask(client, "DELETE", "/v1/orders/1")).status == 404
    room.exchange.faults.add(Garble(on="cancel", how="text"))
    cancelled = await trader.ask(client, "DELETE", f"/v1/orders/{next(iter(room.exchange.orders))}")
    assert (cancelled.status, cancelled.body) == (204, b"")
    garbled = [json.loads(line) for line in lines if b'"garble"' in line]
    assert [line["status"] for line in garbled] == [200] + [404] * len(GARBLES) + [204]


async def test_lists_that_lag(autojump_clock: MockClock) -> None:
    """Open orders, the history, one order and the fills are those of some seconds ago; for the next they are true."""
    async with still() as room:
        client, maker, taker = room.http(), await logged_in(room), await logged_in(room, 0xFEDCBA)
        await maker.place(client, client_id="a")
        await trio.sleep(5)
        room.exchange.faults.add(Stale(on="order-reads", seconds=3, times=None))
        await trio.sleep(1)
        await maker.place(client, client_id="b")
        await trade(room, maker, taker, client_id="c")
        a, b, c = (order for order in room.exchange.orders.values() if order.account == maker.address)
        await maker.ask(client, "DELETE", f"/v1/orders/{a.id}")
        await trio.sleep(1)
        assert [order.status for order in (a, b, c)] == ["CLOSED", "OPEN", "OPEN"]

        async def lists() -> list[list[str]]:
            """Client ids and statuses of open orders and of the history, and the sizes of fills."""
            opened, history, fills = [
                (await maker.ask(client, "GET", path)).json()["results"]
                for path in ("/v1/orders", "/v1/orders-history", "/v1/fills")
            ]
            shown = [[f"{row['client_id']} {row['status']}" for row in rows] for rows in (opened, history)]
            return [*shown, [row["size"] for row in fills]]

        async def statuses() -> list[int]:
            paths = ["/v1/orders-history?client_id=c", f"/v1/orders/{c.id}", "/v1/orders/by_client_id/b"]
            history, *others = [await maker.ask(client, "GET", path) for path in paths]
            return [len(history.json()["results"]), *(reply.status for reply in others)]

        assert await lists() == [["a OPEN"], ["a OPEN"], []]
        assert await statuses() == [0, 404, 404]
        true = [["b OPEN", "c OPEN"], ["c OPEN", "b OPEN", "a CLOSED"], ["0.002"]]
        await trio.sleep(3)
        assert await lists() == true
        room.exchange.faults.clear()
        await maker.place(client, client_id="d", price="70000")
        await trio.testing.wait_all_tasks_blocked()
        assert await statuses() == [1, 200, 200]
        assert (await lists())[0] == ["b OPEN", "c OPEN", "d OPEN"]


async def test_rules_strike_what_they_fit(
    autojump_clock: MockClock, room: Stage, client: HttpClient, trader: Trader
) -> None:
    """By kind of request, market and client id, which a cancel by the venue's id has too; the n-th, and so many."""
    faults = room.exchange.faults

    async def statuses(*orders: dict[str, Any]) -> list[int]:
        return [(await trader.place(client, **changes)).status for changes in orders]

    eth = {"market": "ETH-USD-PERP", "price": "2700", "size": "0.01"}
    faults.add(Refuse(on="create", market="ETH-USD-PERP", status=500))
    assert await statuses({}, eth, eth) == [201, 500, 201]
    faults.add(Refuse(on="order-writes", client_id="mine", status=500, times=None))
    assert await statuses({"client_id": "mine"}, {"client_id": "other"}) == [500, 201]
    faults.clear()
    assert await statuses({"client_id": "mine"}) == [201]
    [mine] = [order for order in room.exchange.orders.values() if order.client_id == "mine"]
    faults.add(Refuse(on="cancel", client_id="mine", market="BTC-USD-PERP", status=500))
    assert (await trader.ask(client, "DELETE", f"/v1/orders/{mine.id}")).status == 500
    faults.add(Refuse(on="cancels", client_id="mine", status=500))
    batch = {"order_ids": ["1", mine.id], "client_order_ids": []}
    assert (await trader.ask(client, "DELETE", "/v1/orders/batch", batch)).status == 500
    faults.add(Refuse(on="create-batch", client_id="x", status=500))
    orders = [trader.order(), trader.order(client_id="x")]
    assert (await trader.ask(client, "POST", "/v1/orders/batch", orders[:1])).status == 201
    assert (await trader.ask(client, "POST", "/v1/orders/batch", orders)).status == 500
    faults.add(Refuse(on="create", skip=1, times=2, status=500))
    assert await statuses({}, {}, {}, {}) == [201, 500, 500, 201]
    faults.add(Refuse(on="any", status=500))
    assert (await client.request("GET", "/v1/nowhere")).status == 500
    assert faults.struck == {"refuse": 8}
    assert not faults.are_armed


async def test_the_first_rule_that_strikes_decides(
    autojump_clock: MockClock, room: Stage, client: HttpClient, trader: Trader
) -> None:
    """One fault for a request: a later rule has its turn when the earlier ones are spent, or taken back."""
    faults = room.exchange.faults
    first = faults.add(Refuse(on="create", status=500, times=None))
    faults.add(Refuse(on="create", status=502))
    assert (await trader.place(client)).status == 500
    faults.remove(first)
    assert (await trader.place(client)).status == 502
    assert (await trader.place(client)).status == 201
    with pytest.raises(KeyError):
        faults.remove(first)


async def test_chance_is_the_seeds(autojump_clock: MockClock) -> None:
    """The same seed strikes the same requests; and what is not struck is as it would be without the rule."""

    async def told(seed: int, chance: float | None) -> list[tuple[int, bytes]]:
        async with stage(seed=seed) as room:
            client = room.http()
            if chance is not None:
                room.exchange.faults.add(Refuse(on="state", status=500, chance=chance, times=None))
            replies = [await client.request("GET", "/v1/system/state") for _ in range(40)]
            return [(reply.status, reply.body) for reply in replies]

    struck = await told(1, 0.5)
    assert 10 < [status for status, _ in struck].count(500) < 30
    assert await told(1, 0.5) == struck
    assert await told(2, 0.5) != struck
    undisturbed = await told(1, None)
    assert all(reply in {(500, GATEWAY_PAGE), undisturbed[0]} for reply in struck)


def test_without_rules_nothing_is_different(monkeypatch: pytest.MonkeyPatch) -> None:
    """To the byte: what clients get where there never was a rule, where one never fitted, and where one is gone."""
    heard = bytearray()
    written = HttpConnection._written

    def noted(self: HttpConnection, answer: Any) -> bytes:
        data = written(self, answer)
        heard.extend(data)
        return data

    monkeypatch.setattr(HttpConnection, "_written", noted)

    async def play(rules: list[Fault], *, clear: bool) -> None:
        async with stage(seed=3, activity=3.0) as room:
            client, trader = room.http(), Trader()
            for rule in rules:
                room.exchange.faults.add(rule)
            if clear:
                room.exchange.faults.clear()
            await trader.log_in(client)
            heard.clear()  # a token's signature is not repeated
            for _ in range(3):
                placed = (await trader.place(client)).json()
                await trio.sleep(1)
                await trader.ask(client, "GET", "/v1/orders-history")
                await trader.ask(client, "DELETE", f"/v1/orders/{placed['id']}")
                await client.request("GET", "/v1/orderbook/BTC-USD-PERP")

    def bytes_of(rules: list[Fault], *, clear: bool = False) -> bytes:
        run(partial(play, rules, clear=clear), seed=1)
        return bytes(heard)

    undisturbed = bytes_of([])
    assert len(undisturbed) > 5000
    chancy = Swallow(on="any", client_id="nobody's", chance=0.5)
    assert bytes_of([chancy, Stale(on="history", seconds=0, skip=100)]) == undisturbed
    assert bytes_of([Swallow(on="any", times=None)], clear=True) == undisturbed


MISTAKES: list[Any] = [
    lambda: Swallow(on="everything"),
    lambda: Stale(on="create", seconds=1),
    lambda: Swallow(on="create", times=0),
    lambda: Swallow(on="create", skip=-1),
    lambda: Swallow(on="create", chance=0),
    lambda: Swallow(on="create", cut_after=-1),
    lambda: Swallow(on="create", cut_after=1e9),
    lambda: Refuse(on="create", status=204),
    lambda: Refuse(on="create", status=429, retry_after=-1),
    lambda: Refuse(on="create", status=429, retry_after="1\r\nx: y"),
    lambda: Garble(on="create", how="gently"),  # type: ignore[arg-type] # is what it is about
    lambda: Garble(on="create", how="stray-id"),
    lambda: Garble(on="create", how="binary", over="rest"),
    lambda: Stale(on="history", seconds=1, over="ws"),
    lambda: Swallow(on="create", over="carrier"),  # type: ignore[arg-type] # is what it is about
    lambda: CutUpdate(code=1012, torn=True),
    lambda: CutUpdate(code=12),
    lambda: GarbleUpdate(how="stray-id"),  # type: ignore[arg-type] # is what it is about
    lambda: Disconnect(how="narrowly"),  # type: ignore[arg-type] # is what it is about
    lambda: Cut(on="create", part=1),
]


@pytest.mark.parametrize("mistake", MISTAKES)
async def test_impossible_rules_are_refused(
    autojump_clock: MockClock, room: Stage, client: HttpClient, mistake: Any
) -> None:
    """A rule whose values are out of bounds is no rule, and none is in force."""
    with pytest.raises(ValueError):  # noqa: PT011 - of Python's and ours, at two places
        room.exchange.faults.add(mistake())
    assert not room.exchange.faults.are_armed
    assert (await client.request("GET", "/v1/system/time")).status == 200


async def test_every_word_is_a_route(autojump_clock: MockClock, room: Stage, client: HttpClient) -> None:
    """What a rule may be about is served: a word that means nothing would never strike."""
    names = {route.name for route in Rest(room.exchange).routes}
    names |= {call_name(method) for method in room.exchange.open_session().methods}
    room.exchange.faults.add(Refuse(on="time", status=500))
    assert (await client.request("GET", "/v1/system/time")).status == 500
    assert set().union(*CALLS.values(), *GROUPS.values()) <= names
