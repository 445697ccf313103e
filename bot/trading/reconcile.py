"""Compares what the bot believes with what the venue has, while nothing seems wrong: losses leave no gap to see."""

import random

import trio
from loguru import logger

from bot.core.errors import RequestError
from bot.session.inbox import Inbox
from bot.session.snapshot import Snapshots

INTERVAL = (30.0, 60.0)
"""Seconds between two comparisons, drawn anew each time (`faults.md` section 1)."""


AGAIN = (2.0, 5.0)
"""The same after one that failed: what it should have found is missed until the next."""


async def reconcile(snapshots: Snapshots, inbox: Inbox, rng: random.Random) -> None:
    """Put snapshots into the ordered stream, whatever the WebSocket does: now and then, or when one is wanted."""
    interval = INTERVAL
    while True:
        with trio.move_on_after(rng.uniform(*interval)):
            await snapshots.wanted.wait()
        snapshots.wanted = trio.Event()
        try:
            inbox(await snapshots.take())
            interval = INTERVAL
        except RequestError as failure:
            interval = AGAIN
            logger.warning("[ORDER] Paradex account not compared: {}", failure)
