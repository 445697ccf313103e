"""Requests that enter, modify, cancel and look for orders (protocol reference 3.1 to 3.5). No I/O.

Prices and sizes cross this module as integers of 10⁻⁸ on our side and as decimal text on the wire; times are unix ms.
"""

from collections.abc import Sequence
from typing import Any

import attrs

from bot.core.fixed import render
from bot.core.order import Order
from bot.paradex.answers import (
    BatchAnswer,
    CancelsAnswer,
    EmptyAnswer,
    OrderPage,
    OrderReport,
    OrdersAnswer,
)
from bot.paradex.request import Request, encode, escaped, segment, with_query

DEFAULT_RECV_WINDOW = 300_000
"""Milliseconds after its signature in which the venue takes what names no window (protocol reference 2.3)."""

LARGEST_BATCH = 10
"""Orders in one request; the venue's documents say 10 in one place and 50 in another (protocol reference 5.2)."""


@attrs.frozen(kw_only=True)
class SignedOrder:
    """A new order, with what makes it the account's. Times in ms (protocol reference 3.2)."""

    order: Order
    signature: str = attrs.field(repr=False)
    signature_timestamp: int
    recv_window: int

    def body(self) -> dict[str, Any]:
        """An OrderRequest."""
        order = self.order
        return {
            "market": order.market,
            "side": order.side,
            "type": order.type,
            "size": render(order.size),
            "price": render(order.price),
            "instruction": order.instruction,
            "client_id": order.client_id,
            "recv_window": self.recv_window,
            "signature": self.signature,
            "signature_timestamp": self.signature_timestamp,
        }


def create(signed: SignedOrder, *, cause: int = 0) -> Request[OrderReport]:
    """Send an order (protocol reference 3.2)."""
    return Request(
        method="POST",
        path="/orders",
        answer=OrderReport,
        body=encode(signed.body()),
        secrets=(escaped(signed.signature),),
        cause=cause,
    )


def create_batch(batch: Sequence[SignedOrder], *, cause: int = 0) -> Request[BatchAnswer]:
    """Send several orders at once; `bot.paradex.batch.creations` tells what became of each.

    A refusal of the request refuses all of them: the venue checks all before it takes one (protocol reference 3.1).

    Raises:
        ValueError: none, or more than `LARGEST_BATCH`.
    """
    check_batch(len(batch))
    return Request(
        method="POST",
        path="/orders/batch",
        answer=BatchAnswer,
        body=encode([signed.body() for signed in batch]),
        secrets=tuple(escaped(signed.signature) for signed in batch),
        cause=cause,
    )


def modify(
    order: Order, *, size: int, price: int, signature: str, signature_timestamp: int, cause: int = 0
) -> Request[OrderReport]:
    """Ask for another ``size`` and ``price`` of an order that the venue has; it keeps its id.

    The rest of it is repeated, as the venue wants it. Its answer means *queued*: a report with ``request_info`` tells
    (protocol reference 3.5). The venue takes no ``recv_window`` here.

    Raises:
        ValueError: the order's venue id, which is part of what is signed, is not known.
    """
    body = modification(
        order, size=size, price=price, signature=signature, signature_timestamp=signature_timestamp
    )
    return Request(
        method="PUT",
        path=f"/orders/{segment(order.venue_id)}",
        answer=OrderReport,
        body=encode(body),
        secrets=(escaped(signature),),
        cause=cause,
    )


def modification(
    order: Order, *, size: int, price: int, signature: str, signature_timestamp: int
) -> dict[str, Any]:
    """A ModifyOrderRequest.

    Raises:
        ValueError: as `modify`.
    """
    if not order.venue_id:
        raise ValueError(f"order {order.client_id} cannot be modified: the venue's id is not known")
    return {
        "id": order.venue_id,
        "market": order.market,
        "side": order.side,
        "type": order.type,
        "size": render(size),
        "price": render(price),
        "signature": signature,
        "signature_timestamp": signature_timestamp,
    }


def cancel(order_id: str, *, cause: int = 0) -> Request[EmptyAnswer]:
    path = f"/orders/{segment(order_id)}"
    return Request(method="DELETE", path=path, answer=EmptyAnswer, cause=cause)


def cancel_by_client_id(client_id: str, *, market: str, cause: int = 0) -> Request[EmptyAnswer]:
    """Cancel an order whose id we were never told. The market makes it faster (protocol reference 3.1)."""
    path = with_query(f"/orders/by_client_id/{segment(client_id)}", market=market)
    return Request(method="DELETE", path=path, answer=EmptyAnswer, cause=cause)


def cancel_batch(
    order_ids: Sequence[str] = (), client_ids: Sequence[str] = (), *, cause: int = 0
) -> Request[CancelsAnswer]:
    """Cancel several orders at once, by the venue's ids and by ours; `bot.paradex.batch.cancels` tells of each.

    Raises:
        ValueError: none, or more than `LARGEST_BATCH`.
    """
    check_batch(len(order_ids) + len(client_ids))
    named = {"order_ids": list(order_ids), "client_order_ids": list(client_ids)}
    return Request(
        method="DELETE",
        path="/orders/batch",
        answer=CancelsAnswer,
        body=encode({name: ids for name, ids in named.items() if ids}),
        cause=cause,
    )


def cancel_all(market: str | None = None, *, cause: int = 0) -> Request[EmptyAnswer]:
    """Cancel every order of the account, of one market or of all: those of others who trade on it, too."""
    path = with_query("/orders", market=market)
    return Request(method="DELETE", path=path, answer=EmptyAnswer, cause=cause)


def list_open(market: str | None = None, *, cause: int = 0) -> Request[OrdersAnswer]:
    path = with_query("/orders", market=market)
    return Request(method="GET", path=path, answer=OrdersAnswer, cause=cause)


def history(
    client_id: str | None = None,
    *,
    market: str | None = None,
    start_at: int | None = None,
    end_at: int | None = None,
    page_size: int | None = None,
    cursor: str | None = None,
    cause: int = 0,
) -> Request[OrderPage]:
    """Orders of the account by time of creation, both ends included, the newest first; closed ones, too.

    The only place where a closed order is found by its client id. ``cursor`` is `OrderPage.next` of the page before,
    which was asked for with the same other parameters; a page has up to 5000 orders, 100 unless told otherwise.
    """
    path = with_query(
        "/orders-history",
        client_id=client_id,
        market=market,
        start_at=start_at,
        end_at=end_at,
        page_size=page_size,
        cursor=cursor,
    )
    return Request(method="GET", path=path, answer=OrderPage, cause=cause)


def check_batch(size: int) -> None:
    """Raise ValueError for what is no batch."""
    if not 1 <= size <= LARGEST_BATCH:
        raise ValueError(f"a batch has 1 to {LARGEST_BATCH} orders, not {size}")
