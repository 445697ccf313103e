"""The load bench, on a real exchange in a process of its own: that is what it measures."""

import trio

from benchmarks.load import load


def test_every_order_is_accepted_and_counted() -> None:
    """All orders are taken, on several connections, and memory is looked at five times."""
    for verify in ("never", "always"):
        result = trio.run(load, verify, 40, 3)
        assert (result.verify, result.orders, len(result.memory)) == (verify, 40, 5)
        assert min(result.memory) > 10
        assert result.per_second > 0
