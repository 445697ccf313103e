"""The desk: what traders ask for about orders, whichever way they ask. REST and WebSocket both end here."""

from collections.abc import Callable

import attrs

from bot.exchange.errors import VenueError
from bot.exchange.identity.accounts import Account
from bot.exchange.identity.tokens import Grant
from bot.exchange.limits import RETAIL_SPEED_BUMP
from bot.exchange.market.listings import Market
from bot.exchange.matching.engine import Cancel, Engine, Place
from bot.exchange.matching.entry import Entry, OrderRequest
from bot.exchange.matching.modes import Mode, check_available
from bot.exchange.matching.orders import Order, OrderLedger


@attrs.frozen
class Caller:
    """Who asks, by what right, and when the request was received, in ms."""

    account: Account
    grant: Grant
    received_ms: int

    @property
    def speed_bump(self) -> float:
        """Seconds that the caller's orders and cancels wait before the engine sees them (3.5)."""
        return RETAIL_SPEED_BUMP if self.grant.interactive else 0.0


@attrs.frozen
class Desk:
    """Accepts, or refuses with a `VenueError`; what the engine makes of what was accepted comes as events."""

    markets: dict[str, Market]
    ledger: OrderLedger
    entry: Entry
    engine: Engine
    mode: Callable[[], Mode]

    def create(self, request: OrderRequest, caller: Caller) -> Order:
        """Accept an order as NEW and queue it for the engine. Raises what `Entry.accept` raises."""
        order = self.entry.accept(
            request,
            caller.account,
            mode=self.mode(),
            received_ms=caller.received_ms,
            interactive=caller.grant.interactive,
        )
        self.engine.submit(Place(order), caller.speed_bump)
        return order

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
        """The caller's order by client id, and by market when one is given.

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
        self.engine.submit(Cancel(order, "USER_CANCELED"), caller.speed_bump)

    def cancel_all(self, market: str | None, caller: Caller) -> None:
        """Queue the cancellation of all live orders, of one market or of all.

        Raises:
            VenueError: SERVICE_UNAVAILABLE in maintenance.
        """
        check_available(self.mode())
        for order in self.ledger.live(caller.account.address, market):
            self.cancel(order, caller)
