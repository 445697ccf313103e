"""The record of orders: every live one, and the newest of those that are closed."""

from collections import defaultdict, deque
from collections.abc import Iterable, Iterator

from bot.exchange.matching.orders import Order
from bot.exchange.matching.rows import Rows


class OrderLedger:
    """Live orders, the ``kept`` last closed ones, and the ways to find one. ``accepted`` counts all there ever were.

    Each look-up costs the same however many orders there are.
    """

    def __init__(self, kept: int) -> None:
        self.kept = kept
        self.accepted = 0
        self.by_id: dict[str, Order] = {}
        self._history: defaultdict[int, Rows[Order]] = defaultdict(Rows)
        self._numbers: dict[str, int] = {}
        self._live: defaultdict[int, dict[str, Order]] = defaultdict(dict)
        self._live_in: defaultdict[tuple[int, str], dict[str, Order]] = defaultdict(dict)
        self._reduce_only: defaultdict[tuple[int, str], int] = defaultdict(int)
        self._by_client_id: dict[tuple[int, str], Order] = {}
        self._closed: deque[Order] = deque()

    def add(self, order: Order) -> None:
        """Record an accepted order."""
        self.accepted += 1
        self.by_id[order.id] = order
        self._numbers[order.id] = self._history[order.account].add(order)
        self._live[order.account][order.id] = order
        self._live_in[order.account, order.market][order.id] = order
        self._reduce_only[order.account, order.market] += order.is_reduce_only
        if order.client_id:
            self._by_client_id[order.account, order.client_id] = order

    def retire(self, order: Order) -> Order | None:
        """Note that a live order is CLOSED; the order that is forgotten for it, if any."""
        self._leave(order)
        self._closed.append(order)
        if len(self._closed) <= self.kept:
            return None
        oldest = self._closed.popleft()
        self._forget(oldest)
        return oldest

    def erase(self, order: Order) -> None:
        """Forget a live order, as if it had never been accepted."""
        self._leave(order)
        self._forget(order)

    def _leave(self, order: Order) -> None:
        del self._live[order.account][order.id]
        del self._live_in[order.account, order.market][order.id]
        self._reduce_only[order.account, order.market] -= order.is_reduce_only

    def _forget(self, order: Order) -> None:
        del self.by_id[order.id]
        self._history[order.account].forget(self._numbers.pop(order.id))
        key = (order.account, order.client_id)
        if self._by_client_id.get(key) is order:
            del self._by_client_id[key]

    def history(self, account: int) -> Rows[Order]:
        """An account's orders, oldest first. Not to be changed by the caller."""
        return self._history[account]

    def live(self, account: int, market: str | None = None) -> list[Order]:
        """An account's orders that are not CLOSED, oldest first."""
        if market is None:
            return list(self._live[account].values())
        return list(self._live_in[account, market].values())

    def live_in(self, account: int, market: str) -> Iterable[Order]:
        """The same of one market, not to be kept: the ledger's own view."""
        return self._live_in[account, market].values()

    def has_reduce_only(self, account: int, market: str) -> bool:
        """Whether any of them is reduce-only."""
        return (account, market) in self._reduce_only and self._reduce_only[account, market] > 0

    def count(self, account: int, market: str) -> int:
        """How many orders of an account are not CLOSED in a market."""
        return len(self._live_in[account, market])

    def find(self, account: int, order_id: str) -> Order | None:
        """An account's order by id, in any status."""
        order = self.by_id.get(order_id)
        return order if order is not None and order.account == account else None

    def find_client_id(self, account: int, client_id: str) -> Order | None:
        """The last order of the account that used this client id."""
        return self._by_client_id.get((account, client_id))

    def __iter__(self) -> Iterator[Order]:
        return iter(self.by_id.values())
