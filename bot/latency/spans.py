"""Where the time of an order went: the moments of its way, picked from the records of a session."""

from collections.abc import Iterator
from typing import Any

import attrs
import msgspec

from bot.core.tape import Kind
from bot.core.wire import Wire
from bot.journal.record import Record
from bot.journal.sent import client_id_of, placed
from bot.latency.clock import ClockBounds, Reading
from bot.paradex import rest, rpc
from bot.paradex.answers import UNREADABLE, SystemTime
from bot.paradex.timing import VenueTimes, of_reply, of_update, unix_ns

CONFIRMED = frozenset({"OPEN", "CLOSED", "UNTRIGGERED"})
"""What the orders channel says of an order that the venue has."""

REMEMBERED = 1000
"""Orders that have an answer and no confirmation, or the other way round."""


@attrs.frozen(kw_only=True)
class Span:
    """One order that was sent alone, and answered. Times in ns since the start of the run, each after the one before.

    Only ``confirmed_ns`` may come before others: the channel does not wait for the answer. ``venue`` is by its clock.
    """

    client_id: str
    over_websocket: bool
    decided_ns: int
    """The strategy's step."""

    begun_ns: int
    """It had its turn: hashing began."""

    hashed_ns: int
    """The same as ``begun_ns`` where hash and signature were not told apart."""

    signed_ns: int
    leaving_ns: int
    """Encoded, with its intent in the journal."""

    wire: Wire
    """It left, and its answer came."""

    confirmed_ns: int | None
    """The orders channel said so; None if it did not, as far as the session goes."""

    venue: VenueTimes
    clock: Reading | None
    """The venue's clock as it was known when the answer came; None if nothing was."""


@attrs.define
class _Order:
    client_id: str
    decided_ns: int
    begun_ns: int = 0
    hashed_ns: int = 0
    signed_ns: int = 0
    leaving_ns: int = 0
    call: tuple[int, int] | None = None
    """Generation and id, of one that went over the WebSocket."""

    replied: VenueTimes = VenueTimes()
    updated: VenueTimes = VenueTimes()
    confirmed_ns: int | None = None
    wire: Wire | None = None

    def span(self, wire: Wire, clock: Reading | None) -> Span:
        return Span(
            client_id=self.client_id,
            over_websocket=self.call is not None,
            decided_ns=self.decided_ns,
            begun_ns=self.begun_ns,
            hashed_ns=self.hashed_ns,
            signed_ns=self.signed_ns,
            leaving_ns=self.leaving_ns,
            wire=wire,
            confirmed_ns=self.confirmed_ns,
            venue=self.replied.completed_by(self.updated),
            clock=clock,
        )


@attrs.define
class Spans:
    """Meets the records of a session in order, and hands out each span when nothing of it is missing."""

    clock: ClockBounds = attrs.field(factory=ClockBounds)
    _orders: dict[str, _Order] = attrs.field(factory=dict)
    _sent: dict[int, str] = attrs.field(factory=dict)
    """Client ids, by exchange."""

    _called: dict[tuple[int, int], _Order] = attrs.field(factory=dict)
    """Those that went over a WebSocket and have no reply, by generation and id."""

    _asked: dict[int, int] = attrs.field(factory=dict)
    """When the venue's time was asked for, by exchange."""

    def meet(self, record: Record) -> Iterator[Span]:
        """The span that ``record`` completes, if it does."""
        match record.kind, record.data:
            case Kind.EFFECT, {"do": "place", "client_id": str(client_id)}:
                self._orders[client_id] = _Order(client_id, record.ns)
            case (
                Kind.INTENT,
                {
                    "what": "place",
                    "client_id": str(client_id),
                    "sent_ns": int(sent_ns),
                    "sign_ns": int(sign_ns),
                },
            ) if client_id in self._orders:
                order, hash_ns = self._orders[client_id], record.data.get("hash_ns")
                order.signed_ns, order.begun_ns = sent_ns, sent_ns - sign_ns
                order.hashed_ns = order.begun_ns + (hash_ns if isinstance(hash_ns, int) else 0)
            case Kind.REQUEST, {"x": int(exchange), "path": rest.SYSTEM_TIME}:
                self._asked[exchange] = record.ns
            case Kind.ANSWER, {"x": int(exchange), "body": str(body)} if exchange in self._asked:
                self._told_time(self._asked.pop(exchange), body, record.ns)
            case ((Kind.REQUEST | Kind.FRAME_OUT), {"x": int(exchange)}):
                self._leaves(record, exchange)
            case Kind.FAILURE, {"x": int(exchange)}:
                self._asked.pop(exchange, None)
                self._forget(self._sent.pop(exchange, ""))
            case Kind.WIRE, {"x": int(exchange)} if exchange in self._sent:
                yield from self._answered(self._sent.pop(exchange), record.data)
            case Kind.FRAME_IN, str(frame) if self._orders:
                yield from self._heard(frame, record)

    def rest(self) -> Iterator[Span]:
        """Those that were answered and not confirmed, at the end of a session."""
        for client_id in list(self._orders):
            yield from self._forget(client_id)

    def _told_time(self, asked_ns: int, body: str, ns: int) -> None:
        try:
            told_ms = int(msgspec.json.decode(body, type=SystemTime).server_time)
        except UNREADABLE:
            return
        if (stamped_ns := unix_ns(told_ms)) is not None:
            self.clock.meet(left_ns=asked_ns, stamped_ns=stamped_ns, seen_ns=ns, resolution_ns=1_000_000)

    def _leaves(self, record: Record, exchange: int) -> None:
        for sent in placed(record.kind, record.data) or ():
            order = self._orders.get(client_id_of(sent))
            if order is not None:
                self._sent[exchange] = order.client_id
                order.leaving_ns = record.ns
                if record.kind is Kind.FRAME_OUT:
                    order.call = record.generation, rpc.id_of(record.data["frame"])
                    self._called[order.call] = order

    def _answered(self, client_id: str, told: Any) -> Iterator[Span]:
        order = self._orders.get(client_id)
        try:
            wire = msgspec.convert(told, Wire)
        except msgspec.ValidationError:  # of another program
            self._forget(client_id)
            return
        if order is None:
            return
        order.wire = wire
        if order.confirmed_ns is not None:
            yield from self._forget(client_id)
        elif len(self._orders) > REMEMBERED:
            yield from self._forget(next(iter(self._orders)))

    def _heard(self, frame: str, record: Record) -> Iterator[Span]:
        try:
            message = rpc.read(frame)
        except rpc.UnreadableFrameError:
            return
        match message:
            case rpc.Reply(id=int(number)) if order := self._called.pop((record.generation, number), None):
                order.replied = of_reply(frame)
            case rpc.OrderUpdate(report) if report.status in CONFIRMED:
                order = self._orders.get(report.client_id or "")
                if order is not None and order.confirmed_ns is None and order.leaving_ns:
                    order.confirmed_ns, order.updated = record.ns, of_update(report)
                    if order.wire is not None:
                        yield from self._forget(order.client_id)

    def _forget(self, client_id: str) -> list[Span]:
        """What is known of it by now."""
        order = self._orders.pop(client_id, None)
        if order is None:
            return []
        if order.call is not None:
            self._called.pop(order.call, None)
        return [] if order.wire is None else [self._completed(order, order.wire)]

    def _completed(self, order: _Order, wire: Wire) -> Span:
        """With the clock as it is known by what the venue says of this order, too."""
        self._bound_clock(order.replied, wire, wire.first_ns, resolution_ns=1000)
        if order.confirmed_ns is not None:
            self._bound_clock(order.updated, wire, order.confirmed_ns, resolution_ns=1_000_000)
        return order.span(wire, self.clock.at(wire.first_ns))

    def _bound_clock(self, told: VenueTimes, wire: Wire, seen_ns: int, *, resolution_ns: int) -> None:
        for stamped_ns in (told.received_ns, told.answered_ns, told.published_ns):
            if stamped_ns is not None:
                self.clock.meet(
                    left_ns=wire.written_ns,
                    stamped_ns=stamped_ns,
                    seen_ns=seen_ns,
                    resolution_ns=resolution_ns,
                )
