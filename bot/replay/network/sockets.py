"""The recorded venue's WebSockets: who may connect when, who waits for a reply, and what is said unasked."""

from collections.abc import Callable, Iterable
from functools import partial

import attrs
import trio

from bot.core.tape import Kind, restored
from bot.journal.record import Record
from bot.paradex import calls
from bot.replay.network.agenda import Agenda
from bot.replay.network.answers import Outcome
from bot.replay.network.fault import Course, Fault
from bot.replay.network.question import Question, of_call
from bot.replay.network.score import Score, as_object, decoded, seconds
from bot.replay.network.websocket import SocketEnd
from bot.replay.network.wording import under_id
from bot.simulation.connection import Connection

ABNORMAL = frozenset({None, 1005, 1006, 1015})
"""Codes that no close frame carries (RFC 6455, section 7.4.1)."""


@attrs.frozen
class Caller:
    """Who waits for the reply to a call: a `bot.replay.network.venue.Asker`."""

    sockets: "Sockets"
    socket: SocketEnd
    identifier: object
    """Of the call."""

    def arrived(self, question: Question) -> None:
        match question.method, question.details:
            case "subscribe", [channel]:
                self.socket.channels.add(str(channel))
            case calls.CANCEL_ON_DISCONNECT, [enabled]:
                self.socket.is_armed = enabled is True
        if self.socket.is_armed:
            self.socket.placed += question.client_ids

    def send(self, outcome: Outcome, number: int) -> None:
        if isinstance(outcome, str | bytes):
            self.sockets.say(self.socket, number, under_id(outcome, self.identifier))

    def cut(self) -> None:
        self.socket.cut()


@attrs.define(eq=False)
class Sockets:
    """One after the other: the bot has one at a time."""

    score: Score
    agenda: Agenda
    course: Course
    ask: Callable[[Caller, Question], None]
    abandon: Callable[[Iterable[str]], None]
    """Told of the orders that a WebSocket placed that has ended, where they are to be cancelled then."""

    unheard: list[int] = attrs.field(factory=list)
    """Records whose frame found nobody."""

    _ended: int = 0
    """The generation that ended last, as the bot counts."""

    _socket: SocketEnd | None = None

    def __attrs_post_init__(self) -> None:
        for frame in self.score.unasked:
            channel = str(as_object(decoded(restored(frame.data)).get("params")).get("channel", ""))
            said = partial(self.publish, frame.number, channel, restored(frame.data))
            self.agenda.at(seconds(frame.ns), frame.number, said)
        for ended in self.score.ended.values():
            if ended.generation in self.score.opened and not ended.data["ours"]:
                self.agenda.at(seconds(ended.ns), ended.number, partial(self._hang_up, ended))

    async def serve(self, stream: trio.abc.Stream, wire: Connection) -> None:
        socket = SocketEnd(self._ended + 1, stream, wire, self._dialled, self._heard, self._left)
        await socket.serve()
        if socket.is_armed and not self.course.is_as_recorded:
            self.abandon(socket.placed)

    def notice(self, kind: Kind, generation: int) -> None:
        """What the bot wrote on its tape."""
        if kind is Kind.SOCKET_END:
            self._ended = generation

    def publish(self, number: int, channel: str, frame: str | bytes) -> None:
        """Say what nobody asked for to whoever is connected; in a session that goes its own way: and subscribed."""
        self.say(self._socket, number, frame, channel)

    def say(self, socket: SocketEnd | None, number: int, frame: str | bytes, channel: str = "") -> None:
        """Say what has this number in the recording: a reply, or what ``channel`` tells."""
        fault = self.course.struck_by(number)
        is_heard = channel in ("", *(socket.channels if socket else ())) or self.course.is_as_recorded
        if fault is Fault.DELAY:
            self.agenda.after(self.course.delay, number, partial(self._say_late, socket, frame, channel))
        elif socket is None or not socket.is_open or not is_heard:
            self.unheard.append(number)
        elif fault is Fault.CUT:
            socket.say(frame, torn=True)
        elif fault is not Fault.DROP:
            socket.say(frame)
            if fault is Fault.DUPLICATE:
                socket.say(frame)

    def _say_late(self, socket: SocketEnd | None, frame: str | bytes, channel: str) -> None:
        """A reply belongs to its connection; what nobody asked for goes to the one that lives."""
        self.say(self._socket if channel else socket, 0, frame, channel)

    # What the bot does.

    def _dialled(self, socket: SocketEnd) -> None:
        opened = self.score.opened.get(socket.generation)
        ended = self.score.ended.get(socket.generation)
        if not self.course.is_as_recorded:
            two_round_trips = 2 * seconds(self.score.usual_ns)  # for TCP, and for the upgrade
            self.agenda.after(two_round_trips, 0, partial(self._accept, socket))
        elif opened is not None:
            self.agenda.at(seconds(opened.ns), opened.number, partial(self._accept, socket))
        elif ended is not None:
            self.agenda.at(seconds(ended.ns), ended.number, socket.refuse)

    def _accept(self, socket: SocketEnd) -> None:
        self._socket = socket
        socket.accept()

    def _heard(self, socket: SocketEnd, text: str) -> None:
        self.ask(Caller(self, socket, decoded(text).get("id", 0)), of_call(text))

    def _left(self, socket: SocketEnd) -> None:
        ended = self.score.ended.get(socket.generation)
        if self.course.is_as_recorded and ended is not None and ended.data["ours"]:
            self.agenda.at(seconds(ended.ns), ended.number, socket.say_goodbye)
        else:
            socket.say_goodbye()

    def _hang_up(self, ended: Record) -> None:
        """As recorded; in a session that goes its own way whatever lives at that time is hit."""
        socket = self._socket
        if socket is None or not socket.is_open:
            return
        if self.course.is_as_recorded and socket.generation != ended.generation:
            return
        if ended.data["code"] in ABNORMAL:
            socket.cut()
        else:
            socket.close(ended.data["code"], ended.data["reason"])
