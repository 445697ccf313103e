"""Orders: entry, modification, cancels, reads, and the fills they came to (protocol reference 3.1, 3.5)."""

import attrs
import msgspec

from bot.exchange.bodies import read_body
from bot.exchange.errors import VenueError
from bot.exchange.exchange import Exchange
from bot.exchange.matching.caller import Caller
from bot.exchange.matching.desk import Desk
from bot.exchange.matching.fills import Fill
from bot.exchange.matching.ledger import OrderLedger
from bot.exchange.matching.orders import CLOSED, CONDITIONAL_TYPES, NEW, OPEN, PLAIN_TYPES, SIDES, Order
from bot.exchange.matching.requests import decode_modify, decode_order, decode_orders
from bot.exchange.rest.access import Access
from bot.exchange.rest.pages import Field, Listed, Listing, Pager, Rows
from bot.exchange.rest.parameters import LATEST_MS, Query, any_market, whole_number
from bot.exchange.rest.routing import Route
from bot.exchange.transport.http import Answer, Request, json_answer
from bot.exchange.views.orders import UNFILLED, cancel_result_view, fill_view, order_view

HISTORY = Listing[Order](
    "orders-history",
    lambda order: order.created_at_ms,
    {
        "client_id": Field(lambda order: order.client_id),
        "market": Field(lambda order: order.market),
        "side": Field(lambda order: order.side, SIDES),
        "status": Field(lambda order: order.status, frozenset({NEW, OPEN, CLOSED})),
        "type": Field(lambda order: order.type, PLAIN_TYPES | CONDITIONAL_TYPES),
    },
)

FILLS = Listing[Fill](
    "fills",
    lambda fill: fill.created_at_ms,
    {
        "market": Field(lambda fill: fill.market),
        "asset_kind": Field(lambda _fill: "PERP", frozenset({"PERP", "PERP_OPTION", "OPTION", "SPOT"})),
    },
)


class _CancelBatch(msgspec.Struct):
    order_ids: list[str] | None = None
    client_order_ids: list[str] | None = None


_CANCEL_BATCH = msgspec.json.Decoder(_CancelBatch)


@attrs.frozen
class OrderRoutes:
    """What a trader does with orders."""

    exchange: Exchange
    access: Access
    pager: Pager

    def routes(self) -> list[Route]:
        route = self.access.route
        return [
            route("GET", "/v1/orders", self._open),
            route("POST", "/v1/orders", self._create),
            route("DELETE", "/v1/orders", self._cancel_all),
            route("POST", "/v1/orders/batch", self._create_batch),
            route("DELETE", "/v1/orders/batch", self._cancel_batch),
            route("GET", "/v1/orders/by_client_id/{client_id}", self._by_client_id),
            route("DELETE", "/v1/orders/by_client_id/{client_id}", self._cancel_by_client_id),
            route("GET", "/v1/orders/{order_id}", self._one),
            route("PUT", "/v1/orders/{order_id}", self._modify),
            route("DELETE", "/v1/orders/{order_id}", self._cancel),
            route("GET", "/v1/orders-history", self._history),
            route("GET", "/v1/fills", self._fills),
        ]

    def _open(self, request: Request, caller: Caller) -> Answer:
        market = any_market(request, self.exchange.markets)
        live = self._seen_by(request, caller).ledger.live(caller.account.address, market)
        return json_answer({"results": [self._view(order) for order in live]})

    def _create(self, request: Request, caller: Caller) -> Answer:
        order = self.exchange.desk.create(decode_order(request.body), caller.placing(self.exchange.quotas))
        return json_answer(self._view(order), 201)

    def _create_batch(self, request: Request, caller: Caller) -> Answer:
        requests = decode_orders(request.body)
        outcomes = self.exchange.desk.create_batch(
            requests, caller.placing(self.exchange.quotas, len(requests))
        )
        orders = [self._view(outcome) for outcome in outcomes if isinstance(outcome, Order)]
        errors = [
            {"error": outcome.code, "message": outcome.message}
            for outcome in outcomes
            if isinstance(outcome, VenueError)
        ]
        return json_answer({"orders": orders, "errors": errors}, 201)

    def _modify(self, request: Request, caller: Caller) -> Answer:
        order = self.exchange.desk.modify(request.params["order_id"], decode_modify(request.body), caller)
        return json_answer(self._view(order))

    def _cancel(self, request: Request, caller: Caller) -> Answer:
        desk = self.exchange.desk
        desk.cancel(desk.find(request.params["order_id"], caller), caller)
        return Answer(204)

    def _cancel_by_client_id(self, request: Request, caller: Caller) -> Answer:
        market = any_market(request, self.exchange.markets)
        desk = self.exchange.desk
        desk.cancel(desk.find_client_id(request.params["client_id"], caller, market), caller)
        return Answer(204)

    def _cancel_all(self, request: Request, caller: Caller) -> Answer:
        self.exchange.desk.cancel_all(any_market(request, self.exchange.markets), caller)
        return Answer(200)

    def _cancel_batch(self, request: Request, caller: Caller) -> Answer:
        wanted = read_body(request.body, _CANCEL_BATCH)
        results = self.exchange.desk.cancel_batch(
            wanted.order_ids or [], wanted.client_order_ids or [], caller
        )
        return json_answer({"results": [cancel_result_view(result) for result in results]})

    def _one(self, request: Request, caller: Caller) -> Answer:
        order = self._seen_by(request, caller).find(request.params["order_id"], caller)
        if order.status == CLOSED and self.exchange.settings.closed_by_id == "not-found":
            raise VenueError("ORDER_ID_NOT_FOUND", "Order id not found")
        return json_answer(self._view(order))

    def _by_client_id(self, request: Request, caller: Caller) -> Answer:
        order = self._seen_by(request, caller).find_client_id(request.params["client_id"], caller)
        if order.status != OPEN:
            raise VenueError("CLIENT_ORDER_ID_NOT_FOUND", "Client order id not found")
        return json_answer(self._view(order))

    def _history(self, request: Request, caller: Caller) -> Answer:
        any_market(request, self.exchange.markets)
        address = caller.account.address
        rows = self._orders_of(address, self._seen_by(request, caller).ledger, request.query)
        return json_answer(self.pager.page(HISTORY, address, rows, request.query).view(self._view))

    def _orders_of(self, account: int, ledger: OrderLedger, query: Query) -> Rows[Order]:
        """An account's orders, or the one that is asked for: a client id used once need not be searched for."""
        client_id = query.get("client_id", "")
        if client_id and not query.get("cursor") and self.exchange.settings.client_ids == "once":
            order = ledger.find_client_id(account, client_id)
            return Listed([] if order is None else [order])
        return ledger.history(account)

    def _fills(self, request: Request, caller: Caller) -> Answer:
        any_market(request, self.exchange.markets)
        address = caller.account.address
        rows, query = self.exchange.engine.fills.of(address), request.query
        if request.visit.as_of_ms is not None:
            until = min(request.visit.as_of_ms, whole_number(query, "end_at", LATEST_MS, 0, LATEST_MS))
            query = {**query, "end_at": str(until)}
        return json_answer(self.pager.page(FILLS, address, rows, query).view(fill_view))

    def _seen_by(self, request: Request, caller: Caller) -> Desk:
        """The desk whose orders a read sees: those that there are, or were, where a fault makes it look back."""
        as_of_ms, desk = request.visit.as_of_ms, self.exchange.desk
        if as_of_ms is None:
            return desk
        return attrs.evolve(desk, ledger=self.exchange.chronicle.ledger(caller.account.address, as_of_ms))

    def _view(self, order: Order) -> dict[str, object]:
        return order_view(
            order,
            seq_no=order.seq_no,
            published_ms=self.exchange.stamps.now_ms(),
            unfilled=UNFILLED[self.exchange.settings.unfilled_price],
        )
