"""The seven `order.*` methods (protocol reference 5)."""

from collections.abc import Callable
from typing import Any, TypeVar

import attrs

from bot.exchange.errors import VenueError
from bot.exchange.identity.quota import QuotaExceeded, Quotas
from bot.exchange.identity.tokens import Grant
from bot.exchange.instruments.markets import check_market
from bot.exchange.matching.caller import Caller
from bot.exchange.matching.desk import QUEUED, Desk
from bot.exchange.matching.orders import Order
from bot.exchange.matching.requests import convert_modify, convert_order, convert_orders
from bot.exchange.settings import ExchangeSettings
from bot.exchange.stream.disconnect import Disconnects
from bot.exchange.stream.rpc import (
    INVALID_PARAMS,
    PERMISSION_DENIED,
    RATE_LIMITED,
    REFUSED,
    Call,
    RpcError,
    invalid_params,
    read_names,
    read_optional_text,
    read_params,
)
from bot.exchange.stream.session import Done, Method, Session

T = TypeVar("T")
Handler = Callable[[Session, Call, Caller], dict[str, Any]]

_MS = 1_000_000

SPECIFIED_TYPES = ("LIMIT", "MARKET", "STOP_LIMIT", "STOP_MARKET")
"""The order types of the methods' specification; whether the others are taken it leaves open (3.4)."""


@attrs.frozen
class OrderMethods:
    """Order entry of sockets that speak for an account.

    ``may_trade`` is asked at each call, since a subkey may be revoked while its socket is open; ``view`` shows an
    order as the channels do.
    """

    desk: Desk
    quotas: Quotas
    disconnects: Disconnects
    may_trade: Callable[[Grant, str], bool]
    settings: ExchangeSettings
    view: Callable[[Order], dict[str, Any]]

    def methods(self) -> dict[str, Method]:
        return {
            "order.create": self._guarded(self._create),
            "order.create_batch": self._guarded(self._create_batch),
            "order.modify": self._guarded(self._modify),
            "order.cancel": self._guarded(self._cancel),
            "order.cancel_batch": self._guarded(self._cancel_batch),
            "order.cancel_all": self._guarded(self._cancel_all),
            "order.cancel_on_disconnect": self._guarded(self._cancel_on_disconnect),
        }

    def _guarded(self, handler: Handler) -> Method:
        """A method for those who may trade, counted with what they do over REST. Refusals carry their REST code."""

        def method(session: Session, call: Call) -> Done:
            caller = self._caller(session, call)
            try:
                self.quotas.take_socket_order_write(caller.account.address, session.ip)
                return Done(handler(session, call, caller))
            except QuotaExceeded as error:
                raise RpcError(RATE_LIMITED, "rate limit exceeded", error.message, error) from error
            except VenueError as error:
                raise self._refusal(error) from error

        return method

    def _caller(self, session: Session, call: Call) -> Caller:
        speaker = session.speaker
        if speaker is None:
            raise RpcError(PERMISSION_DENIED, "permission denied", "authentication required")
        if not self.may_trade(speaker.grant, session.ip):
            raise RpcError(
                PERMISSION_DENIED, "permission denied", "the token does not permit orders any more"
            )
        return Caller.of(speaker.account, speaker.grant, call.received_ns // _MS, self.quotas)

    def _refusal(self, error: VenueError) -> RpcError:
        """What REST would refuse with a code; the documents leave open how it is told here (4.2)."""
        match self.settings.socket_refusals:
            case "message":
                return RpcError(REFUSED, error.code, error.message, error)
            case "invalid-params":
                return RpcError(INVALID_PARAMS, error.message, error.code, error)
            case _:
                return RpcError(REFUSED, error.message, error.code, error)

    def _create(self, session: Session, call: Call, caller: Caller) -> dict[str, Any]:
        request = _read(convert_order, call.params)
        self._check_type(request.type)
        order = self.desk.create(request, caller.placing(self.quotas))
        self.disconnects.placed(session, order)
        return self._created(order, call)

    def _create_batch(self, session: Session, call: Call, caller: Caller) -> dict[str, Any]:
        """Takes ``{"orders": […]}`` as specified, and the bare array that the official SDK sends, or one of them."""
        is_object = isinstance(call.params, dict)
        if self.settings.batch_form not in {"both", "object" if is_object else "array"}:
            raise invalid_params(f"orders are expected in an {self.settings.batch_form}")
        requests = _read(convert_orders, call.params.get("orders") if is_object else call.params)
        for request in requests:
            self._check_type(request.type)
        results: list[dict[str, Any]] = []
        for outcome in self.desk.create_batch(requests, caller.placing(self.quotas, len(requests))):
            if isinstance(outcome, VenueError):
                results.append({"error": f"{outcome.code}: {outcome.message}"})
            else:
                self.disconnects.placed(session, outcome)
                results.append(self._created(outcome, call))
        return {"results": results}

    def _modify(self, _session: Session, call: Call, caller: Caller) -> dict[str, Any]:
        request = _read(convert_modify, call.params)
        self._check_type(request.type)
        return {"order": self.view(self.desk.modify(request.id, request, caller))}

    def _cancel(self, _session: Session, call: Call, caller: Caller) -> dict[str, Any]:
        order_id, client_id = read_optional_text(call, "id"), read_optional_text(call, "client_id")
        market = read_optional_text(call, "market")
        if order_id is not None:
            order = self.desk.find(order_id, caller)
        elif client_id is not None and market is not None:
            order = self.desk.find_client_id(client_id, caller, market)
        else:
            raise invalid_params("either id, or client_id and market")
        self.desk.cancel(order, caller)
        return {"order_id": order.id, "status": QUEUED}

    def _cancel_batch(self, _session: Session, call: Call, caller: Caller) -> dict[str, Any]:
        order_ids = read_names(call, "order_ids")
        if order_ids is None:
            raise invalid_params("order_ids is not a list of strings")
        results = []
        for result in self.desk.cancel_batch(order_ids, [], caller):
            row = {"id": result.order_id, "status": result.status}
            results.append(row if result.market is None else {**row, "market": result.market})
        return {"results": results}

    def _cancel_all(self, _session: Session, call: Call, caller: Caller) -> dict[str, Any]:
        market = read_optional_text(call, "market")
        if market is not None:
            check_market(market, self.desk.markets)
        self.desk.cancel_all(market, caller)
        return {"status": "ok"}

    def _cancel_on_disconnect(self, session: Session, call: Call, _caller: Caller) -> dict[str, Any]:
        enabled = read_params(call).get("enabled")
        if not isinstance(enabled, bool):
            raise invalid_params("enabled is neither true nor false")
        self.disconnects.arm(session, enabled=enabled)
        return {"enabled": enabled}

    def _check_type(self, kind: str) -> None:
        if self.settings.socket_types == "specified" and kind not in SPECIFIED_TYPES:
            raise invalid_params(f"type is not one of {', '.join(SPECIFIED_TYPES)}")

    def _created(self, order: Order, call: Call) -> dict[str, Any]:
        """The times are in two units, ms and ns, as the venue has them."""
        return {
            "order": self.view(order),
            "created_at": order.created_at_ms,
            "received_at": call.received_ns,
        }


def _read(convert: Callable[[Any], T], value: Any) -> T:
    """Parameters as a struct.

    Raises:
        RpcError: -32602.
    """
    try:
        return convert(value)
    except VenueError as error:
        raise invalid_params(error.message) from error
