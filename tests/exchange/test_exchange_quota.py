"""Rate limits: the buckets, and the table of the venue."""

# ruff: noqa: ARG001 - pytest-trio takes its clock from the arguments of a test

from fractions import Fraction
from math import ceil, floor
from typing import Any

import pytest
from exchange_stage import EPOCH
from hypothesis import given, settings
from hypothesis import strategies as st

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


@settings(max_examples=60)
@given(
    limit=st.integers(1, 30),
    seconds=st.sampled_from([1, 7, 60]),
    pauses=st.lists(
        st.sampled_from([0, 0, 0, 1, SECOND // 3, SECOND, 2_000_000_001, 70 * SECOND]), max_size=40
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


@pytest.mark.parametrize(("by_address", "writes"), [(True, 700), (False, 800)])
def test_orders_over_sockets_may_count_for_their_address(
    clock: SetClock, *, by_address: bool, writes: int
) -> None:
    """The account's limits hold over a WebSocket as over REST; the address's hold where a setting says so."""
    quotas = Quotas(clock, enforced=True, sockets_by_address=by_address)
    assert accepted(quotas.take_order_write, 1, HERE, most=2000) == 800
    assert accepted(quotas.take_socket_order_write, 1, HERE, most=2000) == 0
    assert accepted(quotas.take_socket_order_write, 2, HERE, most=2000) == writes


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


def test_an_account_is_pro_from_the_order_that_was_too_many(quotas: Quotas, clock: SetClock) -> None:
    """Cancels of three Retail orders are Retail; beyond a fourth they are not, until another would be one."""
    assert quotas.take_retail(1, 3)
    assert quotas.is_retail(1)
    assert not quotas.take_retail(1)
    assert not quotas.is_retail(1)
    clock.now_ns += SECOND // 3
    assert not quotas.is_retail(1)
    clock.now_ns += 1
    assert quotas.is_retail(1)
    # What a batch asks for too much of, an order may still have.
    assert not quotas.take_retail(1, 2)
    assert quotas.is_retail(1)


def test_without_limits_nothing_is_counted(clock: SetClock) -> None:
    """Nothing is refused, and there is nothing to tell."""
    quotas = Quotas(clock, enforced=False)
    for _ in range(2000):
        assert quotas.take_public(HERE) is None
        assert quotas.take_order_write(1, HERE) is None
        assert quotas.take_retail(1)


def test_addresses_that_are_quiet_again_are_forgotten() -> None:
    """Thirty thousand addresses, one after the other: what is kept is bounded by those still counted."""
    meter = Meter(PUBLIC[0])
    for number in range(30_000):
        meter.take(number, number * SECOND // 20)
        assert len(meter) <= 1024
    assert meter.missing(29_999, 29_999 * SECOND // 20) > 0
