"""What really was: every request that came and what it came to, for whoever judges a client afterwards."""

from collections import deque
from collections.abc import Iterable

import attrs

from bot.exchange.faults.ask import Ask
from bot.exchange.faults.chronicle import Chronicle, State
from bot.exchange.matching.ledger import OrderLedger
from bot.exchange.matching.orders import Order


@attrs.define
class Seen:
    """A request that came, over REST or a WebSocket; times in ms of the exchange's clock.

    ``status``, and ``code`` of a refusal, are what the exchange made of it, in the terms of REST, as received at
    ``received_ms``: None as long as it has not reached the exchange. ``answered`` is the status that the client was
    told at ``answered_ms``: None as long as it was told nothing. ``fault`` is what happened to it, if anything. The
    account is that of its token or socket, None where that was not looked at or did not hold.
    """

    ask: Ask
    arrived_ms: int
    fault: str | None = None
    account: int | None = None
    received_ms: int | None = None
    status: int | None = None
    code: str | None = None
    answered_ms: int | None = None
    answered: int | None = None


@attrs.frozen
class OrderSeen:
    """All about one client id: the requests that named it, and the orders accepted under it, in order of time.

    ``states`` are those of the last of them. More than one accepted order is a client that sent twice. ``forgotten``
    were accepted, too, and are in the books no more, as they were when a restart forgot them; if there are no others
    the states are those of the last of these.
    """

    client_id: str
    requests: tuple[Seen, ...]
    accepted: tuple[Order, ...]
    states: tuple[State, ...]
    forgotten: tuple[Order, ...] = ()

    @property
    def sends(self) -> tuple[Seen, ...]:
        """The requests that would place it."""
        return tuple(seen for seen in self.requests if seen.ask.is_about("creates"))


class Witness:
    """Sees nothing until `watch`. What the exchange has in its books it does not write down again."""

    def __init__(self, ledger: OrderLedger, chronicle: Chronicle) -> None:
        self._ledger = ledger
        self._chronicle = chronicle
        self.is_watching = False
        self.requests: deque[Seen] = deque()
        """Over REST and WebSockets, in the order in which they came."""

    def watch(self, kept: int | None = None) -> None:
        """See every request and what becomes of orders from now on; of requests the newest ``kept``, or all."""
        self.is_watching = True
        self.requests = deque(self.requests, kept)
        self._chronicle.begin()

    def note(self, seen: Seen) -> None:
        """A request came."""
        if self.is_watching:
            self.requests.append(seen)

    def orders(self, account: int | None = None) -> dict[str, OrderSeen]:
        """All client ids that were named, and all orders, of everybody or of one account; the first to come first.

        A request whose token nobody looked at may be anybody's.
        """
        requests: dict[str, list[Seen]] = {}
        for seen in self.requests:
            if account is None or seen.account in {None, account}:
                for client_id in seen.ask.client_ids:
                    requests.setdefault(client_id, []).append(seen)
        accepted = _by_client_id(self._ledger, account)
        forgotten = _by_client_id(self._chronicle.forgotten.values(), account)
        return {
            client_id: OrderSeen(
                client_id,
                tuple(requests.get(client_id, ())),
                here := tuple(accepted.get(client_id, ())),
                tuple(self._chronicle.states((here or gone)[-1].id)) if here or gone else (),
                gone,
            )
            for client_id in (requests | accepted | forgotten)
            for gone in [tuple(forgotten.get(client_id, ()))]
        }


def _by_client_id(orders: Iterable[Order], account: int | None) -> dict[str, list[Order]]:
    """The orders of an account, or of all, by client id."""
    found: dict[str, list[Order]] = {}
    for order in orders:
        if account in {None, order.account}:
            found.setdefault(order.client_id, []).append(order)
    return found
