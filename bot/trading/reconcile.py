"""Compares what the bot believes with what the venue has, while nothing seems wrong: losses leave no gap to see."""

import random

import trio
from loguru import logger

from bot.core.clock import Clock
from bot.core.errors import RequestError
from bot.session.capabilities import AuthedRest
from bot.session.generation import list_open_orders
from bot.session.inbox import Inbox

INTERVAL = (30.0, 60.0)
"""Seconds between two comparisons, drawn anew each time (`faults.md` section 1)."""


async def reconcile(authed: AuthedRest, inbox: Inbox, clock: Clock, rng: random.Random) -> None:
    """Put a list of the open orders into the ordered stream from time to time, whatever the WebSocket does."""
    while True:
        await trio.sleep(rng.uniform(*INTERVAL))
        try:
            inbox(await list_open_orders(authed, clock))
        except RequestError as failure:
            logger.warning("[ORDER] Paradex open orders not listed: {}", failure)
