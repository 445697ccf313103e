"""What the recorded venue will do, and when: one thing at a time, each seen to its end before the next."""

import heapq
from collections import deque
from collections.abc import Callable, Mapping
from itertools import count
from math import inf, ulp
from typing import Any

import trio
import trio.testing

from bot.core.tape import Kind
from bot.replay.network.fault import Course

AHEAD_S = 1e-10
"""How much earlier than a timer of the bot's something happens that was recorded before it, at the same ns or a
little later: less than what a stamp shows."""


class Agenda:
    """Plain functions in virtual time, in the order of their times and, at the same instant, of their numbers.

    Before each the bot may finish what it does at this instant. So what the tape shows one after the other comes one
    after the other, although nothing takes time here.
    """

    def __init__(self, course: Course, timers: Mapping[tuple[str, str], deque[int]]) -> None:
        """``timers``: the numbers of the recorded timers that elapsed, by purpose and subject, to be taken from."""
        self._course = course
        self._timers = timers
        self._set: dict[tuple[str, str], tuple[float, float]] = {}
        """The bot's timers that run: when each is due, and the number of its record."""

        self._due: list[tuple[float, int, int, Callable[[], object]]] = []
        self._arranged = count()
        self._news = trio.Event()

    def at(self, when: float, number: int, act: Callable[[], object]) -> None:
        """Call ``act()`` at ``when``, in seconds of trio's clock; ``number`` is that of its record."""
        heapq.heappush(self._due, (when, number, next(self._arranged), act))
        self._news.set()

    def after(self, seconds: float, number: int, act: Callable[[], object]) -> None:
        self.at(trio.current_time() + seconds, number, act)

    def notice(self, kind: Kind, data: Any) -> None:
        """What the bot wrote on its tape: timers that it set, and that have elapsed."""
        if kind is Kind.EFFECT and data["do"] == "wait":
            timer = data["purpose"], data["subject"]
            numbers = self._timers.get(timer)
            due = trio.current_time() + data["seconds"]
            self._set[timer] = due, numbers.popleft() if numbers else inf
            self._news.set()
        elif kind is Kind.TIMER:
            self._set.pop((data["purpose"], data["subject"]), None)

    async def run(self) -> None:
        """Do it all, until cancelled. What an action raises ends the play."""
        while True:
            await trio.testing.wait_all_tasks_blocked()
            when = self._next_time()
            if when <= trio.current_time():
                _, _, _, act = heapq.heappop(self._due)
                act()
            else:
                self._news = trio.Event()
                with trio.move_on_at(when):
                    await self._news.wait()

    def _next_time(self) -> float:
        if not self._due:
            return inf
        when, number, *_ = self._due[0]
        if self._course.is_as_recorded:  # timers wait for what was recorded before them
            for due, recorded in self._set.values():
                if number < recorded < inf and due <= when:
                    when = due - max(AHEAD_S, 4 * ulp(due))
        return when
