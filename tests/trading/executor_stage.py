"""A stage for tests of the executor: a venue that is a function, and what is reported of its answers."""

import math
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any, TypeVar

import attrs
import trio
import trio.testing
from scripted_venue import RecordingTape
from trading_stage import RECV_WINDOW_MS, SYMBOL, HandClock, report

from bot.core.errors import NotSentError, RefusedError, RequestError, UnknownOutcomeError
from bot.link.answer import Answer, Permit
from bot.link.clock import VenueClock
from bot.link.http import Http, HttpConnection, Reservation
from bot.link.pool import Lane
from bot.link.signer import Signer, open_signer
from bot.paradex.answers import Bbo, EmptyAnswer, FillPage, OrderPage, OrdersAnswer, PositionsAnswer
from bot.paradex.request import Request
from bot.session.capabilities import AuthedRest, Session, Token, TokenKeeper, open_authed_rest
from bot.session.inbox import Item
from bot.session.snapshot import Snapshots
from bot.session.stop import Stop
from bot.trading.effects import Effect
from bot.trading.executor import Executor
from bot.trading.requests import REST
from bot.trading.sending import Sender
from bot.trading.signing import OrderSigner
from bot.trading.transcript import of_item

T = TypeVar("T")

FAILURES: list[RequestError] = [
    NotSentError("no connection"),
    RefusedError(400, "CODE", "no"),
    UnknownOutcomeError("ReadError"),
]

Venue = Callable[[Request[Any]], Awaitable[object]]


@attrs.define
class FakeHttp(Http):
    """A pool with one turn for orders, whose venue is a function."""

    venue: Venue
    sent: list[tuple[float, str, str]] = attrs.field(factory=list)
    requests: list[Request[Any]] = attrs.field(factory=list)
    opening: float = 0.0
    """How long it takes to open a connection, which is done for each request then."""

    turn: trio.Semaphore = attrs.field(factory=lambda: trio.Semaphore(1))

    @asynccontextmanager
    async def reserve(self, lane: Lane, *, gives_way: bool = False) -> AsyncIterator[Reservation]:
        del gives_way
        held = Reservation(self, None, lane)  # type: ignore[arg-type]
        if lane is Lane.HOUSEKEEPING:
            yield held
            return
        async with self.turn:
            yield held

    async def send(
        self, connection: HttpConnection, lane: Lane, request: Request[T], permit: Permit, bearer: str
    ) -> Answer[T]:
        del connection, lane
        assert bearer == "token"
        if self.opening:
            await trio.sleep(self.opening)
        permit()
        self.sent.append((trio.current_time(), request.method, request.path))
        self.requests.append(request)
        value = await self.venue(request)
        assert isinstance(value, request.answer)
        return Answer(value=value, reused=True, elapsed_ns=50, exchange=len(self.sent))


def answering(value: object) -> Venue:
    async def venue(_request: Request[Any]) -> object:
        await trio.lowlevel.checkpoint()
        if isinstance(value, Exception):
            raise value
        return value

    return venue


async def agreeable(request: Request[Any]) -> object:
    """A venue that takes everything, and then has nothing of it."""
    await trio.lowlevel.checkpoint()
    answers = [
        report("NEW"),
        EmptyAnswer(),
        OrdersAnswer(results=[]),
        OrderPage(results=[]),
        FillPage(results=[]),
        PositionsAnswer(results=[]),
        Bbo(market=SYMBOL),
    ]
    return next(answer for answer in answers if isinstance(answer, request.answer))


def open_rest(venue: Venue, *, expires_at: float = math.inf) -> tuple[AuthedRest, FakeHttp]:
    http = FakeHttp(venue)
    return open_authed_rest(http, TokenKeeper(Token("token", expires_at, 300))), http


SIGNER = open_signer(
    private_key="0x1234567890abcdef1234567890abcdef", chain_id="PRIVATE_SN_POTC_SEPOLIA", account="0xabc"
)


@attrs.define
class Stage:
    """An executor, and what it reports."""

    executor: Executor
    items: list[tuple[float, Item]]
    """And when."""

    http: FakeHttp
    stop: Stop
    clock: HandClock
    tape: RecordingTape
    alarms: list[str]

    async def result(self, effect: Effect, cause: int = 17) -> list[Item]:
        """Everything that is reported of ``effect``, once nothing more moves."""
        self.executor.carry_out(effect, cause)
        await trio.testing.wait_all_tasks_blocked()
        return self.reported()

    def reported(self) -> list[Item]:
        items = [item for _, item in self.items]
        self.items.clear()
        return items


@asynccontextmanager
async def open_stage(
    venue: Venue, *, signer: Signer = SIGNER, expires_at: float = math.inf, via: str = REST
) -> AsyncIterator[Stage]:
    authed, http = open_rest(venue, expires_at=expires_at)
    items, alarms = list[tuple[float, Item]](), list[str]()
    clock, stop = HandClock(), Stop()
    tape = RecordingTape(clock)

    def inbox(item: Item) -> None:
        line = of_item(item)
        tape.write(line.kind, line.data, generation=line.generation)
        items.append((trio.current_time(), item))

    async with trio.open_nursery() as nursery:
        venue_clock = VenueClock(clock)
        venue_clock.measured(server_time_ms=clock.wall_ns() // 1_000_000 + 7, elapsed_ns=0)
        executor = Executor(
            nursery=nursery,
            inbox=inbox,
            authed=authed,
            sender=Sender(
                inbox=inbox,
                tape=tape,
                alarm=alarms.append,
                authed=authed,
                signer=OrderSigner(
                    signer=signer, recv_window=RECV_WINDOW_MS, clock=clock, venue_clock=venue_clock
                ),
                stop=stop,
                via=via,
            ),
            snapshots=Snapshots(authed, clock, venue_clock, 0),
        )
        yield Stage(executor, items, http, stop, clock, tape, alarms)
        nursery.cancel_scope.cancel()


def session() -> Session:
    """A session that stays."""
    return Session._mint(1)
