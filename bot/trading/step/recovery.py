"""Orders that earlier runs left: what became of each is known before anything new is sent."""

import attrs

from bot.core.order import Order, State
from bot.trading.effects import AccountRecovered
from bot.trading.step.decisions import Decisions
from bot.trading.step.ledger import Ledger
from bot.trading.step.pursuit import Pursuit

CANCEL, ADOPT = "cancel", "adopt"
"""What becomes of those that rest: cancelled, or handed to the strategy."""


@attrs.define(eq=False)
class Recovery:
    """Takes over what was left. ``leftovers`` is `CANCEL` or `ADOPT`."""

    _ledger: Ledger
    _pursuit: Pursuit
    _decisions: Decisions
    _leftovers: str
    _unresolved: set[str] = attrs.field(factory=set)

    @property
    def is_done(self) -> bool:
        """Nothing of what was left is in doubt."""
        return not self._unresolved

    def take_over(self, item: AccountRecovered) -> None:
        self._ledger.own(item.recovered.run_ids)
        for recovered, until_ns in zip(item.recovered.orders, item.acceptable_until_ns, strict=True):
            order = attrs.evolve(recovered.order, last_acceptable_ns=until_ns, sent_ns=self._decisions.now_ns)
            if order.cancelling:  # of that one nobody knows how its cancel ended
                order = attrs.evolve(order, cancelling=False)
                self._ledger.add(order)
                self._cancel(order)
            else:
                self._ledger.add(order)
                self.changed(order)
            if order.state is State.UNKNOWN:
                self._unresolved.add(order.client_id)
                self._pursuit.doubt(order)

    def changed(self, order: Order) -> None:
        """An order is now like this, of whatever run it is."""
        if order.state is not State.UNKNOWN:
            self._unresolved.discard(order.client_id)
        if (
            self._leftovers == CANCEL
            and not order.is_over
            and self._ledger.is_of_earlier_run(order.client_id)
        ):
            self._cancel(order)

    def _cancel(self, order: Order) -> None:
        wanted_gone = self._ledger.want_gone(order.client_id)
        if wanted_gone is not None:
            self._pursuit.cancel(wanted_gone)
