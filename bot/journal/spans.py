"""Where the time of an order went: the moments of its way, picked from the records of a session."""

from collections.abc import Iterator
from typing import Any

import attrs
import msgspec

from bot.core.tape import Kind
from bot.journal.record import Record
from bot.journal.sent import client_id_of, placed
from bot.paradex import rpc

CONFIRMED = frozenset({"OPEN", "CLOSED", "UNTRIGGERED"})
"""What the orders channel says of an order that the venue has."""

REMEMBERED = 1000
"""Orders that have an answer and no confirmation, or the other way round."""


@attrs.frozen(kw_only=True)
class Span:
    """One order that was sent alone, and answered. Times in ns since the start of the run, each after the one before.

    Only ``confirmed_ns`` may come before others: the channel does not wait for the answer.
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

    written_ns: int
    """The system had taken the last byte."""

    first_ns: int
    """The answer began to arrive; over the WebSocket: had arrived."""

    parsed_ns: int
    confirmed_ns: int | None
    """The orders channel said so; None if it did not, as far as the session goes."""

    reused: bool
    """It went over a connection that was open."""

    idle_ns: int
    """For so long that had not been used."""

    rtt_us: int | None
    """The kernel's estimate of the round trip, if it has one."""


class _Wire(msgspec.Struct):
    """What is wanted of a `bot.link.wire.Wire`."""

    reused: bool
    idle_ns: int
    written_ns: int
    first_ns: int
    parsed_ns: int
    rtt_us: int | None


@attrs.define
class _Order:
    decided_ns: int
    begun_ns: int = 0
    hashed_ns: int = 0
    signed_ns: int = 0
    leaving_ns: int = 0
    over_websocket: bool = False
    confirmed_ns: int | None = None
    span: Span | None = None


@attrs.define
class Spans:
    """Meets the records of a session in order, and hands out each span when nothing of it is missing."""

    _orders: dict[str, _Order] = attrs.field(factory=dict)
    _sent: dict[int, str] = attrs.field(factory=dict)
    """Client ids, by exchange."""

    def meet(self, record: Record) -> Iterator[Span]:
        """The span that ``record`` completes, if it does."""
        match record.kind, record.data:
            case Kind.EFFECT, {"do": "place", "client_id": str(client_id)}:
                self._orders[client_id] = _Order(record.ns)
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
            case ((Kind.REQUEST | Kind.FRAME_OUT), {"x": int(exchange)}):
                self._leaves(record, exchange)
            case Kind.FAILURE, {"x": int(exchange)}:
                self._orders.pop(self._sent.pop(exchange, ""), None)
            case Kind.WIRE, {"x": int(exchange)} if exchange in self._sent:
                yield from self._answered(self._sent.pop(exchange), record.data)
            case Kind.FRAME_IN, str(frame) if self._orders:
                yield from self._heard(frame, record.ns)

    def rest(self) -> Iterator[Span]:
        """Those that were answered and not confirmed, at the end of a session."""
        yield from (order.span for order in self._orders.values() if order.span is not None)
        self._orders.clear()

    def _leaves(self, record: Record, exchange: int) -> None:
        for order in placed(record.kind, record.data) or ():
            client_id = client_id_of(order)
            if client_id in self._orders:
                self._sent[exchange] = client_id
                self._orders[client_id].leaving_ns = record.ns
                self._orders[client_id].over_websocket = record.kind is Kind.FRAME_OUT

    def _answered(self, client_id: str, told: Any) -> Iterator[Span]:
        order = self._orders.get(client_id)
        try:
            wire = msgspec.convert(told, _Wire)
        except msgspec.ValidationError:  # of another program
            return
        if order is None:
            return
        order.span = Span(
            client_id=client_id,
            over_websocket=order.over_websocket,
            decided_ns=order.decided_ns,
            begun_ns=order.begun_ns,
            hashed_ns=order.hashed_ns,
            signed_ns=order.signed_ns,
            leaving_ns=order.leaving_ns,
            confirmed_ns=order.confirmed_ns,
            **msgspec.structs.asdict(wire),
        )
        if order.confirmed_ns is not None:
            del self._orders[client_id]
            yield order.span
        elif len(self._orders) > REMEMBERED:
            oldest = self._orders.pop(next(iter(self._orders)))
            if oldest.span is not None:
                yield oldest.span

    def _heard(self, frame: str, ns: int) -> Iterator[Span]:
        try:
            message = rpc.read(frame)
        except rpc.UnreadableFrameError:
            return
        if not isinstance(message, rpc.OrderUpdate) or message.report.status not in CONFIRMED:
            return
        order = self._orders.get(message.report.client_id or "")
        if order is None or order.confirmed_ns is not None or not order.leaving_ns:
            return
        order.confirmed_ns = ns
        if order.span is not None:
            del self._orders[message.report.client_id or ""]
            yield attrs.evolve(order.span, confirmed_ns=ns)
