"""A strategy for campaigns: it does everything that a `Trader` can, as chance has it, until its time is over."""

from collections.abc import Callable
from functools import partial
from random import Random

import attrs

from bot.core.errors import InvalidOrderError, RevokedError, TradingHaltedError
from bot.core.fixed import SCALE
from bot.core.order import Instruction, Order, OrderType, Side, State
from bot.trading.strategies.strategy import (
    Event,
    OrderChanged,
    OrderPrepared,
    Quote,
    TimerElapsed,
    TradingOpened,
    TradingPaused,
)
from bot.trading.strategies.trader import NewOrder, Trader

MOST = 10
"""Orders that it lets rest before it thinks of cancelling."""

QUOTES_EVERY = 6
"""Turns."""


@attrs.define(eq=False)
class Restless:
    """Decides by events and its own ``chance`` alone, so a recorded session of it can be replayed.

    Prices and sizes in units of 10⁻⁸. It is quiet ``seconds`` after trading was opened first.
    """

    markets: tuple[str, ...]
    chance: Random
    seconds: float
    ahead: Random | None = None
    """The chance of what is prepared; None: nothing is."""

    is_quiet: bool = False
    is_open: bool = False
    """There is a session, as far as it was told."""

    refused: int = 0
    """So often an order was not taken."""

    _trader: Trader | None = None
    """It keeps it, as no strategy should."""

    _quotes: dict[str, tuple[int, int]] = attrs.field(factory=dict)
    _resting: dict[str, Order] = attrs.field(factory=dict)
    _absent: list[str] = attrs.field(factory=list)
    """Orders that never came to be."""

    _prepared: list[str] = attrs.field(factory=list)
    """Orders that were asked to be prepared. Some may not be signed yet, others too old: the bot has to tell."""

    _end: int = 0
    """The timer of the end."""

    _turn: int = 0
    _turns: int = 0

    def on_event(self, event: Event, trader: Trader) -> None:
        self._trader = trader
        match event:
            case TradingPaused():
                self.is_open = False
            case TradingOpened():
                self.is_open = True
                for market in self.markets:
                    trader.ask_quote(market)
                if not self._end:
                    self._end = trader.set_timer(self.seconds)
                    self._turn = trader.set_timer(0.5)
            case Quote(market, bid, ask):
                if bid is not None and ask is not None:
                    self._quotes[market] = bid, ask
            case OrderChanged(order):
                self._note(order)
            case OrderPrepared() if not self.is_quiet:
                self._try(self._go_ahead, trader)
            case TimerElapsed(timer) if timer == self._end:
                self.is_quiet = True
            case TimerElapsed(timer) if timer == self._turn and not self.is_quiet:
                self._take_turn(trader)

    def place_late(self) -> None:
        """Place an order when it should not be possible any more."""
        if self._trader is not None and self._quotes:
            for name in self._prepared:
                self._try(partial(Trader.place_prepared, client_id=name), self._trader)
            self._try(self._place, self._trader)

    def _note(self, order: Order) -> None:
        self._resting.pop(order.client_id, None)
        if order.state in {State.OPEN, State.PARTLY_FILLED}:
            self._resting[order.client_id] = order
        elif order.state is State.NEVER_ACCEPTED:
            self._absent.append(order.client_id)

    def _take_turn(self, trader: Trader) -> None:
        self._turn = trader.set_timer(0.1 + self.chance.expovariate(2.5))
        self._turns += 1
        if self._turns % QUOTES_EVERY == 0:
            trader.ask_quote(self.chance.choice(self.markets))
        if self.ahead is not None:
            self._try(self._go_ahead, trader)
        self._try(self._act, trader)

    def _try(self, act: Callable[[Trader], None], trader: Trader) -> None:
        try:
            act(trader)
        except (InvalidOrderError, TradingHaltedError, RevokedError):
            self.refused += 1

    def _go_ahead(self, trader: Trader) -> None:
        """Do something with orders that are prepared, if any is; or prepare one."""
        assert self.ahead is not None
        dice = self.ahead.random()
        if dice < 0.35:
            for wanted in self._wanted(trader, 1):
                self._prepared.append(trader.prepare(**attrs.asdict(wanted)))
        elif dice < 0.7 and self._prepared:
            trader.place_prepared(self._any_prepared())
        elif dice < 0.75 and self._prepared:
            trader.discard(self._any_prepared())

    def _any_prepared(self) -> str:
        assert self.ahead is not None
        return self._prepared.pop(self.ahead.randrange(len(self._prepared)))

    def _act(self, trader: Trader) -> None:
        dice = self.chance.random()
        crowded = len(self._resting) >= MOST
        if dice < 0.3 and not crowded:
            self._place(trader)
        elif dice < 0.46 and not crowded:
            self._place_together(trader)
        elif dice < 0.68 and self._resting:
            self._modify(trader)
        elif dice < 0.77 and self._resting:
            trader.cancel(self._any()[0])
        elif dice < 0.94 and self._resting:
            trader.cancel_batch(self._any(self.chance.randint(2, 5)))
        elif dice < 0.96:
            trader.cancel_all(self.chance.choice((None, *self.markets)))
        elif self._absent:
            trader.place_again(self._absent.pop())
        else:
            self._place(trader)

    def _any(self, count: int = 1) -> list[str]:
        names = list(self._resting)
        return self.chance.sample(names, min(count, len(names)))

    def _place(self, trader: Trader) -> None:
        for wanted in self._wanted(trader, 1):
            trader.place(**attrs.asdict(wanted))

    def _place_together(self, trader: Trader) -> None:
        if wanted := self._wanted(trader, self.chance.randint(2, 4)):
            trader.place_batch(wanted)

    def _wanted(self, trader: Trader, count: int) -> list[NewOrder]:
        """Some orders: far from the market, at its touch, or across it."""
        return [
            self._order(trader, market)
            for market in self.chance.choices(self.markets, k=count)
            if market in self._quotes
        ]

    def _order(self, trader: Trader, market: str) -> NewOrder:
        side = self.chance.choice(tuple(Side))
        is_market = self.chance.random() < 0.05
        instruction = self.chance.choice(tuple(Instruction))
        if is_market:
            instruction = Instruction.IOC
        bid, ask = self._quotes[market]
        return NewOrder(
            market=market,
            side=side,
            size=self._size(trader, market, bid),
            price=0 if is_market else self._price(trader, market, side, bid=bid, ask=ask),
            order_type=OrderType.MARKET if is_market else OrderType.LIMIT,
            instruction=instruction,
        )

    def _size(self, trader: Trader, market: str, price: int) -> int:
        step = trader.market(market).size_step
        worth = self.chance.randint(15, 300) * SCALE
        return (worth * SCALE // price // step + 1) * step

    def _price(self, trader: Trader, market: str, side: Side, *, bid: int, ask: int) -> int:
        """So many parts of a thousand behind the touch; below 0 across it."""
        behind = self.chance.choice((40, 40, 20, 5, 1, 0, 0, -1))
        touch, direction = (bid, -1) if side is Side.BUY else (ask, 1)
        tick = trader.market(market).price_tick
        return (touch + direction * touch * behind // 1000) // tick * tick

    def _modify(self, trader: Trader) -> None:
        [name] = self._any()
        order = trader.order(name)
        size, price = None, None
        if self.chance.random() < 0.5:
            step = trader.market(order.market).size_step
            size = order.size * self.chance.choice((1, 2, 3)) // 2 // step * step
        if size is None or self.chance.random() < 0.3:
            tick = trader.market(order.market).price_tick
            away = self.chance.choice((-20, -5, -1, 1, 3))
            price = (order.price + order.price * away // 1000) // tick * tick
        trader.modify(name, size=size, price=price)
