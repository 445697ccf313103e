"""Fills, each counted once, and what they come to: positions and fees."""

from collections.abc import Mapping

from bot.core.fill import Fill
from bot.core.order import Order, Side

REMEMBERED = 100_000
"""Fills that are known when they are told of again."""


class Holdings:
    """Positions per market, signed, and fees per currency, in units of 10⁻⁸."""

    def __init__(self) -> None:
        self.positions: dict[str, int] = {}
        self.fees: dict[str, int] = {}
        self.prices: dict[str, int] = {}
        """The last price of a fill, by market."""

        self._counted: dict[tuple[str, str], None] = {}
        self._of_order: dict[str, int] = {}

    def count(self, fill: Fill, order: Order | None, *, is_held_already: bool = False) -> bool:
        """Take a fill in; False for one that was taken in before, which changes nothing.

        ``order`` is the one that it belongs to, if that is ours: a fill's side has been seen to mean the taker's, and
        ours is known. ``is_held_already`` for a fill that the position contains, which was read after it.
        """
        if fill.key in self._counted:
            return False
        self._counted[fill.key] = None
        while len(self._counted) > REMEMBERED:
            del self._counted[next(iter(self._counted))]
        self.prices[fill.market] = fill.price
        if order is not None:
            self._of_order[order.client_id] = self.filled(order.client_id) + fill.size
        if not is_held_already:
            side = fill.side if order is None else order.side
            signed = fill.size if side is Side.BUY else -fill.size
            self.positions[fill.market] = self.position(fill.market) + signed
            self.fees[fill.fee_currency] = self.fees.get(fill.fee_currency, 0) + fill.fee
        return True

    def filled(self, client_id: str) -> int:
        """What the fills of an order come to."""
        return self._of_order.get(client_id, 0)

    def forget(self, client_id: str) -> None:
        """The order is over, and nobody asks for its fills any more."""
        self._of_order.pop(client_id, None)

    def position(self, market: str) -> int:
        return self.positions.get(market, 0)

    def others_than(self, reported: Mapping[str, int]) -> dict[str, int]:
        """Of ``reported`` positions, which are all that there are, those that differ from these."""
        return {
            market: reported.get(market, 0)
            for market in dict.fromkeys((*self.positions, *reported))
            if self.position(market) != reported.get(market, 0)
        }
