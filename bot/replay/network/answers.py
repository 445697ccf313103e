"""What the recorded venue answers: what it answered, or what it would have to say now."""

from collections import Counter
from math import inf
from typing import Any

import trio

from bot.core.clock import Clock
from bot.core.tape import HIDDEN, restored
from bot.exchange.errors import VenueError
from bot.exchange.transport.http import Answer, Request, json_answer, refusal
from bot.replay.network.fault import Course
from bot.replay.network.holdings import Holdings
from bot.replay.network.login import AUTH, ONBOARDING, read_logins
from bot.replay.network.orders import NOT_RECORDED, Book
from bot.replay.network.score import ORDERS, SINCE, Exchange, Key, Score, decoded, named, placed
from bot.simulation.pipe import Ending

FACTS = frozenset({("system", "config"), ("markets",)})
"""Whoever asks again gets the same answer."""

TIME = ("system", "time")
POSITIONS = ("positions",)

MILLISECOND_NS = 1_000_000

SOON_NS = 5_000_000_000
"""Who asks for the mode so much before it was recorded hears what was told then: perhaps it was that already."""

Outcome = Answer | Ending | None
"""What a request comes to: an answer, the end of its connection, or silence."""


class Answers:
    """As long as all goes as recorded the recorded ones; then orders and the time are answered as they are now."""

    def __init__(self, score: Score, course: Course, clock: Clock, book: Book) -> None:
        self.composed: Counter[str] = Counter()
        """Questions answered with what is known of the orders and of the time, and not with a recorded answer."""

        self.refused: Counter[str] = Counter()
        """Questions to which the recording knows no answer."""

        self._course = course
        self._clock = clock
        self._book = book
        self._holdings = Holdings(score, book)
        self._states = score.states
        self._logins = read_logins(score)
        self._facts = {
            exchange.key: _answer(exchange)
            for several in score.exchanges.values()
            for exchange in several
            if exchange.key[1] in FACTS and exchange.is_success
        }
        self._started_ns = clock.wall_ns() - clock.monotonic_ns()
        self._ahead_ns = 0
        """How much the venue's clock is ahead of the recorded machine's, as its last answer told."""

    def recorded(self, exchange: Exchange) -> Outcome:
        """What the recording says that came of a request. A deadline of the bot's needs silence, and no more."""
        if exchange.ended is None:
            return None
        data = exchange.ended.data
        if not exchange.is_answered:
            text = data.get("text", "")
            if exchange.failure != "unknown" or "deadline" in text:
                return None
            return Ending.FIN if "disconnected" in text else Ending.RST
        if exchange.key == AUTH and (exchange.is_success or data["body"] == HIDDEN):
            return self._logins.answer(exchange)
        if exchange.key[1] == TIME and exchange.is_success:
            self._learn_time(exchange)
            return self._time(exchange)
        if exchange.key[1] == POSITIONS and exchange.is_success:
            self._holdings.told(exchange)
        return _answer(exchange)

    def own(self, key: Key, exchange: Exchange | None, request: Request) -> Answer | None:
        """The answer of who knows the orders; None for what the recording answers, in words or by its silence."""
        by_recording = (
            exchange is not None
            and exchange.ended is not None
            and (self._course.is_as_recorded or not exchange.is_answered)
        )
        try:
            answer = self._act(key, request, is_recorded=exchange is not None)
            if answer is None and not by_recording:
                answer = self._look_up(key, request, exchange) or (
                    self._again(key) if exchange is None else None
                )
        except VenueError as error:
            if error.code == NOT_RECORDED:
                self.refused[_question(key)] += 1
                return refusal(error)
            answer = refusal(error)
        if by_recording or answer is None:
            return None
        self.composed[_question(key)] += 1
        return answer

    def _act(self, key: Key, request: Request, *, is_recorded: bool) -> Answer | None:
        """Place, modify or cancel. The recording tells how the venue answered what it took. Raises VenueError."""
        match key[:2]:
            case "POST", ("orders",) | ("orders", "batch"):
                self._book.place(placed(key[1], request.body), self._now_ms())
            case "PUT", ("orders", venue_id) if is_recorded:
                self._book.modify(venue_id)
            case "DELETE", ("orders", "batch"):
                return json_answer({"results": [self._cancelled(each) for each in named(request.body)]})
            case "DELETE", ("orders", *_, name):
                self._book.cancel(name)
                return Answer(204)
        return None

    def _cancelled(self, name: str) -> dict[str, object]:
        """What became of one cancel of a batch."""
        try:
            report = self._book.cancel(name).report or {}
        except VenueError as error:
            status = "ALREADY_CLOSED" if error.code == "ORDER_IS_CLOSED" else "NOT_FOUND"
            return {"id": name, "status": status}
        known = {each: report.get(each) for each in ("id", "client_id", "account", "market")}
        return {**known, "status": "QUEUED_FOR_CANCELLATION"}

    def _look_up(self, key: Key, request: Request, exchange: Exchange | None) -> Answer | None:
        """What changes all the time, as it is now."""
        match key[:2]:
            case "GET", ("orders" | "orders-history" | "fills" | "positions" as what,):
                # One page, however long. Lists that have no pages are read by who does not look for the next one.
                return json_answer({"next": None, "prev": None, "results": self._list(what, request)})
            case "GET", ("system", "time"):
                return json_answer({"server_time": str(self._now_ms())})
            case "GET", ("system", "state"):
                return self._state(exchange)
        return None

    def _list(self, what: str, request: Request) -> list[dict[str, Any]]:
        match what:
            case "orders":
                return self._book.open()
            case "orders-history":
                client_id = request.query.get("client_id", "")
                return self._book.history(since=self._since(request), client_id=client_id)
            case "fills":
                return self._holdings.fills(since=self._since(request))
        return self._holdings.positions()

    def _again(self, key: Key) -> Answer | None:
        """An answer to who asks more often than it was recorded. Raises VenueError: there is none."""
        if key[:2] == ("POST", ORDERS):
            return None
        if key in {AUTH, ONBOARDING}:
            return self._logins.again(key)
        if key in self._facts:
            return self._facts[key]
        raise VenueError(NOT_RECORDED, "the recording knows no answer to this", status=404)

    def _time(self, exchange: Exchange) -> Answer:
        """As recorded; but who asks at another time than it was recorded hears what time it is then."""
        is_on_time = self._clock.monotonic_ns() - exchange.asked.ns < MILLISECOND_NS
        return _answer(exchange) if is_on_time else json_answer({"server_time": str(self._now_ms())})

    def _state(self, exchange: Exchange | None) -> Answer | None:
        """The mode is the world's matter: it is what it was then, or what was told a moment later."""
        now_ns = self._clock.monotonic_ns()
        soon = [each for each in self._states if each is exchange and each.asked.ns < now_ns + SOON_NS]
        past = [each for each in self._states if each.asked.ns <= now_ns]
        told = soon or past[-1:] or self._states[:1]
        return _answer(told[0]) if told else None

    def _since(self, request: Request) -> float:
        """From when on a list is asked for, in seconds of trio's clock."""
        start_at = request.query.get(SINCE, "")
        if not start_at.isdecimal():
            return -inf
        return trio.current_time() - (self._now_ms() - int(start_at)) / 1000

    def _now_ms(self) -> int:
        return (self._clock.wall_ns() + self._ahead_ns) // MILLISECOND_NS

    def _learn_time(self, exchange: Exchange) -> None:
        answer = exchange.ended
        if answer is not None and answer.data["reused"]:
            server_ms = decoded(answer.data["body"]).get("server_time")
            if isinstance(server_ms, int | str) and str(server_ms).isdecimal():
                half_way_ns = exchange.asked.ns + exchange.took_ns // 2
                self._ahead_ns = int(server_ms) * MILLISECOND_NS - self._started_ns - half_way_ns


def _answer(exchange: Exchange) -> Answer:
    assert exchange.ended is not None
    body = restored(exchange.ended.data["body"])
    return Answer(exchange.ended.data["status"], body if isinstance(body, bytes) else body.encode())


def _question(key: Key) -> str:
    return f"{key[0]} /{'/'.join(key[1]) if key[1][:1] != ORDERS else 'orders'}"
