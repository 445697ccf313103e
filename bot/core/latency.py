"""Latencies of one kind, and their percentiles."""

import math

import attrs

KEPT = 10_000
"""Samples that are held at most: all there were, until there are more; then every second of them, every fourth …"""


@attrs.define
class Latencies:
    """Durations in ns, as they were measured; of very many an even selection."""

    samples_ns: list[int] = attrs.field(factory=list)
    _count: int = attrs.field(init=False)
    _longest_ns: int = attrs.field(init=False)
    _every: int = attrs.field(default=1, init=False)

    @_count.default
    def _all_given(self) -> int:
        return len(self.samples_ns)

    @_longest_ns.default
    def _longest_given(self) -> int:
        return max(self.samples_ns, default=0)

    def add(self, ns: int) -> None:
        self._longest_ns = max(self._longest_ns, ns)
        if self._count % self._every == 0:
            self.samples_ns.append(ns)
            if len(self.samples_ns) > KEPT:
                del self.samples_ns[1::2]
                self._every *= 2
        self._count += 1

    def summary_ms(self) -> dict[str, float | int | None]:
        """``count``, ``p50``, ``p90``, ``p99``, ``max``, in ms; None where nothing was measured.

        A percentile is the smallest sample that at least so many per cent of all those held do not exceed
        (nearest rank): a value that was seen, never one in between. Count and maximum are of all there were.
        """
        samples = sorted(self.samples_ns)

        def percentile(per_cent: float) -> float | None:
            if not samples:
                return None
            rank = max(math.ceil(per_cent / 100 * len(samples)), 1)
            return round(samples[rank - 1] / 1e6, 3)

        return {
            "count": self._count,
            "p50": percentile(50),
            "p90": percentile(90),
            "p99": percentile(99),
            "max": round(self._longest_ns / 1e6, 3) if samples else None,
        }
