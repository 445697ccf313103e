"""Asks the venue for all that it has of the account: what was missed on the way is found by comparing."""

from collections.abc import Callable
from typing import TypeVar

import attrs
import trio
from loguru import logger

from bot.core.clock import Clock
from bot.link.clock import VenueClock
from bot.paradex import account, orders
from bot.paradex.answers import FillPage, OrderPage
from bot.paradex.request import Request
from bot.session.capabilities import AuthedRest
from bot.session.inbox import Snapshot

OVERLAP_MS = 10_000
"""How far one snapshot reaches back behind the beginning of the one before: for how late the venue's lists may be,
and how wrong its clock or our idea of it."""

PAGE_SIZE = 100
"""Orders or fills. To write a page down and to read it takes a millisecond, in which nothing else happens; one of the
1000 that the venue allows would take ten."""

MOST_PAGES = 1000
"""More has not happened between two snapshots; a cursor that leads in a circle must not be followed for ever."""

Page = TypeVar("Page", OrderPage, FillPage)


@attrs.define(eq=False)
class Snapshots:
    """Takes them, each from where the one before began."""

    _authed: AuthedRest
    _clock: Clock
    _venue_clock: VenueClock
    _since_ms: int
    """Up to here everything is known: venue time, unix ms."""

    wanted: trio.Event = attrs.field(factory=trio.Event)
    """Set it to have one taken soon."""

    async def take(self) -> Snapshot:
        """Raises what `AuthedRest.call` does."""
        requested_ns, requested_ms = self._clock.monotonic_ns(), self._venue_clock.now_ms()
        since_ms = self._since_ms - OVERLAP_MS
        open_orders = await self._authed.call(orders.list_open())
        history, history_numbers = await all_pages(
            self._authed, lambda cursor: orders_since(since_ms, cursor)
        )
        fills, fill_numbers = await all_pages(
            self._authed, lambda cursor: account.fills(start_at=since_ms, page_size=PAGE_SIZE, cursor=cursor)
        )
        positions = await self._authed.call(account.positions())
        self._since_ms = max(self._since_ms, requested_ms)
        return Snapshot(
            requested_ns=requested_ns,
            open_orders=tuple(open_orders.value.results),
            history=tuple(report for page in history for report in page.results),
            fills=tuple(report for page in fills for report in page.results),
            positions=tuple(positions.value.results),
            exchanges=((open_orders.exchange,), history_numbers, fill_numbers, (positions.exchange,)),
        )


async def all_pages(
    authed: AuthedRest, request: Callable[[str | None], Request[Page]]
) -> tuple[list[Page], tuple[int, ...]]:
    """All pages, and the numbers of the answers that brought them. Raises what `AuthedRest.call` does."""
    pages: list[Page] = []
    numbers: list[int] = []
    cursor: str | None = None
    while len(pages) < MOST_PAGES:
        answer = await authed.call(request(cursor))
        pages.append(answer.value)
        numbers.append(answer.exchange)
        cursor = answer.value.next
        if not cursor:
            break
    else:
        logger.warning("[ORDER] Paradex more than {} pages of orders or fills", MOST_PAGES)
    return pages, tuple(numbers)


def orders_since(since_ms: int, cursor: str | None, *, cause: int = 0) -> Request[OrderPage]:
    """A page of the orders that came since then, venue time in unix ms."""
    return orders.history(start_at=since_ms, page_size=PAGE_SIZE, cursor=cursor, cause=cause)
