"""Carries out what the order manager decided, and reports how it went. It decides nothing itself."""

from collections.abc import Awaitable
from typing import TypeVar

import attrs
import trio

from bot.core.clock import Clock
from bot.core.errors import NotSentError, RequestError, SessionGoneError
from bot.core.order import Order
from bot.core.setting import setting
from bot.link.clock import VenueClock
from bot.link.http import Answer
from bot.link.signer import Signer, UnsignableError
from bot.paradex import rest
from bot.paradex.answers import EmptyAnswer, OrderReport
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
    """Each effect gets a task of its own; the lanes of the pool bound how many are in flight."""

    effects: trio.MemoryReceiveChannel[Effect]
    inbox: Inbox
    authed: AuthedRest
    signer: Signer
    settings: OrdersSettings
    clock: Clock
    venue_clock: VenueClock
    stop: Stop

    async def run(self) -> None:
        async with trio.open_nursery() as nursery:
            async for effect in self.effects:
                nursery.start_soon(self._carry_out, effect)

    async def _carry_out(self, effect: Effect) -> None:
        match effect:
            case PlaceOrder():
                await self._place(effect)
            case CancelOrder(order):
                failure = await failure_of(self._cancel(order))
                await self.inbox.send(CancelEnded(order.client_id, failure))
            case LookUpOrder(order):
                await self.inbox.send(LookedUp(order.client_id, await or_failure(self._look_up(order))))
            case FetchBbo(market):
                answer = await or_failure(self.authed.call(rest.bbo(market)))
                await self.inbox.send(
                    BboFetched(market, answer.value if isinstance(answer, Answer) else answer)
                )
            case SetTimer(timer, seconds):
                await trio.sleep(seconds)
                await self.inbox.send(TimerFired(timer))
            case _:
                raise TypeError(f"no such effect: {effect!r}")

    async def _place(self, effect: PlaceOrder) -> None:
        order = effect.order
        async with self.authed.reserve_order_lane() as lane:
            try:
                effect.session.check()
                self.stop.refuse_new_orders()
                started_ns = self.clock.monotonic_ns()
                timestamp = self.venue_clock.now_ms()
                signature = self.signer.sign_order(
                    OrderTerms(
                        timestamp_ms=timestamp,
                        market=order.market,
                        side=order.side,
                        order_type=order.type,
                        size=order.size,
                        price=order.price,
                    )
                )
            except (NotSentError, SessionGoneError, UnsignableError) as error:
                await self.inbox.send(SendEnded(client_id=order.client_id, result=NotSentError(str(error))))
                return
            request = rest.create_order(
                order,
                signature=signature.wire(),
                signature_timestamp=timestamp,
                recv_window=self.settings.recv_window,
            )
            sent_ns = self.clock.monotonic_ns()
            await self.inbox.send(SendStarted(order.client_id, timestamp, sent_ns, sent_ns - started_ns))
            answer = await or_failure(lane.send(request))
        if isinstance(answer, Answer):
            ended = SendEnded(
                client_id=order.client_id,
                result=answer.value,
                reused=answer.reused,
                request_ns=answer.elapsed_ns,
            )
        else:
            ended = SendEnded(client_id=order.client_id, result=answer)
        await self.inbox.send(ended)

    async def _cancel(self, order: Order) -> Answer[EmptyAnswer]:
        """Cancels need no session: they go while the WebSocket is away, too."""
        if order.venue_id:
            request = rest.cancel_order(order.venue_id)
        else:
            request = rest.cancel_by_client_id(order.client_id, market=order.market)
        async with self.authed.reserve_order_lane() as lane:
            return await lane.send(request)

    async def _look_up(self, order: Order) -> OrderReport | None:
        """Ask both places: an order that is open need not be in the history yet, nor a closed one among the open."""
        open_orders = await self.authed.call(rest.open_orders())
        history = await self.authed.call(rest.order_history(order.client_id, market=order.market))
        for report in (*history.value.results, *open_orders.value.results):
            if report.client_id == order.client_id:
                return report
        return None


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
