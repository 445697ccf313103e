"""The last resort: orders whose end is not known when the order manager is no longer there to see to it."""

from collections.abc import Sequence

import trio
from loguru import logger

from bot.core.errors import RequestError, or_failure
from bot.core.order import Event, Order
from bot.paradex import orders
from bot.paradex.answers import CancelsAnswer, OrderReport
from bot.paradex.request import Request
from bot.session.capabilities import AuthedRest
from bot.trading.effects import batches
from bot.trading.requests import cancel_batch_request, cancel_request, find_report, history_request
from bot.trading.step.ledger import EVENT_OF_STATUS
from bot.trading.step.pursuit import FEW

LOOK_AGAIN_S = 0.2

TOGETHER_S = 0.8
"""For cancelling many orders together, before each is seen to by itself: there may be two seconds for everything."""

PAGE_SIZE = 1000


async def cancel_leftovers(authed: AuthedRest, left: list[Order]) -> None:
    """Cancel the orders in ``left``, and only those, and take each out of it whose end the history tells.

    Again and again until none is left, so the caller owns the deadline. That an order is not among the open ones
    would be no evidence: its request may still be under way, and arrive after the cancel.
    """
    if len(left) > FEW:
        with trio.move_on_after(TOGETHER_S):
            await _cancel_together(authed, left)
    async with trio.open_nursery() as nursery:
        for order in tuple(left):
            nursery.start_soon(_cancel, authed, order, left)


def cancels_of(left: Sequence[Order]) -> list[Request[CancelsAnswer]]:
    """As few requests as may be that cancel all of these orders."""
    return [cancel_batch_request(batch, cause=0) for batch in batches(left)]


async def _cancel_together(authed: AuthedRest, left: list[Order]) -> None:
    """Cancel many orders, and look once how they ended. Whatever that fails to do, somebody does again."""

    async def send(request: Request[CancelsAnswer]) -> None:
        try:
            async with authed.reserve_order_lane() as lane:
                await lane.send(request)
        except RequestError as failure:
            logger.warning("[STOP] Paradex batch of cancels failed: {}", failure)

    async with trio.open_nursery() as nursery:
        for request in cancels_of(left):
            nursery.start_soon(send, request)
    history = await or_failure(authed.call(orders.history(page_size=PAGE_SIZE)))
    if not isinstance(history, RequestError):
        ended = {report.client_id for report in history.value.results if _has_ended(report)}
        left[:] = [order for order in left if order.client_id not in ended]


def _has_ended(report: OrderReport) -> bool:
    return EVENT_OF_STATUS.get(report.status) is Event.ENDED


async def _cancel(authed: AuthedRest, order: Order, left: list[Order]) -> None:
    while True:
        try:
            async with authed.reserve_order_lane() as lane:
                await lane.send(cancel_request(order, cause=0))
        except RequestError as failure:
            logger.warning("[STOP] Paradex cancel failed: client_id={}, {}", order.client_id, failure)
        try:
            history = (await authed.call(history_request(order, cause=0))).value.results
        except RequestError as failure:
            logger.warning("[STOP] Paradex order not looked up: client_id={}, {}", order.client_id, failure)
        else:
            report = find_report(order.client_id, (), history)
            if report is not None and _has_ended(report):
                left.remove(order)
                return
        await trio.sleep(LOOK_AGAIN_S)
