"""The venue's rate limits: which of them a request counts against, and what an answer says of them.

Protocol reference 3.8, and 10.9 for the units. One bot has one account and one address: each limit is counted once.
"""

import enum
from collections.abc import Mapping
from email.utils import parsedate_to_datetime

import attrs

from bot.core.budget import Limit


def _limit(name: str, requests: int, window_s: int, *, kept_for_cancels: bool = False) -> Limit:
    # A tenth is 150 of the tightest limit that cancels share. A stop cancels what rests, and that is at most 100
    # orders in a market (3.5); beyond that a tenth of a limit's rate is nothing that anybody misses.
    return Limit(name, requests, window_s, requests // 10 if kept_for_cancels else 0)


ORDERS_A_SECOND = _limit("800 orders a second", 800, 1, kept_for_cancels=True)
ORDERS_A_MINUTE = _limit("17250 orders a minute", 17_250, 60, kept_for_cancels=True)
READS_A_SECOND = _limit("120 private reads a second", 120, 1)
READS_A_MINUTE = _limit("600 private reads a minute", 600, 60)
PRIVATE_A_MINUTE = _limit("1500 private requests a minute", 1500, 60, kept_for_cancels=True)
PUBLIC_A_MINUTE = _limit("1500 public requests a minute", 1500, 60)
AUTHS_A_MINUTE = _limit("600 logins a minute", 600, 60)
ONBOARDINGS_A_MINUTE = _limit("600 onboardings a minute", 600, 60)

ORDER = (ORDERS_A_SECOND, ORDERS_A_MINUTE, PRIVATE_A_MINUTE)
CALL = (ORDERS_A_SECOND, ORDERS_A_MINUTE)
READ = (READS_A_SECOND, READS_A_MINUTE, PRIVATE_A_MINUTE)

CANCELS = frozenset({"order.cancel", "order.cancel_batch", "order.cancel_all"})
"""The calls that may spend the reserve (protocol reference 5.2)."""

_LOGINS = {"auth": (AUTHS_A_MINUTE,), "onboarding": (ONBOARDINGS_A_MINUTE,)}
_PUBLIC = frozenset({"system", "markets", "bbo"})

LONGEST_CLOSED_S = 60.0
"""A limit is whole again after its window, a minute at most, so one try a minute is no nuisance. A larger
``Retry-After`` is not believed beyond that: it would keep cancels back, too."""

CLOSED_S = 1.0
"""After a 429 that does not say for how long."""


class Turn(enum.Enum):
    """What becomes of a request that a limit has no room for."""

    NOW_OR_NEVER = enum.auto()
    """It is not sent. An order that waits is stale."""

    FIRST = enum.auto()
    """It may spend the reserve, and waits only where even that is empty: a cancel."""

    IN_TURN = enum.auto()
    """It waits."""


def limits_of(method: str, path: str) -> tuple[Limit, ...]:
    """The limits that a request counts against, by its path below ``/v1``; a batch of orders counts once.

    What is not known here counts as private: those limits are the tighter ones. A call over the WebSocket has no
    path. It shares the orders' limits; that of private requests is one of REST's (protocol reference 3.8).
    """
    if not path:
        return CALL
    root = _root(path)
    if root in _PUBLIC:
        return (PUBLIC_A_MINUTE,)
    if root in _LOGINS:
        return _LOGINS[root]
    if method == "GET":
        return READ
    return ORDER if root == "orders" else (PRIVATE_A_MINUTE,)


def turn_of(method: str, path: str) -> Turn:
    """How a request, or a call without a path, waits for room."""
    if not path:
        return Turn.FIRST if method in CANCELS else Turn.NOW_OR_NEVER
    if method == "GET" or _root(path) != "orders":
        return Turn.IN_TURN
    return Turn.FIRST if method == "DELETE" else Turn.NOW_OR_NEVER


def _root(path: str) -> str:
    end = 1
    while end < len(path) and path[end] not in "/?":
        end += 1
    return path[1:end]


@attrs.frozen
class Standing:
    """What the headers of an answer say: how many requests a limit had left when this one was counted."""

    requests: int
    window_s: int
    remaining: int

    def is_of(self, limit: Limit) -> bool:
        return (self.requests, self.window_s) == (limit.requests, limit.window_s)


def read_standing(headers: Mapping[str, str]) -> Standing | None:
    """What an answer's headers say of a limit; None where they say nothing that makes sense.

    ``X-RateLimit-Reset``, when all of the limit will be there again, is not read: it follows from the others, and
    would need our clock to agree with the venue's.
    """
    found = [_whole(headers.get(f"x-ratelimit-{name}")) for name in ("limit", "window", "remaining")]
    match found:
        case [int(requests), int(window_s), int(remaining)]:
            return Standing(requests, window_s, remaining)
    return None


def closed_for(headers: Mapping[str, str], now_s: float) -> float:
    """For how many seconds a 429 closes a limit: ``Retry-After``, in seconds or as a date of HTTP (RFC 9110, 10.2.3).

    A date is measured by the answer's own ``Date`` where there is one, so that our clock does not matter; else
    ``now_s``, unix seconds, has to do.
    """
    text = headers.get("retry-after", "")
    after_s: float | None = _whole(text)
    if after_s is None and (date_s := _date(text)) is not None:
        after_s = date_s - (_date(headers.get("date", "")) or now_s)
    return CLOSED_S if after_s is None or after_s <= 0 else min(after_s, LONGEST_CLOSED_S)


def _whole(text: str | None) -> int | None:
    is_number = text is not None and text.isascii() and text.isdigit() and len(text) <= 9
    return int(text) if is_number and text is not None else None


def _date(text: str) -> float | None:
    try:
        return parsedate_to_datetime(text).timestamp()
    except (ValueError, OverflowError):
        return None
