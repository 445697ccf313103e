"""Latencies of one kind, and their percentiles."""

import math

import attrs


@attrs.define
class Latencies:
    """Durations in ns, as they were measured."""

    samples_ns: list[int] = attrs.field(factory=list)

    def add(self, ns: int) -> None:
        self.samples_ns.append(ns)

    def summary_ms(self) -> dict[str, float | int | None]:
        """``count``, ``p50``, ``p90``, ``p99``, ``max``, in ms; None where nothing was measured.

        A percentile is the smallest sample that at least so many per cent of all samples do not exceed
        (nearest rank): a value that was seen, never one in between.
        """
        samples = sorted(self.samples_ns)

        def percentile(per_cent: float) -> float | None:
            if not samples:
                return None
            rank = max(math.ceil(per_cent / 100 * len(samples)), 1)
            return round(samples[rank - 1] / 1e6, 3)

        return {
            "count": len(samples),
            "p50": percentile(50),
            "p90": percentile(90),
            "p99": percentile(99),
            "max": percentile(100),
        }
