"""What is known of every order of this run, and the only place where that changes."""

from collections.abc import Callable
from typing import Any

import attrs
from loguru import logger

from bot.core.fixed import parse
from bot.core.latency import Latencies
from bot.core.order import Event, ImpossibleEventError, Order, State
from bot.paradex.answers import OrderReport

EVENT_OF_STATUS = {
    "NEW": Event.ACCEPTED,
    "OPEN": Event.RESTING,
    "UNTRIGGERED": Event.RESTING,
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


@attrs.define
class OrderLatencies:
    sign: Latencies = attrs.field(factory=Latencies)
    """Hash and signature."""

    request: Latencies = attrs.field(factory=Latencies)
    """From handing the request to its connection until the answer was read."""

    confirm: Latencies = attrs.field(factory=Latencies)
    """From handing the request to its connection until the channel said OPEN or CLOSED."""


class Ledger:
    """Orders by client id. ``changed`` is told of every order whose state or filled size is another than before."""

    def __init__(self, run_id: str, alarm: Callable[[str], None], changed: Callable[[Order], None]) -> None:
        self.counts = OrderCounts()
        self.latencies = OrderLatencies()
        self._run_id = run_id
        self._alarm = alarm
        self._changed = changed
        self._live: dict[str, Order] = {}
        self._over: dict[str, Order] = {}
        self._external: dict[str, None] = {}

    def add(self, order: Order) -> None:
        """Take up an intent."""
        self._live[order.client_id] = order

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
        self._live[client_id] = order = attrs.evolve(order, cancelling=True)
        return order

    def sending(self, client_id: str, *, sent_ns: int, sign_ns: int, last_acceptable_ns: int) -> None:
        """The request is about to leave."""
        order = self.get(client_id)
        if self._is_possible(order, Event.SEND):
            self.counts.placed += 1
            self.latencies.sign.add(sign_ns)
            self.move(order, Event.SEND, sent_ns=sent_ns, last_acceptable_ns=last_acceptable_ns)

    def answered(self, client_id: str, report: OrderReport, *, reused: bool, request_ns: int) -> None:
        """The venue has taken the request."""
        self.latencies.request.add(request_ns)
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
        order = self._live.get(client_id) or self._over.get(client_id)
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

    def update(self, order: Order, report: OrderReport, *, channel_ns: int | None = None) -> None:
        """Take over what the venue says of ``order``. Nothing moves backwards, whatever order reports come in.

        ``channel_ns`` is when the orders channel said so; None for a report that came another way.
        """
        event = EVENT_OF_STATUS.get(report.status)
        if event is None:
            self._alarm(
                f"order {order.client_id}: the venue reports a status unknown here, {report.status!r}"
            )
            return
        if not self._is_possible(order, event):
            return
        is_confirmed = channel_ns is not None and event is not Event.ACCEPTED
        if channel_ns is not None and is_confirmed:
            logger.info("[ORDER] Paradex order confirmed via WS: id={}, status={}", report.id, report.status)
            if not order.seen_on_channel:
                self.counts.confirmed += 1
                if order.sent_ns is not None:
                    self.latencies.confirm.add(channel_ns - order.sent_ns)
        self.move(
            order,
            event,
            reason=report.cancel_reason or "",
            venue_id=report.id,
            remaining=min(order.remaining, self._remaining(order, report)),
            seen_on_channel=order.seen_on_channel or is_confirmed,
        )

    def move(self, before: Order, event: Event, *, reason: str = "", **known: Any) -> None:
        """Take over what is ``known`` of an order, in the state that ``event`` leads to.

        The impossible changes nothing but the alarms.
        """
        if not self._is_possible(before, event):
            return
        after = attrs.evolve(before, state=before.after(event), reason=reason or before.reason, **known)
        if after.is_over:
            self._live.pop(after.client_id, None)
            self._over[after.client_id] = after
            if not before.is_over:
                self.counts.closed += after.state is State.CLOSED
                self.counts.rejected += after.state is State.REJECTED
            while len(self._over) > REMEMBERED:
                del self._over[next(iter(self._over))]
        else:
            self._live[after.client_id] = after
        if (after.state, after.remaining) != (before.state, before.remaining):
            self._changed(after)

    def _is_possible(self, order: Order, event: Event) -> bool:
        """Whether the table lists it; if not, that is an alarm, and nothing may change."""
        try:
            order.after(event)
        except ImpossibleEventError as impossible:
            self._alarm(str(impossible))
            return False
        return True

    def _remaining(self, order: Order, report: OrderReport) -> int:
        if not report.remaining_size:
            return order.remaining
        try:
            remaining = parse(report.remaining_size)
        except ValueError as unreadable:
            self._alarm(f"order {order.client_id}: its remaining size cannot be read, {unreadable}")
            return order.remaining
        if not 0 <= remaining <= order.size:
            self._alarm(f"order {order.client_id}: its remaining size cannot be, {report.remaining_size}")
        return min(max(remaining, 0), order.size)
