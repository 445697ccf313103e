"""Cancel-on-disconnect: orders that end with the socket they came by (protocol reference 5.3)."""

from collections.abc import Callable, Sequence

import attrs

from bot.exchange.event import Event
from bot.exchange.faults.faults import Faults
from bot.exchange.matching.commands import Cancel
from bot.exchange.matching.events import OrderChanged
from bot.exchange.matching.ledger import OrderLedger
from bot.exchange.matching.orders import Order
from bot.exchange.settings import ExchangeSettings
from bot.exchange.stream.session import Session

ABNORMAL = 1006
"""The close code of a connection that ended without one."""


@attrs.define
class _Watch:
    """Whether a socket is armed, and the live orders that it placed while it was."""

    armed: bool = False
    orders: dict[str, Order] = attrs.field(factory=dict)


class Disconnects:
    """Watches the orders of sockets that asked for it, and cancels them when their socket ends.

    Off until a socket asks, and off again with the next one. Orders placed before, or by REST, are outside unless
    ``disconnect_scope`` is ``account``. ``submit`` takes a command and a delay in seconds.
    """

    def __init__(
        self,
        settings: ExchangeSettings,
        ledger: OrderLedger,
        submit: Callable[[Cancel, float], None],
        faults: Faults,
    ) -> None:
        self._all_orders = settings.disconnect_scope == "account"
        self._any_close = settings.disconnect_on == "any-close"
        self._delay = settings.disconnect_delay_ms / 1000
        self._ledger = ledger
        self._submit = submit
        self._faults = faults
        self._watches: dict[Session, _Watch] = {}
        self._placed_by: dict[str, _Watch] = {}

    def arm(self, session: Session, *, enabled: bool) -> None:
        """Switch it on or off for a socket. Orders that were watched are again when it is switched on again."""
        self._watches.setdefault(session, _Watch()).armed = enabled

    def placed(self, session: Session, order: Order) -> None:
        """A socket placed an order."""
        watch = self._watches.get(session)
        if watch is not None and watch.armed:
            watch.orders[order.id] = order
            self._placed_by[order.id] = watch

    def listen(self, event: Event) -> None:
        """Stop watching what is closed."""
        if isinstance(event, OrderChanged) and not event.order.is_live:
            watch = self._placed_by.pop(event.order.id, None)
            if watch is not None:
                del watch.orders[event.order.id]

    def ended(self, session: Session, code: int, by: str) -> None:
        """A socket ended with a close code sent ``by`` the client or the server."""
        watch = self._watches.pop(session, None)
        if watch is None:
            return
        for order_id in watch.orders:
            del self._placed_by[order_id]
        in_form = by == "client" and code != ABNORMAL
        if not watch.armed or (in_form and not self._any_close):
            return
        orders: Sequence[Order] = list(watch.orders.values())
        if self._all_orders and session.speaker is not None:
            orders = self._ledger.live(session.speaker.account.address)
        delay = self._delay
        fault = self._faults.strike_disconnect(orders) if self._faults.are_armed else None
        if fault is not None:
            orders, late = fault.play(orders)
            delay += late
        for order in orders:
            self._submit(Cancel(order, "USER_CANCELED"), delay)

    def forget(self) -> None:
        """All sockets are as if none had asked: what remembered it was restarted."""
        self._watches.clear()
        self._placed_by.clear()
