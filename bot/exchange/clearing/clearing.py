"""Positions and money of every account."""

from collections import defaultdict

import attrs


@attrs.define
class Position:
    """What an account holds of a market; ``size`` is negative when short."""

    size: int = 0


@attrs.frozen
class Leg:
    """One side of a match: who got how much (negative when sold) of what, at what price, as maker or taker.

    ``retail`` is whether the order was an interactive one, which decides its fees.
    """

    account: int
    market: str
    size: int
    price: int
    is_maker: bool
    retail: bool


@attrs.frozen
class Settled:
    """What one side of a match cost and earned, in 10⁻⁸ of the settlement asset; a positive fee is paid."""

    fee: int = 0
    realized_pnl: int = 0
    realized_funding: int = 0


class Clearing:
    """The money of every account; changed by matches, deposits and funding only."""

    def __init__(self) -> None:
        self._positions: defaultdict[tuple[int, str], Position] = defaultdict(Position)

    def position(self, account: int, market: str) -> Position:
        return self._positions[account, market]

    def settle(self, leg: Leg) -> Settled:
        """Book one side of a match, and say what it came to."""
        self._positions[leg.account, leg.market].size += leg.size
        return Settled()
