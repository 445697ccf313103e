"""Which request goes over which connection, and when an idle one needs to be used.

httpx's own pool always takes its first idle connection, so nobody can ask it to warm the others, and it queues
what finds none free, where a cancellation leaks a connection (httpcore 1.0). Here every connection is known:
the lanes keep as many requests in flight as there are connections, and nothing queues behind them.
"""

import bisect
import enum
import math
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Generic, TypeVar

import attrs
import trio

T = TypeVar("T")


COURTESY = 0.001
"""Seconds for which who gives way waits for others that come in the same moment."""


class Lane(enum.Enum):
    """Who may use how much of the pool: orders all connections but one, everything else one at a time."""

    ORDERS = enum.auto()
    HOUSEKEEPING = enum.auto()


@attrs.define(eq=False)
class Connection(Generic[T]):
    """One connection: closed at first, and again when a request on it fails."""

    transport: T
    used_at: float | None = None
    """trio time of its last answer; None while it is known to be closed."""

    @property
    def freshness(self) -> float:
        return -math.inf if self.used_at is None else self.used_at


class Pool(Generic[T]):
    """Connections over ``transports``, each for one request at a time; ``idle_timeout`` in seconds.

    An order takes the connection used last, so it finds a warm one wherever there is one. Everything else takes
    the one unused the longest, or a closed one, and so warms the connection that needs it most.
    """

    def __init__(self, transports: list[T], idle_timeout: float) -> None:
        self._idle_timeout = idle_timeout
        self._idle = [Connection(transport) for transport in transports]  # in the order of their freshness
        self._went_cold = trio.Event()
        self._lanes = {Lane.ORDERS: trio.Semaphore(len(transports) - 1), Lane.HOUSEKEEPING: trio.Semaphore(1)}
        self._turn_over = trio.Event()

    @asynccontextmanager
    async def reserve(
        self, lane: Lane, *, to_warm: bool = False, gives_way: bool = False
    ) -> AsyncIterator[Connection[T]]:
        """Wait for a turn in ``lane`` and hold a connection; ``to_warm`` one that needs it, in any lane.

        Turns come in the order in which they were asked for, but who ``gives_way`` goes after all others.
        """
        turns = self._lanes[lane]
        while gives_way:
            await trio.sleep(COURTESY)
            if turns.value:  # a semaphore has nothing left as long as somebody waits for it
                break
            await self._turn_over.wait()
        try:
            async with _taken(turns):
                connection = self._idle.pop(-1 if lane is Lane.ORDERS and not to_warm else 0)
                try:
                    yield connection
                finally:
                    # Where it belongs, which is not the end if nothing was sent over it.
                    bisect.insort(self._idle, connection, key=lambda idle: idle.freshness)
                    if connection.used_at is None:
                        self._went_cold.set()
        finally:
            self._turn_over.set()
            self._turn_over = trio.Event()

    def is_warm(self, connection: Connection[T]) -> bool:
        """Whether it is open, as far as is known: an answer came, and the venue cannot have hung up since."""
        used_at = connection.used_at
        return used_at is not None and trio.current_time() < used_at + self._idle_timeout

    def cold(self) -> int:
        """How many idle connections are not warm."""
        return sum(not self.is_warm(connection) for connection in self._idle)

    def distrust(self) -> None:
        """Take every idle connection for closed."""
        for connection in self._idle:
            connection.used_at = None
        self._went_cold.set()

    async def needs_warming(self) -> None:
        """Return when an idle connection is closed, or has been idle for half of the timeout."""
        while True:
            self._went_cold = trio.Event()
            stalest = self._idle[0].used_at if self._idle else trio.current_time()
            if stalest is None:
                return
            with trio.move_on_at(stalest + self._idle_timeout / 2):
                await self._went_cold.wait()
                continue
            if self._idle and self._idle[0].used_at == stalest:
                return


@asynccontextmanager
async def _taken(turns: trio.Semaphore) -> AsyncIterator[None]:
    """One of ``turns``; where one is free, without letting others run first."""
    try:
        turns.acquire_nowait()
    except trio.WouldBlock:
        await turns.acquire()
    try:
        yield
    finally:
        turns.release()
