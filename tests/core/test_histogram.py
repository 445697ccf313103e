"""Percentiles of what was counted in classes, and histograms that add up."""

import json
from math import ceil

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bot.core.histogram import BITS, PERCENTILES, Histogram, bounds, class_of

MS = 1_000_000
FIGURES = (*PERCENTILES, "max")

values = st.integers(-(10**12), 10**14) | st.integers(-5000, 5000)


def test_nothing_measured() -> None:
    """No samples, no figures: null in JSON, and never a 0 that nobody measured."""
    assert Histogram().summary_ms() == {"count": 0} | dict.fromkeys(FIGURES)


def test_one_sample_is_every_percentile() -> None:
    """As it was measured, in ms, rounded to the microsecond."""
    assert Histogram.of([1_234_567]).summary_ms() == {"count": 1} | dict.fromkeys(FIGURES, 1.235)


def test_hundred_samples_in_any_order() -> None:
    """The p-th percentile of 1 … 100 is p."""
    figures = Histogram.of([ms * MS for ms in [*range(51, 101), *range(50, 0, -1)]]).summary_ms()
    expected = {"count": 100, "p50": 50, "p90": 90, "p99": 99, "p99.9": 100, "max": 100}
    assert figures == pytest.approx(expected, rel=2**-10)


def test_two_samples() -> None:
    """Nearest rank takes the lower for the median; values that are alone in their class are told as they are."""
    figures = Histogram.of([10 * MS, 20 * MS]).summary_ms()
    assert (figures["p50"], figures["p90"], figures["max"]) == (10, 20, 20)


@settings(deadline=None)
@given(st.lists(values, min_size=1, max_size=300))
def test_percentile_is_the_smallest_that_covers(samples: list[int]) -> None:
    """At least p % of the samples do not exceed it, and of no smaller sample is that true, to 1 in 1024."""
    histogram, in_order = Histogram.of(samples), sorted(samples)
    for per_cent in PERCENTILES.values():
        exact = in_order[ceil(len(samples) * per_cent / 100) - 1]
        found = histogram.percentile(per_cent)
        assert found is not None
        assert abs(found - exact) <= abs(exact) / 2**BITS
    assert (histogram.count, histogram.min_ns, histogram.max_ns) == (len(samples), in_order[0], in_order[-1])


@given(values)
def test_a_value_is_in_its_class(ns: int) -> None:
    """Between its bounds, which are as near as promised; and the next class begins where this one ends."""
    lowest, highest = bounds(class_of(ns))
    assert lowest <= ns <= highest
    assert highest - lowest <= abs(ns) / 2**BITS
    assert class_of(lowest) == class_of(highest) == class_of(ns)
    assert class_of(highest + 1) == class_of(ns) + 1
    assert class_of(lowest - 1) == class_of(ns) - 1


@given(st.lists(st.lists(values), max_size=5))
def test_parts_add_up_to_the_whole(parts: list[list[int]]) -> None:
    """In any order, and after they were written to a file."""
    whole = Histogram.of(ns for part in parts for ns in part)
    merged = Histogram()
    for part in reversed(parts):
        merged.merge(Histogram.from_dict(json.loads(json.dumps(Histogram.of(part).to_dict()))))
    assert merged == whole


@pytest.mark.parametrize(
    "data",
    [
        {"classes": []},
        {"min_ns": 1, "max_ns": 1, "classes": []},
        {"min_ns": None, "max_ns": None, "classes": [[1, 1, 1]]},
        {"min_ns": 1, "max_ns": 1, "classes": [[1, 0, 0]]},
        {"min_ns": 1, "max_ns": 9, "classes": [[1, 2, 10]]},
        {"min_ns": 1, "max_ns": 1, "classes": [1]},
    ],
)
def test_what_is_no_histogram(data: dict[str, object]) -> None:
    """A file that somebody edited is refused."""
    with pytest.raises((KeyError, TypeError, ValueError)):
        Histogram.from_dict(data)


def test_a_day_of_samples_takes_no_more_than_so_much() -> None:
    """However many there are, memory is bounded by how far apart they are."""
    histogram = Histogram.of(range(MS, 1000 * MS, 10_000))
    assert histogram.count == 99_900
    assert len(histogram.classes) <= 10 << BITS
