"""Token buckets: what they let through, what they keep for cancels, and what they make of the venue's own count."""

from fractions import Fraction

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.core.budget import Bucket, Limit, Shortage, Spent, spend
from bot.exchange.identity.quota import Meter, Rate

SECOND = 1_000_000_000

LIMITS = st.builds(
    lambda requests, window_s, kept: Limit("some", requests, window_s, min(kept, requests - 1)),
    requests=st.integers(1, 40),
    window_s=st.sampled_from([1, 3, 60]),
    kept=st.integers(0, 10),
)


@attrs.frozen
class Wait:
    ns: int


@attrs.frozen
class Take:
    reserve: bool


@attrs.frozen
class Correct:
    remaining: int


STORIES = st.lists(
    st.one_of(
        st.builds(Wait, st.integers(0, 3 * SECOND)),
        st.builds(Take, st.booleans()),
        st.builds(Take, st.booleans()),
        st.builds(Correct, st.integers(-5, 60)),
    ),
    max_size=60,
)


def took(bucket: Bucket, now_ns: int, *, reserve: bool = False) -> bool:
    return isinstance(spend([bucket], now_ns, reserve=reserve), Spent)


def left(bucket: Bucket, now_ns: int) -> int:
    """How many can be taken at this moment, found out by taking them."""
    count = 0
    while took(bucket, now_ns, reserve=True):
        count += 1
    return count


@given(limit=LIMITS, story=STORIES)
def test_no_window_has_more_than_the_limit_allows(limit: Limit, story: list[Wait | Take | Correct]) -> None:
    """Whatever happens: between any two moments go at most the limit, and what refilled in between."""
    bucket, now_ns = Bucket(limit), 0
    taken: list[int] = []
    for each in story:
        match each:
            case Wait(ns):
                now_ns += ns
            case Take(reserve):
                if took(bucket, now_ns, reserve=reserve):
                    taken.append(now_ns)
            case Correct(remaining):
                bucket.correct(remaining, now_ns, after=bucket.taken)
    for i, since in enumerate(taken):
        for j, until in enumerate(taken[i:], i):
            refilled = Fraction((until - since) * limit.requests, limit.window_s * SECOND)
            assert j - i + 1 <= limit.requests + refilled


@given(limit=LIMITS, story=STORIES)
def test_it_tells_to_the_nanosecond_when_there_is_room(
    limit: Limit, story: list[Wait | Take | Correct]
) -> None:
    """Then, and no sooner; and what has no room takes nothing."""
    bucket, now_ns = Bucket(limit), 0
    for each in story:
        match each:
            case Wait(ns):
                now_ns += ns
            case Take(reserve):
                wait_ns = bucket.when(now_ns, reserve=reserve)
                if wait_ns:
                    assert not took(bucket, now_ns, reserve=reserve)
                    assert not took(bucket, now_ns + wait_ns - 1, reserve=reserve)
                now_ns += wait_ns
                assert took(bucket, now_ns, reserve=reserve)
            case Correct(remaining):
                bucket.correct(remaining, now_ns, after=bucket.taken)


@given(limit=LIMITS, gaps=st.lists(st.integers(0, SECOND), max_size=80), delay_ns=st.integers(0, 5 * SECOND))
def test_what_it_lets_through_the_venue_takes(limit: Limit, gaps: list[int], delay_ns: int) -> None:
    """The exchange's own count of the same limit, some time later on its way: nothing is refused."""
    bucket, meter, now_ns = Bucket(limit), Meter(Rate(limit.requests, limit.window_s)), 0
    for gap in gaps:
        now_ns += gap
        if took(bucket, now_ns, reserve=True):
            assert meter.allows("us", now_ns + delay_ns)
            meter.take("us", now_ns + delay_ns)


@given(
    limit=LIMITS,
    gaps=st.lists(st.tuples(st.integers(0, SECOND), st.integers(0, 3)), max_size=60),
    spent_before=st.integers(0, 40),
)
def test_what_others_spend_is_learnt_from_each_answer(
    limit: Limit, gaps: list[tuple[int, int]], spent_before: int
) -> None:
    """With somebody else behind our address, who spent some before us and goes on: once we have heard how much is
    left, only what was spent since the last answer can have us refused."""
    bucket, meter, now_ns = Bucket(limit), Meter(Rate(limit.requests, limit.window_s)), 0
    heard, spent_since = False, 0
    for _ in range(min(spent_before, limit.requests)):
        meter.take("us", now_ns)
    for gap, others in gaps:
        now_ns += gap
        for _ in range(others):
            if meter.allows("us", now_ns):
                meter.take("us", now_ns)
                spent_since += 1
        if not took(bucket, now_ns, reserve=True):
            continue
        if heard and not spent_since:
            assert meter.allows("us", now_ns)
        remaining = meter.take("us", now_ns) if meter.allows("us", now_ns) else 0
        bucket.correct(remaining, now_ns, after=bucket.taken)
        heard, spent_since = True, 0


def test_it_refills_continuously() -> None:
    """Ten in a minute: all at once, then one every six seconds."""
    bucket = Bucket(Limit("ten", 10, 60))
    assert left(bucket, 0) == 10
    assert bucket.when(0) == 6 * SECOND
    assert left(bucket, 6 * SECOND - 1) == 0
    assert left(bucket, 6 * SECOND) == 1
    assert left(bucket, 24 * SECOND) == 3
    assert left(bucket, 1000 * SECOND) == 10


def test_the_reserve_is_for_those_who_may_spend_it() -> None:
    """Others find nothing when only that is left, and wait until it is whole again and there is one more."""
    bucket = Bucket(Limit("ten", 10, 10, reserve=3))
    while took(bucket, 0):
        pass
    assert bucket.taken == 7
    assert (bucket.when(0), bucket.when(0, reserve=True)) == (SECOND, 0)
    assert left(bucket, 0) == 3
    assert (bucket.when(0), bucket.when(0, reserve=True)) == (4 * SECOND, SECOND)


def test_all_buckets_are_spent_from_or_none() -> None:
    """The one that lets one wait the longest is named."""
    wide, narrow, narrower = (Bucket(Limit(name, size, 60)) for name, size in [("9", 9), ("2", 2), ("1", 1)])
    assert isinstance(spend([wide, narrow, narrower], 0), Spent)
    assert spend([wide, narrow, narrower], 0) == Shortage(narrower.limit, 60 * SECOND)
    assert [each.taken for each in (wide, narrow, narrower)] == [1, 1, 1]
    spent = spend([wide, narrow], 0)
    assert isinstance(spent, Spent)
    assert spent.counted == ((wide, 2), (narrow, 2))


@pytest.mark.parametrize(("remaining", "now_left"), [(3, 3), (7, 7), (8, 7), (99, 7), (0, 0), (-4, 0)])
def test_the_venues_word_only_takes_away(remaining: int, now_left: int) -> None:
    """Three of ten are taken: seven are left, or fewer if the venue says so."""
    bucket = Bucket(Limit("ten", 10, 60))
    for _ in range(3):
        took(bucket, 0)
    bucket.correct(remaining, 0, after=3)
    assert left(bucket, 0) == now_left


def test_what_left_after_the_venue_counted_comes_off() -> None:
    """It had five left when it counted our second; the third and fourth are on their way, or not in that number."""
    bucket = Bucket(Limit("ten", 10, 60))
    for _ in range(4):
        took(bucket, 0)
    bucket.correct(5, 0, after=2)
    assert left(bucket, 0) == 3


def test_an_older_word_counts_no_more() -> None:
    """Answers overtake each other: what the venue said of an earlier request is older, whenever it comes."""
    bucket = Bucket(Limit("ten", 10, 60))
    for _ in range(4):
        took(bucket, 0)
    bucket.correct(6, 0, after=4)
    bucket.correct(1, 0, after=3)
    assert left(bucket, 0) == 6


def test_a_closed_bucket_gives_nothing_not_even_its_reserve() -> None:
    """Until the moment it was closed to; the later of two counts."""
    bucket = Bucket(Limit("ten", 10, 10, reserve=3))
    bucket.close(2 * SECOND)
    bucket.close(SECOND)
    assert (bucket.when(0), bucket.when(0, reserve=True)) == (2 * SECOND, 2 * SECOND)
    assert left(bucket, 2 * SECOND - 1) == 0
    assert left(bucket, 2 * SECOND) == 10


def test_whoever_waits_as_told_gets_the_pace_of_the_limit() -> None:
    """Seven at once, then each at the first nanosecond at which it may be, without drift."""
    bucket, now_ns, times = Bucket(Limit("seven", 7, 60)), 0, []
    for _ in range(70):
        now_ns += bucket.when(now_ns)
        assert took(bucket, now_ns)
        times.append(now_ns)
    assert times[:7] == [0] * 7
    assert times[7:] == [-(-count * 60 * SECOND // 7) for count in range(1, 64)]
