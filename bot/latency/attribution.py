"""Whose time it was that an order was away: the network's, or the venue's, before and after matching.

Durations are told apart with each clock by itself, so nothing here depends on how far the two clocks agree; only
``there_ns`` does. What cannot be told is None, and never a guess.
"""

import attrs

from bot.latency.spans import Span

STAMPS_NS = 2_000_000
"""The fields of orders count ms, so a difference of two may be wrong by one, and a sum of two such by two."""


@attrs.frozen(kw_only=True)
class Attribution:
    """Parts of the time between the last byte of an order and the first one of its answer, in ns."""

    network_ns: int | None = None
    """To the venue and back."""

    venue_ns: int | None = None
    before_ns: int | None = None
    """Of that, until the matching engine took it: a speed bump is in here."""

    after_ns: int | None = None
    """Of that, from then until it answered."""

    there_ns: int | None = None
    """Of the network, the way to the venue: by both clocks, so only as certain as `Span.clock` is."""


def attribute(span: Span) -> Attribution:
    """Tell the parts apart, as far as the venue's own times do.

    Over the WebSocket the reply says how long the venue had the call. Over HTTP it says nothing; but the orders
    channel tells how long it was from the order's arrival until that update was made: the rest of the time until we
    heard it is the network's, to the venue one way and back the other.
    """
    venue, away_ns = span.venue, span.wire.first_ns - span.wire.written_ns
    network_ns: int | None = None
    if venue.received_ns is not None and venue.answered_ns is not None:
        network_ns = away_ns - (venue.answered_ns - venue.received_ns)
    elif venue.received_ns is not None and venue.published_ns is not None and span.confirmed_ns is not None:
        heard_after_ns = span.confirmed_ns - span.wire.written_ns
        network_ns = heard_after_ns - (venue.published_ns - venue.received_ns)
    network_ns = within(network_ns, away_ns)
    venue_ns = None if network_ns is None else away_ns - network_ns
    before_ns = after_ns = None
    if venue.received_ns is not None and venue.matched_ns is not None:
        before_ns = within(venue.matched_ns - venue.received_ns, away_ns if venue_ns is None else venue_ns)
    if venue_ns is not None and before_ns is not None:
        after_ns = venue_ns - before_ns
    there_ns = None
    if network_ns is not None and venue.received_ns is not None and span.clock is not None:
        arrived_ns = venue.received_ns - span.clock.ahead_ns
        there_ns = within(arrived_ns - span.wire.written_ns, network_ns, span.clock.uncertainty_ns)
    return Attribution(
        network_ns=network_ns, venue_ns=venue_ns, before_ns=before_ns, after_ns=after_ns, there_ns=there_ns
    )


def within(part_ns: int | None, whole_ns: int, uncertainty_ns: int = 0) -> int | None:
    """A part that is no longer than its whole, or only by what the stamps leave open; else it is unknown."""
    if part_ns is None or not -STAMPS_NS - uncertainty_ns <= part_ns <= whole_ns + STAMPS_NS + uncertainty_ns:
        return None
    return min(max(part_ns, 0), whole_ns)
