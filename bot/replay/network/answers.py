"""What the recorded venue answers: what it answered, or what it would have to say now."""

from collections import Counter

from bot.core.clock import Clock
from bot.core.tape import HIDDEN, restored
from bot.exchange.errors import VenueError
from bot.exchange.transport.http import Answer, Request, json_answer, refusal
from bot.replay.network.fault import Course
from bot.replay.network.login import AUTH, ONBOARDING, read_logins
from bot.replay.network.orders import NOT_RECORDED, Book
from bot.replay.network.score import ORDERS, Exchange, Key, Score, decoded
from bot.simulation.pipe import Ending

FACTS = frozenset({("system", "config"), ("markets",)})
"""Whoever asks again gets the same answer."""

TIME = ("system", "time")

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
            if exchange.failure != "unknown" or "deadline" in data["text"]:
                return None
            return Ending.FIN if "disconnected" in data["text"] else Ending.RST
        if exchange.key == AUTH and (exchange.is_success or data["body"] == HIDDEN):
            return self._logins.answer(exchange)
        if exchange.key[1] == TIME and exchange.is_success:
            self._learn_time(exchange)
        return _answer(exchange)

    def own(self, key: Key, exchange: Exchange | None, request: Request) -> Answer | None:
        """The answer of who knows the orders; None for what the recording answers, in words or by its silence."""
        by_recording = (
            exchange is not None
            and exchange.ended is not None
            and (self._course.is_as_recorded or not exchange.is_answered)
        )
        try:
            answer = self._act(key, request)
            if answer is None and not by_recording:
                answer = self._look_up(key) or (self._again(key) if exchange is None else None)
        except VenueError as error:
            if error.code == NOT_RECORDED:
                self.refused[_question(key)] += 1
                return refusal(error)
            answer = refusal(error)
        if by_recording or answer is None:
            return None
        self.composed[_question(key)] += 1
        return answer

    def _act(self, key: Key, request: Request) -> Answer | None:
        """Place or cancel. The recording tells how the venue answered an order that it took. Raises VenueError."""
        method, segments, _, client_id = key
        if (method, segments) == ("POST", ORDERS):
            self._book.place(client_id, request.body, self._now_ms())
        elif method == "DELETE" and segments[:1] == ORDERS:
            self._book.cancel(segments)
            return Answer(204)
        return None

    def _look_up(self, key: Key) -> Answer | None:
        """What changes all the time, as it is now."""
        method, segments, query, _ = key
        match method, segments:
            case "GET", ("orders",):
                return json_answer({"results": self._book.open()})
            case "GET", ("orders-history",):
                return json_answer({"results": self._book.closed(dict(query).get("client_id", ""))})
            case "GET", ("system", "time"):
                return json_answer({"server_time": str(self._now_ms())})
        return None

    def _again(self, key: Key) -> Answer | None:
        """An answer to who asks more often than it was recorded. Raises VenueError: there is none."""
        if key[:2] == ("POST", ORDERS):
            return None
        if key in {AUTH, ONBOARDING}:
            return self._logins.again(key)
        if key in self._facts:
            return self._facts[key]
        raise VenueError(NOT_RECORDED, "the recording knows no answer to this", status=404)

    def _now_ms(self) -> int:
        return (self._clock.wall_ns() + self._ahead_ns) // 1_000_000

    def _learn_time(self, exchange: Exchange) -> None:
        answer = exchange.ended
        if answer is not None and answer.data["reused"]:
            server_ms = decoded(answer.data["body"]).get("server_time")
            if isinstance(server_ms, int | str) and str(server_ms).isdecimal():
                half_way_ns = exchange.asked.ns + exchange.took_ns // 2
                self._ahead_ns = int(server_ms) * 1_000_000 - self._started_ns - half_way_ns


def _answer(exchange: Exchange) -> Answer:
    assert exchange.ended is not None
    body = restored(exchange.ended.data["body"])
    return Answer(exchange.ended.data["status"], body if isinstance(body, bytes) else body.encode())


def _question(key: Key) -> str:
    return f"{key[0]} /{'/'.join(key[1]) if key[1][:1] != ORDERS else 'orders'}"
