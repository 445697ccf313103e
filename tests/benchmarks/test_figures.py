"""Medians, spreads and ratios; and how they are told."""

import json
import random
import re
from collections import Counter
from itertools import pairwise

import pytest

from benchmarks import figures
from benchmarks.figures import Ratio, Result, Row, Table, compare, in_turns, ratio
from benchmarks.machine import this_machine
from benchmarks.telling import as_json, as_text, machine_as_text


def test_each_side_has_one_turn_a_round_and_no_fixed_neighbour() -> None:
    """Whoever always followed the same other side would find the caches as that one leaves them."""
    turns = list(in_turns("abc", 60))
    rounds = [turns[start : start + 3] for start in range(0, len(turns), 3)]
    assert all(sorted(each) == ["a", "b", "c"] for each in rounds)
    assert len({tuple(each) for each in rounds}) == 6
    followers = Counter(pairwise(turns))
    assert min(followers[pair] for pair in (("a", "b"), ("b", "a"), ("a", "c"), ("c", "a"))) > 10
    assert turns == list(in_turns("abc", 60)), "one order for all runs"


def test_medians_and_spread() -> None:
    """All figures of a side count alike, in the unit asked for; the side that ratios are to has none."""
    comparison = compare(
        "a thing", "ms", {"a": [[1e6, 2e6], [3e6]], "b": [[20e6, 40e6], [60e6]]}, base="a", scale=1e6
    )
    a, b = comparison.rows
    assert (a.name, a.count, a.median, a.ratio) == ("a", 3, 2.0, None)
    assert [a.p10, a.p90] == pytest.approx([1.2, 2.8])
    assert b.ratio is not None
    assert b.ratio.value == pytest.approx(20.0)
    assert compare("alone", "ms", {"a": [[7]]}).rows == [Row("a", 1, 7, 7, 7, None)]


def test_noise_that_hits_a_whole_round_does_not_blur_a_ratio() -> None:
    """Both sides of a slow round are slow, so the ratio is as sure as that of a quiet machine."""
    rng = random.Random(3)
    slow = [rng.choice((1.0, 10.0)) for _ in range(41)]
    one, other = ([[factor * each] for each in slow] for factor in (1, 2))
    assert ratio(other, one) == Ratio(2.0, 2.0, 2.0)


def test_an_interval_holds_the_truth_as_often_as_it_says(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of 95 % intervals about one in twenty misses, and not one in five."""
    monkeypatch.setattr(figures, "DRAWS", 200)
    rng = random.Random(4)

    def rounds(scale: float) -> list[list[float]]:
        return [[scale * rng.lognormvariate(0, 0.2) for _ in range(3)] for _ in range(15)]

    found = [ratio(rounds(3.0), rounds(1.0)) for _ in range(60)]
    hits = sum(each.low <= 3.0 <= each.high for each in found)
    assert 51 <= hits <= 60
    assert all(each.high < 2 * each.low for each in found)


def test_what_is_told() -> None:
    """Tables for people, aligned; for programs everything in one object, and nothing that names this machine."""
    result = Result(
        comparisons=(compare("a thing", "ms", {"a": [[1.0]] * 3, "bb": [[1234.0]] * 3}, base="a"),),
        tables=(Table("counted", {"a": {"records": 3, "ms": 0.5}, "bb": {"records": 12}}),),
        skipped={"ccxt": "no network"},
        wrong=("two differ",),
    )
    assert as_text(result).splitlines() == [
        "a thing",
        "    n   median    p10 to p90   ratio          95 %",
        "a   3     1 ms        1 to 1",
        "bb  3  1234 ms  1234 to 1234  1234 x  1234 to 1234",
        "",
        "counted",
        "    records     ms",
        "a         3  0.500",
        "bb       12",
        "",
        "ccxt is skipped: no network",
        "",
        "WRONG: two differ",
    ]
    machine = this_machine()
    told = json.loads(as_json(machine, {"thing": result}))
    assert told["benchmarks"]["thing"]["comparisons"][0]["rows"][1]["ratio"]["value"] == 1234.0
    assert told["benchmarks"]["thing"]["skipped"] == {"ccxt": "no network"}
    assert set(told["machine"]["libraries"]) > {"trio", "wsproto"}
    assert machine.cores > 0
    assert not re.search(r"/home|/work|/root", machine_as_text(machine))


@pytest.mark.parametrize(
    ("value", "shown"), [(0.5, "0.500"), (1.234, "1.23"), (12.34, "12.3"), (1234.5, "1234"), (7.0, "7")]
)
def test_three_digits_count(value: float, shown: str) -> None:
    """More of them would be noise."""
    assert f"  {shown}" in as_text(Result(tables=(Table("", {"x": {"figure": value}}),)))
