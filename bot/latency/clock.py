"""How far the venue's clock is ahead of ours: between which bounds, by everything that a session tells."""

import attrs

DRIFT = 500e-6
"""No faster two clocks part: the most that a kernel slews one (adjtimex(2)), and more than quartz ever does."""


@attrs.frozen
class Reading:
    """The venue's clock as it stands: Unix ns."""

    ahead_ns: int
    """Of the time since the start of the run."""

    uncertainty_ns: int
    """The truth is no further away, if neither clock was set."""


@attrs.define
class ClockBounds:
    """What must have happened before what bounds how far one clock is ahead of the other.

    Something left here before the venue stamped it, and the venue stamped it before it was seen here. That nothing is
    known of how a round trip splits into there and back is the whole uncertainty.
    """

    _low_ns: int = 0
    _high_ns: int = 0
    _at_ns: int | None = None

    def meet(self, *, left_ns: int, stamped_ns: int, seen_ns: int, resolution_ns: int = 0) -> None:
        """The venue stamped something (Unix ns, right to half of ``resolution_ns``) between two moments here."""
        margin_ns = resolution_ns // 2
        low_ns, high_ns = stamped_ns - seen_ns - margin_ns, stamped_ns - left_ns + margin_ns
        if low_ns > high_ns:
            return
        if self._at_ns is not None:
            known_low_ns, known_high_ns = self._bounds(self._at_ns, seen_ns)
            if max(low_ns, known_low_ns) <= min(high_ns, known_high_ns):
                low_ns, high_ns = max(low_ns, known_low_ns), min(high_ns, known_high_ns)
            # Else somebody set a clock, and what was known before says nothing any more.
        self._low_ns, self._high_ns, self._at_ns = low_ns, high_ns, seen_ns

    def at(self, ns: int) -> Reading | None:
        """As it stands ``ns`` after the start of the run; None if nothing is known."""
        if self._at_ns is None:
            return None
        low_ns, high_ns = self._bounds(self._at_ns, ns)
        return Reading((low_ns + high_ns) // 2, (high_ns - low_ns + 1) // 2)

    def _bounds(self, at_ns: int, ns: int) -> tuple[int, int]:
        drift_ns = round(abs(ns - at_ns) * DRIFT)
        return self._low_ns - drift_ns, self._high_ns + drift_ns
