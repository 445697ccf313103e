"""Whose time an order waited for: by what the venue says, with both clocks apart."""

from typing import Any

import attrs
import pytest
from span_stage import AHEAD, MS, SPAN, at

from bot.latency.attribution import Attribution, attribute
from bot.latency.clock import ClockBounds, Reading
from bot.paradex.timing import VenueTimes


def parts(venue: VenueTimes, **changes: Any) -> Attribution:
    return attribute(attrs.evolve(SPAN, venue=venue, **changes))


def test_over_http_the_orders_channel_tells() -> None:
    """There for 60 ms, of which 40 before it was matched; 110 ms until the update was made, and 30 back to us."""
    venue = VenueTimes(received_ns=at(75), matched_ns=at(115), published_ns=at(185))
    found = parts(venue)
    assert found == Attribution(network_ns=100 * MS, venue_ns=100 * MS, before_ns=40 * MS, after_ns=60 * MS)
    clock = Reading(AHEAD + 2 * MS, 5 * MS)
    assert parts(venue, clock=clock) == attrs.evolve(found, there_ns=58 * MS)


def test_over_the_websocket_the_reply_tells() -> None:
    """Even if no update came."""
    venue = VenueTimes(received_ns=at(75), matched_ns=at(115), answered_ns=at(175))
    expected = Attribution(network_ns=100 * MS, venue_ns=100 * MS, before_ns=40 * MS, after_ns=60 * MS)
    assert parts(venue) == expected
    assert parts(venue, confirmed_ns=None) == expected


@pytest.mark.parametrize(
    ("venue", "expected"),
    [
        (VenueTimes(), Attribution()),
        (VenueTimes(received_ns=at(75)), Attribution()),
        (VenueTimes(published_ns=at(185)), Attribution()),
        (VenueTimes(received_ns=at(75), matched_ns=at(115)), Attribution(before_ns=40 * MS)),
        (
            VenueTimes(received_ns=at(75), published_ns=at(185)),
            Attribution(network_ns=100 * MS, venue_ns=100 * MS),
        ),
        # What cannot be: longer than all of it, or ended before it began, by more than stamps of ms explain.
        (
            VenueTimes(received_ns=at(75), matched_ns=at(115), published_ns=at(300)),
            Attribution(before_ns=40 * MS),
        ),
        (VenueTimes(received_ns=at(75), answered_ns=at(72)), Attribution()),
        (VenueTimes(received_ns=at(75), matched_ns=at(72.9)), Attribution()),
        (
            VenueTimes(received_ns=at(75), matched_ns=at(74), answered_ns=at(74)),
            Attribution(network_ns=200 * MS, venue_ns=0, before_ns=0, after_ns=0),
        ),
    ],
)
def test_what_is_not_known_is_not_guessed(venue: VenueTimes, expected: Attribution) -> None:
    """Nor is what the venue's stamps, of whole ms, can explain thrown away."""
    assert parts(venue) == expected


def test_the_way_there_is_known_if_the_clocks_are() -> None:
    """Within what nobody knows of them; what lies outside is no way there."""
    venue = VenueTimes(received_ns=at(12), answered_ns=at(112))
    assert parts(venue, clock=Reading(AHEAD, 2 * MS)).there_ns == 0
    assert parts(venue, clock=Reading(AHEAD - 20 * MS, 2 * MS)).there_ns == 17 * MS
    assert parts(venue, clock=Reading(AHEAD + 20 * MS, 2 * MS)).there_ns is None


def test_what_bounds_a_clock() -> None:
    """It was stamped after it left and before it was seen; the narrowest bounds count, wider as time passes."""
    clock = ClockBounds()
    assert clock.at(0) is None
    clock.meet(left_ns=0, stamped_ns=at(60), seen_ns=100 * MS)
    assert clock.at(100 * MS) == Reading(at(10), 50 * MS)
    clock.meet(left_ns=100 * MS, stamped_ns=at(200), seen_ns=300 * MS)  # says less
    assert clock.at(300 * MS) == Reading(at(10), 50_100_000)
    clock.meet(left_ns=300 * MS, stamped_ns=at(330), seen_ns=340 * MS)
    assert clock.at(340 * MS) == Reading(at(10), 20 * MS)
    later = clock.at(1_340 * MS)
    assert later == Reading(at(10), 20_500_000)
    # From both sides: at least 0 ahead by one, and at most 2 by another.
    clock.meet(left_ns=400 * MS, stamped_ns=at(400), seen_ns=400 * MS, resolution_ns=4 * MS)
    assert clock.at(400 * MS) == Reading(at(-2) + (2 * MS + 2 * MS + 0) // 2, 2 * MS)


def test_a_clock_that_is_set_is_known_anew() -> None:
    """What contradicts everything before it is believed; what contradicts itself is not."""
    clock = ClockBounds()
    clock.meet(left_ns=0, stamped_ns=at(5), seen_ns=10 * MS)
    clock.meet(left_ns=20 * MS, stamped_ns=at(5_025), seen_ns=30 * MS)
    assert clock.at(30 * MS) == Reading(at(5_000), 5 * MS)
    clock.meet(left_ns=40 * MS, stamped_ns=at(35), seen_ns=30 * MS)
    assert clock.at(30 * MS) == Reading(at(5_000), 5 * MS)
