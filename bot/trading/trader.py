"""The capability to trade, as a strategy holds it."""

from typing import Protocol

from bot.core.capability import Capability
from bot.core.errors import RevokedError
from bot.core.market import Market
from bot.core.order import Instruction, Order, OrderType, Side


class Desk(Protocol):
    """Who does what a `Trader` asks for: the order manager."""

    def place(
        self,
        market: str,
        side: Side,
        order_type: OrderType,
        instruction: Instruction,
        *,
        size: int,
        price: int,
    ) -> str: ...

    def cancel(self, client_id: str) -> None: ...

    def ask_quote(self, market: str) -> None: ...

    def set_timer(self, seconds: float) -> int: ...

    def market(self, symbol: str) -> Market: ...

    def order(self, client_id: str) -> Order: ...


class Trader(metaclass=Capability):
    """Place, cancel, ask, wake: plain functions, whose outcomes come back as events.

    It can be revoked, and is when the bot stops: from then on every method raises `RevokedError`.
    """

    def __init__(self, desk: Desk) -> None:
        self._desk: Desk | None = desk

    def place(
        self,
        market: str,
        side: Side,
        *,
        size: int,
        price: int,
        order_type: OrderType = OrderType.LIMIT,
        instruction: Instruction = Instruction.GTC,
    ) -> str:
        """Send an order, size and price in units of 10⁻⁸ (price 0 for a market order). Returns its client id.

        Raises:
            InvalidOrderError: the market's rules forbid it; nothing was signed or sent.
            SessionGoneError: there is no session.
        """
        return self._open_desk().place(market, side, order_type, instruction, size=size, price=price)

    def cancel(self, client_id: str) -> None:
        """Have an order cancelled, whatever its state. Asked twice, or too late, it changes nothing.

        Raises:
            KeyError: no order of this run has this client id.
        """
        self._open_desk().cancel(client_id)

    def ask_quote(self, market: str) -> None:
        """Ask for the best bid and offer: a `Quote` or `QuoteFailed` follows."""
        self._open_desk().ask_quote(market)

    def set_timer(self, seconds: float) -> int:
        """Ask for a `TimerElapsed` with the number that is returned."""
        return self._open_desk().set_timer(seconds)

    def market(self, symbol: str) -> Market:
        """The rules of a market that the settings name. Raises KeyError for others."""
        return self._open_desk().market(symbol)

    def order(self, client_id: str) -> Order:
        """An order as it is now. Raises KeyError as `cancel`."""
        return self._open_desk().order(client_id)

    def revoke(self) -> None:
        """Take the authority back, for good."""
        self._desk = None

    def _open_desk(self) -> Desk:
        if self._desk is None:
            raise RevokedError("this Trader was revoked: the bot is stopping")
        return self._desk


def open_trader(desk: Desk) -> Trader:
    return Trader._mint(desk)  # noqa: SLF001 - the minting module
