"""The orders in what leaves, by whichever way it does: in the body of a request, or in the parameters of a call."""

from collections.abc import Mapping
from typing import Any

import attrs
import msgspec

from bot.core.tape import Kind
from bot.paradex import outcome, rpc
from bot.paradex.calls import CREATE, CREATE_BATCH, MODIFY

_PLACING = frozenset({("POST", "/orders"), ("POST", "/orders/batch")})
_PLACING_CALLS = frozenset({CREATE, CREATE_BATCH})


def placed(kind: Kind | str, data: Any) -> list[dict[str, Any]] | None:
    """The new orders in a record of what leaves; None in any other."""
    match kind, data:
        case Kind.REQUEST, {"method": str(method), "path": str(path)} if (method, path) in _PLACING:
            return orders_in(data.get("body"))
        case Kind.FRAME_OUT, {"frame": frame}:
            method, params = call_of(frame)
            return orders_in(params) if method in _PLACING_CALLS else None
    return None


def modified(kind: Kind | str, data: Any) -> dict[str, Any] | None:
    """The terms in a record of a modification that leaves, empty if they cannot be read; None in any other.

    They name the order by the venue's ``id``.
    """
    match kind, data:
        case Kind.REQUEST, {"method": "PUT", "path": str(path)} if path.startswith("/orders/"):
            return next(iter(orders_in(data.get("body"))), {})
        case Kind.FRAME_OUT, {"frame": frame}:
            method, params = call_of(frame)
            return next(iter(orders_in(params)), {}) if method == MODIFY else None
    return None


@attrs.define
class BatchForms:
    """Batches over the WebSocket: one that is refused for its form leaves again in the other (reference 5.2)."""

    _under_way: dict[tuple[int, int | str], list[dict[str, Any]]] = attrs.field(factory=dict)
    """Orders, by generation and id of the call."""

    def refused(self, kind: Kind | str, generation: int, data: Any) -> list[dict[str, Any]]:
        """The orders of the batch of which a record says that its form was refused; none for any other record."""
        match kind, data:
            case Kind.FRAME_OUT, {"frame": str(frame)}:
                method, params = call_of(frame)
                if method == CREATE_BATCH:
                    self._under_way[generation, rpc.id_of(frame)] = orders_in(params)
            case Kind.FRAME_IN, str(frame) | {"bytes": str(frame)} if self._under_way:
                reply = _reply(frame)
                if reply is not None:
                    orders = self._under_way.pop((generation, reply.id), [])
                    return orders if outcome.is_about_form(reply.error) else []
        return []


def _reply(frame: str) -> rpc.Reply | None:
    try:
        message = rpc.read(frame)
    except rpc.UnreadableFrameError:
        return None
    return message if isinstance(message, rpc.Reply) else None


def orders_in(body: Any) -> list[dict[str, Any]]:
    """The orders in a body or in parameters, decoded or as text: one, an array of them, or an array under a name."""
    match decoded(body) if isinstance(body, str) else body:
        case {"orders": list(orders)} | list(orders):
            return [order for order in orders if isinstance(order, dict)]
        case dict(order):
            return [order]
    return []


def call_of(frame: Any) -> tuple[str, Any]:
    """Method and parameters of a frame."""
    match decoded(frame):
        case {"method": str(method), "params": params}:
            return method, params
    return "", None


def client_id_of(order: Mapping[str, Any]) -> str:
    """Ours; empty where there is none."""
    client_id = order.get("client_id")
    return client_id if isinstance(client_id, str) else ""


def decoded(text: Any) -> Any:
    """JSON; None for what is none."""
    try:
        return msgspec.json.decode(text)
    except (TypeError, ValueError, RecursionError):
        return None
