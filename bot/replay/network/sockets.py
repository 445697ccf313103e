"""The recorded venue's WebSockets: who may connect when, what is replied, and what is said unasked."""

from functools import partial
from typing import Any

import attrs
import msgspec
import trio

from bot.core.tape import Kind, restored
from bot.journal.record import Record
from bot.replay.network.agenda import Agenda
from bot.replay.network.fault import Course, Fault
from bot.replay.network.score import Score, decoded, seconds
from bot.replay.network.websocket import SocketEnd
from bot.simulation.connection import Connection

ABNORMAL = frozenset({None, 1005, 1006, 1015})
"""Codes that no close frame carries (RFC 6455, section 7.4.1)."""


@attrs.define(eq=False)
class Sockets:
    """One after the other: the bot has one at a time."""

    score: Score
    agenda: Agenda
    course: Course
    unheard: list[int] = attrs.field(factory=list)
    """Records whose frame found nobody."""

    unanswered: list[str] = attrs.field(factory=list)
    """Requests to which the recording knows no reply."""

    _ended: int = 0
    """The generation that ended last, as the bot counts."""

    _socket: SocketEnd | None = None

    def __attrs_post_init__(self) -> None:
        for frame in self.score.unasked:
            channel = str(_params(decoded(restored(frame.data))).get("channel", ""))
            said = partial(self.publish, frame.number, channel, restored(frame.data))
            self.agenda.at(seconds(frame.ns), frame.number, said)
        for ended in self.score.ended.values():
            if ended.generation in self.score.opened and not ended.data["ours"]:
                self.agenda.at(seconds(ended.ns), ended.number, partial(self._hang_up, ended))

    async def serve(self, stream: trio.abc.Stream, wire: Connection) -> None:
        await SocketEnd(self._ended + 1, stream, wire, self._dialled, self._heard, self._left).serve()

    def notice(self, kind: Kind, generation: int) -> None:
        """What the bot wrote on its tape."""
        if kind is Kind.SOCKET_END:
            self._ended = generation

    def publish(self, number: int, channel: str, frame: str | bytes) -> None:
        """Say what nobody asked for to whoever is connected; in a session that goes its own way: and subscribed."""
        self._say(self._socket, number, frame, channel)

    def _say(self, socket: SocketEnd | None, number: int, frame: str | bytes, channel: str = "") -> None:
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
        self._say(self._socket if channel else socket, 0, frame, channel)

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
        message = decoded(text)
        call = socket.generation, message.get("id", 0)
        asked = self.score.calls.get(call)
        reply = partial(self._reply, socket, message, asked, self.score.replies.get(call))
        match self.course.struck_by(asked.number) if asked is not None else None:
            case Fault.DROP:
                pass
            case Fault.DELAY:
                self.agenda.after(self.course.delay, 0, reply)
            case Fault.CUT:
                socket.cut()
            case _:
                reply()

    def _reply(
        self, socket: SocketEnd, message: dict[str, Any], asked: Record | None, replied: Record | None
    ) -> None:
        channel = _params(message).get("channel")
        if message.get("method") == "subscribe":
            socket.channels.add(str(channel))
        if asked is not None and self.course.is_as_recorded:
            if replied is not None:
                say = partial(self._say, socket, replied.number, restored(replied.data))
                self.agenda.at(seconds(replied.ns), replied.number, say)
            return
        question = message.get("method"), channel
        for call, record in self.score.replies.items():
            recorded = self.score.calls[call]
            known = decoded(recorded.data)
            if (known.get("method"), _params(known).get("channel")) == question:
                answer = decoded(record.data) | {"id": message.get("id")}
                frame = msgspec.json.encode(answer).decode()
                when = self.course.when(record, recorded)
                self.agenda.at(when, 0, partial(self._say, socket, 0, frame))
                return
        self.unanswered.append(f"{question[0]} {channel or ''}".strip())

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


def _params(message: dict[str, Any]) -> dict[str, Any]:
    params = message.get("params")
    return params if isinstance(params, dict) else {}
