"""Who asks the venue spends of its limits first: here, and nowhere else."""

from collections.abc import Mapping

import attrs
import trio
from loguru import logger

from bot.core.budget import Bucket, Limit, Shortage, Spent, spend
from bot.core.clock import Clock
from bot.core.errors import NotSentError
from bot.paradex import limits
from bot.paradex.limits import Turn

WORTH_A_WORD = 1.0
"""A request that waits so many seconds for room is worth a line in the log."""


@attrs.define(eq=False)
class Budgets:
    """A bucket for each limit of the venue, from the first request on that counts against it.

    They are full at first. What an earlier run of ours, or somebody else behind our address, has spent is learnt
    from the first answers.
    """

    _clock: Clock
    _buckets: dict[Limit, Bucket] = attrs.field(factory=dict, init=False)
    _met_stranger: bool = attrs.field(default=False, init=False)

    async def spend(self, method: str, path: str) -> Spent:
        """Count a request that is about to leave, and wait where it has to wait for room.

        Raises:
            NotSentError: an order that finds no room.
        """
        while True:
            spent = self._try(method, path)
            if isinstance(spent, Spent):
                return spent
            seconds = spent.wait_ns / 1e9
            if limits.turn_of(method, path) is Turn.NOW_OR_NEVER:
                raise _no_room(spent)
            if seconds >= WORTH_A_WORD:
                logger.warning(
                    "[HTTP] Paradex {} waits {:.1f} s: limit of {}", method, seconds, spent.limit.name
                )
            await trio.sleep(seconds)

    def spend_now(self, method: str, path: str) -> Spent:
        """Count a request that leaves now or never. Raises NotSentError: there is no room."""
        spent = self._try(method, path)
        if isinstance(spent, Spent):
            return spent
        raise _no_room(spent)

    def answered(self, spent: Spent, status: int, headers: Mapping[str, str]) -> None:
        """Hear what the venue itself has counted, with the answer to a request that was `spent`."""
        now_ns = self._clock.monotonic_ns()
        concerned = spent.counted
        standing = limits.read_standing(headers)
        if standing is not None:
            named = tuple(each for each in concerned if standing.is_of(each[0].limit))
            for bucket, number in named:
                bucket.correct(standing.remaining, now_ns, after=number)
            concerned = named or concerned
            if not named and not self._met_stranger:
                self._met_stranger = True
                logger.warning("[HTTP] Paradex counts by a limit that is not known here: {}", standing)
        if status == 429:
            seconds = limits.closed_for(headers, self._clock.wall_ns() / 1e9)
            for bucket, _ in concerned:
                bucket.close(now_ns + round(seconds * 1e9))
                logger.warning("[HTTP] Paradex refuses for {:g} s: limit of {}", seconds, bucket.limit.name)

    def _try(self, method: str, path: str) -> Spent | Shortage:
        buckets = [self._bucket(limit) for limit in limits.limits_of(method, path)]
        is_first = limits.turn_of(method, path) is Turn.FIRST
        return spend(buckets, self._clock.monotonic_ns(), reserve=is_first)

    def _bucket(self, limit: Limit) -> Bucket:
        bucket = self._buckets.get(limit)
        if bucket is None:
            bucket = self._buckets[limit] = Bucket(limit)
        return bucket


def _no_room(shortage: Shortage) -> NotSentError:
    return NotSentError(f"the limit of {shortage.limit.name} has no room for {shortage.wait_ns / 1e9:.3f} s")
