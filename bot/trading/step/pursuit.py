"""Orders in trouble: those whose end is not known, and those that somebody wants gone. Nothing is ever guessed.

What is asked again here is a question, or a cancel; never an order.
"""

from collections.abc import Callable, Iterable

from loguru import logger

from bot.core.errors import RefusedError, RequestError, UnknownOutcomeError
from bot.core.order import Event, Order, State
from bot.paradex.answers import OrderReport
from bot.paradex.outcome import METHOD_ERROR
from bot.session.capabilities import Session
from bot.session.snapshot import OVERLAP_MS
from bot.trading.effects import CancelBatch, CancelOrder, LookUpOrder, LookUpOrders, batches
from bot.trading.step.decisions import Decisions
from bot.trading.step.ledger import Ledger

LOOK_AGAIN_S = 1.0
"""Between two look-ups of one order, and from a queued cancel to asking what became of it."""

CANCEL_AGAIN_S = 0.5
"""After a cancel that failed. Cancels may be repeated: the second can only find the order gone."""

FEW = 3
"""So many cancels leave at once, each over its own connection: as quick as a batch, and none fails with another. And
so many orders are looked up one by one."""

RECENT_S = 600.0
"""So young an order is looked up together with others: there are not too many that came after it."""

SAYS_WHY = frozenset({200, 400, 404, METHOD_ERROR})
"""What a refusal comes with that is about the order itself, over REST, in a batch, or over the WebSocket."""

BOUND_S = 30.0
"""How long an order's outcome may stay unknown after the venue could last accept it. An order that outlives this
halts its market (`faults.md` section 1, rule 9)."""

LOOK_UP, CANCEL, BOUND = "look up", "cancel", "bound"
"""What timers are set for here; their subjects are client ids."""


class Pursuit:
    """Looks orders up, cancels them, and comes back until their end is known.

    ``overdue`` is told of an order whose outcome is unknown for longer than its bound, and of one that the venue has
    forgotten.
    """

    def __init__(self, ledger: Ledger, decisions: Decisions, overdue: Callable[[Order], None]) -> None:
        self._ledger = ledger
        self._decisions = decisions
        self._overdue = overdue
        self.session: Session | None = None
        """Over whose WebSocket cancels go; None for none."""

        self._by_rest: set[str] = set()
        """Orders whose cancel failed: whatever way that went, the next one goes over REST."""

        self._cancels_in_flight: set[str] = set()
        self._asked_ns: dict[str, int] = {}
        """When the look-up of an order was decided that has not come back yet."""

        self._queue: dict[str, None] = {}
        """Orders that are to be looked up when what is under way has come back."""

        self._ask_again: set[str] = set()
        """Orders that somebody wanted looked up meanwhile: the answer under way may be older than the doubt."""

        self._absent_since_ns: dict[str, int] = {}

    def doubt(self, order: Order) -> None:
        """Its outcome is unknown: find out, and see that it does not stay so for ever."""
        self.look_up(order)
        left_ns = max((order.last_acceptable_ns or 0) - self._decisions.now_ns, 0)
        self._decisions.wait(BOUND, order.client_id, left_ns / 1e9 + BOUND_S)

    def changed(self, order: Order) -> None:
        """It is another than before: what was waiting for that goes on."""
        if order.is_over:
            self._absent_since_ns.pop(order.client_id, None)
            self._by_rest.discard(order.client_id)
        elif order.cancelling:
            self.cancel(order)

    def cancel(self, order: Order) -> None:
        """Ask for the cancel, unless one is on its way, or the order itself still is: its next change asks again."""
        if self._can_be_cancelled(order):
            self._cancels_in_flight.add(order.client_id)
            self._decisions.add(CancelOrder(order, self._way_of(order)))

    def cancel_together(self, orders: Iterable[Order], *, but_few_singly: bool = False) -> None:
        """The same for several orders, in as few requests as may be; but for up to `FEW`, if that is wanted.

        What a batch fails to do is asked for again one by one.
        """
        now = [order for order in orders if self._can_be_cancelled(order)]
        if len(now) <= (FEW if but_few_singly else 1):
            for order in now:
                self.cancel(order)
            return
        self._cancels_in_flight.update(order.client_id for order in now)
        for batch in batches(now):
            ways = {self._way_of(order) for order in batch}
            self._decisions.add(CancelBatch(batch, self.session if ways == {self.session} else None))

    def _way_of(self, order: Order) -> Session | None:
        """The session over whose WebSocket its cancel goes. A batch of cancels knows the venue's ids alone there."""
        return self.session if order.venue_id and order.client_id not in self._by_rest else None

    def _can_be_cancelled(self, order: Order) -> bool:
        can_be_named = bool(order.venue_id) or order.state is State.UNKNOWN
        return can_be_named and order.client_id not in self._cancels_in_flight

    def cancel_ended(self, client_id: str, failure: RequestError | None) -> None:
        self._cancels_in_flight.discard(client_id)
        order = self._ledger.get(client_id)
        if order.is_over:
            return
        if failure is None:  # queued is not done: only a report ends it
            self._decisions.wait(LOOK_UP, client_id, LOOK_AGAIN_S)
            return
        self._by_rest.add(client_id)
        if isinstance(failure, RefusedError) and failure.status in SAYS_WHY:
            self.look_up(order)  # nothing to cancel, says the venue; the history tells why
        else:
            logger.warning("[ORDER] Paradex cancel failed: client_id={}, {}", client_id, failure)
            self._decisions.wait(CANCEL, client_id, CANCEL_AGAIN_S)
            if isinstance(failure, UnknownOutcomeError):  # it may have been done, and nobody told
                self.look_up(order)

    def look_up(self, order: Order) -> None:
        """Ask what became of the order: at once, or when the question that is on its way has come back."""
        if order.client_id in self._asked_ns:
            self._ask_again.add(order.client_id)
        elif len(self._asked_ns) < FEW:
            self._asked_ns[order.client_id] = self._decisions.now_ns
            self._decisions.add(LookUpOrder(order))
        else:
            self._queue[order.client_id] = None

    def _look_up_queued(self) -> None:
        """Ask for those that had to wait, once nothing is under way: in one go, if that is worth it.

        A list of all that came since one of them was signed is not long if that is not long ago.
        """
        if self._asked_ns:
            return
        queued = [self._ledger.get(client_id) for client_id in self._queue]
        self._queue.clear()
        waiting = [order for order in queued if not order.is_over]
        recent = [order for order in waiting if self._is_recent(order)]
        if len(recent) > FEW:
            since_ms = min(order.signed_ms or 0 for order in recent) - OVERLAP_MS
            self._asked_ns |= dict.fromkeys((order.client_id for order in recent), self._decisions.now_ns)
            self._decisions.add(LookUpOrders(tuple(recent), since_ms))
        for order in waiting:
            if order.client_id not in self._asked_ns:
                self.look_up(order)

    def _is_recent(self, order: Order) -> bool:
        sent_ns = order.sent_ns or 0
        return order.signed_ms is not None and self._decisions.now_ns - sent_ns < RECENT_S * 1e9

    def looked_up(self, client_id: str, result: OrderReport | RequestError | None) -> int:
        """Take over what a look-up found. Returns when it was decided."""
        asked_ns = self._asked_ns.pop(client_id)
        ask_again = client_id in self._ask_again
        self._ask_again.discard(client_id)
        order = self._ledger.get(client_id)
        if order.is_over:
            self._look_up_queued()
            return asked_ns
        if isinstance(result, OrderReport):
            self._absent_since_ns.pop(client_id, None)
            self._ledger.update(order, result)
            order = self._ledger.get(client_id)
            if order.cancelling and not order.is_over:
                self._decisions.wait(CANCEL, client_id, CANCEL_AGAIN_S)
            elif order.state is State.UNKNOWN and not ask_again:  # its status is unknown here
                self._decisions.wait(LOOK_UP, client_id, LOOK_AGAIN_S)
        elif result is None and order.state is State.UNKNOWN and self._is_proved_absent(order, asked_ns):
            self._ledger.move(order, Event.EXPIRED, reason="not there after the venue could last accept it")
        elif not ask_again:
            self._decisions.wait(LOOK_UP, client_id, LOOK_AGAIN_S)
        order = self._ledger.get(client_id)
        if result is None and self._is_forgotten(order, asked_ns):
            self._overdue(order)
        if ask_again and not order.is_over:
            self.look_up(order)
        self._look_up_queued()
        return asked_ns

    def _is_proved_absent(self, order: Order, asked_ns: int) -> bool:
        """Not found, twice, a second apart, after the venue could last accept it (`faults.md` section 1).

        What counts is when it was asked: an answer that was long under way may speak of the time before.
        """
        if order.last_acceptable_ns is None or asked_ns <= order.last_acceptable_ns:
            return False
        return self._is_absent_for(LOOK_AGAIN_S, order, asked_ns)

    def _is_forgotten(self, order: Order, asked_ns: int) -> bool:
        """Once it was at the venue, which has known nothing of it for so long that no lag explains it.

        What became of it nobody can tell then: a testnet that began anew forgets what was open.
        """
        if order.is_over or order.state is State.UNKNOWN:
            return False
        return self._is_absent_for(BOUND_S, order, asked_ns)

    def _is_absent_for(self, seconds: float, order: Order, asked_ns: int) -> bool:
        first_ns = self._absent_since_ns.setdefault(order.client_id, asked_ns)
        return asked_ns - first_ns >= seconds * 1e9

    def elapsed(self, purpose: str, client_id: str) -> None:
        """The time has come that was waited for."""
        order = self._ledger.get(client_id)
        if order.is_over:
            return
        if purpose == CANCEL:
            self.cancel(order)
        elif purpose == LOOK_UP:
            self.look_up(order)
        elif order.state is State.UNKNOWN:
            self._overdue(order)
