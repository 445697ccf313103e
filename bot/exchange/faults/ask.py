"""What a request asks for, over REST or a WebSocket, as far as a rule looks at it."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Literal

import attrs
import msgspec

from bot.exchange.errors import UNREADABLE
from bot.exchange.matching.ledger import OrderLedger

Way = Literal["rest", "ws"]

_SOCKET = "WS "
"""What the names of calls over a WebSocket begin with, as the counters have them."""

CALLS: dict[str, frozenset[str]] = {
    "create": frozenset({"POST /v1/orders", "WS order.create"}),
    "create-batch": frozenset({"POST /v1/orders/batch", "WS order.create_batch"}),
    "modify": frozenset({"PUT /v1/orders/{order_id}", "WS order.modify"}),
    "cancel": frozenset(
        {
            "DELETE /v1/orders/{order_id}",
            "DELETE /v1/orders/by_client_id/{client_id}",
            "WS order.cancel",
        }
    ),
    "cancel-batch": frozenset({"DELETE /v1/orders/batch", "WS order.cancel_batch"}),
    "cancel-all": frozenset({"DELETE /v1/orders", "WS order.cancel_all"}),
    "cancel-on-disconnect": frozenset({"WS order.cancel_on_disconnect"}),
    "order": frozenset({"GET /v1/orders/{order_id}", "GET /v1/orders/by_client_id/{client_id}"}),
    "open-orders": frozenset({"GET /v1/orders"}),
    "history": frozenset({"GET /v1/orders-history"}),
    "fills": frozenset({"GET /v1/fills"}),
    "positions": frozenset({"GET /v1/positions"}),
    "account": frozenset({"GET /v1/account", "GET /v1/account/info", "GET /v1/account/summary"}),
    "auth": frozenset({"POST /v1/auth", "POST /v1/auth/{public_key}", "WS auth"}),
    "subscribe": frozenset({"WS subscribe"}),
    "onboarding": frozenset({"POST /v1/onboarding"}),
    "config": frozenset({"GET /v1/system/config"}),
    "state": frozenset({"GET /v1/system/state"}),
    "time": frozenset({"GET /v1/system/time"}),
    "markets": frozenset({"GET /v1/markets"}),
    "bbo": frozenset({"GET /v1/bbo/{market}"}),
}
"""One kind of request each: its routes and methods, by the names that the counters have for them."""


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
    """A request by the name of its route or method, and the orders and markets that it names, in the order of naming.

    An order that is named by the venue's id counts by the client id and market that it has.
    """

    name: str
    client_ids: tuple[str, ...] = ()
    markets: tuple[str, ...] = ()

    @property
    def over(self) -> Way:
        """Which way it came."""
        return "ws" if self.name.startswith(_SOCKET) else "rest"

    @property
    def method(self) -> str:
        """Its name without the way that it came."""
        return self.name.removeprefix(_SOCKET)

    def is_about(self, on: str) -> bool:
        """Whether a word of `CALLS` or `GROUPS`, or `ANY`, means it."""
        return on == ANY or self.name in (CALLS.get(on) or GROUPS[on])


def call_name(method: str) -> str:
    """The name of a method of the WebSocket among the names of requests."""
    return _SOCKET + method


def read_ask(name: str, said: Iterable[Mapping[str, Any]], ledger: OrderLedger) -> Ask:
    """What a request asks for that says this. What cannot be read names nothing: the handler may refuse it."""
    client_ids: dict[str, None] = {}
    markets: dict[str, None] = {}
    for each in said:
        client_ids |= dict.fromkeys(_texts(each, "client_id", "client_order_ids"))
        markets |= dict.fromkeys(_texts(each, "market"))
        for order_id in _texts(each, "order_id", "id", "order_ids"):
            order = ledger.by_id.get(order_id)
            if order is not None:
                client_ids[order.client_id] = None
                markets[order.market] = None
    return Ask(name, tuple(client_ids), tuple(markets))


def objects_in(body: bytes) -> list[dict[str, Any]]:
    """What `objects_of` finds in JSON; nothing in what is none."""
    try:
        return objects_of(msgspec.json.decode(body)) if body else []
    except UNREADABLE:
        return []


def objects_of(value: Any) -> list[dict[str, Any]]:
    """The object that a value is, or those of the list that it is, or that it has as ``orders``."""
    if isinstance(value, dict):
        return [value, *(objects_of(value["orders"]) if isinstance(value.get("orders"), list) else ())]
    return [each for each in value if isinstance(each, dict)] if isinstance(value, list) else []


def _texts(said: Mapping[str, Any], *names: str) -> Iterator[str]:
    """The texts under these names, of which each may be one or a list of them. Empty ones name nothing."""
    for name in names:
        value = said.get(name)
        for each in value if isinstance(value, list) else [value]:
            if isinstance(each, str) and each:
                yield each
