"""What a `Trader` asks for: checked, numbered, and turned into decisions."""

from collections.abc import Iterable, Mapping, Sequence
from itertools import count

import attrs

from bot.core.errors import InvalidOrderError, SessionGoneError, TradingHaltedError
from bot.core.fixed import render
from bot.core.market import Market
from bot.core.order import Modification, Order, OrderType
from bot.session.capabilities import Session
from bot.trading.effects import FetchBbo, ModifyOrder, PlaceBatch, PlaceOrder, SetTimer, Timer, batches
from bot.trading.step.decisions import Decisions
from bot.trading.step.guard import Guard
from bot.trading.step.holdings import Holdings
from bot.trading.step.ledger import Ledger
from bot.trading.step.preparations import Preparations
from bot.trading.step.pursuit import Pursuit
from bot.trading.strategies.trader import NewOrder

STRATEGY = "strategy"
"""What the timers of a strategy are set for."""


@attrs.define(eq=False, kw_only=True)
class TradingDesk:
    """A `bot.trading.strategies.trader.Desk`."""

    markets: Mapping[str, Market]
    run_id: str
    ledger: Ledger
    holdings: Holdings
    guard: Guard
    pursuit: Pursuit
    preparations: Preparations
    decisions: Decisions
    session: Session | None = None
    """The permit for new orders; None while there is none."""

    _order_numbers: "count[int]" = attrs.field(factory=lambda: count(1))
    _modification_numbers: "count[int]" = attrs.field(factory=lambda: count(1))
    _timer_numbers: "count[int]" = attrs.field(factory=lambda: count(1))

    def place(self, wanted: NewOrder) -> str:
        order = self._checked(wanted, self.ledger.live())
        self.ledger.add(order)
        self._send(order, self._permit())
        return order.client_id

    def place_batch(self, wanted: Sequence[NewOrder]) -> list[str]:
        live, placed = self.ledger.live(), list[Order]()
        for number, each in enumerate(wanted, 1):
            try:
                placed.append(self._checked(each, [*live, *placed]))
            except (InvalidOrderError, TradingHaltedError) as error:
                raise type(error)(f"order {number} of {len(wanted)}: {error}") from error
        session = self._permit()
        for order in placed:
            self.ledger.add(order)
        for batch in batches(placed):
            self.decisions.add(PlaceBatch(batch, session))
        for _ in placed:
            self.guard.placed()
        return [order.client_id for order in placed]

    def place_again(self, client_id: str) -> None:
        order = self.ledger.get(client_id)
        session = self._permit()
        self._check_limits(order, self.ledger.live())
        again = self.ledger.again(client_id)
        if again is None:
            raise InvalidOrderError(
                f"order {client_id} is {order.state}: it may be at the venue, or have been"
            )
        self._send(again, session)

    def prepare(self, wanted: NewOrder) -> str:
        self.guard.check_kill_switch()
        order = self._within_rules(wanted)
        self.preparations.check_room()
        order = self._named(order)
        self.preparations.add(order)
        return order.client_id

    def place_prepared(self, client_id: str) -> None:
        order = self.preparations.ready(client_id)
        session = self._permit()
        self._check_limits(order, self.ledger.live())
        self.preparations.sent(client_id)
        self.ledger.add(order)
        self._send(order, session, is_prepared=True)

    def discard(self, client_id: str) -> None:
        self.preparations.discard(client_id)

    def modify(self, client_id: str, *, size: int | None, price: int | None) -> None:
        order = self.ledger.get(client_id)
        _check_modifiable(order)
        size, price = order.size if size is None else size, order.price if price is None else price
        if (size, price) == (order.size, order.price):
            raise InvalidOrderError(f"order {client_id} has these terms already")
        if size <= order.filled:
            raise InvalidOrderError(
                f"order {client_id}: size {render(size)} is not above the {render(order.filled)} that is filled"
            )
        self.markets[order.market].check(size=size, price=price)
        if not price:
            raise InvalidOrderError(f"order {client_id}: a {order.type} order needs a price above 0")
        session = self._permit()
        others = [each for each in self.ledger.live() if each.client_id != client_id]
        self._check_limits(order.changed(size=size, price=price), others)
        wanted = Modification(size, price, next(self._modification_numbers))
        self.decisions.add(ModifyOrder(self.ledger.want_otherwise(client_id, wanted), session))
        self.guard.placed()

    def cancel(self, client_id: str) -> None:
        order = self.ledger.want_gone(client_id)
        if order is not None:
            self.pursuit.cancel(order)

    def cancel_batch(self, client_ids: Sequence[str]) -> None:
        for client_id in client_ids:
            self.ledger.get(client_id)
        self.pursuit.cancel_together(self._unwanted(client_ids))

    def cancel_all(self, market: str | None = None) -> None:
        symbol = None if market is None else self.markets[market].symbol
        ours = [each.client_id for each in self.ledger.live() if symbol in {None, each.market}]
        self.pursuit.cancel_together(self._unwanted(ours), but_few_singly=True)

    def _unwanted(self, client_ids: Iterable[str]) -> list[Order]:
        """Those that nobody wanted gone before."""
        return [order for each in client_ids if (order := self.ledger.want_gone(each)) is not None]

    def ask_quote(self, market: str) -> None:
        self.decisions.add(FetchBbo(self.markets[market].symbol))

    def set_timer(self, seconds: float) -> int:
        number = next(self._timer_numbers)
        self.decisions.add(SetTimer(Timer(STRATEGY, str(number)), seconds))
        return number

    def market(self, symbol: str) -> Market:
        return self.markets[symbol]

    def order(self, client_id: str) -> Order:
        return self.ledger.get(client_id)

    def position(self, market: str) -> int:
        return self.holdings.position(self.markets[market].symbol)

    def _permit(self) -> Session:
        if self.session is None:
            raise SessionGoneError("there is no session")
        self.session.check()
        return self.session

    def _checked(self, wanted: NewOrder, live: Sequence[Order]) -> Order:
        """An order that may be placed now, beside those that are ``live``."""
        order = self._within_rules(wanted)
        self._permit()
        self._check_limits(order, live)
        return self._named(order)

    def _within_rules(self, wanted: NewOrder) -> Order:
        """It as an order without a name, if its market takes such orders: the rules hold for the whole run."""
        self.markets[wanted.market].check(size=wanted.size, price=wanted.price)
        if wanted.price == 0 and wanted.order_type is not OrderType.MARKET:
            raise InvalidOrderError(f"{wanted.market}: a {wanted.order_type} order needs a price above 0")
        return Order(
            client_id="",
            market=wanted.market,
            side=wanted.side,
            type=wanted.order_type,
            instruction=wanted.instruction,
            size=wanted.size,
            price=wanted.price,
        )

    def _named(self, order: Order) -> Order:
        return order.changed(client_id=f"{self.run_id}-{next(self._order_numbers)}")

    def _check_limits(self, order: Order, live: Sequence[Order]) -> None:
        """See that what is left of ``order`` to be filled is within the limits."""
        market = order.market
        worth = order.price or self.holdings.prices.get(market, 0)
        if not worth and self.guard.needs_price:
            raise TradingHaltedError(
                f"{market}: [limits] are in USD, and no price was seen yet to tell what a market order is worth"
            )
        self.guard.check(
            market,
            order.side,
            order.instruction,
            size=order.remaining,
            price=worth,
            live=live,
            position=self.holdings.position(market),
        )

    def _send(self, order: Order, session: Session, *, is_prepared: bool = False) -> None:
        self.decisions.add(PlaceOrder(order, session, is_prepared))
        self.guard.placed()


def _check_modifiable(order: Order) -> None:
    """Raise `InvalidOrderError` for an order that cannot get other terms now."""
    if not (order.is_with_the_venue and order.venue_id):
        why = f"is {order.state}"
    elif order.type is OrderType.MARKET:
        why = "has no price"
    elif order.cancelling:
        why = "is to be cancelled"
    elif order.modifying is not None:
        why = "waits for other terms already"
    else:
        return
    raise InvalidOrderError(f"order {order.client_id} cannot be modified: it {why}")
