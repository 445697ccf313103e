"""This bot's two ways: `bot.link.http` in the lane of orders, and `bot.session.entry` over a WebSocket."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import TypeVar

import trio

from benchmarks.account import LIFETIME, Account, open_account
from benchmarks.orders.side import Taken, Turn
from bot.core.clock import Clock
from bot.core.tape import NoTape
from bot.lab.child import Reached
from bot.link.clock import SystemClock
from bot.link.http import Http, HttpSettings, open_http
from bot.link.pool import Lane
from bot.link.websocket import StreamSettings, open_websocket
from bot.paradex import calls, orders, rpc
from bot.paradex.orders import SignedOrder
from bot.paradex.request import Request
from bot.place import trusting
from bot.session.capabilities import Token, TokenKeeper, open_authed_rest
from bot.session.entry import OrderEntry
from bot.session.stream import hear_replies, open_stream

T = TypeVar("T")

QUIET_MARKET = "ETH-USD-PERP"
"""Where nobody trades here: the exchange hangs up on a WebSocket without a subscription."""

CALL_DEADLINE = 10.0
"""Seconds."""


class Asking:
    """A `benchmarks.account.Ask` over the pool of connections."""

    def __init__(self, http: Http) -> None:
        self._http = http

    async def __call__(self, request: Request[T]) -> T:
        async with self._http.reserve(Lane.HOUSEKEEPING) as reservation:
            return (await reservation.send(request)).value


@asynccontextmanager
async def open_rest(reached: Reached) -> AsyncIterator[Turn]:
    """Requests over warm connections."""
    clock = SystemClock()
    async with _open_http(reached, clock) as http:
        ask = Asking(http)
        account = await open_account(ask, clock)
        keeper = TokenKeeper(_token(account))
        authed = open_authed_rest(http, keeper)

        async def send(signed: SignedOrder) -> None:
            async with authed.reserve_order_lane() as lane:
                await lane.send(orders.create(signed))

        async def turn(count: int) -> Taken:
            await account.renew(ask)
            keeper.renewed(_token(account))
            return await _timed(account, send, count, clock)

        yield turn


@asynccontextmanager
async def open_calls(reached: Reached) -> AsyncIterator[Turn]:
    """Calls over one WebSocket."""
    clock = SystemClock()
    tape, tls = NoTape(clock), trusting(reached.ca_file or "")
    async with (
        _open_http(reached, clock) as http,
        open_websocket(reached.ws_url, tls, StreamSettings(), tape, 1, clock) as websocket,
        trio.open_nursery() as nursery,
    ):
        account = await open_account(Asking(http), clock)
        stream = open_stream(websocket)
        nursery.start_soon(hear_replies, websocket, stream)
        await stream.call("auth", {"bearer": account.token})
        await stream.call("subscribe", {"channel": rpc.orders_channel(QUIET_MARKET)})
        entry = OrderEntry(
            stream=stream,
            budgets=http.budgets,
            exchanges=http.exchanges,
            tape=tape,
            clock=clock,
            timeout=CALL_DEADLINE,
            restricted=http.restricted,
            not_permitted=lambda _: None,  # it is raised, too
        )

        async def send(signed: SignedOrder) -> None:
            await entry.send(calls.create(signed))

        async def turn(count: int) -> Taken:
            return await _timed(account, send, count, clock)

        yield turn
        nursery.cancel_scope.cancel()


@asynccontextmanager
async def _open_http(reached: Reached, clock: Clock) -> AsyncIterator[Http]:
    tls = trusting(reached.ca_file or "")
    async with open_http(HttpSettings(), reached.rest_url, tls, clock, NoTape(clock)) as http:
        yield http


def _token(account: Account) -> Token:
    return Token(account.token, account.expires_at, LIFETIME)


async def _timed(
    account: Account, send: Callable[[SignedOrder], Awaitable[None]], count: int, clock: Clock
) -> Taken:
    whole, unsigned = [], []
    for _ in range(count):
        began_ns = clock.monotonic_ns()
        signed = account.sign(account.new_order())
        signed_ns = clock.monotonic_ns()
        await send(signed)
        ended_ns = clock.monotonic_ns()
        whole.append(ended_ns - began_ns)
        unsigned.append(ended_ns - signed_ns)
    return Taken(whole, unsigned)
