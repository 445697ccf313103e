"""What orders were like at any time since somebody wanted to know."""

from bisect import bisect_right
from collections.abc import Callable
from operator import itemgetter

import attrs

from bot.exchange.event import Emit, Event
from bot.exchange.matching.events import OrderAccepted, OrderChanged
from bot.exchange.matching.ledger import OrderLedger
from bot.exchange.matching.orders import Order
from bot.exchange.stamps import Stamps

_SMALLEST_SWEEP = 64

State = tuple[int, Order]
"""Since when, in ms of the exchange's clock, and a copy of the order as it was from then on."""


class Chronicle:
    """Nothing is noted until `begin`. What the ledger forgets in time is forgotten here, too."""

    def __init__(self, ledger: OrderLedger, stamps: Stamps, listen: Callable[[Emit], None]) -> None:
        self._ledger = ledger
        self._stamps = stamps
        self._listen = listen
        self._states: dict[str, list[State]] | None = None
        self._sweep_at = _SMALLEST_SWEEP
        self.forgotten: dict[str, Order] = {}
        """Orders that a restart took out of the books as if they had never been, as they were then; by id."""

    def begin(self) -> None:
        """Note all that happens from now on. The orders that there are were never otherwise, as far as is known."""
        if self._states is None:
            self._states = {order.id: [(order.created_at_ms, attrs.evolve(order))] for order in self._ledger}
            self._listen(self._hear)

    def states(self, order_id: str) -> list[State]:
        """Every state of an order that was noted, the oldest first."""
        return [] if self._states is None else list(self._states.get(order_id, ()))

    def ledger(self, account: int, as_of_ms: int) -> OrderLedger:
        """An account's orders as they were at a time; only what was accepted by then is in it."""
        shown = OrderLedger(self._ledger.kept)
        for now in self._ledger.history(account):
            states = self.states(now.id)
            then = bisect_right(states, as_of_ms, key=itemgetter(0))
            if then:
                order = states[then - 1][1]
                shown.add(order)
                if not order.is_live:
                    shown.retire(order)
        return shown

    def _hear(self, event: Event) -> None:
        if isinstance(event, OrderAccepted | OrderChanged):
            assert self._states is not None
            order = event.order
            self._states.setdefault(order.id, []).append((self._stamps.now_ms(), attrs.evolve(order)))
            if len(self._states) >= self._sweep_at:
                known = self._ledger.by_id.keys() | self.forgotten.keys()
                self._states = {key: states for key, states in self._states.items() if key in known}
                self._sweep_at = max(_SMALLEST_SWEEP, 2 * len(self._states))
