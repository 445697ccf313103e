"""What became of each order of a batch (protocol reference 3.1, 3.6). No I/O.

The answer to a batch of new orders lists those that were taken and the errors of the others, and no error says whose
it is. So orders are found by their client ids, and the errors belong to those that are missing, if there are exactly
as many, and all of them refusals. What cannot be assigned so is unknown.
"""

from collections.abc import Mapping, Sequence

from bot.core.errors import RefusedError, RequestError
from bot.core.order import Order
from bot.paradex import outcome
from bot.paradex.answers import (
    BatchAnswer,
    CancelResult,
    CancelsAnswer,
    OrderReport,
    PlacedBatch,
    PlacedItem,
)

TAKEN, CANCELLED = 201, 200
"""The status that a batch of orders, or of cancels, is answered with, whatever became of each."""

QUEUED, GONE = "QUEUED_FOR_CANCELLATION", frozenset({"ALREADY_CLOSED", "NOT_FOUND"})
"""What a `CancelResult` says."""


def creations(orders: Sequence[Order], answer: BatchAnswer) -> Mapping[str, OrderReport | RequestError]:
    """By client id: what the venue says of the order, or how its send ended."""
    taken = answer.orders or []
    reports = {report.client_id: report for report in taken}
    missing = [order.client_id for order in orders if order.client_id not in reports]
    errors = [outcome.of_item(TAKEN, each.error or "", each.message or "") for each in answer.errors or []]
    is_complete = len(taken) + len(missing) == len(orders) and len(errors) == len(missing)
    if not (is_complete and all(isinstance(error, RefusedError) for error in errors)):
        words = "; ".join(map(str, errors)) or "no error"
        errors = [outcome.of_unreadable(f"not in the answer to its batch, which has {words}")] * len(missing)
    ended: dict[str, OrderReport | RequestError] = dict(zip(missing, errors, strict=True))
    return {order.client_id: ended.get(order.client_id) or reports[order.client_id] for order in orders}


def placements(orders: Sequence[Order], answer: PlacedBatch) -> Mapping[str, OrderReport | RequestError]:
    """The same of a batch over the WebSocket: it is answered in the order in which it was sent."""
    if len(answer.results) != len(orders):
        words = f"its batch of {len(orders)} has {len(answer.results)} results"
        return {order.client_id: outcome.of_unreadable(words) for order in orders}
    results = zip(orders, answer.results, strict=True)
    return {order.client_id: _placement(order, result) for order, result in results}


def _placement(order: Order, result: PlacedItem) -> OrderReport | RequestError:
    if result.order is None:
        return outcome.of_words(TAKEN, result.error or "")
    if result.order.client_id not in {None, "", order.client_id}:
        return outcome.of_unreadable(f"in its place in the batch is order {result.order.client_id}")
    return result.order


def cancels(orders: Sequence[Order], answer: CancelsAnswer) -> Mapping[str, CancelResult | None]:
    """By client id: what became of the cancel; None for an order that the answer does not name."""
    by_id = {result.id: result for result in answer.results if result.id}
    by_client_id = {result.client_id: result for result in answer.results if result.client_id}
    return {
        order.client_id: by_id.get(order.venue_id) or by_client_id.get(order.client_id) for order in orders
    }


def failure_of_cancel(result: CancelResult | None) -> RequestError | None:
    """How one cancel of a batch failed; None for one that is queued."""
    if result is None:
        return outcome.of_unreadable("not in the answer to its batch")
    if result.status == QUEUED:
        return None
    if result.status in GONE:
        return RefusedError(CANCELLED, result.status, "there is nothing to cancel")
    return outcome.of_unreadable(f"its cancel is {result.status!r}, says the answer to its batch")
