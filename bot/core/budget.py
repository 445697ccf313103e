"""How much may still be asked of the venue: token buckets that refill continuously (protocol reference 3.8).

Nothing here reads a clock. Times are ns of one clock that never goes back.
"""

from collections.abc import Sequence

import attrs

_SECOND = 1_000_000_000


@attrs.frozen(eq=False)
class Limit:
    """So many requests in so many seconds. The last ``reserve`` of them are kept for those who may spend it."""

    name: str
    """It follows "the limit of", for people."""

    requests: int
    window_s: int
    reserve: int = 0


class Bucket:
    """What is left of a limit: all of it at first.

    It is kept as the one moment when it will be full again (the generic cell rate algorithm), in units of
    ns/`Limit.requests`, in which a request costs exactly one window and nothing is ever rounded.
    """

    def __init__(self, limit: Limit) -> None:
        self.limit = limit
        self.taken = 0
        """How many were taken so far."""

        self._window = limit.window_s * _SECOND
        self._depth = self._window * limit.requests
        self._full_at = 0
        self._closed_until_ns = 0
        self._heard_of = 0
        """The request, counted as `taken` counts, that the venue's last word came with."""

    def when(self, now_ns: int, *, reserve: bool = False) -> int:
        """How many ns from now on one can be taken, 0 for now; with ``reserve`` even if it is of the reserve."""
        kept = 0 if reserve else self.limit.reserve
        lacking = self._full_at - now_ns * self.limit.requests + (1 + kept) * self._window - self._depth
        return max(0, -(-lacking // self.limit.requests), self._closed_until_ns - now_ns)

    def take(self, now_ns: int) -> None:
        """Take one, which `when` allows."""
        self._full_at = max(self._full_at, now_ns * self.limit.requests) + self._window
        self.taken += 1

    def correct(self, remaining: int, now_ns: int, *, after: int) -> None:
        """The venue had ``remaining`` left when it had counted the request that was ``taken`` as number ``after``.

        Those taken later come off, for it may not have seen them. What the venue says never gives more than is
        here already, and no word of an older request counts after that of a newer one.
        """
        if after <= self._heard_of:
            return
        self._heard_of = after
        left = min(max(0, remaining - (self.taken - after)), self.limit.requests)
        self._full_at = max(self._full_at, now_ns * self.limit.requests + self._depth - left * self._window)

    def close(self, until_ns: int) -> None:
        """Until then nothing can be taken, not even of the reserve: the venue would refuse it."""
        self._closed_until_ns = max(self._closed_until_ns, until_ns)


@attrs.frozen
class Spent:
    """One request, as it was counted: in which buckets, and as which number in each."""

    counted: tuple[tuple[Bucket, int], ...]


@attrs.frozen
class Shortage:
    """A limit that has no room for a request, and how many ns it is until it has."""

    limit: Limit
    wait_ns: int


def spend(buckets: Sequence[Bucket], now_ns: int, *, reserve: bool = False) -> Spent | Shortage:
    """Take one from each of ``buckets``, or none at all: then it is told which lets one wait the longest."""
    shortage = None
    for bucket in buckets:
        wait_ns = bucket.when(now_ns, reserve=reserve)
        if wait_ns and (shortage is None or wait_ns > shortage.wait_ns):
            shortage = Shortage(bucket.limit, wait_ns)
    if shortage is not None:
        return shortage
    for bucket in buckets:
        bucket.take(now_ns)
    return Spent(tuple([(bucket, bucket.taken) for bucket in buckets]))
