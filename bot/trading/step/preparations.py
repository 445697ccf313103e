"""Orders that are signed ahead of the decision to send them. Until that they are none, for nobody but here.

They lose nothing by a session that ends: what is signed says nothing of sessions or tokens, and is sent in whatever
session there is then. How long one may wait was reckoned when it was signed; the venue's clock, which may have been
measured anew since, is asked once more when it leaves.
"""

import attrs

from bot.core.errors import LimitExceededError, NotPreparedError
from bot.core.order import Order
from bot.trading.effects import ForgetPrepared, OrderPrepared, PrepareOrder
from bot.trading.step.decisions import Decisions

PREPARED_AT_MOST = 100
"""Orders at the same time, signed or about to be: to sign so many takes a tenth of a second."""

REMEMBERED = 1000
"""Orders that are prepared no longer, and of which it is known why."""


@attrs.frozen
class _Prepared:
    order: Order
    until_ns: int | None = None
    """It may leave up to then; None: it is not signed yet."""


@attrs.define(eq=False)
class Preparations:
    """By client id."""

    _decisions: Decisions
    _prepared: dict[str, _Prepared] = attrs.field(factory=dict)
    _ended: dict[str, str] = attrs.field(factory=dict)
    """Why they are prepared no longer."""

    def check_room(self) -> None:
        """See that there is room for one more, without those that are too old.

        Raises:
            LimitExceededError: there is none.
        """
        self._forget([client_id for client_id in self._prepared if self._is_too_old(client_id)], "is too old")
        if len(self._prepared) >= PREPARED_AT_MOST:
            raise LimitExceededError(
                f"{len(self._prepared)} orders are prepared: send or discard some of them"
            )

    def add(self, order: Order) -> None:
        """Have it signed."""
        self._prepared[order.client_id] = _Prepared(order)
        self._decisions.add(PrepareOrder(order))

    def signed(self, item: OrderPrepared) -> float | None:
        """Note that it is. Returns for how many seconds it may leave from now on; None if nobody wants it."""
        prepared = self._prepared.get(item.client_id)
        if prepared is None:
            return None
        self._prepared[item.client_id] = attrs.evolve(prepared, until_ns=item.until_ns)
        return (item.until_ns - self._decisions.now_ns) / 1e9

    def failed(self, client_id: str) -> bool:
        """Note that it cannot be signed; False if nobody wants it."""
        if client_id not in self._prepared:
            return False
        self._end(client_id, "could not be signed")
        return True

    def ready(self, client_id: str) -> Order:
        """One that may leave now.

        Raises:
            NotPreparedError: with the reason.
        """
        prepared = self._get(client_id)
        if prepared.until_ns is None:
            raise NotPreparedError(f"order {client_id} is not signed yet")
        if self._is_too_old(client_id):
            self._forget([client_id], "is too old")
            self._get(client_id)
        return prepared.order

    def sent(self, client_id: str) -> None:
        """It is an order from now on."""
        self._end(client_id, "was sent already")

    def discard(self, client_id: str) -> None:
        """Raises as `ready`, but for one that is not signed yet."""
        self._get(client_id)
        self._forget([client_id], "was discarded")

    def void(self, why: str) -> None:
        """None of them may leave any more."""
        self._forget(list(self._prepared), why)

    def _get(self, client_id: str) -> _Prepared:
        prepared = self._prepared.get(client_id)
        if prepared is None:
            raise NotPreparedError(f"order {client_id} {self._ended.get(client_id, 'was not prepared')}")
        return prepared

    def _is_too_old(self, client_id: str) -> bool:
        until_ns = self._prepared[client_id].until_ns
        return until_ns is not None and self._decisions.now_ns > until_ns

    def _forget(self, client_ids: list[str], why: str) -> None:
        for client_id in client_ids:
            self._end(client_id, why)
        if client_ids:
            self._decisions.add(ForgetPrepared(tuple(client_ids)))

    def _end(self, client_id: str, why: str) -> None:
        del self._prepared[client_id]
        self._ended[client_id] = why
        while len(self._ended) > REMEMBERED:
            del self._ended[next(iter(self._ended))]
