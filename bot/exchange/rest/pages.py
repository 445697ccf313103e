"""Paginated order history with signed cursors (protocol reference 3.1)."""

import base64
import hashlib
import hmac

import attrs
import msgspec

from bot.exchange.errors import VenueError
from bot.exchange.limits import DEFAULT_PAGE, LARGEST_PAGE
from bot.exchange.matching.entry import CONDITIONAL_TYPES, PLAIN_TYPES, SIDES
from bot.exchange.matching.orders import CLOSED, NEW, OPEN, Order

_STATUSES = frozenset({NEW, OPEN, CLOSED})
_TAG_BYTES = 16


class Filter(msgspec.Struct, frozen=True):
    """What to list. Times in ms, both ends included; empty text means any."""

    client_id: str = ""
    market: str = ""
    side: str = ""
    status: str = ""
    type: str = ""
    start_at: int = 0
    end_at: int = 2**63
    page_size: int = DEFAULT_PAGE

    def admits(self, order: Order) -> bool:
        return (
            self.client_id in {"", order.client_id}
            and self.market in {"", order.market}
            and self.side in {"", order.side}
            and self.status in {"", order.status}
            and self.type in {"", order.type}
            and self.start_at <= order.created_at_ms <= self.end_at
        )


class _Cursor(msgspec.Struct, array_like=True):
    """Where a page begins: an index into the account's orders by age, and which way to go from it."""

    account: int
    index: int
    newer: bool
    filter: Filter


_CURSOR = msgspec.json.Decoder(_Cursor)


@attrs.frozen
class Page:
    """Orders, newest first, and the cursors of the older (``next``) and newer (``prev``) page."""

    orders: list[Order]
    next: str | None
    prev: str | None


def read_filter(query: dict[str, str]) -> Filter:
    """The filter that query parameters ask for.

    Raises:
        VenueError: INVALID_REQUEST_PARAMETER.
    """
    _one_of(query, "side", SIDES)
    _one_of(query, "status", _STATUSES)
    _one_of(query, "type", PLAIN_TYPES | CONDITIONAL_TYPES)
    return Filter(
        client_id=query.get("client_id", ""),
        market=query.get("market", ""),
        side=query.get("side", ""),
        status=query.get("status", ""),
        type=query.get("type", ""),
        start_at=_number(query, "start_at", 0, 0, 2**63),
        end_at=_number(query, "end_at", 2**63, 0, 2**63),
        page_size=_number(query, "page_size", DEFAULT_PAGE, 1, LARGEST_PAGE),
    )


class Pager:
    """Cuts histories into pages. Cursors carry their filter, and are signed with the pager's secret."""

    def __init__(self, secret: bytes) -> None:
        self._secret = secret

    def page(self, account: int, orders: list[Order], query: dict[str, str]) -> Page:
        """One page of an account's orders, which are given oldest first.

        A cursor brings its own filter; of the query only ``page_size`` counts beside one.

        Raises:
            VenueError: INVALID_REQUEST_PARAMETER: a parameter or the cursor is malformed, or the cursor was not
                signed for this account.
        """
        wanted = read_filter(query)
        index, newer = len(orders) - 1, False
        if query.get("cursor"):
            cursor = self._open(query["cursor"], account)
            index, newer = cursor.index, cursor.newer
            size = wanted.page_size if "page_size" in query else cursor.filter.page_size
            wanted = msgspec.structs.replace(cursor.filter, page_size=size)
        direction = range(index, len(orders)) if newer else range(index, -1, -1)
        found: list[int] = []
        for position in direction:
            if wanted.admits(orders[position]):
                found.append(position)
                if len(found) == wanted.page_size:
                    break
        if newer:
            found.reverse()
        top, bottom = (found[0], found[-1]) if found else (index, index + 1)
        older = any(wanted.admits(orders[i]) for i in range(bottom - 1, -1, -1))
        fresher = any(wanted.admits(orders[i]) for i in range(top + 1, len(orders)))
        return Page(
            orders=[orders[i] for i in found],
            next=self._seal(_Cursor(account, bottom - 1, False, wanted)) if older else None,
            prev=self._seal(_Cursor(account, top + 1, True, wanted)) if fresher else None,
        )

    def _tag(self, payload: bytes) -> bytes:
        return hmac.digest(self._secret, payload, hashlib.sha256)[:_TAG_BYTES]

    def _seal(self, cursor: _Cursor) -> str:
        # The account is a felt, more than JSON numbers of msgspec hold: it goes into the tag instead.
        payload = msgspec.json.encode((0, cursor.index, cursor.newer, cursor.filter))
        tag = self._tag(cursor.account.to_bytes(32) + payload)
        return base64.urlsafe_b64encode(tag + payload).decode()

    def _open(self, text: str, account: int) -> _Cursor:
        try:
            data = base64.b64decode(text.encode("ascii"), b"-_", validate=True)
        except ValueError as error:
            raise _bad("cursor") from error
        tag, payload = data[:_TAG_BYTES], data[_TAG_BYTES:]
        if not hmac.compare_digest(tag, self._tag(account.to_bytes(32) + payload)):
            raise _bad("cursor")
        return _CURSOR.decode(payload)


def _bad(name: str) -> VenueError:
    return VenueError("INVALID_REQUEST_PARAMETER", f"{name} is not valid")


def _one_of(query: dict[str, str], name: str, allowed: frozenset[str]) -> None:
    if query.get(name) and query[name] not in allowed:
        raise _bad(name)


def _number(query: dict[str, str], name: str, default: int, least: int, most: int) -> int:
    text = query.get(name, "")
    if not text:
        return default
    if not (text.isascii() and text.isdigit() and len(text) < 20) or not least <= int(text) <= most:
        raise _bad(name)
    return int(text)
