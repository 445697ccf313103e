"""Carries out what the order manager decided, and reports how it went. It decides nothing itself."""

from collections.abc import Awaitable, Callable, Sequence
from typing import TypeVar

import attrs
import trio

from bot.core.clock import Clock
from bot.core.errors import (
    JournalError,
    NotSentError,
    RequestError,
    SessionGoneError,
    UnknownOutcomeError,
)
from bot.core.order import Order
from bot.core.setting import setting
from bot.core.tape import HIDDEN, Tape
from bot.link.clock import VenueClock
from bot.link.http import Answer
from bot.link.signer import Signer, UnsignableError
from bot.paradex import rest
from bot.paradex.answers import EmptyAnswer, OrderPage, OrderReport
from bot.paradex.snip12 import OrderTerms
from bot.session.capabilities import AuthedRest
from bot.session.inbox import Inbox
from bot.session.stop import Stop
from bot.trading.effects import (
    BboFetched,
    CancelEnded,
    CancelOrder,
    Effect,
    FetchBbo,
    LookedUp,
    LookUpOrder,
    PlaceOrder,
    SendEnded,
    SendStarted,
    SetTimer,
    TimerFired,
)

T = TypeVar("T")

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


@attrs.frozen(kw_only=True)
class Executor:
    """Each effect gets a task of its own in ``nursery``; the lanes of the pool bound how many are in flight."""

    nursery: trio.Nursery
    inbox: Inbox
    tape: Tape
    alarm: Callable[[str], None]
    authed: AuthedRest
    signer: Signer
    settings: OrdersSettings
    clock: Clock
    venue_clock: VenueClock
    stop: Stop

    def carry_out(self, effect: Effect, cause: int) -> None:
        """Begin with ``effect``, which has the number ``cause`` on the tape."""
        self.nursery.start_soon(self._carry_out, effect, cause)

    async def _carry_out(self, effect: Effect, cause: int) -> None:
        match effect:
            case PlaceOrder():
                await self._place(effect, cause)
            case CancelOrder(order):
                failure = await failure_of(self._cancel(order, cause))
                self.inbox(CancelEnded(order.client_id, failure))
            case LookUpOrder(order):
                self.inbox(await self._look_up(order, cause))
            case FetchBbo(market):
                answer = await or_failure(self.authed.call(rest.bbo(market, cause=cause)))
                if isinstance(answer, Answer):
                    self.inbox(BboFetched(market, answer.value, answer.exchange))
                else:
                    self.inbox(BboFetched(market, answer))
            case SetTimer(timer, seconds):
                await trio.sleep(seconds)
                self.inbox(TimerFired(timer))
            case _:
                raise TypeError(f"no such effect: {effect!r}")

    async def _place(self, effect: PlaceOrder, cause: int) -> None:
        order = effect.order

        def permit() -> None:
            self.stop.refuse_new_orders()
            try:
                effect.session.check()
            except SessionGoneError as gone:
                raise NotSentError(str(gone)) from gone

        async with self.authed.reserve_order_lane() as lane:
            try:
                permit()
                started_ns = self.clock.monotonic_ns()
                timestamp = self.venue_clock.now_ms()
                signature = self.signer.sign_order(terms(order, timestamp))
            except (NotSentError, UnsignableError) as error:
                self.inbox(SendEnded(client_id=order.client_id, result=NotSentError(str(error))))
                return
            request = rest.create_order(
                order,
                signature=signature.wire(),
                signature_timestamp=timestamp,
                recv_window=self.settings.recv_window,
                cause=cause,
            )
            sent_ns = self.clock.monotonic_ns()
            self.inbox(
                SendStarted(
                    order.client_id,
                    timestamp,
                    sent_ns,
                    sent_ns - started_ns,
                    struct_hash=signature.struct_hash or 0,
                    message_hash=signature.message_hash,
                    signature_digest=signature.digest(),
                    request=request.shown(HIDDEN),
                )
            )
            try:
                self.tape.commit()
            except JournalError as error:
                self.alarm(f"orders are not sent: {error}")
                self.inbox(SendEnded(client_id=order.client_id, result=NotSentError(str(error))))
                return
            answer = await or_failure(lane.send(request, permit))
        if isinstance(answer, Answer):
            ended = SendEnded(
                client_id=order.client_id,
                result=answer.value,
                reused=answer.reused,
                request_ns=answer.elapsed_ns,
                exchange=answer.exchange,
            )
        else:
            ended = SendEnded(client_id=order.client_id, result=answer)
        self.inbox(ended)

    async def _cancel(self, order: Order, cause: int) -> Answer[EmptyAnswer]:
        """Cancels need no session, and no journal: they go while one of them is away, too."""
        with trio.move_on_after(CANCEL_DEADLINE):
            async with self.authed.reserve_order_lane() as lane:
                return await lane.send(cancel_request(order, cause))
        raise UnknownOutcomeError(f"the cancel had no answer within {CANCEL_DEADLINE:g} s")

    async def _look_up(self, order: Order, cause: int) -> LookedUp:
        try:
            open_orders = await self.authed.call(rest.open_orders(cause=cause))
            history = await self.authed.call(history_request(order, cause))
        except RequestError as failure:
            return LookedUp(order.client_id, failure)
        found = find_report(order.client_id, open_orders.value.results, history.value.results)
        return LookedUp(order.client_id, found, (open_orders.exchange, history.exchange))


def terms(order: Order, timestamp_ms: int) -> OrderTerms:
    """What is signed of ``order``."""
    return OrderTerms(
        timestamp_ms=timestamp_ms,
        market=order.market,
        side=order.side,
        order_type=order.type,
        size=order.size,
        price=order.price,
    )


def cancel_request(order: Order, cause: int) -> rest.Request[EmptyAnswer]:
    """By the venue's id, or where that is not known by ours; because of the record with the number ``cause``."""
    if order.venue_id:
        return rest.cancel_order(order.venue_id, cause=cause)
    return rest.cancel_by_client_id(order.client_id, market=order.market, cause=cause)


def history_request(order: Order, cause: int) -> rest.Request[OrderPage]:
    """Because of the record with the number ``cause``."""
    return rest.order_history(order.client_id, market=order.market, cause=cause)


def find_report(
    client_id: str, open_orders: Sequence[OrderReport], history: Sequence[OrderReport]
) -> OrderReport | None:
    """Look in both places: an order that is open need not be in the history yet, nor a closed one among the open."""
    return next((report for report in (*history, *open_orders) if report.client_id == client_id), None)


async def or_failure(request: Awaitable[T]) -> T | RequestError:
    """The value of ``request``, or which of the three failures it met."""
    try:
        return await request
    except RequestError as failure:
        return failure


async def failure_of(request: Awaitable[object]) -> RequestError | None:
    """None for a success."""
    result = await or_failure(request)
    return result if isinstance(result, RequestError) else None
