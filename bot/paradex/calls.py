"""Calls over the WebSocket that enter, modify and cancel orders (protocol reference 5.2). No I/O.

They say what the requests of `bot.paradex.orders` say, and their results come to the same values.
"""

from collections.abc import Callable, Sequence
from typing import Any, Generic, TypeVar

import attrs
import msgspec

from bot.core.order import Order
from bot.paradex import outcome, rpc
from bot.paradex.answers import (
    UNREADABLE,
    CancelQueued,
    CancelsAnswer,
    EmptyAnswer,
    OrderReport,
    PlacedBatch,
    PlacedOrder,
)
from bot.paradex.orders import SignedOrder, check_batch, modification
from bot.paradex.request import Ask, encode, escaped

T = TypeVar("T")

CREATE, CREATE_BATCH, MODIFY = "order.create", "order.create_batch", "order.modify"
CANCEL, CANCEL_BATCH, CANCEL_ALL = "order.cancel", "order.cancel_batch", "order.cancel_all"
CANCEL_ON_DISCONNECT = "order.cancel_on_disconnect"


@attrs.frozen(kw_only=True)
class Call(Ask, Generic[T]):
    """One call, and how its result is read."""

    params: bytes
    """JSON."""

    result: type[Any]
    """What the result is decoded as."""

    value: Callable[[Any], T]
    """What is made of that. Raises ValueError where it is not about what was asked."""

    def frame(self, request_id: int) -> str:
        """It as the text of a frame."""
        return rpc.request(request_id, self.method, msgspec.Raw(self.params))

    def shown(self, hidden: str) -> dict[str, Any]:
        """What may be written down of it: method, and parameters with ``hidden`` in place of secrets."""
        return {"method": self.method, "body": self.show(self.params.decode(), hidden)}

    def read(self, reply: rpc.Reply) -> T:
        """Turn a reply into its value.

        Raises:
            RefusedError: the venue said no (protocol reference 4.2).
            UnknownOutcomeError: a reply that does not tell whether the venue did it.
        """
        if reply.error is not None:
            raise reply.error
        try:
            return self.value(msgspec.json.decode(reply.result, type=self.result))
        except UNREADABLE as unreadable:
            raise outcome.of_unreadable(
                f"{self.method}: a result that makes no sense: {unreadable}"
            ) from unreadable


def create(signed: SignedOrder, *, cause: int = 0) -> Call[OrderReport]:
    """Send an order. The result has two times of its own, in ms and in ns: `PlacedOrder`."""
    return Call(
        method=CREATE,
        params=encode(signed.body()),
        result=PlacedOrder,
        value=lambda placed: placed.order,
        secrets=(escaped(signed.signature),),
        cause=cause,
    )


def create_batch(batch: Sequence[SignedOrder], *, bare: bool = False, cause: int = 0) -> Call[PlacedBatch]:
    """Send several orders at once; `bot.paradex.batch.placements` tells what became of each.

    ``bare``: as the official SDK sends them, a bare array, and not as the specification has them.

    Raises:
        ValueError: none, or more than a batch holds.
    """
    check_batch(len(batch))
    orders = [signed.body() for signed in batch]
    return Call(
        method=CREATE_BATCH,
        params=encode(orders if bare else {"orders": orders}),
        result=PlacedBatch,
        value=lambda placed: placed,
        secrets=tuple(escaped(signed.signature) for signed in batch),
        cause=cause,
    )


def modify(
    order: Order, *, size: int, price: int, signature: str, signature_timestamp: int, cause: int = 0
) -> Call[OrderReport]:
    """Ask for another ``size`` and ``price``; as `bot.paradex.orders.modify`."""

    def about_it(placed: PlacedOrder) -> OrderReport:
        if placed.order.id != order.venue_id:
            raise ValueError(f"it is about order {placed.order.id}")
        return placed.order

    return Call(
        method=MODIFY,
        params=encode(
            modification(
                order, size=size, price=price, signature=signature, signature_timestamp=signature_timestamp
            )
        ),
        result=PlacedOrder,
        value=about_it,
        secrets=(escaped(signature),),
        cause=cause,
    )


def cancel(order: Order, *, cause: int = 0) -> Call[CancelQueued]:
    """By the venue's id, or where that is not known by ours."""

    def about_it(queued: CancelQueued) -> CancelQueued:
        if order.venue_id and queued.order_id not in {None, order.venue_id}:
            raise ValueError(f"it is about order {queued.order_id}")
        return queued

    named = (
        {"id": order.venue_id} if order.venue_id else {"client_id": order.client_id, "market": order.market}
    )
    return Call(method=CANCEL, params=encode(named), result=CancelQueued, value=about_it, cause=cause)


def cancel_batch(order_ids: Sequence[str], *, cause: int = 0) -> Call[CancelsAnswer]:
    """Cancel several orders at once, by the venue's ids alone; `bot.paradex.batch.cancels` tells of each.

    Raises:
        ValueError: none, or more than a batch holds.
    """
    check_batch(len(order_ids))
    return Call(
        method=CANCEL_BATCH,
        params=encode({"order_ids": list(order_ids)}),
        result=CancelsAnswer,
        value=lambda answer: answer,
        cause=cause,
    )


def cancel_all(market: str | None = None, *, cause: int = 0) -> Call[EmptyAnswer]:
    """Cancel every order of the account, of one market or of all: those of others who trade on it, too."""
    params = {} if market is None else {"market": market}
    return Call(
        method=CANCEL_ALL, params=encode(params), result=EmptyAnswer, value=lambda answer: answer, cause=cause
    )
