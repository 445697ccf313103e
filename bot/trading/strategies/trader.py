"""The capability to trade, as a strategy holds it."""

from collections.abc import Sequence
from typing import Protocol

import attrs

from bot.core.capability import Capability
from bot.core.errors import RevokedError
from bot.core.market import Market
from bot.core.order import Instruction, Order, OrderType, Side


@attrs.frozen(kw_only=True)
class NewOrder:
    """An order to be placed: what `Trader.place` takes."""

    market: str
    side: Side
    size: int
    price: int
    order_type: OrderType = OrderType.LIMIT
    instruction: Instruction = Instruction.GTC


class Desk(Protocol):
    """Who does what a `Trader` asks for: the order manager."""

    def place(self, wanted: NewOrder) -> str: ...

    def place_batch(self, wanted: Sequence[NewOrder]) -> list[str]: ...

    def place_again(self, client_id: str) -> None: ...

    def prepare(self, wanted: NewOrder) -> str: ...

    def place_prepared(self, client_id: str) -> None: ...

    def discard(self, client_id: str) -> None: ...

    def modify(self, client_id: str, *, size: int | None, price: int | None) -> None: ...

    def cancel(self, client_id: str) -> None: ...

    def cancel_batch(self, client_ids: Sequence[str]) -> None: ...

    def cancel_all(self, market: str | None) -> None: ...

    def ask_quote(self, market: str) -> None: ...

    def set_timer(self, seconds: float) -> int: ...

    def market(self, symbol: str) -> Market: ...

    def order(self, client_id: str) -> Order: ...

    def position(self, market: str) -> int: ...


class Trader(metaclass=Capability):
    """Place, modify, cancel, ask, wake: plain functions, whose outcomes come back as events.

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
            TradingHaltedError: no order is taken now, or it would exceed a limit; `SessionGoneError` and
                `LimitExceededError` among them.
        """
        return self._open_desk().place(
            NewOrder(
                market=market,
                side=side,
                size=size,
                price=price,
                order_type=order_type,
                instruction=instruction,
            )
        )

    def place_batch(self, wanted: Sequence[NewOrder]) -> list[str]:
        """Send several orders in as few requests as may be: all of them, or none. Returns their client ids, in order.

        What becomes of each is its own matter: the venue may take some and refuse others.

        Raises as `place`, with the number of the order that cannot be, from 1 on.
        """
        return self._open_desk().place_batch(wanted)

    def place_again(self, client_id: str) -> None:
        """Send an order once more, under the same client id, of which nothing is or can come at the venue.

        Raises:
            InvalidOrderError: that is not proved: the order is not NEVER_ACCEPTED.
            KeyError, TradingHaltedError: as `cancel` and `place`.
        """
        self._open_desk().place_again(client_id)

    def prepare(
        self,
        market: str,
        side: Side,
        *,
        size: int,
        price: int,
        order_type: OrderType = OrderType.LIMIT,
        instruction: Instruction = Instruction.GTC,
    ) -> str:
        """Have an order signed ahead of its decision. Arguments as of `place`; returns its client id to be.

        Hash and signature are most of what an order costs the client. An `OrderPrepared` follows, or a
        `PrepareFailed`; after the first `place_prepared` sends it, for about as long as ``recv_window``. Until then
        it is no order: it counts for no limit, there is nothing to cancel, and a crash leaves nothing of it.

        Raises:
            InvalidOrderError: the market's rules forbid it.
            LimitExceededError: too many are prepared: send or discard some.
            TradingHaltedError: the kill switch was pulled.
        """
        return self._open_desk().prepare(
            NewOrder(
                market=market,
                side=side,
                size=size,
                price=price,
                order_type=order_type,
                instruction=instruction,
            )
        )

    def place_prepared(self, client_id: str) -> None:
        """Send an order that was prepared, in whatever session there is now. It is an order from now on.

        Raises:
            NotPreparedError: it is not signed yet, or was sent, discarded, or too old; or never prepared.
            TradingHaltedError: as `place`. It stays prepared.
        """
        self._open_desk().place_prepared(client_id)

    def discard(self, client_id: str) -> None:
        """Forget an order that was prepared. Those that are too old are forgotten in any case.

        Raises:
            NotPreparedError: there is none: it was sent, forgotten before, or never prepared.
        """
        self._open_desk().discard(client_id)

    def modify(self, client_id: str, *, size: int | None = None, price: int | None = None) -> None:
        """Ask for another size or price of an order that the venue has, both in units of 10⁻⁸.

        ``size`` is that of the whole order, what is filled included. An `OrderChanged` with the new terms follows, or
        a `ModifyFailed`; before that the order may fill on either terms. If it ends meanwhile, `OrderChanged` tells
        that, and nothing else follows. A cancel may be asked for at any time, and wins.

        Raises:
            InvalidOrderError: the order is not one that can be modified now, or not so.
            KeyError, TradingHaltedError: as `cancel` and `place`.
        """
        self._open_desk().modify(client_id, size=size, price=price)

    def cancel(self, client_id: str) -> None:
        """Have an order cancelled, whatever its state. Asked twice, or too late, it changes nothing.

        Raises:
            KeyError: no order of this run has this client id.
        """
        self._open_desk().cancel(client_id)

    def cancel_batch(self, client_ids: Sequence[str]) -> None:
        """The same for several orders, in as few requests as may be. Raises as `cancel`, before any is cancelled."""
        self._open_desk().cancel_batch(client_ids)

    def cancel_all(self, market: str | None = None) -> None:
        """Have every order of ours cancelled, of one market or of all. Those of others on the account stay.

        Raises KeyError as `market`.
        """
        self._open_desk().cancel_all(market)

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

    def position(self, market: str) -> int:
        """What is held of a market, in units of 10⁻⁸ and below 0 if it is short. Raises KeyError as `market`."""
        return self._open_desk().position(market)

    def revoke(self) -> None:
        """Take the authority back, for good."""
        self._desk = None

    def _open_desk(self) -> Desk:
        if self._desk is None:
            raise RevokedError("this Trader was revoked: the bot is stopping")
        return self._desk


def open_trader(desk: Desk) -> Trader:
    return Trader._mint(desk)  # noqa: SLF001 - the minting module
