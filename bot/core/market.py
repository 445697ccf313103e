"""What a market allows (protocol reference 3.6)."""

import attrs

from bot.core.errors import InvalidOrderError
from bot.core.fixed import multiply, render


@attrs.frozen(kw_only=True)
class Market:
    """The rules of one market. Prices, sizes and money in units of 10⁻⁸; ``min_notional`` in USD.

    Raises ValueError for a tick or a step that nothing can be a multiple of.
    """

    symbol: str
    price_tick: int = attrs.field(validator=attrs.validators.gt(0))
    size_step: int = attrs.field(validator=attrs.validators.gt(0))
    min_notional: int
    max_order_size: int

    def check(self, *, size: int, price: int) -> None:
        """See that the market would take an order of this size at this price (0 for a market order).

        Raises:
            InvalidOrderError: naming the rule, what was asked and the nearest value that is allowed.
        """
        if size <= 0:
            raise InvalidOrderError(f"{self.symbol}: size {render(size)} is not above 0")
        if price < 0:
            raise InvalidOrderError(f"{self.symbol}: price {render(price)} is below 0")
        _check_multiple(self.symbol, "size", size, "step", self.size_step)
        _check_multiple(self.symbol, "price", price, "tick", self.price_tick)
        if size > self.max_order_size:
            raise InvalidOrderError(
                f"{self.symbol}: size {render(size)} is above the largest order, {render(self.max_order_size)}"
            )
        notional = multiply(size, price)
        if price and notional < self.min_notional:
            raise InvalidOrderError(
                f"{self.symbol}: size {render(size)} at {render(price)} is worth {render(notional)} USD, "
                f"below the smallest order, {render(self.min_notional)} USD"
            )


def _check_multiple(symbol: str, what: str, value: int, unit: str, step: int) -> None:
    if value % step:
        below = value - value % step
        near = (
            f"nearest are {render(below)} and {render(below + step)}"
            if below
            else f"the smallest is {render(step)}"
        )
        raise InvalidOrderError(
            f"{symbol}: {what} {render(value)} is no multiple of the {unit} {render(step)}; {near}"
        )
