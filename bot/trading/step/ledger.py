"""What is known of every order of this run, and the only place where that changes."""

from collections.abc import Callable, Iterable
from typing import Any

import attrs
from loguru import logger

from bot.core.order import Event, ImpossibleEventError, Modification, Order, State
from bot.paradex.answers import OrderReport
from bot.trading.step.reported import ReportedTerms, read_order
from bot.trading.step.verdict import Verdict, decided, verdict

EVENT_OF_STATUS = {
    "NEW": Event.ACCEPTED,
    "UNTRIGGERED": Event.WAITING,
    "OPEN": Event.RESTING,
    "CLOSED": Event.ENDED,
}

REMEMBERED = 10_000
"""Orders that are over and still known, for reports that come late or twice; and as many foreign ones."""


@attrs.define
class OrderCounts:
    placed: int = 0
    """The request left; one that was proved not to have left does not count."""

    confirmed: int = 0
    """OPEN or CLOSED was seen on the orders channel."""

    closed: int = 0
    rejected: int = 0


class Ledger:
    """Orders by client id.

    ``changed`` is told of every order whose state, filled size or terms are others than before, or that got the terms
    that it waited for; ``refused`` of one that will not get them, and why.
    """

    def __init__(
        self,
        run_id: str,
        alarm: Callable[[str], None],
        changed: Callable[[Order], None],
        refused: Callable[[Order, str], None] = lambda _order, _reason: None,
    ) -> None:
        self.counts = OrderCounts()
        self._run_id = run_id
        self._earlier_runs: frozenset[str] = frozenset()
        self._alarm = alarm
        self._changed = changed
        self._refused = refused
        self._live: dict[str, Order] = {}
        self._over: dict[str, Order] = {}
        self._external: dict[str, None] = {}
        self._terms = ReportedTerms(alarm)

    def add(self, order: Order) -> None:
        """Take up an intent, or what an earlier run left."""
        self._live[order.client_id] = order

    def own(self, run_ids: Iterable[str]) -> None:
        """The orders of these runs are ours, too."""
        self._earlier_runs = frozenset(run_ids)

    def is_of_earlier_run(self, client_id: str) -> bool:
        return client_id.rpartition("-")[0] in self._earlier_runs

    def named(self, client_id: str) -> Order | None:
        """As `get`, and None instead of an error."""
        return self._live.get(client_id) or self._over.get(client_id)

    def live(self) -> list[Order]:
        """The orders that are not over, as far as is known."""
        return list(self._live.values())

    def get(self, client_id: str) -> Order:
        """Raises KeyError for an order that is not ours, or was over long ago."""
        return self._live.get(client_id) or self._over[client_id]

    def want_gone(self, client_id: str) -> Order | None:
        """Note that somebody wants the order cancelled. None if that is known, or the order is over.

        Raises KeyError as `get`.
        """
        order = self.get(client_id)
        if order.is_over or order.cancelling:
            return None
        self._live[client_id] = order = order.changed(cancelling=True)
        return order

    def want_otherwise(self, client_id: str, wanted: Modification) -> Order:
        """Note that somebody wants other terms, or more of how it goes with that wish.

        Only one who checked that the order can have them may ask.
        """
        self._live[client_id] = order = self._live[client_id].changed(modifying=wanted)
        return order

    def refuse_modification(self, client_id: str, reason: str) -> None:
        """An order that waits for other terms will not get them."""
        self._live[client_id] = order = self._live[client_id].changed(modifying=None)
        self._refused(order, reason)

    def sending(self, client_id: str, *, signed_ms: int, sent_ns: int, last_acceptable_ns: int) -> None:
        """The request is about to leave."""
        order = self.get(client_id)
        if self._is_possible(order, Event.SEND):
            self.counts.placed += 1
            self.move(
                order,
                Event.SEND,
                signed_ms=signed_ms,
                sent_ns=sent_ns,
                last_acceptable_ns=last_acceptable_ns,
            )

    def again(self, client_id: str) -> Order | None:
        """Send an order once more of which nothing is, or can come, at the venue. None if that is not proved.

        Raises KeyError as `get`.
        """
        order = self.get(client_id)
        if not self._is_possible(order, Event.AGAIN):
            return None
        del self._over[client_id]
        self.move(order, Event.AGAIN, cancelling=False, sent_ns=None, last_acceptable_ns=None)
        return self._live[client_id]

    def answered(self, client_id: str, report: OrderReport, *, reused: bool, request_ns: int) -> None:
        """The venue has taken the request."""
        logger.info(
            "[ORDER] Paradex order sent: client_id={}, reused={}, request={:.3g} ms",
            client_id,
            str(reused).lower(),
            request_ns / 1e6,
        )
        self.update(self.get(client_id), report)
        order = self.get(client_id)
        if order.state is State.SENT:  # a status that nobody here knows tells no more than no answer would
            self.move(order, Event.LOST, reason=f"status {report.status!r} is unknown here")

    def unsent(self, client_id: str, reason: str) -> None:
        """The request never left."""
        order = self.get(client_id)
        if order.state is State.SENT:
            self.counts.placed -= 1
        self.move(order, Event.UNSENT, reason=reason)

    def find(self, report: OrderReport) -> Order | None:
        """The order of ours that ``report`` is about. One of somebody else's is listed once, and left alone."""
        client_id = report.client_id or ""
        order = self.named(client_id)
        if order is None and self.is_of_earlier_run(client_id):
            return self._take_in(report)
        if order is None and not client_id.startswith(self._run_id) and report.id not in self._external:
            self._external[report.id] = None
            while len(self._external) > REMEMBERED:
                del self._external[next(iter(self._external))]
            logger.info(
                "[ORDER] Paradex external order, left alone: id={}, client_id={}, market={}, status={}",
                report.id,
                client_id,
                report.market,
                report.status,
            )
        return order

    def _take_in(self, report: OrderReport) -> Order | None:
        """An order of ours that no journal knows: the last moments of one went with a power cut."""
        if EVENT_OF_STATUS.get(report.status) in {None, Event.ENDED}:
            return None
        try:
            order = read_order(report)
        except ValueError as unreadable:
            self._alarm(f"order {report.client_id} of an earlier run cannot be read: {unreadable}")
            return None
        self._alarm(f"order {order.client_id} of an earlier run is at the venue, and in no journal")
        self.add(order)
        return order

    def update(self, order: Order, report: OrderReport, *, by_channel: bool = False) -> None:
        """Take over what the venue says of ``order``. Nothing moves backwards, whatever order reports come in.

        ``by_channel``: the orders channel says so, and not an answer or a list.
        """
        event = EVENT_OF_STATUS.get(report.status)
        if event is None:
            self._alarm(
                f"order {order.client_id}: the venue reports a status unknown here, {report.status!r}"
            )
            return
        if not self._is_possible(order, event):
            return
        is_confirmed = by_channel and event is not Event.ACCEPTED
        if is_confirmed:
            logger.info("[ORDER] Paradex order confirmed via WS: id={}, status={}", report.id, report.status)
            if not order.seen_on_channel:
                self.counts.confirmed += 1
        known = self._terms.read(order, report)
        if event is Event.RESTING and known["filled"]:
            event = Event.FILL
        judged = verdict(order, report, size=known["size"], price=known["price"])
        if judged is Verdict.GRANTED:
            known["modifying"] = None
        request = decided(report)
        if request is not None and request.id:
            known["last_request"] = request.id
        self.move(
            order,
            event,
            reason=report.cancel_reason or "",
            venue_id=report.id,
            seen_on_channel=order.seen_on_channel or is_confirmed,
            **known,
        )
        if judged is Verdict.REFUSED and request is not None and self.get(order.client_id).modifying:
            self.refuse_modification(order.client_id, request.message or "the venue refused it")

    def filled(self, order: Order, filled: int) -> None:
        """The fills of an order come to ``filled``, in units of 10⁻⁸: more than reports told so far, or not."""
        if filled > order.filled:
            self.move(order, Event.FILL, filled=filled)

    def move(self, before: Order, event: Event, *, reason: str = "", **known: Any) -> None:
        """Take over what is ``known`` of an order, in the state that ``event`` leads to.

        The impossible changes nothing but the alarms.
        """
        if not self._is_possible(before, event):
            return
        after = before.changed(state=before.after(event), reason=reason or before.reason, **known)
        if not after.is_over:
            self._live[after.client_id] = after
        else:
            after = self._ended(after, before)
        if _shown(after) != _shown(before):
            self._changed(after)

    def _ended(self, order: Order, before: Order) -> Order:
        """Remember it for a while."""
        if not before.is_over:
            self.counts.closed += order.state is State.CLOSED
            self.counts.rejected += order.state is State.REJECTED
        if order.modifying is not None:
            order = order.changed(modifying=None)
        self._live.pop(order.client_id, None)
        self._over[order.client_id] = order
        while len(self._over) > REMEMBERED:
            del self._over[next(iter(self._over))]
        return order

    def _is_possible(self, order: Order, event: Event) -> bool:
        """Whether the table lists it; if not, that is an alarm, and nothing may change."""
        try:
            order.after(event)
        except ImpossibleEventError as impossible:
            self._alarm(str(impossible))
            return False
        return True


def _shown(order: Order) -> tuple[object, ...]:
    """What is news to others, if it changes."""
    return order.state, order.filled, order.size, order.price, order.modifying is None
