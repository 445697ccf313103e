"""Rate limits as clients see them, over HTTP and WebSocket."""

# ruff: noqa: ARG001 - pytest-trio takes its clock from the arguments of a test

from collections.abc import Iterator
from itertools import count

import pytest
import trio
import trio.testing
from exchange_stage import EPOCH, HttpClient, Stage, Trader, stage
from trio.testing import MockClock

from bot.exchange.transport.http import Answer, Request

HERE = "127.0.0.1"
ELSEWHERE = "203.0.113.7"
NAMES = ("limit", "remaining", "reset", "window")


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
