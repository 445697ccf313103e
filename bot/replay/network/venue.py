"""The venue of a recorded session, played to the bot that connects: it answers and reports as the recording says.

What is asked is matched with the recorded exchange of the same question, in recorded order, and answered at the
recorded time. Frames come at theirs, and none before what caused it has arrived. From the moment a fault strikes,
times are counted from their causes instead, and what is asked about orders is answered from the state that each has
come to: the recording cannot know what is asked then, but it knows what the venue did with each order.

What the recording does not know is refused, and counted; nothing is invented.
"""

from collections import Counter
from contextlib import suppress
from functools import partial
from typing import Any

import attrs
import trio

from bot.core.clock import Clock
from bot.core.tape import Kind
from bot.exchange.transport.http import Answer, HttpConnection, Request
from bot.journal.record import Record
from bot.replay.network.agenda import Agenda
from bot.replay.network.answers import Answers, Outcome
from bot.replay.network.fault import Course, Fault
from bot.replay.network.orders import Book
from bot.replay.network.score import Exchange, Key, Score, key_of, key_of_record, placed, seconds
from bot.replay.network.sockets import Sockets
from bot.simulation.address import Address
from bot.simulation.connection import Connection
from bot.simulation.network import Link

LAST = 2**63
"""The number of what nobody recorded: above all that were."""


@attrs.define(eq=False)
class Pending:
    """A request that waits, on its connection."""

    wire: Connection
    request: Request
    key: Key
    exchange: Exchange | None
    """The recorded one."""

    answer: Answer | None = None
    answered: trio.Event = attrs.field(factory=trio.Event)

    async def wait(self) -> Answer:
        await self.answered.wait()
        assert self.answer is not None
        return self.answer


class Venue:
    """Serve `on_rest` and `on_websocket`, run ``agenda``, and tell `notice` what the bot writes on its tape."""

    def __init__(self, score: Score, course: Course, clock: Clock, link: Link) -> None:
        self.agenda = Agenda(course, score.timers)
        self.sockets = Sockets(score, self.agenda, course)
        self.book = Book(score, self.agenda, course, self.sockets.publish)
        self.answers = Answers(score, course, clock, self.book)
        self.sent: Counter[str] = Counter()
        """How often an order was sent here, by client id, whatever became of it."""

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
            waiting = self._score.exchanges.get(key_of_record(Record(0, 0, 0, kind, data)))
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

    # Requests.

    async def _asked(self, wire: Connection, request: Request) -> Answer:
        key = key_of(request.method, request.segments[1:], request.query, request.body)
        if request.method == "POST":
            self.sent.update(str(terms.get("client_id")) for terms in placed(key[1], request.body))
        waiting = self._score.exchanges.get(key)
        exchange = waiting.popleft() if waiting else None
        pending = Pending(wire, request, key, exchange)
        self._idle.discard(wire)
        number = exchange.asked.number if exchange is not None else 0
        match self._course.struck_by(number):
            case Fault.DROP:
                pass
            case Fault.DELAY:
                self.agenda.after(self._course.delay, number, partial(self._answer, pending))
            case Fault.DUPLICATE:
                self.answers.own(key, exchange, request)  # to the first copy: nobody waits for that any more
                self._answer(pending)
            case Fault.CUT:
                wire.cut()
            case _:  # after what is due at this instant
                self.agenda.after(0, number or LAST, partial(self._answer, pending))
        answer = await pending.wait()
        self._idle.add(wire)
        return answer

    def _answer(self, pending: Pending) -> None:
        """Decide what the request comes to, and send that when its time has come."""
        exchange = pending.exchange
        outcome: Outcome = self.answers.own(pending.key, exchange, pending.request)
        if outcome is None and exchange is not None:
            outcome = self.answers.recorded(exchange)
        if exchange is None or exchange.ended is None:
            self.agenda.after(seconds(self._score.usual_ns), 0, partial(self._send, pending, outcome, 0))
        else:
            when, number = self._course.when(exchange.ended, exchange.asked), exchange.ended.number
            self.agenda.at(when, number, partial(self._send, pending, outcome, number))

    def _send(self, pending: Pending, outcome: Outcome, number: int) -> None:
        match self._course.struck_by(number):
            case Fault.DROP:
                return
            case Fault.DELAY:
                self.agenda.after(self._course.delay, number, partial(self._send, pending, outcome, 0))
                return
            case Fault.CUT:
                pending.wire.down.cut_after(len("HTTP/1.1 "))
        if isinstance(outcome, Answer):
            pending.answer = outcome
            pending.answered.set()
        elif outcome is not None:
            pending.wire.cut(outcome)
