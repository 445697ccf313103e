"""What sessions tell of our orders, and which of these are not known to be over.

An order's state is what its newest record of kind ``order`` says. Besides: an order that was decided and has no
intent never left, for the intent is in the file before the first byte goes; and one whose intent is the last that is
known of it may have arrived. Whoever reads the same twice knows the same.
"""

from collections.abc import Callable, Mapping
from typing import Any

import attrs
import msgspec

from bot.core.errors import NotSentError
from bot.core.fixed import parse
from bot.core.order import State
from bot.core.recovered import Recovered, RecoveredOrder, retold, retold_terms
from bot.core.tape import Kind
from bot.journal.header import Header
from bot.journal.reader import NotAJournalError, RecordedSession
from bot.journal.record import Record
from bot.journal.sent import orders_in
from bot.paradex.answers import UNREADABLE, SystemTime
from bot.paradex.orders import DEFAULT_RECV_WINDOW


class UnknownRecordError(ValueError):
    """A record has not the form that this program gives to its kind: perhaps a newer one wrote it."""


@attrs.define(eq=False)
class SessionOrders:
    """The orders of one session, record by record.

    ``known`` finds one that was over: a late report may still tell that more of it was filled.
    """

    header: Header
    known: Callable[[str], RecoveredOrder | None] = lambda _: None
    left_before: Recovered = attrs.field(factory=Recovered)
    open: dict[str, RecoveredOrder] = attrs.field(init=False)
    """Those that are not over, by client id: INTENT, where no byte has left."""

    _compared_ns: int | None = None
    """When the newest snapshot of the account was asked for, on the session's clock."""

    _ahead_ms: int = 0
    """So much later the venue's clock is than this machine's was."""

    def __attrs_post_init__(self) -> None:
        self.open = {each.order.client_id: each for each in self.left_before.orders}

    def meet(self, record: Record) -> list[RecoveredOrder]:
        """The orders that ``record`` changes, as they are after it.

        Raises:
            UnknownRecordError: it cannot be understood.
        """
        try:
            changed = self._changed(record)
        except (KeyError, TypeError, ValueError) as error:
            raise UnknownRecordError(
                f"record {record.number} has not the form of its kind, {record.kind}: {error!r}"
            ) from error
        for each in changed:
            if each.order.is_over:
                self.open.pop(each.order.client_id, None)
            else:
                self.open[each.order.client_id] = each
        return changed

    def left(self) -> Recovered:
        """What would be left if the session ended here."""
        return Recovered(
            orders=tuple(map(_in_doubt, (each for each in self.open.values() if _may_have_left(each)))),
            run_ids=(*self.left_before.run_ids, self.header.run_id),
            seen_ms=self._seen_ms(),
        )

    def _seen_ms(self) -> int:
        if self._compared_ns is None and self.left_before.seen_ms is not None:
            return self.left_before.seen_ms
        return (self.header.started_ns + (self._compared_ns or 0)) // 1_000_000 + self._ahead_ms

    def _changed(self, record: Record) -> list[RecoveredOrder]:  # noqa: PLR0911 - one case for each kind
        data: Any = record.data
        match record.kind, data:
            case Kind.EFFECT, {"do": "place"}:
                return [_decided(data)]
            case Kind.EFFECT, {"do": "place batch"}:
                return [_decided(each) for each in data["orders"]]
            case Kind.EFFECT, {"do": "cancel"}:
                return self._evolved(data, cancelling=True)
            case Kind.EFFECT, {"do": "cancel batch"}:
                return [order for each in data["orders"] for order in self._evolved(each, cancelling=True)]
            case Kind.INTENT, {"what": "place"}:
                last_ms = data["signature_timestamp"] + _recv_window(data["request"], data["client_id"])
                leaving = attrs.evolve(self.open[data["client_id"]], last_acceptable_ms=last_ms)
                return [_evolve(leaving, state=State.SENT)]
            case Kind.OUTCOME, {"what": "place", "failure": NotSentError.kind}:
                return self._evolved(data, state=State.NEVER_ACCEPTED, reason=data["text"])
            case Kind.ORDER, _:
                return self._evolved(data, **_read(data))
            case (Kind.STOP, _) | (Kind.COMMAND, {"command": "kill switch"}):
                return [_evolve(each, cancelling=True) for each in self.open.values()]
            case Kind.RECOVERED, _:
                self.left_before = retold(data)
                return list(self.left_before.orders)
            case Kind.OUTCOME, {"requested_ns": int(requested_ns)}:
                self._compared_ns = requested_ns
            case Kind.ANSWER, {"body": str(body), "elapsed_ns": int(elapsed_ns)} if (
                server_time_ms := _server_time_ms(body)
            ):
                here_ns = self.header.started_ns + record.ns - elapsed_ns // 2
                self._ahead_ms = server_time_ms - here_ns // 1_000_000
        return []

    def _evolved(self, data: Mapping[str, Any], **told: Any) -> list[RecoveredOrder]:
        """The order that ``data`` names, with what is ``told`` of it. It may have been over long ago."""
        before = self.open.get(data["client_id"]) or self.known(data["client_id"])
        return [] if before is None else [_evolve(before, **told)]


def recover(session: RecordedSession, before: Recovered) -> Recovered:
    """What ``session`` left open, of that and of what was open ``before`` it. It counts up to its first damage.

    Raises:
        NotAJournalError: that is nothing.
        UnknownRecordError: a record cannot be understood.
    """
    orders = SessionOrders(session.header, left_before=before)
    number = 0
    for record in session:
        orders.meet(record)
        number = record.number
    if session.damage is not None and not number:
        raise NotAJournalError(str(session.damage))
    return orders.left()


def _decided(terms: Mapping[str, Any]) -> RecoveredOrder:
    return RecoveredOrder(order=retold_terms(terms), last_acceptable_ms=0)


def _evolve(each: RecoveredOrder, **told: Any) -> RecoveredOrder:
    return attrs.evolve(each, order=attrs.evolve(each.order, **told))


def _may_have_left(each: RecoveredOrder) -> bool:
    return each.order.state is not State.INTENT


def _in_doubt(each: RecoveredOrder) -> RecoveredOrder:
    return _evolve(each, state=State.UNKNOWN) if each.order.state is State.SENT else each


def _read(data: Mapping[str, Any]) -> dict[str, Any]:
    """What a record of kind ``order`` says; of its terms and of wishes only what may have changed."""
    told: dict[str, Any] = {name: parse(data[name]) for name in ("filled", "size", "price") if name in data}
    told |= {name: data[name] for name in ("venue_id", "reason", "cancelling") if name in data}
    return told | {"state": State(data["state"])}


def _recv_window(request: Mapping[str, Any], client_id: str) -> int:
    """Milliseconds."""
    order = {order["client_id"]: order for order in orders_in(request["body"])}[client_id]
    return int(order.get("recv_window", DEFAULT_RECV_WINDOW))


def _server_time_ms(body: str) -> int | None:
    """The venue's time, if this answer tells it: its words and not ours, so it may be anything."""
    if not body.startswith('{"server_time"'):
        return None
    try:
        return int(msgspec.json.decode(body, type=SystemTime).server_time)
    except UNREADABLE:
        return None
