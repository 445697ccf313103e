"""The verdict of ``bot latency``: the story it tells, and advice only where the measurement supports it."""

import random
from typing import Any

import attrs
import pytest
from measured_stage import CLIENT, document, far_away, noisy, order

from bot.lab.latency.document import Document
from bot.lab.latency.verdict import Ruling, judge
from bot.latency.distributions import REST, WS

STORY = """\
REST: 200 ms is missed, with a median of 441.1 ms
  Of 19 orders over an open connection 0.0% met the target; p99 is 441.1 ms.
  An order that had to open its connection took 841.1 ms (median of 1 order).
  The floor, which no client changes from here, is 440.0 ms: venue 240.0 ms + network 200.0 ms, by median.
  At the venue: before matching 216.0 ms + after matching 24.00 ms, by median.
  The floor alone is above the target: no client meets it from here by this way.
  The client's own part is 1.150 ms.
  What would move it:
  - Cold connections: 1 of 20 orders had to open one, and each took 400.0 ms longer for it. \
Connections that are kept open save that.
  - Another region: the venue is in AWS Tokyo, ap-northeast-1. The network takes 200.0 ms there and back, \
of which a client beside it saves nearly all: 241.1 ms would be left, which still misses the target.
  - The WebSocket in place of REST was not measured: it takes one round trip on a connection that is open anyway, \
and less work of the client.

Measured at the embedded exchange, which was set to rtt_ms 200, processing_ms 240: \
that is its network and its venue.
"""


def ruling(measured: Document, target_ms: float = 200) -> Ruling:
    (found,) = judge(measured, target_ms).rulings
    return found


def advised(measured: Document, target_ms: float = 200) -> dict[str, float | None]:
    return {advice.name: advice.saves_ms for advice in ruling(measured, target_ms).advice}


def with_conditions(measured: Document, **conditions: Any) -> Document:
    return attrs.evolve(measured, conditions=attrs.evolve(measured.conditions, **conditions))


def test_the_story_of_a_venue_that_is_too_far() -> None:
    """Cold 840 ms, warm 440, and network and venue are named as the floor, which no client gets below."""
    simulated = {"rtt_ms": 200.0, "processing_ms": 240.0}
    verdict = judge(with_conditions(far_away(200, 240), simulated=simulated), 200)
    (found,) = verdict.rulings
    assert found.met is False
    assert found.is_out_of_reach
    assert found.warm is not None
    assert found.cold is not None
    assert (found.warm.orders, found.warm.within) == (19, 0)
    assert found.warm.median_ms == pytest.approx(441.15)
    assert found.cold.median_ms == pytest.approx(841.15)
    assert [(part.name, part.ms) for part in found.floor] == [("venue", 240), ("network", 200)]
    assert verdict.to_text() == STORY


def test_the_story_of_one_that_is_near() -> None:
    """It is met, and of what was within the target nothing is advised."""
    found = ruling(far_away(5, 20, way=WS))
    assert found.met is True
    assert not found.is_out_of_reach
    assert found.headline() == "WebSocket: 200 ms is met, with a median of 26.15 ms"
    assert found.advice == []
    assert found.warm is not None
    assert found.warm.within == 1
    assert found.to_dict()["met"] is True


def test_the_share_within_the_target() -> None:
    """Those that took exactly as long count, too; and it is the median that is judged, not p99."""
    measured = document(order(WS, {"away": away}) for away in (8.85, 8.85, 8.85, 8.86))
    found = ruling(measured, 10)
    assert found.met is True
    assert found.warm is not None
    assert found.warm.within == 0.75
    assert found.warm.p99_ms == pytest.approx(10.01)


def test_what_is_unknown_is_called_so() -> None:
    """And never counts as 0."""
    found = ruling(document([order(REST, {"away": 150.0})]))
    assert (
        "  The floor, which no client changes from here, is 150.0 ms: network unknown + venue unknown."
        in (judge(document([order(REST, {"away": 150.0})]), 200).to_text().splitlines())
    )
    assert [part.ms for part in (*found.floor, *found.venue)] == [None] * 4
    known = {"network": 100.0, "venue": 50.0}
    some = ruling(document([order(REST, known), order(REST, known), order(REST, {"away": 150.0})]))
    assert "The network's part is known of 2 orders only." in list(some.sentences())


def test_without_a_warm_order_nothing_is_judged() -> None:
    """The cold ones are told all the same."""
    found = ruling(document([order(WS, {"away": 100.0, "connect": 300.0}, warm=False)]))
    assert found.met is None
    assert found.headline() == "WebSocket: 200 ms is not judged, for no order went over an open connection"
    assert {advice.name: advice.saves_ms for advice in found.advice} == {"connections": 300}
    assert judge(document([]), 200).rulings == []


def test_cold_connections_are_named_where_they_miss_the_target() -> None:
    """By as much as a cold order took longer."""
    assert advised(far_away(50, 20, way=WS), target_ms=200)["region"] == 50
    assert "connections" not in advised(far_away(50, 20, way=WS), target_ms=200)
    assert advised(far_away(70, 20, way=WS), target_ms=200)["connections"] == pytest.approx(140)


@pytest.mark.parametrize(
    ("known", "saves"),
    [
        ({"network": 10.0, "venue": 5.0}, 10.0),
        ({"network": 9.9, "venue": 5.0, "kernel": 50.0}, None),
        ({"away": 40.0, "kernel": 20.0}, 20.0),
        ({"away": 40.0}, None),
    ],
)
def test_another_region(known: dict[str, float | None], saves: float | None) -> None:
    """From 10 ms on; where the network is unknown by the kernel's estimate, which is the least it can be."""
    assert advised(document([order(WS, known)])).get("region") == saves


@pytest.mark.parametrize(
    ("known", "conditions", "saves"),
    [
        ({"away": 320.0, "before": 295.0}, {}, 295.0),
        ({"away": 320.0, "before": 310.0}, {}, 300.0),
        ({"away": 320.0, "before": 280.0}, {}, None),
        ({"away": 320.0}, {}, None),
        ({"away": 320.0}, {"token_usage": "interactive"}, 300.0),
        ({"away": 200.0}, {"token_usage": "interactive"}, None),
        ({"away": 320.0, "before": 5.0}, {"token_usage": "interactive"}, None),
        ({"away": 320.0, "before": 310.0}, {"token_usage": "other"}, None),
        ({"away": 420.0, "before": 400.0}, {"simulated": {"processing_ms": 400.0}}, None),
    ],
)
def test_the_speed_bump(
    known: dict[str, float | None], conditions: dict[str, Any], saves: float | None
) -> None:
    """By what the token says, or by how long the venue held the orders, unless one speaks against the other."""
    assert advised(with_conditions(document([order(WS, known)]), **conditions)).get("token") == saves


def test_the_bump_is_in_the_floor_and_still_can_be_avoided() -> None:
    """No client gets below it with this token; with another one it would."""
    said = list(ruling(document([order(WS, {"away": 320.0, "before": 301.0})])).sentences())
    assert (
        "The floor alone is above the target: no client meets it from here by this way with this token."
        in said
    )


@pytest.mark.parametrize(
    ("library", "sign", "saves"),
    [
        ("fast-stark-crypto", 0.4, None),
        ("fast-stark-crypto", 5.9, 5.0),
        ("starknet-py", 120.0, 119.1),
        ("starknet-py", 0.9, None),
        ("", 4.0, None),
        ("", 6.0, 5.1),
    ],
)
def test_signing(library: str, sign: float, saves: float | None) -> None:
    """With another library, or where it takes long; hash (0.1 ms) and signature need 1 ms."""
    measured = with_conditions(document([order(WS, {"away": 20.0, "sign": sign})]), signing=library)
    assert advised(measured).get("signing") == (None if saves is None else pytest.approx(saves))


def test_the_other_way_where_it_is_shown_to_be_quicker() -> None:
    """Not where the difference may be noise, nor where there are too few orders."""
    rng = random.Random(3)
    one, other = noisy(rng, 60), noisy(rng, 60, ways=(WS,), slower=0.5)
    slow, quick = judge(document([*one.orders, *other.orders]), 200).rulings
    (advice,) = [each for each in slow.advice if each.name == "way"]
    assert advice.text.startswith("WebSocket in place of REST saves")
    assert advice.saves_ms == pytest.approx(12.5, abs=2)
    assert [each for each in quick.advice if each.name == "way"] == []
    alike = judge(noisy(rng, 60, ways=(REST, WS)), 200)
    few = judge(document([*one.orders[:19], *other.orders[:19]]), 200)
    assert [
        each.name for found in (*alike.rulings, *few.rulings) for each in found.advice if each.name == "way"
    ] == []


def test_what_a_saving_leaves() -> None:
    """Whether that is enough is said where the target was missed."""
    (region, _) = ruling(document([order(REST, {"network": 180.0, "venue": 40.0})])).advice
    assert region.text.endswith("nearly all: 41.15 ms would be left, which meets the target.")
    assert sum(CLIENT.values()) == pytest.approx(1.15)
