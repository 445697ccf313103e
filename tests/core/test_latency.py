"""Percentiles by nearest rank."""

from fractions import Fraction
from math import ceil

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bot.core.latency import KEPT, Latencies

MS = 1_000_000


def summary(samples_ns: list[int]) -> dict[str, float | int | None]:
    latencies = Latencies()
    for ns in samples_ns:
        latencies.add(ns)
    return latencies.summary_ms()


def test_nothing_measured() -> None:
    """No samples, no figures: null in JSON, and never a 0 that nobody measured."""
    assert summary([]) == {"count": 0, "p50": None, "p90": None, "p99": None, "max": None}


def test_one_sample_is_every_percentile() -> None:
    """In ms, rounded to the microsecond."""
    assert summary([1_234_567]) == {"count": 1, "p50": 1.235, "p90": 1.235, "p99": 1.235, "max": 1.235}


def test_hundred_samples_in_any_order() -> None:
    """The p-th percentile of 1 … 100 is p."""
    figures = summary([ms * MS for ms in [*range(51, 101), *range(50, 0, -1)]])
    assert figures == {"count": 100, "p50": 50, "p90": 90, "p99": 99, "max": 100}


def test_two_samples_show_values_that_were_seen() -> None:
    """Nearest rank takes the lower for the median, and interpolates nothing."""
    assert summary([10 * MS, 20 * MS]) == {"count": 2, "p50": 10, "p90": 20, "p99": 20, "max": 20}


@settings(deadline=None)
@given(st.lists(st.integers(0, 10**6).map(lambda us: us * 1000), min_size=1, max_size=300))
def test_percentile_is_the_smallest_that_covers(samples: list[int]) -> None:
    """At least p % of the samples do not exceed it, and of no smaller sample is that true."""
    figures = summary(samples)
    for name, share in (
        ("p50", Fraction(50, 100)),
        ("p90", Fraction(90, 100)),
        ("p99", Fraction(99, 100)),
        ("max", Fraction(1)),
    ):
        enough = ceil(share * len(samples))
        covering = [one for one in samples if sum(other <= one for other in samples) >= enough]
        assert figures[name] == min(covering) / MS
    assert figures["count"] == len(samples)


def test_a_day_of_samples_takes_no_more_than_so_much() -> None:
    """Beyond what is held a selection speaks for all, spread evenly over the run; count and maximum miss none."""
    latencies, total = Latencies(), 20 * KEPT + 7
    for number in range(total):
        latencies.add(number * MS)
        assert len(latencies.samples_ns) <= KEPT
    figures = latencies.summary_ms()
    assert (figures["count"], figures["max"]) == (total, total - 1)
    for name, share in (("p50", 0.5), ("p90", 0.9), ("p99", 0.99)):
        assert figures[name] == pytest.approx(share * total, rel=0.001)
