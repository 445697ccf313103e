"""Every open order of an account cancelled, whoever placed it: for a person, not for a bot that trades."""

from collections.abc import Awaitable, Callable, Mapping

import attrs
import trio
from loguru import logger

from bot.core.errors import RequestError, failure_of, or_failure
from bot.paradex import orders
from bot.paradex.answers import OrderReport
from bot.session.capabilities import AuthedRest

DEADLINE = 10.0
"""Seconds for cancelling and looking."""

LOOK_EVERY = 0.5
QUIET = 1.0
"""Seconds. None open, twice, this long apart, is what counts: an order may have been on its way."""

HISTORY_DEADLINE = 5.0
"""Seconds for asking how the orders ended. They are gone whatever comes of it."""

PAGE_SIZE = 1000


@attrs.frozen(kw_only=True)
class Clearance:
    """What became of the open orders of an account."""

    gone: tuple[OrderReport, ...]
    """Were open, and are no longer: as the history has them, or if that said nothing as they were last seen."""

    left: tuple[OrderReport, ...]
    """Open when they were last seen."""

    is_clear: bool
    """No order is open. If it is False although none is left, nobody could tell, or new ones keep coming."""


async def clear(authed: AuthedRest, market: str | None, cancel: Callable[[], Awaitable[object]]) -> Clearance:
    """Cancel every open order, in ``market`` or in all, until none is open or the time is up.

    ``cancel`` asks for that; its answer means no more than that the cancels are queued: the next list tells.
    """
    seen: dict[str, OrderReport] = {}
    left: dict[str, OrderReport] = {}
    quiet_since: float | None = None
    is_clear = False
    with trio.move_on_after(DEADLINE):
        while not is_clear:
            asked_at = trio.current_time()
            listed = await or_failure(authed.call(orders.list_open(market)))
            if isinstance(listed, RequestError):
                logger.warning("[CANCEL] Paradex open orders not listed: {}", listed)
            else:
                left = {report.id: report for report in listed.value.results}
                seen |= left
                quiet_since = None if left else asked_at if quiet_since is None else quiet_since
                is_clear = quiet_since is not None and asked_at >= quiet_since + QUIET
            if not is_clear:
                failure = await failure_of(cancel())
                if failure is not None:
                    logger.warning("[CANCEL] Paradex orders not cancelled: {}", failure)
                await trio.sleep(LOOK_EVERY)
    ended = {id_: report for id_, report in seen.items() if id_ not in left}
    if ended:
        ended |= await _closed(authed, market, ended)
    return Clearance(gone=tuple(ended.values()), left=tuple(left.values()), is_clear=is_clear)


async def _closed(
    authed: AuthedRest, market: str | None, ended: Mapping[str, OrderReport]
) -> dict[str, OrderReport]:
    """Those of ``ended`` that the history has, as they are there."""
    times = [report.created_at for report in ended.values() if report.created_at is not None]
    start_at = min(times) if len(times) == len(ended) else None
    found: dict[str, OrderReport] = {}
    cursor: str | None = None
    with trio.move_on_after(HISTORY_DEADLINE):
        while len(found) < len(ended):
            page = await or_failure(
                authed.call(
                    orders.history(market=market, start_at=start_at, page_size=PAGE_SIZE, cursor=cursor)
                )
            )
            if isinstance(page, RequestError):
                logger.warning("[CANCEL] Paradex history not read: {}", page)
                break
            found |= {report.id: report for report in page.value.results if report.id in ended}
            cursor = page.value.next
            if not cursor:
                break
    return found
