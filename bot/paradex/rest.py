"""REST requests of the venue and what it answers (protocol reference, section 3). No I/O.

A function here makes a `Request`; `Request.read` turns the answer's status and body into a value, or raises
what kind of failure it was. Prices and sizes cross this module as integers of 10⁻⁸ on our side and as
decimal text on the wire.
"""

from collections.abc import Mapping
from typing import Any, Generic, TypeVar
from urllib.parse import quote, urlencode

import attrs
import msgspec

from bot.core.errors import RefusedError, UnknownOutcomeError
from bot.core.fixed import parse, render
from bot.core.market import Market
from bot.core.order import Order
from bot.paradex.answers import (
    UNREADABLE,
    Bbo,
    EmptyAnswer,
    Jwt,
    MarketInfo,
    MarketsAnswer,
    OrderPage,
    OrderReport,
    OrdersAnswer,
    SystemConfig,
    SystemTime,
)

T = TypeVar("T")

# A refusal at any status: the venue is in a mode that takes no such order (protocol reference 1).
_MODE_REFUSALS = frozenset({"SYSTEM_STATUS_CANCEL_ONLY", "SYSTEM_STATUS_POST_ONLY"})


@attrs.frozen(kw_only=True)
class Request(Generic[T]):
    """One request, its path below ``/v1``, and the type that its answer has."""

    method: str
    path: str
    answer: type[T]
    headers: Mapping[str, str] = attrs.field(factory=dict, repr=False)
    body: bytes | None = None
    secrets: tuple[str, ...] = attrs.field(default=(), repr=False)
    """Texts in headers and body that are never written down."""

    secret_answer: bool = False
    """The answer is itself a secret: it is never written down either."""

    cause: int = 0
    """Number of the record that this request is made because of; 0 for none."""

    def shown(self, hidden: str) -> dict[str, Any]:
        """What may be written down of it: method, path, headers and body, with ``hidden`` in place of secrets."""

        def show(text: str) -> str:
            for secret in self.secrets:
                text = text.replace(secret, hidden)
            return text

        shown: dict[str, Any] = {"method": self.method, "path": self.path}
        headers = {name: show(value) for name, value in self.headers.items() if name != "Authorization"}
        if headers:
            shown["headers"] = headers
        if self.body is not None:
            shown["body"] = show(self.body.decode())
        return shown

    def read(self, status: int, body: bytes) -> T:
        """Turn an answer into its value.

        Raises:
            RefusedError: the venue said no (protocol reference 3.7).
            UnknownOutcomeError: an answer that does not tell whether the venue did it.
        """
        if not 200 <= status < 300:
            raise failure(status, body)
        try:
            return msgspec.json.decode(body or b"{}", type=self.answer)
        except UNREADABLE as unreadable:
            raise UnknownOutcomeError(
                f"{self.method} {self.path}: {status} with a body that does not parse: {unreadable}"
            ) from unreadable


class _ErrorBody(msgspec.Struct):
    error: str
    message: str | None = None


def failure(status: int, body: bytes) -> RefusedError | UnknownOutcomeError:
    """Class an answer that is no success, as `faults.md` section 1 does: what it does not list is unknown."""
    try:
        answer = msgspec.json.decode(body, type=_ErrorBody)
    except UNREADABLE:
        return UnknownOutcomeError(f"HTTP {status} without a code of the venue")
    if answer.error and (400 <= status < 500 or answer.error in _MODE_REFUSALS):
        return RefusedError(status, answer.error, answer.message or "")
    return UnknownOutcomeError(f"HTTP {status} {answer.error}: {answer.message or ''}")


def system_time() -> Request[SystemTime]:
    return Request(method="GET", path="/system/time", answer=SystemTime)


def system_config() -> Request[SystemConfig]:
    return Request(method="GET", path="/system/config", answer=SystemConfig)


def onboarding(
    *, account: str, ethereum_account: str, public_key: str, signature: str
) -> Request[EmptyAnswer]:
    """Register the account; it may be repeated (protocol reference 2.2)."""
    return Request(
        method="POST",
        path="/onboarding",
        answer=EmptyAnswer,
        headers={
            "PARADEX-ETHEREUM-ACCOUNT": ethereum_account,
            "PARADEX-STARKNET-ACCOUNT": account,
            "PARADEX-STARKNET-SIGNATURE": signature,
        },
        body=_json({"public_key": public_key}),
        secrets=(signature,),
    )


def auth(
    *, account: str, public_key: str, signature: str, timestamp_s: int, expiration_s: int
) -> Request[Jwt]:
    """Ask for a token. The form with the key in its path serves main keys and subkeys (2.2)."""
    return Request(
        method="POST",
        path=f"/auth/{public_key}",
        answer=Jwt,
        headers={
            "PARADEX-STARKNET-ACCOUNT": account,
            "PARADEX-STARKNET-SIGNATURE": signature,
            "PARADEX-TIMESTAMP": str(timestamp_s),
            "PARADEX-SIGNATURE-EXPIRATION": str(expiration_s),
        },
        secrets=(signature,),
        secret_answer=True,
    )


def markets() -> Request[MarketsAnswer]:
    return Request(method="GET", path="/markets", answer=MarketsAnswer)


def bbo(market: str, *, cause: int = 0) -> Request[Bbo]:
    return Request(method="GET", path=f"/bbo/{_segment(market)}", answer=Bbo, cause=cause)


def create_order(
    order: Order, *, signature: str, signature_timestamp: int, recv_window: int, cause: int = 0
) -> Request[OrderReport]:
    """Send ``order``. ``signature_timestamp`` and ``recv_window`` are in ms (protocol reference 3.2)."""
    return Request(
        method="POST",
        path="/orders",
        answer=OrderReport,
        body=_json(
            {
                "market": order.market,
                "side": order.side,
                "type": order.type,
                "size": render(order.size),
                "price": render(order.price),
                "instruction": order.instruction,
                "client_id": order.client_id,
                "recv_window": recv_window,
                "signature": signature,
                "signature_timestamp": signature_timestamp,
            }
        ),
        secrets=(_escaped(signature),),
        cause=cause,
    )


def open_orders(*, cause: int = 0) -> Request[OrdersAnswer]:
    return Request(method="GET", path="/orders", answer=OrdersAnswer, cause=cause)


def cancel_order(order_id: str, *, cause: int = 0) -> Request[EmptyAnswer]:
    path = f"/orders/{_segment(order_id)}"
    return Request(method="DELETE", path=path, answer=EmptyAnswer, cause=cause)


def cancel_by_client_id(client_id: str, *, market: str, cause: int = 0) -> Request[EmptyAnswer]:
    """Cancel an order whose id we were never told. The market makes it faster (protocol reference 3.1)."""
    path = f"/orders/by_client_id/{_segment(client_id)}?{urlencode({'market': market})}"
    return Request(method="DELETE", path=path, answer=EmptyAnswer, cause=cause)


def order_history(client_id: str, *, market: str, cause: int = 0) -> Request[OrderPage]:
    """The only place where a closed order is found by its client id (protocol reference 3.1)."""
    query = urlencode({"client_id": client_id, "market": market})
    return Request(method="GET", path=f"/orders-history?{query}", answer=OrderPage, cause=cause)


def read_market(info: MarketInfo) -> Market:
    """The rules of a market. Raises ValueError where one is missing or cannot be read."""
    return Market(
        symbol=info.symbol or "",
        price_tick=parse(info.price_tick_size or ""),
        size_step=parse(info.order_size_increment or ""),
        min_notional=parse(info.min_notional or ""),
        max_order_size=parse(info.max_order_size or ""),
    )


def _segment(text: str) -> str:
    return quote(text, safe="")


def _escaped(text: str) -> str:
    """``text`` as it stands in JSON, without the quotes around it."""
    return msgspec.json.encode(text)[1:-1].decode()


def _json(value: dict[str, Any]) -> bytes:
    return msgspec.json.encode(value)
