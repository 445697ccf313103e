"""What carries out a decision: the same orders as requests over REST, or as calls over the WebSocket."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import attrs

from bot.core.errors import RequestError
from bot.core.order import Order
from bot.paradex import batch, calls, orders, outcome
from bot.paradex.answers import (
    BatchAnswer,
    CancelsAnswer,
    EmptyAnswer,
    OrderPage,
    OrderReport,
    PlacedBatch,
)
from bot.paradex.calls import Call
from bot.paradex.orders import SignedOrder
from bot.paradex.request import Request
from bot.paradex.snip12 import OrderTerms
from bot.trading.effects import CancelBatch, CancelOrder, ModifyOrder, PlaceBatch, PlaceOrder

REST, WS = "rest", "ws"
"""By which way orders go."""

Sent = Request[Any] | Call[Any]


def terms(order: Order, timestamp_ms: int) -> OrderTerms:
    """What is signed of ``order``."""
    return OrderTerms(
        timestamp_ms=timestamp_ms,
        market=order.market,
        side=order.side,
        order_type=order.type,
        size=order.size,
        price=order.price,
    )


def modified_terms(effect: ModifyOrder, timestamp_ms: int) -> OrderTerms:
    """What is signed of the order as it is wanted, beside the venue's id of it."""
    wanted = effect.wanted
    return terms(attrs.evolve(effect.order, size=wanted.size, price=wanted.price), timestamp_ms)


def placing(
    effect: PlaceOrder | PlaceBatch,
    signed: Sequence[SignedOrder],
    cause: int,
    via: str,
    *,
    bare: bool = False,
) -> Sent:
    """What carries out ``effect``, with those of its orders that are ``signed``; ``bare`` as `calls.create_batch`."""
    if isinstance(effect, PlaceBatch):
        if via == WS:
            return calls.create_batch(signed, bare=bare, cause=cause)
        return orders.create_batch(signed, cause=cause)
    (one,) = signed
    return calls.create(one, cause=cause) if via == WS else orders.create(one, cause=cause)


def modifying(effect: ModifyOrder, signature: str, timestamp_ms: int, cause: int, via: str) -> Sent:
    """What carries out ``effect``."""
    modify: Callable[..., Sent] = calls.modify if via == WS else orders.modify
    return modify(
        effect.order,
        size=effect.wanted.size,
        price=effect.wanted.price,
        signature=signature,
        signature_timestamp=timestamp_ms,
        cause=cause,
    )


def cancelling_request(effect: CancelOrder | CancelBatch, cause: int) -> Request[Any]:
    """What carries out ``effect`` over REST."""
    if isinstance(effect, CancelOrder):
        return cancel_request(effect.order, cause)
    return cancel_batch_request(effect.orders, cause)


def cancelling_call(effect: CancelOrder | CancelBatch, cause: int) -> Call[Any]:
    """What carries out ``effect`` over the WebSocket; the venue's ids of a batch's orders are known."""
    if isinstance(effect, CancelOrder):
        return calls.cancel(effect.order, cause=cause)
    return calls.cancel_batch([order.venue_id for order in effect.orders], cause=cause)


def cancel_request(order: Order, cause: int) -> Request[EmptyAnswer]:
    """By the venue's id, or where that is not known by ours; because of the record with the number ``cause``."""
    if order.venue_id:
        return orders.cancel(order.venue_id, cause=cause)
    return orders.cancel_by_client_id(order.client_id, market=order.market, cause=cause)


def cancel_batch_request(unwanted: Sequence[Order], cause: int) -> Request[CancelsAnswer]:
    """Each by the venue's id, or where that is not known by ours."""
    return orders.cancel_batch(
        [order.venue_id for order in unwanted if order.venue_id],
        [order.client_id for order in unwanted if not order.venue_id],
        cause=cause,
    )


def history_request(order: Order, cause: int) -> Request[OrderPage]:
    """Because of the record with the number ``cause``."""
    return orders.history(order.client_id, market=order.market, cause=cause)


# What the answers say.


def results_of(
    sent: Sequence[Order], answer: OrderReport | BatchAnswer | PlacedBatch
) -> Mapping[str, OrderReport | RequestError]:
    """By client id: what the venue says of each order that was sent."""
    match answer:
        case BatchAnswer():
            return batch.creations(sent, answer)
        case PlacedBatch():
            return batch.placements(sent, answer)
    (order,) = sent
    if answer.client_id not in {None, "", order.client_id}:
        return {order.client_id: outcome.of_unreadable(f"the answer is about order {answer.client_id}")}
    return {order.client_id: answer}


def failures_of_cancels(effect: CancelOrder | CancelBatch, result: Any) -> Mapping[str, RequestError | None]:
    """By client id: why a cancel failed; None for one that is queued. ``result``: an answer, or a failure."""
    match effect, result:
        case CancelBatch(unwanted), CancelsAnswer():
            told = batch.cancels(unwanted, result)
            return {client_id: batch.failure_of_cancel(each) for client_id, each in told.items()}
    failure = result if isinstance(result, RequestError) else None
    return dict.fromkeys((order.client_id for order in effect.orders), failure)


def find_report(
    client_id: str, open_orders: Sequence[OrderReport], history: Sequence[OrderReport]
) -> OrderReport | None:
    """Look in both places: an order that is open need not be in the history yet, nor a closed one among the open."""
    return next((report for report in (*history, *open_orders) if report.client_id == client_id), None)
