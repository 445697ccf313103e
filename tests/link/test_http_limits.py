"""The venue's rate limits on the wire: what leaves, what waits, what stays here, and what answers change about it."""

from contextlib import suppress
from functools import partial
from typing import Any

import pytest
import trio
from loguru import logger
from scripted_venue import EPOCH_NS, Reaction, RecordingTape, ScriptedRest, answer, open_pool, serve_tls
from virtual_stage import RTT, Stage, stage, virtually

from bot.core.errors import NotSentError, RequestError
from bot.link.answer import Answer
from bot.link.budgets import Budgets
from bot.link.clock import TrioClock
from bot.link.http import Http, HttpSettings
from bot.link.pool import Lane
from bot.paradex import orders, rest
from bot.paradex.answers import EmptyAnswer
from bot.paradex.request import Request
from bot.simulation.rehearsal import rehearse

ORDER: Request[EmptyAnswer] = Request(method="POST", path="/orders", answer=EmptyAnswer, body=b"{}")
MODIFY: Request[EmptyAnswer] = Request(method="PUT", path="/orders/1", answer=EmptyAnswer, body=b"{}")
CANCEL = orders.cancel("1")
READ: Request[EmptyAnswer] = Request(method="GET", path="/orders", answer=EmptyAnswer)
TIME = rest.system_time()

PRIVATE = 1500
"""Requests a minute from one address; 150 of them are for cancels only."""


def limited(
    remaining: int, *more: str, limit: int = PRIVATE, window: int = 60, status: int = 200
) -> Reaction:
    """An answer that says how much of a limit is left, and what ``more`` says."""
    told = {"limit": limit, "remaining": remaining, "window": window}
    headers = [f"X-RateLimit-{name.title()}: {value}" for name, value in told.items()]
    return answer(b"{}", status, *headers, *more)


async def opened(s: Stage) -> ScriptedRest:
    venue = ScriptedRest()
    await serve_tls(s, venue.serve)
    return venue


async def send(http: Http, request: Request[Any]) -> Answer[Any]:
    lane = Lane.HOUSEKEEPING if request.method == "GET" else Lane.ORDERS
    async with http.reserve(lane) as reservation:
        return await reservation.send(request)


async def waited(http: Http, request: Request[Any]) -> float:
    """Seconds that a request over a warm connection was held back."""
    start = trio.current_time()
    await send(http, request)
    return round(trio.current_time() - start - RTT, 6)


async def left_with(http: Http, venue: ScriptedRest, reaction: Reaction) -> None:
    """Have the venue say this with one answer, and nothing with those that follow."""
    venue.reaction = reaction
    with suppress(RequestError):
        await send(http, READ)
    venue.reaction = answer(b'{"server_time": 1}')


@virtually
async def test_an_order_without_room_is_not_sent() -> None:
    """Neither a new one nor a modification: at once, with the limit's name and when there is room, and no record."""
    async with stage() as s:
        tape = RecordingTape()
        async with open_pool(s, HttpSettings(connections=2), tape=tape) as http:
            venue = await opened(s)
            await http.warm_up(TIME)
            await left_with(http, venue, limited(150))
            asked, written, now = len(venue.asked), len(tape.records), trio.current_time()
            for request in (ORDER, MODIFY):
                with pytest.raises(
                    NotSentError, match=r"1500 private requests a minute has no room for 0\.040 s"
                ):
                    await send(http, request)
            assert (len(venue.asked), len(tape.records), trio.current_time()) == (asked, written, now)
            await trio.sleep(0.04)
            assert await waited(http, ORDER) == 0


@virtually
async def test_a_cancel_spends_the_reserve_and_waits_when_even_that_is_empty() -> None:
    """What others must leave alone is its own, until there is nothing left at all."""
    async with stage() as s, open_pool(s, HttpSettings(connections=2)) as http:
        venue = await opened(s)
        await http.warm_up(TIME)
        await left_with(http, venue, limited(1))
        assert await waited(http, CANCEL) == 0
        await left_with(http, venue, limited(0))
        assert await waited(http, CANCEL) == 0.04
        with pytest.raises(NotSentError):
            await send(http, ORDER)


@virtually
async def test_reads_wait_and_leave_the_cancels_their_share() -> None:
    """Of the requests from one address, too; the public ones are none of them."""
    async with stage() as s, open_pool(s, HttpSettings(connections=2)) as http:
        venue = await opened(s)
        await http.warm_up(TIME)
        await left_with(http, venue, limited(50))
        assert await waited(http, TIME) == 0
        assert await waited(http, CANCEL) == 0
        # 101 more than are there, of 25 a second, and those that came since the answer.
        assert await waited(http, READ) == pytest.approx(102 / 25 - 2 * RTT, abs=0.001)


@virtually
async def test_a_limit_closed_by_429_is_closed_for_cancels_too() -> None:
    """They would be refused. What counts elsewhere goes on; afterwards all is as before."""
    async with stage() as s, open_pool(s, HttpSettings(connections=2)) as http:
        venue = await opened(s)
        await http.warm_up(TIME)
        await left_with(http, venue, limited(0, "Retry-After: 3", status=429))
        with pytest.raises(NotSentError, match=r"no room for 6\.04"):  # and then the reserve comes first
            await send(http, ORDER)
        assert await waited(http, TIME) == 0
        assert await waited(http, CANCEL) == pytest.approx(3 - RTT)
        assert await waited(http, CANCEL) == 0


@virtually
async def test_a_429_that_names_a_limit_closes_that_one() -> None:
    """Reads that are too many are none of the cancels' business."""
    async with stage() as s, open_pool(s, HttpSettings(connections=2)) as http:
        venue = await opened(s)
        await http.warm_up(TIME)
        await left_with(http, venue, limited(0, "Retry-After: 3", limit=600, status=429))
        assert [await waited(http, request) for request in (ORDER, CANCEL)] == [0, 0]
        assert await waited(http, READ) == pytest.approx(3 - 2 * RTT)


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        (["Retry-After: 3"], 3),
        (["Retry-After: Fri, 15 Jan 2027 08:00:09 GMT", "Date: Fri, 15 Jan 2027 08:00:05 GMT"], 4),
        ([], 1),
        (["Retry-After: never", "X-RateLimit-Limit: \xff", "X-RateLimit-Remaining: -1"], 1),
        (["X-RateLimit-Limit: 7", "X-RateLimit-Remaining: 6", "X-RateLimit-Window: 1", "Retry-After: 2"], 2),
    ],
)
@virtually
async def test_a_429_that_names_no_limit_closes_all_that_the_request_counts_against(
    headers: list[str], seconds: float
) -> None:
    """For as long as it says, if it does."""
    async with stage() as s, open_pool(s, HttpSettings(connections=2)) as http:
        venue = await opened(s)
        await http.warm_up(TIME)
        await left_with(http, venue, _raw_answer(headers))
        assert await waited(http, TIME) == 0
        assert await waited(http, CANCEL) == pytest.approx(seconds - RTT)


def _raw_answer(headers: list[str]) -> Reaction:
    lines = ["HTTP/1.1 429 Slow Down", "content-length: 0", *headers, "", ""]

    async def react(stream: trio.abc.Stream, _: object) -> None:
        await stream.send_all("\r\n".join(lines).encode("latin-1"))

    return react


@virtually
async def test_headers_that_make_no_sense_change_nothing() -> None:
    """Nor does a limit that is not in our table; of that the log tells, once."""
    lines: list[str] = []
    sink = logger.add(lines.append, format="{message}", level="WARNING")
    async with stage() as s, open_pool(s, HttpSettings(connections=2)) as http:
        venue = await opened(s)
        await http.warm_up(TIME)
        await left_with(
            http, venue, answer(b"{}", 200, "X-RateLimit-Remaining: 0", "X-RateLimit-Limit: lots")
        )
        for _ in range(2):
            await left_with(http, venue, limited(0, limit=7, window=1))
        assert [await waited(http, request) for request in (ORDER, CANCEL, READ)] == [0, 0, 0]
    logger.remove(sink)
    [line] = lines
    assert "by a limit that is not known here" in line


@virtually
async def test_orders_are_held_to_their_own_limits() -> None:
    """A second allows 800, of which a tenth is for cancels: what an answer says of that limit counts for it."""
    async with stage() as s, open_pool(s, HttpSettings(connections=2)) as http:
        venue = await opened(s)
        await http.warm_up(TIME)
        venue.by_path["/orders"] = limited(80, limit=800, window=1)
        await send(http, ORDER)
        with pytest.raises(NotSentError, match="800 orders a second"):
            await send(http, ORDER)
        assert await waited(http, READ) == 0


@virtually
async def test_a_burst_of_reads_goes_at_the_pace_of_the_limits() -> None:
    """120 at once, then 120 a second, until 600 and those of ten a second are used up; then ten a second."""
    budgets = Budgets(TrioClock(EPOCH_NS))
    times = []
    for _ in range(700):
        await budgets.spend("GET", "/fills")
        times.append(trio.current_time())
    assert times[:120] == [0] * 120
    assert [times[count - 1] for count in (240, 600, 640, 650, 700)] == pytest.approx(
        [1, 4, 4 + 1 / 3, 5, 10]
    )


def test_the_exchange_counts_as_we_do() -> None:
    """With each answer it names the limit that binds next: always one that the request was counted against here."""
    lines: list[str] = []
    sink = logger.add(lines.append, format="{message}", level="WARNING")
    summary = rehearse(lambda rehearsal: rehearsal.trade(10), tls=False)
    logger.remove(sink)
    assert summary.http.order_requests > 10
    assert not [line for line in lines if "limit" in line]


@virtually
async def test_who_gives_way_goes_after_all_others() -> None:
    """Keep-warm can wait: whoever asks later for the same lane, but is in earnest, is served before it."""
    served: list[str] = []

    async def use(http: Http, name: str, *, gives_way: bool = False) -> None:
        async with http.reserve(Lane.HOUSEKEEPING, gives_way=gives_way) as reservation:
            await reservation.send(TIME)
            served.append(name)

    async with stage() as s, open_pool(s) as http:
        await opened(s)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(partial(use, http, "first", gives_way=True))
            await trio.sleep(RTT)
            for number in (1, 2):
                nursery.start_soon(partial(use, http, f"warm {number}", gives_way=True))
            await trio.sleep(RTT / 2)
            for number in (1, 2):
                nursery.start_soon(use, http, f"look-up {number}")
    assert served[0] == "first"
    assert set(served[1:3]) == {"look-up 1", "look-up 2"}
    assert set(served[3:]) == {"warm 1", "warm 2"}


@virtually
async def test_connections_that_are_distrusted_are_opened_anew() -> None:
    """Before anything is sent over them; whoever keeps them warm is told at once."""
    async with stage() as s, open_pool(s) as http:
        venue = await opened(s)
        await http.warm_up(TIME)
        async with trio.open_nursery() as nursery:
            told: list[float] = []

            async def wait() -> None:
                await http.connection_needs_warming()
                told.append(trio.current_time())

            nursery.start_soon(wait)
            await trio.sleep(5)
            http.distrust_connections()
        assert told == [3 * RTT + 5]
        assert not (await send(http, ORDER)).reused
        assert (await send(http, ORDER)).reused
        assert venue.connections == 5


@pytest.mark.parametrize(("path", "status", "is_heard"), [("/orders", 503, True), ("/orders", 500, False)])
@virtually
async def test_an_answer_that_tells_of_a_restriction_is_heard(
    path: str, status: int, *, is_heard: bool
) -> None:
    """By who listens; a question that is asked later is another one."""
    async with stage() as s, open_pool(s) as http:
        venue = await opened(s)
        heard = http.next_restriction()
        venue.by_path[path] = answer(b"", status)
        with pytest.raises(RequestError):
            await send(http, ORDER)
        assert heard.is_set() is is_heard
        assert not http.next_restriction().is_set()
