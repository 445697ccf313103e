"""An order as the exchange sees it, its states as a table, and the record of all orders ever accepted."""

from collections import defaultdict
from collections.abc import Iterator

import attrs

from bot.core.fixed import SCALE

NEW = "NEW"
OPEN = "OPEN"
CLOSED = "CLOSED"

TRANSITIONS = {NEW: {OPEN, CLOSED}, OPEN: {OPEN, CLOSED}, CLOSED: set[str]()}
"""From each status, what an update may lead to (protocol reference 3.5). Anything else is a fault of ours."""

HOUSE = 0
"""The account of the house quote. No contract has address 0."""


class IllegalTransition(Exception):  # noqa: N818 - named for what happened
    """An update that the table does not list. The order is unchanged."""


@attrs.define(eq=False)
class Order:
    """One order. Prices and sizes in 10⁻⁸, ``*_ms`` in ms since the epoch, ``account`` a felt.

    ``price`` is 0 for MARKET. ``filled_value`` is the sum of price x size of its fills, in 10⁻¹⁶.
    """

    id: str
    account: int
    client_id: str
    market: str
    side: str
    type: str
    instruction: str
    price: int
    size: int
    stp: str
    flags: tuple[str, ...]
    signed_at_ms: int
    received_at_ms: int
    created_at_ms: int
    updated_at_ms: int
    remaining: int
    seq_no: int = 0
    status: str = NEW
    cancel_reason: str = ""
    filled_value: int = 0

    @property
    def is_buy(self) -> bool:
        return self.side == "BUY"

    @property
    def filled(self) -> int:
        return self.size - self.remaining

    @property
    def average_price(self) -> int:
        """Of its fills, in 10⁻⁸, rounded down; 0 when unfilled."""
        return self.filled_value // self.filled if self.filled else 0

    @property
    def is_live(self) -> bool:
        return self.status != CLOSED

    def move(self, status: str, reason: str = "") -> None:
        """Enter a status.

        Raises:
            IllegalTransition: the table does not list it.
        """
        if status not in TRANSITIONS[self.status]:
            raise IllegalTransition(f"{self.id}: {self.status} to {status}")
        self.status = status
        self.cancel_reason = reason

    def fill(self, price: int, size: int) -> None:
        """Take a part of the remaining size at a price. Status is not this method's business."""
        if not 0 < size <= self.remaining:
            raise ValueError(f"{self.id}: cannot fill {size} of {self.remaining}")
        self.remaining -= size
        self.filled_value += price * size


@attrs.frozen
class Fill:
    """What one account got out of a match. Prices, sizes and money in 10⁻⁸; a positive fee is paid."""

    id: str
    trade_id: str
    order_id: str
    client_id: str
    account: int
    market: str
    side: str
    liquidity: str
    price: int
    size: int
    remaining: int
    fee: int
    realized_pnl: int
    realized_funding: int
    underlying_price: int
    created_at_ms: int
    book_seq: int

    @property
    def value(self) -> int:
        """Price x size in 10⁻⁸, truncated."""
        return self.price * self.size // SCALE


class OrderLedger:
    """Every order ever accepted, and the ways to find one. Grows with orders, by nothing else."""

    def __init__(self) -> None:
        self.by_id: dict[str, Order] = {}
        self._history: defaultdict[int, list[Order]] = defaultdict(list)
        self._live: defaultdict[int, dict[str, Order]] = defaultdict(dict)
        self._by_client_id: dict[tuple[int, str], Order] = {}

    def add(self, order: Order) -> None:
        """Record an accepted order."""
        self.by_id[order.id] = order
        self._history[order.account].append(order)
        self._live[order.account][order.id] = order
        if order.client_id:
            self._by_client_id[order.account, order.client_id] = order

    def retire(self, order: Order) -> None:
        """Note that an order is CLOSED."""
        self._live[order.account].pop(order.id, None)

    def history(self, account: int) -> list[Order]:
        """All of an account's orders, oldest first. Not to be changed by the caller."""
        return self._history[account]

    def live(self, account: int, market: str | None = None) -> list[Order]:
        """An account's orders that are not CLOSED, oldest first."""
        return [order for order in self._live[account].values() if market in {None, order.market}]

    def find(self, account: int, order_id: str) -> Order | None:
        """An account's order by id, in any status."""
        order = self.by_id.get(order_id)
        return order if order is not None and order.account == account else None

    def find_client_id(self, account: int, client_id: str) -> Order | None:
        """The one order of the account that ever used this client id."""
        return self._by_client_id.get((account, client_id))

    def __iter__(self) -> Iterator[Order]:
        return iter(self.by_id.values())
