"""The desk: what traders ask for about orders, whichever way they ask. REST and WebSocket both end here."""

from collections.abc import Callable, Sequence

import attrs

from bot.exchange.errors import VenueError
from bot.exchange.event import Emit
from bot.exchange.instruments.markets import Market
from bot.exchange.matching.caller import Caller
from bot.exchange.matching.commands import Cancel, Place
from bot.exchange.matching.engine import Engine
from bot.exchange.matching.entry import Entry
from bot.exchange.matching.events import OrderAccepted
from bot.exchange.matching.ledger import OrderLedger
from bot.exchange.matching.modes import Mode, check_available
from bot.exchange.matching.orders import Order, RequestInfo
from bot.exchange.matching.requests import ModifyRequest, OrderRequest

__all__ = ["ALREADY_CLOSED", "NOT_FOUND", "QUEUED", "Caller", "CancelResult", "Desk"]

QUEUED = "QUEUED_FOR_CANCELLATION"
ALREADY_CLOSED = "ALREADY_CLOSED"
NOT_FOUND = "NOT_FOUND"

_USER = "USER_CANCELED"


@attrs.frozen
class CancelResult:
    """What became of one item of a batch of cancels (protocol reference 3.6). What is not known is None."""

    status: str
    order_id: str | None = None
    client_id: str | None = None
    account: int | None = None
    market: str | None = None


@attrs.frozen
class Desk:
    """Accepts, or refuses with a `VenueError`; what the engine makes of what was accepted comes as events.

    Orders, modifications and cancels of an interactive caller reach the engine after their speed bump.
    """

    markets: dict[str, Market]
    ledger: OrderLedger
    entry: Entry
    engine: Engine
    emit: Emit
    mode: Callable[[], Mode]
    batch_size: int

    def create(self, request: OrderRequest, caller: Caller) -> Order:
        """Accept an order as NEW and queue it for the engine. Raises what `Entry.check` and `Entry.admit` raise."""
        order = self.entry.check(request, caller, self.mode())
        self._accept(order, caller)
        return order

    def create_batch(self, requests: Sequence[OrderRequest], caller: Caller) -> list[Order | VenueError]:
        """Accept each order for itself, once all of them have passed the checks that need nothing else.

        Raises:
            VenueError: BATCH_SIZE_OUT_OF_RANGE, or what `Entry.check` raises for any one. None was accepted.
        """
        self._check_batch(len(requests))
        orders: list[Order] = []
        for number, request in enumerate(requests, 1):
            try:
                orders.append(self.entry.check(request, caller, self.mode()))
            except VenueError as error:
                raise VenueError(error.code, f"order {number} of the batch: {error.message}") from error
        outcomes: list[Order | VenueError] = []
        for order in orders:
            try:
                self._accept(order, caller)
            except VenueError as error:
                outcomes.append(error)
            else:
                outcomes.append(order)
        return outcomes

    def modify(self, order_id: str, request: ModifyRequest, caller: Caller) -> Order:
        """Queue new values for a live order.

        What is handed over shows the order as it still is, with a request_info that is PENDING; what became of it
        comes as `OrderChanged` of the order with the same request id. Raises what `find` and
        `Entry.check_modification` raise.
        """
        order = self.find(order_id, caller)
        modify = self.entry.check_modification(order, request, caller, self.mode())
        self.engine.submit(modify, caller.speed_bump)
        return attrs.evolve(order, request=RequestInfo(modify.request_id, "PENDING"))

    def find(self, order_id: str, caller: Caller) -> Order:
        """The caller's order by id. Closed ones are served too, as seen on the venue (section 10, item 14).

        Raises:
            VenueError: ORDER_ID_NOT_FOUND.
        """
        order = self.ledger.find(caller.account.address, order_id)
        if order is None:
            raise VenueError("ORDER_ID_NOT_FOUND", "Order id not found")
        return order

    def find_client_id(self, client_id: str, caller: Caller, market: str | None = None) -> Order:
        """The caller's last order with a client id, and of a market when one is given.

        Raises:
            VenueError: CLIENT_ORDER_ID_NOT_FOUND.
        """
        order = self.ledger.find_client_id(caller.account.address, client_id)
        if order is None or market not in {None, order.market}:
            raise VenueError("CLIENT_ORDER_ID_NOT_FOUND", "Client order id not found")
        return order

    def cancel(self, order: Order, caller: Caller) -> None:
        """Queue the cancellation of a live order.

        Raises:
            VenueError: ORDER_IS_CLOSED, or SERVICE_UNAVAILABLE in maintenance.
        """
        check_available(self.mode())
        if not order.is_live:
            raise VenueError("ORDER_IS_CLOSED", "Order is closed")
        self.engine.submit(Cancel(order, _USER), caller.speed_bump)

    def cancel_by_client_id(self, client_id: str, caller: Caller, market: str | None = None) -> Order:
        """Queue the cancellation of an order by its client id. Raises what `find_client_id` and `cancel` raise."""
        order = self.find_client_id(client_id, caller, market)
        self.cancel(order, caller)
        return order

    def cancel_all(self, market: str | None, caller: Caller) -> list[Order]:
        """Queue the cancellation of all live orders, of one market or of all; which they are.

        Raises:
            VenueError: SERVICE_UNAVAILABLE in maintenance.
        """
        check_available(self.mode())
        orders = self.ledger.live(caller.account.address, market)
        for order in orders:
            self.cancel(order, caller)
        return orders

    def cancel_batch(
        self, order_ids: Sequence[str], client_ids: Sequence[str], caller: Caller
    ) -> list[CancelResult]:
        """Queue the cancellation of those that live; what became of each, ids first, in the order asked.

        Raises:
            VenueError: BATCH_SIZE_OUT_OF_RANGE, or SERVICE_UNAVAILABLE in maintenance.
        """
        check_available(self.mode())
        self._check_batch(len(order_ids) + len(client_ids))
        account = caller.account.address
        by_id = [
            (self.ledger.find(account, each), CancelResult(NOT_FOUND, order_id=each)) for each in order_ids
        ]
        by_client_id = [
            (self.ledger.find_client_id(account, each), CancelResult(NOT_FOUND, client_id=each))
            for each in client_ids
        ]
        return [
            unknown if order is None else self._cancel_one(order, caller)
            for order, unknown in by_id + by_client_id
        ]

    def _cancel_one(self, order: Order, caller: Caller) -> CancelResult:
        if order.is_live:
            self.cancel(order, caller)
        status = QUEUED if order.is_live else ALREADY_CLOSED
        return CancelResult(status, order.id, order.client_id, order.account, order.market)

    def _accept(self, order: Order, caller: Caller) -> None:
        self.entry.admit(order)
        self.emit(OrderAccepted(order))
        self.engine.submit(Place(order), caller.speed_bump)

    def _check_batch(self, size: int) -> None:
        if not 1 <= size <= self.batch_size:
            raise VenueError("BATCH_SIZE_OUT_OF_RANGE", f"a batch has 1 to {self.batch_size} orders")
