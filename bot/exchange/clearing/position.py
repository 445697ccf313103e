"""One account's position in one market, and the exact arithmetic of trading it."""

import attrs


@attrs.define(eq=False)
class Position:
    """What an account holds of a market; ``size`` is negative when short, and 0 when closed.

    Sizes, prices, money and the funding index in 10⁻⁸; ``cost`` and ``exit_value`` in 10⁻¹⁶ (price x size, with the
    sign of the size), so that nothing is lost. ``*_ms`` in ms since the epoch, 0 for never. ``realized_pnl``
    includes ``realized_funding``, both since the position was opened: closing and flipping reset them (openapi,
    PositionResp).
    """

    account: int
    market: str
    size: int = 0
    cost: int = 0
    funding_index: int = 0
    realized_pnl: int = 0
    realized_funding: int = 0
    exit_size: int = 0
    exit_value: int = 0
    opened_at_ms: int = 0
    updated_at_ms: int = 0
    closed_at_ms: int = 0
    last_fill_id: str = ""

    @property
    def average_entry_price(self) -> int:
        """In 10⁻⁸, rounded down; 0 when closed."""
        return self.cost // self.size if self.size else 0

    @property
    def average_exit_price(self) -> int:
        """Of what was closed since the position was opened, in 10⁻⁸, rounded down; 0 when nothing was."""
        return self.exit_value // self.exit_size if self.exit_size else 0

    def funding_due(self, index: int) -> int:
        """What the position has earned (or, negative, owes) since its own index, in 10⁻¹⁶: longs pay a rise."""
        return -self.size * (index - self.funding_index)

    def value(self, price: int) -> int:
        """Its unrealised profit at a price, funding apart, in 10⁻¹⁶."""
        return self.size * price - self.cost

    def trade(self, size: int, price: int, now_ms: int) -> int:
        """Add a signed size at a price, and return the exact profit that closing realised, in 10⁻¹⁶.

        The profit plus what remains of the cost is always what was paid: ``cost`` moves by
        ``size x price + profit``, to the last unit. What is closed first takes its share of the cost, rounded down.
        """
        old = self.size
        if not old:
            self._open(size, price, now_ms)
            return 0
        if (old > 0) == (size > 0):
            self.size = old + size
            self.cost += size * price
            return 0
        if abs(size) < abs(old):
            released = self.cost * -size // old
            self.size = old + size
            self.cost -= released
            self.exit_size -= size
            self.exit_value -= size * price
            return -size * price - released
        # Closed whole, and perhaps opened anew on the other side.
        profit = old * price - self.cost
        if size == -old:
            self.size = self.cost = self.realized_pnl = self.realized_funding = 0
            self.exit_size += old
            self.exit_value += old * price
            self.closed_at_ms = now_ms
        else:
            self._open(old + size, price, now_ms)
        return profit

    def _open(self, size: int, price: int, now_ms: int) -> None:
        self.size = size
        self.cost = size * price
        self.realized_pnl = self.realized_funding = self.exit_size = self.exit_value = self.closed_at_ms = 0
        self.opened_at_ms = now_ms
