"""The last resort: orders whose end is not known when the order manager is no longer there to see to it."""

import trio
from loguru import logger

from bot.core.errors import RequestError
from bot.core.order import Event, Order
from bot.session.capabilities import AuthedRest
from bot.trading.executor import cancel_request, find_report, history_request
from bot.trading.ledger import EVENT_OF_STATUS

LOOK_AGAIN_S = 0.2


async def cancel_leftovers(authed: AuthedRest, left: list[Order]) -> None:
    """Cancel the orders in ``left``, and only those, and take each out of it whose end the history tells.

    Again and again until none is left, so the caller owns the deadline. That an order is not among the open ones
    would be no evidence: its request may still be under way, and arrive after the cancel.
    """
    async with trio.open_nursery() as nursery:
        for order in tuple(left):
            nursery.start_soon(_cancel, authed, order, left)


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
            if report is not None and EVENT_OF_STATUS.get(report.status) is Event.ENDED:
                left.remove(order)
                return
        await trio.sleep(LOOK_AGAIN_S)
