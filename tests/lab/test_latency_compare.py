"""``bot latency compare``: noise is not called progress, and progress is seen."""

import math
import random
from collections.abc import Callable
from statistics import fmean, stdev

import attrs
import pytest
from measured_stage import document, far_away, noisy, order

from bot.lab.latency.compare import RISK, Change, Comparison, Found, compare
from bot.lab.latency.document import ClockReading, Document
from bot.lab.latency.names import values
from bot.lab.latency.resampling import Estimate, difference, estimates, percentile, student
from bot.latency.distributions import REST, WS
from bot.latency.phases import PHASES


def change(comparison: Comparison, phase: str, name: str = "p50") -> Change:
    (found,) = (each for each in comparison.changes if (each.phase, each.name) == (phase, name))
    return found


def different(before: Document, after: Document) -> bool:
    return any(each.found in {Found.BETTER, Found.WORSE} for each in compare(before, after).changes)


@pytest.mark.parametrize(("orders", "alike", "runs"), [(20, 0.5, 10), (60, 0.8, 5)])
def test_equal_runs_are_called_equal(orders: int, alike: float, runs: int) -> None:
    """Whole comparisons, of 17 phases each: 5 % of them may err, and orders resemble their neighbours in all."""
    rng = random.Random(1)
    wrong = sum(
        different(noisy(rng, orders, alike=alike), noisy(rng, orders, alike=alike)) for _ in range(runs)
    )
    assert wrong <= 1


def test_a_change_of_a_tenth_is_found() -> None:
    """With 500 orders on each side: in the time until the answer, and not in what the client does."""
    rng = random.Random(1)
    comparison = compare(noisy(rng, 500), noisy(rng, 500, slower=1.1))
    answered = change(comparison, "answered")
    assert answered.found is Found.WORSE
    assert answered.interval is not None
    assert answered.interval.low < 2.5 < answered.interval.high
    assert answered.ratio == pytest.approx(1.1, abs=0.05)
    assert change(comparison, "client").found is Found.NOTHING
    assert change(comparison, "away", "p99").interval is not None
    back = compare(noisy(rng, 60, slower=1.5), noisy(rng, 60))
    assert change(back, "answered").found is Found.BETTER
    assert {each.name for each in back.changes} == {"p50"}


def test_the_same_documents_give_the_same_answer() -> None:
    """To the last digit."""
    rng = random.Random(2)
    before, after = noisy(rng, 20), noisy(rng, 20)
    assert compare(before, after).to_dict() == compare(before, after).to_dict()
    assert all(each.interval and each.interval.difference == 0 for each in compare(before, before).changes)


def test_fewer_orders_are_too_few() -> None:
    """The medians are told, and no more."""
    comparison = compare(far_away(200, 240), far_away(5, 20))
    assert {each.found for each in comparison.changes} == {Found.TOO_FEW}
    assert {each.interval for each in comparison.changes} == {None}
    (warm,) = [each for each in comparison.changes if each.warm and each.phase == "answered"]
    assert warm.before_ms == pytest.approx(441.15)
    assert warm.after_ms == pytest.approx(26.15)


@pytest.mark.parametrize(
    ("phase", "way", "by_ms", "found"),
    [
        ("before", REST, 1.0, Found.NOTHING),
        ("before", REST, 1.1, Found.WORSE),
        ("venue", REST, 0.9, Found.NOTHING),
        ("venue", WS, 0.9, Found.WORSE),
        ("there", WS, 6.7, Found.NOTHING),
        ("there", WS, 6.9, Found.WORSE),
        ("write", WS, 0.0005, Found.NOTHING),
        ("write", WS, 0.002, Found.WORSE),
    ],
)
def test_less_than_the_stamps_can_tell_is_no_difference(
    phase: str, way: str, by_ms: float, found: Found
) -> None:
    """However sure it is: the venue's stamps count ms, and each clock may be off by its uncertainty."""
    usual: dict[str, float | None] = {
        "network": 20.0,
        "venue": 9.0,
        "before": 5.0,
        "there": 10.0,
        "write": 0.1,
    }
    clock = ClockReading(ahead_ms=0.0, uncertainty_ms=3.4)
    before, after = (
        document((order(way, ms) for _ in range(30)), clock=clock)
        for ms in (usual, usual | {phase: (usual[phase] or 0.0) + by_ms})
    )
    assert change(compare(before, after), phase).found is found


def test_what_is_missing_is_said() -> None:
    """On either side: a series, a phase, orders that are not listed; nothing breaks."""
    rng = random.Random(4)
    before = noisy(rng, 20, ways=(REST, WS))
    after = noisy(rng, 20)
    orders = [attrs.evolve(each, ms=each.ms | {"kernel": None, "there": 1.0}) for each in after.orders]
    comparison = compare(before, attrs.evolve(after, orders=orders, left_out=7))
    assert comparison.missing == [
        "REST, warm: known before only: kernel.",
        "WebSocket, warm: measured before only.",
        "REST, warm: known after only: there.",
        "Not compared, for they are not listed one by one: 7 orders after.",
    ]
    assert {each.phase for each in comparison.changes} == PHASES.keys() - {"kernel", "there"}
    assert "WebSocket, warm: measured before only." in comparison.to_text()
    assert compare(document([]), document([])).changes == []
    unlisted = compare(attrs.evolve(before, orders=[]), before)
    assert "REST, warm: no order is listed one by one before." in unlisted.missing


def test_conditions_that_differ_are_warned_of() -> None:
    """Machine, venue, way and number; not the run, its time and the version, which differ anyway."""
    rng = random.Random(5)
    before, after = noisy(rng, 20), noisy(rng, 23)
    assert compare(before, noisy(rng, 22)).warnings == []
    conditions = attrs.evolve(
        after.conditions,
        run_id="other",
        begun_at="later",
        program="9",
        machine={"system": "darwin"},
        venue="https://elsewhere",
        token_usage="interactive",
        simulated={"rtt_ms": 5.0},
    )
    assert compare(before, attrs.evolve(after, conditions=conditions)).warnings == [
        "venue differs: https://localhost:8443/v1 before, https://elsewhere after",
        "machine differs: system linux, python 3.11.9 before, system darwin after",
        "token usage differs: unknown before, interactive after",
        "simulated differs: none before, rtt_ms 5.0 after",
        "REST, warm: 20 orders before, 23 after",
    ]


def test_the_table() -> None:
    """Figures, difference, bounds, ratio and what was found; what took no time on both sides is left out."""
    before, after = (document(order(REST, {"away": away}) for _ in range(20)) for away in (98.85, 48.85))
    lines = compare(before, after).to_text().splitlines()
    assert (
        "  answered          p50        100.0     50.00      -50.00     -50.000 … -50.000   0.500  better"
        in lines
    )
    assert not any("connect" in line for line in lines)
    assert change(compare(before, after), "connect").ratio is None


def test_percentiles_are_those_of_a_histogram() -> None:
    """The smallest value that so many per cent do not exceed."""
    hundred = [float(value) for value in range(1, 101)]
    assert [percentile(hundred, per_cent) for per_cent in (0, 50, 99, 99.9, 100)] == [1, 50, 99, 100, 100]
    assert percentile([4.0], 50) == 4


def alone(rng: random.Random) -> list[float]:
    return [rng.gauss(0, 1) for _ in range(100)]


def fourfold(rng: random.Random) -> list[float]:
    return [value for value in [rng.gauss(0, 1) for _ in range(50)] for _ in range(4)]


def drifting(rng: random.Random, count: int = 25) -> list[float]:
    run = [rng.gauss(0, 1)]
    while len(run) < count:
        run.append(0.8 * run[-1] + 0.6 * rng.gauss(0, 1))
    return run


def drifting_for_long(rng: random.Random) -> list[float]:
    return drifting(rng, 100)


@pytest.mark.parametrize("runs", [alone, fourfold, drifting, drifting_for_long])
def test_an_error_is_what_medians_scatter_by(runs: Callable[[random.Random], list[float]]) -> None:
    """Whether values are independent, come in fours, or each resembles the last more than a block is long."""
    rng = random.Random(1)
    scatter = stdev(percentile(sorted(runs(rng)), 50) for _ in range(500))
    error = fmean(estimates(runs(rng), [50])[0].error for _ in range(20))
    assert 0.9 < error / scatter < 1.25


def test_the_risk_is_shared() -> None:
    """Half of it is for the median until the answer; so the bounds of all others are wider than each asks for."""
    rng = random.Random(9)
    before, after = noisy(rng, 40), noisy(rng, 40)
    comparison = compare(before, after)
    for phase, risk in (("answered", RISK / 2), ("sign", RISK / 2 / (len(comparison.changes) - 1))):
        one, other = (estimates(values(each.orders, phase), [50])[0] for each in (before, after))
        assert change(comparison, phase).interval == difference(one, other, risk)


@pytest.mark.parametrize(
    ("probability", "freedom", "quantile"), [(0.975, 8, 2.306), (0.975, 30, 2.042), (0.9995, 10, 4.587)]
)
def test_students_quantiles(probability: float, freedom: float, quantile: float) -> None:
    """As in the tables."""
    assert student(probability, freedom) == pytest.approx(quantile, rel=0.01)


def test_bounds_widen_with_what_is_asked_of_them() -> None:
    """And with how little is known of a run's error; a p99 rests on the few orders beyond it."""
    rng = random.Random(8)
    (one,), (other,) = (estimates([rng.gauss(0, 1) for _ in range(50)], [50]) for _ in range(2))
    widths = [difference(one, other, risk) for risk in (0.05, 0.001)]
    assert widths[0].high - widths[0].low < widths[1].high - widths[1].low
    middle, tail = estimates([rng.gauss(0, 1) for _ in range(500)], [50, 99])
    assert (middle.freedom, tail.freedom) == (22, 4)
    unsure = Estimate(0.0, 1.0, 4)
    assert difference(unsure, unsure, 0.05).high == pytest.approx(math.sqrt(2) * student(0.975, 8))
    assert difference(unsure, Estimate(0.0, 0.0, 4), 0.05).high == pytest.approx(student(0.975, 4))


def test_runs_that_never_vary_leave_nothing_open() -> None:
    """As on a clock that only counts what it is told."""
    (still,), (moved,) = (estimates([value] * 20, [50]) for value in (1.0, 2.0))
    assert difference(still, moved, 0.05).excludes_zero
    assert not difference(still, still, 0.05).excludes_zero
