"""The order manager: one synchronous step for each item of the ordered stream.

Nothing here awaits or reads the world, a clock included: the same items at the same times give the same decisions.
What has to be done about an order whose end is not known is decided here too: look it up, cancel it again, wait.
"""

from collections.abc import Mapping
from itertools import count

import trio
from loguru import logger

from bot.core.errors import (
    FatalError,
    InvalidOrderError,
    NotSentError,
    RefusedError,
    RequestError,
    SessionGoneError,
)
from bot.core.fixed import parse
from bot.core.market import Market
from bot.core.order import Event, Instruction, Order, OrderType, Side, State
from bot.paradex.answers import Bbo, OrderReport
from bot.session.capabilities import Session
from bot.session.inbox import Item, OpenOrdersListed, OrderReported, SessionLost, SessionOpened
from bot.trading import strategy as events
from bot.trading.effects import (
    BboFetched,
    CancelEnded,
    CancelOrder,
    Effect,
    FetchBbo,
    GiveUp,
    LookedUp,
    LookUpOrder,
    OrderMoved,
    PlaceOrder,
    RaiseAlarm,
    SendEnded,
    SendStarted,
    SetTimer,
    StopAsked,
    Timer,
    TimerFired,
)
from bot.trading.ledger import Ledger
from bot.trading.trader import open_trader

LOOK_AGAIN_S = 1.0
"""Between two look-ups of one order, and from a queued cancel to asking what became of it."""

CANCEL_AGAIN_S = 0.5
"""After a cancel that failed. Cancels may be repeated: the second can only find the order gone."""

CLOCK_MARGIN_NS = 500_000_000
"""For how wrong our idea of the venue's clock may be: added to `recv_window` before an order that is nowhere to be
found counts as never accepted."""


class OrderManager:
    """Decides, for the strategy and for orders in trouble. A `bot.trading.trader.Desk`, behind its `trader`."""

    def __init__(
        self,
        *,
        markets: Mapping[str, Market],
        strategy: events.Strategy,
        run_id: str,
        recv_window_ms: int,
    ) -> None:
        self.ledger = Ledger(run_id, self._alarm, self._changed)
        self.trader = open_trader(self)
        self.settled = trio.Event()
        """Set when the stop was asked for and every order is over."""

        self._markets = markets
        self._strategy = strategy
        self._run_id = run_id
        self._recv_window_ns = recv_window_ms * 1_000_000
        self._now_ns = 0
        """When the item came that is handled."""

        self._order_numbers = count(1)
        self._timer_numbers = count(1)
        self._session: Session | None = None
        self._stopping = False
        self._cancels_in_flight: set[str] = set()
        self._waiting: set[Timer] = set()
        self._asked_ns: dict[str, int] = {}
        """When the look-up of an order was decided that has not come back yet."""

        self._ask_again: set[str] = set()
        """Orders that somebody wanted looked up meanwhile: the answer under way may be older than the doubt."""

        self._absent_since_ns: dict[str, int] = {}
        self._effects: list[Effect] = []

    # What a Trader asks for.

    def place(
        self,
        market: str,
        side: Side,
        order_type: OrderType,
        instruction: Instruction,
        *,
        size: int,
        price: int,
    ) -> str:
        self._markets[market].check(size=size, price=price)
        if price == 0 and order_type is not OrderType.MARKET:
            raise InvalidOrderError(f"{market}: a {order_type} order needs a price above 0")
        if self._session is None:
            raise SessionGoneError("there is no session")
        self._session.check()
        order = Order(
            client_id=f"{self._run_id}-{next(self._order_numbers)}",
            market=market,
            side=side,
            type=order_type,
            instruction=instruction,
            size=size,
            price=price,
        )
        self.ledger.add(order)
        self._effects.append(PlaceOrder(order, self._session))
        return order.client_id

    def cancel(self, client_id: str) -> None:
        order = self.ledger.want_gone(client_id)
        if order is not None:
            self._send_cancel(order)

    def ask_quote(self, market: str) -> None:
        self._effects.append(FetchBbo(self._markets[market].symbol))

    def set_timer(self, seconds: float) -> int:
        number = next(self._timer_numbers)
        self._effects.append(SetTimer(Timer("strategy", str(number)), seconds))
        return number

    def market(self, symbol: str) -> Market:
        return self._markets[symbol]

    def order(self, client_id: str) -> Order:
        return self.ledger.get(client_id)

    # The step.

    def step(self, item: Item, now_ns: int) -> list[Effect]:  # noqa: C901, PLR0912 - one case for each kind of item
        """Handle one item, which came at ``now_ns``, and return what is to be done about it."""
        self._now_ns = now_ns
        match item:
            case OrderReported(report=report):
                self._reported(report, channel_ns=now_ns)
            case SendStarted():
                self.ledger.sending(
                    item.client_id,
                    sent_ns=item.sent_ns,
                    sign_ns=item.sign_ns,
                    last_acceptable_ns=item.sent_ns + self._recv_window_ns + CLOCK_MARGIN_NS,
                )
            case SendEnded():
                self._send_ended(item)
            case CancelEnded(client_id, failure):
                self._cancel_ended(client_id, failure)
            case LookedUp(client_id, result):
                self._looked_up(client_id, result)
            case OpenOrdersListed():
                self._compare(item)
            case SessionOpened(session):
                self._session = session
                self._tell(events.TradingOpened(session.generation))
            case SessionLost():
                self._session = None
                self._tell(events.TradingPaused())
            case BboFetched(market, bbo):
                self._tell(_quote(market, bbo))
            case TimerFired(timer):
                self._timer_fired(timer)
            case StopAsked():
                self._stop()
            case _:
                raise TypeError(f"no such item: {item!r}")
        if self._stopping and not self.ledger.live():
            self.settled.set()
        effects, self._effects = self._effects, []
        return effects

    def _tell(self, event: events.Event) -> None:
        if self._stopping:
            return
        try:
            self._strategy.on_event(event, self.trader)
        except FatalError as fatal:
            self._effects.append(GiveUp(str(fatal)))

    def _alarm(self, text: str) -> None:
        self._effects.append(RaiseAlarm(text))

    def _changed(self, order: Order) -> None:
        self._effects.append(OrderMoved(order))
        self._tell(events.OrderChanged(order))
        order = self.ledger.get(order.client_id)  # the strategy may have asked for its cancel
        if order.is_over:
            self._absent_since_ns.pop(order.client_id, None)
        elif order.cancelling:
            self._send_cancel(order)

    def _stop(self) -> None:
        self.trader.revoke()
        self._stopping = True
        for order in self.ledger.live():
            self.cancel(order.client_id)

    def _send_ended(self, item: SendEnded) -> None:
        order = self.ledger.get(item.client_id)
        match item.result:
            case OrderReport() as report:
                self.ledger.answered(order.client_id, report, reused=item.reused, request_ns=item.request_ns)
            case NotSentError() as not_sent:
                logger.warning("[ORDER] Paradex order not sent: client_id={}, {}", order.client_id, not_sent)
                self.ledger.unsent(order.client_id, str(not_sent))
            case RefusedError(code=code) as refused if code != "DUPLICATED_CLIENT_ID":
                logger.warning("[ORDER] Paradex order refused: client_id={}, {}", order.client_id, refused)
                self.ledger.move(order, Event.REFUSED, reason=str(refused))
            case unknown:  # and a duplicate: what was refused is a copy, so there is an original
                logger.warning(
                    "[ORDER] Paradex order outcome unknown: client_id={}, {}", order.client_id, unknown
                )
                self.ledger.move(order, Event.LOST, reason=str(unknown))
        order = self.ledger.get(item.client_id)
        if order.state is State.UNKNOWN:
            self._look_up(order)

    def _reported(self, report: OrderReport, *, channel_ns: int | None = None) -> None:
        order = self.ledger.find(report)
        if order is not None:
            self.ledger.update(order, report, channel_ns=channel_ns)

    # Orders whose end is not known.

    def _send_cancel(self, order: Order) -> None:
        """Ask for the cancel, unless one is on its way, or the order itself still is: its next change asks again."""
        can_be_named = bool(order.venue_id) or order.state is State.UNKNOWN
        if can_be_named and order.client_id not in self._cancels_in_flight:
            self._cancels_in_flight.add(order.client_id)
            self._effects.append(CancelOrder(order))

    def _cancel_ended(self, client_id: str, failure: RequestError | None) -> None:
        self._cancels_in_flight.discard(client_id)
        order = self.ledger.get(client_id)
        if order.is_over:
            return
        if failure is None:
            self._wait("look up", client_id, LOOK_AGAIN_S)  # queued is not done: only a report ends it
        elif isinstance(failure, RefusedError) and failure.status in {400, 404}:
            self._look_up(order)  # nothing to cancel, says the venue; the history tells why
        else:
            logger.warning("[ORDER] Paradex cancel failed: client_id={}, {}", client_id, failure)
            self._wait("cancel", client_id, CANCEL_AGAIN_S)

    def _look_up(self, order: Order) -> None:
        """Ask what became of the order: at once, or when the question that is on its way has come back."""
        if order.client_id in self._asked_ns:
            self._ask_again.add(order.client_id)
        else:
            self._asked_ns[order.client_id] = self._now_ns
            self._effects.append(LookUpOrder(order))

    def _looked_up(self, client_id: str, result: OrderReport | RequestError | None) -> None:
        asked_ns = self._asked_ns.pop(client_id)
        ask_again = client_id in self._ask_again
        self._ask_again.discard(client_id)
        order = self.ledger.get(client_id)
        if order.is_over:
            return
        if isinstance(result, OrderReport):
            self._absent_since_ns.pop(client_id, None)
            self.ledger.update(order, result)
            order = self.ledger.get(client_id)
            if order.cancelling and not order.is_over:
                self._wait("cancel", client_id, CANCEL_AGAIN_S)
        elif result is None and order.state is State.UNKNOWN and self._is_proved_absent(order, asked_ns):
            self.ledger.move(order, Event.EXPIRED, reason="not there after the venue could last accept it")
        elif not ask_again:
            self._wait("look up", client_id, LOOK_AGAIN_S)
        order = self.ledger.get(client_id)
        if ask_again and not order.is_over:
            self._look_up(order)

    def _is_proved_absent(self, order: Order, asked_ns: int) -> bool:
        """Not found, twice, a second apart, after the venue could last accept it (`faults.md` section 1).

        What counts is when it was asked: an answer that was long under way may speak of the time before.
        """
        if order.last_acceptable_ns is None or asked_ns <= order.last_acceptable_ns:
            return False
        first_ns = self._absent_since_ns.setdefault(order.client_id, asked_ns)
        return asked_ns - first_ns >= LOOK_AGAIN_S * 1e9

    def _wait(self, purpose: str, client_id: str, seconds: float) -> None:
        timer = Timer(purpose, client_id)
        if timer not in self._waiting:
            self._waiting.add(timer)
            self._effects.append(SetTimer(timer, seconds))

    def _timer_fired(self, timer: Timer) -> None:
        if timer.purpose == "strategy":
            self._tell(events.TimerElapsed(int(timer.subject)))
            return
        self._waiting.discard(timer)
        order = self.ledger.get(timer.subject)
        if order.is_over:
            return
        if timer.purpose == "cancel":
            self._send_cancel(order)
        else:
            self._look_up(order)

    def _compare(self, listed: OpenOrdersListed) -> None:
        """Merge a list of open orders: reports for those in it, a look-up for those that should be."""
        for report in listed.reports:
            self._reported(report)
        present = {report.client_id for report in listed.reports}
        for order in self.ledger.live():
            sent_before = order.sent_ns is not None and order.sent_ns < listed.requested_ns
            if sent_before and order.state is not State.SENT and order.client_id not in present:
                self._look_up(order)


def _quote(market: str, bbo: Bbo | RequestError) -> events.Quote | events.QuoteFailed:
    if isinstance(bbo, RequestError):
        return events.QuoteFailed(market, str(bbo))
    try:
        return events.Quote(market, parse(bbo.bid) if bbo.bid else None, parse(bbo.ask) if bbo.ask else None)
    except ValueError as unreadable:
        return events.QuoteFailed(market, str(unreadable))
