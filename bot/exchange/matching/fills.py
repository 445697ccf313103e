"""What accounts got out of matches, and the store that keeps the newest of it."""

from collections import OrderedDict, defaultdict
from collections.abc import Iterator

import attrs

from bot.core.fixed import SCALE
from bot.exchange.matching.orders import is_synthetic
from bot.exchange.matching.rows import Rows

MAKER = "MAKER"
TAKER = "TAKER"


@attrs.frozen
class Fill:
    """What one account got out of a match. Prices, sizes and money in 10⁻⁸; a positive fee is paid.

    ``side`` is the account's own. ``flags`` are the venue's: ``interactive``, ``fastfill`` (3.4).
    """

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
    flags: tuple[str, ...] = ()
    fill_type: str = "FILL"

    @property
    def value(self) -> int:
        """Price x size in 10⁻⁸, truncated."""
        return self.price * self.size // SCALE

    @property
    def signed_size(self) -> int:
        """The size, negative when sold."""
        return self.size if self.side == "BUY" else -self.size


class FillUnknown(Exception):  # noqa: N818 - named for what happened
    """No fill of this id is kept, or its trade was busted before."""


@attrs.define
class _Kept:
    number: int
    fill: Fill
    counterpart: Fill
    busted: bool = False


class Fills:
    """The newest ``kept`` fills of all accounts together. Synthetic participants' own are not among them."""

    def __init__(self, kept: int) -> None:
        self._most = kept
        self._by_id: OrderedDict[str, _Kept] = OrderedDict()
        self._by_order: defaultdict[str, dict[str, None]] = defaultdict(dict)
        self._by_account: defaultdict[int, Rows[Fill]] = defaultdict(Rows)

    def record(self, maker: Fill, taker: Fill) -> None:
        """Keep both sides of a trade."""
        for fill, counterpart in ((maker, taker), (taker, maker)):
            if is_synthetic(fill.account):
                continue
            number = self._by_account[fill.account].add(fill)
            self._by_id[fill.id] = _Kept(number, fill, counterpart)
            self._by_order[fill.order_id][fill.id] = None
            if len(self._by_id) > self._most:
                self._forget(next(iter(self._by_id)))

    def of(self, account: int) -> Rows[Fill]:
        """An account's fills, oldest first. Not to be changed by the caller."""
        return self._by_account[account]

    def bust(self, fill_id: str) -> tuple[Fill, Fill]:
        """Mark a trade as busted; the fill of this id, and its counterpart.

        Raises:
            FillUnknown: no such fill is kept, or the trade was busted before.
        """
        kept = self._by_id.get(fill_id)
        if kept is None or kept.busted:
            raise FillUnknown(fill_id[:80])
        kept.busted = True
        other = self._by_id.get(kept.counterpart.id)
        if other is not None:
            other.busted = True
        return kept.fill, kept.counterpart

    def forget_order(self, order_id: str) -> None:
        """Forget the fills of an order."""
        for fill_id in list(self._by_order.get(order_id, ())):
            self._forget(fill_id)

    def _forget(self, fill_id: str) -> None:
        kept = self._by_id.pop(fill_id)
        self._by_account[kept.fill.account].forget(kept.number)
        of_order = self._by_order[kept.fill.order_id]
        del of_order[fill_id]
        if not of_order:
            del self._by_order[kept.fill.order_id]

    def __iter__(self) -> Iterator[Fill]:
        """All kept fills, oldest first."""
        return (kept.fill for kept in self._by_id.values())

    def __len__(self) -> int:
        return len(self._by_id)
