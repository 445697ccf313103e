"""Order entry over the WebSocket of one generation: each call once, and its reply or which of three failures."""

from collections.abc import Callable, Iterator
from contextlib import suppress
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
from bot.paradex import outcome
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
        leave is asked of ``permit`` when the writer has come to it.

        Raises:
            NotSentError: no byte of it left.
            RefusedError: the venue said no.
            UnknownOutcomeError: everything else.
        """
        spent = await self.budgets.spend(call.method, "")
        parcel = _Parcel(self, call, permit)
        is_cancelled = True
        try:
            with (
                trio.move_on_after(self.timeout),
                suppress(StreamClosedError),
                self.stream.waiting(parcel.pending),
            ):
                await self.stream.post(parcel)
                await parcel.pending.arrived.wait()
            is_cancelled = False
        finally:
            parcel.end(is_cancelled=is_cancelled)
        reply = parcel.pending.reply
        if reply is None:
            raise parcel.failure()
        if tells_of_restriction(0, bytes(reply.result)):  # of one order of a batch
            self.restricted()
        try:
            value = call.read(reply)
        except RefusedError as refused:
            self._refused(refused, spent)
            raise
        finally:
            self.tape.write(Kind.WIRE, parcel.wire(self.clock.monotonic_ns()).told())
        return Answer(
            value=value,
            reused=True,
            elapsed_ns=parcel.pending.ns - parcel.left_ns,
            exchange=parcel.exchange,
        )

    def _refused(self, refused: RefusedError, spent: Spent) -> None:
        if refused.status == RATE_LIMITED:
            self.budgets.answered(spent, 429, {})
        elif refused.code in MODE_CODES:
            self.restricted()
        elif refused.status in NOT_PERMITTED:
            self.not_permitted(refused)


@attrs.define(eq=False)
class _Parcel(Generic[T]):
    """One call on its way: a `bot.link.websocket.Outgoing`."""

    entry: OrderEntry
    call: Call[T]
    permit: Permit
    pending: PendingReply = attrs.field(factory=PendingReply)
    exchange: int = 0
    """Its number on the tape; 0 as long as it has not left."""

    left_ns: int = 0
    idle_ns: int = 0
    written_ns: int = 0
    _refusal: NotSentError | None = None

    def leave(self) -> tuple[str, Any]:
        if self._refusal is None:
            try:
                self.permit()
            except NotSentError as refusal:
                self._refuse(refusal)
        if self._refusal is not None:
            raise self._refusal
        request_id = self.entry.stream.number(self.pending)
        self.exchange = next(self.entry.exchanges)
        frame = self.call.frame(request_id)
        return frame, {"x": self.exchange, "of": self.call.cause, "frame": self.call.show(frame, HIDDEN)}

    def left(self, ns: int) -> None:
        self.left_ns = ns
        self.idle_ns = ns - self.entry.stream.used_ns()

    def written(self, ns: int) -> None:
        self.written_ns = ns

    def wire(self, parsed_ns: int) -> Wire:
        """What the connection tells of it, when its reply was read."""
        return Wire(
            x=self.exchange,
            reused=True,
            idle_ns=self.idle_ns,
            written_ns=self.written_ns,
            first_ns=self.pending.arrived_ns,
            parsed_ns=parsed_ns,
            rtt_us=self.entry.stream.round_trip_us(),
        )

    def end(self, *, is_cancelled: bool) -> None:
        """Nobody waits for it any more: if it has not left by now, it never will."""
        self._refuse(NotSentError(f"{self.call.method}: {self._why()}, before it could leave"))
        if self.exchange and self.pending.reply is None:
            # A cancellation is the bot's own doing, and tells nothing of the venue.
            told = {"failure": "cancelled"} if is_cancelled else self.failure().told()
            self.entry.tape.write(Kind.FAILURE, {"x": self.exchange} | told)

    def failure(self) -> RequestError:
        """How it ended, without a reply."""
        if self.exchange:
            return outcome.of_exception(f"{self.call.method}: {self._why()}", has_begun=True)
        assert self._refusal is not None
        return self._refusal

    def _why(self) -> str:
        return "the WebSocket ended" if self.entry.stream.is_lost else "deadline passed"

    def _refuse(self, refusal: NotSentError) -> None:
        if self._refusal is None:
            self._refusal = refusal
            self.pending.arrived.set()
