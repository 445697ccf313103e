"""The last resort: orders that still rest when the order manager is no longer there to cancel them."""

from collections.abc import Sequence

import trio
from loguru import logger

from bot.core.errors import RequestError
from bot.core.order import Order
from bot.paradex import rest
from bot.session.capabilities import AuthedRest

LOOK_AGAIN_S = 0.2


async def cancel_leftovers(authed: AuthedRest, orders: Sequence[Order]) -> list[Order]:
    """Cancel ``orders`` and only those, until the venue lists none of them as open; the caller owns the deadline.

    Returns those that the venue listed last, so none where all went well.
    """
    left = list(orders)
    while left:
        for order in left:
            try:
                await authed.call(rest.cancel_by_client_id(order.client_id, market=order.market))
            except RequestError as failure:
                logger.warning("[STOP] Paradex cancel failed: client_id={}, {}", order.client_id, failure)
        try:
            open_now = {report.client_id for report in (await authed.call(rest.open_orders())).value.results}
            left = [order for order in left if order.client_id in open_now]
        except RequestError as failure:
            logger.warning("[STOP] Paradex open orders not listed: {}", failure)
        await trio.sleep(LOOK_AGAIN_S)
    return left
