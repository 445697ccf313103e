"""What a request asks for, as far as a rule looks at it."""

from collections.abc import Iterator, Mapping
from typing import Any

import attrs
import msgspec

from bot.exchange.errors import UNREADABLE
from bot.exchange.matching.ledger import OrderLedger
from bot.exchange.transport.http import Request

CALLS: dict[str, frozenset[str]] = {
    "create": frozenset({"POST /v1/orders"}),
    "create-batch": frozenset({"POST /v1/orders/batch"}),
    "modify": frozenset({"PUT /v1/orders/{order_id}"}),
    "cancel": frozenset({"DELETE /v1/orders/{order_id}", "DELETE /v1/orders/by_client_id/{client_id}"}),
    "cancel-batch": frozenset({"DELETE /v1/orders/batch"}),
    "cancel-all": frozenset({"DELETE /v1/orders"}),
    "order": frozenset({"GET /v1/orders/{order_id}", "GET /v1/orders/by_client_id/{client_id}"}),
    "open-orders": frozenset({"GET /v1/orders"}),
    "history": frozenset({"GET /v1/orders-history"}),
    "fills": frozenset({"GET /v1/fills"}),
    "positions": frozenset({"GET /v1/positions"}),
    "account": frozenset({"GET /v1/account", "GET /v1/account/info", "GET /v1/account/summary"}),
    "auth": frozenset({"POST /v1/auth", "POST /v1/auth/{public_key}"}),
    "onboarding": frozenset({"POST /v1/onboarding"}),
    "config": frozenset({"GET /v1/system/config"}),
    "state": frozenset({"GET /v1/system/state"}),
    "time": frozenset({"GET /v1/system/time"}),
    "markets": frozenset({"GET /v1/markets"}),
    "bbo": frozenset({"GET /v1/bbo/{market}"}),
}
"""One kind of request each: its routes, by the names that `Route` and the counters have for them."""


def _together(*calls: str) -> frozenset[str]:
    return frozenset[str]().union(*(CALLS[call] for call in calls))


_CREATES = ("create", "create-batch")
_CANCELS = ("cancel", "cancel-batch", "cancel-all")
GROUPS: dict[str, frozenset[str]] = {
    "creates": _together(*_CREATES),
    "cancels": _together(*_CANCELS),
    "order-writes": _together(*_CREATES, "modify", *_CANCELS),
    "order-reads": _together("order", "open-orders", "history", "fills"),
}
ANY = "any"


@attrs.frozen
class Ask:
    """A request by the name of its route, and the orders and markets that it names, in the order of naming.

    An order that is named by the venue's id counts by the client id and market that it has.
    """

    name: str
    client_ids: tuple[str, ...] = ()
    markets: tuple[str, ...] = ()

    def is_about(self, on: str) -> bool:
        """Whether a word of `CALLS` or `GROUPS`, or `ANY`, means it."""
        return on == ANY or self.name in (CALLS.get(on) or GROUPS[on])


def read_ask(name: str, params: Mapping[str, str], request: Request, ledger: OrderLedger) -> Ask:
    """What a request asks for. What cannot be read names nothing: whether to refuse it is the handler's business."""
    client_ids: dict[str, None] = {}
    markets: dict[str, None] = {}
    for said in (params, request.query, *_objects(request.body)):
        client_ids |= dict.fromkeys(_texts(said, "client_id", "client_order_ids"))
        markets |= dict.fromkeys(_texts(said, "market"))
        for order_id in _texts(said, "order_id", "order_ids"):
            order = ledger.by_id.get(order_id)
            if order is not None:
                client_ids[order.client_id] = None
                markets[order.market] = None
    return Ask(name, tuple(client_ids), tuple(markets))


def _objects(body: bytes) -> list[dict[str, Any]]:
    """The object that a body is, or those of the list that it is."""
    try:
        decoded = msgspec.json.decode(body) if body else None
    except UNREADABLE:
        return []
    return [each for each in (decoded if isinstance(decoded, list) else [decoded]) if isinstance(each, dict)]


def _texts(said: Mapping[str, Any], *names: str) -> Iterator[str]:
    """The texts under these names, of which each may be one or a list of them. Empty ones name nothing."""
    for name in names:
        value = said.get(name)
        for each in value if isinstance(value, list) else [value]:
            if isinstance(each, str) and each:
                yield each
