"""The venue of a recorded session, played to the bot that connects: it answers and reports as the recording says.

What is asked is matched with the recorded exchange of the same question, in recorded order, and answered at the
recorded time. Frames come at theirs, and none before what caused it has arrived. From the moment a fault strikes,
times are counted from their causes instead, and what is asked about orders is answered from the state that each has
come to: the recording cannot know what is asked then, but it knows what the venue did with each order.

What the recording does not know is refused, and counted; nothing is invented.
"""

from collections import Counter
from collections.abc import Iterable
from contextlib import suppress
from functools import partial
from typing import Any, Protocol

import attrs
import trio

from bot.core.clock import Clock
from bot.core.tape import Kind, restored
from bot.exchange.errors import VenueError
from bot.exchange.transport.http import Answer, HttpConnection, Request
from bot.journal.record import Record
from bot.replay.network.agenda import Agenda
from bot.replay.network.answers import Answers, Outcome
from bot.replay.network.fault import Course, Fault
from bot.replay.network.orders import Book
from bot.replay.network.question import Question, of_record, of_request
from bot.replay.network.score import Exchange, Score, seconds
from bot.replay.network.sockets import Sockets
from bot.simulation.address import Address
from bot.simulation.connection import Connection
from bot.simulation.network import Link
from bot.simulation.pipe import Ending

LAST = 2**63
"""The number of what nobody recorded: above all that were."""


class Asker(Protocol):
    """Who asked, and waits for the answer."""

    def arrived(self, question: Question) -> None:
        """It is at the venue."""
        ...

    def send(self, outcome: Outcome, number: int) -> None:
        """Tell what it came to; ``number`` is that of the recorded answer, or 0."""
        ...

    def cut(self) -> None:
        """Reset the connection."""
        ...


@attrs.define(eq=False)
class Requester:
    """An `Asker` of one request, whose connection waits meanwhile."""

    wire: Connection
    course: Course
    agenda: Agenda
    answer: Answer | None = None
    answered: trio.Event = attrs.field(factory=trio.Event)

    async def wait(self) -> Answer:
        await self.answered.wait()
        assert self.answer is not None
        return self.answer

    def arrived(self, question: Question) -> None:
        pass

    def send(self, outcome: Outcome, number: int) -> None:
        match self.course.struck_by(number):
            case Fault.DROP:
                return
            case Fault.DELAY:
                self.agenda.after(self.course.delay, number, partial(self.send, outcome, 0))
                return
            case Fault.CUT:
                self.wire.down.cut_after(len("HTTP/1.1 "))
        if isinstance(outcome, Answer):
            self.answer = outcome
            self.answered.set()
        elif isinstance(outcome, Ending):
            self.wire.cut(outcome)

    def cut(self) -> None:
        self.wire.cut()


class Venue:
    """Serve `on_rest` and `on_websocket`, run ``agenda``, and tell `notice` what the bot writes on its tape."""

    def __init__(self, score: Score, course: Course, clock: Clock, link: Link) -> None:
        self.agenda = Agenda(course, score.timers)
        self.sockets = Sockets(score, self.agenda, course, self._ask, self._abandon)
        self.book = Book(score, self.agenda, course, self.sockets.publish)
        self.answers = Answers(score, course, clock, self.book)
        self.sent: Counter[str] = Counter()
        """How often an order was sent here, by client id, but for what was refused when it was recorded."""

        self._idle: set[Connection] = set()
        """Connections on which no request waits."""

        self._score = score
        self._course = course
        self._clock = clock
        self._link = link

    # Connections.

    async def on_rest(self, stream: trio.SocketStream) -> None:
        wire = self._wire(stream)
        self._idle.add(wire)
        with suppress(trio.BrokenResourceError, trio.ClosedResourceError):
            await HttpConnection(stream, self._clock).serve(partial(self._asked, wire))
        self._idle.discard(wire)

    async def on_websocket(self, stream: trio.SocketStream) -> None:
        await self.sockets.serve(stream, self._wire(stream))

    def _wire(self, stream: trio.SocketStream) -> Connection:
        ip, port = stream.socket.getpeername()[:2]
        return next(
            each for each in reversed(self._link.connections) if each.client.local == Address(ip, port)
        )

    def notice(self, kind: Kind, data: Any, generation: int) -> None:
        """What the bot wrote on its tape. A request that never left when it was recorded finds no way now either."""
        self.agenda.notice(kind, data)
        self.sockets.notice(kind, generation)
        if kind is Kind.REQUEST:
            waiting = self._score.exchanges.get(of_record(Record(0, 0, 0, kind, data)).key)
            if waiting and waiting[0].failure == "not sent":
                self._bar(waiting.popleft())

    def _bar(self, exchange: Exchange) -> None:
        """Refuse the connection that is about to be asked for. One that is open would be used: there is none."""
        assert exchange.ended is not None
        for wire in self._idle:
            wire.cut()
        self._idle.clear()
        self._link.refuse(seconds(exchange.took_ns))
        self.agenda.after(0, exchange.ended.number, self._link.heal)

    def _abandon(self, client_ids: Iterable[str]) -> None:
        """A WebSocket ended that was to take its orders along (protocol reference 5.3)."""
        for client_id in client_ids:
            with suppress(VenueError):  # it has ended, or never came
                self.book.cancel(client_id)

    # Questions.

    async def _asked(self, wire: Connection, request: Request) -> Answer:
        requester = Requester(wire, self._course, self.agenda)
        self._idle.discard(wire)
        question = of_request(request.method, request.segments[1:], request.query, request.body)
        self._ask(requester, question)
        answer = await requester.wait()
        self._idle.add(wire)
        return answer

    def _ask(self, asker: Asker, question: Question) -> None:
        waiting = self._score.exchanges.get(question.key)
        exchange = waiting.popleft() if waiting else None
        if exchange is None or not exchange.is_refused:
            self.sent.update(question.client_ids)
        number = exchange.asked.number if exchange is not None else 0
        answer = partial(self._answer, asker, question, exchange)
        match self._course.struck_by(number):
            case Fault.DROP:
                pass
            case Fault.DELAY:
                self.agenda.after(self._course.delay, number, answer)
            case Fault.DUPLICATE:
                self.answers.own(question, exchange)  # to the first copy: nobody waits for that any more
                answer()
            case Fault.CUT:
                asker.cut()
            case _:  # after what is due at this instant
                self.agenda.after(0, number or LAST, answer)

    def _answer(self, asker: Asker, question: Question, exchange: Exchange | None) -> None:
        """Decide what the question comes to, and tell that when its time has come."""
        asker.arrived(question)
        outcome: Outcome = self.answers.own(question, exchange)
        if exchange is None or exchange.ended is None:
            self.agenda.after(seconds(self._score.usual_ns), 0, partial(asker.send, outcome, 0))
            return
        told = [(exchange.ended, outcome)]
        if outcome is None:
            told = [(exchange.ended, self.answers.recorded(exchange))]
            told += [(each, restored(each.data)) for each in exchange.repeats]
        for record, said in told:
            when = self._course.when(record, exchange.asked)
            self.agenda.at(when, record.number, partial(asker.send, said, record.number))
