"""One side of a match, as clearing is told of it, and what it came to."""

import attrs


@attrs.frozen
class Leg:
    """Who got how much (negative when sold) of what, at what price, as maker or taker.

    ``retail`` is whether the order was an interactive one, ``fast`` whether it was a Pro order that took from a
    passive retail one: both decide its fees. ``fill_id`` is empty for synthetic participants, who get no fills.
    """

    account: int
    market: str
    size: int
    price: int
    is_maker: bool
    retail: bool
    fast: bool = False
    fill_id: str = ""


@attrs.frozen
class Settled:
    """What it cost and earned, in 10⁻⁸ of the settlement asset; a positive fee is paid."""

    fee: int = 0
    realized_pnl: int = 0
    realized_funding: int = 0
