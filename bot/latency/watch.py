"""The distributions of a run while it goes on: a tape that listens, and does its sums when nobody waits for them."""

from collections import deque
from typing import Any

import attrs
import trio

from bot.core.tape import Kind, Stamp, Tape
from bot.journal.record import Record
from bot.latency.distributions import Distributions
from bot.latency.spans import Spans

EVERY = 0.1
"""Seconds between two sums."""

HEARD = frozenset(
    {
        Kind.EFFECT,
        Kind.INTENT,
        Kind.REQUEST,
        Kind.ANSWER,
        Kind.FAILURE,
        Kind.FRAME_OUT,
        Kind.FRAME_IN,
        Kind.WIRE,
    }
)


@attrs.define(eq=False)
class LatencyWatch:
    """A `bot.core.tape.Tape` in front of another."""

    tape: Tape
    distributions: Distributions = attrs.field(factory=Distributions)
    _spans: Spans = attrs.field(factory=Spans)
    _unread: deque[Record] = attrs.field(factory=deque)

    def write(self, kind: Kind, data: Any, *, generation: int = 0) -> Stamp:
        stamp = self.tape.write(kind, data, generation=generation)
        if kind in HEARD:
            self._unread.append(Record(stamp.number, stamp.ns, generation, kind, data))
        return stamp

    def commit(self) -> None:
        self.tape.commit()

    async def run(self) -> None:
        """Do the sums, now and then, for ever: an order at a time."""
        while True:
            await trio.sleep(EVERY)
            while self._unread:
                self._read()
                await trio.lowlevel.checkpoint()

    def finish(self) -> Distributions:
        """What all of it came to. Nothing may be written any more."""
        while self._unread:
            self._read()
        for span in self._spans.rest():
            self.distributions.add(span)
        return self.distributions

    def _read(self) -> None:
        """As far as the next order, or to the end."""
        while self._unread:
            record = self._unread.popleft()
            for span in self._spans.meet(record):
                self.distributions.add(span)
            if record.kind is Kind.WIRE:
                return
