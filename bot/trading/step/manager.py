"""The order manager: one synchronous step for each item of the ordered stream.

Nothing here awaits or reads the world, a clock included: the same items at the same times give the same decisions.
"""

from collections.abc import Callable, Mapping

import trio
from loguru import logger

from bot.core.errors import FatalError, NotSentError, RefusedError, RequestError
from bot.core.fill import Fill
from bot.core.fixed import parse
from bot.core.market import Market
from bot.core.order import Event, Order, State
from bot.paradex.answers import Bbo, OrderReport
from bot.session.capabilities import Session
from bot.session.inbox import (
    FillReported,
    Item,
    KillSwitchPulled,
    OrderReported,
    PlatformMode,
    SessionLost,
    SessionOpened,
    Snapshot,
)
from bot.trading.effects import (
    AccountRecovered,
    BboFetched,
    CancelEnded,
    Effect,
    GiveUp,
    LookedUp,
    ModifyEnded,
    OrderMoved,
    OrderPrepared,
    PrepareFailed,
    SendEnded,
    SendStarted,
    Signed,
    StopAsked,
    TimerFired,
)
from bot.trading.requests import WS
from bot.trading.step.decisions import Decisions
from bot.trading.step.desk import STRATEGY, TradingDesk
from bot.trading.step.guard import Guard, LimitsSettings
from bot.trading.step.holdings import Holdings
from bot.trading.step.ledger import Ledger
from bot.trading.step.modification import MODIFY, Modifications
from bot.trading.step.preparations import Preparations
from bot.trading.step.pursuit import Pursuit
from bot.trading.step.recovery import Recovery
from bot.trading.step.stocktaking import PART, SNAPSHOT, Stocktaking
from bot.trading.strategies import strategy as events
from bot.trading.strategies.trader import open_trader


class OrderManager:
    """Decides, for the strategy and for orders in trouble. Sole writer of the state of orders and positions."""

    def __init__(
        self,
        *,
        markets: Mapping[str, Market],
        strategy: events.Strategy,
        run_id: str,
        recv_window_ms: int,
        limits: LimitsSettings,
        leftovers: str,
        via: str,
    ) -> None:
        self.settled = trio.Event()
        """Set when the stop was asked for and every order is over."""

        self._decisions = Decisions()
        self.ledger = Ledger(run_id, self._decisions.alarm, self._changed, self._not_modified)
        self.holdings = Holdings()
        self.guard = Guard(limits, self._decisions)
        self._pursuit = Pursuit(self.ledger, self._decisions, self.guard.doubt)
        self.stocktaking = Stocktaking(
            self.ledger, self.holdings, self._pursuit, self._decisions, self._was_filled
        )
        self._modifications = Modifications(self.ledger, self._pursuit, self._decisions)
        self._preparations = Preparations(self._decisions)
        self._desk = TradingDesk(
            markets=markets,
            run_id=run_id,
            ledger=self.ledger,
            holdings=self.holdings,
            guard=self.guard,
            pursuit=self._pursuit,
            preparations=self._preparations,
            decisions=self._decisions,
        )
        self.trader = open_trader(self._desk)
        self._recovery = Recovery(self.ledger, self._pursuit, self._decisions, leftovers)
        self._strategy = strategy
        self._session: Session | None = None
        self._cancels_by_socket = via == WS
        self._recv_window_ns = recv_window_ms * 1_000_000
        self._stopping = False
        self._handlers: dict[type[Item], Callable[..., None]] = {
            OrderReported: self._order_reported,
            FillReported: self._fill_reported,
            Snapshot: self.stocktaking.merge,
            SessionOpened: self._session_opened,
            SessionLost: self._session_lost,
            PlatformMode: self._mode_changed,
            KillSwitchPulled: self._kill_switch_pulled,
            OrderPrepared: self._order_prepared,
            PrepareFailed: self._prepare_failed,
            SendStarted: self._send_started,
            SendEnded: self._send_ended,
            ModifyEnded: self._modifications.ended,
            CancelEnded: self._cancel_ended,
            LookedUp: self._looked_up,
            BboFetched: self._quoted,
            TimerFired: self._timer_fired,
            AccountRecovered: self._recovery.take_over,
            StopAsked: self._stop,
        }

    def step(self, item: Item, now_ns: int) -> list[Effect]:
        """Handle one item, which came at ``now_ns``, and return what is to be done about it."""
        handler = self._handlers.get(type(item))
        if handler is None:
            raise TypeError(f"no such item: {item!r}")
        self._decisions.now_ns = now_ns
        handler(item)
        is_known = self._recovery.is_done and self.stocktaking.is_done
        if self._session is not None and self._desk.session is None and is_known:
            self._desk.session = self._session
            self._tell(events.TradingOpened(self._session.generation))
        if self.guard.killed:
            self._end("the kill switch was pulled")
        if self._stopping and not self.ledger.live():
            self.settled.set()
        return self._decisions.take()

    def _tell(self, event: events.Event) -> None:
        if self._stopping:
            return
        try:
            self._strategy.on_event(event, self.trader)
        except FatalError as fatal:
            self._decisions.add(GiveUp(str(fatal)))

    # Orders and fills.

    def _changed(self, order: Order) -> None:
        self._decisions.add(OrderMoved(order))
        if order.state is not State.UNKNOWN:
            self.guard.known(order)
        self._tell(events.OrderChanged(order))
        self._recovery.changed(order)
        if order.is_over:
            self.stocktaking.sought(order.client_id, self._decisions.now_ns)
        self._pursuit.changed(self.ledger.get(order.client_id))  # somebody may have asked for its cancel

    def _not_modified(self, order: Order, reason: str) -> None:
        self._tell(events.ModifyFailed(order, reason))

    def _was_filled(self, fill: Fill, order: Order | None) -> None:
        self.guard.holds(fill.market, self.holdings.position(fill.market), fill.price)
        if order is not None:
            self._tell(events.Filled(self.ledger.get(order.client_id), fill))

    def _order_reported(self, item: OrderReported) -> None:
        order = self.ledger.find(item.report)
        if order is not None:
            self.ledger.update(order, item.report, by_channel=True)

    def _fill_reported(self, item: FillReported) -> None:
        self.stocktaking.take_fill(item.report)

    def _order_prepared(self, item: OrderPrepared) -> None:
        seconds = self._preparations.signed(item)
        if seconds is not None:
            self._tell(events.OrderPrepared(item.client_id, seconds))

    def _prepare_failed(self, item: PrepareFailed) -> None:
        if self._preparations.failed(item.client_id):
            self._tell(events.PrepareFailed(item.client_id, str(item.failure)))

    def _send_started(self, item: SendStarted) -> None:
        if item.what is Signed.MODIFY:
            self._modifications.started(item)
            return
        signed_ns = item.sent_ns if item.signed_ns is None else item.signed_ns
        self.ledger.sending(
            item.client_id,
            signed_ms=item.signature_timestamp,
            sent_ns=item.sent_ns,
            last_acceptable_ns=signed_ns + self._recv_window_ns + item.margin_ns,
        )

    def _send_ended(self, item: SendEnded) -> None:
        order = self.ledger.get(item.client_id)
        match item.result:
            case OrderReport() as report:
                self.ledger.answered(order.client_id, report, reused=item.reused, request_ns=item.request_ns)
            case NotSentError() as not_sent:
                logger.warning("[ORDER] Paradex order not sent: client_id={}, {}", order.client_id, not_sent)
                self.ledger.unsent(order.client_id, str(not_sent))
            case RefusedError() as refused:
                logger.warning("[ORDER] Paradex order refused: client_id={}, {}", order.client_id, refused)
                self.ledger.move(order, Event.REFUSED, reason=str(refused))
            case unknown:
                logger.warning(
                    "[ORDER] Paradex order outcome unknown: client_id={}, {}", order.client_id, unknown
                )
                self.ledger.move(order, Event.LOST, reason=str(unknown))
        order = self.ledger.get(item.client_id)
        if order.state is State.UNKNOWN:
            self._pursuit.doubt(order)

    def _cancel_ended(self, item: CancelEnded) -> None:
        self._pursuit.cancel_ended(item.client_id, item.failure)

    def _looked_up(self, item: LookedUp) -> None:
        asked_ns = self._pursuit.looked_up(item.client_id, item.result)
        if not isinstance(item.result, RequestError):
            self.stocktaking.sought(item.client_id, asked_ns)
        order = self.ledger.get(item.client_id)
        if isinstance(item.result, OrderReport) and order.state is not State.UNKNOWN:
            self.guard.known(order)
        self._modifications.looked_up(item, asked_ns)

    # The connection, and what else happens.

    def _session_opened(self, item: SessionOpened) -> None:
        self._session, self._desk.session = item.session, None
        self._pursuit.session = item.session if self._cancels_by_socket else None
        self.guard.opened()

    def _session_lost(self, _item: SessionLost) -> None:
        self._session = self._desk.session = self._pursuit.session = None
        self._tell(events.TradingPaused())

    def _mode_changed(self, item: PlatformMode) -> None:
        logger.warning("[WS] Paradex platform mode: {}", item.mode)
        self.guard.mode_changed(item.mode)

    def _quoted(self, item: BboFetched) -> None:
        self._tell(_quote(item.market, item.result))

    def _timer_fired(self, item: TimerFired) -> None:
        timer = item.timer
        self._decisions.elapsed(timer)
        match timer.purpose:
            case str(purpose) if purpose == STRATEGY:
                self._tell(events.TimerElapsed(int(timer.subject)))
            case str(purpose) if purpose == SNAPSHOT:
                self.stocktaking.elapsed()
            case str(purpose) if purpose == PART:
                self.stocktaking.go_on()
            case str(purpose) if purpose == MODIFY:
                self._modifications.elapsed(timer.subject)
            case purpose:
                self._pursuit.elapsed(purpose, timer.subject)

    # The end.

    def _kill_switch_pulled(self, item: KillSwitchPulled) -> None:
        self.guard.pull(item.reason)

    def _stop(self, _item: StopAsked) -> None:
        self.trader.revoke()
        self._stopping = True
        self._end("the bot is stopping")

    def _end(self, why: str) -> None:
        """Nothing new may leave, and what is there has to go."""
        self._preparations.void(why)
        self._desk.cancel_all()


def _quote(market: str, bbo: Bbo | RequestError) -> events.Quote | events.QuoteFailed:
    if isinstance(bbo, RequestError):
        return events.QuoteFailed(market, str(bbo))
    try:
        return events.Quote(market, parse(bbo.bid) if bbo.bid else None, parse(bbo.ask) if bbo.ask else None)
    except ValueError as unreadable:
        return events.QuoteFailed(market, str(unreadable))
