"""What the recorded venue answers: what it answered, or what it would have to say now."""

from collections import Counter
from math import inf
from typing import Any

import trio

from bot.core.clock import Clock
from bot.core.tape import HIDDEN, restored
from bot.exchange.errors import VenueError
from bot.exchange.transport.http import Answer, json_answer
from bot.replay.network.fault import Course
from bot.replay.network.holdings import Holdings
from bot.replay.network.login import AUTH, ONBOARDING, read_logins
from bot.replay.network.orders import NOT_RECORDED, Book
from bot.replay.network.question import SINCE, Does, Question
from bot.replay.network.score import Exchange, Score, decoded
from bot.replay.network.wording import Said, Wording, wording_of
from bot.simulation.pipe import Ending

FACTS = frozenset({("system", "config"), ("markets",)})
"""Whoever asks again gets the same answer."""

TIME = ("system", "time")
POSITIONS = ("positions",)

MILLISECOND_NS = 1_000_000

SOON_NS = 5_000_000_000
"""Who asks for the mode so much before it was recorded hears what was told then: perhaps it was that already."""

Outcome = Said | Ending | None
"""What a question comes to: an answer or a reply, the end of its connection, or silence."""


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
            exchange.key: _said(exchange)
            for several in score.exchanges.values()
            for exchange in several
            if _is_fact(exchange.question) and exchange.is_success
        }
        self._started_ns = clock.wall_ns() - clock.monotonic_ns()
        self._ahead_ns: int | None = None
        """How much the venue's clock is ahead of the recorded machine's, as its last answer told, if one did."""

    def recorded(self, exchange: Exchange) -> Outcome:
        """What the recording says that came of a question. A deadline of the bot's needs silence, and no more."""
        if exchange.ended is None:
            return None
        if not exchange.is_answered:
            text = exchange.ended.data.get("text", "")
            if exchange.question.is_call or exchange.failure != "unknown" or "deadline" in text:
                return None  # the end of a WebSocket comes by itself
            return Ending.FIN if "disconnected" in text else Ending.RST
        if exchange.key == AUTH and (exchange.is_success or exchange.ended.data["body"] == HIDDEN):
            return self._logins.answer(exchange)
        if exchange.key[1] == TIME and exchange.is_success:
            self._learn_time(exchange)
            return self._time(exchange)
        if exchange.key[1] == POSITIONS and exchange.is_success:
            self._holdings.told(exchange)
        return _said(exchange)

    def own(self, question: Question, exchange: Exchange | None) -> Said | None:
        """The answer of who knows the orders; None for what the recording answers, in words or by its silence."""
        wording = wording_of(question)
        by_recording = (
            exchange is not None
            and exchange.ended is not None
            and (self._course.is_as_recorded or not (exchange.is_answered or _is_fact(question)))
        )
        try:
            answer = self._act(question, exchange, wording)
            if answer is None and not by_recording:
                answer = self._look_up(question, exchange) or (
                    self._again(question) if exchange is None else None
                )
        except VenueError as error:
            if error.code == NOT_RECORDED:
                self.refused[str(question)] += 1
                return wording.refused(error)
            answer = wording.refused(error)
        if by_recording or answer is None:
            return None
        self.composed[str(question)] += 1
        return answer

    def _act(self, question: Question, exchange: Exchange | None, wording: Wording) -> Said | None:
        """Place, modify or cancel. The recording tells how the venue answered what it took. Raises VenueError."""
        match question.does, question.names:
            case Does.PLACE, _:
                self._book.place(question, exchange, self._now_ms())
            case Does.MODIFY, [name] if exchange is not None:
                self._book.modify(name)
            case Does.CANCEL, names if question.is_batch:
                return wording.several_cancelled([self._cancelled(name) for name in names])
            case Does.CANCEL, [name]:
                return wording.cancelled((self._book.cancel(name).report or {}).get("id"))
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

    def _look_up(self, question: Question, exchange: Exchange | None) -> Said | None:
        """What changes all the time, as it is now; and how a WebSocket is opened, which may be at any time."""
        if question.is_call:
            return self._facts.get(question.key)
        match question.key[:2]:
            case "GET", ("orders" | "orders-history" | "fills" | "positions" as what,):
                # One page, however long. Lists that have no pages are read by who does not look for the next one.
                return json_answer({"next": None, "prev": None, "results": self._list(what, question)})
            case "GET", ("system", "time"):
                return json_answer({"server_time": str(self._now_ms())})
            case "GET", ("system", "state"):
                return self._state(exchange)
        return None

    def _list(self, what: str, question: Question) -> list[dict[str, Any]]:
        match what:
            case "orders":
                return self._book.open()
            case "orders-history":
                client_id = question.query.get("client_id", "")
                return self._book.history(since=self._since(question), client_id=client_id)
            case "fills":
                return self._holdings.fills(since=self._since(question))
        return self._holdings.positions()

    def _again(self, question: Question) -> Said | None:
        """An answer to who asks more often than it was recorded. Raises VenueError: there is none."""
        if question.does is Does.PLACE:
            return None
        if question.key in {AUTH, ONBOARDING}:
            return self._logins.again(question.key)
        if question.key in self._facts:
            return self._facts[question.key]
        raise VenueError(NOT_RECORDED, "the recording knows no answer to this", status=404)

    def _time(self, exchange: Exchange) -> Said:
        """As recorded; but who asks at another time than it was recorded hears what time it is then."""
        is_on_time = self._clock.monotonic_ns() - exchange.asked.ns < MILLISECOND_NS
        if not is_on_time:
            return json_answer({"server_time": str(self._now_ms())})
        if self._ahead_ns is None or exchange.ended is None or exchange.ended.data["reused"]:
            return _said(exchange)
        # What came over a new connection told the bot nothing of the time. Here it may come over another one.
        half_way_ns = self._started_ns + exchange.asked.ns + exchange.took_ns // 2
        return json_answer({"server_time": str((half_way_ns + self._ahead_ns) // MILLISECOND_NS)})

    def _state(self, exchange: Exchange | None) -> Said | None:
        """The mode is the world's matter: it is what it was then, or what was told a moment later."""
        now_ns = self._clock.monotonic_ns()
        soon = [each for each in self._states if each is exchange and each.asked.ns < now_ns + SOON_NS]
        past = [each for each in self._states if each.asked.ns <= now_ns]
        told = soon or past[-1:] or self._states[:1]
        return _said(told[0]) if told else None

    def _since(self, question: Question) -> float:
        """From when on a list is asked for, in seconds of trio's clock."""
        start_at = question.query.get(SINCE, "")
        if not start_at.isdecimal():
            return -inf
        return trio.current_time() - (self._now_ms() - int(start_at)) / 1000

    def _now_ms(self) -> int:
        return (self._clock.wall_ns() + (self._ahead_ns or 0)) // MILLISECOND_NS

    def _learn_time(self, exchange: Exchange) -> None:
        answer = exchange.ended
        if answer is not None and answer.data["reused"]:
            server_ms = decoded(answer.data["body"]).get("server_time")
            if isinstance(server_ms, int | str) and str(server_ms).isdecimal():
                half_way_ns = exchange.asked.ns + exchange.took_ns // 2
                self._ahead_ns = int(server_ms) * MILLISECOND_NS - self._started_ns - half_way_ns


def _said(exchange: Exchange) -> Said:
    assert exchange.ended is not None
    data = exchange.ended.data
    if exchange.question.is_call:
        return restored(data)
    body = restored(data["body"])
    return Answer(data["status"], body if isinstance(body, bytes) else body.encode())


def _is_fact(question: Question) -> bool:
    """Whether the answer depends on nothing: of the platform, or one of those by which a WebSocket is opened."""
    return not question.does if question.is_call else question.key[1] in FACTS
