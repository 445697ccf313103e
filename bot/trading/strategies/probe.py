"""The default strategy: one order that rests far from the market, cancelled as soon as it is confirmed."""

from collections.abc import Iterator
from contextlib import contextmanager

import attrs
from loguru import logger

from bot.core.errors import (
    FatalError,
    InvalidOrderError,
    NotPreparedError,
    SessionGoneError,
    TradingHaltedError,
)
from bot.core.fixed import SCALE, Fixed, multiply
from bot.core.order import Instruction, Order, Side, State
from bot.core.setting import setting
from bot.trading.strategies.strategy import (
    Event,
    Filled,
    OrderChanged,
    OrderPrepared,
    PrepareFailed,
    Quote,
    QuoteFailed,
    TimerElapsed,
    TradingOpened,
    TradingPaused,
)
from bot.trading.strategies.trader import Trader


@attrs.frozen
class ProbeSettings:
    """The ``[strategy]`` table."""

    name: str = setting("probe", "which strategy trades", choices=("probe",))
    size: Fixed = setting(Fixed(SCALE // 100), "size of each order, in the base currency", at_least=1)
    distance: Fixed = setting(
        Fixed(SCALE // 50),
        'how far below the best bid, as a part of it ("0.02" is 2 %)',
        at_least=0,
        at_most=SCALE // 2,
    )
    pause: float = setting(
        1.0, "rest between one order's end and the next", at_least=0, at_most=86_400, unit="seconds"
    )
    prepare: bool = setting(
        default=False, help="sign each order before that rest, so that less is to be done when it is sent"
    )


@attrs.define
class Probe:
    """Quote, place, wait for OPEN, cancel, wait for CLOSED, pause, and again. One order at a time.

    Or, if it is to prepare them: quote, prepare, pause, place, wait for OPEN, cancel, wait for CLOSED, and again.
    What has become too old in the pause is quoted and prepared once more, without another pause.
    """

    _settings: ProbeSettings
    _market: str
    _busy: bool = False
    """A quote, an order or a pause is under way; whatever ends it begins the next round."""

    _order: str = ""
    """The client id of the order under way. It ends once, however often it changes after that."""

    _prepared: str = ""
    """The client id of the next order, if it is prepared or about to be."""

    _has_rested: bool = True
    """The pause before the next order is over."""

    _is_halted: bool = False
    """No order has been taken since that was said."""

    def on_event(self, event: Event, trader: Trader) -> None:
        match event:
            case TradingOpened():
                if not self._busy:
                    self._begin(trader)
            case Quote(bid=bid) if bid is not None:
                self._place(bid, trader)
            case Quote() | QuoteFailed():
                self._pause(trader)
            case OrderPrepared():
                self._go_on(trader)
            case PrepareFailed():
                self._prepared = ""
                self._pause(trader)
            case OrderChanged(order):
                self._changed(order, trader)
            case TimerElapsed():
                self._has_rested = True
                self._go_on(trader)
            case TradingPaused() | Filled():
                pass  # an order on its way is resolved by the manager; a new round waits for a session by itself

    def _begin(self, trader: Trader) -> None:
        self._busy = True
        trader.ask_quote(self._market)

    def _go_on(self, trader: Trader) -> None:
        """The pause is over, or the next order prepared, or both."""
        if not self._has_rested:
            self._pause(trader)
        elif self._prepared:
            self._place_prepared(trader)
        else:
            self._begin(trader)

    def _changed(self, order: Order, trader: Trader) -> None:
        if order.is_over and order.client_id == self._order:
            self._order = ""
            if self._settings.prepare:
                self._begin(trader)
            else:
                self._pause(trader)
        elif order.state in {State.OPEN, State.PARTLY_FILLED}:
            trader.cancel(order.client_id)

    def _place(self, bid: int, trader: Trader) -> None:
        tick = trader.market(self._market).price_tick
        price = multiply(bid, SCALE - self._settings.distance) // tick * tick
        if price <= 0:
            self._pause(trader)
            return
        with self._pausing_if_refused(trader):
            begin = trader.prepare if self._settings.prepare else trader.place
            client_id = begin(
                self._market,
                Side.BUY,
                size=self._settings.size,
                price=price,
                instruction=Instruction.POST_ONLY,
            )
            if self._settings.prepare:
                self._prepared = client_id
            else:
                self._order, self._is_halted = client_id, False

    def _place_prepared(self, trader: Trader) -> None:
        with self._pausing_if_refused(trader):
            try:
                trader.place_prepared(self._prepared)
            except NotPreparedError:
                self._prepared = ""
                self._begin(trader)
            else:
                self._order, self._prepared = self._prepared, ""
                self._has_rested = self._is_halted = False

    @contextmanager
    def _pausing_if_refused(self, trader: Trader) -> Iterator[None]:
        """A block in which no order may be taken: then there is a pause, and another try."""
        try:
            yield
        except SessionGoneError:
            self._pause(trader)
        except TradingHaltedError as halted:
            if not self._is_halted:
                logger.warning("[ORDER] Paradex no new orders for now: {}", halted)
            self._is_halted = True
            self._pause(trader)
        except InvalidOrderError as invalid:
            raise FatalError(f"[strategy] does not fit the market: {invalid}") from invalid

    def _pause(self, trader: Trader) -> None:
        trader.set_timer(self._settings.pause)
