"""Rate limits: the buckets themselves, and what clients see of them over HTTP and WebSocket."""

# ruff: noqa: ARG001 - pytest-trio takes its clock from the arguments of a test

from collections.abc import AsyncIterator, Iterator
from fractions import Fraction
from itertools import count
from math import ceil, floor
from typing import Any

import pytest
import trio
import trio.testing
from exchange_stage import EPOCH, HttpClient, Stage, Trader, stage
from hypothesis import given
from hypothesis import strategies as st
from trio.testing import MockClock

from bot.exchange.identity.quota import (
    CONNECTS,
    LOGIN,
    ORDER_WRITES,
    PRIVATE,
    PRIVATE_READS,
    PUBLIC,
    RETAIL_ORDERS,
    Meter,
    QuotaExceeded,
    Quotas,
    Rate,
    Standing,
)
from bot.exchange.transport.http import Answer, Request

HERE = "127.0.0.1"
ELSEWHERE = "203.0.113.7"
NAMES = ("limit", "remaining", "reset", "window")
SECOND = 1_000_000_000


class SetClock:
    """A clock that stands where it is put. Wall time is half a second ahead of a whole one."""

    def __init__(self) -> None:
        self.now_ns = 7 * SECOND

    def monotonic_ns(self) -> int:
        return self.now_ns

    def wall_ns(self) -> int:
        return EPOCH * SECOND + SECOND // 2 + self.now_ns


@pytest.fixture
def clock() -> SetClock:
    return SetClock()


@pytest.fixture
def quotas(clock: SetClock) -> Quotas:
    return Quotas(clock, enforced=True)


def accepted(take: Any, *args: Any, most: int) -> int:
    """How often one may take until it is refused, ``most`` at most."""
    for number in range(most):
        try:
            take(*args)
        except QuotaExceeded:
            return number
    return most


@given(
    limit=st.integers(1, 30),
    seconds=st.sampled_from([1, 7, 60]),
    pauses=st.lists(
        st.sampled_from([0, 0, 0, 1, SECOND // 3, SECOND, 2_000_000_001, 70 * SECOND]), max_size=60
    ),
)
def test_a_meter_is_a_bucket_that_refills_continuously(limit: int, seconds: int, pauses: list[int]) -> None:
    """It allows, refuses and counts exactly as a bucket of fractions does; its wait is the shortest that helps."""
    meter = Meter(Rate(limit, seconds))
    now, tokens = 0, Fraction(limit)
    for pause in pauses:
        now += pause
        tokens = min(Fraction(limit), tokens + Fraction(pause * limit, seconds * SECOND))
        wait = meter.wait_ns("somebody", now)
        assert wait == max(0, ceil((1 - tokens) * seconds * SECOND / limit))
        standing = meter.standing("somebody", now, now)
        assert standing.remaining == floor(tokens)
        assert standing.retry_after_s == ceil(wait / SECOND)
        if not wait:
            meter.take("somebody", now)
            tokens -= 1


@pytest.mark.parametrize(
    ("take", "rates"),
    [
        ("public", PUBLIC),
        ("auth", LOGIN),
        ("onboarding", LOGIN),
        ("private", PRIVATE),
        ("connect", CONNECTS),
    ],
)
def test_addresses_have_the_limits_of_the_table(quotas: Quotas, take: str, rates: tuple[Rate, ...]) -> None:
    """Each kind of request by address has its own limit, and each address its own bucket."""
    taken = getattr(quotas, f"take_{take}")
    assert accepted(taken, HERE, most=2000) == min(rate.limit for rate in rates)
    with pytest.raises(QuotaExceeded):
        taken(HERE)
    taken(ELSEWHERE)


def test_the_table_is_the_venues() -> None:
    """Protocol reference 3.8, rate by rate."""
    table = [PUBLIC, LOGIN, ORDER_WRITES, PRIVATE_READS, PRIVATE, CONNECTS, RETAIL_ORDERS]
    assert [[(rate.limit, rate.seconds) for rate in rates] for rates in table] == [
        [(1500, 60)],
        [(600, 60)],
        [(800, 1), (17_250, 60)],
        [(120, 1), (600, 60)],
        [(1500, 60)],
        [(20, 1), (600, 60)],
        [(3, 1), (30, 60), (300, 3600), (1000, 86_400)],
    ]


def test_accounts_share_the_limit_of_their_address(quotas: Quotas, clock: SetClock) -> None:
    """800 writes of one account in a moment, 700 more of another, and then the address has had its 1500."""
    assert accepted(quotas.take_order_write, 1, HERE, most=2000) == 800
    assert accepted(quotas.take_order_write, 2, HERE, most=2000) == 700
    with pytest.raises(QuotaExceeded) as refused:
        quotas.take_private_read(3, HERE)
    assert (refused.value.standing.limit, refused.value.standing.window_s) == (1500, 60)
    quotas.take_order_write(3, ELSEWHERE)


def test_the_minute_binds_who_keeps_just_below_the_second(quotas: Quotas, clock: SetClock) -> None:
    """Writes from many addresses at 790 a second: 17,250 and what refills meanwhile, then 287.5 a second."""
    allowed = 0
    for second in range(40):
        for number in range(790):
            allowed += accepted(quotas.take_order_write, 1, f"10.0.{second % 250}.{number % 250}", most=1)
        clock.now_ns += SECOND
    assert allowed == 17_250 + floor(39 * 287.5)


def test_a_refused_request_takes_nothing(quotas: Quotas, clock: SetClock) -> None:
    """However often one asks beyond the limit, the next request is allowed as soon as one token is there."""
    assert accepted(quotas.take_public, HERE, most=2000) == 1500
    for _ in range(100):
        with pytest.raises(QuotaExceeded):
            quotas.take_public(HERE)
    clock.now_ns += 40 * 10**6 - 1
    assert accepted(quotas.take_public, HERE, most=9) == 0
    clock.now_ns += 1
    assert accepted(quotas.take_public, HERE, most=9) == 1


def test_a_request_refused_by_one_limit_is_not_counted_by_another(quotas: Quotas) -> None:
    """Reads that the account's limit refuses leave the address's alone."""
    assert accepted(quotas.take_private_read, 1, HERE, most=2000) == 120
    for _ in range(2000):
        assert accepted(quotas.take_private_read, 1, HERE, most=1) == 0
    assert accepted(quotas.take_private, HERE, most=2000) == 1380


def test_a_standing_says_limit_rest_reset_and_wait(quotas: Quotas, clock: SetClock) -> None:
    """Reset is unix seconds when all is there again, window seconds, and the wait whole seconds, rounded up."""
    now_s = EPOCH + 7
    assert quotas.take_public(HERE) == Standing(1500, 1499, now_s + 1, 60, 0)
    accepted(quotas.take_public, HERE, most=1498)
    assert quotas.take_public(HERE) == Standing(1500, 0, now_s + 61, 60, 1)
    with pytest.raises(QuotaExceeded) as refused:
        quotas.take_public(HERE)
    assert refused.value.status == 429
    assert dict(refused.value.standing.headers()) == {
        "x-ratelimit-limit": "1500",
        "x-ratelimit-remaining": "0",
        "x-ratelimit-reset": str(now_s + 61),
        "x-ratelimit-window": "60",
        "retry-after": "1",
    }


def test_the_tightest_limit_is_told(quotas: Quotas, clock: SetClock) -> None:
    """Of the limits that apply, the one with the least left."""
    standing = quotas.take_private_read(1, HERE)
    assert standing is not None
    assert (standing.limit, standing.remaining, standing.window_s) == (120, 119, 1)
    for _ in range(5):
        accepted(quotas.take_private_read, 1, HERE, most=119)
        clock.now_ns += SECOND
    standing = quotas.take_private_read(1, HERE)
    assert standing is not None
    assert (standing.limit, standing.window_s) == (600, 60)


def test_interactive_orders_beyond_the_limits_are_pro_orders(quotas: Quotas, clock: SetClock) -> None:
    """3 a second, 30 a minute, 300 an hour, 1000 a day are Retail; nothing is refused, and an account is one."""
    assert (quotas.take_retail(1, 2), quotas.take_retail(1, 2)) == (True, False)
    assert [quotas.take_retail(1) for _ in range(3)] == [True, False, False]
    assert (quotas.is_retail(1), quotas.is_retail(2), quotas.take_retail(2, 4)) == (False, True, False)
    retail = 3
    for _ in range(100):
        clock.now_ns += SECOND
        retail += sum(quotas.take_retail(1) for _ in range(3))
    assert retail == 30 + 50
    for _ in range(48 * 60):
        clock.now_ns += 60 * SECOND
        retail += sum(quotas.take_retail(1) for _ in range(3))
    # A day's bucket, and what it refilled with in two days.
    assert retail == pytest.approx(3000, abs=3)


def test_without_limits_nothing_is_counted(clock: SetClock) -> None:
    """Nothing is refused, and there is nothing to tell."""
    quotas = Quotas(clock, enforced=False)
    for _ in range(2000):
        assert quotas.take_public(HERE) is None
        assert quotas.take_order_write(1, HERE) is None
        assert quotas.take_retail(1)


def test_addresses_that_are_quiet_again_are_forgotten() -> None:
    """A hundred thousand addresses, one after the other: what is kept is bounded by those of the last minute."""
    meter = Meter(PUBLIC[0])
    for number in range(100_000):
        meter.take(number, number * SECOND // 20)
        assert len(meter) <= 1024
    assert meter.missing(99_999, 99_999 * SECOND // 20) > 0


# -- over the wire -----------------------------------------------------------------------------------------


@pytest.fixture
async def room(autojump_clock: MockClock) -> AsyncIterator[Stage]:
    async with stage(activity=0) as it:
        yield it


@pytest.fixture
async def client(room: Stage) -> HttpClient:
    return room.http()


@pytest.fixture
def addresses() -> Iterator[str]:
    return (f"10.1.{number // 250}.{number % 250}" for number in count())


async def ask(room: Stage, method: str, path: str, peer: str = HERE, token: str = "") -> Answer:
    segments = tuple(path.split("/")[1:])
    headers = {"authorization": f"Bearer {token}"} if token else {}
    return await room.rest.handle(Request(method, segments, {}, headers, b"", peer))


def standing(answer: Answer) -> tuple[int, ...]:
    """Limit, rest, reset (seconds from the epoch of the stage) and window of an answer's headers."""
    headers = dict(answer.headers)
    values = [int(headers[f"x-ratelimit-{name}"]) for name in NAMES]
    values[2] -= EPOCH
    assert "retry-after" in headers
    return tuple(values)


async def test_every_answer_says_how_the_client_stands(
    autojump_clock: MockClock, room: Stage, client: HttpClient
) -> None:
    """Served or refused, known or not: each answer that counts carries the five headers, each of its own limit."""
    trader = Trader()
    assert standing(await ask(room, "POST", "/v1/onboarding")) == (600, 599, 1, 60)
    assert standing(await ask(room, "POST", "/v1/auth")) == (600, 599, 1, 60)
    await trader.log_in(client)
    for method, path in [
        ("GET", "/v1/system/time"),
        ("GET", "/v1/onboarding"),
        ("GET", "/v1/nothing"),
        ("PATCH", "/v1/markets"),
        ("HEAD", "/v1/markets"),
        ("POST", "/v1/account/keys/subkeys/activate"),
    ]:
        assert standing(await ask(room, method, path))[::3] == (1500, 60), path
    assert standing(await ask(room, "GET", "/v1/orders"))[:2] == (1500, 1499)  # whose token does not hold
    assert standing(await ask(room, "GET", "/v1/orders", token=trader.token))[:2] == (120, 119)
    assert standing(await ask(room, "POST", "/v1/orders", token=trader.token))[:2] == (800, 799)
    assert standing(await ask(room, "DELETE", "/v1/orders", token=trader.token))[:2] == (800, 798)
    assert standing(await ask(room, "PUT", "/v1/orders/1", token=trader.token))[:2] == (800, 797)
    assert standing(await ask(room, "POST", "/v1/account/tokens", token=trader.token))[:2] == (1500, 1494)
    assert standing(await ask(room, "GET", "/v1/system/time"))[:2] == (1500, 1493)


async def test_too_many_requests_are_429_until_one_is_allowed_again(
    autojump_clock: MockClock, room: Stage, client: HttpClient
) -> None:
    """The body is an error in the venue's form; other addresses go on, and after the wait so does this one."""
    for _ in range(1500):
        assert (await ask(room, "GET", "/v1/system/state")).status == 200
    reply = await client.request("GET", "/v1/system/state")
    assert reply.status == 429
    assert set(reply.json()) == {"error", "message", "data"}
    assert reply.headers["retry-after"] == "1"
    assert reply.headers["x-ratelimit-remaining"] == "0"
    assert reply.headers["x-ratelimit-reset"] == str(EPOCH + 60)
    assert (await ask(room, "GET", "/v1/nothing")).status == 429
    assert (await ask(room, "GET", "/v1/system/state", ELSEWHERE)).status == 200
    await trio.sleep(1)
    assert (await client.request("GET", "/v1/system/state")).status == 200


async def test_guessing_tokens_is_limited(autojump_clock: MockClock, room: Stage) -> None:
    """Private requests without a token that holds are 401 1500 times, and then 429."""
    statuses = [(await ask(room, "GET", "/v1/orders", token="guess")).status for _ in range(1502)]
    assert statuses == [401] * 1500 + [429] * 2


async def test_order_writes_of_an_account_are_limited(
    autojump_clock: MockClock, room: Stage, client: HttpClient, addresses: Iterator[str]
) -> None:
    """800 in a second from wherever they come; reads go on meanwhile."""
    trader = Trader()
    await trader.log_in(client)
    statuses = [
        (await ask(room, "DELETE", "/v1/orders", next(addresses), trader.token)).status for _ in range(802)
    ]
    assert statuses == [200] * 800 + [429] * 2
    assert (await ask(room, "GET", "/v1/orders", next(addresses), trader.token)).status == 200


async def test_without_limits_there_are_no_headers(autojump_clock: MockClock) -> None:
    """With the setting none, nothing is refused and nothing is said."""
    async with stage(activity=0, rate_limits="none") as room:
        for _ in range(1600):
            answer = await ask(room, "GET", "/v1/system/state")
            assert (answer.status, answer.headers) == (200, ())


async def test_the_twenty_first_socket_in_a_second_is_refused(autojump_clock: MockClock, room: Stage) -> None:
    """Its upgrade is answered with 429, and a moment later one is let in again."""
    upgrade = b"GET /v1 HTTP/1.1\r\nhost: x\r\n\r\n"

    async def connect() -> bytes:
        stream = room.raw_websocket()
        await stream.send_all(upgrade)
        return bytes(await stream.receive_some(4096))

    first = [(await connect())[:12] for _ in range(20)]
    assert first == [b"HTTP/1.1 426"] * 20
    refused = await connect()
    assert refused.startswith(b"HTTP/1.1 429")
    assert b"retry-after: 1\r\n" in refused.lower()
    await trio.sleep(0.05)
    assert (await connect()).startswith(b"HTTP/1.1 426")


async def test_retail_orders_over_rest_turn_pro_beyond_their_limit(
    autojump_clock: MockClock, room: Stage, client: HttpClient
) -> None:
    """A batch that would exceed three in a second is accepted, but unflagged, and at once in the engine."""
    trader = Trader()
    await trader.log_in(client, "?token_usage=interactive")

    async def place(number: int) -> tuple[bool, str]:
        batch = [trader.order() for _ in range(number)]
        orders = (await trader.ask(client, "POST", "/v1/orders/batch", batch)).json()["orders"]
        await trio.testing.wait_all_tasks_blocked()
        [flagged] = {"INTERACTIVE" in order["flags"] for order in orders}
        [status] = {room.exchange.orders[order["id"]].status for order in orders}
        return flagged, status

    assert await place(2) == (True, "NEW")
    assert await place(2) == (False, "OPEN")
    assert "INTERACTIVE" in (await trader.place(client)).json()["flags"]
    assert "INTERACTIVE" not in (await trader.place(client)).json()["flags"]
    await trio.sleep(1)
    assert await place(3) == (True, "NEW")
