"""The venue's rate limits: the table of the reference, which requests count where, and what headers say."""

from typing import Any

import pytest

from bot.core.budget import Limit
from bot.exchange.identity import quota
from bot.paradex import limits
from bot.paradex.limits import Standing, Turn, closed_for, limits_of, read_standing, turn_of
from bot.paradex.mode import tells_of_restriction

ORDER = ["800 orders a second", "17250 orders a minute", "1500 private requests a minute"]
CALL = ORDER[:2]
READ = ["120 private reads a second", "600 private reads a minute", "1500 private requests a minute"]
PUBLIC = ["1500 public requests a minute"]

NOW_S = 1_800_000_000.0


@pytest.mark.parametrize(
    ("method", "path", "names", "turn"),
    [
        ("POST", "/orders", ORDER, Turn.NOW_OR_NEVER),
        ("POST", "/orders/batch", ORDER, Turn.NOW_OR_NEVER),
        ("PUT", "/orders/123", ORDER, Turn.NOW_OR_NEVER),
        ("DELETE", "/orders/123", ORDER, Turn.FIRST),
        ("DELETE", "/orders/by_client_id/a%2Fb?market=BTC-USD-PERP", ORDER, Turn.FIRST),
        ("DELETE", "/orders/batch", ORDER, Turn.FIRST),
        ("DELETE", "/orders", ORDER, Turn.FIRST),
        ("DELETE", "/orders?market=BTC-USD-PERP", ORDER, Turn.FIRST),
        ("GET", "/orders", READ, Turn.IN_TURN),
        ("GET", "/orders?market=BTC-USD-PERP", READ, Turn.IN_TURN),
        ("GET", "/orders-history?client_id=1", READ, Turn.IN_TURN),
        ("GET", "/fills", READ, Turn.IN_TURN),
        ("GET", "/positions", READ, Turn.IN_TURN),
        ("GET", "/something/new", READ, Turn.IN_TURN),
        ("POST", "/account/margin/BTC-USD-PERP", ["1500 private requests a minute"], Turn.IN_TURN),
        ("GET", "/system/time", PUBLIC, Turn.IN_TURN),
        ("GET", "/markets", PUBLIC, Turn.IN_TURN),
        ("GET", "/bbo/BTC-USD-PERP", PUBLIC, Turn.IN_TURN),
        ("POST", "/auth/0x1", ["600 logins a minute"], Turn.IN_TURN),
        ("POST", "/onboarding", ["600 onboardings a minute"], Turn.IN_TURN),
        ("order.create", "", CALL, Turn.NOW_OR_NEVER),
        ("order.create_batch", "", CALL, Turn.NOW_OR_NEVER),
        ("order.modify", "", CALL, Turn.NOW_OR_NEVER),
        ("order.cancel", "", CALL, Turn.FIRST),
        ("order.cancel_batch", "", CALL, Turn.FIRST),
        ("order.cancel_all", "", CALL, Turn.FIRST),
    ],
)
def test_what_a_request_counts_against(method: str, path: str, names: list[str], turn: Turn) -> None:
    """By method and path, as the table of the reference has it; a call over the WebSocket has none."""
    assert [limit.name for limit in limits_of(method, path)] == names
    assert turn_of(method, path) is turn


def test_calls_and_requests_share_their_limits() -> None:
    """Not limits of the same numbers: the same ones, so that there is one bucket for both."""
    requests = limits_of("POST", "/orders")
    for limit in limits_of("order.create", ""):
        assert any(limit is other for other in requests)


def test_the_numbers_are_those_of_the_exchange() -> None:
    """It has them from the same table, written down a second time."""

    def rates(*several: Limit) -> tuple[quota.Rate, ...]:
        return tuple(quota.Rate(limit.requests, limit.window_s) for limit in several)

    assert rates(limits.ORDERS_A_SECOND, limits.ORDERS_A_MINUTE) == quota.ORDER_WRITES
    assert rates(limits.READS_A_SECOND, limits.READS_A_MINUTE) == quota.PRIVATE_READS
    assert rates(limits.PRIVATE_A_MINUTE) == quota.PRIVATE
    assert rates(limits.PUBLIC_A_MINUTE) == quota.PUBLIC
    assert rates(limits.AUTHS_A_MINUTE) == rates(limits.ONBOARDINGS_A_MINUTE) == quota.LOGIN


def test_cancels_have_a_share_wherever_others_could_take_it() -> None:
    """Each limit that a cancel counts against keeps a tenth, and that is enough for a market full of orders."""
    assert [limit.reserve for limit in limits_of("DELETE", "/orders/1")] == [80, 1725, 150]
    others = {
        limit for _, path in [("GET", "/orders"), ("GET", "/markets")] for limit in limits_of("GET", path)
    }
    assert {limit.name for limit in others if limit.reserve} == {"1500 private requests a minute"}


def said(**changes: Any) -> dict[str, str]:
    told = {"limit": "1500", "remaining": "1400", "window": "60", "reset": "1800000000"} | changes
    return {f"x-ratelimit-{name}": str(text) for name, text in told.items() if text is not None}


def test_what_the_headers_say() -> None:
    """Which limit, and what was left of it."""
    assert read_standing(said()) == Standing(requests=1500, window_s=60, remaining=1400)
    assert read_standing(said(reset="soon")) == Standing(requests=1500, window_s=60, remaining=1400)


@pytest.mark.parametrize("name", ["limit", "remaining", "window"])
@pytest.mark.parametrize("text", [None, "", "-1", "1.5", "many", "1e3", "٣", "9" * 10, "1,000", " 7"])
def test_headers_that_make_no_sense_say_nothing(name: str, text: str | None) -> None:
    """Missing, negative, no whole numbers, or absurdly large ones."""
    assert read_standing(said(**{name: text})) is None


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({"retry-after": "3"}, 3),
        ({"retry-after": "86400"}, 60),
        ({"retry-after": "Fri, 15 Jan 2027 08:00:05 GMT"}, 5),
        ({"retry-after": "Fri, 15 Jan 2027 08:00:05 GMT", "date": "Fri, 15 Jan 2027 08:00:03 GMT"}, 2),
        ({"retry-after": "Fri, 15 Jan 2027 08:00:05 GMT", "date": "today"}, 5),
        ({"retry-after": "Fri, 15 Jan 2100 08:00:05 GMT"}, 60),
        ({}, 1),
        ({"retry-after": "0"}, 1),
        ({"retry-after": "-5"}, 1),
        ({"retry-after": "soon"}, 1),
        ({"retry-after": "Fri, 15 Jan 2027 07:59:00 GMT"}, 1),
        ({"retry-after": "Fri, 99 Jan 2027 08:00:05 GMT"}, 1),
        ({"retry-after": "Fri, 15 Jan 99999999999 08:00:05 GMT"}, 1),
    ],
)
def test_how_long_a_429_closes(headers: dict[str, str], seconds: float) -> None:
    """In seconds or as a date, a minute at most, and a second where it says nothing that makes sense."""
    assert closed_for(headers, NOW_S) == seconds


@pytest.mark.parametrize(
    ("status", "body", "tells"),
    [
        (503, b"", True),
        (400, b'{"error":"SYSTEM_STATUS_POST_ONLY","message":""}', True),
        (503, b'{"error":"SYSTEM_STATUS_CANCEL_ONLY","message":""}', True),
        (201, b'{"orders":[null],"errors":[{"error":"SYSTEM_STATUS_CANCEL_ONLY","message":""}]}', True),
        (200, b'{"status":"cancel_only"}', False),
        (500, b"", False),
        (429, b'{"error":"RATE_LIMIT_EXCEEDED","message":""}', False),
        (204, b"", False),
    ],
)
def test_which_answers_tell_of_a_restricted_platform(status: int, body: bytes, *, tells: bool) -> None:
    """The codes at any status, and any 503."""
    assert tells_of_restriction(status, body) is tells
