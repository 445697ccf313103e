"""The pool of HTTP connections: how long requests take, which connection they use, and what is known of failures."""

import gc
import socket
import ssl
import sys
from collections.abc import Awaitable, Callable
from functools import partial

import attrs
import httpx  # noqa: ASYNC127 - facts about the library that the pool relies on
import pytest
import trio
from scripted_venue import (
    ORDER,
    REST_URL,
    TIME,
    TWO,
    Asked,
    Reaction,
    RecordingTape,
    ScriptedRest,
    answer,
    answer_upgrade,
    black_hole,
    cancelled_after,
    cut,
    established,
    hang_up,
    healthy,
    housekeeping,
    mute,
    no_name,
    open_connections,
    open_pool,
    opened_venue,
    order,
    raw,
    refused,
    serve_tcp,
    silence,
    trickle,
)
from virtual_stage import DELAY, RTT, Stage, stage, virtually

from bot.core.errors import BotError, NotSentError, RefusedError, UnknownOutcomeError, retold
from bot.core.tape import HIDDEN, Kind
from bot.link.http import Http, HttpSettings
from bot.link.pool import Lane
from bot.paradex import rest
from bot.simulation.pipe import Ending
from bot.simulation.rehearsal import contexts


async def took(call: Callable[[], Awaitable[object]]) -> float:
    """How many round trips it takes."""
    start = trio.current_time()
    await call()
    return (trio.current_time() - start) / RTT


async def ranked(http: Http, venue: ScriptedRest) -> list[int]:
    """Warm everything up; the connections by how long ago they were used, the stalest first."""
    opened = len(await http.warm_up(TIME))
    venue.asked.clear()
    for _ in range(opened):
        await housekeeping(http)
    used = venue.used
    venue.asked.clear()
    return used


# Times, and which connection is used.


@virtually
async def test_a_cold_request_takes_three_round_trips_and_a_warm_one_takes_one() -> None:
    """TCP, TLS 1.3 and the request; on a kept connection the request alone. The answer tells which it was."""
    async with stage() as s, open_pool(s) as http:
        await opened_venue(s)
        cold, warm = await order(http), await order(http)
        assert (cold.reused, cold.elapsed_ns) == (False, 3 * RTT * 1e9)
        assert (warm.reused, warm.elapsed_ns) == (True, RTT * 1e9)
        assert trio.current_time() == 4 * RTT


@virtually
async def test_warming_up_opens_all_connections_at_once() -> None:
    """All in three round trips together; then nothing is left to warm, until one dies or all have idled too long."""
    async with stage() as s, open_pool(s, HttpSettings(connections=5, idle_timeout=60)) as http:
        venue = await opened_venue(s)
        assert len(await http.warm_up(TIME)) == 5
        assert (trio.current_time(), established(s)) == (3 * RTT, 5)
        assert await http.warm_up(TIME) == []

        venue.by_path["/orders"] = hang_up()
        with pytest.raises(UnknownOutcomeError):
            await order(http)
        [again] = await http.warm_up(TIME)
        assert not again.reused

        await trio.sleep(60)
        assert len(await http.warm_up(TIME)) == 5
        assert len(venue.asked) == 5 + 1 + 1 + 5


@virtually
async def test_a_failed_warm_up_leaves_a_usable_pool() -> None:
    """Each connection says why it could not be opened; when the venue is back all can be."""
    async with stage() as s, open_pool(s) as http:
        await opened_venue(s)
        s.link.refuse()
        with pytest.RaisesGroup(*[NotSentError] * 4):
            await http.warm_up(TIME)
        s.link.heal()
        assert len(await http.warm_up(TIME)) == 4


@virtually
async def test_orders_take_the_freshest_connection_and_housekeeping_the_stalest() -> None:
    """Orders stay on the connection used last; each other request warms the one that needs it most."""
    async with stage() as s, open_pool(s) as http:
        venue = await opened_venue(s)
        *stale, freshest = await ranked(http, venue)
        for _ in range(3):
            await order(http)
        assert venue.used == [freshest] * 3
        venue.asked.clear()
        for _ in range(5):
            await housekeeping(http)
        assert venue.used == [*stale, freshest, stale[0]]
        await order(http)
        assert venue.used[-1] == stale[0]


@virtually
async def test_housekeeping_reopens_closed_connections_before_it_warms_others() -> None:
    """What is closed comes first for housekeeping and last for orders, which stay warm."""
    async with stage() as s, open_pool(s, HttpSettings(connections=3)) as http:
        venue = await opened_venue(s)
        await http.warm_up(TIME)
        venue.by_path["/orders"] = hang_up()
        with pytest.raises(UnknownOutcomeError):
            await order(http)
        venue.by_path["/orders"] = answer()
        assert (await order(http)).reused
        assert not (await housekeeping(http)).reused
        assert venue.used[-1] == 3


@virtually
async def test_an_unused_reservation_leaves_a_connection_as_stale_as_it_was() -> None:
    """A turn that ends without a request, as with an expired token, makes nothing look fresh."""
    async with stage() as s, open_pool(s, HttpSettings(connections=3)) as http:
        venue = await opened_venue(s)
        stalest, *_, freshest = await ranked(http, venue)
        async with http.reserve(Lane.HOUSEKEEPING):
            pass
        await order(http)
        await housekeeping(http)
        assert venue.used == [freshest, stalest]


@virtually
async def test_lanes_limit_what_is_in_flight_and_keep_its_order() -> None:
    """Of many at once: orders on all connections but one, one other request, each lane first come first served."""
    async with stage() as s, open_pool(s) as http:
        venue = await opened_venue(s)
        await http.warm_up(TIME)
        venue.asked.clear()
        venue.most_in_flight.clear()
        venue.by_path = {f"/orders/{n}": answer(after=1) for n in range(12)}
        venue.by_path["/system/time"] = answer(b'{"server_time": 1}', after=1)

        async def place(n: int) -> None:
            async with http.reserve(Lane.ORDERS) as reservation:
                await reservation.send(attrs.evolve(ORDER, path=f"/orders/{n}"))

        async with trio.open_nursery() as nursery:
            for n in range(12):
                nursery.start_soon(place, n)
                await trio.testing.wait_all_tasks_blocked()
            for _ in range(4):
                nursery.start_soon(housekeeping, http)
        asked = [(a.at - venue.asked[0].at, a.path) for a in venue.asked]
        turn = 1 + RTT
        orders = [(at, path) for at, path in asked if path != TIME.path]
        assert sorted(at for at, _ in orders) == [turn * (n // 3) for n in range(12)]
        assert [{path for _, path in orders[n : n + 3]} for n in range(0, 12, 3)] == [
            {f"/orders/{m}" for m in range(n, n + 3)} for n in range(0, 12, 3)
        ]
        assert [at for at, path in asked if path == TIME.path] == [turn * n for n in range(4)]
        assert http.counters.connections_opened == 4


@virtually
async def test_an_order_during_a_warm_up_waits_for_its_turn() -> None:
    """While every connection is being opened an order finds none, and waits for the first that is."""
    async with stage() as s, open_pool(s) as http:
        venue = await opened_venue(s)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(http.warm_up, TIME)
            await trio.sleep(RTT)
            assert (await order(http)).reused
        assert venue.asked[-1].at == 3.5 * RTT
        assert http.counters.connections_opened == 4


@virtually
async def test_the_counters_are_exact() -> None:
    """Requests, those on an open connection, those of orders, those of orders that had to open one; connections."""
    async with stage() as s, open_pool(s, TWO) as http:
        venue = await opened_venue(s)
        await order(http)  # cold
        await order(http)
        await housekeeping(http)  # cold
        venue.by_path["/orders"] = answer(b'{"error": "ORDER_IS_CLOSED"}', 400)
        with pytest.raises(RefusedError):
            await order(http)
        venue.by_path["/orders"] = hang_up()
        with pytest.raises(UnknownOutcomeError):
            await order(http)
        s.link.refuse()
        s.link.cut()
        with pytest.raises(NotSentError):
            await order(http)  # cold, and nothing was opened
        assert attrs.asdict(http.counters) == {
            "connections_opened": 2,
            "requests": 6,
            "reused": 3,
            "order_requests": 5,
            "order_requests_cold": 2,
        }
        assert len(venue.asked) == 5


@virtually
async def test_a_connection_that_the_venue_closed_while_idle_is_reopened_without_an_error() -> None:
    """The request is sent once, over a new connection, and counted as cold."""
    async with stage() as s, open_pool(s, TWO) as http:
        venue = await opened_venue(s)
        await order(http)
        s.link.cut(Ending.FIN)
        await trio.sleep(RTT)
        assert await took(partial(order, http)) == 3.0
        assert len(venue.asked) == 2
        assert (http.counters.order_requests_cold, http.counters.connections_opened) == (2, 2)


@virtually
async def test_a_connection_that_the_venue_announces_to_close_is_not_used_again() -> None:
    """``Connection: close`` is obeyed: the next request opens another connection."""
    async with stage() as s, open_pool(s, TWO) as http:
        venue = await opened_venue(s)
        venue.reaction = answer(b"{}", 200, "connection: close")
        await order(http)
        assert await took(partial(order, http)) == 3.0
        assert venue.used == [0, 1]


# When a connection needs warming.


@virtually
async def test_a_connection_needs_warming_half_the_idle_timeout_after_the_stalest_use() -> None:
    """Not before, not later, and use of the stalest puts it off."""
    async with stage() as s, open_pool(s, HttpSettings(connections=2, idle_timeout=60)) as http:
        await opened_venue(s)
        await http.warm_up(TIME)
        warmed = trio.current_time()
        await http.connection_needs_warming()
        assert trio.current_time() == warmed + 30
        await housekeeping(http)  # the stalest; the other one is as old as before
        await http.connection_needs_warming()
        assert trio.current_time() == warmed + 30 + RTT
        await housekeeping(http)
        await http.connection_needs_warming()
        assert trio.current_time() == warmed + 60 + RTT


@virtually
async def test_a_closed_connection_needs_warming_at_once() -> None:
    """So does one that goes cold while somebody waits: a request on it fails, or is cancelled."""
    async with stage() as s, open_pool(s, TWO) as http:
        venue = await opened_venue(s)
        await http.connection_needs_warming()
        assert trio.current_time() == 0
        await http.warm_up(TIME)
        venue.by_path["/orders"] = hang_up()
        async with trio.open_nursery() as nursery:
            nursery.start_soon(http.connection_needs_warming)
            await trio.sleep(10)
            with pytest.raises(UnknownOutcomeError):
                await order(http)
            failed = trio.current_time()
        assert trio.current_time() == failed

        await http.warm_up(TIME)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(http.connection_needs_warming)
            await trio.sleep(10)
            with trio.move_on_after(DELAY):
                await order(http)
            cancelled = trio.current_time()
        assert trio.current_time() == cancelled


@virtually
async def test_busy_connections_do_not_need_warming() -> None:
    """While all are in use there is nothing to warm; the time runs from when they were."""
    async with (
        stage() as s,
        open_pool(s, HttpSettings(connections=2, idle_timeout=20, request_timeout=60)) as http,
    ):
        venue = await opened_venue(s)
        await http.warm_up(TIME)
        venue.reaction = answer(b'{"server_time": 1}', after=25)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(order, http)
            nursery.start_soon(housekeeping, http)
            await trio.testing.wait_all_tasks_blocked()
            await http.connection_needs_warming()
        assert trio.current_time() == 3 * RTT + 25 + RTT + 10


# The outcome table (faults.md, section 1): not sent.


@pytest.mark.parametrize(
    ("fault", "url", "tls", "words", "after"),
    [
        (no_name, REST_URL, None, "gaierror: .* name resolution", 0),
        (refused, REST_URL, None, "ConnectionRefusedError: .* refused", RTT),
        (black_hole, REST_URL, None, "deadline passed", 4),
        (healthy, REST_URL, ssl.create_default_context(), "unable to get local issuer", 2 * RTT),
        (healthy, "https://other.test/v1", None, "Hostname mismatch.* 'other.test'", 2 * RTT),
        (healthy, "https://venue.test:80/v1", None, "wrong version number|record layer", 2 * RTT),
        (healthy, "https://venue.test:81/v1", None, "deadline passed", RTT + 4),
    ],
    ids=["no-name", "refused", "black-hole", "unknown-ca", "wrong-host", "no-tls", "silent-tls"],
)
@virtually
async def test_what_no_connection_came_about_for_was_not_sent(
    fault: Callable[[Stage], None], url: str, tls: ssl.SSLContext | None, words: str, after: float
) -> None:
    """NotSentError with the cause in words; the venue saw no request, and nothing stays open."""
    async with stage() as s, open_pool(s, HttpSettings(connect_timeout=4), url=url, tls=tls) as http:
        venue = await opened_venue(s)
        await serve_tcp(s, answer_upgrade(b"HTTP/1.1 400 Bad Request\r\n\r\n"), 80)
        await serve_tcp(s, mute, 81)
        s.network.names.set("other.test", "10.0.0.2")
        fault(s)
        with pytest.raises(NotSentError, match=f"^POST /orders: .*({words})"):
            await order(http)
        assert trio.current_time() == after
        assert (venue.asked, open_connections(s)) == ([], 0)


# The outcome table: nobody knows.


NESTED = b'{"a": ' + b"[" * 100_000


def faulty(reaction: Reaction) -> Callable[[Stage], Reaction]:
    return lambda _: reaction


@pytest.mark.parametrize(
    ("reaction", "words", "after"),
    [
        (lambda s: cut(s, Ending.RST), "ReadError|ConnectionResetError", DELAY),
        (lambda s: cut(s, Ending.FIN), "RemoteProtocolError|disconnected", DELAY),
        (faulty(hang_up()), "disconnected", RTT),
        (faulty(hang_up(b"HTTP/1.1 201 Created\r\ncontent-length: 9\r\n\r\n{}")), "incomplete|without", RTT),
        (faulty(hang_up(b"HTTP/1.1 201 Crea")), "disconnected", RTT),
        (faulty(raw(b"Good morning!\r\n\r\n")), "illegal status line", RTT),
        (faulty(silence), "deadline passed", 7),
        (
            faulty(trickle(b"HTTP/1.1 201 Created\r\ncontent-length: 2\r\n\r\n{}", every=1)),
            "deadline passed",
            7,
        ),
    ],
    ids=[
        "reset",
        "eof",
        "hang-up",
        "half-an-answer",
        "half-a-head",
        "garbage",
        "silence",
        "trickle",
    ],
)
@pytest.mark.parametrize("warm", [False, True], ids=["cold", "warm"])
@virtually
async def test_what_may_have_arrived_is_unknown(
    reaction: Callable[[Stage], Reaction], words: str, after: float, *, warm: bool
) -> None:
    """UnknownOutcomeError with the cause in words, at our own deadline at the latest; sent once; and the pool works.

    The deadline is of the whole request, however often something arrives.
    """
    async with stage() as s, open_pool(s, HttpSettings(request_timeout=7)) as http:
        venue = await opened_venue(s)
        if warm:
            await http.warm_up(TIME)
        venue.by_path["/orders"] = reaction(s)
        start = trio.current_time()
        with pytest.raises(UnknownOutcomeError, match=f"^POST /orders: .*({words})"):
            await order(http)
        opening = 0 if warm or after == 7 else 2 * RTT
        assert trio.current_time() == start + opening + after
        assert [asked.path for asked in venue.asked].count("/orders") == 1
        venue.by_path["/orders"] = answer()
        await order(http)
        assert [asked.path for asked in venue.asked].count("/orders") == 2


@virtually
async def test_an_answer_that_cannot_be_unpacked_is_unknown() -> None:
    """Garbage that claims to be gzip is no answer."""
    async with stage() as s, open_pool(s) as http:
        venue = await opened_venue(s)
        venue.reaction = answer(b"not zipped", 201, "content-encoding: gzip")
        with pytest.raises(UnknownOutcomeError, match="incorrect header check"):
            await order(http)
        assert (len(venue.asked), open_connections(s)) == (1, 0)
    gc.collect()


@virtually
async def test_a_connection_that_dies_under_the_request_leaves_it_unknown() -> None:
    """A kept connection that ends while the request is on its way is no invitation to send it again."""
    async with stage() as s, open_pool(s) as http:
        venue = await opened_venue(s)
        await order(http)
        s.network.after(DELAY / 2, s.link.cut, Ending.FIN)
        with pytest.raises(UnknownOutcomeError):
            await order(http)
        await trio.sleep(10)
        assert len(venue.asked) == 1


@virtually
async def test_a_network_that_falls_silent_after_sending_leaves_it_unknown() -> None:
    """On a warm connection whatever happens after the first byte is unknown, also when nothing arrives."""
    async with stage() as s, open_pool(s, HttpSettings(request_timeout=7)) as http:
        venue = await opened_venue(s)
        await order(http)
        s.link.black_hole()
        start = trio.current_time()
        with pytest.raises(UnknownOutcomeError, match="deadline passed"):
            await order(http)
        assert trio.current_time() == start + 7
        assert (len(venue.asked), open_connections(s)) == (1, 0)


@pytest.mark.parametrize(
    ("status", "body", "kind"),
    [
        (400, b'{"error": "INVALID_ORDER_SIZE", "message": "too small"}', RefusedError),
        (401, b'{"error": "INVALID_TOKEN", "message": "expired"}', RefusedError),
        (429, b'{"error": "RATE_LIMIT", "message": "slow down"}', RefusedError),
        (503, b'{"error": "SYSTEM_STATUS_CANCEL_ONLY", "message": ""}', RefusedError),
        (400, b"<html>nginx</html>", UnknownOutcomeError),
        (429, b"", UnknownOutcomeError),
        (500, b'{"error": "INTERNAL", "message": "oops"}', UnknownOutcomeError),
        (502, b"<html>bad gateway</html>", UnknownOutcomeError),
        (503, b"", UnknownOutcomeError),
        (504, b"", UnknownOutcomeError),
        (307, b"", UnknownOutcomeError),
        (200, b'{"error": ', UnknownOutcomeError),
        (200, b"[]", UnknownOutcomeError),
        (200, NESTED, UnknownOutcomeError),
        (400, NESTED, UnknownOutcomeError),
    ],
)
@virtually
async def test_an_answer_is_classed_by_status_and_code(
    status: int, body: bytes, kind: type[BotError]
) -> None:
    """As the table says; the connection that brought the answer stays warm, and nothing is followed or repeated."""
    async with stage() as s, open_pool(s) as http:
        venue = await opened_venue(s)
        venue.reaction = answer(body, status, "location: /v1/elsewhere")
        with pytest.raises(kind):
            await order(http)
        assert len(venue.asked) == 1
        venue.reaction = answer()
        await trio.sleep(1)  # a 429 closes a limit for so long
        assert (await order(http)).reused


# Cancellation, and the end.


@virtually
async def test_a_request_whose_permit_ended_stays_here() -> None:
    """It is asked for when the connection is open and the first byte is about to leave, on a warm one too."""
    asked: list[float] = []

    def refuse() -> None:
        asked.append(trio.current_time() / RTT)
        raise NotSentError("too late")

    async with stage() as s, open_pool(s) as http:
        venue = await opened_venue(s)
        for _ in range(2):
            async with http.reserve(Lane.ORDERS) as reservation:
                with pytest.raises(NotSentError, match="too late"):
                    await reservation.send(ORDER, refuse)
            await housekeeping(http)
        assert asked == [2, 2 + 3]
        assert [request.method for request in venue.asked] == ["GET", "GET"]


@virtually
async def test_a_cancelled_request_closes_its_connection_and_nothing_leaks() -> None:
    """Cancelled at every step of its life, one by one: what was opened is closed, and the pool still works."""
    async with stage() as s, open_pool(s, TWO) as http:
        venue = await opened_venue(s)
        steps = 1
        while await cancelled_after(steps, partial(order, http)):
            assert open_connections(s) == 0
            steps += 1
        assert steps > 17
        arrived = len(venue.asked)
        assert (await order(http)).reused
        assert (open_connections(s), len(await http.warm_up(TIME))) == (1, 1)
        assert len(venue.asked) == arrived + 2
    gc.collect()


@virtually
async def test_a_cancelled_wait_for_a_turn_costs_nothing() -> None:
    """Who gives up waiting leaves the lane and every connection as they were."""
    async with stage() as s, open_pool(s, TWO) as http:
        venue = await opened_venue(s)
        await http.warm_up(TIME)
        venue.by_path["/orders"] = answer(after=5)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(order, http)
            await trio.testing.wait_all_tasks_blocked()
            for _ in range(17):
                with trio.move_on_after(0.125) as scope:
                    await order(http)
                assert scope.cancelled_caught
        venue.by_path["/orders"] = answer()
        assert (await order(http)).reused
        assert http.counters.connections_opened == 2


@pytest.mark.parametrize("cancelled", [False, True])
@virtually
async def test_the_end_of_the_pool_closes_every_connection(*, cancelled: bool) -> None:
    """Also one with a request in flight, and also when the end is a cancellation; at once, in both cases."""
    async with stage() as s:
        venue = await opened_venue(s)
        venue.by_path["/orders"] = silence
        with trio.CancelScope() as scope:
            async with open_pool(s) as http, trio.open_nursery() as nursery:
                await http.warm_up(TIME)
                nursery.start_soon(order, http)
                await trio.sleep(1)
                assert open_connections(s) == 4
                ended = trio.current_time()
                (scope if cancelled else nursery.cancel_scope).cancel()
        assert (open_connections(s), trio.current_time()) == (0, ended)


# What is written down, and what is set.


@virtually
async def test_the_tape_shows_requests_and_answers_and_no_secrets() -> None:
    """Signatures and tokens never are written down, nor the answer to a login, whether it is a token or a refusal.

    Each exchange has a number, which the answer tells; and each request says what it is made because of.
    """
    tape = RecordingTape()
    login = rest.auth(account="0x1", public_key="0x2", signature="[5,6]", timestamp_s=1, expiration_s=2)
    async with stage() as s, open_pool(s, tape=tape) as http:
        venue = await opened_venue(s)
        async with http.reserve(Lane.HOUSEKEEPING) as reservation:
            venue.reaction = answer(b'{"jwt_token": "eyJsecret"}')
            assert (await reservation.send(login)).exchange == 1
            venue.reaction = answer(b'{"error": "NO", "message": "not eyJsecret"}', 400)
            with pytest.raises(RefusedError):
                await reservation.send(login)
            venue.reaction = answer()
            signed = attrs.evolve(
                ORDER,
                body=b'{"size":"1","signature":"[5,6]"}',
                secrets=("[5,6]",),
                cause=17,
            )
            assert (await reservation.send(signed, bearer="eyJsecret")).exchange == 3
        assert venue.asked[0].headers["paradex-starknet-signature"] == "[5,6]"
        assert venue.asked[2].headers["authorization"] == "Bearer eyJsecret"
        assert venue.asked[2].headers["content-type"] == "application/json"
        assert venue.asked[2].body == signed.body
    login_shown = {
        "of": 0,
        "lane": "housekeeping",
        "method": "POST",
        "path": "/auth/0x2",
        "headers": {
            "PARADEX-STARKNET-ACCOUNT": "0x1",
            "PARADEX-STARKNET-SIGNATURE": HIDDEN,
            "PARADEX-TIMESTAMP": "1",
            "PARADEX-SIGNATURE-EXPIRATION": "2",
        },
    }
    order_shown = {
        "of": 17,
        "lane": "housekeeping",
        "method": "POST",
        "path": "/orders",
        "body": f'{{"size":"1","signature":"{HIDDEN}"}}',
    }
    cold, warm = {"reused": False, "elapsed_ns": 3 * RTT * 1e9}, {"reused": True, "elapsed_ns": RTT * 1e9}
    assert [(each.ns / 1e9, str(each.kind), each.data) for each in tape.records] == [
        (0, "http>", {"x": 1, **login_shown}),
        (3 * RTT, "http<", {"x": 1, "status": 200, **cold, "body": HIDDEN}),
        (3 * RTT, "http>", {"x": 2, **login_shown}),
        (4 * RTT, "http<", {"x": 2, "status": 400, **warm, "body": HIDDEN}),
        (4 * RTT, "http>", {"x": 3, **order_shown}),
        (5 * RTT, "http<", {"x": 3, "status": 200, **warm, "body": "{}"}),
    ]


@virtually
async def test_the_tape_shows_how_a_request_failed() -> None:
    """What the caller is told, a cancellation too, and an answer that is no text; and in which lane it was."""
    tape = RecordingTape()
    raised: list[BotError] = []
    async with stage() as s, open_pool(s, TWO, tape=tape) as http:
        s.link.refuse()
        with pytest.raises(NotSentError) as caught:
            await order(http)
        raised.append(caught.value)
        s.link.heal()
        venue = await opened_venue(s)
        venue.reaction = hang_up()
        with pytest.raises(UnknownOutcomeError) as lost:
            await housekeeping(http)
        raised.append(lost.value)
        venue.reaction = silence
        with trio.move_on_after(5):
            await housekeeping(http)
        venue.reaction = answer(b"\xff{}")
        with pytest.raises(UnknownOutcomeError):
            await order(http)
    requests = tape.told(Kind.REQUEST)
    assert [(told["x"], told["lane"]) for _, told in requests] == [
        (1, "orders"),
        (2, "housekeeping"),
        (3, "housekeeping"),
        (4, "orders"),
    ]
    *failures, cancelled = tape.told(Kind.FAILURE)
    assert cancelled == ("http!", {"x": 3, "failure": "cancelled"})
    assert [told["x"] for _, told in failures] == [1, 2]
    for (_, told), error in zip(failures, raised, strict=True):
        assert (type(retold(told)), str(retold(told))) == (type(error), str(error))
    [(_, answered)] = tape.told(Kind.ANSWER)
    assert (answered["x"], answered["body"]) == (4, {"bytes": "ÿ{}"})


class Recorder(trio.abc.SocketFactory):
    """Remembers the sockets that are made."""

    def __init__(self, factory: trio.abc.SocketFactory) -> None:
        self._factory = factory
        self.made: list[trio.socket.SocketType] = []

    def socket(
        self,
        family: socket.AddressFamily | int = socket.AF_INET,
        type: socket.SocketKind | int = socket.SOCK_STREAM,  # noqa: A002 - trio's name
        proto: int = 0,
    ) -> trio.socket.SocketType:
        self.made.append(self._factory.socket(family, type, proto))
        return self.made[-1]


@virtually
async def test_the_kernel_probes_idle_connections() -> None:
    """TCP keepalive is on, after the seconds of the settings."""
    if sys.platform == "darwin":
        idle = socket.TCP_KEEPALIVE
    else:
        idle = socket.TCP_KEEPIDLE
    async with stage() as s, open_pool(s, HttpSettings(tcp_keepalive=45)) as http:
        await opened_venue(s)
        recorder = Recorder(s.network)
        trio.socket.set_custom_socket_factory(recorder)
        await order(http)
        [made] = [
            made for made in recorder.made if s.network.here() is s.bot and made.getpeername()[1] == 443
        ]
        assert made.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE) == 1
        assert made.getsockopt(socket.IPPROTO_TCP, idle) == 45


# Facts about the libraries.


def test_httpx_forgets_idle_connections_unless_told_otherwise() -> None:
    """Five seconds: a bot that waits for a price would send its order over a cold connection."""
    assert httpx.Limits().keepalive_expiry == 5.0


@virtually
async def test_the_pool_of_httpx_never_warms_its_second_connection() -> None:
    """Of its idle connections it takes the first, however many others would need it: why the pool here is our own."""
    async with stage() as s:
        venue = await opened_venue(s)
        limits = httpx.Limits(keepalive_expiry=None)
        async with httpx.AsyncClient(verify=contexts()[1], trust_env=False, limits=limits) as client:
            with s.network.on(s.bot):
                async with trio.open_nursery() as nursery:
                    for _ in range(3):
                        nursery.start_soon(client.get, REST_URL)
                venue.asked.clear()
                for _ in range(3):
                    await client.get(REST_URL)
        assert len(set(venue.used)) == 1


@virtually
async def test_an_order_is_answered_with_what_the_venue_says_next() -> None:
    """Answers never get mixed up: a connection whose answer nobody read is closed, not used again."""
    async with stage() as s, open_pool(s, TWO) as http:
        venue = await opened_venue(s)

        async def echo(stream: trio.abc.Stream, asked: Asked) -> None:
            await answer(b'{"server_time": "%d"}' % len(venue.asked), after=1)(stream, asked)

        venue.reaction = echo
        with trio.move_on_after(3 * RTT):
            await housekeeping(http)
        assert (await housekeeping(http)).value.server_time == "2"
