"""What a fault can do with a call over a WebSocket."""

from collections.abc import Callable, Iterable
from functools import partial
from typing import Any

import attrs
import msgspec
import trio

from bot.exchange.agenda import Agenda
from bot.exchange.errors import UNREADABLE
from bot.exchange.faults.ask import Ask, call_name, objects_of, read_ask
from bot.exchange.faults.garbling import How, garble_reply
from bot.exchange.faults.handling import Handling, Words
from bot.exchange.faults.witness import Seen
from bot.exchange.matching.ledger import OrderLedger
from bot.exchange.stamps import Stamps
from bot.exchange.stream.encode import encode
from bot.exchange.stream.frames import HangUp, Mishap, Reply
from bot.exchange.stream.rpc import (
    INTERNAL_ERROR,
    INVALID_BEARER,
    MALFORMED_BEARER,
    PERMISSION_DENIED,
    RATE_LIMITED,
    REFUSED,
    Id,
    RpcError,
    id_of,
)
from bot.exchange.stream.session import UNKNOWN, Handled

_CUT = HangUp(None, "cut on purpose")
_MS = 1_000_000

_RPC = {401: INVALID_BEARER, 403: PERMISSION_DENIED, 429: RATE_LIMITED}
_STATUS = {
    INTERNAL_ERROR: 500,
    MALFORMED_BEARER: 401,
    INVALID_BEARER: 401,
    PERMISSION_DENIED: 403,
    RATE_LIMITED: 429,
}


def read_call_ask(text: str, methods: Iterable[str], ledger: OrderLedger) -> Ask:
    """What a message asks for. One that cannot be read is of an unknown method."""
    message = _decoded(text)
    said = message if isinstance(message, dict) else {}
    method = next((each for each in methods if each == said.get("method")), UNKNOWN)
    return read_ask(call_name(method), objects_of(said.get("params")), ledger)


def status_of_reply(reply: Reply) -> int:
    """How a reply would be told over REST; 200 where it went well."""
    error = reply.error
    if error is None:
        return 200
    if error.refusal is not None:
        return error.refusal.status
    return _STATUS.get(error.code, 400)


def note_handled(seen: Seen, handled: Handled, received_ns: int) -> None:
    """Note what the exchange made of a call, received then."""
    error = handled.reply.error
    seen.received_ms, seen.status = received_ns // _MS, status_of_reply(handled.reply)
    seen.code = None if error is None or error.refusal is None else error.refusal.code


@attrs.define(eq=False, kw_only=True)
class CallHandling(Handling[Mishap]):
    """One call of a socket. ``serve`` has it handled as received at a time in ns, which takes ``processing`` seconds.

    It hands over nothing if the call means nothing any more, its socket being gone. The socket's other messages wait
    until the ``task_status`` is told that this has started.
    """

    text: str
    serve: Callable[[int], Handled | None]
    processing: float
    stamps: Stamps
    agenda: Agenda
    task_status: trio.TaskStatus[None]
    then: Callable[[], None] | None = None
    """What is to be done once the answer is on its way."""

    _is_aside: bool = False

    def step_aside(self) -> None:
        """Let other messages of the socket pass from now on."""
        if not self._is_aside:
            self._is_aside = True
            self.task_status.started()

    async def wait(self, seconds: float) -> None:
        if seconds:
            self.step_aside()
            await trio.sleep(seconds)

    async def pass_on(self) -> Mishap:
        received_ns = self.stamps.now_ns()
        if self.processing:
            await trio.sleep(self.processing)
        handled = self.serve(received_ns)
        if handled is None:
            return Mishap()
        self.then = handled.then
        return Mishap((encode(handled.reply),), told=status_of_reply(handled.reply))

    def send_on(self, late: float) -> None:
        self.agenda.add(trio.current_time() + late, self._arrive)

    def look_back(self, seconds: float) -> None:
        """No call reads orders or fills."""

    async def say_nothing(self, cut_after: float | None) -> Mishap:
        if cut_after is None:
            return Mishap()
        await self.wait(cut_after)
        return Mishap(then=_CUT)

    def refuse(self, words: Words) -> Mishap:
        now_us = self.stamps.now_us()
        reply = Reply(self._id(), now_us, now_us, error=_error(words))
        return Mishap((encode(reply),), told=words.status)

    def tear(self, answer: Mishap, part: float) -> Mishap:
        return Mishap(answer.frames if part else (), part=part or 1.0, then=_CUT)

    def repeat(self, answer: Mishap) -> Mishap:
        return Mishap(answer.frames * 2, told=answer.told)

    def garble(self, answer: Mishap, how: How) -> Mishap:
        frames = tuple(garble_reply(frame, how) for frame in answer.frames if isinstance(frame, str))
        return Mishap(frames, told=answer.told)

    def _id(self) -> Id:
        return id_of(_decoded(self.text))

    def _arrive(self) -> None:
        self.agenda.add(trio.current_time() + self.processing, partial(self._finish, self.stamps.now_ns()))

    def _finish(self, received_ns: int) -> None:
        handled = self.serve(received_ns)
        if handled is not None and handled.then is not None:
            handled.then()


def _error(words: Words) -> RpcError:
    """The error that such words are over a WebSocket.

    A refusal for the platform's mode is one of the business there, whatever its status.
    """
    code = words.rpc
    if code is None:
        code = _RPC.get(words.status)
    if code is None:
        is_ours = words.status >= 500 and not (words.code or "").startswith("SYSTEM_STATUS_")
        code = INTERNAL_ERROR if is_ours else REFUSED
    return RpcError(code, words.message, words.code)


def _decoded(text: str) -> Any:
    try:
        return msgspec.json.decode(text)
    except UNREADABLE:
        return None
