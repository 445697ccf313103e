"""Carries out what the order manager decided, and reports how it went. It decides nothing itself."""

from typing import Any

import attrs
import trio

from bot.core.errors import RequestError, UnknownOutcomeError, or_failure
from bot.core.order import Order
from bot.core.setting import setting
from bot.link.answer import Answer
from bot.paradex import orders, rest
from bot.session.capabilities import AuthedRest
from bot.session.inbox import Inbox
from bot.session.snapshot import Snapshots, all_pages, orders_since
from bot.trading.effects import (
    BboFetched,
    CancelBatch,
    CancelEnded,
    CancelOrder,
    Effect,
    FetchBbo,
    ForgetPrepared,
    LookedUp,
    LookUpOrder,
    LookUpOrders,
    ModifyOrder,
    PlaceBatch,
    PlaceOrder,
    PrepareOrder,
    SetTimer,
    TakeSnapshot,
    TimerFired,
)
from bot.trading.requests import (
    REST,
    WS,
    cancelling_call,
    cancelling_request,
    failures_of_cancels,
    find_report,
    history_request,
)
from bot.trading.sending import Sender
from bot.trading.step.recovery import ADOPT, CANCEL

CANCEL_DEADLINE = 2.5
"""Seconds for a turn and an answer. Shorter than any other request's: a cancel may be repeated, and a stop that waits
for one has only a few seconds (`faults.md` section 2)."""


@attrs.frozen
class OrdersSettings:
    """The ``[orders]`` table: what is traded, and how long an order may take to arrive."""

    markets: tuple[str, ...] = setting(("BTC-USD-PERP",), "markets to trade and to subscribe to")
    recv_window: int = setting(
        5000,
        "the venue refuses an order that arrives later than this after its signature",
        at_least=2000,
        at_most=60_000,
        unit="milliseconds",
    )
    leftovers: str = setting(
        CANCEL,
        "what becomes of orders that an earlier run left resting: cancelled, or adopted by the strategy",
        choices=(CANCEL, ADOPT),
    )
    via: str = setting(
        REST,
        "the way of orders: requests over HTTP, or calls over the WebSocket that confirms them",
        choices=(REST, WS),
    )
    cancel_on_disconnect: bool = setting(
        default=False,
        help="have the venue cancel the orders that were placed over a WebSocket when that ends",
    )


@attrs.frozen(kw_only=True)
class Executor:
    """Each effect gets a task of its own in ``nursery``; the lanes of the pool bound how many are in flight.

    A prepared order does not wait for its task to have a turn, if it can leave without.
    """

    nursery: trio.Nursery
    inbox: Inbox
    authed: AuthedRest
    sender: Sender
    snapshots: Snapshots

    def carry_out(self, effect: Effect, cause: int) -> None:
        """Begin with ``effect``, which has the number ``cause`` on the tape."""
        match effect:
            case PrepareOrder(order):
                self.sender.preparer.want(order)
                self.nursery.start_soon(self.sender.preparer.sign_one)
            case ForgetPrepared(client_ids):
                self.sender.preparer.forget(client_ids)
            case PlaceOrder(is_prepared=True) if self.sender.is_instant:
                self.nursery.start_soon(self.sender.finish, effect, self.sender.leave(effect, cause))
            case _:
                self.nursery.start_soon(self._carry_out, effect, cause)

    async def _carry_out(self, effect: Effect, cause: int) -> None:
        match effect:
            case PlaceOrder() | PlaceBatch():
                await self.sender.place(effect, cause)
            case ModifyOrder():
                await self.sender.modify(effect, cause)
            case CancelOrder() | CancelBatch():
                cancelled = await or_failure(self._cancel(effect, cause))
                result = cancelled.value if isinstance(cancelled, Answer) else cancelled
                for client_id, failure in failures_of_cancels(effect, result).items():
                    self.inbox(CancelEnded(client_id, failure))
            case LookUpOrder(order):
                self.inbox(await self._look_up(order, cause))
            case LookUpOrders():
                await self._look_up_together(effect, cause)
            case FetchBbo(market):
                answer = await or_failure(self.authed.call(rest.bbo(market, cause=cause)))
                if isinstance(answer, Answer):
                    self.inbox(BboFetched(market, answer.value, answer.exchange))
                else:
                    self.inbox(BboFetched(market, answer))
            case TakeSnapshot():
                self.snapshots.wanted.set()
            case SetTimer(timer, seconds):
                await trio.sleep(seconds)
                self.inbox(TimerFired(timer))
            case _:
                raise TypeError(f"no such effect: {effect!r}")

    async def _cancel(self, effect: CancelOrder | CancelBatch, cause: int) -> Answer[Any]:
        """Cancels need no session, and no journal: they go while one of them is away, too."""
        with trio.move_on_after(CANCEL_DEADLINE):
            if effect.session is not None and effect.session.is_alive:
                return await effect.session.send(cancelling_call(effect, cause))
            async with self.authed.reserve_order_lane() as lane:
                return await lane.send(cancelling_request(effect, cause))
        raise UnknownOutcomeError(f"the cancel had no answer within {CANCEL_DEADLINE:g} s")

    async def _look_up_together(self, effect: LookUpOrders, cause: int) -> None:
        try:
            open_orders = await self.authed.call(orders.list_open(cause=cause))
            pages, numbers = await all_pages(
                self.authed, lambda cursor: orders_since(effect.since_ms, cursor, cause=cause)
            )
        except RequestError as failure:
            for order in effect.orders:
                self.inbox(LookedUp(order.client_id, failure))
            return
        history = [report for page in pages for report in page.results]
        for order in effect.orders:
            found = find_report(order.client_id, open_orders.value.results, history)
            self.inbox(LookedUp(order.client_id, found, (open_orders.exchange, *numbers)))

    async def _look_up(self, order: Order, cause: int) -> LookedUp:
        try:
            open_orders = await self.authed.call(orders.list_open(cause=cause))
            history = await self.authed.call(history_request(order, cause))
        except RequestError as failure:
            return LookedUp(order.client_id, failure)
        found = find_report(order.client_id, open_orders.value.results, history.value.results)
        return LookedUp(order.client_id, found, (open_orders.exchange, history.exchange))
