"""Order entry over the WebSocket of one generation: each call once, and its reply or which of three failures."""

from collections.abc import Callable, Iterator
from typing import Any, Generic, TypeVar

import attrs
import trio

from bot.core.budget import Spent
from bot.core.clock import Clock
from bot.core.errors import NotSentError, RefusedError, RequestError, StreamClosedError
from bot.core.tape import HIDDEN, Kind, Tape
from bot.core.wire import Wire
from bot.link.answer import Answer, Permit, always
from bot.link.budgets import Budgets
from bot.paradex import outcome, rpc
from bot.paradex.calls import Call
from bot.paradex.mode import tells_of_restriction
from bot.paradex.outcome import MODE_CODES
from bot.session.stream import PendingReply, Stream

T = TypeVar("T")

RATE_LIMITED = 42901
NOT_PERMITTED = frozenset({40110, 40111, 40112, 40300})
"""A venue that says so does not know, or not want, whom this WebSocket speaks for (protocol reference 4.2)."""


@attrs.define(eq=False, kw_only=True)
class OrderEntry:
    """Calls of one generation. They share the limits of requests, and their numbers on the tape."""

    stream: Stream
    budgets: Budgets
    exchanges: Iterator[int]
    tape: Tape
    clock: Clock
    timeout: float
    """Seconds, of a whole call."""

    restricted: Callable[[], None]
    """Told of a reply that tells of a restricted platform mode."""

    not_permitted: Callable[[RefusedError], None]
    """Told of a reply by which no other call over this WebSocket can succeed."""

    async def send(self, call: Call[T], permit: Permit = always) -> Answer[T]:
        """Send ``call`` once. Nothing below repeats it.

        It leaves when the venue's limits have room for it; an order that finds none is not sent. Whether it still may
        leave is asked of ``permit`` right before.

        Raises:
            NotSentError: no byte of it left.
            RefusedError: the venue said no.
            UnknownOutcomeError: everything else.
        """
        spent = await self.budgets.spend(call.method, "")
        await trio.lowlevel.checkpoint_if_cancelled()
        return await self._leave(call, permit, spent).answer()

    def leave(self, call: Call[T], permit: Permit) -> "Parcel[T]":
        """Send ``call`` at this moment, or as soon as the system has room. `Parcel.answer` has to be awaited then.

        Raises:
            NotSentError: the venue's limits have no room.
        """
        return self._leave(call, permit, self.budgets.spend_now(call.method, ""))

    def _leave(self, call: Call[T], permit: Permit, spent: Spent) -> "Parcel[T]":
        parcel = Parcel(entry=self, call=call, permit=permit, spent=spent)
        try:
            self.stream.expect(parcel)
            self.stream.post(parcel)
        except StreamClosedError as closed:
            parcel.refuse(NotSentError(f"{call.method}: {closed}, before it could leave"))
        return parcel

    def refused(self, refused: RefusedError, spent: Spent) -> None:
        """The venue said no to a call that was ``spent``."""
        if refused.status == RATE_LIMITED:
            self.budgets.answered(spent, 429, {})
        elif refused.code in MODE_CODES:
            self.restricted()
        elif refused.status in NOT_PERMITTED:
            self.not_permitted(refused)


@attrs.define(eq=False, kw_only=True)
class Parcel(PendingReply, Generic[T]):
    """One call on its way, a `bot.link.websocket.Outgoing`, and what comes back."""

    entry: OrderEntry
    call: Call[T]
    permit: Permit
    spent: Spent
    exchange: int = 0
    """Its number on the tape; 0 as long as it has not left."""

    left_ns: int = 0
    idle_ns: int = 0
    written_ns: int = 0
    parsed_ns: int = 0
    result: T | RequestError = attrs.field(init=False)
    """What the reply says, once there is one."""

    _refusal: NotSentError | None = attrs.field(default=None, init=False)

    @property
    def has_left(self) -> bool:
        """The venue may have it."""
        return self.exchange != 0

    async def answer(self) -> Answer[T]:
        """Wait for the answer. Raises what `OrderEntry.send` does."""
        entry, is_cancelled = self.entry, True
        try:
            with trio.move_on_after(entry.timeout):
                await self.arrived.wait()
            is_cancelled = False
        finally:
            entry.stream.forget(self)
            self._end(is_cancelled=is_cancelled)
        if self.reply is None:
            raise self._failure()
        entry.tape.write(Kind.WIRE, self._wire().told())
        if isinstance(self.result, RequestError):
            if isinstance(self.result, RefusedError):
                entry.refused(self.result, self.spent)
            raise self.result
        if tells_of_restriction(0, bytes(self.reply.result)):  # of one order of a batch
            entry.restricted()
        return Answer(
            value=self.result, reused=True, elapsed_ns=self.ns - self.left_ns, exchange=self.exchange
        )

    def leave(self) -> tuple[str, Any]:
        if self._refusal is None:
            try:
                self.permit()
            except NotSentError as refusal:
                self.refuse(refusal)
        if self._refusal is not None:
            raise self._refusal
        request_id = self.entry.stream.number(self)
        self.exchange = next(self.entry.exchanges)
        frame = self.call.frame(request_id)
        return frame, {"x": self.exchange, "of": self.call.cause, "frame": self.call.show(frame, HIDDEN)}

    def left(self, ns: int) -> None:
        self.left_ns = ns
        self.idle_ns = ns - self.entry.stream.used_ns()

    def written(self, ns: int) -> None:
        self.written_ns = ns

    def hear(self, reply: rpc.Reply) -> None:
        try:
            self.result = self.call.read(reply)
        except RequestError as failure:
            self.result = failure
        self.parsed_ns = self.entry.clock.monotonic_ns()
        super().hear(reply)

    def _wire(self) -> Wire:
        """What the connection tells of it."""
        return Wire(
            x=self.exchange,
            reused=True,
            idle_ns=self.idle_ns,
            written_ns=self.written_ns,
            first_ns=self.arrived_ns,
            parsed_ns=self.parsed_ns,
            rtt_us=self.entry.stream.round_trip_us(),
        )

    def _end(self, *, is_cancelled: bool) -> None:
        """Nobody waits for it any more: if it has not left by now, it never will."""
        self.refuse(NotSentError(f"{self.call.method}: {self._why()}, before it could leave"))
        if self.has_left and self.reply is None:
            # A cancellation is the bot's own doing, and tells nothing of the venue.
            told = {"failure": "cancelled"} if is_cancelled else self._failure().told()
            self.entry.tape.write(Kind.FAILURE, {"x": self.exchange} | told)

    def _failure(self) -> RequestError:
        """How it ended, without a reply."""
        if self.has_left:
            return outcome.of_exception(f"{self.call.method}: {self._why()}", has_begun=True)
        assert self._refusal is not None
        return self._refusal

    def _why(self) -> str:
        return "the WebSocket ended" if self.entry.stream.is_lost else "deadline passed"

    def refuse(self, refusal: NotSentError) -> None:
        """It is to stay here, if it is still here."""
        if self._refusal is None:
            self._refusal = refusal
            self.arrived.set()
